use crate::{
    ClusterClient, KubeError,
    error::Asked,
    resource::{can_be_a_name, collection, is_namespaced},
};
use kube::api::{GetParams, ListParams};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use trellis_gateway::Read;
use trellis_hint::Kind;

/// Objects in a page of a list: what the API server's own clients use. It bounds an answer, not the list.
pub const PAGE_OBJECTS: u32 = 500;

/// The most pages of one list: 20,000 objects, far more than VPC Lattice's quotas let one account use. A list beyond it
/// is not cut but refused, because a missing object would count as deleted.
pub const PAGES_MAX: usize = 40;

/// How often a list is begun anew after its continue token expired (410; etcd forgets old revisions after 5 minutes).
const RESTARTS_MAX: usize = 1;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Page {
    #[serde(default)]
    api_version: String,
    #[serde(default)]
    metadata: PageMetadata,
    /// May be null, but an answer without it is no list: taking it for an empty one would delete what is there.
    #[serde(deserialize_with = "Option::deserialize")]
    items: Option<Vec<Map<String, Value>>>,
}

#[derive(Deserialize, Default)]
struct PageMetadata {
    #[serde(default, rename = "continue")]
    next: Option<String>,
}

/// What of a kind is listed.
#[derive(Debug, Clone, Copy)]
struct Selection<'a> {
    kind: Kind,
    namespace: Option<&'a str>,
    name: Option<&'a str>,
    service: Option<&'a str>,
}

impl ClusterClient {
    /// Answers a read. Never stale: the API server reads what is stored. A missing object is no error.
    ///
    /// Objects come as the server gave them, without `metadata.managedFields` (half of an object's bytes, of no use here), and
    /// Pods with their readiness alone.
    pub async fn try_read(&self, read: &Read) -> Result<Vec<Value>, KubeError> {
        match read {
            Read::Get { kind, namespace, name, .. } => {
                Ok(self.get(*kind, namespace, name).await?.into_iter().collect())
            }
            Read::List { kind, namespace, name, service, .. } => {
                let selection = Selection {
                    kind: *kind,
                    namespace: namespace.as_deref().filter(|_| is_namespaced(*kind)),
                    name: name.as_deref(),
                    service: service.as_deref(),
                };
                self.list(selection).await
            }
        }
    }

    async fn get(&self, kind: Kind, namespace: &str, name: &str) -> Result<Option<Value>, KubeError> {
        let namespace = is_namespaced(kind).then_some(namespace);
        if !can_be_a_name(name) || !namespace.is_none_or(can_be_a_name) {
            // No object can have that name, so none has it.
            return Ok(None);
        }
        let build = |resource: &kube::core::ApiResource| {
            collection(resource, namespace).get(name, &GetParams::default())
        };
        match self.ask(kind, Asked::new("get", kind), Some(name), &build).await {
            Ok(body) => Ok(Some(slim(kind, object_named(name, &body)?))),
            Err(KubeError::Missing) => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn list(&self, selection: Selection<'_>) -> Result<Vec<Value>, KubeError> {
        let Selection { namespace, name, service, .. } = selection;
        if ![namespace, name, service].into_iter().flatten().all(can_be_a_name) {
            return Ok(Vec::new());
        }
        let mut restarts = 0;
        loop {
            match self.list_once(selection).await {
                Err(KubeError::Refused { code: 410, .. }) if restarts < RESTARTS_MAX => restarts += 1,
                result => return result,
            }
        }
    }

    async fn list_once(&self, selection: Selection<'_>) -> Result<Vec<Value>, KubeError> {
        let asked = Asked::new("list", selection.kind);
        let mut parameters = list_parameters(selection);
        let mut objects = Vec::new();
        for _ in 0..PAGES_MAX {
            let build = |resource: &kube::core::ApiResource| {
                collection(resource, selection.namespace).list(&parameters)
            };
            let body = self.ask(selection.kind, asked, None, &build).await?;
            let page: Page = serde_json::from_slice(&body).map_err(KubeError::Answer)?;
            let items = page.items.unwrap_or_default().into_iter();
            objects.extend(items.map(|item| with_type(item, &page.api_version, selection.kind)));
            match page.metadata.next.filter(|next| !next.is_empty()) {
                Some(next) => parameters = parameters.continue_token(&next),
                None => return Ok(objects),
            }
        }
        let objects_max = PAGES_MAX * PAGE_OBJECTS as usize;
        Err(KubeError::TooMany { objects_max, resource: asked.rbac_resource() })
    }
}

/// The object in an answer. An object of another name would leave the one that was asked for as missing, and so deleted.
fn object_named(name: &str, body: &[u8]) -> Result<Value, KubeError> {
    let object: Value = serde_json::from_slice(body).map_err(KubeError::Answer)?;
    let got = object.pointer("/metadata/name").and_then(Value::as_str);
    if got == Some(name) {
        return Ok(object);
    }
    let wrong = format!("asked for {name:?}, got {got:?}");
    Err(KubeError::Answer(serde::de::Error::custom(wrong)))
}

/// No resourceVersion is asked for, which makes the list consistent: it shows everything stored before the request.
fn list_parameters(selection: Selection<'_>) -> ListParams {
    let mut parameters = ListParams::default().limit(PAGE_OBJECTS);
    if let Some(name) = selection.name {
        parameters = parameters.fields(&format!("metadata.name={name}"));
    }
    if let Some(service) = selection.service {
        parameters = parameters.labels(&format!("kubernetes.io/service-name={service}"));
    }
    parameters
}

/// Items of built-in kinds come without `apiVersion` and `kind`, which the list has once for all.
fn with_type(mut item: Map<String, Value>, api_version: &str, kind: Kind) -> Value {
    item.entry("apiVersion").or_insert_with(|| api_version.into());
    item.entry("kind").or_insert_with(|| kind.as_str().into());
    slim(kind, Value::Object(item))
}

/// The object without `metadata.managedFields`; of what has a status that tells of each change, the time of the last one stays. Of a Pod only its readiness stays, before anything else sees it: the rest is
/// large, and its environment may hold what nobody here is to know.
fn slim(kind: Kind, mut object: Value) -> Value {
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        let fields = metadata.shift_remove("managedFields");
        let changed =
            fields.as_ref().and_then(changed_at).filter(|_| kind.is_route() || kind == Kind::ServiceExport);
        if let Some(time) = changed {
            metadata.insert("managedFields".to_owned(), json!([{"time": time}]));
        }
    }
    if kind == Kind::Pod {
        keep(&mut object, "/metadata", &POD_METADATA);
        keep(&mut object, "/spec", &["readinessGates"]);
        keep(&mut object, "/status", &["conditions"]);
    }
    object
}

/// When the object was last written, statuses aside.
fn changed_at(managed_fields: &Value) -> Option<&str> {
    let entries = managed_fields.as_array()?.iter().filter(|entry| entry.get("subresource").is_none());
    // All are of one form (RFC 3339, UTC, seconds), whose order as text is that of time.
    entries.filter_map(|entry| entry.get("time").and_then(Value::as_str)).max()
}

/// What of a Pod's metadata is read.
const POD_METADATA: [&str; 6] =
    ["name", "namespace", "uid", "resourceVersion", "generation", "deletionTimestamp"];

fn keep(object: &mut Value, pointer: &str, members: &[&str]) {
    if let Some(all) = object.pointer_mut(pointer).and_then(Value::as_object_mut) {
        all.retain(|member, _| members.contains(&member.as_str()));
    }
}
