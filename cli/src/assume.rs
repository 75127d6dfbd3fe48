//! What AWS would tell of things that manifests name and that are not made from them: functions, instances, load balancers and target
//! groups of others. They are taken to be there and to fit, since a plan that waits for an answer that nobody can give says nothing.

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use trellis_gateway::{
    Balancer, BalancerFacts, Instance, InstanceFacts, Named, Selector, Snapshot, external_groups, named,
    selector,
};
use trellis_hint::{ClusterId, Kind};
use trellis_lattice::{
    ExternalGroup, ExternalTargetGroup, Function, FunctionFacts, INVOKE_ALLOW, Status, TAG_INVOKE, Tags,
    TargetProtocol,
};

/// Where an object names a target group by its ARN.
const NAMING: [&str; 2] =
    ["/metadata/annotations/application-networking.k8s.aws~1target-group-arn", "/spec/targetGroup/arn"];

/// Adds what is assumed to a snapshot; the sentences for people, one for each kind.
pub(crate) fn assume(snapshot: &mut Snapshot) -> Vec<String> {
    let mut notes = vec![];
    let Named { functions, instances, load_balancers } = named(snapshot);
    if !functions.is_empty() {
        notes.push(format!(
            "Taken to exist and to bear the tag {TAG_INVOKE}={INVOKE_ALLOW}, so that Trellis lets VPC Lattice invoke it: {}.",
            listed(&functions)
        ));
    }
    if !instances.is_empty() {
        notes.push(format!(
            "Instances are taken to run where they are named by their ids; which ones there are else, AWS alone knows: {}.",
            listed(instances.iter().map(ToString::to_string))
        ));
    }
    if !load_balancers.is_empty() {
        notes.push(format!(
            "Taken to exist, to be internal and of type application, and to be in the cluster's VPC: {}.",
            listed(&load_balancers)
        ));
    }
    let groups = external_groups(snapshot);
    if !groups.is_empty() {
        notes.push(format!(
            "Taken to exist, to fit the routes that lead to it and to serve no other service: {}.",
            listed(&groups)
        ));
    }
    let of_tls = led_to_by_tls(snapshot);
    let tags = Tags::from([(TAG_INVOKE.to_owned(), INVOKE_ALLOW.to_owned())]);
    let open = FunctionFacts::Known(Function { tags, policy: None });
    snapshot.functions = functions.into_iter().map(|arn| (arn, open.clone())).collect();
    snapshot.instances = running(snapshot, instances);
    snapshot.load_balancers = internal(snapshot, &load_balancers);
    snapshot.external_groups = groups
        .into_iter()
        .map(|arn| {
            let protocol = if of_tls.contains(&arn) { TargetProtocol::Tcp } else { TargetProtocol::Http };
            let group = fitting(&arn, protocol);
            (arn, group)
        })
        .collect();
    notes
}

fn listed(names: impl IntoIterator<Item = impl AsRef<str>>) -> String {
    let names: Vec<String> = names.into_iter().map(|name| name.as_ref().to_owned()).collect();
    names.join(", ")
}

/// The Backends, each with its cluster and the VPC that counts for it.
fn backends(snapshot: &Snapshot) -> impl Iterator<Item = (&ClusterId, &Value, String)> {
    snapshot.objects.iter().flat_map(|(cluster, objects)| {
        let of_cluster = snapshot.facts.get(cluster).map(|facts| facts.vpc.clone()).unwrap_or_default();
        let backends = objects.iter().filter(|(key, _)| key.kind == Kind::Backend);
        backends.map(move |(_, object)| {
            let own = object.pointer("/spec/instances/vpc").and_then(Value::as_str);
            (cluster, object.as_ref(), own.map_or_else(|| of_cluster.clone(), str::to_owned))
        })
    })
}

/// Instances that are named by their ids run in the VPC of the Backend that names them; of other selectors there are none.
fn running(snapshot: &Snapshot, selectors: BTreeSet<Selector>) -> BTreeMap<Selector, InstanceFacts> {
    let vpc_of = |wanted: &Selector| {
        let mut naming = backends(snapshot)
            .filter(|(cluster, object, _)| selector(object, &cluster.scope).as_ref() == Some(wanted));
        naming.next().map(|(_, _, vpc)| vpc)
    };
    let facts = |selector: &Selector| {
        let ids = match selector {
            Selector::Ids(ids) => ids.clone(),
            Selector::Tags(_) | Selector::ScalingGroup(_) => BTreeSet::new(),
        };
        let vpc = vpc_of(selector);
        let instance = Instance { state: "running".to_owned(), vpc, ..Instance::default() };
        InstanceFacts::Known(ids.into_iter().map(|id| (id, instance.clone())).collect())
    };
    selectors.into_iter().map(|selector| (selector.clone(), facts(&selector))).collect()
}

/// Load balancers that VPC Lattice leads to, each in the VPC of the first cluster that names it.
fn internal(snapshot: &Snapshot, arns: &BTreeSet<String>) -> BTreeMap<String, BalancerFacts> {
    let vpc_of = |arn: &String| {
        let named = |object: &Value| {
            object.pointer("/spec/loadBalancer/arn").and_then(Value::as_str).map(str::to_owned)
        };
        let mut naming = backends(snapshot).filter(|(_, object, _)| named(object).as_ref() == Some(arn));
        naming.next().map(|(_, _, vpc)| vpc).unwrap_or_default()
    };
    let facts = |arn: &String| Balancer {
        kind: "application".to_owned(),
        scheme: "internal".to_owned(),
        vpc: vpc_of(arn),
    };
    arns.iter().map(|arn| (arn.clone(), BalancerFacts::Known(facts(arn)))).collect()
}

/// A target group that fits any route of its protocol.
fn fitting(arn: &str, protocol: TargetProtocol) -> ExternalGroup {
    ExternalGroup::Known(Box::new(ExternalTargetGroup {
        name: arn.rsplit('/').next().unwrap_or(arn).to_owned(),
        status: Status::Active,
        kind: "IP".to_owned(),
        protocol: Some(protocol),
        protocol_version: None,
        vpc: None,
        service_arns: BTreeSet::new(),
        tags: None,
    }))
}

/// The target groups that TLSRoutes lead to, by ARN: only those of TCP fit one.
fn led_to_by_tls(snapshot: &Snapshot) -> BTreeSet<String> {
    let mut named: BTreeMap<(&ClusterId, Kind, &str, &str), &str> = BTreeMap::new();
    for (cluster, objects) in &snapshot.objects {
        let naming =
            objects.iter().filter(|(key, _)| matches!(key.kind, Kind::ServiceImport | Kind::Backend));
        for (key, object) in naming {
            if let Some(arn) = NAMING.iter().find_map(|pointer| object.pointer(pointer)?.as_str()) {
                named.insert((cluster, key.kind, &key.namespace, &key.name), arn);
            }
        }
    }
    let text = |value: &Value, member: &str| value.get(member).and_then(Value::as_str).map(str::to_owned);
    let mut found = BTreeSet::new();
    for cluster in snapshot.objects.keys() {
        for (key, route) in snapshot.all(cluster, Kind::TLSRoute) {
            let rules = route.pointer("/spec/rules").and_then(Value::as_array).into_iter().flatten();
            let backends = rules.filter_map(|rule| rule.get("backendRefs")?.as_array()).flatten();
            for backend in backends {
                let kind = text(backend, "kind").as_deref().and_then(Kind::parse);
                let namespace = text(backend, "namespace").unwrap_or_else(|| key.namespace.clone());
                let name = text(backend, "name").unwrap_or_default();
                let arn = kind.and_then(|kind| named.get(&(cluster, kind, &*namespace, &*name)));
                found.extend(arn.map(|arn| (*arn).to_owned()));
            }
        }
    }
    found
}
