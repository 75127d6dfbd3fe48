//! Reads what one unit owns or names, with as few calls as that takes.

use super::resource::target_group::TargetGroupEntry;
use super::{LatticeClient, ownership};
use crate::AwsError;
use futures::future::try_join_all;
use std::collections::{BTreeMap, BTreeSet};
use std::time::SystemTime;
use trellis_hint::UnitKey;
use trellis_lattice::{Actual, Desired, Tags, names};

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
            return self.inspect_gateway(desired, name, not_before).await;
        }
        let with_services = !matches!(unit, Some(UnitKey::Export { .. }))
            || !desired.services.is_empty()
            || !candidate_service_names.is_empty();
        self.inspect_route(desired, candidate_service_names, with_services, not_before).await
    }

    /// Every network of the unit's name, and the associations of each and of the wanted VPCs.
    async fn inspect_gateway(
        &self,
        desired: &Desired,
        unit_name: &str,
        not_before: SystemTime,
    ) -> Result<Actual, AwsError> {
        let mut names = BTreeSet::from([unit_name]);
        names.extend(desired.network.iter().map(|network| network.name.as_str()));
        names.extend(desired.vpc_associations.iter().map(|association| association.network.as_str()));
        let networks = self.inspect_networks(desired, &names, not_before).await?;
        let vpc_associations = self.inspect_vpc_associations(desired, &networks).await?;
        Ok(Actual { networks, vpc_associations, ..Actual::default() })
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
        actual.refused = self.refused_targets(desired, &actual.target_groups);
        actual.services.sort_by(|a, b| (&a.name, &a.arn).cmp(&(&b.name, &b.arn)));
        actual.target_groups.sort_by(|a, b| (&a.name, &a.arn).cmp(&(&b.name, &b.arn)));
        self.read_tags_that_matter(desired, &mut actual).await?;
        let associated = networks.into_iter().flatten().map(|entry| (entry.arn.clone(), entry)).collect();
        actual.networks =
            self.networks_of_services(desired, &actual.services, associated, not_before).await?;
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
            ownership::set(actual, &arns.into_iter().map(of).collect());
        }
        Ok(())
    }
}
