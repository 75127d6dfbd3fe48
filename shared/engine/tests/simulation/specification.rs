//! What routes ask for, read from the objects as the Gateway API words it and not as the product reads them.

use crate::answers::{Answer, Scheme};
use crate::sim::State;
use serde_json::Value;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use trellis_gateway::{CONTROLLER, ObjectKey};
use trellis_hint::Kind;

/// What a listener of a Gateway and a route have in common, where the route's status says that its parent takes it.
#[derive(Debug, Clone)]
pub(crate) struct Attached<'a> {
    pub(crate) cluster: &'a str,
    pub(crate) key: &'a ObjectKey,
    pub(crate) route: &'a Value,
    /// The Gateway's name, which is its service network's.
    pub(crate) network: String,
    pub(crate) port: u16,
    pub(crate) scheme: Scheme,
    /// Hostnames that both have; none: whatever names the service has.
    pub(crate) hostnames: Vec<String>,
    /// The domain names that the status tells.
    pub(crate) names: Vec<String>,
    pub(crate) is_programmed: bool,
}

/// One match of a route.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Match {
    pub(crate) exact: bool,
    pub(crate) path: String,
    pub(crate) method: Option<String>,
    pub(crate) headers: BTreeMap<String, String>,
}

/// A match of an attached route, with the place of its rule.
pub(crate) type Candidate<'a, 'b> = (&'b Attached<'a>, usize, Match);

/// Every listener that takes a route, in all clusters whose statuses are told.
pub(crate) fn attached(state: &State) -> Vec<Attached<'_>> {
    let mut all = vec![];
    for (cluster, server) in state.clusters.iter().filter(|(_, server)| !server.leaving) {
        for (key, route) in server.objects.iter().filter(|(key, _)| key.kind.is_route()) {
            for parent in route.pointer("/status/parents").and_then(Value::as_array).into_iter().flatten() {
                if parent["controllerName"] == CONTROLLER && condition(parent, "Accepted")["status"] == "True"
                {
                    all.extend(of_parent(state, cluster, key, route, parent));
                }
            }
        }
    }
    all
}

fn condition<'a>(parent: &'a Value, kind: &str) -> &'a Value {
    let mut conditions = parent["conditions"].as_array().into_iter().flatten();
    conditions.find(|one| one["type"] == kind).unwrap_or(&Value::Null)
}

fn of_parent<'a>(
    state: &'a State,
    cluster: &'a str,
    key: &'a ObjectKey,
    route: &'a Value,
    parent: &Value,
) -> Vec<Attached<'a>> {
    let reference = &parent["parentRef"];
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let (network, namespace) = (text(&reference["name"]), key.namespace.clone());
    let gateway = ObjectKey { kind: Kind::Gateway, namespace, name: network.clone() };
    let Some(gateway) = state.clusters[cluster].objects.get(&gateway) else { return vec![] };
    let message = text(&condition(parent, "Accepted")["message"]);
    let names: Vec<String> = message
        .strip_prefix("DNS Name: ")
        .map(|names| names.split(", ").map(str::to_owned).collect())
        .unwrap_or_default();
    let is_programmed = condition(parent, "Programmed")["status"] == "True";
    let is_meant = |listener: &&Value| {
        let section = reference.get("sectionName").filter(|section| !section.is_null());
        let port = reference.get("port").filter(|port| !port.is_null());
        section.is_none_or(|section| listener["name"] == *section)
            && port.is_none_or(|port| listener["port"] == *port)
    };
    let listeners = gateway["spec"]["listeners"].as_array().into_iter().flatten().filter(is_meant);
    let wanted: Vec<String> = route["spec"]["hostnames"].as_array().into_iter().flatten().map(text).collect();
    let attached = |listener: &Value| {
        let own = listener["hostname"].as_str().map(str::to_owned);
        let hostnames = match own {
            Some(own) if wanted.is_empty() => vec![own],
            Some(own) => wanted.iter().filter(|one| **one == own).cloned().collect(),
            None => wanted.clone(),
        };
        let port = listener["port"].as_u64().and_then(|port| u16::try_from(port).ok())?;
        let scheme = match (key.kind, listener["protocol"].as_str()?) {
            (Kind::TLSRoute, "TLS") => Scheme::Tls,
            (Kind::HTTPRoute, "HTTP") => Scheme::Http,
            (Kind::HTTPRoute | Kind::GRPCRoute, "HTTPS") => Scheme::Https,
            // VPC Lattice knows gRPC by HTTPS only.
            _ => return None,
        };
        // A listener of another hostname takes nothing of the route.
        (wanted.is_empty() || !hostnames.is_empty()).then(|| Attached {
            cluster,
            key,
            route,
            network: network.clone(),
            port,
            scheme,
            hostnames,
            names: names.clone(),
            is_programmed,
        })
    };
    listeners.filter_map(attached).collect()
}

/// The matches of a route, with the places of their rules.
pub(crate) fn matches(route: &Value) -> Vec<(usize, Match)> {
    let mut all = vec![];
    for (at, rule) in route["spec"]["rules"].as_array().into_iter().flatten().enumerate() {
        let matches = rule["matches"].as_array().cloned().unwrap_or_default();
        let matches = if matches.is_empty() { vec![Value::Null] } else { matches };
        all.extend(matches.iter().map(|one| (at, matched(one))));
    }
    all
}

fn matched(one: &Value) -> Match {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let is_call = one.get("method").is_some_and(Value::is_object);
    let headers = one["headers"].as_array().into_iter().flatten();
    let header = |header: &Value| Some((text(&header["name"])?, text(&header["value"])?));
    let headers = headers.filter_map(header).collect();
    if is_call {
        // A call is a POST of /service/method.
        let (service, method) = (text(&one["method"]["service"]), text(&one["method"]["method"]));
        let service = service.map(|service| format!("/{service}")).unwrap_or_default();
        let path = method.as_ref().map_or(service.clone(), |method| format!("{service}/{method}"));
        return Match { exact: method.is_some(), path, method: Some("POST".to_owned()), headers };
    }
    Match {
        exact: one["path"]["type"] == "Exact",
        path: text(&one["path"]["value"]).unwrap_or_else(|| "/".to_owned()),
        method: text(&one["method"]),
        headers,
    }
}

impl Match {
    fn fits(&self, path: &str, method: &str, headers: &BTreeMap<String, String>) -> bool {
        let trimmed = self.path.trim_end_matches('/');
        let is_path = if self.exact {
            path == self.path
        } else {
            path.strip_prefix(trimmed).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        is_path
            && self.method.as_deref().is_none_or(|one| one == method)
            && self.headers.iter().all(|(name, value)| headers.get(name) == Some(value))
    }

    fn specificity(&self) -> (bool, usize, bool, usize) {
        let prefix = if self.exact { 0 } else { self.path.trim_end_matches('/').len() };
        (self.exact, prefix, self.method.is_some(), self.headers.len())
    }
}

/// Who answers by the specification: of all matches that fit the most specific, then the oldest route's, then by name, then
/// the first.
pub(crate) fn winner<'a, 'b>(
    routes: &[&'b Attached<'a>],
    path: &str,
    method: &str,
    headers: &BTreeMap<String, String>,
) -> Option<Candidate<'a, 'b>> {
    let all =
        routes.iter().flat_map(|one| matches(one.route).into_iter().map(|(at, matched)| (*one, at, matched)));
    let fitting = all.filter(|(_, _, matched)| matched.fits(path, method, headers));
    fitting.min_by_key(|(one, at, matched)| {
        let created = one.route["metadata"]["creationTimestamp"].as_str().unwrap_or_default();
        (
            Reverse(matched.specificity()),
            created.to_owned(),
            one.key.namespace.clone(),
            one.key.name.clone(),
            *at,
        )
    })
}

/// The answer that a rule of a route asks for: the ready addresses of each backend by its share. Backends that lead nowhere
/// leave their shares to the others, which ARCHITECTURE.md tells of; where there is none, 500.
pub(crate) fn answer(state: &State, cluster: &str, key: &ObjectKey, route: &Value, rule: usize) -> Answer {
    let mut shares: Vec<(f64, Vec<BTreeSet<String>>)> = vec![];
    for backend in route["spec"]["rules"][rule]["backendRefs"].as_array().into_iter().flatten() {
        let weight = backend.get("weight").and_then(Value::as_f64).unwrap_or(1.0);
        let pools = if backend["kind"] == "ServiceImport" {
            of_import(state, cluster, &key.namespace, backend)
        } else {
            of_service(state, cluster, key, backend).into_iter().collect()
        };
        if weight > 0.0 && !pools.is_empty() {
            shares.push((weight, pools));
        }
    }
    let sum: f64 = shares.iter().map(|(weight, _)| weight).sum();
    if shares.is_empty() {
        return Answer::Fixed(500);
    }
    let mut all = BTreeMap::new();
    for (weight, pools) in shares {
        #[expect(clippy::cast_precision_loss, reason = "a few")]
        let each = weight * 100.0 / sum / pools.len() as f64;
        for pool in pools {
            *all.entry(pool).or_default() += each;
        }
    }
    Answer::From(all)
}

fn of_service(state: &State, cluster: &str, route: &ObjectKey, backend: &Value) -> Option<BTreeSet<String>> {
    let namespace = backend.get("namespace").and_then(Value::as_str).unwrap_or(&route.namespace);
    if namespace != route.namespace && !is_granted(state, cluster, &route.namespace, namespace) {
        return None;
    }
    pool(state, cluster, namespace, backend["name"].as_str()?, &backend["port"])
}

fn is_granted(state: &State, cluster: &str, from: &str, to: &str) -> bool {
    let grants = state.clusters[cluster].objects.iter().filter(|(key, _)| key.kind == Kind::ReferenceGrant);
    let mut of_namespace = grants.filter(|(key, _)| key.namespace == to);
    of_namespace.any(|(_, grant)| {
        let mut from_all = grant["spec"]["from"].as_array().into_iter().flatten();
        from_all.any(|one| one["namespace"] == from && one["kind"] == "HTTPRoute")
    })
}

/// The addresses in each cluster that exports the import, as far as it has endpoints; in all of them where none has any.
fn of_import(state: &State, cluster: &str, namespace: &str, backend: &Value) -> Vec<BTreeSet<String>> {
    let Some(name) = backend["name"].as_str() else { return vec![] };
    let key = |kind| ObjectKey { kind, namespace: namespace.to_owned(), name: name.to_owned() };
    if !state.clusters[cluster].objects.contains_key(&key(Kind::ServiceImport)) {
        return vec![];
    }
    let staying = state.clusters.iter().filter(|(_, server)| !server.leaving);
    let exporting = staying.filter(|(_, server)| {
        let federation = "application-networking.k8s.aws/federation";
        let export = server.objects.get(&key(Kind::ServiceExport));
        export.is_some_and(|export| export["metadata"]["annotations"][federation] == "amazon-vpc-lattice")
    });
    let of = |(other, _): (&String, _)| ready(state, other, namespace, name, &backend["port"]);
    let mut pools: Vec<BTreeSet<String>> = exporting.filter_map(of).collect();
    if pools.iter().any(|pool| !pool.is_empty()) {
        pools.retain(|pool| !pool.is_empty());
    }
    pools.into_iter().map(|pool| taken(state, pool)).collect()
}

/// The ready addresses of a Service that VPC Lattice takes; none if the Service is not there or has no such port.
fn pool(
    state: &State,
    cluster: &str,
    namespace: &str,
    service: &str,
    port: &Value,
) -> Option<BTreeSet<String>> {
    Some(taken(state, ready(state, cluster, namespace, service, port)?))
}

fn taken(state: &State, addresses: BTreeSet<String>) -> BTreeSet<String> {
    addresses.into_iter().filter(|ip| !state.account.refuses(ip)).collect()
}

/// The ready addresses of a Service.
fn ready(
    state: &State,
    cluster: &str,
    namespace: &str,
    service: &str,
    port: &Value,
) -> Option<BTreeSet<String>> {
    let objects = &state.clusters[cluster].objects;
    let key = ObjectKey { kind: Kind::Service, namespace: namespace.to_owned(), name: service.to_owned() };
    let mut ports = objects.get(&key)?["spec"]["ports"].as_array().into_iter().flatten();
    ports.find(|one| one["port"] == *port)?;
    let of_service = objects.iter().filter(|(key, slice)| {
        key.kind == Kind::EndpointSlice
            && key.namespace == namespace
            && slice["metadata"]["labels"]["kubernetes.io/service-name"] == service
    });
    let endpoints = of_service.flat_map(|(_, slice)| slice["endpoints"].as_array().into_iter().flatten());
    let ready = endpoints.filter(|endpoint| endpoint["conditions"]["ready"] == true);
    let addresses = ready.filter_map(|endpoint| endpoint["addresses"][0].as_str().map(str::to_owned));
    Some(addresses.collect())
}
