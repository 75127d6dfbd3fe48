//! One translation for each kind of unit.

pub(crate) mod aside;
mod attached_routes;
mod builder;
mod claim;
mod cluster_routes;
mod contest;
mod crowded;
pub(crate) mod dependents;
mod errors;
pub(crate) mod export_unit;
pub(crate) mod from_secrets;
mod gateway_addresses;
pub(crate) mod gateway_unit;
mod giving_way;
mod gone_imports;
mod heirs;
pub(crate) mod idle_timeout;
mod kept;
pub(crate) mod merged;
mod moving;
pub(crate) mod network_name;
mod parents;
pub(crate) mod resource_unit;
pub(crate) mod route_unit;
mod rules;
mod rules_of_gone;
mod service_names;
pub(crate) mod service_network;
mod services;
mod shadowed;
pub(crate) mod slot;
pub(crate) mod standalone;
pub(crate) mod vpc_access;

pub(crate) use builder::used_groups;
pub(crate) use contest::scope_beside;

use crate::report::Subject;
use crate::snapshot::ObjectKey;
use crate::{Report, Translation};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use trellis_hint::{ClusterId, Kind};
use trellis_lattice::{Desired, Owner};

impl Translation {
    /// Change nothing, since something is not known.
    pub(crate) fn held(why: Vec<String>, reports: Vec<Report>) -> Self {
        Self {
            desired: None,
            held: why,
            refused: false,
            reports,
            told: vec![],
            waiting: BTreeMap::new(),
            staying: BTreeSet::new(),
            lasts: None,
        }
    }

    /// Change nothing, since what the object asks for cannot be done: its reports say so, and only its user can help.
    pub(crate) fn refused(reports: Vec<Report>) -> Self {
        Self { refused: true, ..Self::held(vec![], reports) }
    }

    /// What the unit owns is to go.
    pub(crate) fn nothing(owner: Owner, reports: Vec<Report>) -> Self {
        Self::wanting(Desired::nothing(owner), reports)
    }

    /// This is wanted, and nothing else.
    pub(crate) fn wanting(desired: Desired, reports: Vec<Report>) -> Self {
        Self { desired: Some(desired), ..Self::held(vec![], reports) }
    }

    /// This is wanted, and what of it is not known stays as it is.
    pub(crate) fn wanting_but(desired: Desired, unknown: Vec<String>, reports: Vec<Report>) -> Self {
        Self { held: unknown, ..Self::wanting(desired, reports) }
    }
}

pub(crate) fn subject(cluster: &ClusterId, kind: Kind, object: &Value) -> Subject {
    let meta = crate::api::meta(object);
    Subject {
        cluster: cluster.clone(),
        object: ObjectKey { kind, namespace: meta.namespace, name: meta.name },
        generation: meta.generation,
    }
}
