//! What a calm world must look like, told from what is stored and not from what the engine thinks.

use crate::api::ApiServer;
use crate::claims;
use crate::lattice::inspected;
use crate::memo::Counting;
use crate::objects::{SCOPE, owner};
use crate::run::{INSTALLATION, settings, settings_now};
use crate::sim::State;
use crate::specification::{Match, matches};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use trellis_engine::Drifted;
use trellis_gateway::{
    Assessment, CONTROLLER, ObjectKey, Snapshot, assess, candidate_service_names, to_inspect,
};
use trellis_hint::{Kind, UnitKey};
use trellis_lattice::{
    ActualVpcAssociation, Owner, Ownership, Status, TAG_KEY, TAG_POLICY, TAG_SOURCE, TAG_WANTED_BY,
    TargetHealth,
};

/// What a unit's plan would change if everything were known.
pub(crate) fn differs(state: &State, unit: &UnitKey) -> Vec<String> {
    let (_, assessment) = assessed(state, unit);
    steps(state, &assessment)
}

/// The same with the statuses that it would write, as a drift pass finds it.
pub(crate) fn untold(state: &State, unit: &UnitKey) -> Drifted {
    let (snapshot, assessment) = assessed(state, unit);
    let statuses = assessment.statuses(&snapshot).into_iter().map(|patch| patch.summary).collect();
    Drifted { unit: unit.to_string(), steps: steps(state, &assessment), statuses, withheld: vec![] }
}

/// A unit as it is assessed from all that is there.
fn assessed(state: &State, unit: &UnitKey) -> (Arc<Snapshot>, Assessment) {
    let (snapshot, settings) = (state.whole(Counting::All), settings_now());
    let actual = to_inspect(unit, &snapshot, &settings).map(|desired| {
        let all = state.account.view(&desired.owner);
        inspected(&desired, &candidate_service_names(unit, &[]), &all)
    });
    let assessment = assess(&snapshot, &actual.unwrap_or_default(), unit, &settings);
    (snapshot, assessment)
}

fn steps(state: &State, assessment: &Assessment) -> Vec<String> {
    let steps = assessment.steps().iter().filter(|step| !step.is_wait()).map(ToString::to_string);
    steps.filter(|step| !state.account.are_refused(step)).collect()
}

/// A cluster that a person takes out has nothing left of its own, no share and no VPC that is kept for it.
fn leavers_have_nothing(state: &State) -> Result<(), String> {
    for (name, cluster) in state.clusters.iter().filter(|(_, one)| one.leaving) {
        let id = cluster.facts().id;
        for (arn, tags) in state.account.standing_of(INSTALLATION) {
            let unit: Option<UnitKey> = Owner::key_in(tags).parse().ok();
            let is_own = unit.as_ref().and_then(UnitKey::cluster) == Some(&id);
            let is_marked = tags.iter().any(|(key, value)| {
                let is_mark = key == TAG_SOURCE || key.starts_with(TAG_WANTED_BY);
                is_mark && *value == id.to_string()
            });
            if is_own || is_marked {
                return Err(format!("{name} is taken out, and {arn} is left of it"));
            }
        }
    }
    Ok(())
}

/// Every condition of ours is of the object's present generation, and what a route that says it is programmed names is
/// there: its network, and its Services' ready addresses as targets.
pub(crate) fn holds(state: &State) -> Result<(), String> {
    if state.clusters.values().all(|cluster| cluster.outage.is_none()) {
        leavers_have_nothing(state)?;
        state.asked.fetch_add(claims::hold(state)?, Ordering::Relaxed);
    }
    // A cluster that leaves is told nothing any more.
    for (name, cluster) in state.clusters.iter().filter(|(_, one)| !one.leaving && one.outage.is_none()) {
        for (key, object) in &cluster.objects {
            let what = format!("{} {}/{} of {name}", key.kind, key.namespace, key.name);
            if key.kind.is_policy() {
                policy_holds(state, name, object).map_err(|why| format!("{what}: {why}"))?;
            }
            if key.kind == Kind::ServiceNetwork {
                network_stands(state, object).map_err(|why| format!("{what}: {why}"))?;
            }
            if !key.kind.is_route() {
                continue;
            }
            records_lead_there(&cluster.objects, key, object).map_err(|why| format!("{what}: {why}"))?;
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
                    is_served(state, name, key, network, object).map_err(|why| format!("{what}: {why}"))?;
                }
            }
        }
    }
    Ok(())
}

/// The network that a ServiceNetwork says is programmed is there, and so are the Gateways that it says keep it.
fn network_stands(state: &State, object: &Value) -> Result<(), String> {
    let conditions = object.pointer("/status/conditions").and_then(Value::as_array).into_iter().flatten();
    let programmed: Vec<&Value> = conditions.filter(|one| one["type"] == "Programmed").collect();
    let [programmed] = programmed[..] else { return Err("nothing is told".to_owned()) };
    if programmed["status"] == "True" {
        let account = state.account.view(&owner(INSTALLATION, "nobody"));
        let arn = object["status"]["serviceNetworkARN"].as_str().unwrap_or_default();
        if !account.networks.iter().any(|one| one.arn == arn) {
            return Err(format!("it tells of {arn:?}, which is not there"));
        }
    }
    let gateways = object["status"]["gateways"].as_array().map(Vec::as_slice).unwrap_or_default();
    for gateway in gateways.iter().filter_map(Value::as_str) {
        let parts: Vec<&str> = gateway.split('/').collect();
        let [cluster, namespace, name] = parts[..] else { return Err(format!("no Gateway: {gateway}")) };
        let key = ObjectKey { kind: Kind::Gateway, namespace: namespace.into(), name: name.into() };
        let known = state.clusters.get(cluster).filter(|one| one.outage.is_none());
        if known.is_some_and(|one| one.leaving || !one.objects.contains_key(&key)) {
            return Err(format!("it tells of {gateway}, which is gone"));
        }
    }
    Ok(())
}

/// A route's DNSEndpoint has its hostnames and no others, each with a domain name that its status tells.
fn records_lead_there(
    objects: &BTreeMap<ObjectKey, Arc<Value>>,
    key: &ObjectKey,
    route: &Value,
) -> Result<(), String> {
    let name = format!("{}-dns", key.name);
    let endpoint =
        objects.get(&ObjectKey { kind: Kind::DNSEndpoint, namespace: key.namespace.clone(), name });
    let status = route["status"].to_string();
    let records = endpoint.and_then(|one| one["spec"]["endpoints"].as_array()).map(Vec::as_slice);
    let records = records.unwrap_or_default();
    for record in records {
        let target = record["targets"][0].as_str().unwrap_or_default();
        if target.is_empty() || !status.contains(target) {
            return Err(format!("{record} leads to no service of the route"));
        }
    }
    let is_told = status.contains("DNS Name: ");
    // What a refused edit keeps may have been for other hostnames.
    let is_served = status.contains("\"DNS Name: ");
    let hostnames = route["spec"]["hostnames"].as_array().map(Vec::as_slice).unwrap_or_default();
    if is_served && !hostnames.is_empty() && records.is_empty() {
        return Err(format!("{hostnames:?} have no record, and the status tells a name: {status}"));
    }
    if !is_told && endpoint.is_some() {
        return Err(format!("there is a record of what does not answer: {records:?}"));
    }
    Ok(())
}

/// Each target of a policy has an entry of the present generation, and one that says it is programmed tells the truth.
fn policy_holds(state: &State, cluster: &str, policy: &Value) -> Result<(), String> {
    let entries = policy.pointer("/status/ancestors").and_then(Value::as_array).cloned().unwrap_or_default();
    let targets = trellis_hint::policy_targets(policy);
    // A Service's policy has an entry for each route beside.
    let is_of_groups = policy["kind"] == "TargetGroupPolicy";
    if entries.len() < targets.len() || entries.len() > targets.len() && !is_of_groups {
        return Err(format!("{} targets and {} entries", targets.len(), entries.len()));
    }
    if is_of_groups {
        groups_follow(state, cluster, policy)?;
    }
    let nobody = owner(INSTALLATION, "nobody");
    let logs = state.account.view(&nobody);
    for entry in entries {
        for condition in entry["conditions"].as_array().into_iter().flatten() {
            if condition["observedGeneration"] != policy["metadata"]["generation"] {
                return Err(format!("an old condition: {condition}"));
            }
            let is_programmed = condition["type"] == "Programmed" && condition["status"] == "True";
            if is_programmed && policy["kind"] == "VpcAssociationPolicy" {
                has_settings(state, policy, &vpc_of(cluster))?;
            }
            if policy["kind"] != "AccessLogPolicy" {
                continue;
            }
            let destination = policy["spec"]["destinationArn"].as_str().unwrap_or_default();
            if is_programmed && !logs.access_logs.iter().any(|one| one.destination == destination) {
                return Err(format!("nothing is logged to {destination}"));
            }
        }
    }
    Ok(())
}

fn vpc_of(cluster: &str) -> String {
    let all = crate::objects::clusters();
    all.into_iter().find(|one| one.id.name == cluster).map(|one| one.vpc).unwrap_or_default()
}

/// A VPC is associated as its policy says, or is not.
fn has_settings(state: &State, policy: &Value, vpc: &str) -> Result<(), String> {
    let held = state.account.view(&owner(INSTALLATION, "nobody"));
    let lasting = |one: &&ActualVpcAssociation| {
        one.vpc == vpc && one.network == "my-hotel" && one.status != Status::DeleteInProgress
    };
    let held = held.vpc_associations.iter().find(lasting);
    if policy["spec"]["associateWithVpc"] == false {
        return held.map_or(Ok(()), |held| Err(format!("{vpc} is associated by {}", held.id)));
    }
    let groups = policy["spec"]["securityGroupIds"].as_array().into_iter().flatten();
    let groups: BTreeSet<&str> = groups.filter_map(Value::as_str).collect();
    let has_them =
        held.is_some_and(|held| held.security_groups.iter().map(String::as_str).eq(groups.iter().copied()));
    if has_them { Ok(()) } else { Err(format!("{vpc} has not the groups {groups:?}: {held:?}")) }
}

/// Target groups of the cluster that bear a policy's mark are checked as it says, if it can be had; one that stays as it was, since
/// what leads to it does, is told by its name. Those of routes of other clusters are not looked at, since one that cannot be read
/// keeps what it has.
fn groups_follow(state: &State, cluster: &str, policy: &Value) -> Result<(), String> {
    let is_accepted = |one: &Value| one["type"] == "Accepted" && one["status"] == "True";
    if !policy["status"]["conditions"].as_array().into_iter().flatten().any(is_accepted) {
        return Ok(());
    }
    let name = policy["metadata"]["name"].as_str().unwrap_or_default();
    let mark = format!("default/{name}");
    let view = state.account.view(&owner(INSTALLATION, "nobody"));
    // One that is on its way out stays as it was.
    for group in view.target_groups.iter().filter(|group| group.status.lasts()) {
        let is_ours = group.tags.get(TAG_KEY).is_some_and(|key| key.contains(&format!("/{cluster}/")));
        let is_meant = is_ours && group.tags.get(TAG_POLICY) == Some(&mark);
        let path = group.health_check.as_ref().map(|check| check.path.as_str());
        let is_told = || {
            let lags = |one: &Value| {
                one["type"] == "Programmed"
                    && one["status"] == "False"
                    && one["reason"] == "Pending"
                    && one["message"].as_str().is_some_and(|text| text.contains(&group.name))
            };
            let entries = policy.pointer("/status/ancestors").and_then(Value::as_array).into_iter().flatten();
            entries.filter_map(|entry| entry["conditions"].as_array()).flatten().any(lags)
        };
        if is_meant && path != policy["spec"]["healthCheck"]["path"].as_str() && !is_told() {
            return Err(format!("{} is checked at {path:?}", group.name));
        }
    }
    Ok(())
}

fn is_served(
    state: &State,
    cluster: &str,
    route: &ObjectKey,
    network: &str,
    object: &Value,
) -> Result<(), String> {
    let own = format!("route/{SCOPE}/{}/{cluster}/default/{}", route.kind, route.name);
    let merged = format!("merged/{SCOPE}/{}/default/{}", route.kind, route.name);
    let unit = if object["status"].to_string().contains("/MergedRoutes") { merged } else { own };
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
        .map(|target| target.target.id().to_owned())
        .collect();
    let ready: BTreeSet<String> = state.clusters.values().flat_map(ready_addresses).collect();
    if let Some(gone) = held.iter().find(|ip| !ready.contains(*ip)) {
        return Err(format!("{gone} is a target and no ready endpoint"));
    }
    let rules = object["spec"]["rules"].as_array().into_iter().flatten().enumerate();
    let rules = rules.filter(|(at, _)| is_reached(object, *at));
    for backend in rules.flat_map(|(_, rule)| rule["backendRefs"].as_array().into_iter().flatten()) {
        // Weight 0 needs no targets, and of other namespaces and clusters a grant or an export decides.
        if backend["kind"] != "Service" || backend.get("namespace").is_some() || backend["weight"] == 0 {
            continue;
        }
        if !serves_port_80(state, cluster, &backend["name"]) {
            continue;
        }
        let missing: Vec<String> =
            addresses(state, cluster, &backend["name"]).into_iter().filter(|ip| !held.contains(ip)).collect();
        let told = object["status"].to_string();
        let (refused, missing): (Vec<String>, Vec<String>) =
            missing.into_iter().partition(|ip| state.account.refuses(ip));
        if let Some(ip) = refused.iter().find(|ip| !told.contains(*ip)) {
            return Err(format!("{ip} is refused, and the status does not say so"));
        }
        if !missing.is_empty() {
            return Err(format!(
                "{} has no targets {missing:?}: {}",
                backend["name"], object["spec"]["rules"]
            ));
        }
    }
    Ok(())
}

/// Whether a rule of the route has a match that no earlier rule of it has.
fn is_reached(route: &Value, rule: usize) -> bool {
    let all = matches(route);
    let earlier = |one: &Match| all.iter().any(|(at, other)| *at < rule && other == one);
    all.iter().any(|(at, one)| *at == rule && !earlier(one))
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

fn ready_addresses(cluster: &ApiServer) -> Vec<String> {
    let slices = cluster.objects.iter().filter(|(key, _)| key.kind == Kind::EndpointSlice);
    let endpoints = slices.flat_map(|(_, slice)| slice["endpoints"].as_array().into_iter().flatten());
    let ready = endpoints.filter(|endpoint| endpoint["conditions"]["ready"] == true);
    ready.filter_map(|endpoint| endpoint["addresses"][0].as_str().map(str::to_owned)).collect()
}

fn serves_port_80(state: &State, cluster: &str, service: &Value) -> bool {
    let services = state.clusters[cluster].objects.iter().filter(|(key, _)| key.kind == Kind::Service);
    let mut named =
        services.filter(|(key, _)| Some(key.name.as_str()) == service.as_str() && key.namespace == "default");
    named.any(|(_, object)| object["spec"]["ports"][0]["port"] == 80)
        && settings().limits.rules_per_listener > 0
}
