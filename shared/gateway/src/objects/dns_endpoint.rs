//! The DNSEndpoint of a route, of which ExternalDNS makes DNS records: a custom domain then leads to its service.
//!
//! | the route | its DNSEndpoint, `<route>-dns` |
//! |---|---|
//! | has hostnames whose services have domain names | has a CNAME record for each |
//! | is reached by a VPC endpoint alone, since all its Gateways ask for that | has the endpoint's domain name for the service in each |
//! | the service of a hostname has no domain name yet, or the endpoint none for it | keeps what it has of that hostname |
//! | is held, or waits for a service | stays as it is |
//! | has a service for the grace that it does not want any more | keeps what it has of that hostname |
//! | has no hostname any more, or no Gateway of ours that takes it | is deleted |
//! | is gone | is deleted by Kubernetes, since the route owns it |
//! | finds an object of that name that is not ours | leaves it alone, and says so |
//! | is in a cluster without ExternalDNS' CRD, or without our role for it | has none |
//!
//! Name, record and owner reference are those of the AWS Gateway API Controller. What is ours bears a label with the
//! installation's name.

use super::{Act, Known, ObjectChange, known};
use crate::report::{Condition, RouteReport, Serving};
use crate::snapshot::ObjectKey;
use crate::status::endpoint_names::{Way, way};
use crate::status::{Context, domain_name};
use crate::{api, conditions, reasons};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use trellis_hint::Kind;
use trellis_lattice::Mode;

/// Seconds that a resolver may keep a record: the AWS Gateway API Controller's.
const TTL: i64 = 300;

/// The longest name of an object.
const NAME_CHARS_MAX: usize = 253;

/// The label that marks what is ours, with the installation's name.
const OWNER_LABEL: &str = "trellis/owner";

/// The label by which people find what a program made.
const MANAGED_BY_LABEL: &str = "app.kubernetes.io/managed-by";

/// The DNSEndpoint of a route; none for a name that is too long for one.
pub(crate) fn key_of(route: &ObjectKey) -> Option<ObjectKey> {
    let name = format!("{}-dns", route.name);
    let namespace = route.namespace.clone();
    (name.len() <= NAME_CHARS_MAX).then_some(ObjectKey { kind: Kind::DNSEndpoint, namespace, name })
}

/// What is due.
pub(crate) fn change(context: &Context, report: &RouteReport) -> Option<ObjectChange> {
    let subject = &report.subject;
    let key = key_of(&subject.object)?;
    let desired = context.translation.desired.as_ref()?;
    let installation = &desired.owner.installation;
    let act = match known(context.snapshot, &subject.cluster, &key) {
        Known::Nothing | Known::NotServed => return None,
        Known::Missing => {
            let Wish { endpoints, .. } = wish(context, report, None);
            let owner = owner_reference(context, report)?;
            (!endpoints.is_empty()).then(|| Act::Create(whole(&key, installation, &owner, &endpoints)))?
        }
        Known::There(object) if api::is_terminating(object) => return None,
        Known::There(object) if !is_ours(object, installation, &subject.object) => return None,
        Known::There(object) => {
            let meta = api::meta(object);
            let (uid, resource_version) = (meta.uid.clone(), meta.resource_version.clone());
            let wish = wish(context, report, Some(object));
            if !wish.endpoints.is_empty() {
                let owner = owner_reference(context, report)?;
                let patch = patch(object, &meta, installation, owner, wish.endpoints)?;
                Act::Patch { resource_version, patch }
            } else if wish.is_open || desired.mode != Mode::Sync {
                return None;
            } else {
                Act::Delete { uid, resource_version }
            }
        }
    };
    Some(ObjectChange { cluster: subject.cluster.clone(), key, act, teller: Some(subject.object.clone()) })
}

/// What a route's status says of a DNSEndpoint that it should have and has not; none where all is well. `told` is what it says
/// now: that stands until it is known to be so no longer.
pub(crate) fn condition(
    context: &Context,
    report: &RouteReport,
    told: Option<Condition>,
) -> Option<Condition> {
    let subject = &report.subject;
    let no = |reason, text: String| Some(Condition::no(conditions::DNS_ENDPOINT, reason, text));
    let Some(desired) = &context.translation.desired else { return told };
    let Some(key) = key_of(&subject.object) else {
        let is_wanted = !wish(context, report, None).endpoints.is_empty();
        let text = "The route's name is too long for a DNSEndpoint, whose name would have more than 253 characters: make \
                    the DNS record yourself";
        return is_wanted.then(|| Condition::no(conditions::DNS_ENDPOINT, reasons::NOT_WRITTEN, text));
    };
    match known(context.snapshot, &subject.cluster, &key) {
        Known::Nothing => told,
        Known::NotServed => None,
        Known::There(object) if !is_ours(object, &desired.owner.installation, &subject.object) => {
            if wish(context, report, None).endpoints.is_empty() {
                return None;
            }
            no(reasons::CONFLICTED, in_the_way(object, &key, &desired.owner.installation))
        }
        Known::Missing | Known::There(_) => match &report.unwritten {
            Some(why) => no(reasons::NOT_WRITTEN, why.clone()),
            None => told.filter(|_| change(context, report).is_some()),
        },
    }
}

/// What a route's DNSEndpoint is to have.
struct Wish {
    /// In the order of their names, each name once.
    endpoints: Vec<Value>,
    /// Whether there will be more.
    is_open: bool,
}

fn wish(context: &Context, report: &RouteReport, old: Option<&Value>) -> Wish {
    let before = old.and_then(|old| old.pointer("/spec/endpoints")).and_then(Value::as_array);
    let before = before.map(Vec::as_slice).unwrap_or_default();
    let kept_of = |hostname: &str| before.iter().find(|one| text(one, "dnsName") == Some(hostname)).cloned();
    let (mut all, mut is_open) = (BTreeMap::new(), false);
    for serving in &report.services {
        let Some(hostname) = serving.domain() else { continue };
        let kept = || kept_of(hostname);
        let endpoint = if let Some(target) = target(context, report, serving) {
            Some(endpoint(hostname, &target))
        } else {
            is_open = true;
            kept()
        };
        // A hostname has several services where the route answers differently in several networks. A DNS name has one
        // record, and any will do: VPC Lattice chooses the service by the hostname, in the network that a request comes by.
        if let Some(endpoint) = endpoint {
            all.entry(hostname.to_owned()).or_insert(endpoint);
        }
    }
    for hostname in &context.translation.staying {
        if let Some(endpoint) = kept_of(hostname) {
            all.entry(hostname.clone()).or_insert(endpoint);
        }
    }
    Wish { endpoints: all.into_values().collect(), is_open }
}

/// Where a hostname is to lead to, as the cluster's VPC reaches the service; none while that is not known.
fn target(context: &Context, report: &RouteReport, serving: &Serving) -> Option<String> {
    let own = domain_name(context, report, serving)?;
    match way(context, report, serving, &own) {
        Way::OwnName => Some(own),
        Way::Endpoint(name) => Some(name),
        Way::Unknown => None,
    }
}

fn endpoint(hostname: &str, target: &str) -> Value {
    json!({"dnsName": hostname, "recordType": "CNAME", "recordTTL": TTL, "targets": [target]})
}

fn whole(key: &ObjectKey, installation: &str, owner: &Value, endpoints: &[Value]) -> Value {
    json!({
        "apiVersion": "externaldns.k8s.io/v1alpha1",
        "kind": Kind::DNSEndpoint.as_str(),
        "metadata": {
            "name": key.name,
            "namespace": key.namespace,
            "labels": labels(installation),
            "ownerReferences": [owner],
        },
        "spec": {"endpoints": endpoints},
    })
}

fn labels(installation: &str) -> Value {
    json!({MANAGED_BY_LABEL: "trellis", OWNER_LABEL: installation})
}

/// What is to be changed of an object; none if it is as it should be.
fn patch(
    object: &Value,
    meta: &api::Meta,
    installation: &str,
    owner: Value,
    endpoints: Vec<Value>,
) -> Option<Value> {
    let mut patch = json!({});
    let endpoints = Value::Array(endpoints);
    if object.pointer("/spec/endpoints") != Some(&endpoints) {
        patch["spec"]["endpoints"] = endpoints;
    }
    let label = |name: &str| meta.labels.as_ref().and_then(|labels| labels.get(name)).map(String::as_str);
    if label(MANAGED_BY_LABEL) != Some("trellis") || label(OWNER_LABEL) != Some(installation) {
        patch["metadata"]["labels"] = labels(installation);
    }
    let owners = owners(object);
    if !owners.contains(&&owner) {
        // One of the same name was the route before it was made anew: Kubernetes would delete the object with it.
        let is_namesake = |one: &Value| {
            text(one, "kind") == text(&owner, "kind") && text(one, "name") == text(&owner, "name")
        };
        let mut all: Vec<Value> = owners.into_iter().filter(|one| !is_namesake(one)).cloned().collect();
        all.push(owner);
        patch["metadata"]["ownerReferences"] = Value::Array(all);
    }
    patch.as_object().is_some_and(|members| !members.is_empty()).then_some(patch)
}

/// Whether an object bears our mark, and no other object is in charge of it.
fn is_ours(object: &Value, installation: &str, route: &ObjectKey) -> bool {
    let is_route = |one: &Value| {
        text(one, "kind") == Some(route.kind.as_str()) && text(one, "name") == Some(route.name.as_str())
    };
    is_marked(object, installation) && in_charge(object).all(is_route)
}

fn is_marked(object: &Value, installation: &str) -> bool {
    let labels = api::meta(object).labels;
    labels.and_then(|mut labels| labels.remove(OWNER_LABEL)).as_deref() == Some(installation)
}

/// The owners that are in charge of an object; Kubernetes allows one.
fn in_charge(object: &Value) -> impl Iterator<Item = &Value> {
    owners(object).into_iter().filter(|one| one.get("controller").and_then(Value::as_bool) == Some(true))
}

/// Why an object of the name that is not the route's is left alone, and the remedy.
fn in_the_way(object: &Value, key: &ObjectKey, installation: &str) -> String {
    let ObjectKey { namespace, name, .. } = key;
    let owner = in_charge(object).find_map(|one| Some((text(one, "kind")?, text(one, "name")?)));
    match owner.filter(|_| is_marked(object, installation)) {
        // A route of another kind and the same name has the same one.
        Some((kind, owner)) => format!(
            "DNSEndpoint {namespace}/{name} is that of {kind} {namespace}/{owner}; give one of the two another name, or make \
             the DNS record yourself"
        ),
        None => format!(
            "DNSEndpoint {namespace}/{name} is somebody else's and stays as it is; delete it, or give it the label \
             {OWNER_LABEL}={installation}, and the route's records are kept in it"
        ),
    }
}

fn owners(object: &Value) -> Vec<&Value> {
    let all = object.pointer("/metadata/ownerReferences").and_then(Value::as_array);
    all.into_iter().flatten().collect()
}

/// The reference that makes the route the object's owner.
fn owner_reference(context: &Context, report: &RouteReport) -> Option<Value> {
    let key = &report.subject.object;
    let route = context.snapshot.get(&report.subject.cluster, key.kind, &key.namespace, &key.name)?;
    Some(json!({
        "apiVersion": text(route, "apiVersion")?,
        "kind": key.kind.as_str(),
        "name": key.name,
        "uid": route.pointer("/metadata/uid")?.as_str()?,
        "controller": true,
    }))
}

fn text<'a>(object: &'a Value, member: &str) -> Option<&'a str> {
    object.get(member)?.as_str()
}
