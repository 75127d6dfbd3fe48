//! Which Lattice services a route asks for: one for each hostname that listeners serve.

use super::parents::Parent;
use crate::hostname::is_wildcard;
use crate::problem::{Problem, quoted};
use crate::route::Route;
use std::collections::{BTreeMap, BTreeSet};
use trellis_hint::Kind;
use trellis_lattice::ListenerProtocol;

/// A Lattice service to be: a hostname, and the listeners and networks that serve it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Draft {
    /// The custom domain; none where the service answers under its generated name only.
    pub(crate) hostname: Option<String>,
    pub(crate) networks: BTreeSet<String>,
    pub(crate) ports: BTreeMap<u16, ListenerProtocol>,
    pub(crate) certificate_arn: Option<String>,
}

/// What a route asks for.
#[derive(Debug, Default)]
pub(crate) struct Drafts {
    /// In the order of the route's hostnames; each hostname once.
    pub(crate) drafts: Vec<Draft>,
    /// Why the route cannot be had at all.
    pub(crate) refused: Vec<Problem>,
    /// Hostnames that are not served.
    pub(crate) notes: Vec<Problem>,
}

/// The drafts of a route with these parents.
pub(crate) fn drafts(route: &Route, parents: &[Parent]) -> Drafts {
    let mut drafts = Drafts::default();
    for parent in parents {
        for attached in parent.attached.iter().flatten() {
            for hostname in &attached.hostnames {
                let Some(hostname) = servable(route, hostname.as_deref(), &mut drafts) else { continue };
                let at = drafts.drafts.iter().position(|draft| draft.hostname == hostname);
                let at = at.unwrap_or_else(|| {
                    drafts.drafts.push(Draft { hostname, ..Draft::default() });
                    drafts.drafts.len() - 1
                });
                let draft = &mut drafts.drafts[at];
                draft.networks.insert(parent.reference.name.clone());
                draft.ports.entry(attached.listener.port).or_insert(attached.listener.protocol);
                if draft.certificate_arn.is_none() {
                    draft.certificate_arn.clone_from(&attached.listener.certificate_arn);
                }
            }
        }
    }
    let place = |draft: &Draft| route.hostnames.iter().position(|one| Some(one) == draft.hostname.as_ref());
    drafts.drafts.sort_by_key(|draft| (place(draft), draft.hostname.clone()));
    drafts.notes.sort();
    drafts.notes.dedup();
    if drafts.drafts.is_empty() {
        drafts.refused.append(&mut drafts.notes);
    }
    drafts
}

/// The custom domain for an effective hostname, if VPC Lattice can serve it. Whether a custom domain may be a wildcard
/// is not documented, so none is made.
fn servable(route: &Route, hostname: Option<&str>, drafts: &mut Drafts) -> Option<Option<String>> {
    let is_tls = route.id.kind == Kind::TLSRoute;
    match hostname {
        None if is_tls => {
            let text = "VPC Lattice passes TLS on by hostname; name at least one";
            drafts.notes.push(Problem::new("spec.hostnames", text));
            None
        }
        Some(wildcard) if is_wildcard(wildcard) => {
            let is_own = route.hostnames.iter().any(|own| own == wildcard);
            let path = if is_own { "spec.hostnames" } else { "spec.parentRefs" };
            let text = format!(
                "VPC Lattice serves no wildcard such as {}; name the hostnames one by one",
                quoted(wildcard)
            );
            drafts.notes.push(Problem::new(path, text));
            // A wildcard of the listener alone still lets the route in; it answers under its generated name.
            (route.hostnames.is_empty() && !is_tls).then_some(None)
        }
        hostname => Some(hostname.map(str::to_owned)),
    }
}
