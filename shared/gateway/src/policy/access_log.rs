//! AccessLogPolicy: where the access logs of a service or a service network go.

use super::Attached;
use super::attached::Candidate;
use crate::code::Code;
use crate::problem::{Problem, quoted};
use crate::report::{Condition, Effect};
use crate::view::View;
use crate::{Translation, conditions, naming, reasons};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use trellis_hint::{ClusterId, Scope};
use trellis_lattice::{
    ActualAccessLog, DesiredAccessLog, Holder, LogType, Ownership, TAG_ACCESS_LOGS, log_type,
};

/// Characters of an ARN that VPC Lattice takes (API model, AccessLogDestinationArn).
const ARN_CHARS_MAX: usize = 2048;

/// Adds the access logs that these policies ask for, and the reports on them. A holder has one of each type of destination.
pub(super) fn add(view: &View, scope: &Scope, attached: Attached, translation: &mut Translation) {
    let Attached { candidates, holders, unknown, .. } = attached;
    let mut given = Given::new();
    let mut logs = kept(view, scope, &holders, &unknown);
    given.extend(logs.iter().filter_map(|log| {
        let by = log.tags.get(&naming::tag_key(TAG))?;
        let by = format!("AccessLogPolicy {by} of a cluster that is unknown now");
        Some((log_type(&log.destination)?, (log.destination.clone(), by)))
    }));
    for candidate in candidates {
        let judged = judge(&candidate, &mut given);
        let (accepted, effect) = match judged {
            Err(refused) => (refused, None),
            Ok(_) if candidate.idle.is_some() => (accepted(), candidate.idle.clone().map(Effect::Nothing)),
            Ok(destination) => {
                // Where another one has asked for the same, or what stays is the same, that is it.
                let kind = log_type(&destination);
                let lacks = |holder: &&Holder| {
                    !logs.iter().any(|log| log.holder == **holder && log_type(&log.destination) == kind)
                };
                let lacking: Vec<&Holder> = holders.iter().filter(lacks).collect();
                logs.extend(lacking.into_iter().map(|holder| log(view, &candidate, holder, &destination)));
                (accepted(), Some(Effect::AccessLogs { holders: holders.clone(), destination }))
            }
        };
        translation.reports.push(candidate.report(accepted, effect));
    }
    let Some(desired) = translation.desired.as_mut() else { return };
    let mark = |tags: &mut trellis_lattice::Tags| _ = tags.insert(TAG_ACCESS_LOGS.into(), "true".into());
    for service in &mut desired.services {
        let holder = Holder::Service(service.name.clone());
        if logs.iter().any(|log| log.holder == holder) {
            mark(&mut service.tags);
        }
    }
    if let Some(network) = desired.network.as_mut().filter(|_| !logs.is_empty()) {
        mark(&mut network.tags);
    }
    desired.access_logs = logs;
}

/// The tag with the policy's namespace and name, without the common prefix.
const TAG: &str = "AccessLogPolicy";

fn accepted() -> Condition {
    Condition::yes(conditions::ACCEPTED, reasons::ACCEPTED, "")
}

/// The destination of each type, and who asked for it first.
type Given = BTreeMap<LogType, (String, String)>;

/// The destination that a policy gets, or why it gets none. Several may ask for the same: one folder may be applied to several
/// clusters.
fn judge(candidate: &Candidate, given: &mut Given) -> Result<String, Condition> {
    if let Some(refused) = &candidate.refused {
        return Err(refused.clone());
    }
    let (destination, kind) = destination(candidate.object)
        .map_err(|problem| Condition::no_for(conditions::ACCEPTED, reasons::INVALID, vec![problem]))?;
    // One that does nothing now is in nobody's way.
    if candidate.idle.is_some() {
        return Ok(destination);
    }
    let other = given.get(&kind);
    if other.is_some_and(|(same, _)| *same == destination) {
        return Ok(destination);
    }
    if let Some((_, other)) = other {
        let text = format!(
            "{other} counts before this one and has a destination of the same type for this target, which has one of \
             each type; delete one of the two."
        );
        return Err(Condition::no(conditions::ACCEPTED, reasons::CONFLICTED, text));
    }
    given.insert(kind, (destination.clone(), candidate.named()));
    Ok(destination)
}

/// A policy's destination and its type.
pub(super) fn destination(policy: &Value) -> Result<(String, LogType), Problem> {
    const PATH: &str = "spec.destinationArn";
    let arn = policy.pointer("/spec/destinationArn").and_then(Value::as_str).unwrap_or_default();
    let kind = log_type(arn).filter(|_| arn.starts_with("arn:") && arn.len() <= ARN_CHARS_MAX);
    let wrong = || {
        let text = format!(
            "{} is no ARN of a CloudWatch Logs log group, an S3 bucket or a Firehose delivery stream; name one",
            quoted(arn)
        );
        Problem::new(Code::PolicyValue, PATH, text)
    };
    kind.map(|kind| (arn.to_owned(), kind)).ok_or_else(wrong)
}

fn log(view: &View, candidate: &Candidate, holder: &Holder, destination: &str) -> DesiredAccessLog {
    let meta = &candidate.meta;
    let managed_by = view.snapshot.facts.get(&candidate.cluster).map(naming::managed_by);
    let own = naming::tag(TAG, &format!("{}/{}", meta.namespace, meta.name));
    DesiredAccessLog {
        holder: holder.clone(),
        destination: destination.to_owned(),
        tags: naming::tags(managed_by.into_iter().chain([own]), &naming::user_tags(meta).0),
    }
}

/// The access logs of a network that policies of clusters asked for of which nothing is known now: they stay.
fn kept(
    view: &View,
    scope: &Scope,
    holders: &[Holder],
    unknown: &BTreeSet<ClusterId>,
) -> Vec<DesiredAccessLog> {
    let is_unknown =
        |cluster: &ClusterId| unknown.contains(cluster) || view.snapshot.unknown(cluster).is_some();
    let stays = |log: &&ActualAccessLog| {
        log.ownership == Ownership::Ours
            && holders.contains(&log.holder)
            && naming::maker(scope, &log.tags).is_some_and(|one| is_unknown(&one))
    };
    let logs = view.actual.access_logs.iter().filter(stays);
    logs.map(|log| DesiredAccessLog {
        holder: log.holder.clone(),
        destination: log.destination.clone(),
        tags: log.tags.clone(),
    })
    .collect()
}
