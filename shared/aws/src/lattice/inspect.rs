//! Reads what one unit owns or names, with as few calls as that takes.
//!
//! A unit's services and target groups are found in one of two ways, and read in one:
//!
//! | | by tags | by listing |
//! |---|---|---|
//! | when | as a rule | the unit wants nothing any more; something was not as it was read; the index of tags does not answer |
//! | finds | what the index of tags shows of the unit, and what this process has seen of it | the same; all that bears a wanted name or the unit's hash in its name; what uses those |
//! | costs | one call to the index, whatever the account has | the pages of ListServices and ListTargetGroups, shared by all units of an invocation |
//! | misses | what is new to the index and unknown to this process; strangers that bear a wanted name | nothing but services whose name has no hash and that nothing leads to |
//!
//! What is missed leads to no harm. It is not deleted, since nothing is deleted that was not read. It is not doubled: names
//! are unique and follow from the unit, so a create that meets one ends in a conflict, after which the next inspection
//! lists all and a new plan is made. Traffic is not moved for lack of it: what a rule leads to is read with the rule, and
//! nothing of a service is changed that was not read.
//!
//! A unit that wants nothing lists, because "nothing is left" is what it has to be sure of: after that nobody looks for
//! its resources any more but the drift pass.

use super::resource::service::ServiceEntry;
use super::resource::target_group::{SeenTargetGroup, TargetGroupEntry};
use super::{LatticeClient, ownership};
use crate::AwsError;
use futures::future::try_join_all;
use std::collections::{BTreeMap, BTreeSet};
use std::time::SystemTime;
use trellis_hint::UnitKey;
use trellis_lattice::{
    Action, Actual, ActualService, ActualTargetGroup, Desired, Ownership, TARGET_GROUP_ID, Tags, names,
};

/// Rounds in which tags below services are read: those that differ, then, if a stranger is among them, the others.
const TAG_ROUNDS_MAX: usize = 3;

/// The services and target groups that may concern a unit.
#[derive(Default)]
struct Found {
    services: Vec<ServiceEntry>,
    target_groups: Vec<SeenTargetGroup>,
    /// Their names by id.
    group_names: BTreeMap<String, String>,
}

impl LatticeClient {
    /// What is there of what `desired` names and of what its owner has. `desired` may be less than what will be wanted: as
    /// long as it wants anything or asks for it, all that the owner has is read in full, so that parts of it can be wanted as they
    /// are, or go to another unit as they are.
    ///
    /// Whose a resource is, its tags tell; those of services, target groups and, for Gateway units, service networks are
    /// always read (or known from the last minute, unless a mark may matter: [`super::fresh`]), those of what is below a
    /// service only when something would be done to it. What the index of tags shows is never believed unread.
    ///
    /// Where all is listed: `candidate_service_names` are names that the unit's services may have had, and no listing from
    /// before `not_before` is used. Take the time when the invocation began: what another invocation did for this unit is
    /// older, since the unit is the queue's message group.
    ///
    /// Reads of a settled route with one rule and one target group: 8 of VPC Lattice and one of the index; 10 when the tags
    /// were not read within the last minute. No number of other routes changes that.
    pub async fn inspect(
        &self,
        desired: &Desired,
        candidate_service_names: &[String],
        not_before: SystemTime,
    ) -> Result<Actual, AwsError> {
        let unit = desired.owner.key.parse::<UnitKey>().ok();
        if let Some(UnitKey::Gateway { name, .. }) = &unit {
            return Box::pin(self.inspect_gateway(desired, name, not_before)).await;
        }
        if let Some(UnitKey::Resource { kind, .. }) = &unit {
            return Box::pin(self.inspect_resources(desired, *kind, not_before)).await;
        }
        let with_services = !matches!(unit, Some(UnitKey::Export { .. }))
            || !desired.services.is_empty()
            || !candidate_service_names.is_empty();
        let found = self.find(desired, candidate_service_names, with_services, not_before).await?;
        let mut actual = self.inspect_found(desired, found, not_before).await?;
        self.read_marks_anew(desired, &mut actual, not_before).await?;
        let services = actual.services.iter().map(|service| service.arn.clone());
        let groups = actual.target_groups.iter().map(|group| group.arn.clone());
        self.inner.memory.set(&desired.owner.unit, services.chain(groups).collect());
        Ok(actual)
    }

    /// The unit's target groups of instances that the index of tags shows, without anything else: three reads of VPC Lattice for each, two
    /// where its tags were read within the last minute. One that is new to the index is missing here.
    pub async fn inspect_instances(&self, desired: &Desired) -> Result<Actual, AwsError> {
        let arns = self.found_instances(&desired.owner).await?;
        let seen = try_join_all(arns.iter().map(|arn| self.target_group_of(arn))).await?;
        let read = seen.into_iter().flatten().map(|seen| self.inspect_target_group(desired, seen));
        let target_groups = try_join_all(read).await?.into_iter().flatten().collect();
        let mut actual = Actual { target_groups, ..Actual::default() };
        actual.refused = self.refused_targets(desired, &actual.target_groups);
        Ok(actual)
    }

    async fn find(
        &self,
        desired: &Desired,
        candidate_service_names: &[String],
        with_services: bool,
        not_before: SystemTime,
    ) -> Result<Found, AwsError> {
        let mut arns = self.inner.memory.arns(&desired.owner.unit);
        let is_answered = match self.found_by_tags(&desired.owner).await {
            Ok(found) => {
                arns.extend(found);
                true
            }
            Err(error) => {
                tracing::warn!(unit = desired.owner.key, error = %error, "not found by tags: all is listed");
                false
            }
        };
        if is_answered && desired.wants_anything() && !self.inner.memory.is_in_doubt(&desired.owner.unit) {
            return self.found_by_arn(&arns).await;
        }
        self.found_by_listing(desired, &arns, candidate_service_names, with_services, not_before).await
    }

    /// What these ARNs name, each with one read, and the services that the target groups among them are used by.
    async fn found_by_arn(&self, arns: &BTreeSet<String>) -> Result<Found, AwsError> {
        // Tags are needed of all of them, and are read beside.
        let (services, target_groups, _) = futures::try_join!(
            try_join_all(arns.iter().map(|arn| self.service_of(arn))),
            try_join_all(arns.iter().map(|arn| self.target_group_of(arn))),
            self.tags(arns),
        )?;
        let mut services: Vec<ServiceEntry> = services.into_iter().flatten().collect();
        let target_groups: Vec<SeenTargetGroup> = target_groups.into_iter().flatten().collect();
        let users = target_groups.iter().flat_map(|group| &group.entry.service_arns);
        let users: BTreeSet<&String> = users.filter(|arn| !arns.contains(*arn)).collect();
        services.extend(
            try_join_all(users.into_iter().map(|arn| self.service_of(arn))).await?.into_iter().flatten(),
        );
        let group_names = names_by_id(&target_groups);
        Ok(Found { services, target_groups, group_names })
    }

    async fn found_by_listing(
        &self,
        desired: &Desired,
        arns: &BTreeSet<String>,
        candidate_service_names: &[String],
        with_services: bool,
        not_before: SystemTime,
    ) -> Result<Found, AwsError> {
        let hash = names::unit_hash(&desired.owner.unit);
        let services =
            async { if with_services { self.services(not_before).await.map(Some) } else { Ok(None) } };
        let (group_index, service_index) = futures::try_join!(self.target_groups(not_before), services)?;
        let wanted: BTreeSet<&str> = desired.target_groups.iter().map(|group| group.name.as_str()).collect();
        let concerns = |entry: &&TargetGroupEntry| {
            let name = entry.name.as_str();
            wanted.contains(name) || name.contains(hash) || arns.contains(&entry.arn)
        };
        let target_groups: Vec<SeenTargetGroup> =
            group_index.values().filter(concerns).cloned().map(SeenTargetGroup::listed).collect();
        let used_by: BTreeSet<&String> =
            target_groups.iter().flat_map(|group| &group.entry.service_arns).collect();
        let named: BTreeSet<&str> = desired
            .services
            .iter()
            .map(|service| service.name.as_str())
            .chain(candidate_service_names.iter().map(String::as_str))
            .collect();
        let concerns = |entry: &&ServiceEntry| {
            let name = entry.name.as_str();
            named.contains(name)
                || name.contains(hash)
                || used_by.contains(&entry.arn)
                || arns.contains(&entry.arn)
        };
        let services =
            service_index.iter().flat_map(|index| index.values()).filter(concerns).cloned().collect();
        let group_names = names_by_id(&target_groups);
        Ok(Found { services, target_groups, group_names })
    }

    async fn inspect_found(
        &self,
        desired: &Desired,
        found: Found,
        not_before: SystemTime,
    ) -> Result<Actual, AwsError> {
        let Found { services, target_groups, group_names } = found;
        let (services, target_groups) = futures::try_join!(
            try_join_all(services.iter().map(|entry| self.inspect_service(desired, entry, &group_names))),
            try_join_all(target_groups.into_iter().map(|group| self.inspect_target_group(desired, group))),
        )?;
        let (services, networks): (Vec<_>, Vec<_>) = services.into_iter().flatten().unzip();
        let mut actual = Actual {
            services,
            target_groups: target_groups.into_iter().flatten().collect(),
            ..Actual::default()
        };
        self.read_groups_in_use(desired, &mut actual).await?;
        name_strangers_by_id(desired, &mut actual);
        actual.refused = self.refused_targets(desired, &actual.target_groups);
        actual.services.sort_by(|a, b| (&a.name, &a.arn).cmp(&(&b.name, &b.arn)));
        actual.target_groups.sort_by(|a, b| (&a.name, &a.arn).cmp(&(&b.name, &b.arn)));
        self.read_tags_that_matter(desired, &mut actual, not_before).await?;
        if desired.wants_anything() {
            self.read_access_logs(desired, &mut actual).await?;
            self.read_auth(desired, &mut actual).await?;
        }
        (actual.networks, actual.network_usage) = self
            .networks_of_services(desired, &actual.services, networks.into_iter().flatten(), not_before)
            .await?;
        actual.taken_domains = self.taken_domains(desired, &actual).await?;
        Ok(actual)
    }

    /// Reads the target groups that rules and listeners lead to and that were not found: nothing is to be decided about a
    /// rule without knowing where it leads. Those that the wish names by their ids are asked for elsewhere.
    async fn read_groups_in_use(&self, desired: &Desired, actual: &mut Actual) -> Result<(), AwsError> {
        let ids: BTreeSet<String> = actual
            .services
            .iter()
            .flat_map(ActualService::target_groups)
            .filter(|name| name.starts_with(TARGET_GROUP_ID) && !desired.external_groups.contains(*name))
            .map(str::to_owned)
            .collect();
        if ids.is_empty() {
            return Ok(());
        }
        let read = try_join_all(ids.iter().map(|id| self.target_group_by_id(id))).await?;
        let read: Vec<SeenTargetGroup> = read.into_iter().flatten().collect();
        let names = names_by_id(&read);
        for action in actual.services.iter_mut().flat_map(actions_mut) {
            let Action::Forward(groups) = action else { continue };
            for group in &mut *groups {
                if let Some(name) = names.get(&group.target_group) {
                    group.target_group.clone_from(name);
                }
            }
            groups.sort();
        }
        let read = read.into_iter().map(|group| self.inspect_target_group(desired, group));
        actual.target_groups.extend(try_join_all(read).await?.into_iter().flatten());
        Ok(())
    }

    /// Every network of the unit's name, the associations of each and of the wanted VPCs, the unit's endpoints of VPCs, and its
    /// certificates.
    async fn inspect_gateway(
        &self,
        desired: &Desired,
        unit_name: &str,
        not_before: SystemTime,
    ) -> Result<Actual, AwsError> {
        let mut names = BTreeSet::from([unit_name]);
        names.extend(desired.network.iter().map(|network| network.name.as_str()));
        names.extend(desired.vpc_associations.iter().map(|association| association.network.as_str()));
        names.extend(desired.vpc_endpoints.iter().map(|endpoint| endpoint.network.as_str()));
        let networks = self.inspect_networks(desired, &names, not_before).await?;
        let vpc_associations = self.inspect_vpc_associations(desired, &networks).await?;
        let (vpc_endpoints, subnet_zones) = self.inspect_vpc_endpoints(desired, &networks).await?;
        let certificates = self.read_imported(desired).await?;
        let seen = certificates.iter().map(|one| one.arn.clone());
        let seen = seen.chain(vpc_endpoints.iter().map(|one| one.arn.clone())).collect();
        self.inner.memory.set(&desired.owner.unit, seen);
        let mut actual = Actual {
            networks,
            vpc_associations,
            vpc_endpoints,
            subnet_zones,
            certificates,
            ..Actual::default()
        };
        self.read_marks_anew(desired, &mut actual, not_before).await?;
        self.read_access_logs(desired, &mut actual).await?;
        self.read_auth(desired, &mut actual).await?;
        Ok(actual)
    }

    async fn read_tags_that_matter(
        &self,
        desired: &Desired,
        actual: &mut Actual,
        not_before: SystemTime,
    ) -> Result<(), AwsError> {
        // Another process may have set those since, as another edit asked for.
        for arn in ownership::unread_below(desired, actual) {
            self.inner.tags.forget_before(&arn, not_before);
        }
        for _ in 0..TAG_ROUNDS_MAX {
            let arns = ownership::unread_that_matter(desired, actual);
            if arns.is_empty() {
                break;
            }
            let tags = self.tags(&arns).await?;
            let of = |arn: String| {
                let tags = tags.get(&arn).cloned().unwrap_or_else(Tags::new);
                (arn, (desired.owner.of(&tags), tags))
            };
            ownership::set(actual, &arns.into_iter().map(of).collect());
        }
        Ok(())
    }
}

fn names_by_id(groups: &[SeenTargetGroup]) -> BTreeMap<String, String> {
    groups.iter().map(|group| (group.entry.id.clone(), group.entry.name.clone())).collect()
}

/// Lets rules lead by their ids to the target groups of others, and to those that the wish names so, whosever they are: one form for
/// a group, whichever way it was found.
fn name_strangers_by_id(desired: &Desired, actual: &mut Actual) {
    let (ours, others): (Vec<&ActualTargetGroup>, Vec<&ActualTargetGroup>) =
        actual.target_groups.iter().partition(|group| {
            group.ownership != Ownership::Foreign && !desired.external_groups.contains(&group.id)
        });
    let mut ids: BTreeMap<String, String> =
        others.into_iter().map(|group| (group.name.clone(), group.id.clone())).collect();
    ids.retain(|name, _| !ours.iter().any(|group| group.name == *name));
    for action in actual.services.iter_mut().flat_map(actions_mut) {
        let Action::Forward(groups) = action else { continue };
        for group in &mut *groups {
            if let Some(id) = ids.get(&group.target_group) {
                group.target_group.clone_from(id);
            }
        }
        groups.sort();
    }
}

/// What a service's listeners and rules do with requests.
fn actions_mut(service: &mut ActualService) -> impl Iterator<Item = &mut Action> {
    service.listeners.iter_mut().flat_map(|listener| {
        let rules = listener.rules.iter_mut().map(|rule| &mut rule.action);
        std::iter::once(&mut listener.default_action).chain(rules)
    })
}
