//! An internal Application Load Balancer behind a route.
//!
//! | Elastic Load Balancing says | rules |
//! |---|---|
//! | it is an internal Application Load Balancer | lead to its listener's port |
//! | it is another one, or not there | do not: `LoadBalancerUnfit`, `LoadBalancerNotFound` |
//! | nothing | that lead to it stay; where none does, nothing of the route changes |

use super::BackendError;
use super::declared::{self, NOT_ASKED, of_backend};
use super::gone::{self, Origin};
use super::service::{Asked, Pool};
use crate::api::LoadBalancerWire;
use crate::code::Code;
use crate::facts::{Balancer, BalancerFacts};
use crate::problem::{Problem, quoted};
use crate::report::Condition;
use crate::view::View;
use crate::{conditions, reasons};
use std::collections::BTreeSet;
use trellis_hint::{ClusterId, Kind, Scope};
use trellis_lattice::{
    ActualTargetGroup, ProtocolVersion, Target, TargetGroupConfig, TargetProtocol, VpcConfig,
};

/// The field that names it.
const ARN: &str = "spec.loadBalancer.arn";
/// Characters of an ARN that are read.
const ARN_CHARS_MAX: usize = 256;

/// A load balancer's listener.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LoadBalancer {
    pub(crate) arn: String,
    port: u16,
    protocol: TargetProtocol,
}

/// Reads what a Backend says of it.
pub(super) fn read(wire: LoadBalancerWire, scope: &Scope) -> Result<LoadBalancer, Problem> {
    if let Some(why) = arn_problem(&wire.arn, scope) {
        return Err(Problem::new(Code::BackendValue, ARN, why));
    }
    Ok(LoadBalancer {
        arn: wire.arn,
        port: declared::port("spec.loadBalancer", wire.port)?,
        protocol: declared::protocol("spec.loadBalancer", wire.protocol.as_deref(), false)?,
    })
}

fn arn_problem(arn: &str, scope: &Scope) -> Option<String> {
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    let ["arn", partition, "elasticloadbalancing", region, account, resource] = parts.as_slice() else {
        return Some(format!(
            "{} is no ARN of a load balancer; write arn:aws:elasticloadbalancing:<Region>:<account>:loadbalancer/app/<name>/<id>",
            quoted(arn)
        ));
    };
    if (*partition, *region, *account) != (scope.partition(), &*scope.region, &*scope.account) {
        return Some(format!(
            "{} is of another account or Region, and VPC Lattice leads to load balancers of its service's only, {} in {}; name one \
             of these",
            quoted(arn),
            scope.account,
            scope.region
        ));
    }
    let is_word =
        |text: &str| !text.is_empty() && text.bytes().all(|one| one.is_ascii_alphanumeric() || one == b'-');
    let of_resource: Vec<&str> = resource.split('/').collect();
    let is_application = matches!(of_resource.as_slice(),
        ["loadbalancer", "app", name, id] if is_word(name) && is_word(id) && arn.len() <= ARN_CHARS_MAX);
    (!is_application).then(|| {
        format!(
            "{} is no Application Load Balancer, and VPC Lattice leads to no other; write \
             arn:aws:elasticloadbalancing:<Region>:<account>:loadbalancer/app/<name>/<id>",
            quoted(arn)
        )
    })
}

enum Obstacle {
    Unknown(String),
    /// It may be otherwise in a while.
    Awaited(&'static str, Problem),
}

fn facts<'s>(view: &View<'s>, arn: &str) -> Result<&'s Balancer, Obstacle> {
    let awaited = |reason, text: String| {
        let code = Code::of_condition(conditions::RESOLVED_REFS, reason).unwrap_or(Code::Invalid);
        Err(Obstacle::Awaited(reason, Problem::new(code, ARN, text)))
    };
    match view.snapshot.load_balancers.get(arn) {
        None => Err(Obstacle::Unknown(NOT_ASKED.to_owned())),
        Some(BalancerFacts::Unknown(why)) => Err(Obstacle::Unknown(why.clone())),
        Some(BalancerFacts::Missing) => {
            let text = format!("The load balancer {arn} does not exist; create it or correct the ARN");
            awaited(reasons::LOAD_BALANCER_NOT_FOUND, text)
        }
        Some(BalancerFacts::Known(one)) if one.kind != "application" || one.scheme != "internal" => {
            let text = format!(
                "The load balancer {arn} is of type {} and {}; VPC Lattice leads to internal ones of type application only, name \
                 such a one",
                quoted(&one.kind),
                quoted(&one.scheme)
            );
            awaited(reasons::LOAD_BALANCER_UNFIT, text)
        }
        Some(BalancerFacts::Known(one)) => Ok(one),
    }
}

/// The pool of a Backend that is a load balancer. VPC Lattice checks nothing of it: the load balancer has checks of its own.
pub(super) fn pool(
    view: &View,
    cluster: &ClusterId,
    (namespace, name): (&str, &str),
    balancer: &LoadBalancer,
    asked: &Asked,
) -> Result<Pool, BackendError> {
    let of_backend_text =
        |problem: Problem| format!("Backend {}: {}: {}", quoted(name), problem.path, problem.text);
    if asked.route_kind != Kind::HTTPRoute {
        // An Application Load Balancer speaks HTTP/1.1 with VPC Lattice (User Guide, target groups: HTTP2 and GRPC are for instances
        // and addresses).
        let text = format!("No {} can lead to a load balancer; use an HTTPRoute", asked.route_kind);
        let text = of_backend_text(Problem::new(Code::BackendValue, "spec.loadBalancer", text));
        return Err(BackendError::broken(reasons::INVALID_BACKEND, asked.path, text));
    }
    let target = Target::LoadBalancer { load_balancer: balancer.arn.clone(), port: balancer.port };
    let config = |vpc: String| TargetGroupConfig::LoadBalancer {
        load_balancer: VpcConfig {
            port: balancer.port,
            protocol: balancer.protocol,
            protocol_version: Some(ProtocolVersion::Http1),
            vpc,
        },
    };
    let config = match facts(view, &balancer.arn) {
        Ok(known) => config(known.vpc.clone()),
        Err(Obstacle::Awaited(reason, problem)) => {
            let problem = Problem::new(problem.code, asked.path, of_backend_text(problem));
            return Err(BackendError::Awaited(reason, problem));
        }
        Err(Obstacle::Unknown(_)) if !view.is_inspected => config(String::new()),
        Err(Obstacle::Unknown(why)) => {
            let service = Some(name);
            let origin =
                Origin { cluster: Some(cluster), kind: Kind::Backend, namespace, service, export: None };
            // Of its VPC the group of before tells, if it is of the same listener.
            let held = |group: &ActualTargetGroup| {
                let vpc = group.config.as_ref()?.reached()?.vpc;
                let is_same = group.config.as_ref() == Some(&config(vpc.clone()));
                (is_same && group.targets.iter().any(|one| one.target == target)).then_some(vpc)
            };
            let vpc = gone::groups(view, &origin).find_map(held);
            let vpc = vpc.ok_or_else(|| BackendError::Unknown(of_backend("load balancer", name, &why)))?;
            config(vpc)
        }
    };
    Ok(declared::pool_of(cluster, (namespace, name), config, BTreeSet::from([target])))
}

/// Why nothing is known of it now, if so.
pub(super) fn unknown(view: &View, arn: &str) -> Option<String> {
    match facts(view, arn) {
        Err(Obstacle::Unknown(why)) => Some(why),
        Ok(_) | Err(Obstacle::Awaited(..)) => None,
    }
}

/// What a Backend's own status says of it.
pub(super) fn told(view: &View, balancer: &LoadBalancer) -> Condition {
    match facts(view, &balancer.arn) {
        Ok(known) => declared::resolved(format!(
            "Routes lead to port {} of {} in {}.",
            balancer.port, balancer.arn, known.vpc
        )),
        Err(Obstacle::Awaited(reason, problem)) => declared::unresolved(reason, problem),
        Err(Obstacle::Unknown(why)) => declared::untold(&format!("the load balancer {}", balancer.arn), &why),
    }
}
