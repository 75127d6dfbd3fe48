//! What is to be done, so exact that whoever applies it has nothing left to choose.
//!
//! [`plan`] walks the stages below in order. Each stage looks at a model of VPC Lattice in which all earlier steps are
//! already done (`model`), so that "made a moment ago" and "was there before" are one case, and adds its steps.
//!
//! | # | steps | why here |
//! |---|---|---|
//! | 1 | ImportCertificate, CreateNetwork, PutAuthPolicy, SetAuthType, CreateVpcAssociation, UpdateVpcAssociation, CreateVpcEndpoint, UpdateVpcEndpoint, CreateResourceGateway, UpdateResourceGateway, CreateResourceConfiguration, UpdateResourceConfiguration | a VPC's association or endpoint takes longest to become usable, so it starts first |
//! | 2 | delete and await what must be made anew under its name: a failed service or target group, a service with another custom domain, what is being deleted and is wanted again | a name is taken until its holder is gone |
//! | 3 | CreateTargetGroup, CreateService, Tag | quick calls whose effects take a second each and so overlap; a target group costs nothing and is what a Region has fewest of, so a quota that is used up shows before a service costs |
//! | 4 | AwaitResourceConfiguration, CreateResourceAssociation, AwaitService, UpdateCertificate, UpdateIdleTimeout, PutAuthPolicy, SetAuthType, CreateAccessLog, UpdateAccessLog, DeleteAssociation where another route's service waits for the place, CreateAssociation | an association needs an active service, and takes seconds: it starts before the rest, but after what it must not be without; two services that change places would wait for each other, if each left last |
//! | 5 | AwaitTargetGroup, UpdateHealthCheck, RegisterTargets; then AllowInvoke, and the same of functions | no rule may name a group that is not active or has no targets yet, or a function that VPC Lattice may not invoke; what Pods need comes before a call that a function's owner may have barred, stage 7 too if there is one |
//! | 6 | per service: DeleteListener of one that must give way, CreateListener, UpdateListener, UpdateRules, CreateRule, DeleteRule; last DeleteListener of stale ones | traffic moves here; a rule that stays is there at every moment |
//! | 7 | DeregisterTargets of surplus targets in groups that stay | their Pods are ending; nothing slow may delay it |
//! | 8 | delete and await associations that must be made anew, then create them | slow, so everything quick comes before |
//! | 9 | Untag and Tag of what is below services, then Tag of these with the mark of it | nothing depends on it, and it may be many calls |
//! | 10 | AwaitAssociation, AwaitVpcAssociation, AwaitVpcEndpoint, AwaitResourceGateway, AwaitResourceConfiguration, AwaitResourceAssociation | last of what is wanted: if the time is up here, all else is done |
//! | 11 | DeleteAccessLog, DeleteAssociation, AwaitPropagation, DeregisterTargets of stale groups, AwaitAssociationGone, DeleteService, AwaitServiceGone, AwaitDrained, DeleteTargetGroup, DeleteResourceAssociation, AwaitResourceAssociationGone, DeleteResourceConfiguration, AwaitResourceConfigurationGone, DeleteResourceGateway, DeleteVpcEndpoint, DeleteVpcAssociation, AwaitVpcAssociationGone, AwaitVpcEndpointGone, DeleteNetwork, DeleteCertificate | after the successors take traffic, also in the data plane, which follows a moment later; draining overlaps with the service's end |
//!
//! A wait is planned only where a later step or the answer "it is in use" depends on it; nobody waits for a deletion
//! for its own sake.
//!
//! Two gaps in traffic cannot be avoided, since VPC Lattice cannot change these in place: a listener whose protocol
//! changes, and a service whose custom domain changes under the same name. A third is chosen over never getting there:
//! when old and new target groups together exceed the quota per service, rules that lose theirs answer 500 in between.
//!
//! A mode that does not allow everything takes steps away from the whole plan (`withhold`).
//!
//! What is not this unit's (`Ownership` other than `Ours`) is never changed. It is used where it fits: a service network,
//! a VPC association, a listener or a rule that already says what is wanted.

mod access_logs;
mod auths;
mod below;
mod draft;
mod endpoints;
mod functions;
mod groups;
mod imports;
mod listeners;
mod networks;
mod priorities;
mod resources;
mod rules;
mod services;
mod targets;
mod unwanted;
mod withhold;

pub use targets::plan_instances;

use crate::{Actual, Blocked, Desired, Limits, Owner, Step, TargetGroupConfig};
use draft::Draft;
use serde::{Deserialize, Serialize};
use std::fmt::{Display, Formatter};

/// The steps from what is there to what is wanted. Total and deterministic: the same plan for any order of the input.
///
/// ```
/// use trellis_lattice::{plan, Actual, Desired, DesiredNetwork, Limits, Owner};
///
/// let owner = Owner { installation: "trellis".into(), unit: "0a1b".into(), key: "gateway/my-hotel".into() };
/// let network = DesiredNetwork { name: "my-hotel".into(), tags: Default::default() };
/// let desired = Desired { network: Some(network), ..Desired::nothing(owner) };
/// let plan = plan(&desired, &Actual::default(), &Limits::default());
/// assert_eq!(plan.to_string(), "+ service network my-hotel\n");
/// ```
pub fn plan(desired: &Desired, actual: &Actual, limits: &Limits) -> Plan {
    let mut draft = Draft::new(desired, actual, limits);
    services::take_back(&mut draft);
    services::hand_over(&mut draft);
    imports::import(&mut draft);
    networks::create(&mut draft);
    auths::secure_networks(&mut draft);
    networks::associate(&mut draft);
    endpoints::create(&mut draft);
    resources::open(&mut draft);
    resources::configure(&mut draft);
    services::clear(&mut draft);
    groups::clear(&mut draft);
    groups::create(&mut draft);
    services::create(&mut draft);
    draft.tag();
    resources::tag(&mut draft);
    unwanted::mark(&mut draft);
    resources::associate(&mut draft);
    services::settle(&mut draft);
    auths::secure(&mut draft);
    access_logs::subscribe(&mut draft);
    services::give_way(&mut draft);
    services::associate(&mut draft);
    groups::prepare(&mut draft, |config| !is_function(config));
    functions::allow(&mut draft);
    groups::prepare(&mut draft, is_function);
    services::release_target_groups(&mut draft);
    listeners::update(&mut draft);
    targets::deregister_surplus(&mut draft);
    services::associate_again(&mut draft);
    services::associate_instead(&mut draft);
    networks::associate_again(&mut draft);
    below::tag(&mut draft);
    services::await_associations(&mut draft);
    networks::await_associations(&mut draft);
    endpoints::settle(&mut draft);
    resources::settle(&mut draft);
    access_logs::unsubscribe(&mut draft);
    services::disassociate(&mut draft);
    groups::empty_stale(&mut draft);
    services::delete(&mut draft);
    groups::delete(&mut draft);
    resources::remove(&mut draft);
    endpoints::delete(&mut draft);
    networks::delete(&mut draft);
    imports::delete(&mut draft);
    withhold::withhold(draft.finish(), desired, actual, limits)
}

const fn is_function(config: &TargetGroupConfig) -> bool {
    matches!(config, TargetGroupConfig::Lambda(_))
}

/// Steps in the order in which they are to be done, and what stands in the way of the rest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// Whose plan it is. Every resource that a step changes or deletes bears this owner's tags.
    pub owner: Owner,
    /// Creates and updates in order of dependency, deletes last.
    pub steps: Vec<Step>,
    /// What would be done too, if the [`Mode`](crate::Mode) allowed it: in order, waits left out.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub withheld: Vec<Step>,
    /// Wishes that cannot be met; the steps leave them out. Each becomes a condition.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub blocked: Vec<Blocked>,
    /// Seconds until something is to go that nobody wants and that stays for now ([`crate::Grace`]).
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub grace_left: Option<u64>,
}

impl Plan {
    /// Whether all steps from number `from` on only clear away what is not wanted any more. Nobody who asked for something
    /// has to wait for that.
    pub fn only_clears(&self, from: usize) -> bool {
        self.steps.iter().skip(from).all(|step| step.takes_away() || step.awaits_removal())
    }

    /// What the first wait from step number `from` on waits for, unless from there on it is only cleared away.
    pub fn waits_for(&self, from: usize) -> Option<String> {
        let first = self.steps.iter().enumerate().skip(from).find(|(_, step)| step.is_wait());
        let (_, step) = first.filter(|(at, _)| !self.only_clears(*at))?;
        step.awaited().map(|text| format!("waiting for {text}"))
    }

    /// Whether nothing is to be changed. Waiting for what is already under way is no change.
    pub fn is_settled(&self) -> bool {
        self.steps.iter().all(Step::is_wait)
    }
}

/// A plan in words: one line a step. `+` makes, `~` changes, `-` removes, `…` waits, `!` cannot be done. What is withheld stands
/// in parentheses.
impl Display for Plan {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        for step in &self.steps {
            writeln!(f, "{step}")?;
        }
        for step in &self.withheld {
            writeln!(f, "({step})")?;
        }
        for blocked in &self.blocked {
            writeln!(f, "! {blocked}")?;
        }
        Ok(())
    }
}
