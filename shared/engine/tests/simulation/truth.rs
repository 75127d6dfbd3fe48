//! What a calm world must look like, told from what is stored and not from what the engine thinks.

use crate::api::{ApiServer, Outage};
use crate::objects::{SCOPE, owner};
use crate::run::{INSTALLATION, settings};
use crate::sim::State;
use serde_json::Value;
use std::collections::BTreeSet;
use trellis_gateway::{CONTROLLER, Read, ReadResult, Snapshot, wants_everything};
use trellis_hint::{Kind, UnitKey};
use trellis_lattice::{Ownership, Status, TargetHealth};

/// Everything that all clusters hold, those too that cannot be asked.
pub(crate) fn snapshot(state: &State) -> Snapshot {
    of(state, |_| true)
}

/// Everything that the registered clusters hold, those too that cannot be asked.
pub(crate) fn snapshot_of_registered(state: &State) -> Snapshot {
    of(state, |cluster| !matches!(cluster.outage, Some((Outage::Unregistered, _))))
}

fn of(state: &State, counts: impl Fn(&ApiServer) -> bool) -> Snapshot {
    let clusters = state.clusters.values().filter(|cluster| counts(cluster));
    let mut snapshot = Snapshot::of(clusters.map(|cluster| cluster.facts.clone()));
    for read in wants_everything(&snapshot) {
        let Read::List { cluster, kind, .. } = &read else { continue };
        let objects = state.clusters[&cluster.name].objects.iter().filter(|(key, _)| key.kind == *kind);
        let objects = objects.map(|(_, object)| object.clone()).collect();
        snapshot.insert(read, ReadResult::Objects(objects));
    }
    snapshot
}

/// The units of all objects.
pub(crate) fn units(state: &State) -> Vec<UnitKey> {
    trellis_gateway::units(&snapshot(state)).into_keys().collect()
}

/// Every condition of ours is of the object's present generation, and what a route that says it is programmed names is
/// there: its network, and its Services' ready addresses as targets.
pub(crate) fn holds(state: &State) -> Result<(), String> {
    for (name, cluster) in &state.clusters {
        for (key, object) in &cluster.objects {
            let what = format!("{} {}/{} of {name}", key.kind, key.namespace, key.name);
            if key.kind.is_policy() {
                policy_holds(state, object).map_err(|why| format!("{what}: {why}"))?;
            }
            if !key.kind.is_route() {
                continue;
            }
            let parents =
                object.pointer("/status/parents").and_then(Value::as_array).cloned().unwrap_or_default();
            for parent in parents.iter().filter(|parent| parent["controllerName"] == CONTROLLER) {
                for condition in parent["conditions"].as_array().into_iter().flatten() {
                    if condition["observedGeneration"] != object["metadata"]["generation"] {
                        return Err(format!("{what} has an old condition: {condition}"));
                    }
                }
                let programmed = |one: &Value| one["type"] == "Programmed" && one["status"] == "True";
                if parent["conditions"].as_array().into_iter().flatten().any(programmed) {
                    let network = parent["parentRef"]["name"].as_str().unwrap_or_default();
                    is_served(state, name, &key.name, network, object)
                        .map_err(|why| format!("{what}: {why}"))?;
                }
            }
        }
    }
    Ok(())
}

/// Each target of a policy has an entry of the present generation, and one that says it is programmed tells the truth.
fn policy_holds(state: &State, policy: &Value) -> Result<(), String> {
    let entries = policy.pointer("/status/ancestors").and_then(Value::as_array).cloned().unwrap_or_default();
    let targets = trellis_hint::policy_targets(policy);
    if entries.len() != targets.len() {
        return Err(format!("{} targets and {} entries", targets.len(), entries.len()));
    }
    let nobody = owner(INSTALLATION, "nobody");
    let logs = state.account.view(&nobody).access_logs;
    for entry in entries {
        for condition in entry["conditions"].as_array().into_iter().flatten() {
            if condition["observedGeneration"] != policy["metadata"]["generation"] {
                return Err(format!("an old condition: {condition}"));
            }
            let is_programmed = condition["type"] == "Programmed" && condition["status"] == "True";
            if policy["kind"] != "AccessLogPolicy" {
                continue;
            }
            let destination = policy["spec"]["destinationArn"].as_str().unwrap_or_default();
            if is_programmed && !logs.iter().any(|one| one.destination == destination) {
                return Err(format!("nothing is logged to {destination}"));
            }
        }
    }
    Ok(())
}

fn is_served(state: &State, cluster: &str, route: &str, network: &str, object: &Value) -> Result<(), String> {
    let unit = format!("route/{SCOPE}/{}/{cluster}/default/{route}", Kind::HTTPRoute);
    let view = state.account.view(&owner(INSTALLATION, &unit));
    let ours = view.services.iter().filter(|one| one.ownership == Ownership::Ours);
    // A route whose hostname an older one has is served by that one's service.
    let shares = object.to_string().contains("/SharedService");
    if shares {
        return Ok(());
    }
    let ours: Vec<_> = ours.collect();
    if ours.is_empty() {
        return Err("it says that it is programmed and has no service".into());
    }
    let joined = |status: Status| status == Status::Active;
    if !ours.iter().any(|one| one.associations.iter().any(|a| a.network == network && joined(a.status))) {
        return Err(format!("it is not associated with {network}"));
    }
    let groups = view.target_groups.iter().filter(|one| one.ownership == Ownership::Ours);
    let held: BTreeSet<String> = groups
        .flat_map(|group| &group.targets)
        .filter(|target| target.health != TargetHealth::Draining)
        .map(|target| target.target.ip.clone())
        .collect();
    let backends = object["spec"]["rules"].as_array().into_iter().flatten();
    for backend in backends.flat_map(|rule| rule["backendRefs"].as_array().into_iter().flatten()) {
        // Weight 0 needs no targets, and of other namespaces and clusters a grant or an export decides.
        if backend["kind"] != "Service" || backend.get("namespace").is_some() || backend["weight"] == 0 {
            continue;
        }
        let missing: Vec<String> =
            addresses(state, cluster, &backend["name"]).into_iter().filter(|ip| !held.contains(ip)).collect();
        if !missing.is_empty() && serves_port_80(state, cluster, &backend["name"]) {
            return Err(format!("{} has no targets {missing:?}", backend["name"]));
        }
    }
    Ok(())
}

fn addresses(state: &State, cluster: &str, service: &Value) -> Vec<String> {
    let slices = state.clusters[cluster].objects.iter().filter(|(key, _)| key.kind == Kind::EndpointSlice);
    let of_service =
        slices.filter(|(_, slice)| slice["metadata"]["labels"]["kubernetes.io/service-name"] == *service);
    let endpoints = of_service.flat_map(|(_, slice)| slice["endpoints"].as_array().into_iter().flatten());
    endpoints
        .filter(|endpoint| endpoint["conditions"]["ready"] == true)
        .filter_map(|endpoint| endpoint["addresses"][0].as_str().map(str::to_owned))
        .collect()
}

fn serves_port_80(state: &State, cluster: &str, service: &Value) -> bool {
    let services = state.clusters[cluster].objects.iter().filter(|(key, _)| key.kind == Kind::Service);
    let mut named =
        services.filter(|(key, _)| Some(key.name.as_str()) == service.as_str() && key.namespace == "default");
    named.any(|(_, object)| object["spec"]["ports"][0]["port"] == 80)
        && settings().limits.rules_per_listener > 0
}
