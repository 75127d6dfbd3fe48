//! Routes whose services are in no service network: by an annotation of the route or of one of its Gateways.
//!
//! | on the route | on its Gateways | its services |
//! |---|---|---|
//! | `true` | any | in no network |
//! | anything else | any | in the Gateways' networks |
//! | not there | `true` on one of them that takes it | in no network |
//! | not there | anything else, or not there | in the Gateways' networks |
//!
//! Such a service is reached through networks that somebody else associates it with, in another account say.

use super::parents::Parent;
use crate::api::{self, Meta};
use crate::code::Code;
use crate::gateway::{self, Whose};
use crate::problem::{Problem, quoted};
use crate::route::Route;
use crate::view::View;
use trellis_lattice::TAG_PREFIX;

/// The annotation, without the common prefix.
pub(crate) const ANNOTATION: &str = "standalone";

/// Whether a route is standalone. A Gateway that does not take it says nothing of it: else whoever names somebody's Gateway would
/// have left all networks.
pub(crate) fn is_standalone(view: &View, route: &Route, parents: &[Parent]) -> bool {
    if let Some(value) = route.meta.annotation(ANNOTATION) {
        return is_yes(value);
    }
    let taking = parents.iter().filter(|parent| parent.attached.is_ok()).map(|parent| &parent.reference);
    let mut gateways = taking.filter_map(|parent| {
        match gateway::find(view, &route.id.cluster, &parent.namespace, &parent.name) {
            (Whose::Ours, Some(gateway)) => Some(gateway),
            _ => None,
        }
    });
    gateways.any(|gateway| api::annotation(gateway, ANNOTATION).is_some_and(is_yes))
}

/// What is wrong with the annotation of a route or a Gateway.
pub(crate) fn problem(meta: &Meta) -> Option<Problem> {
    let value = meta.annotation(ANNOTATION)?;
    let is_clear = is_yes(value) || value.trim().eq_ignore_ascii_case("false");
    (!is_clear).then(|| {
        let text = format!("{} counts as \"false\"; write \"true\" or \"false\"", quoted(value));
        Problem::new(Code::AnnotationValue, format!("metadata.annotations[{TAG_PREFIX}{ANNOTATION}]"), text)
    })
}

fn is_yes(value: &str) -> bool {
    value.trim().eq_ignore_ascii_case("true")
}
