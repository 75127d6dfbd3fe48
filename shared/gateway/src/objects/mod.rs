//! Objects of the clusters that a unit writes beside statuses, for others to read.
//!
//! They are for others, and so never in the way: one that cannot be written costs only itself, and the status of the object
//! that it is made of says so. Each is owned by that object in Kubernetes' sense, so that Kubernetes deletes it with it.

pub(crate) mod dns_endpoint;
pub(crate) mod route_annotations;

use crate::Translation;
use crate::report::Report;
use crate::snapshot::{ObjectKey, Read, Snapshot};
use crate::status::Context;
use serde_json::Value;
use trellis_hint::{ClusterId, Kind, UnitKey};
use trellis_lattice::Outcome;

/// A change of an object that is no status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectChange {
    /// The cluster.
    pub cluster: ClusterId,
    /// The object.
    pub key: ObjectKey,
    /// What is to be done.
    pub act: Act,
    /// The object that tells in its status where the change is refused. None: nobody does, it is for whoever grants the right;
    /// nor is it drift where it is not done.
    pub teller: Option<ObjectKey>,
}

/// What is to be done with an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Act {
    /// To make it: the whole object.
    Create(Value),
    /// To change it by a JSON merge patch, which must fail if the object was changed since it had that resourceVersion.
    Patch {
        /// `metadata.resourceVersion` as it was read.
        resource_version: String,
        /// The patch.
        patch: Value,
    },
    /// To delete it, if it is the very object that was read.
    Delete {
        /// `metadata.uid` as it was read.
        uid: String,
        /// `metadata.resourceVersion` as it was read.
        resource_version: String,
    },
}

impl Act {
    /// The verb, for logs.
    pub fn verb(&self) -> &'static str {
        match self {
            Self::Create(_) => "create",
            Self::Patch { .. } => "patch",
            Self::Delete { .. } => "delete",
        }
    }
}

impl ObjectChange {
    /// The read that shows the object as it is.
    pub fn read(&self) -> Read {
        read_of(&self.cluster, &self.key)
    }
}

/// What has to be read for [`object_changes`] of a unit, as far as it was not.
///
/// [`crate::wants`] does not ask for it, since nothing in VPC Lattice depends on it.
pub fn wants_objects(unit: &UnitKey, snapshot: &Snapshot) -> Vec<Read> {
    let (clusters, kind, namespace, name) = match unit {
        UnitKey::Route { kind, cluster, namespace, name } => (vec![cluster], *kind, namespace, name),
        UnitKey::Merged { kind, namespace, name, .. } => {
            (snapshot.facts.keys().collect(), *kind, namespace, name)
        }
        UnitKey::Gateway { .. }
        | UnitKey::Export { .. }
        | UnitKey::Resource { .. }
        | UnitKey::Dependents { .. }
        | UnitKey::Cluster { .. } => return vec![],
    };
    let route = ObjectKey { kind, namespace: namespace.clone(), name: name.clone() };
    let Some(key) = dns_endpoint::key_of(&route) else { return vec![] };
    // With a route that is gone Kubernetes deletes what it owns.
    let stands = |cluster: &&ClusterId| {
        snapshot.get(cluster, kind, namespace, name).is_some() && !snapshot.is_leaving(cluster)
    };
    let reads = clusters.into_iter().filter(stands).map(|cluster| read_of(cluster, &key));
    let is_open = |read: &Read| {
        let missing = (read.cluster().clone(), read.kind());
        !snapshot.has_answer(read) && !snapshot.kinds_missing.contains(&missing)
    };
    reads.filter(is_open).collect()
}

/// The changes of other objects that are due; none for one that is as it should be, and none where it was not read.
pub fn object_changes(
    snapshot: &Snapshot,
    translation: &Translation,
    outcome: &Outcome,
) -> Vec<ObjectChange> {
    // No time is part of them.
    let context = Context { snapshot, translation, outcome, now: "" };
    let changes = translation.reports.iter().flat_map(|report| match report {
        Report::Route(report) => {
            [dns_endpoint::change(&context, report), route_annotations::change(&context, report)]
        }
        Report::Gateway(_)
        | Report::Class(_)
        | Report::Export(_)
        | Report::Import(_)
        | Report::Backend(_)
        | Report::ResourceGateway(_)
        | Report::Resource(_)
        | Report::Policy(_)
        | Report::Pod(_)
        | Report::Network(_) => [None, None],
    });
    changes.flatten().collect()
}

impl Translation {
    /// The translation in which the teller says why an object was not written.
    pub fn tell_unwritten(&mut self, cluster: &ClusterId, teller: &ObjectKey, why: &str) {
        for report in &mut self.reports {
            if let Report::Route(report) = report
                && (&report.subject.cluster, &report.subject.object) == (cluster, teller)
            {
                report.unwritten = Some(why.to_owned());
            }
        }
    }
}

fn read_of(cluster: &ClusterId, key: &ObjectKey) -> Read {
    let ObjectKey { kind, namespace, name } = key.clone();
    Read::Get { cluster: cluster.clone(), kind, namespace, name }
}

/// What is known of an object that the cluster may not have, and whose kind it need not serve.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Known<'a> {
    /// Nobody has asked, or it was not told.
    Nothing,
    /// The cluster does not serve the kind, or lets nobody read it.
    NotServed,
    /// It is not there.
    Missing,
    /// It is there.
    There(&'a Value),
}

pub(crate) fn known<'a>(snapshot: &'a Snapshot, cluster: &ClusterId, key: &ObjectKey) -> Known<'a> {
    if snapshot.unreadable.contains_key(cluster) {
        return Known::Nothing;
    }
    if snapshot.kinds_missing.contains(&(cluster.clone(), key.kind)) {
        return Known::NotServed;
    }
    match snapshot.get(cluster, key.kind, &key.namespace, &key.name) {
        Some(object) => Known::There(object),
        None if snapshot.has_answer(&read_of(cluster, key)) => Known::Missing,
        None => Known::Nothing,
    }
}

/// Kinds that a cluster need not serve, nor let us read: what is made of them is for who wants it.
pub const OPTIONAL_KINDS: [Kind; 1] = [Kind::DNSEndpoint];
