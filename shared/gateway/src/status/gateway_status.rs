use super::merge::Merge;
use super::{
    Context, Members, endpoint_names, fails_in_passing, outcome_problem, programmed_before, vpc_status,
};
use crate::report::{Condition, GatewayReport, ListenerReport};
use crate::{conditions, reasons};
use serde_json::{Value, json};
use trellis_lattice::Blocked;

/// How a Programmed message begins once the service network exists and may be used, as the AWS Gateway API Controller writes it.
const NETWORK_MESSAGE: &str = "aws-gateway-arn: ";

/// What a Programmed message begins with.
pub(crate) fn network_message(arn: &str) -> String {
    format!("{NETWORK_MESSAGE}{arn}")
}

/// The ARN of the service network that a Gateway of ours stands for, as its status tells: two may stand for one, the one by its
/// name and the other by its id. None: there is none yet, or it may not be used.
pub(crate) fn network_told(gateway: &Value) -> Option<&str> {
    let conditions = gateway.pointer("/status/conditions").and_then(Value::as_array)?;
    let mut programmed = conditions.iter().filter(|one| one["type"] == conditions::PROGRAMMED);
    let message = programmed.find_map(|one| one.get("message")?.as_str()?.strip_prefix(NETWORK_MESSAGE))?;
    let arn = message.split_once(". ").map_or(message, |(arn, _)| arn);
    (!arn.is_empty()).then_some(arn)
}

/// A Gateway's status.
pub(super) fn status(context: &Context, report: &GatewayReport, old: &Value) -> Members {
    let generation = report.subject.generation;
    let programmed = programmed(context, report, old);
    let mut conditions = vec![report.accepted.clone(), programmed.clone()];
    let has_network = network_of(context, &report.subject.object.name).is_some();
    if has_network {
        conditions.push(vpc_associated(context, report));
        conditions.extend(endpoint_names::condition(report));
    }
    let listeners = report
        .listeners
        .iter()
        .map(|listener| listener_status(context, listener, &programmed, generation, old.get("listeners")))
        .collect();
    let addresses = report.addresses.iter().map(|name| json!({ "type": "Hostname", "value": name }));
    let mut members = vec![
        (
            "conditions".into(),
            Merge::new(old.get("conditions"), generation, context.now).conditions(conditions),
        ),
        ("listeners".into(), Value::Array(listeners)),
    ];
    // A Gateway that is not accepted has no network of its own making: nothing answers by it, whatever its routes have elsewhere.
    let addresses: Vec<Value> = addresses.filter(|_| has_network || report.accepted.is_true()).collect();
    if !addresses.is_empty() || old.get("addresses").is_some() {
        members.push(("addresses".into(), Value::Array(addresses)));
    }
    members
}

/// Once the network exists its ARN stands in the message whatever the status.
fn programmed(context: &Context, report: &GatewayReport, old: &Value) -> Condition {
    let before = programmed_before(old.get("conditions"), report.subject.generation);
    let problem = if report.accepted.is_true() {
        network_problem(context, report).filter(|_| before.is_none() || !fails_in_passing(context.outcome))
    } else {
        let text = "The Gateway is not accepted; see condition Accepted.";
        Some(Condition::no(conditions::PROGRAMMED, reasons::INVALID, text))
    };
    match (network_of(context, &report.subject.object.name), problem) {
        (Some(arn), None) => {
            Condition::yes(conditions::PROGRAMMED, reasons::PROGRAMMED, network_message(arn))
        }
        (Some(arn), Some(problem)) => {
            Condition { message: format!("{}. {}", network_message(arn), problem.message), ..problem }
        }
        (None, Some(problem)) => problem,
        (None, None) => {
            Condition::no(conditions::PROGRAMMED, reasons::PENDING, "The service network does not exist yet.")
        }
    }
}

/// The ARN of the service network of a name, if that exists. One that may not be used is nobody's here.
pub(super) fn network_of<'a>(context: &'a Context, name: &str) -> Option<&'a String> {
    let is_refused =
        |blocked: &Blocked| matches!(blocked, Blocked::NetworkNotAllowed { network, .. } if network == name);
    context.outcome.networks.get(name).filter(|_| !context.outcome.blocked.iter().any(is_refused))
}

/// A VPC that stays with another service network does not keep the Gateway's network from working for everybody else,
/// and a cluster with two Gateways always has such a case; so it is told by a condition of its own.
fn network_problem(context: &Context, report: &GatewayReport) -> Option<Condition> {
    let exists = network_of(context, &report.subject.object.name).is_some();
    let of_a_vpc = |blocked: &Blocked| {
        matches!(blocked, Blocked::VpcAssociatedElsewhere { .. } | Blocked::EndpointWithoutSubnets { .. })
    };
    outcome_problem(context.outcome, |blocked| !(exists && of_a_vpc(blocked)))
}

fn vpc_associated(context: &Context, report: &GatewayReport) -> Condition {
    if report.by_endpoint {
        return vpc_status::endpoint(context.outcome, report);
    }
    let elsewhere = context.outcome.blocked.iter().find_map(|blocked| match blocked {
        Blocked::VpcAssociatedElsewhere { vpc, network } if *vpc == report.vpc => Some(network),
        _ => None,
    });
    if let Some(network) = elsewhere {
        let text = format!(
            "The VPC {} is associated with the service network {network}, and a VPC can be associated with one only: \
             its Pods do not reach this Gateway. Use Gateway {network}, delete that association, or annotate this Gateway with {}.",
            report.vpc,
            vpc_status::BY_ENDPOINT
        );
        return Condition::no(conditions::VPC_ASSOCIATED, reasons::ASSOCIATED_ELSEWHERE, text);
    }
    if !vpc_status::is_associated(context.outcome, &report.subject.object.name, &report.vpc)
        && let Some(problem) = vpc_status::gateway_problem(context.outcome, report)
    {
        return problem;
    }
    if context.outcome.waiting.is_some() || context.outcome.failure.is_some() {
        let text = format!("The VPC {} is not associated yet.", report.vpc);
        return Condition::no(conditions::VPC_ASSOCIATED, reasons::PENDING, text);
    }
    Condition::yes(
        conditions::VPC_ASSOCIATED,
        reasons::ASSOCIATED,
        format!("The VPC {} is associated. {}", report.vpc, report.vpc_notes).trim_end(),
    )
}

fn listener_status(
    context: &Context,
    listener: &ListenerReport,
    gateway_programmed: &Condition,
    generation: i64,
    old: Option<&Value>,
) -> Value {
    let old = old.and_then(Value::as_array).into_iter().flatten();
    let old = old.into_iter().find(|old| old.get("name").and_then(Value::as_str) == Some(&listener.name));
    let resolved_refs =
        refused_certificate(context, listener).unwrap_or_else(|| listener.resolved_refs.clone());
    // A kind that the listener cannot carry does not keep it from carrying the others.
    let refs_count = !resolved_refs.is_true() && resolved_refs.reason != reasons::INVALID_ROUTE_KINDS;
    let is_bad = !listener.accepted.is_true() || refs_count || listener.supported_kinds.is_empty();
    let programmed = if is_bad {
        Condition::no(
            conditions::PROGRAMMED,
            reasons::INVALID,
            "The listener is not valid; see its other conditions.",
        )
    } else if let Some(missing) = &listener.certificate_missing {
        Condition::no(conditions::PROGRAMMED, reasons::INVALID, missing.clone())
    } else if gateway_programmed.is_true() {
        Condition::yes(conditions::PROGRAMMED, reasons::PROGRAMMED, "")
    } else {
        Condition { message: "See the Gateway's condition Programmed.".into(), ..gateway_programmed.clone() }
    };
    let mut conditions = vec![listener.accepted.clone(), programmed, resolved_refs];
    conditions.extend(listener.conflicted.clone());
    let kinds: Vec<Value> = listener
        .supported_kinds
        .iter()
        .map(|kind| json!({ "group": "gateway.networking.k8s.io", "kind": kind }))
        .collect();
    let merge = Merge::new(old.and_then(|old| old.get("conditions")), generation, context.now);
    json!({
        "name": listener.name,
        "supportedKinds": kinds,
        "attachedRoutes": listener.attached_routes,
        "conditions": merge.conditions(conditions),
    })
}

/// What ACM says of a Secret's certificate that it does not take. Only the call tells: it has ended, say, or a quota is used up.
fn refused_certificate(context: &Context, listener: &ListenerReport) -> Option<Condition> {
    let refused = &context.outcome.refused_certificates;
    let refused = refused.iter().find(|one| listener.secrets.contains(&one.secret))?;
    let text = format!(
        "ACM does not take the certificate of the Secret: {}",
        super::sentences(std::slice::from_ref(&refused.message))
    );
    listener
        .resolved_refs
        .is_true()
        .then(|| Condition::no(conditions::RESOLVED_REFS, reasons::INVALID_CERTIFICATE_REF, text))
}
