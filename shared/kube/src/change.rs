use crate::{
    ClusterClient, KubeError,
    error::Asked,
    resource::{can_be_a_name, collection, is_namespaced},
};
use kube::api::{DeleteParams, Patch, PatchParams, PostParams, Preconditions};
use trellis_gateway::{Act, ObjectChange};
use trellis_ports::PatchOutcome;

/// Who sets the fields, in `metadata.managedFields`.
const FIELD_MANAGER: &str = "trellis";

impl ClusterClient {
    /// Makes, changes or deletes an object. One that is another than the change was made for is a conflict: it stays.
    pub async fn try_change(&self, change: &ObjectChange) -> Result<PatchOutcome, KubeError> {
        let key = &change.key;
        let namespace = is_namespaced(key.kind).then_some(key.namespace.as_str());
        if !can_be_a_name(&key.name) || !namespace.is_none_or(can_be_a_name) {
            return Ok(PatchOutcome::Gone);
        }
        let name = match &change.act {
            Act::Create(_) => None,
            Act::Patch { .. } | Act::Delete { .. } => Some(key.name.as_str()),
        };
        let build = |resource: &kube::core::ApiResource| request(change, &collection(resource, namespace));
        let asked = Asked::new(change.act.verb(), key.kind);
        match self.ask(key.kind, asked, name, &build).await {
            Ok(_) => Ok(PatchOutcome::Patched),
            Err(KubeError::Conflict) => Ok(PatchOutcome::Conflict),
            Err(KubeError::Missing) => Ok(PatchOutcome::Gone),
            Err(error) => Err(error),
        }
    }
}

fn request(
    change: &ObjectChange,
    collection: &kube::core::Request,
) -> Result<http::Request<Vec<u8>>, kube::core::request::Error> {
    let name = &change.key.name;
    let field_manager = Some(FIELD_MANAGER.to_owned());
    match &change.act {
        Act::Create(object) => {
            let parameters = PostParams { field_manager, ..PostParams::default() };
            let body = serde_json::to_vec(object).map_err(kube::core::request::Error::SerializeBody)?;
            collection.create(&parameters, body)
        }
        Act::Patch { resource_version, patch } => {
            let mut patch = patch.clone();
            // The API server compares a resourceVersion inside the patch with the stored one.
            patch["metadata"]["resourceVersion"] = resource_version.as_str().into();
            let parameters = PatchParams { field_manager, ..PatchParams::default() };
            collection.patch(name, &parameters, &Patch::Merge(patch))
        }
        Act::Delete { uid, resource_version } => {
            let (uid, resource_version) = (Some(uid.clone()), Some(resource_version.clone()));
            let preconditions = Some(Preconditions { uid, resource_version });
            collection.delete(name, &DeleteParams { preconditions, ..DeleteParams::default() })
        }
    }
}
