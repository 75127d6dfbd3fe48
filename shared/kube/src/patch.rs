use crate::{
    ClusterClient, KubeError,
    error::Asked,
    resource::{can_be_a_name, collection, is_namespaced},
};
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};
use trellis_hint::Kind;
use trellis_ports::PatchOutcome;

/// The status to write to one object.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StatusChange<'a> {
    /// The object's kind.
    pub kind: Kind,
    /// The object's namespace; empty for a cluster-scoped kind.
    pub namespace: &'a str,
    /// The object's name.
    pub name: &'a str,
    /// `metadata.resourceVersion` of the object from which the status was made.
    pub resource_version: &'a str,
    /// The members of `status` to set: objects are merged member by member, lists are replaced whole, null removes.
    pub status: &'a Value,
}

impl ClusterClient {
    /// Writes an object's status by a JSON merge patch of its status subresource, which needs the verb `patch` on
    /// `…/status` and nothing else.
    pub async fn patch_status(&self, change: &StatusChange<'_>) -> Result<PatchOutcome, KubeError> {
        let StatusChange { kind, namespace, name, resource_version, status } = *change;
        let namespace = is_namespaced(kind).then_some(namespace);
        if !can_be_a_name(name) || !namespace.is_none_or(can_be_a_name) {
            return Ok(PatchOutcome::Gone);
        }
        // The API server compares a resourceVersion inside the patch with the stored one.
        let patch = Patch::Merge(json!({
            "metadata": {"resourceVersion": resource_version},
            "status": status,
        }));
        let build = |resource: &kube::core::ApiResource| {
            collection(resource, namespace).patch_subresource("status", name, &PatchParams::default(), &patch)
        };
        let asked = Asked { subresource: Some("status"), ..Asked::new("patch", kind) };
        match self.ask(kind, asked, Some(name), &build).await {
            Ok(_) => Ok(PatchOutcome::Patched),
            Err(KubeError::Conflict) => Ok(PatchOutcome::Conflict),
            Err(KubeError::Missing) => Ok(PatchOutcome::Gone),
            Err(error) => Err(error),
        }
    }
}
