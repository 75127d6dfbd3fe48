//! Reads what one unit owns or names, with as few calls as that takes.

use super::convert::{health_check, small, status, target_group_config, target_health};
use super::index::{NetworkEntry, TargetGroupEntry};
use super::{LatticeClient, PAGE_ENTRIES, found, ownership};
use crate::AwsError;
use aws_sdk_vpclattice::types as sdk;
use futures::future::try_join_all;
use std::collections::{BTreeMap, BTreeSet};
use std::time::SystemTime;
use trellis_hint::UnitKey;
use trellis_lattice::{
    Actual, ActualNetwork, ActualTarget, ActualTargetGroup, Desired, Ownership, Status, Tags, Target, names,
};

/// Rounds in which tags below services are read: those that differ, then, if a stranger is among them, the others.
const TAG_ROUNDS_MAX: usize = 3;

impl LatticeClient {
    /// What is there of what `desired` names and of what its owner has.
    ///
    /// Leftovers that `desired` no longer names are found by the unit's hash in their names, through the services that
    /// the unit's target groups are used by, and through `candidate_service_names` (names that the unit's services may
    /// have had). Whose a resource is, its tags tell; those of services, target groups and, for Gateway units, service
    /// networks are always read (or known from the last minute), those of what is below a service only when something
    /// would be done to it.
    ///
    /// `not_before`: no listing from before this time is used. Take the time when the invocation began: what another
    /// invocation did for this unit is older, since the unit is the queue's message group. Units of one invocation then
    /// share a listing.
    ///
    /// Reads of a settled route with one rule and one target group: 9, and 7 with a listing that another unit has
    /// already paid for; 11 and 9 when the tags were not read within the last minute.
    pub async fn inspect(
        &self,
        desired: &Desired,
        candidate_service_names: &[String],
        not_before: SystemTime,
    ) -> Result<Actual, AwsError> {
        let unit = desired.owner.key.parse::<UnitKey>().ok();
        if let Some(UnitKey::Gateway { name, .. }) = &unit {
            let (networks, vpc_associations) = self.inspect_network(desired, name, not_before).await?;
            return Ok(Actual { networks, vpc_associations, ..Actual::default() });
        }
        let with_services = !matches!(unit, Some(UnitKey::Export { .. }))
            || !desired.services.is_empty()
            || !candidate_service_names.is_empty();
        self.inspect_route(desired, candidate_service_names, with_services, not_before).await
    }

    async fn inspect_route(
        &self,
        desired: &Desired,
        candidate_service_names: &[String],
        with_services: bool,
        not_before: SystemTime,
    ) -> Result<Actual, AwsError> {
        let hash = names::unit_hash(&desired.owner.unit);
        let services =
            async { if with_services { self.services(not_before).await.map(Some) } else { Ok(None) } };
        let (group_index, service_index) = futures::try_join!(self.target_groups(not_before), services)?;
        let wanted: BTreeSet<&str> = desired.target_groups.iter().map(|group| group.name.as_str()).collect();
        let groups: Vec<&TargetGroupEntry> = group_index
            .values()
            .filter(|entry| wanted.contains(entry.name.as_str()) || entry.name.contains(hash))
            .collect();

        let used_by: BTreeSet<&String> = groups.iter().flat_map(|group| &group.service_arns).collect();
        let wanted_groups = groups.iter().filter(|entry| wanted.contains(entry.name.as_str()));
        let wanted_groups_users: BTreeSet<&String> =
            wanted_groups.flat_map(|group| &group.service_arns).collect();
        let named: BTreeSet<&str> = desired
            .services
            .iter()
            .map(|service| service.name.as_str())
            .chain(candidate_service_names.iter().map(String::as_str))
            .collect();
        let services = service_index.iter().flat_map(|index| index.values()).filter(|entry| {
            named.contains(entry.name.as_str()) || entry.name.contains(hash) || used_by.contains(&entry.arn)
        });

        let group_names: BTreeMap<String, String> =
            group_index.values().map(|entry| (entry.id.clone(), entry.name.clone())).collect();
        let (services, target_groups) = futures::try_join!(
            try_join_all(services.map(|entry| {
                let shares = wanted_groups_users.contains(&entry.arn);
                self.inspect_service(desired, entry, &group_names, shares)
            })),
            try_join_all(groups.iter().map(|entry| self.inspect_target_group(desired, entry))),
        )?;
        let (services, networks): (Vec<_>, Vec<_>) = services.into_iter().flatten().unzip();
        let mut actual = Actual {
            services,
            target_groups: target_groups.into_iter().flatten().collect(),
            ..Actual::default()
        };
        actual.services.sort_by(|a, b| (&a.name, &a.arn).cmp(&(&b.name, &b.arn)));
        actual.target_groups.sort_by(|a, b| (&a.name, &a.arn).cmp(&(&b.name, &b.arn)));
        self.read_tags_that_matter(desired, &mut actual).await?;
        let associated = networks.into_iter().flatten().map(|entry| (entry.arn.clone(), entry)).collect();
        actual.networks = self.networks_of_services(desired, associated, not_before).await?;
        Ok(actual)
    }

    async fn read_tags_that_matter(&self, desired: &Desired, actual: &mut Actual) -> Result<(), AwsError> {
        for _ in 0..TAG_ROUNDS_MAX {
            let arns = ownership::unread_that_matter(desired, actual);
            if arns.is_empty() {
                break;
            }
            let tags = self.tags(&arns).await?;
            let of = |arn: String| {
                let tags = tags.get(&arn).cloned().unwrap_or_else(Tags::new);
                (arn, desired.owner.of(&tags))
            };
            ownership::set(&mut actual.services, &arns.into_iter().map(of).collect());
        }
        Ok(())
    }

    async fn inspect_target_group(
        &self,
        desired: &Desired,
        entry: &TargetGroupEntry,
    ) -> Result<Option<ActualTargetGroup>, AwsError> {
        let Some((ownership, tags)) = self.ownership(&desired.owner, &entry.arn).await? else {
            return Ok(None);
        };
        let mut group = ActualTargetGroup {
            id: entry.id.clone(),
            arn: entry.arn.clone(),
            name: entry.name.clone(),
            status: entry.status,
            config: None,
            health_check: None,
            targets: vec![],
            service_arns: entry.service_arns.clone(),
            ownership,
            tags,
        };
        if group.ownership != Ownership::Ours || group.status == Status::DeleteInProgress {
            return Ok(Some(group));
        }
        let wanted = desired.target_groups.iter().any(|wanted| wanted.name == entry.name);
        let read = futures::try_join!(self.target_group_details(&entry.id, wanted), self.targets(&entry.id));
        let Some((details, targets)) = found(read)? else { return Ok(None) };
        let default_port = details.as_ref().and_then(|d| d.config.as_ref()).and_then(|c| small(c.port));
        group.targets = targets
            .into_iter()
            .filter_map(|target| {
                let port = small(target.port).or(default_port)?;
                Some(ActualTarget {
                    target: Target { ip: target.id?, port },
                    health: target_health(target.status.as_ref()),
                })
            })
            .collect();
        group.targets.sort();
        if let Some(details) = details {
            group.status = status(details.status.as_ref().map(sdk::TargetGroupStatus::as_str));
            let config = details.config.as_ref();
            group.config = config.and_then(|config| target_group_config(details.r#type.as_ref(), config));
            group.health_check = config.and_then(|c| c.health_check.as_ref()).and_then(health_check);
            group.service_arns.extend(details.service_arns.into_iter().flatten());
        }
        Ok(Some(group))
    }

    /// A target group that is to go has no settings to compare.
    async fn target_group_details(
        &self,
        id: &str,
        wanted: bool,
    ) -> Result<Option<aws_sdk_vpclattice::operation::get_target_group::GetTargetGroupOutput>, AwsError> {
        if !wanted {
            return Ok(None);
        }
        let request = self.api().get_target_group().target_group_identifier(id).send();
        self.read("GetTargetGroup", request).await.map(Some)
    }

    pub(super) async fn targets(&self, id: &str) -> Result<Vec<sdk::TargetSummary>, AwsError> {
        let pages = self
            .api()
            .list_targets()
            .target_group_identifier(id)
            .into_paginator()
            .page_size(PAGE_ENTRIES)
            .items()
            .send();
        self.list("ListTargets", pages).await
    }

    /// The wanted networks that exist, by ARN. One that a service is associated with is known to exist; the others are
    /// looked up, in a fresh listing if the kept one lacks any.
    async fn networks_of_services(
        &self,
        desired: &Desired,
        associated: BTreeMap<String, NetworkEntry>,
        not_before: SystemTime,
    ) -> Result<Vec<ActualNetwork>, AwsError> {
        let mut networks = associated;
        let missing: BTreeSet<&String> = desired
            .services
            .iter()
            .flat_map(|service| &service.networks)
            .filter(|name| !networks.values().any(|entry| entry.name == **name))
            .collect();
        if !missing.is_empty() {
            let mut index = self.networks(SystemTime::UNIX_EPOCH).await?;
            if !missing.iter().all(|name| index.values().any(|entry| entry.name == **name)) {
                index = self.networks(not_before).await?;
            }
            let found: Vec<_> = index.iter().filter(|(_, entry)| missing.contains(&entry.name)).collect();
            networks.extend(found.into_iter().map(|(arn, entry)| (arn.clone(), entry.clone())));
        }
        Ok(networks.values().map(|entry| network(entry, Ownership::Unread, Tags::new())).collect())
    }
}

pub(super) fn network(entry: &NetworkEntry, ownership: Ownership, tags: Tags) -> ActualNetwork {
    ActualNetwork { id: entry.id.clone(), arn: entry.arn.clone(), name: entry.name.clone(), ownership, tags }
}
