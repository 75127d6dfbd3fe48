//! VPC Lattice as one account has it: the model of `trellis_lattice` with identities, tags, and changes that take time.

use crate::faults::EndsInFailure;
use crate::objects::owner;
use crate::resource::{Effect, effect};
use crate::sim::Dice;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use trellis_lattice::{
    Actual, ActualTargetGroup, Holder, Owner, ResourceKind, ResourceMut, Status, Step, TAG_OWNER, TAG_UNIT,
    Tag, Tags, TargetHealth, Untag, apply_step,
};
use trellis_ports::Owned;

/// Older states that a stale listing can show.
const OLDER_MAX: usize = 6;

/// Seconds that a Service or a target group takes (reference measurements: about one).
const RESOURCE_S: u32 = 3;
/// Seconds that an association with a service takes at most.
const ASSOCIATION_S: u32 = 8;
/// Seconds that a target drains, and a VPC's disassociation takes.
const LONG_S: u32 = 90;

/// Seconds that the data plane may follow late.
const PROPAGATION_S: u64 = 10;

type State = (Actual, BTreeMap<String, Arc<Tags>>);

#[derive(Default)]
pub(crate) struct Account {
    state: Actual,
    /// By ARN, of everything that can bear tags.
    tags: BTreeMap<String, Arc<Tags>>,
    /// When what is under way will be over, by ARN; of draining targets by ARN, address and port.
    ready: BTreeMap<String, u64>,
    /// What will end in failure.
    failing: BTreeSet<String>,
    next: u64,
    /// When a listener or a rule of a service was changed last, by the service's name.
    moved: BTreeMap<String, u64>,
    older: VecDeque<Arc<State>>,
    /// Whether an older state is ever shown.
    pub(crate) remembers: bool,
    /// Last numbers of addresses that are no targets here.
    refused: BTreeSet<u32>,
    /// How many target groups there may be.
    quota: Option<usize>,
    /// The present state as some owners see it, asked for many times between two changes.
    views: RefCell<Vec<(Owner, Arc<Actual>)>>,
}

impl Account {
    /// All there is, as that owner sees it.
    pub(crate) fn view(&self, owner: &Owner) -> Arc<Actual> {
        let mut views = self.views.borrow_mut();
        if let Some((_, view)) = views.iter().find(|(of, _)| of == owner) {
            return Arc::clone(view);
        }
        let view = Arc::new(seen(&self.state, &self.tags, owner));
        views.push((owner.clone(), Arc::clone(&view)));
        view
    }

    /// What was there some changes ago.
    pub(crate) fn older_view(&self, owner: &Owner, dice: &mut Dice) -> Actual {
        if self.older.is_empty() {
            return Actual::clone(&self.view(owner));
        }
        let (state, tags) = &*self.older[dice.index(self.older.len())];
        seen(state, tags, owner)
    }

    /// Does a step.
    pub(crate) fn perform(
        &mut self,
        owner: &Owner,
        step: &Step,
        now: u64,
        dice: &mut Dice,
        fails: EndsInFailure,
    ) {
        let view = self.view(owner);
        self.views.get_mut().clear();
        let mut state = Arc::unwrap_or_clone(view);
        apply_step(&mut state, owner, step);
        self.moved.extend(step.moves_requests_of().map(|service| (service.to_owned(), now)));
        let before = std::mem::replace(&mut self.state, state);
        self.remember(before);
        if let Effect::Makes(_, tags) = effect(step, &self.state) {
            self.name_the_new(tags);
        }
        if let Step::Tag(Tag { arn, tags }) = step {
            self.tags_mut(arn).extend(tags.clone());
        }
        if let Step::Untag(Untag { arn, keys }) = step {
            self.tags_mut(arn).retain(|key, _| !keys.contains(key));
        }
        if let Step::HandOver(step) = step {
            self.tags_mut(&step.arn).extend(step.tags());
        }
        for (arn, seconds, status) in under_way(&self.state) {
            if !self.ready.contains_key(&arn) {
                self.ready.insert(arn.clone(), now + 1 + u64::from(dice.up_to(seconds)));
                let chance = if status == Status::DeleteInProgress { fails.deleted } else { fails.made };
                if dice.percent(chance) {
                    self.failing.insert(arn);
                }
            }
        }
    }

    /// From now on some addresses are refused, and more target groups than that.
    pub(crate) fn refuse(&mut self, addresses: BTreeSet<u32>, quota: Option<usize>) {
        (self.refused, self.quota) = (addresses, quota);
    }

    /// There is room for any number of target groups.
    pub(crate) fn raise_quota(&mut self) {
        self.quota = None;
    }

    /// Whether that address can be no target.
    pub(crate) fn refuses(&self, ip: &str) -> bool {
        let last = ip.rsplit('.').next().and_then(|last| last.parse().ok());
        last.is_some_and(|last| self.refused.contains(&last))
    }

    /// Whether a drift report's step only registers targets that are refused.
    pub(crate) fn are_refused(&self, step: &str) -> bool {
        let targets = step.strip_prefix("+ targets of ").and_then(|rest| rest.split_once(' '));
        targets.is_some_and(|(_, targets)| {
            targets
                .split([',', ' '])
                .filter(|one| !one.is_empty())
                .all(|one| one.rsplit_once(':').is_some_and(|(ip, _)| self.refuses(ip)))
        })
    }

    /// Why a step is refused until a person helps.
    pub(crate) fn quota_for(&self, step: &Step) -> Option<&'static str> {
        let full = self.quota.is_some_and(|quota| self.state.target_groups.len() >= quota);
        (full && matches!(step, Step::CreateTargetGroup(_))).then_some("the quota of target groups is met")
    }

    /// The data plane has followed.
    fn end_moves(&mut self, now: u64) {
        let moved = &mut self.moved;
        for service in self.state.services.iter_mut().filter(|one| one.is_propagating) {
            if moved.get(&service.name).is_none_or(|at| at + PROPAGATION_S <= now) {
                moved.remove(&service.name);
                service.is_propagating = false;
                self.views.get_mut().clear();
            }
        }
    }

    /// Brings to an end what takes no longer.
    pub(crate) fn tick(&mut self, now: u64) {
        self.end_moves(now);
        let due: BTreeSet<String> =
            self.ready.iter().filter(|(_, at)| **at <= now).map(|(arn, _)| arn.clone()).collect();
        if due.is_empty() {
            return;
        }
        if self.remembers {
            self.remember(self.state.clone());
        }
        self.views.get_mut().clear();
        for arn in &due {
            self.ready.remove(arn);
        }
        let failing = std::mem::take(&mut self.failing);
        let end = |arn: &str, status: &mut Status| {
            let fails = failing.contains(arn);
            if due.contains(arn) {
                *status = ended(*status, fails);
            }
            // Deleted and not failed: gone.
            !(due.contains(arn) && *status == Status::DeleteInProgress)
        };
        self.state.vpc_associations.retain_mut(|one| end(&one.arn, &mut one.status));
        self.state.vpc_endpoints.retain_mut(|one| end(&one.arn, &mut one.status));
        self.state.resource_gateways.retain_mut(|one| end(&one.arn, &mut one.status));
        self.state.resource_configurations.retain_mut(|one| end(&one.arn, &mut one.status));
        for one in &mut self.state.resource_configurations {
            one.associations.retain_mut(|one| end(&one.arn, &mut one.status));
        }
        for service in &mut self.state.services {
            service.associations.retain_mut(|one| end(&one.arn, &mut one.status));
        }
        let mut gone = BTreeSet::new();
        self.state.services.retain_mut(|one| {
            let stays = end(&one.arn, &mut one.status);
            if !stays {
                gone.insert(one.arn.clone());
            }
            stays
        });
        let services = &self.state.services;
        self.state.auth.retain(|one| match &one.holder {
            Holder::Service(name) => services.iter().any(|service| service.name == *name),
            Holder::Network(_) => true,
        });
        self.state.access_logs.retain(|log| match &log.holder {
            Holder::Service(name) => services.iter().any(|one| one.name == *name),
            Holder::Network(_) => true,
        });
        self.state.target_groups.retain_mut(|group| {
            group.service_arns.retain(|arn| !gone.contains(arn));
            let arn = group.arn.clone();
            group.targets.retain(|target| {
                target.health != TargetHealth::Draining || !due.contains(&draining(&arn, &target.target))
            });
            end(&group.arn, &mut group.status)
        });
        self.failing = failing.difference(&due).cloned().collect();
    }

    /// When that will be over.
    pub(crate) fn ready_at(&self, arn: &str) -> u64 {
        self.ready.get(arn).copied().unwrap_or(0)
    }

    /// When the last target of a group has drained.
    pub(crate) fn drained_at(&self, group: &ActualTargetGroup) -> u64 {
        let targets = group.targets.iter().map(|target| self.ready_at(&draining(&group.arn, &target.target)));
        targets.max().unwrap_or(0)
    }

    /// Tags of the resource of that id.
    pub(crate) fn tags_by_id(&self, id: &str) -> Option<&Tags> {
        self.tags.get(&format!("arn:{id}")).map(Arc::as_ref)
    }

    fn tags_mut(&mut self, arn: &str) -> &mut Tags {
        Arc::make_mut(self.tags.entry(arn.to_owned()).or_default())
    }

    /// Reads the tags of these anew.
    pub(crate) fn tags_of_now(&self, arns: &BTreeSet<String>, owner: &Owner, actual: &mut Actual) {
        for one in actual.resources_mut().into_iter().filter(|one| arns.contains(one.arn)) {
            if let (Some(held), Some(tags)) = (one.tags, self.tags.get(one.arn)) {
                *one.ownership = owner.of(tags);
                *held = Tags::clone(tags);
            }
        }
    }

    /// Services, target groups and networks of an installation, with their unit.
    pub(crate) fn owned(
        &self,
        installation: &str,
        also: Option<&(String, String)>,
        dice: &mut Dice,
        old: bool,
    ) -> Vec<Owned> {
        let owner = owner(installation, "");
        let view = if old { Arc::new(self.older_view(&owner, dice)) } else { self.view(&owner) };
        let arns = tagged(&view).into_iter();
        arns.filter_map(|arn| {
            let tags = self.tags.get(&arn)?;
            let also = also.is_none_or(|(key, value)| tags.get(key) == Some(value));
            let ours = also && tags.get(TAG_OWNER).is_some_and(|owner| owner == installation);
            let service = view.services.iter().find(|one| one.arn == arn).map(|one| one.name.clone());
            ours.then(|| Owned {
                unit: tags.get(TAG_UNIT).cloned().unwrap_or_default(),
                key: Owner::key_in(tags),
                service,
                kind: kind_in(&view, &arn),
                arn: arn.clone(),
            })
        })
        .collect()
    }

    /// Whatever of this installation is there, associations too, by ARN with its tags.
    pub(crate) fn standing_of(&self, installation: &str) -> Vec<(String, &Tags)> {
        let mut state = self.state.clone();
        let arns = state.resources_mut().into_iter().map(|one| one.arn.clone());
        let tagged = arns.filter_map(|arn| self.tags.get(&arn).map(|tags| (arn, tags.as_ref())));
        tagged.filter(|(_, tags)| tags.get(TAG_OWNER).is_some_and(|owner| owner == installation)).collect()
    }

    /// Everything that is not this installation's, with all below it, as text.
    pub(crate) fn strangers(&self, installation: &str) -> String {
        let nobody = owner(installation, "nobody");
        let mut view = Actual::clone(&self.view(&nobody));
        let foreign = |arn: &str| self.tags.get(arn).is_none_or(|tags| !tags.contains_key(TAG_OWNER));
        view.networks.retain(|one| foreign(&one.arn));
        view.vpc_associations.retain(|one| foreign(&one.arn));
        view.services.retain(|one| foreign(&one.arn));
        view.access_logs.retain(|one| foreign(&one.arn));
        let names = view.networks.iter().map(|one| Holder::Network(one.name.clone()));
        let names = names.chain(view.services.iter().map(|one| Holder::Service(one.name.clone())));
        let holders: BTreeSet<Holder> = names.collect();
        view.auth.retain(|one| holders.contains(&one.holder));
        view.target_groups.retain(|one| foreign(&one.arn));
        serde_json::to_string(&view).unwrap()
    }

    /// Keeps what was there before a change, whose tags are not told yet.
    fn remember(&mut self, before: Actual) {
        if !self.remembers {
            return;
        }
        self.older.push_back(Arc::new((before, self.tags.clone())));
        if self.older.len() > OLDER_MAX {
            self.older.pop_front();
        }
    }

    /// Gives what was just made an identity of its own: one made anew under its old name is another one.
    fn name_the_new(&mut self, tags: &Tags) {
        let tags = Arc::new(tags.clone());
        for ResourceMut { id, arn, .. } in self.state.resources_mut() {
            if !self.tags.contains_key(arn) {
                self.next += 1;
                *id = format!("{id}.{}", self.next);
                *arn = format!("arn:{id}");
                self.tags.insert(arn.clone(), Arc::clone(&tags));
            }
        }
        for service in self.state.services.iter_mut().filter(|service| service.dns_name.is_none()) {
            self.next += 1;
            service.dns_name = Some(format!(
                "{}-{:017x}.7d67968.vpc-lattice-svcs.us-west-2.on.aws",
                service.name, self.next
            ));
        }
    }
}

fn draining(arn: &str, target: &trellis_lattice::Target) -> String {
    format!("{arn} {target}")
}

fn ended(status: Status, fails: bool) -> Status {
    match (status, fails) {
        (Status::CreateInProgress, true) => Status::CreateFailed,
        (Status::UpdateInProgress, true) => Status::UpdateFailed,
        (Status::DeleteInProgress, true) => Status::DeleteFailed,
        (Status::CreateInProgress | Status::UpdateInProgress, false) => Status::Active,
        (other, _) => other,
    }
}

/// The state with each ownership as its tags tell it to that owner.
fn seen(state: &Actual, tags: &BTreeMap<String, Arc<Tags>>, owner: &Owner) -> Actual {
    let none = Tags::new();
    let mut view = state.clone();
    for one in view.resources_mut() {
        *one.ownership = owner.of(tags.get(one.arn).map_or(&none, Arc::as_ref));
    }
    view
}

/// ARNs of the resources that stand by themselves.
fn tagged(state: &Actual) -> Vec<String> {
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
        // They go with what they are of.
        access_logs: _,
        auth: _,
        certificates: _,
        refused: _,
        allowed_functions: _,
        network_usage: _,
        taken_domains: _,
    } = state;
    let networks = networks.iter().map(|one| &one.arn);
    let vpcs = vpc_associations.iter().map(|one| &one.arn);
    let (services, groups) = (services.iter().map(|one| &one.arn), target_groups.iter().map(|one| &one.arn));
    let endpoints = vpc_endpoints.iter().map(|one| &one.arn);
    let gateways = resource_gateways.iter().map(|one| &one.arn);
    let joined = resource_configurations.iter().flat_map(|one| &one.associations).map(|one| &one.arn);
    let resources = gateways.chain(resource_configurations.iter().map(|one| &one.arn)).chain(joined);
    networks.chain(vpcs).chain(endpoints).chain(services).chain(groups).chain(resources).cloned().collect()
}

/// What bears tags is of one of these kinds.
fn kind_in(state: &Actual, arn: &str) -> ResourceKind {
    if state.services.iter().any(|one| one.arn == arn) {
        ResourceKind::Service
    } else if state.target_groups.iter().any(|one| one.arn == arn) {
        ResourceKind::TargetGroup
    } else if state.networks.iter().any(|one| one.arn == arn) {
        ResourceKind::Network
    } else if state.vpc_endpoints.iter().any(|one| one.arn == arn) {
        ResourceKind::VpcEndpoint
    } else if state.resource_gateways.iter().any(|one| one.arn == arn) {
        ResourceKind::ResourceGateway
    } else if state.resource_configurations.iter().any(|one| one.arn == arn) {
        ResourceKind::ResourceConfiguration
    } else if state.resource_configurations.iter().flat_map(|one| &one.associations).any(|one| one.arn == arn)
    {
        ResourceKind::ResourceAssociation
    } else {
        ResourceKind::VpcAssociation
    }
}

/// What is under way, with the seconds that it takes at most.
fn under_way(state: &Actual) -> Vec<(String, u32, Status)> {
    let busy = |status: Status| {
        matches!(status, Status::CreateInProgress | Status::UpdateInProgress | Status::DeleteInProgress)
    };
    // In full, so that a new kind of resource is not forgotten here.
    let Actual {
        networks: _,
        vpc_associations,
        vpc_endpoints,
        subnet_zones: _,
        resource_gateways,
        resource_configurations,
        services,
        target_groups,
        access_logs: _,
        auth: _,
        certificates: _,
        refused: _,
        allowed_functions: _,
        network_usage: _,
        taken_domains: _,
    } = state;
    let mut all = vec![];
    let vpcs = vpc_associations.iter().filter(|one| busy(one.status));
    all.extend(vpcs.map(|one| (one.arn.clone(), LONG_S, one.status)));
    let endpoints = vpc_endpoints.iter().filter(|one| busy(one.status));
    all.extend(endpoints.map(|one| (one.arn.clone(), LONG_S, one.status)));
    let gateways = resource_gateways.iter().filter(|one| busy(one.status));
    all.extend(gateways.map(|one| (one.arn.clone(), RESOURCE_S, one.status)));
    for one in resource_configurations {
        if busy(one.status) {
            all.push((one.arn.clone(), RESOURCE_S, one.status));
        }
        let associations = one.associations.iter().filter(|one| busy(one.status));
        all.extend(associations.map(|one| (one.arn.clone(), ASSOCIATION_S, one.status)));
    }
    for service in services {
        if busy(service.status) {
            all.push((service.arn.clone(), RESOURCE_S, service.status));
        }
        let associations = service.associations.iter().filter(|one| busy(one.status));
        all.extend(associations.map(|one| (one.arn.clone(), ASSOCIATION_S, one.status)));
    }
    for group in target_groups {
        if busy(group.status) {
            all.push((group.arn.clone(), RESOURCE_S, group.status));
        }
        let leaving = group.targets.iter().filter(|target| target.health == TargetHealth::Draining);
        all.extend(
            leaving.map(|target| (draining(&group.arn, &target.target), LONG_S, Status::DeleteInProgress)),
        );
    }
    all
}
