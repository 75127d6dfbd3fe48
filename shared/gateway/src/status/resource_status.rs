//! What ResourceGateways and ResourceConfigurations are told.

use super::merge::Merge;
use super::told::is_ours;
use super::{
    Context, Members, fails_in_passing, is_same_parent, outcome_problem, programmed, programmed_before,
};
use crate::gateway::CONTROLLER;
use crate::report::{Condition, ResourceGatewayReport, ResourceParentReport, ResourceReport};
use crate::{conditions, reasons};
use serde_json::{Value, json};
use trellis_lattice::Blocked;

/// Entries that `status.parents` can hold (CRD).
const PARENTS_MAX: usize = 32;

/// A ResourceGateway's status.
pub(super) fn of_gateway(context: &Context, report: &ResourceGatewayReport, old: &Value) -> Members {
    let generation = report.subject.generation;
    let arn = report.gateway.as_ref().and_then(|gateway| context.outcome.resource_gateways.get(gateway));
    let before = programmed_before(old.get("conditions"), generation);
    let own = match (&report.gateway, before.filter(|_| fails_in_passing(context.outcome))) {
        (_, Some(message)) => Condition::yes(conditions::PROGRAMMED, reasons::PROGRAMMED, message),
        (None, None) => {
            let text = "The ResourceGateway is not accepted; see condition Accepted.";
            Condition::no(conditions::PROGRAMMED, reasons::INVALID, text)
        }
        (Some(_), None) => {
            // One that another has taken the place of may wait for its resources.
            let counts = |one: &Blocked| !matches!(one, Blocked::ResourceGatewayInUse { .. });
            match outcome_problem(context.outcome, counts) {
                Some(problem) if context.translation.desired.is_some() => problem,
                _ => programmed(context, "Resources can be reached through it.".to_owned()),
            }
        }
    };
    let merge = Merge::new(old.get("conditions"), generation, context.now);
    let mut members = vec![("conditions".into(), merge.conditions([report.accepted.clone(), own]))];
    if arn.is_some() {
        members.push(("resourceGatewayARN".into(), json!(arn)));
    }
    members
}

/// A ResourceConfiguration's status: an entry for each parent of ours; those of other controllers stay.
pub(super) fn of_configuration(context: &Context, report: &ResourceReport, object: &Value) -> Members {
    let namespace = &report.subject.object.namespace;
    let entries = object.pointer("/status/parents").and_then(Value::as_array);
    let entries = entries.map(Vec::as_slice).unwrap_or_default();
    let mut wanted: Vec<Option<&ResourceParentReport>> = report.parents.iter().map(Some).collect();
    let mut parents = vec![];
    for entry in entries {
        if !is_ours(entry) {
            parents.push(entry.clone());
            continue;
        }
        let reference = entry.get("parentRef").unwrap_or(&Value::Null);
        let same = wanted
            .iter_mut()
            .find(|one| one.is_some_and(|one| is_same_parent(&one.parent_ref, reference, namespace)));
        if let Some(parent) = same.and_then(Option::take) {
            parents.push(render(context, report, parent, Some(entry)));
        }
    }
    for parent in wanted.into_iter().flatten() {
        if parents.len() < PARENTS_MAX {
            parents.push(render(context, report, parent, None));
        }
    }
    if parents.is_empty() && entries.is_empty() { vec![] } else { vec![("parents".into(), json!(parents))] }
}

fn render(
    context: &Context,
    report: &ResourceReport,
    parent: &ResourceParentReport,
    old: Option<&Value>,
) -> Value {
    let resource = report.configuration.as_ref().and_then(|name| context.outcome.resources.get(name));
    let known = resource.and_then(|resource| resource.dns_names.get(&parent.gateway)).cloned();
    let told = || old.and_then(|old| old.get("dnsName")).and_then(Value::as_str).map(str::to_owned);
    let stays = context.translation.desired.is_none() || fails_in_passing(context.outcome);
    let dns_name = known.or_else(|| told().filter(|_| stays && parent.accepted.is_true()));
    let own = programmed_of(context, report, parent, (old, dns_name.as_deref()));
    let merge = Merge::new(old.and_then(|old| old.get("conditions")), report.subject.generation, context.now);
    let conditions = merge.conditions([parent.accepted.clone(), parent.resolved_refs.clone(), own]);
    let mut entry = json!({
        "parentRef": parent.parent_ref,
        "controllerName": CONTROLLER,
        "conditions": conditions,
    });
    if let (Some(name), Some(members)) = (dns_name, entry.as_object_mut()) {
        members.insert("dnsName".to_owned(), name.into());
    }
    entry
}

fn programmed_of(
    context: &Context,
    report: &ResourceReport,
    parent: &ResourceParentReport,
    (old, dns_name): (Option<&Value>, Option<&str>),
) -> Condition {
    let refused = |text: &str| {
        let stays =
            if context.translation.desired.is_none() { " VPC Lattice keeps what it has." } else { "" };
        Condition::no(conditions::PROGRAMMED, reasons::INVALID, format!("{text}{stays}"))
    };
    if !parent.accepted.is_true() {
        return refused("The ResourceConfiguration is not accepted; see condition Accepted.");
    }
    if !parent.resolved_refs.is_true() {
        return refused("Nothing leads to the resource; see condition ResolvedRefs.");
    }
    let passing = fails_in_passing(context.outcome) || context.translation.desired.is_none();
    let before = old.filter(|_| passing).and_then(|old| old.get("conditions"));
    if let Some(message) = programmed_before(before, report.subject.generation) {
        return Condition::yes(conditions::PROGRAMMED, reasons::PROGRAMMED, message);
    }
    let counts = |one: &Blocked| !is_of_another_network(one, &parent.gateway);
    if let Some(problem) = outcome_problem(context.outcome, counts) {
        return problem;
    }
    let done = dns_name.map_or_else(
        || "VPC Lattice has the resource.".to_owned(),
        |name| format!("VPC Lattice has the resource. DNS Name: {name}"),
    );
    match context.translation.desired {
        None => programmed(context, done),
        Some(_) => Condition::yes(conditions::PROGRAMMED, reasons::PROGRAMMED, done),
    }
}

/// Whether what is in the way is in another parent's network.
fn is_of_another_network(blocked: &Blocked, own: &str) -> bool {
    match blocked {
        Blocked::NetworkMissing { network }
        | Blocked::NetworkAmbiguous { network }
        | Blocked::NetworkUnseen { network }
        | Blocked::NetworkNotAllowed { network, .. }
        | Blocked::ResourceDomainTaken { network, .. } => network != own,
        // What of the unit's stays that nobody wants.
        Blocked::ResourceInUse { .. } => true,
        _ => false,
    }
}
