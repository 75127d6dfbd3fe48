//! Instances of EC2 behind a route, named by ids, tags or an Auto Scaling group.
//!
//! | AWS says of an instance | it is |
//! |---|---|
//! | running, in the Backend's VPC, and InService where it is of an Auto Scaling group | a target |
//! | anything else of its state | none |
//! | it is in another VPC | none, and told |
//! | nothing | what it was: the target group stays as it is |

use super::BackendError;
use super::declared::{self, NOT_ASKED, of_backend};
use super::gone::{self, Origin};
use super::protocol::{Place, spoken};
use super::service::{Asked, Pool};
use crate::api::InstancesWire;
use crate::code::Code;
use crate::facts::{InstanceFacts, Selector};
use crate::policy::target_group;
use crate::problem::{Problem, quoted};
use crate::reasons;
use crate::report::Condition;
use crate::view::View;
use std::collections::{BTreeMap, BTreeSet};
use trellis_hint::{ClusterId, Kind};
use trellis_lattice::{Target, TargetGroupConfig, TargetProtocol, VpcConfig};

/// Ids that one Backend can name: as many as a filter of EC2 takes (API reference, DescribeInstances).
const IDS_MAX: usize = 200;
/// Tags that one Backend can name; an instance has 50 at most.
const TAGS_MAX: usize = 10;
/// Characters of a tag's key and of its value (EC2 User Guide, tag restrictions).
const KEY_CHARS_MAX: usize = 128;
const VALUE_CHARS_MAX: usize = 256;
/// Characters of the name of an Auto Scaling group (API model).
const GROUP_CHARS_MAX: usize = 255;
/// Instances that a text names.
const SHOWN_MAX: usize = 3;

/// Instances at one port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Instances {
    pub(crate) selector: Selector,
    /// None: the cluster's.
    vpc: Option<String>,
    port: u16,
    protocol: TargetProtocol,
}

/// Reads what a Backend says of them.
pub(super) fn read(wire: InstancesWire) -> Result<Instances, Problem> {
    let path = |member: &str| format!("spec.instances.{member}");
    let selector = match (wire.ids, wire.tags, wire.auto_scaling_group) {
        (Some(ids), None, None) => {
            if let Some(wrong) = ids.iter().find(|id| !is_instance(id)) {
                let text = format!("{} is no id of an instance; write i- and its digits", quoted(wrong));
                return Err(Problem::new(Code::BackendValue, path("ids"), text));
            }
            if !(1..=IDS_MAX).contains(&ids.len()) {
                return Err(Problem::new(
                    Code::BackendValue,
                    path("ids"),
                    format!("Name 1 to {IDS_MAX} instances"),
                ));
            }
            Selector::Ids(ids)
        }
        (None, Some(tags), None) => {
            let fits = |(key, value): (&String, &String)| {
                (1..=KEY_CHARS_MAX).contains(&key.chars().count())
                    && value.chars().count() <= VALUE_CHARS_MAX
                    && !has_pattern(key)
                    && !has_pattern(value)
            };
            if let Some((key, _)) = tags.iter().find(|(key, value)| !fits((key, value))) {
                let text = format!(
                    "{} is no tag that can be looked for; use at most {KEY_CHARS_MAX} characters for the key and \
                     {VALUE_CHARS_MAX} for the value, without *, ? and \\",
                    quoted(key)
                );
                return Err(Problem::new(Code::BackendValue, path("tags"), text));
            }
            if !(1..=TAGS_MAX).contains(&tags.len()) {
                return Err(Problem::new(
                    Code::BackendValue,
                    path("tags"),
                    format!("Name 1 to {TAGS_MAX} tags"),
                ));
            }
            Selector::Tags(tags)
        }
        (None, None, Some(name)) => {
            if !(1..=GROUP_CHARS_MAX).contains(&name.chars().count()) || name.chars().any(char::is_control) {
                let text = format!("{} is no name of an Auto Scaling group; correct it", quoted(&name));
                return Err(Problem::new(Code::BackendValue, path("autoScalingGroup"), text));
            }
            Selector::ScalingGroup(name)
        }
        _ => {
            let text = "Instances are named in one way; use exactly one of ids, tags, autoScalingGroup";
            return Err(Problem::new(Code::BackendValue, "spec.instances", text));
        }
    };
    Ok(Instances {
        selector,
        vpc: declared::vpc("spec.instances", wire.vpc)?,
        port: declared::port("spec.instances", wire.port)?,
        protocol: declared::protocol("spec.instances", wire.protocol.as_deref(), true)?,
    })
}

fn is_instance(id: &str) -> bool {
    id.strip_prefix("i-").is_some_and(|digits| {
        matches!(digits.len(), 8 | 17) && digits.bytes().all(|one| one.is_ascii_hexdigit())
    })
}

/// Whether a filter of EC2 would read more than the text itself.
fn has_pattern(text: &str) -> bool {
    text.contains(['*', '?', '\\']) || text.chars().any(char::is_control)
}

impl Instances {
    fn vpc(&self, view: &View, cluster: &ClusterId) -> String {
        let own = || view.snapshot.facts.get(cluster).map(|facts| facts.vpc.clone()).unwrap_or_default();
        self.vpc.clone().unwrap_or_else(own)
    }
}

/// What becomes of the instances that are meant.
#[derive(Debug, Default)]
struct Sorted<'s> {
    targets: BTreeSet<&'s str>,
    /// Those that take no requests now, each with why.
    idle: BTreeMap<&'s str, &'s str>,
    /// Those of other VPCs, each with its own.
    elsewhere: BTreeMap<&'s str, &'s str>,
    /// Those that were named and are not there.
    missing: BTreeSet<&'s str>,
}

enum Obstacle {
    Unknown(String),
    Missing,
}

fn sorted<'s>(view: &View<'s>, instances: &'s Instances, vpc: &str) -> Result<Sorted<'s>, Obstacle> {
    let known = match view.snapshot.instances.get(&instances.selector) {
        None => return Err(Obstacle::Unknown(NOT_ASKED.to_owned())),
        Some(InstanceFacts::Unknown(why)) => return Err(Obstacle::Unknown(why.clone())),
        Some(InstanceFacts::Missing) => return Err(Obstacle::Missing),
        Some(InstanceFacts::Known(known)) => known,
    };
    let mut sorted = Sorted::default();
    if let Selector::Ids(ids) = &instances.selector {
        sorted.missing = ids.iter().map(String::as_str).filter(|id| !known.contains_key(*id)).collect();
    }
    for (id, instance) in known {
        match (instance.idle(), instance.vpc.as_deref()) {
            (Some(why), _) => _ = sorted.idle.insert(id, why),
            (None, Some(own)) if own == vpc => _ = sorted.targets.insert(id),
            (None, own) => _ = sorted.elsewhere.insert(id, own.unwrap_or("no VPC")),
        }
    }
    Ok(sorted)
}

impl Sorted<'_> {
    /// What a person may not expect, in sentences' parts.
    fn notes(&self, vpc: &str) -> Vec<String> {
        let ids = |all: &mut dyn Iterator<Item = String>, count: usize| {
            let shown = all.take(SHOWN_MAX).collect::<Vec<_>>().join(", ");
            let more = count.saturating_sub(SHOWN_MAX);
            if more == 0 { shown } else { format!("{shown} and {more} more") }
        };
        let mut notes = vec![];
        if !self.elsewhere.is_empty() {
            let all = &mut self.elsewhere.iter().map(|(id, own)| format!("{id} (of {own})"));
            let ids = ids(all, self.elsewhere.len());
            notes.push(format!("instances in another VPC than {vpc}, which get no requests: {ids}"));
        }
        if !self.missing.is_empty() {
            let ids = ids(&mut self.missing.iter().map(|id| (*id).to_owned()), self.missing.len());
            notes.push(format!("instances that are not there: {ids}"));
        }
        notes
    }
}

/// The pool of a Backend of instances, spoken to and checked as a Service's port that says the same.
pub(super) fn pool(
    view: &View,
    cluster: &ClusterId,
    (namespace, name): (&str, &str),
    instances: &Instances,
    asked: &Asked,
) -> Result<Pool, BackendError> {
    let place = Place { cluster, kind: Kind::Backend, namespace, service: name };
    let policy = target_group::in_force(view, cluster, (Kind::Backend, namespace, name), None);
    let policy = policy.map_err(BackendError::Unknown)?;
    let port = declared::service_port("spec.instances", name, (instances.port, instances.protocol), asked)?;
    let mut notes = vec![];
    let spoken = spoken(view, &place, &port, asked, policy, &mut notes)?;
    let vpc = instances.vpc(view, cluster);
    let config = TargetGroupConfig::Instances {
        instances: VpcConfig {
            port: instances.port,
            protocol: spoken.protocol,
            protocol_version: spoken.protocol_version,
            vpc: vpc.clone(),
        },
    };
    let (targets, is_kept) = match sorted(view, instances, &vpc) {
        Ok(sorted) => {
            let told = sorted.notes(&vpc).into_iter();
            let told = told.map(|note| format!("Backend {} names {note}", quoted(name)));
            notes.extend(told.map(|text| Problem::new(Code::EndpointsLeftOut, asked.path, text)));
            notes.extend(declared::too_many_note(name, sorted.targets.len(), asked));
            let target = |id: &&str| Target::Instance { instance: (*id).to_owned(), port: instances.port };
            (sorted.targets.iter().take(asked.targets_max).map(target).collect(), false)
        }
        Err(Obstacle::Missing) => {
            let text = format!("Backend {}: {}", quoted(name), missing(&instances.selector));
            let problem = Problem::new(Code::ScalingGroupNotFound, asked.path, text);
            return Err(BackendError::Awaited(reasons::SCALING_GROUP_NOT_FOUND, problem));
        }
        Err(Obstacle::Unknown(_)) if !view.is_inspected => (BTreeSet::new(), false),
        Err(Obstacle::Unknown(why)) => {
            let service = Some(name);
            let origin =
                Origin { cluster: Some(cluster), kind: Kind::Backend, namespace, service, export: None };
            let held = gone::held_targets(view, &origin, &config);
            let held = held.ok_or_else(|| BackendError::Unknown(of_backend("instances", name, &why)))?;
            (held, true)
        }
    };
    Ok(Pool {
        health_check: Some(spoken.health_check()),
        policy: spoken.policy,
        notes,
        is_kept,
        ..declared::pool_of(cluster, (namespace, name), config, targets)
    })
}

fn missing(selector: &Selector) -> String {
    format!("{selector} does not exist; create it or correct the name")
}

/// Why nothing is known of the instances now, if so.
pub(super) fn unknown(view: &View, instances: &Instances) -> Option<String> {
    match view.snapshot.instances.get(&instances.selector) {
        None => Some(NOT_ASKED.to_owned()),
        Some(InstanceFacts::Unknown(why)) => Some(why.clone()),
        Some(InstanceFacts::Missing | InstanceFacts::Known(_)) => None,
    }
}

/// What a Backend's own status says of them.
pub(super) fn told(view: &View, cluster: &ClusterId, instances: &Instances) -> Condition {
    let vpc = instances.vpc(view, cluster);
    match sorted(view, instances, &vpc) {
        Ok(sorted) => {
            let count = match sorted.targets.len() {
                1 => "1 instance".to_owned(),
                count => format!("{count} instances"),
            };
            let mut parts = vec![format!("Routes lead to {count} at port {} in {vpc}", instances.port)];
            let mut states: BTreeMap<&str, usize> = BTreeMap::new();
            sorted.idle.values().for_each(|state| *states.entry(state).or_default() += 1);
            parts.extend(states.into_iter().map(|(state, count)| format!("{state}: {count}")));
            parts.extend(sorted.notes(&vpc));
            declared::resolved(format!("{}.", parts.join("; ")))
        }
        Err(Obstacle::Missing) => {
            let text = missing(&instances.selector);
            let problem = Problem::new(Code::ScalingGroupNotFound, "spec.instances.autoScalingGroup", text);
            declared::unresolved(reasons::SCALING_GROUP_NOT_FOUND, problem)
        }
        Err(Obstacle::Unknown(why)) => declared::untold(&instances.selector.to_string(), &why),
    }
}
