//! What is read of Kubernetes objects, and nothing more.
//!
//! The structs are lean on purpose. Generated types close every enumeration, so that one value of a newer API version
//! would make a whole list unreadable, and they drop members that they do not know, so that nobody could say what of
//! an object is not honoured. Here enumerations are text, and every place where a user can ask for something keeps
//! its unknown members in `rest`, so that they are found and named.

mod backend_object;
mod core;
mod gateway_object;
mod multicluster;
mod resource_object;
mod route_object;

pub(crate) use backend_object::{AddressesWire, BackendObject, InstancesWire, LambdaWire, LoadBalancerWire};
pub(crate) use core::{Endpoint, EndpointSlice, Service, ServicePort, SlicePort, service_of_slice};
pub(crate) use gateway_object::{AllowedRoutes, Gateway, Listener, ReferenceGrant, RouteKind};
pub(crate) use multicluster::{ServiceExport, ServiceImport};
pub(crate) use resource_object::{
    DnsWire, ResourceConfigurationObject, ResourceConfigurationSpec, ResourceGatewayObject,
};
pub(crate) use route_object::{
    BackendRefWire, GrpcMethodWire, HeaderWire, MatchWire, ParentRefWire, RouteObject, RuleWire,
};

use crate::code::Code;
use crate::problem::Problem;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::collections::BTreeMap;

/// Members that a struct does not name.
pub(crate) type Rest = BTreeMap<String, Value>;

/// The part of `metadata` that is read.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Meta {
    pub(crate) name: String,
    pub(crate) namespace: String,
    pub(crate) uid: String,
    pub(crate) resource_version: String,
    pub(crate) generation: i64,
    /// RFC 3339; texts of one length and zone, so that their order is that of time.
    pub(crate) creation_timestamp: Option<String>,
    pub(crate) deletion_timestamp: Option<String>,
    pub(crate) labels: Option<BTreeMap<String, String>>,
    pub(crate) annotations: Option<BTreeMap<String, String>>,
}

impl Meta {
    /// An annotation with the prefix that this project shares with the AWS Gateway API Controller.
    pub(crate) fn annotation(&self, name: &str) -> Option<&str> {
        let is_named = |key: &str| key.strip_prefix(trellis_lattice::TAG_PREFIX) == Some(name);
        let mut annotations = self.annotations.as_ref()?.iter();
        annotations.find(|(key, _)| is_named(key)).map(|(_, value)| value.as_str())
    }
}

/// Just the metadata, which even an object with an unreadable spec has.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Bare {
    pub(crate) metadata: Meta,
}

/// Reads an object; what does not fit is named by its field path.
pub(crate) fn parse<T: DeserializeOwned>(object: &Value) -> Result<T, Problem> {
    // Keeping track of the path costs more than the reading, and most objects are sound.
    T::deserialize(object).or_else(|_| {
        serde_path_to_error::deserialize(object).map_err(|error| {
            let path = error.path().to_string();
            Problem::new(Code::Unreadable, path, format!("{}; correct the field", error.into_inner()))
        })
    })
}

/// The metadata of any object; empty where it is unreadable.
pub(crate) fn meta(object: &Value) -> Meta {
    Bare::deserialize(object).map(|bare| bare.metadata).unwrap_or_default()
}

/// An object's namespace and name, without reading the rest of its metadata; empty where it has none.
pub(crate) fn name_of(object: &Value) -> (&str, &str) {
    let metadata = object.get("metadata");
    let text =
        |member: &str| metadata.and_then(|metadata| metadata.get(member)?.as_str()).unwrap_or_default();
    (text("namespace"), text("name"))
}

/// An annotation of an object with the project's prefix, without reading the rest of its metadata.
pub(crate) fn annotation<'a>(object: &'a Value, name: &str) -> Option<&'a str> {
    let annotations = object.get("metadata")?.get("annotations")?.as_object()?;
    let is_named = |key: &str| key.strip_prefix(trellis_lattice::TAG_PREFIX) == Some(name);
    annotations.iter().find(|(key, _)| is_named(key))?.1.as_str()
}

/// Whether somebody has asked for the object's deletion. It only stands because of finalizers that are not ours.
pub(crate) fn is_terminating(object: &Value) -> bool {
    // Asked of every object that is listed: `Value::pointer` allocates for each step of its way.
    let time = object.get("metadata").and_then(|metadata| metadata.get("deletionTimestamp"));
    time.is_some_and(|time| !time.is_null())
}
