//! Clusters as an API server would show them.

use super::case::Case;
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use trellis_gateway::{
    Balancer, BalancerFacts, ClusterFacts, ClusterState, Instance, InstanceFacts, OPTIONAL_KINDS, ROUNDS_MAX,
    Read, ReadResult, SecretKey, SecretRead, Secrets, Selector, ServicePer, Snapshot, TlsSecret,
    external_groups, named, wants, wants_secrets,
};
use trellis_hint::{ClusterId, Kind, UnitKey};
use trellis_lattice::{Certificates, ExternalGroup, FunctionFacts, Mode, PrivateKey};

/// What AWS has outside of clusters.
#[derive(Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(crate) struct Elsewhere {
    /// By id.
    instances: BTreeMap<String, Instance>,
    /// What each Auto Scaling group has, and where in its life there that is.
    scaling_groups: BTreeMap<String, BTreeMap<String, String>>,
    /// By ARN.
    load_balancers: BTreeMap<String, Balancer>,
    /// Why nothing of it is told.
    unknown: Option<String>,
}

impl Elsewhere {
    fn instances(&self, selector: &Selector) -> InstanceFacts {
        if let Some(why) = &self.unknown {
            return InstanceFacts::Unknown(why.clone());
        }
        if let Selector::ScalingGroup(name) = selector {
            let Some(members) = self.scaling_groups.get(name) else { return InstanceFacts::Missing };
            let of = |(id, lifecycle): (&String, &String)| {
                let instance = self.instances.get(id)?.clone();
                Some((id.clone(), Instance { lifecycle: Some(lifecycle.clone()), ..instance }))
            };
            return InstanceFacts::Known(members.iter().filter_map(of).collect());
        }
        let meant = self.instances.iter().filter(|(id, one)| selector.means(id, Some(one)) == Some(true));
        InstanceFacts::Known(meant.map(|(id, one)| (id.clone(), one.clone())).collect())
    }

    fn load_balancer(&self, arn: &str) -> BalancerFacts {
        match (&self.unknown, self.load_balancers.get(arn)) {
            (Some(why), _) => BalancerFacts::Unknown(why.clone()),
            (None, None) => BalancerFacts::Missing,
            (None, Some(one)) => BalancerFacts::Known(one.clone()),
        }
    }
}

/// The registered clusters.
pub(crate) struct World {
    pub(crate) objects: BTreeMap<ClusterId, Vec<Value>>,
    pub(crate) facts: Vec<ClusterFacts>,
    pub(crate) unreadable: BTreeMap<ClusterId, String>,
    pub(crate) kinds_missing: BTreeSet<(ClusterId, Kind)>,
    pub(crate) certificates: Certificates,
    external_groups: BTreeMap<String, ExternalGroup>,
    functions: BTreeMap<String, FunctionFacts>,
    elsewhere: Elsewhere,
    reads_secrets: bool,
    secrets_forbidden: Vec<String>,
    secrets_unreadable: Option<String>,
    pub(crate) service_per: ServicePer,
}

/// A file of `base/`: objects by cluster.
#[derive(Deserialize)]
#[serde(transparent)]
struct Base(BTreeMap<String, Vec<Value>>);

impl World {
    pub(crate) fn of(case: &Case, base: &Path) -> Self {
        let mut objects: BTreeMap<String, Vec<Value>> = BTreeMap::new();
        for name in &case.base {
            let text = fs::read_to_string(base.join(format!("{name}.yaml"))).unwrap();
            let Base(all) = serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
            for (cluster, some) in all {
                objects.entry(cluster).or_default().extend(some);
            }
        }
        for (cluster, some) in &case.clusters {
            let all = objects.entry(cluster.clone()).or_default();
            for object in some {
                all.retain(|other| identity(other) != identity(object));
                all.push(object.clone());
            }
        }
        for object in objects.values_mut().flatten() {
            complete(object);
        }
        let kinds_missing = case.kinds_missing.iter().flat_map(|(cluster, kinds)| {
            kinds.iter().map(|kind| (cluster.clone(), Kind::parse(kind).unwrap()))
        });
        let mut kinds_missing: BTreeSet<(String, Kind)> = kinds_missing.collect();
        let unregistered = |name: &&String| !case.unregistered.contains(name);
        let names: BTreeSet<&String> = objects
            .keys()
            .chain(case.unreadable.keys())
            .chain(kinds_missing.iter().map(|(cluster, _)| cluster))
            .filter(unregistered)
            .collect();
        let facts = names.iter().copied().map(|name| {
            let state =
                if case.leaving.contains(name) { ClusterState::Leaving } else { ClusterState::Registered };
            let mode = case.modes.get(name).copied().unwrap_or_default();
            let facts = facts(name, case.vpcs.get(name), case.cluster_sets.get(name));
            let tells = !case.without_subnets.contains(name);
            let subnets = facts.subnets.iter().filter(|_| tells).cloned().collect();
            let ip_family = case.ip_families.get(name).copied();
            ClusterFacts { state, mode, subnets, ip_family, ..facts }
        });
        let facts = facts.collect();
        let is_served = |kind: &Kind| case.serves.iter().any(|served| served == kind.as_str());
        let unserved: Vec<Kind> = OPTIONAL_KINDS.into_iter().filter(|kind| !is_served(kind)).collect();
        let all: Vec<String> = names.into_iter().cloned().collect();
        kinds_missing
            .extend(all.into_iter().flat_map(|name| unserved.iter().map(move |kind| (name.clone(), *kind))));
        let known = || Certificates::Known(case.certificates.clone());
        Self {
            reads_secrets: case.certificate_secrets,
            secrets_forbidden: case.secrets_forbidden.clone(),
            secrets_unreadable: case.secrets_unreadable.clone(),
            facts,
            service_per: case.service_per,
            external_groups: case.external_groups.clone(),
            functions: case.functions.clone(),
            elsewhere: case.elsewhere.clone(),
            certificates: case.certificates_unknown.clone().map_or_else(known, Certificates::Unknown),
            objects: objects.into_iter().map(|(name, all)| (cluster(&name), all)).collect(),
            unreadable: case.unreadable.iter().map(|(name, why)| (cluster(name), why.clone())).collect(),
            kinds_missing: kinds_missing.iter().map(|(name, kind)| (cluster(name), *kind)).collect(),
        }
    }

    /// The same world before, when all clusters were registered and could be read, with these objects.
    pub(crate) fn before(case: &Case, clusters: &BTreeMap<String, Vec<Value>>, base: &Path) -> Self {
        let mut before = Case {
            unreadable: BTreeMap::new(),
            kinds_missing: BTreeMap::new(),
            unregistered: vec![],
            leaving: vec![],
            modes: BTreeMap::new(),
            external_groups: case
                .external_groups_before
                .clone()
                .unwrap_or_else(|| case.external_groups.clone()),
            elsewhere: case.elsewhere_before.clone().unwrap_or_else(|| case.elsewhere.clone()),
            functions: case.functions_before.clone().unwrap_or_else(|| case.functions.clone()),
            certificates: case.certificates_before.clone().unwrap_or_else(|| case.certificates.clone()),
            certificates_unknown: None,
            secrets_forbidden: vec![],
            secrets_unreadable: None,
            ..case.clone()
        };
        for (cluster, objects) in clusters {
            let all = before.clusters.entry(cluster.clone()).or_default();
            for object in objects {
                all.retain(|other| identity(other) != identity(object));
                all.push(object.clone());
            }
        }
        Self::of(&before, base)
    }

    /// What an API server answers.
    pub(crate) fn answer(&self, read: &Read) -> ReadResult {
        if let Some(why) = self.unreadable.get(read.cluster()) {
            return ReadResult::Unreadable(why.clone());
        }
        let (Read::Get { kind, .. } | Read::List { kind, .. }) = read;
        if self.kinds_missing.contains(&(read.cluster().clone(), *kind)) {
            return ReadResult::KindMissing;
        }
        let text = |object: &Value, pointer: &str| {
            object.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned()
        };
        let fits = |object: &Value| {
            if text(object, "/kind") != kind.as_str() {
                return false;
            }
            let (at, called) = (text(object, "/metadata/namespace"), text(object, "/metadata/name"));
            match read {
                Read::Get { namespace, name, .. } => at == *namespace && called == *name,
                Read::List { namespace, name, service, .. } => {
                    let owner = text(object, "/metadata/labels/kubernetes.io~1service-name");
                    namespace.as_ref().is_none_or(|one| *one == at)
                        && name.as_ref().is_none_or(|one| *one == called)
                        && service.as_ref().is_none_or(|one| *one == owner)
                }
            }
        };
        let objects = self.objects.get(read.cluster()).into_iter().flatten();
        ReadResult::of(objects.filter(|object| fits(object)).cloned())
    }

    /// A snapshot with nothing read yet.
    pub(crate) fn start(&self) -> Snapshot {
        let secrets = Secrets { are_read: self.reads_secrets, ..Secrets::default() };
        let certificates = self.certificates.clone();
        let service_per = self.service_per;
        let mut snapshot = Snapshot::of(self.facts.iter().cloned());
        (snapshot.certificates, snapshot.secrets, snapshot.service_per) =
            (certificates, secrets, service_per);
        snapshot
    }

    /// Asks VPC Lattice for the target groups and Lambda for the functions that objects name.
    pub(crate) fn read_external_groups(&self, snapshot: &mut Snapshot) {
        for arn in external_groups(snapshot) {
            let said = self.external_groups.get(&arn).cloned().unwrap_or(ExternalGroup::Missing);
            snapshot.external_groups.insert(arn, said);
        }
        let named = named(snapshot);
        for arn in named.functions {
            let said = self.functions.get(&arn).cloned().unwrap_or(FunctionFacts::Missing);
            snapshot.functions.insert(arn, said);
        }
        for selector in named.instances {
            let said = self.elsewhere.instances(&selector);
            snapshot.instances.insert(selector, said);
        }
        for arn in named.load_balancers {
            let said = self.elsewhere.load_balancer(&arn);
            snapshot.load_balancers.insert(arn, said);
        }
    }

    /// Reads the Secrets that listeners name.
    pub(crate) fn read_secrets(&self, snapshot: &mut Snapshot) {
        for key in wants_secrets(snapshot) {
            let said = self.secret(&key);
            snapshot.secrets.read.insert(key, said);
        }
    }

    fn secret(&self, key: &SecretKey) -> SecretRead {
        if let Some(why) = &self.secrets_unreadable {
            return SecretRead::Unreadable(why.clone());
        }
        if self.secrets_forbidden.contains(&format!("{}/{}", key.namespace, key.name)) {
            return SecretRead::Forbidden;
        }
        let mut objects = self.objects.get(&key.cluster).into_iter().flatten();
        let found =
            objects.find(|one| identity(one) == ["Secret", key.namespace.as_str(), key.name.as_str()]);
        found.map_or(SecretRead::Missing, |object| {
            let data = |name: &str| {
                let text = object.get("stringData")?.get(name)?.as_str()?;
                let file = text.strip_prefix('@').map(|file| fs::read(certificate(file)).unwrap());
                Some(file.unwrap_or_else(|| text.into()))
            };
            SecretRead::Found(Box::new(TlsSecret {
                type_name: object.get("type").and_then(Value::as_str).unwrap_or("Opaque").to_owned(),
                certificate: data("tls.crt"),
                key: data("tls.key").map(PrivateKey::new),
            }))
        })
    }

    /// Whether a read is counted. Units ask for policies and service networks; where a cluster has none of a kind, that is not what a case
    /// is about.
    fn counts(&self, read: &Read) -> bool {
        let (Read::Get { kind, .. } | Read::List { kind, .. }) = read;
        let mut objects = self.objects.get(read.cluster()).into_iter().flatten();
        !kind.is_extra() || objects.any(|one| one.get("kind").and_then(Value::as_str) == Some(kind.as_str()))
    }

    /// A snapshot with all that a unit wants, the reads it took, and the rounds.
    pub(crate) fn observe(&self, unit: &UnitKey) -> (Snapshot, usize, usize) {
        let mut snapshot = self.start();
        let mut reads = 0;
        for round in 0..=ROUNDS_MAX {
            let wanted = wants(unit, &snapshot);
            if wanted.is_empty() {
                self.read_external_groups(&mut snapshot);
                if matches!(unit, UnitKey::Gateway { .. }) {
                    self.read_secrets(&mut snapshot);
                }
                return (snapshot, reads, round);
            }
            reads += wanted.iter().filter(|read| self.counts(read)).count();
            for read in wanted {
                let answer = self.answer(&read);
                snapshot.insert(&read, answer);
            }
        }
        panic!("{unit} wants more after {ROUNDS_MAX} rounds: {:?}", wants(unit, &snapshot));
    }
}

/// The file of a test certificate. Tests of more than one crate go by these worlds.
fn certificate(name: &str) -> PathBuf {
    let mut above = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors();
    let found = above.find_map(|folder| {
        let folder = folder.join("shared/gateway/tests/certificates");
        folder.is_dir().then_some(folder)
    });
    found.unwrap().join(format!("{name}.pem"))
}

fn identity(object: &Value) -> [&str; 3] {
    let text = |pointer: &str, default| object.pointer(pointer).and_then(Value::as_str).unwrap_or(default);
    [text("/kind", ""), text("/metadata/namespace", "default"), text("/metadata/name", "")]
}

/// Fills in what an API server fills in.
fn complete(object: &mut Value) {
    let kind = object.get("kind").and_then(Value::as_str).unwrap_or_default();
    let is_cluster_scoped = Kind::parse(kind).is_some_and(Kind::is_cluster_scoped);
    let Some(meta) = object.get_mut("metadata").and_then(Value::as_object_mut) else { return };
    let mut default = |member: &str, value: Value| _ = meta.entry(member).or_insert(value);
    if !is_cluster_scoped {
        default("namespace", json!("default"));
    }
    default("generation", json!(1));
    default("resourceVersion", json!("100"));
    default("creationTimestamp", json!("2026-01-01T00:00:00Z"));
}

/// The cluster of a name, in the scope of all golden cases.
pub(crate) fn cluster(name: &str) -> ClusterId {
    format!("arn:aws:eks:us-west-2:123456789012:cluster/{name}").parse().unwrap()
}

/// What the ids of each cluster's subnets end with, and the Availability Zones that they are in: two in one.
const SUBNETS: [(char, &str); 3] = [('a', "usw2-az1"), ('b', "usw2-az2"), ('c', "usw2-az1")];

fn subnet(digit: u8, last: char) -> String {
    format!("subnet-0a1b2c3d4e5f600{digit}{last}")
}

/// The zones of the subnets of all clusters.
pub(crate) fn subnet_zones() -> BTreeMap<String, String> {
    let of = |digit| SUBNETS.iter().map(move |(last, zone)| (subnet(digit, *last), (*zone).to_owned()));
    [1, 2, 3, 9].into_iter().flat_map(of).collect()
}

/// Cluster `one` is in the VPC that ends in 1, and so on.
fn facts(name: &str, vpc: Option<&String>, cluster_set: Option<&String>) -> ClusterFacts {
    let digit: u8 = match name {
        "one" => 1,
        "two" => 2,
        "three" => 3,
        _ => 9,
    };
    ClusterFacts {
        id: cluster(name),
        state: ClusterState::Registered,
        mode: Mode::Sync,
        vpc: vpc.cloned().unwrap_or_else(|| format!("vpc-0a1b2c3d4e5f6000{digit}")),
        subnets: SUBNETS.iter().map(|(last, _)| subnet(digit, *last)).collect(),
        security_group: Some(format!("sg-0a1b2c3d4e5f6000{digit}")),
        ip_family: None,
        cluster_set: Some(cluster_set.cloned().unwrap_or_default()),
    }
}
