//! The annotations by which the AWS Gateway API Controller tells a route's domain name and its service, for scripts that read
//! them there. The status has both for people.
//!
//! | the route | its annotations |
//! |---|---|
//! | is served | domain name and ARN of its first service; of one that is another route's the domain name alone |
//! | waits for its service's name, or is held | stay as they are |
//! | is not served any more | go |
//! | is no Gateway's of ours, and none has taken it before | are nobody's business |
//!
//! The right to change routes is a role of its own, and without it nothing is said: whoever wants the annotations grants it.

use super::{Act, ObjectChange};
use crate::api;
use crate::report::{RouteReport, Serving};
use crate::status::{Context, domain_name, is_ours};
use serde_json::{Value, json};
use trellis_lattice::TAG_PREFIX;

/// Holds the domain name.
pub(crate) const DOMAIN_NAME: &str = "lattice-assigned-domain-name";
/// Holds the service's ARN.
pub(crate) const SERVICE_ARN: &str = "lattice-service-arn";

/// What is due.
pub(crate) fn change(context: &Context, report: &RouteReport) -> Option<ObjectChange> {
    let (subject, key) = (&report.subject, &report.subject.object);
    context.translation.desired.as_ref()?;
    let route = context.snapshot.get(&subject.cluster, key.kind, &key.namespace, &key.name)?;
    let mut entries = route.pointer("/status/parents").and_then(Value::as_array).into_iter().flatten();
    if report.parents.is_empty() && !entries.any(is_ours) {
        return None;
    }
    let (name, arn) = match report.services.first() {
        // Its name comes in a moment.
        Some(first) => (Some(domain_name(context, report, first)?), arn_of(context, first)),
        None => (None, None),
    };
    let meta = api::meta(route);
    let mut changed = json!({});
    for (annotation, wanted) in [(DOMAIN_NAME, name), (SERVICE_ARN, arn)] {
        if meta.annotation(annotation) != wanted.as_deref() {
            changed[format!("{TAG_PREFIX}{annotation}")] = wanted.map_or(Value::Null, Value::String);
        }
    }
    let is_due = changed.as_object().is_some_and(|members| !members.is_empty());
    is_due.then(|| ObjectChange {
        cluster: subject.cluster.clone(),
        key: key.clone(),
        act: Act::Patch {
            resource_version: meta.resource_version,
            patch: json!({"metadata": {"annotations": changed}}),
        },
        teller: None,
    })
}

fn arn_of(context: &Context, serving: &Serving) -> Option<String> {
    let own = context.outcome.services.get(&serving.service).filter(|_| serving.leader.is_none());
    own.map(|service| service.arn.clone())
}
