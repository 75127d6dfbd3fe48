//! From a backendRef to the endpoints that it means.

mod addresses;
pub(crate) mod declared;
mod endpoints;
pub(crate) mod external;
pub(crate) mod function;
mod gone;
mod gone_import;
mod grants;
mod imports;
mod instances;
mod load_balancer;
mod protocol;
mod service;

pub(crate) use endpoints::never_targets;
pub(crate) use gone::{is_of_route, mark, rules_of};
pub(crate) use gone_import::Gone;
pub(crate) use imports::{PORT, exporters_of, is_of_other_federation, service_of_export};
pub(crate) use service::left_out_note;
pub(crate) use service::{Asked, Listeners, Pool, pool};

use crate::Settings;
use crate::code::Code;
use crate::conditions;
use crate::problem::{Problem, quoted};
use crate::reasons;
use crate::route::{BackendRef, Route};
use crate::view::View;
use gone::Origin;
use std::collections::BTreeMap;
use trellis_hint::{Kind, backend_kind};
use trellis_lattice::{Action, ProtocolVersion};

/// Answers a request whose rule leads nowhere, as the specification asks.
pub(crate) const NO_BACKEND: Action = Action::FixedResponse(500);

/// Why a backendRef leads nowhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum BackendError {
    /// By the rules: a reason of the ResolvedRefs condition, and the problem.
    Broken(&'static str, Problem),
    /// The same, and it may be otherwise in a while without anybody's word: another look tells.
    Awaited(&'static str, Problem),
    /// What it leads to is not known.
    Unknown(String),
}

impl BackendError {
    fn broken(reason: &'static str, path: impl Into<String>, text: impl Into<String>) -> Self {
        let code = Code::of_condition(conditions::RESOLVED_REFS, reason).unwrap_or(Code::Invalid);
        Self::Broken(reason, Problem::new(code, path, text))
    }
}

/// The pools that share a backend's weight: several for an import that several clusters export.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Pools {
    pub(crate) busy: Vec<Pool>,
    /// Why some clusters' share is not known. What VPC Lattice has of it is among the pools.
    pub(crate) unknown: Vec<String>,
    /// Names of those clusters' target groups that get no requests, and stay all the same.
    pub(crate) idle: Vec<String>,
    /// The id of a target group that the unit did not make.
    pub(crate) external: Option<String>,
    /// The service of another route's that serves this one too and has that target group.
    pub(crate) elsewhere: Option<String>,
    /// Clusters whose export cannot be led to, while those of others are.
    pub(crate) left_out: Vec<Problem>,
    /// Why the backend leads nowhere any more: the pools are what it led to, for a while.
    pub(crate) gone: Option<(&'static str, Problem)>,
}

impl Pools {
    /// Whether it may be otherwise for listeners of plain HTTP.
    pub(crate) fn may_need_tls(&self) -> bool {
        let is_http2 = |pool: &Pool| pool.config.protocol_version() == Some(ProtocolVersion::Http2);
        self.external.is_some() || self.busy.iter().any(is_http2)
    }
}

/// What a backendRef leads to from such listeners; no pool at all only where something is not known. `told`: the services that serve the route, as
/// its status tells, if it is the unit's own.
pub(crate) fn resolve(
    view: &View,
    route: &Route,
    backend: &BackendRef,
    listeners: Listeners,
    told: Option<&BTreeMap<String, String>>,
    settings: &Settings,
) -> Result<Pools, BackendError> {
    let kind = referent_kind(backend)?;
    let namespace = backend.namespace.as_deref().unwrap_or(&route.id.namespace);
    let asked = Asked {
        path: &backend.path,
        port: backend.port,
        export: None,
        route_kind: route.id.kind,
        listeners,
        targets_max: settings.limits.targets_per_target_group,
        grace: settings.grace,
        told,
    };
    let cluster = &route.id.cluster;
    let is_own = namespace == route.id.namespace;
    let permitted = || if is_own { Ok(()) } else { grants::permits(view, route, backend, kind, namespace) };
    if kind == Kind::Service {
        let found = permitted().and_then(|()| pool(view, cluster, namespace, &backend.name, &asked));
        let one = |pool| {
            let pool = gone::until_slices_come(view, pool, &asked);
            Pools { busy: vec![pool], ..Pools::default() }
        };
        let service = Some(backend.name.as_str());
        let origin = Origin { cluster: Some(cluster), kind, namespace, service, export: None };
        return found.map(one).or_else(|error| gone::for_a_while(view, &origin, &asked, error));
    }
    if kind == Kind::Backend {
        // It names its own port.
        let asked = Asked { port: None, ..asked };
        let named = (namespace, backend.name.as_str());
        let found = permitted().and_then(|()| declared::pools(view, cluster, named, &asked));
        let service = Some(backend.name.as_str());
        let origin = Origin { cluster: Some(cluster), kind, namespace, service, export: None };
        return found.or_else(|error| gone::for_a_while(view, &origin, &asked, error));
    }
    // Asked for with the grant, which saves a round: it tells what stays where that is gone.
    let _ = view.get(cluster, kind, namespace, &backend.name);
    let found = permitted().and_then(|()| imports::pools(view, cluster, namespace, &backend.name, &asked));
    found.or_else(|error| gone_import::for_a_while(view, route, (namespace, backend), &asked, error))
}

/// The backend's kind.
pub(crate) fn referent_kind(backend: &BackendRef) -> Result<Kind, BackendError> {
    let (group, kind) = (backend.group.as_str(), backend.kind.as_str());
    backend_kind(group, kind).ok_or_else(|| {
        let shown = if group.is_empty() { quoted(kind) } else { quoted(&format!("{group}/{kind}")) };
        BackendError::broken(
            reasons::INVALID_KIND,
            format!("{}.kind", backend.path),
            format!("A backend cannot be of kind {shown}; use Service, ServiceImport or Backend"),
        )
    })
}
