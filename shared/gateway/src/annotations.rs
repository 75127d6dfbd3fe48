//! What is wrong with an object's annotations: values that are no good, and names that nobody reads.

use crate::api::Meta;
use crate::backend::external;
use crate::code::Code;
use crate::naming;
use crate::objects::route_annotations;
use crate::policy::iam_auth;
use crate::problem::{Problem, quoted};
use crate::units::export_unit::asks_for_target_groups;
use crate::units::idle_timeout::{self, idle_timeout};
use crate::units::merged;
use crate::units::slot;
use crate::units::standalone;
use crate::units::vpc_access;
use trellis_hint::Kind;
use trellis_lattice::TAG_PREFIX;

/// The annotations that are read, without the common prefix.
const OF_ROUTES: [&str; 5] =
    ["standalone", "tags", "service-name-override", "idle-timeout-seconds", "auth-type"];
const OF_GATEWAYS: [&str; 8] = [
    "standalone",
    "tags",
    "auth-type",
    slot::ANNOTATION,
    merged::ANNOTATION,
    vpc_access::ANNOTATION,
    vpc_access::SUBNETS,
    vpc_access::GROUPS,
];
const OF_NETWORKS: [&str; 1] = ["tags"];
const OF_EXPORTS: [&str; 5] = ["federation", "port", "service-name", "tags", "export-target-group"];
const OF_IMPORTS: [&str; 4] = ["export-name", "aws-eks-cluster-name", "aws-vpc", external::ANNOTATION];

const OF_LOG_AND_VPC_POLICIES: [&str; 1] = ["tags"];
const OF_AUTH_POLICIES: [&str; 1] = [iam_auth::REPLACE];

/// Annotations that ask for nothing: they are written for scripts to read, those of routes by us too, the others by the AWS Gateway API
/// Controller alone.
const WRITTEN: [&str; 8] = [
    route_annotations::DOMAIN_NAME,
    route_annotations::SERVICE_ARN,
    "accessLogSubscription",
    "accessLogSubscriptionResourceName",
    "iam-auth-policy-resource-id",
    "iam-auth-policy-resource-type",
    "iam-auth-policy-resource-name",
    "resourceArn",
];

/// The problems with the annotations of a route, a Gateway, a ServiceNetwork, an export, an import or a policy.
pub(crate) fn problems(kind: Kind, meta: &Meta) -> Vec<Problem> {
    let known: &[&str] = match kind {
        Kind::HTTPRoute | Kind::GRPCRoute | Kind::TLSRoute => &OF_ROUTES,
        Kind::Gateway => &OF_GATEWAYS,
        Kind::ServiceExport => &OF_EXPORTS,
        Kind::ServiceNetwork => &OF_NETWORKS,
        Kind::ServiceImport => &OF_IMPORTS,
        Kind::AccessLogPolicy | Kind::VpcAssociationPolicy => &OF_LOG_AND_VPC_POLICIES,
        Kind::IAMAuthPolicy => &OF_AUTH_POLICIES,
        Kind::TargetGroupPolicy => &[],
        _ => return vec![],
    };
    let mut problems = vec![];
    if kind.is_route() {
        problems.extend(idle_timeout(meta).err());
    }
    if kind == Kind::Gateway {
        problems.extend(slot::problem(meta));
        problems.extend(merged::problem(meta));
        problems.extend(vpc_access::problems(meta));
    }
    if kind == Kind::ServiceExport {
        problems.extend(asks_for_target_groups(meta).1);
    }
    if kind == Kind::ServiceImport {
        problems.extend(external::problem(meta));
    }
    if known.contains(&"tags") {
        problems.extend(naming::tag_problems(meta));
    }
    if known.contains(&standalone::ANNOTATION) {
        problems.extend(standalone::problem(meta));
    }
    let all = meta.annotations.iter().flatten().filter_map(|(key, _)| key.strip_prefix(TAG_PREFIX));
    let is_read = |name: &str| known.contains(&name) || kind.is_route() && rule_of_priority(name).is_some();
    problems
        .extend(all.filter(|name| !is_read(name) && !WRITTEN.contains(name)).map(|name| unread(kind, name)));
    problems
}

/// Annotations that are about a route's service and its target groups.
const OF_SERVICES: [&str; 3] =
    [idle_timeout::ANNOTATION, naming::OVERRIDE_ANNOTATION, naming::TAGS_ANNOTATION];

/// What is to be told of a route that another one's service serves too: some annotations count on that one.
pub(crate) fn of_a_follower(meta: &Meta, leader: &str, requests: &str) -> Option<Problem> {
    let asked: Vec<&str> = OF_SERVICES.into_iter().filter(|name| meta.annotation(name).is_some()).collect();
    let first = asked.first()?;
    let text = format!(
        "The service for {requests} is that of {leader}; write {} there, where alone that counts, or name another hostname",
        asked.join(" and ")
    );
    Some(Problem::new(Code::AnnotationMoot, format!("metadata.annotations[{TAG_PREFIX}{first}]"), text))
}

/// The rule whose priority an annotation `rule-<index>-priority` is, with its index as it is written: nobody reads `rule-01-priority`.
pub(crate) fn rule_of_priority(name: &str) -> Option<usize> {
    let text = name.strip_prefix("rule-")?.strip_suffix("-priority")?;
    text.parse().ok().filter(|index: &usize| index.to_string() == text)
}

fn unread(kind: Kind, name: &str) -> Problem {
    let text = match name {
        "allow-takeover-from" => {
            "What another controller made stays its own, and no annotation gives it to Trellis; remove it"
                .to_owned()
        }
        "tags" if kind.is_policy() => {
            format!(
                "Nothing is made for kind {kind} that could bear tags; ask for them on the route, the Gateway or the export"
            )
        }
        "lattice-vpc-association" => {
            "The AWS controller read this once and does no more; remove it".to_owned()
        }
        name => format!("{} is no annotation of kind {kind}; correct or remove it", quoted(name)),
    };
    Problem::new(Code::AnnotationUnknown, format!("metadata.annotations[{TAG_PREFIX}{name}]"), text)
}
