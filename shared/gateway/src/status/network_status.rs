use super::gateway_status::network_of;
use super::merge::Merge;
use super::{Context, Members, fails_in_passing, outcome_problem, programmed_before};
use crate::report::{Condition, NetworkReport, Report};
use crate::{conditions, reasons};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use trellis_lattice::Blocked;

/// Gateways that a status names; more are counted. The custom resource definition takes 64.
const GATEWAYS_MAX: usize = 32;

/// A ServiceNetwork's status, with the members and words of the AWS Gateway API Controller's.
pub(super) fn status(context: &Context, report: &NetworkReport, old: &Value) -> Members {
    let generation = report.subject.generation;
    let gateways = gateways(report, old);
    let is_programmed_before = programmed_before(old.get("conditions"), generation).is_some();
    let passes = fails_in_passing(context.outcome) && is_programmed_before;
    let programmed = match &report.holding {
        Some(finalizers) => delete_blocked(&gateways, finalizers),
        None => programmed(context, report, passes),
    };
    let conditions = [report.accepted.clone(), programmed];
    let conditions = Merge::new(old.get("conditions"), generation, context.now).conditions(conditions);
    let mut members = vec![("conditions".into(), conditions)];
    let arn = network_of(context, &report.subject.object.name);
    // A call that failed proves nothing about a network that was there.
    if arn.is_some() || !passes {
        let id = arn.and_then(|arn| arn.rsplit_once('/')).map(|(_, id)| id);
        members.push(("serviceNetworkARN".into(), json!(arn)));
        members.push(("serviceNetworkID".into(), json!(id)));
    }
    if !gateways.is_empty() || old.get("gateways").is_some() {
        members.push(("gateways".into(), json!(shown(&gateways))));
    }
    members
}

fn programmed(context: &Context, report: &NetworkReport, passes: bool) -> Condition {
    let name = &report.subject.object.name;
    let (kind, invalid) = (conditions::PROGRAMMED, reasons::INVALID);
    if !report.accepted.is_true() {
        return Condition::no(kind, invalid, "The ServiceNetwork is not accepted; see condition Accepted.");
    }
    if let Some(text) = context.outcome.blocked.iter().find_map(|blocked| in_the_way(blocked, name)) {
        return Condition::no(kind, reasons::CONFLICTED, text);
    }
    let is_there = network_of(context, name).is_some();
    // What fails, and what is waited for, once the network is there is for its Gateways, which are told.
    let is_alone = !context.translation.reports.iter().any(|one| matches!(one, Report::Gateway(_)));
    let problem = outcome_problem(context.outcome, |_| false).filter(|_| !is_there || is_alone);
    match problem.filter(|_| !passes) {
        Some(problem) => problem,
        None if is_there || passes => {
            let notes = if report.is_of_others {
                ". This installation did not make the service network: it uses it, and neither changes nor deletes it."
            } else {
                ""
            };
            Condition::yes(kind, reasons::PROGRAMMED, format!("ServiceNetwork is programmed{notes}"))
        }
        None => Condition::no(kind, reasons::PENDING, "The service network does not exist yet."),
    }
}

/// What a network of others, or two of one name, mean for the object.
fn in_the_way(blocked: &Blocked, name: &str) -> Option<String> {
    match blocked {
        Blocked::NetworkNotAllowed { network, arn } if network == name => Some(format!(
            "A service network {network} exists ({arn}) that this installation did not make and may not use; choose \
             another name, or name the network in the installation's parameter AllowedNetworks."
        )),
        Blocked::NetworkAmbiguous { network } if network == name => Some(format!(
            "Several service networks bear the name {network}; choose another name or leave one of them."
        )),
        Blocked::NetworkUnseen { network } if network == name => Some(super::blocked::text(blocked)),
        _ => None,
    }
}

/// An object that is being deleted and that others hold. The network does not wait for it, but for the Gateways.
fn delete_blocked(gateways: &BTreeSet<String>, finalizers: &[String]) -> Condition {
    let held =
        format!("The finalizers {} hold the object, none of which is Trellis'.", finalizers.join(", "));
    let text = if gateways.is_empty() {
        format!("{held} The service network goes when nobody else asks for it.")
    } else {
        let gateways = shown(gateways).join(", ");
        format!(
            "{held} The service network stays as long as a Gateway uses it, and goes with the last one: {gateways}."
        )
    };
    Condition::no(conditions::PROGRAMMED, reasons::DELETE_BLOCKED, text)
}

/// The Gateways that use the network: as they are known now, and of clusters of which nothing is known as they were told.
fn gateways(report: &NetworkReport, old: &Value) -> BTreeSet<String> {
    let told = old.get("gateways").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    let is_unknown = |one: &&str| {
        one.split_once('/')
            .is_some_and(|(cluster, rest)| rest.contains('/') && !report.known.contains(cluster))
    };
    told.filter(is_unknown).map(str::to_owned).chain(report.gateways.iter().cloned()).collect()
}

fn shown(gateways: &BTreeSet<String>) -> Vec<String> {
    let more = gateways.len().saturating_sub(GATEWAYS_MAX);
    let named = gateways.iter().take(GATEWAYS_MAX).cloned();
    named.chain((more > 0).then(|| format!("and {more} more"))).collect()
}
