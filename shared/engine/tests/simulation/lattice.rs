//! VPC Lattice as the engine sees it: inspections of one unit, plans applied step by step.

use crate::judge;
use crate::laws;
use crate::resource::{self, Known, Scene, Standing};
use crate::sim::{Sandbox, State};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::sync::watch;
use trellis_gateway::{BalancerFacts, InstanceFacts, Selector};
use trellis_hint::UnitKey;
use trellis_lattice::{
    Actual, ActualAccessLog, ActualAuth, ActualService, ActualTargetGroup, ActualVpcAssociation, Certificate,
    Desired, DesiredService, ExternalGroup, Failure, FunctionFacts, Holder, Outcome, Owner, Ownership, Plan,
    PrivateDns, RefusedTarget, RegisterTargets, ServiceOutcome, Status, Step, TAG_ACCESS_LOGS, TAG_AUTH,
    TAG_VPC_POLICY, Tags, VpcAssociationOutcome, VpcEndpointOutcome, marks_that_matter, names,
};
use trellis_ports::{
    Applied, ApplyError, Budget, CallError, Calls, End, ErrorClass, Facts, Lattice, Owned, Waiting,
};

/// Seconds that a wait may take within one apply; beyond it the message is put off.
const PATIENCE_S: u64 = 10;

/// The account behind the engine's port.
pub(crate) struct LatticeModel(pub(crate) Arc<Sandbox>);

impl Facts for LatticeModel {
    async fn functions(&self, _: &BTreeSet<String>) -> BTreeMap<String, FunctionFacts> {
        BTreeMap::new()
    }

    async fn instances(&self, _: &BTreeSet<Selector>) -> BTreeMap<Selector, InstanceFacts> {
        BTreeMap::new()
    }

    async fn load_balancers(&self, _: &BTreeSet<String>) -> BTreeMap<String, BalancerFacts> {
        BTreeMap::new()
    }
}

impl Lattice for LatticeModel {
    async fn inspect(
        &self,
        desired: &Desired,
        service_names: &[String],
        _: SystemTime,
    ) -> Result<Actual, CallError> {
        self.0.pause().await;
        let mut actual = {
            let mut state = self.0.state();
            if self.0.works_on_batches {
                laws::is_not_delayed(&mut state, &desired.owner.key);
            }
            fail(&mut state, "ListServices")?;
            if state.is_stuck(&desired.owner.key) {
                return Err(CallError::new(ErrorClass::Retry, "no answer in time"));
            }
            let all = listing(&mut state, &desired.owner);
            // Services and target groups are listed by different calls.
            let groups = listing(&mut state, &desired.owner);
            let mut actual = if Arc::ptr_eq(&all, &groups) {
                inspected(desired, service_names, &all)
            } else {
                let target_groups = groups.target_groups.clone();
                inspected(desired, service_names, &Actual { target_groups, ..Actual::clone(&all) })
            };
            // Tags are no part of a listing, and what is decided by a mark is read anew.
            state.account.tags_of_now(&marks_that_matter(desired, &actual), &desired.owner, &mut actual);
            actual
        };
        actual.refused = self.believed_refusals(desired, &actual);
        self.0.pause().await;
        Ok(actual)
    }

    async fn inspect_instances(&self, _: &Desired) -> Result<Actual, CallError> {
        Ok(Actual::default())
    }

    async fn apply(
        &self,
        plan: &Plan,
        actual: &Actual,
        _: Budget,
        progress: &watch::Sender<Outcome>,
    ) -> Applied {
        let (mut known, mut done, mut end) = (Known::of(actual), 0, End::Complete);
        known.refused = actual.refused.iter().cloned().collect();
        if !plan.steps.is_empty() {
            laws::begins_steps(&mut self.0.state(), &plan.owner.key);
        }
        for undone in plan
            .blocked
            .iter()
            .map(|one| format!("! {one}"))
            .chain(plan.withheld.iter().map(|one| format!("({one})")))
        {
            self.0.state().tell(format!("not done {}: {undone}", plan.owner.key));
        }
        for step in &plan.steps {
            if step.is_wait() {
                progress.send_replace(self.outcome(plan, &known));
            }
            self.0.pause().await;
            let result = if step.is_wait() {
                self.wait(plan, step, &known)
            } else {
                self.perform(plan, step, &mut known)
            };
            match result {
                Ok(None) => done += 1,
                Ok(Some(waiting)) => {
                    end = End::Waiting(waiting);
                    break;
                }
                Err(source) => {
                    let clears = step.takes_away() || step.awaits_removal();
                    end = End::Failed(ApplyError { step: step.to_string(), clears, source });
                    break;
                }
            }
        }
        laws::ends_steps(&mut self.0.state(), &plan.owner.key, &end);
        self.0.pause().await;
        let mut outcome = self.outcome(plan, &known);
        match &end {
            End::Complete => {}
            End::Waiting(_) => outcome.waiting = plan.waits_for(done),
            End::Failed(_) if plan.only_clears(done) => {}
            End::Failed(error) => {
                let retryable = error.source.class() != ErrorClass::Terminal;
                outcome.failure = Some(Failure { message: format!("{error}: {}", error.source), retryable });
            }
        }
        Applied { done, outcome, end }
    }

    async fn owned(
        &self,
        installation: &str,
        also: Option<&(String, String)>,
        take: &mut (dyn FnMut(Owned) + Send),
    ) -> Result<(), CallError> {
        self.0.pause().await;
        let mut state = self.0.state();
        fail(&mut state, "ListTagsForResource")?;
        let chance = state.faults.old_listing();
        let State { account, dice, .. } = &mut *state;
        let old = dice.percent(chance);
        account.owned(installation, also, dice, old).into_iter().for_each(take);
        Ok(())
    }

    async fn whose(&self, _: &str, _: &BTreeSet<String>) -> Result<Vec<Owned>, CallError> {
        Ok(vec![])
    }

    async fn certificates(&self, _: SystemTime) -> Result<Vec<Certificate>, CallError> {
        Ok(vec![])
    }

    async fn external_groups(&self, _: &BTreeSet<String>) -> BTreeMap<String, ExternalGroup> {
        BTreeMap::new()
    }

    async fn listing(&self, _: Budget) -> trellis_directory::Listing {
        trellis_directory::Listing::default()
    }

    fn take_calls(&self) -> Calls {
        Calls::default()
    }
}

impl LatticeModel {
    fn perform(&self, plan: &Plan, step: &Step, known: &mut Known) -> Result<Option<Waiting>, CallError> {
        let mut state = self.0.state();
        fail(&mut state, "call")?;
        state.failing.as_mut().map_or(Ok(()), |failing| failing.fails(&plan.owner.key))?;
        let view = state.account.view(&plan.owner);
        let scene = Scene { state: &view, account: &state.account, known };
        if let Err(why) = resource::answer(&scene, step) {
            state.tell(format!("refused {}: {step}: {why}", plan.owner.key));
            if let Some(failing) = &mut state.failing {
                failing.meets_conflict(&plan.owner.key, step);
            }
            return Err(CallError::new(ErrorClass::Stale, why));
        }
        if state.gets_stuck(&plan.owner.key, step) {
            state.tell(format!("stuck {}: {step}", plan.owner.key));
            return Err(CallError::new(ErrorClass::Stale, "it is in conflict"));
        }
        if let Some(why) = state.account.quota_for(step) {
            state.tell(format!("refused {}: {step}: {why}", plan.owner.key));
            return Err(CallError::new(ErrorClass::Terminal, why));
        }
        judge::step(&mut state, &plan.owner, step, &view);
        let Some(step) = &self.taken(&mut state, step, &view, known) else { return Ok(None) };
        drop(view);
        state.tell(format!("do {}: {step}", plan.owner.key));
        state.lattice_writes += 1;
        let failure = state.faults.ends_in_failure();
        let State { account, dice, now, .. } = &mut *state;
        account.perform(&plan.owner, step, *now, dice, failure);
        let account = &*account;
        known.learn(step, || account.view(&plan.owner));
        let chance = state.faults.error_after();
        if state.dice.percent(chance) {
            let class = if state.dice.percent(50) { ErrorClass::Stale } else { ErrorClass::Retry };
            return Err(CallError::new(class, "no answer in time"));
        }
        Ok(None)
    }

    /// The step without the targets that VPC Lattice refuses; nothing if none is left. The refused ones are remembered.
    fn taken(&self, state: &mut State, step: &Step, view: &Actual, known: &mut Known) -> Option<Step> {
        let Step::RegisterTargets(RegisterTargets { target_group, targets }) = step else {
            return Some(step.clone());
        };
        let (refused, taken): (BTreeSet<_>, BTreeSet<_>) =
            targets.iter().cloned().partition(|target| state.account.refuses(target.id()));
        let arn = view.target_groups.iter().find(|one| one.name == *target_group).map(|one| one.arn.clone());
        for target in refused {
            let text = format!("{} is no address of the VPC", target.id());
            let (target_group, code) = (target_group.clone(), "UnsupportedTarget".to_owned());
            let refusal = RefusedTarget { target_group, target, code, message: text };
            self.0.remember_refusal(arn.as_deref().unwrap_or_default(), &refusal, state.now);
            known.refused.insert(refusal);
        }
        let register = RegisterTargets { target_group: target_group.clone(), targets: taken };
        (!register.targets.is_empty()).then_some(Step::RegisterTargets(register))
    }

    /// Wanted targets of which this function has learnt a while ago that they are refused.
    fn believed_refusals(&self, desired: &Desired, actual: &Actual) -> Vec<RefusedTarget> {
        let now = self.0.state().now;
        let mut all = vec![];
        for group in &actual.target_groups {
            let wanted = desired.target_groups.iter().filter(|wanted| wanted.name == group.name);
            let targets = wanted.flat_map(|wanted| &wanted.targets);
            all.extend(targets.filter_map(|target| self.0.refusal(&group.arn, target, now)));
        }
        all
    }

    /// Lets the time of short waits pass, and puts long ones off.
    fn wait(&self, plan: &Plan, step: &Step, known: &Known) -> Result<Option<Waiting>, CallError> {
        let mut state = self.0.state();
        loop {
            let view = state.account.view(&plan.owner);
            let scene = Scene { state: &view, account: &state.account, known };
            let refused = |why| CallError::new(ErrorClass::Stale, why);
            let ready_at = match resource::answer(&scene, step).map_err(refused)? {
                Standing::Done => return Ok(None),
                Standing::Later(seconds) => return Ok(Some(put_off(&mut state, plan, step, seconds))),
                Standing::UnderWay(ready_at) => ready_at,
            };
            let seconds = ready_at.saturating_sub(state.now).max(1);
            if seconds > PATIENCE_S || state.dice.percent(20) {
                let after = if seconds > PATIENCE_S { 15 } else { 2 };
                return Ok(Some(put_off(&mut state, plan, step, after)));
            }
            state.pass(seconds);
        }
    }

    fn outcome(&self, plan: &Plan, known: &Known) -> Outcome {
        let view = self.0.state().account.view(&plan.owner);
        let networks = view.networks.iter().filter(|one| known.means("network", &one.name, &one.id));
        let services = view.services.iter().filter(|one| known.means("service", &one.name, &one.id));
        let groups = view.target_groups.iter().filter(|one| known.means("group", &one.name, &one.id));
        let serving =
            |one: &ActualService| ServiceOutcome { arn: one.arn.clone(), dns_name: one.dns_name.clone() };
        Outcome {
            networks: networks.map(|one| (one.name.clone(), one.arn.clone())).collect(),
            services: services
                .filter(|one| one.ownership == Ownership::Ours)
                .map(|one| (one.name.clone(), serving(one)))
                .collect(),
            target_groups: groups
                .filter(|one| one.ownership == Ownership::Ours)
                .map(|one| (one.name.clone(), one.arn.clone()))
                .collect(),
            blocked: plan.blocked.clone(),
            refused: known.refused.iter().cloned().collect(),
            refused_logs: vec![],
            refused_vpcs: vec![],
            refused_certificates: vec![],
            vpc_associations: view
                .vpc_associations
                .iter()
                .filter(|one| one.status != Status::DeleteInProgress)
                .map(|one| VpcAssociationOutcome { network: one.network.clone(), vpc: one.vpc.clone() })
                .collect(),
            vpc_endpoints: view
                .vpc_endpoints
                .iter()
                .filter(|one| one.counts_for(&one.network, &one.vpc))
                .map(|one| VpcEndpointOutcome {
                    network: one.network.clone(),
                    vpc: one.vpc.clone(),
                    id: one.id.clone(),
                })
                .collect(),
            resource_gateways: BTreeMap::new(),
            resources: BTreeMap::new(),
            refused_endpoints: vec![],
            waiting: None,
            failure: None,
        }
    }
}

fn put_off(state: &mut State, plan: &Plan, step: &Step, seconds: u64) -> Waiting {
    state.tell(format!("waiting {}: {step}", plan.owner.key));
    Waiting { text: step.to_string(), retry_after: Duration::from_secs(seconds) }
}

fn fail(state: &mut State, operation: &'static str) -> Result<(), CallError> {
    let chance = state.faults.error_before();
    if state.dice.percent(chance) {
        state.tell(format!("fails {operation}"));
        return Err(CallError::new(ErrorClass::Retry, "no answer in time"));
    }
    Ok(())
}

fn listing(state: &mut State, owner: &Owner) -> Arc<Actual> {
    let chance = state.faults.old_listing();
    let State { account, dice, .. } = state;
    if dice.percent(chance) { Arc::new(account.older_view(owner, dice)) } else { account.view(owner) }
}

/// What the client for the real VPC Lattice reads for a unit, of all there is.
pub(crate) fn inspected(desired: &Desired, service_names: &[String], all: &Actual) -> Actual {
    let unit: Option<UnitKey> = desired.owner.key.parse().ok();
    if let Some(UnitKey::Gateway { name, .. }) = unit {
        return inspected_network(desired, &name, all);
    }
    let hash = names::unit_hash(&desired.owner.unit);
    let wanted = |name: &str| desired.target_groups.iter().any(|group| group.name == name);
    // By tags, too: what was handed over bears the old owner's name.
    let is_ours = |ownership: &Ownership| *ownership == Ownership::Ours;
    let is_found = |group: &&ActualTargetGroup| {
        wanted(&group.name) || group.name.contains(hash) || is_ours(&group.ownership)
    };
    let mut target_groups: Vec<_> = all.target_groups.iter().filter(is_found).cloned().collect();
    let used_by: BTreeSet<String> =
        target_groups.iter().flat_map(|group| group.service_arns.clone()).collect();
    let named = |name: &str| {
        desired.services.iter().any(|one| one.name == name) || service_names.iter().any(|one| one == name)
    };
    let is_found = |one: &&ActualService| {
        let is_found = named(&one.name) || one.name.contains(hash) || used_by.contains(&one.arn);
        is_found || is_ours(&one.ownership)
    };
    let mut services: Vec<_> = all.services.iter().filter(is_found).cloned().collect();
    for group in target_groups.iter_mut().filter(|one| hidden(&one.ownership, one.status)) {
        (group.config, group.health_check) = (None, None);
        group.targets.clear();
    }
    for service in services.iter_mut().filter(|one| hidden(&one.ownership, one.status)) {
        service.listeners.clear();
        service.associations.clear();
    }
    let networks = desired.services.iter().flat_map(|service| service.networks.clone());
    let networks: BTreeSet<String> = networks
        .chain(services.iter().flat_map(|s| s.associations.iter().map(|a| a.network.clone())))
        .collect();
    let mut actual = Actual { services, target_groups, ..Actual::default() };
    actual.access_logs = access_logs(desired, &actual, &all.access_logs);
    actual.auth = auth(desired, &actual, &all.auth);
    actual.networks = all.networks.iter().filter(|one| networks.contains(&one.name)).cloned().collect();
    // Whose a network is, is read only where a service is still to be associated with it.
    let lacks = |wanted: &DesiredService, network: &str| {
        let held = actual.services.iter().find(|one| one.name == wanted.name);
        wanted.networks.contains(network)
            && !held.is_some_and(|held| {
                held.associations.iter().any(|one| one.network == network && one.status.lasts())
            })
    };
    for network in &mut actual.networks {
        if !desired.services.iter().any(|wanted| lacks(wanted, &network.name)) {
            (network.ownership, network.tags) = (Ownership::Unread, Tags::new());
        }
    }
    actual
}

/// What is not ours or about to be gone is not looked into.
fn hidden(ownership: &Ownership, status: Status) -> bool {
    *ownership != Ownership::Ours || status == Status::DeleteInProgress
}

fn inspected_network(desired: &Desired, name: &str, all: &Actual) -> Actual {
    let wanted = |vpc: &str| desired.vpc_associations.iter().any(|one| one.vpc == vpc);
    let networks: Vec<_> = all.networks.iter().filter(|one| one.name == name).cloned().collect();
    let vpc_associations = all.vpc_associations.iter();
    let mut vpc_associations: Vec<ActualVpcAssociation> =
        vpc_associations.filter(|one| one.network == name || wanted(&one.vpc)).cloned().collect();
    let is_spoken_of = |one: &ActualVpcAssociation| {
        let wish =
            desired.vpc_associations.iter().find(|wish| wish.vpc == one.vpc && wish.network == one.network);
        let by_wish = wish.is_some_and(|wish| wish.has_settings() || wish.tags.contains_key(TAG_VPC_POLICY));
        one.ownership == Ownership::Ours && (by_wish || one.tags.contains_key(TAG_VPC_POLICY))
    };
    for hidden in vpc_associations.iter_mut().filter(|one| !is_spoken_of(one)) {
        (hidden.security_groups, hidden.private_dns) = (BTreeSet::new(), PrivateDns::default());
    }
    // Only those that the index of tags shows as the unit's are ever read.
    let ours = all.vpc_endpoints.iter().filter(|one| one.ownership == Ownership::Ours);
    let vpc_endpoints = ours.cloned().collect();
    let subnet_zones = all.subnet_zones.clone();
    let mut actual = Actual { networks, vpc_associations, vpc_endpoints, subnet_zones, ..Actual::default() };
    actual.access_logs = access_logs(desired, &actual, &all.access_logs);
    actual.auth = auth(desired, &actual, &all.auth);
    actual
}

/// Who may call what is to have a policy, or once had.
fn auth(desired: &Desired, actual: &Actual, all: &[ActualAuth]) -> Vec<ActualAuth> {
    let tags = |holder: &Holder| match holder {
        Holder::Service(name) => {
            let mut services = actual.services.iter().filter(|one| !hidden(&one.ownership, one.status));
            services.find(|one| one.name == *name).map(|one| &one.tags)
        }
        Holder::Network(name) => {
            let mut networks = actual.networks.iter().filter(|one| one.ownership == Ownership::Ours);
            networks.find(|one| one.name == *name).map(|one| &one.tags)
        }
    };
    let matters = |one: &&ActualAuth| {
        let wanted = desired.auth.iter().any(|wanted| wanted.holder == one.holder);
        tags(&one.holder).is_some_and(|tags| wanted || tags.contains_key(TAG_AUTH))
    };
    all.iter().filter(matters).cloned().collect()
}

/// The subscriptions of what is to have one, or once had.
fn access_logs(desired: &Desired, actual: &Actual, all: &[ActualAccessLog]) -> Vec<ActualAccessLog> {
    let services = actual.services.iter().filter(|one| !hidden(&one.ownership, one.status));
    let services = services.map(|one| (Holder::Service(one.name.clone()), &one.tags));
    let networks = actual.networks.iter().filter(|one| one.ownership == Ownership::Ours);
    let networks = networks.map(|one| (Holder::Network(one.name.clone()), &one.tags));
    let looked_at: BTreeSet<Holder> = services
        .chain(networks)
        .filter(|(holder, tags)| {
            tags.contains_key(TAG_ACCESS_LOGS) || desired.access_logs.iter().any(|one| one.holder == *holder)
        })
        .map(|(holder, _)| holder)
        .collect();
    all.iter().filter(|one| looked_at.contains(&one.holder)).cloned().collect()
}
