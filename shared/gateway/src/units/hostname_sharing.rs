//! Routes of one hostname on the same Gateways: a custom domain is unique in a service network, so one Lattice service
//! has the rules of all of them.
//!
//! The oldest of the routes leads: its unit owns the service. The others own nothing for that hostname; they read in the
//! leader's status whether it has their rules. Routes share a service only if they are on exactly the same Gateways:
//! otherwise the rules of one would become reachable in networks whose Gateways never took it.

use super::cluster_routes::{objects, read};
use super::parents::{Parent, parents};
use super::service_drafts::{ServiceDraft, ServiceDrafts, drafts};
use crate::policy;
use crate::problem::{Problem, quoted};
use crate::route::{Route, RouteId};
use crate::view::View;
use crate::{Settings, naming};
use serde_json::Value;
use std::collections::BTreeSet;
use trellis_hint::parent_gateways;
use trellis_lattice::ListenerProtocol;

/// A route, its parents and what it asks for.
pub(crate) struct Claim {
    pub(crate) route: Route,
    pub(crate) parents: Vec<Parent>,
    pub(crate) drafts: ServiceDrafts,
}

/// How a route's draft is served.
pub(crate) enum Share {
    /// By a service of its own, which also has the rules of these younger routes.
    Leads(Vec<Claim>),
    /// By the service of an older route.
    Follows {
        leader: RouteId,
        /// The service's name.
        service: String,
        /// The routes before this one whose rules it has too, the oldest first; the leader among them.
        older: Vec<Claim>,
    },
    /// Not at all: another route has the hostname.
    Refused(Problem),
}

impl Claim {
    pub(crate) fn of(view: &View, route: Route, object: &Value, unknown: &mut Vec<String>) -> Self {
        let parents = parents(view, &route, object, unknown);
        let drafts = drafts(&route, &parents);
        Self { route, parents, drafts }
    }

    /// Whether every listener that takes the route can lead to an HTTP/2 target group.
    pub(crate) fn listeners_take_http2(&self) -> bool {
        let attached = self.parents.iter().flat_map(|parent| parent.attached.iter().flatten());
        attached.into_iter().all(|attached| attached.listener.protocol != ListenerProtocol::Http)
    }

    /// The draft for a hostname.
    pub(crate) fn draft(&self, hostname: &str) -> Option<&ServiceDraft> {
        self.drafts.services.iter().find(|draft| draft.hostname.as_deref() == Some(hostname))
    }

    /// The older first; then by namespace and name, as the specification asks.
    fn seniority(&self) -> (&str, &str, &str, &str) {
        let created = self.route.meta.creation_timestamp.as_deref().unwrap_or_default();
        (created, &self.route.id.namespace, &self.route.id.name, self.route.id.kind.as_str())
    }

    /// The name of its service for a hostname.
    fn service(&self, hostname: &str) -> String {
        let wanted = self.route.meta.annotation("service-name-override");
        let wanted = wanted.filter(|name| naming::is_service_name(name));
        naming::service(&self.route.id, wanted, Some(hostname))
    }
}

/// How each draft of a route is served, in the order of its drafts.
pub(crate) fn shares(view: &View, own: &Claim, settings: &Settings, unknown: &mut Vec<String>) -> Vec<Share> {
    let has_hostname = own.drafts.services.iter().any(|draft| draft.hostname.is_some());
    if !has_hostname && own.route.hostnames.is_empty() {
        return own.drafts.services.iter().map(|_| Share::Leads(vec![])).collect();
    }
    // Asked for even while the Gateways are not known, so that one round of reads asks for everything.
    let others = candidates(view, own, settings, unknown);
    own.drafts
        .services
        .iter()
        .map(|draft| match &draft.hostname {
            None => Share::Leads(vec![]),
            Some(hostname) => share(view, own, hostname, draft, &others, unknown),
        })
        .collect()
}

/// The other routes of the cluster that may have a hostname of this one on a Gateway of this one. Told by the bare
/// objects, since there may be thousands of routes and few of them are.
fn candidates<'a>(
    view: &View<'a>,
    own: &Claim,
    settings: &Settings,
    unknown: &mut Vec<String>,
) -> Vec<(Route, &'a Value)> {
    let gateways: BTreeSet<&str> = own.route.parents.iter().map(|parent| parent.name.as_str()).collect();
    let hostnames: Vec<&str> =
        own.drafts.services.iter().filter_map(|draft| draft.hostname.as_deref()).collect();
    let may_share = |object: &Value| {
        let named = object.pointer("/spec/hostnames").and_then(Value::as_array).map(Vec::as_slice);
        let named = named.unwrap_or_default().iter().filter_map(Value::as_str);
        let meets =
            |one: &str| hostnames.iter().any(|hostname| may_cover(&one.to_ascii_lowercase(), hostname));
        let is_open = named.clone().next().is_none();
        (is_open || named.into_iter().any(meets))
            && parent_gateways(object).iter().any(|gateway| gateways.contains(gateway.as_str()))
    };
    let cluster = &own.route.id.cluster;
    let fitting = objects(view, cluster, unknown).into_iter().filter(|(_, object)| may_share(object));
    let read = fitting.filter_map(|(kind, object)| Some((read(cluster, kind, object, settings)?, object)));
    read.filter(|(route, _)| route.id != own.route.id).collect()
}

fn share(
    view: &View,
    own: &Claim,
    hostname: &str,
    draft: &ServiceDraft,
    others: &[(Route, &Value)],
    unknown: &mut Vec<String>,
) -> Share {
    let mut equals = vec![];
    for (route, object) in others {
        let claim = Claim::of(view, route.clone(), object, unknown);
        let Some(other) = claim.draft(hostname) else { continue };
        if other.networks == draft.networks {
            equals.push(claim);
        } else if !other.networks.is_disjoint(&draft.networks) && claim.seniority() < own.seniority() {
            let id = &claim.route.id;
            let text = format!(
                "{} {}/{} has the hostname {} on a Gateway in common with this route, but not on all of its Gateways; \
                 name the same Gateways or another hostname",
                id.kind,
                id.namespace,
                id.name,
                quoted(hostname)
            );
            return Share::Refused(Problem::new("spec.hostnames", text));
        }
    }
    equals.sort_by(|a, b| a.seniority().cmp(&b.seniority()));
    if let Some(problem) = kept_apart(view, own, hostname, &mut equals, unknown) {
        return Share::Refused(problem);
    }
    match equals.first() {
        Some(oldest) if oldest.seniority() < own.seniority() => {
            let (leader, service) = (oldest.route.id.clone(), oldest.service(hostname));
            equals.retain(|one| one.seniority() < own.seniority());
            Share::Follows { leader, service, older: equals }
        }
        _ => Share::Leads(equals),
    }
}

/// A service has one auth policy, its leader's: a route with one of its own is in no other route's service, where others may
/// call than it says. Takes such routes out, or says why this one is.
fn kept_apart(
    view: &View,
    own: &Claim,
    hostname: &str,
    equals: &mut Vec<Claim>,
    unknown: &mut Vec<String>,
) -> Option<Problem> {
    let mut has_its_own = |claim: &Claim| {
        policy::has_its_own(view, &claim.route.id).unwrap_or_else(|why| {
            unknown.push(why);
            false
        })
    };
    let is_oldest = equals.first().is_none_or(|oldest| own.seniority() < oldest.seniority());
    let mut at = 0;
    equals.retain(|one| {
        at += 1;
        (at == 1 && !is_oldest) || !has_its_own(one)
    });
    if is_oldest || !has_its_own(own) {
        return None;
    }
    let id = &equals.first()?.route.id;
    let text = format!(
        "{} {}/{} has the hostname {} too, and a VPC Lattice service has one auth policy; attach the IAMAuthPolicy of this \
         route to that one, or name another hostname",
        id.kind,
        id.namespace,
        id.name,
        quoted(hostname)
    );
    Some(Problem::new("spec.hostnames", text))
}

/// Whether a route's hostname can come to the other by a listener's.
fn may_cover(route: &str, hostname: &str) -> bool {
    route == hostname || route.strip_prefix('*').is_some_and(|suffix| hostname.ends_with(suffix))
}
