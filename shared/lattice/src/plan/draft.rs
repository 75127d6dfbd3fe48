//! A plan in the making, and the model that its steps have been done on.

use super::unwanted;
use crate::resource::counting;
use crate::user_tags::obsolete;
use crate::{
    Actual, ActualAccessLog, ActualListener, ActualService, ActualTargetGroup, ActualVpcAssociation, Blocked,
    Desired, DesiredService, DesiredTargetGroup, Invocation, Limits, Ownership, Plan, Status, Step,
    TAG_OWNER, TAG_UNIT, Tag, Tags, Untag, apply_step, counting_endpoint, log_type,
};
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;

/// A plan in the making.
#[derive(Clone)]
pub(super) struct Draft<'a> {
    /// Sorted, each name once.
    pub(super) desired: Desired,
    pub(super) limits: &'a Limits,
    /// What is there after the steps so far; sorted at first.
    pub(super) model: Actual,
    pub(super) steps: Vec<Step>,
    blocked: BTreeSet<Blocked>,
}

impl<'a> Draft<'a> {
    pub(super) fn new(desired: &Desired, actual: &Actual, limits: &'a Limits) -> Self {
        let mut draft = Self {
            desired: sorted_desired(desired),
            limits,
            model: sorted_actual(actual),
            steps: vec![],
            blocked: BTreeSet::new(),
        };
        draft.drop_contradictions();
        draft
    }

    /// A VPC can be with one network only: of a wish for several, the first holds.
    fn drop_contradictions(&mut self) {
        let mut network_of: BTreeMap<String, String> = BTreeMap::new();
        for wanted in std::mem::take(&mut self.desired.vpc_associations) {
            let network =
                network_of.entry(wanted.vpc.clone()).or_insert_with(|| wanted.network.clone()).clone();
            if network == wanted.network {
                self.desired.vpc_associations.push(wanted);
            } else {
                self.block(Blocked::VpcAssociatedElsewhere { vpc: wanted.vpc, network });
            }
        }
    }

    pub(super) fn finish(self) -> Plan {
        let grace_left = unwanted::left(&self);
        Plan {
            owner: self.desired.owner,
            steps: self.steps,
            withheld: vec![],
            blocked: self.blocked.into_iter().collect(),
            grace_left,
        }
    }

    /// Plans the step and does it on the model.
    pub(super) fn push(&mut self, step: impl Into<Step>) {
        let step = step.into();
        apply_step(&mut self.model, &self.desired.owner, &step);
        self.steps.push(step);
    }

    /// Whether VPC Lattice may invoke a function after the steps so far.
    pub(super) fn may_invoke(&self, function: &str) -> bool {
        self.desired.functions.get(function) == Some(&Invocation::Allowed)
            || self.model.allowed_functions.contains(function)
    }

    pub(super) fn block(&mut self, blocked: Blocked) {
        self.blocked.insert(blocked);
    }

    /// The tags of a new resource: what is wished for and, whatever that says, the owner's.
    pub(super) fn tags(&self, wished: &Tags) -> Tags {
        let mut tags = wished.clone();
        tags.extend(self.desired.owner.tags());
        tags
    }

    pub(super) fn service(&self, name: &str) -> Option<&ActualService> {
        self.model.services.iter().find(|s| s.name == name)
    }

    /// The service, if it is ours to build on.
    pub(super) fn our_service(&self, name: &str) -> Option<&ActualService> {
        self.service(name).filter(|s| s.ownership == Ownership::Ours && s.status != Status::DeleteInProgress)
    }

    pub(super) fn listener(&self, service: &str, port: u16) -> Option<&ActualListener> {
        self.service(service)?.listeners.iter().find(|l| l.port == port)
    }

    pub(super) fn group(&self, name: &str) -> Option<&ActualTargetGroup> {
        self.model.target_groups.iter().find(|g| g.name == name)
    }

    pub(super) fn wanted_service(&self, name: &str) -> Option<&DesiredService> {
        self.desired.services.iter().find(|s| s.name == name)
    }

    pub(super) fn wanted_group(&self, name: &str) -> Option<&DesiredTargetGroup> {
        self.desired.target_groups.iter().find(|g| g.name == name)
    }

    /// Services of ours that are not wanted.
    pub(super) fn stale_services(&self) -> Vec<ActualService> {
        let ours = self.model.services.iter().filter(|s| s.ownership == Ownership::Ours);
        ours.filter(|s| self.wanted_service(&s.name).is_none()).cloned().collect()
    }

    /// Those of them that are to go now.
    pub(super) fn going_services(&self) -> Vec<ActualService> {
        self.stale_services().into_iter().filter(|service| !unwanted::service_stays(self, service)).collect()
    }

    /// Target groups of ours that are not wanted, not yet being deleted and to go now.
    pub(super) fn going_groups(&self) -> Vec<ActualTargetGroup> {
        let ours = self.model.target_groups.iter().filter(|g| g.ownership == Ownership::Ours);
        let stale = ours.filter(|g| g.status != Status::DeleteInProgress);
        let stale = stale.filter(|g| self.wanted_group(&g.name).is_none());
        stale.filter(|group| !unwanted::group_stays(self, group)).cloned().collect()
    }

    /// Who uses a target group: names of services that were read, ARNs of those that were not.
    pub(super) fn users(&self, group: &ActualTargetGroup) -> BTreeSet<String> {
        let read: Vec<&ActualService> =
            self.model.services.iter().filter(|s| s.ownership == Ownership::Ours).collect();
        let known = |arn: &&String| !read.iter().any(|s| s.arn == **arn && s.is_known_below());
        let users = read.iter().filter(|s| s.target_groups().contains(group.name.as_str()));
        users.map(|s| s.name.clone()).chain(group.service_arns.iter().filter(known).cloned()).collect()
    }

    /// Whether requests of a service that stays may still take a way that its rules do not tell any more.
    pub(super) fn is_propagating(&self) -> bool {
        let ours = self.model.services.iter().filter(|s| s.ownership == Ownership::Ours && s.is_propagating);
        ours.into_iter().any(|s| self.wanted_service(&s.name).is_some())
    }

    /// Sets tags that are wished for and missing on what is ours, and takes away those that a user wishes for no more. Tags of others and the owner's stay as they are.
    pub(super) fn tag(&mut self) {
        let services =
            self.desired.services.iter().filter_map(|wanted| {
                self.our_service(&wanted.name).map(|s| (&s.arn, (&wanted.tags, &s.tags)))
            });
        let groups = self.desired.target_groups.iter().filter_map(|wanted| {
            let group = self.group(&wanted.name).filter(|g| g.ownership == Ownership::Ours)?;
            Some((&group.arn, (&wanted.tags, &group.tags)))
        });
        let network = self.desired.network.iter().flat_map(|wanted| {
            let named = self.model.networks.iter().filter(|n| n.name == wanted.name);
            let ours = named.filter(|n| n.ownership == Ownership::Ours);
            ours.map(|n| (&n.arn, (&wanted.tags, &n.tags)))
        });
        let associations = self.desired.vpc_associations.iter().flat_map(|wanted| {
            let same =
                |held: &&ActualVpcAssociation| held.vpc == wanted.vpc && held.network == wanted.network;
            let held = self.model.vpc_associations.iter().filter(same);
            let ours = held.filter(|a| a.ownership == Ownership::Ours && a.status.lasts());
            ours.map(|a| (&a.arn, (&wanted.tags, &a.tags)))
        });
        let endpoints = self.desired.vpc_endpoints.iter().filter_map(|wanted| {
            let held = counting_endpoint(&self.model.vpc_endpoints, &wanted.network, &wanted.vpc)?;
            held.status.lasts().then_some((&held.arn, (&wanted.tags, &held.tags)))
        });
        let logs = self.desired.access_logs.iter().filter_map(|wanted| {
            let same = |held: &&ActualAccessLog| {
                held.holder == wanted.holder && log_type(&held.destination) == log_type(&wanted.destination)
            };
            let held = self.model.access_logs.iter().find(same)?;
            let ours = held.ownership == Ownership::Ours;
            ours.then_some((&held.arn, (&wanted.tags, &held.tags)))
        });
        let certificates = self.desired.certificates.iter().flatten().filter_map(|wanted| {
            let held = counting(&self.model.certificates, &wanted.secret)?;
            Some((&held.arn, (&wanted.tags, &held.tags)))
        });
        let all = network.chain(certificates).chain(associations).chain(endpoints);
        let all = all.chain(services).chain(groups).chain(logs);
        let steps: Vec<Step> = all.flat_map(|(arn, (wished, held))| tag_steps(arn, wished, held)).collect();
        for step in steps {
            self.push(step);
        }
    }
}

/// What is not asked for any more goes first: until then its mark is there to tell of it.
pub(super) fn tag_steps(arn: &str, wished: &Tags, held: &Tags) -> impl Iterator<Item = Step> {
    let (arn, keys, tags) = (arn.to_owned(), obsolete(wished, held), missing_tags(wished, held));
    let untag = (!keys.is_empty()).then(|| Untag { arn: arn.clone(), keys }.into());
    let tag = (!tags.is_empty()).then(|| Tag { arn, tags }.into());
    untag.into_iter().chain(tag)
}

pub(super) fn missing_tags(wished: &Tags, held: &Tags) -> Tags {
    let missing = wished.iter().filter(|(key, value)| held.get(*key) != Some(*value));
    let missing = missing.filter(|(key, _)| *key != TAG_OWNER && *key != TAG_UNIT);
    missing.map(|(key, value)| (key.clone(), value.clone())).collect()
}

/// Each name once and in order, so that the order of the input leaves no trace in the plan.
fn sorted_desired(desired: &Desired) -> Desired {
    let mut desired = desired.clone();
    // In full, so that a new kind of resource is not forgotten here.
    let Desired {
        owner: _,
        network: _,
        vpc_associations,
        vpc_endpoints,
        resource_gateways,
        resource_configurations,
        services,
        target_groups,
        access_logs,
        auth,
        certificates,
        handovers: _,
        in_full: _,
        mode: _,
        allowed_networks: _,
        external_groups: _,
        giving_way: _,
        functions: _,
        grace: _,
    } = &mut desired;
    for service in &mut *services {
        for listener in &mut service.listeners {
            listener.default_action = listener.default_action.normalised();
            for rule in &mut listener.rules {
                rule.action = rule.action.normalised();
            }
            sort(&mut listener.rules, |a, b| (a.priority, &a.name).cmp(&(b.priority, &b.name)));
        }
        sort(&mut service.listeners, |a, b| a.port.cmp(&b.port));
        service.listeners.dedup_by(|a, b| a.port == b.port);
    }
    sort(vpc_associations, |a, b| (&a.vpc, &a.network).cmp(&(&b.vpc, &b.network)));
    vpc_associations.dedup_by(|a, b| a.vpc == b.vpc && a.network == b.network);
    sort(vpc_endpoints, |a, b| (&a.vpc, &a.network).cmp(&(&b.vpc, &b.network)));
    vpc_endpoints.dedup_by(|a, b| a.vpc == b.vpc && a.network == b.network);
    sort(resource_gateways, |a, b| a.name.cmp(&b.name));
    resource_gateways.dedup_by(|a, b| a.name == b.name);
    sort(resource_configurations, |a, b| a.name.cmp(&b.name));
    resource_configurations.dedup_by(|a, b| a.name == b.name);
    sort(services, |a, b| a.name.cmp(&b.name));
    services.dedup_by(|a, b| a.name == b.name);
    sort(target_groups, |a, b| a.name.cmp(&b.name));
    target_groups.dedup_by(|a, b| a.name == b.name);
    access_logs.sort();
    // One of each type for a holder; of several the first holds.
    access_logs.dedup_by(|a, b| a.holder == b.holder && log_type(&a.destination) == log_type(&b.destination));
    if let Some(certificates) = certificates {
        sort(certificates, |a, b| a.secret.cmp(&b.secret));
        certificates.dedup_by(|a, b| a.secret == b.secret);
    }
    auth.sort();
    auth.dedup_by(|a, b| a.holder == b.holder);
    desired
}

/// Sorts; of two that are equal in that order, the one whose text is less comes first.
fn sort<T: Debug>(values: &mut [T], order: impl Fn(&T, &T) -> Ordering) {
    values.sort_by(|a, b| order(a, b).then_with(|| format!("{a:?}").cmp(&format!("{b:?}"))));
}

fn sorted_actual(actual: &Actual) -> Actual {
    let mut actual = actual.clone();
    // In full, so that a new kind of resource is not forgotten here.
    let Actual {
        networks,
        vpc_associations,
        vpc_endpoints,
        subnet_zones: _,
        resource_gateways,
        resource_configurations,
        services,
        target_groups,
        access_logs,
        auth,
        certificates,
        refused,
        allowed_functions: _,
        network_usage: _,
        taken_domains: _,
    } = &mut actual;
    access_logs.sort_by(|a, b| (&a.holder, &a.destination, &a.id).cmp(&(&b.holder, &b.destination, &b.id)));
    auth.sort_by(|a, b| a.holder.cmp(&b.holder));
    certificates.sort_by(|a, b| a.arn.cmp(&b.arn));
    refused.sort();
    networks.sort_by(|a, b| (&a.name, &a.id).cmp(&(&b.name, &b.id)));
    vpc_associations.sort_by(|a, b| (&a.vpc, &a.network, &a.id).cmp(&(&b.vpc, &b.network, &b.id)));
    vpc_endpoints.sort_by(|a, b| (&a.vpc, &a.network, &a.id).cmp(&(&b.vpc, &b.network, &b.id)));
    resource_gateways.sort_by_key(|one| (one.name.clone(), one.ownership != Ownership::Ours, one.id.clone()));
    resource_configurations
        .sort_by_key(|one| (one.name.clone(), one.ownership != Ownership::Ours, one.id.clone()));
    for configuration in resource_configurations {
        configuration.associations.sort_by(|a, b| (&a.network, &a.id).cmp(&(&b.network, &b.id)));
    }
    // Of two of one name, ours first: the other one can only be the remainder of an earlier life or a shared one.
    services.sort_by_key(|s| (s.name.clone(), s.ownership != Ownership::Ours, s.id.clone()));
    target_groups.sort_by_key(|g| (g.name.clone(), g.ownership != Ownership::Ours, g.id.clone()));
    for group in target_groups {
        group.targets.sort();
    }
    for service in services {
        service.associations.sort_by(|a, b| (&a.network, &a.id).cmp(&(&b.network, &b.id)));
        service.listeners.sort_by(|a, b| (a.port, &a.id).cmp(&(b.port, &b.id)));
        for listener in &mut service.listeners {
            listener.rules.sort_by(|a, b| (a.priority, &a.id).cmp(&(b.priority, &b.id)));
        }
    }
    actual
}

/// Whether a status means that the resource must be deleted and made anew.
pub(super) fn is_broken(status: Status) -> bool {
    matches!(status, Status::CreateFailed | Status::DeleteFailed)
}

/// Whether something is being made or changed, during which a deletion is a conflict.
pub(super) fn in_progress(status: Status) -> bool {
    matches!(status, Status::CreateInProgress | Status::UpdateInProgress)
}

/// The first of `name`, `name-2`, `name-3` … that is not taken, cut to `chars_max`.
pub(super) fn free_name(name: &str, taken: &BTreeSet<&str>, chars_max: usize) -> String {
    let candidates = (2..).map(|n: usize| {
        let suffix = format!("-{n}");
        let stem: String = name.chars().take(chars_max.saturating_sub(suffix.len())).collect();
        format!("{}{suffix}", stem.trim_end_matches('-'))
    });
    // `taken` is finite, so one candidate is free.
    std::iter::once(name.to_owned())
        .chain(candidates)
        .find(|c| !taken.contains(c.as_str()))
        .unwrap_or_default()
}
