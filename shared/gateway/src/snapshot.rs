use crate::facts::{BalancerFacts, InstanceFacts, Selector};
use crate::secret::Secrets;
use crate::units::slot::ServicePer;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use trellis_hint::{ClusterId, Kind};
use trellis_lattice::{Certificates, ExternalGroup, FunctionFacts, IpFamily, Mode};

/// One request to a cluster's API server.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Read {
    /// One object.
    Get {
        /// The cluster.
        cluster: ClusterId,
        /// The kind.
        kind: Kind,
        /// Empty for a cluster-scoped kind.
        namespace: String,
        /// The object's name.
        name: String,
    },
    /// All objects of a kind that fit.
    List {
        /// The cluster.
        cluster: ClusterId,
        /// The kind.
        kind: Kind,
        /// Only in this namespace.
        namespace: Option<String>,
        /// Only of this name (field selector `metadata.name`), in any namespace.
        name: Option<String>,
        /// Only EndpointSlices of this Service (label `kubernetes.io/service-name`).
        service: Option<String>,
    },
}

impl Read {
    /// All objects of a kind in a cluster.
    pub(crate) fn all(cluster: ClusterId, kind: Kind) -> Self {
        Self::List { cluster, kind, namespace: None, name: None, service: None }
    }

    /// The kind that is asked for.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Get { kind, .. } | Self::List { kind, .. } => *kind,
        }
    }

    /// The cluster that is asked.
    pub fn cluster(&self) -> &ClusterId {
        match self {
            Self::Get { cluster, .. } | Self::List { cluster, .. } => cluster,
        }
    }
}

/// The reads of these that answer all of them: none whose answer is a part of another's, and none twice.
pub(crate) fn fewest(reads: impl IntoIterator<Item = Read>) -> Vec<Read> {
    let (mut whole, mut lists, mut others) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for read in reads {
        match &read {
            Read::List { namespace: None, name: None, service: None, .. } => whole.insert(read),
            Read::List { service: None, .. } => lists.insert(read),
            Read::List { .. } | Read::Get { .. } => others.insert(read),
        };
    }
    let mut answered = Snapshot::default();
    let mut is_needed = |read: &Read| {
        let is_needed = !answered.has_answer(read);
        answered.insert(read, ReadResult::Objects(vec![]));
        is_needed
    };
    whole.into_iter().chain(lists).chain(others).filter(&mut is_needed).collect()
}

/// What an API server said.
#[derive(Debug, Clone, PartialEq)]
pub enum ReadResult {
    /// The objects; for a Get one, or none when the server said that this very object is missing.
    Objects(Vec<Arc<Value>>),
    /// The server does not know the kind. No proof that an object of it was deleted.
    KindMissing,
    /// The cluster could not be read: unreachable, not authorised, not registered. No proof of anything.
    Unreadable(String),
}

impl ReadResult {
    /// These objects were read.
    pub fn of(objects: impl IntoIterator<Item = Value>) -> Self {
        Self::Objects(objects.into_iter().map(Arc::new).collect())
    }
}

/// What is known of a registered cluster without asking its API server.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ClusterFacts {
    /// The cluster.
    pub id: ClusterId,
    /// The VPC's id; empty while EKS cannot be asked.
    pub vpc: String,
    /// The subnets that EKS knows of it: those of its control plane's network interfaces.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub subnets: BTreeSet<String>,
    /// The cluster security group, which EKS makes for it and its nodes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub security_group: Option<String>,
    /// The family of the addresses that EKS gives its Pods and Services, which is one; none while that is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ip_family: Option<IpFamily>,
    /// Where it stands in its life.
    #[serde(default)]
    pub state: ClusterState,
    /// How much may be done for the cluster.
    #[serde(default)]
    pub mode: Mode,
    /// The set that the cluster is in, empty by default: imports take exporters of their own set only, so that production
    /// and staging can share an installation. None while it is not known.
    #[serde(default)]
    pub cluster_set: Option<String>,
}

impl ClusterFacts {
    /// A registered cluster.
    pub fn registered(id: ClusterId, vpc: impl Into<String>) -> Self {
        Self {
            id,
            vpc: vpc.into(),
            subnets: BTreeSet::new(),
            security_group: None,
            ip_family: None,
            state: ClusterState::Registered,
            mode: Mode::Sync,
            cluster_set: None,
        }
    }

    /// Whether imports in one of the clusters may take exports of the other. What is not known is no reason to keep them
    /// apart: a share of requests would be lost for it.
    pub(crate) fn may_be_in_one_set(&self, other: &Self) -> bool {
        match (&self.cluster_set, &other.cluster_set) {
            (Some(own), Some(theirs)) => own == theirs,
            _ => true,
        }
    }
}

/// Where a cluster stands in its life. One that is not in [`Snapshot::facts`] is not registered: nothing is known of it.
///
/// | state | said by | what its objects mean |
/// |---|---|---|
/// | registered | the tag | what its API server says; as long as that cannot be read they are unknown |
/// | leaving | a person, by the tag's value or a parameter | it has none any more: what was made for them goes |
/// | none of these | nobody | they are unknown: what was made for them stays as it is |
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ClusterState {
    /// It takes part.
    #[default]
    Registered,
    /// A person takes it out.
    Leaving,
}

/// Names an object within a cluster.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ObjectKey {
    /// The kind.
    pub kind: Kind,
    /// Empty for a cluster-scoped kind.
    pub namespace: String,
    /// The name.
    pub name: String,
}

/// What was read of the clusters, and what was asked: an object that is not here is missing only if it was asked for.
#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    /// All registered clusters.
    pub facts: BTreeMap<ClusterId, ClusterFacts>,
    /// Objects as the API servers gave them, by cluster. Shared: a snapshot is copied, and objects are large.
    pub objects: BTreeMap<ClusterId, BTreeMap<ObjectKey, Arc<Value>>>,
    /// Everything that was asked and answered, by cluster and kind.
    answered: BTreeMap<ClusterId, BTreeMap<Kind, BTreeSet<Which>>>,
    /// Reads that found the whole kind missing.
    pub kinds_missing: BTreeSet<(ClusterId, Kind)>,
    /// Clusters that could not be read, and why.
    pub unreadable: BTreeMap<ClusterId, String>,
    /// Certificates in ACM, where a listener that was read needs one.
    pub certificates: Certificates,
    /// The target groups that imports and Backends name by their ARNs, as far as VPC Lattice was asked for them.
    pub external_groups: BTreeMap<String, ExternalGroup>,
    /// The functions that Backends name, by their ARNs with qualifiers, as far as Lambda was asked for them.
    pub functions: BTreeMap<String, FunctionFacts>,
    /// The instances that Backends mean, as far as EC2 and Auto Scaling were asked for them.
    pub instances: BTreeMap<Selector, InstanceFacts>,
    /// The load balancers that Backends name, by their ARNs, as far as Elastic Load Balancing was asked for them.
    pub load_balancers: BTreeMap<String, BalancerFacts>,
    /// Secrets that Gateways name, where the installation imports their certificates.
    pub secrets: Secrets,
    /// How the routes of Gateways that do not say it are shared out among services.
    pub service_per: ServicePer,
}

impl Snapshot {
    /// A snapshot of these registered clusters in which nothing was read yet.
    pub fn of(facts: impl IntoIterator<Item = ClusterFacts>) -> Self {
        Self { facts: facts.into_iter().map(|facts| (facts.id.clone(), facts)).collect(), ..Self::default() }
    }

    /// Takes in an answer.
    pub fn insert(&mut self, read: &Read, result: ReadResult) {
        let (cluster, kind) = (read.cluster().clone(), read.kind());
        self.answered.entry(cluster.clone()).or_default().entry(kind).or_default().insert(Which::of(read));
        match result {
            ReadResult::Objects(objects) => {
                let all = self.objects.entry(cluster).or_default();
                for object in objects {
                    let metadata = object.get("metadata");
                    let text = |member: &str| {
                        let text = metadata.and_then(|metadata| metadata.get(member)).and_then(Value::as_str);
                        text.unwrap_or_default().to_owned()
                    };
                    let key = ObjectKey { kind, namespace: text("namespace"), name: text("name") };
                    all.insert(key, object);
                }
            }
            ReadResult::KindMissing => {
                self.kinds_missing.insert((cluster, kind));
            }
            ReadResult::Unreadable(why) => {
                self.unreadable.entry(cluster).or_insert(why);
            }
        }
    }

    /// Forgets what was read of a kind in all clusters: it can be read again.
    pub fn forget(&mut self, kind: Kind) {
        for objects in self.objects.values_mut() {
            objects.retain(|key, _| key.kind != kind);
        }
        for answered in self.answered.values_mut() {
            answered.remove(&kind);
        }
    }

    /// Forgets one object: it can be read again.
    pub fn forget_object(&mut self, read: &Read) {
        if let Read::Get { cluster, kind, namespace, name } = read
            && let Some(objects) = self.objects.get_mut(cluster)
        {
            objects.remove(&ObjectKey { kind: *kind, namespace: namespace.clone(), name: name.clone() });
        }
        let kinds = self.answered.get_mut(read.cluster());
        if let Some(answered) = kinds.and_then(|kinds| kinds.get_mut(&read.kind())) {
            answered.remove(&Which::of(read));
        }
    }

    /// Whether a person takes this cluster out: then it has no objects any more, whatever its API server says.
    pub fn is_leaving(&self, cluster: &ClusterId) -> bool {
        self.facts.get(cluster).is_some_and(|facts| facts.state == ClusterState::Leaving)
    }

    /// Why nothing can be known of a cluster as a whole; none if it can be asked, or is taken out.
    pub fn unknown(&self, cluster: &ClusterId) -> Option<String> {
        if !self.facts.contains_key(cluster) {
            return Some(format!("Cluster {} is not registered", cluster.name));
        }
        let why = self.unreadable.get(cluster).filter(|_| !self.is_leaving(cluster))?;
        Some(format!("Cluster {} cannot be read: {why}", cluster.name))
    }

    /// One object as it was read.
    pub fn get(&self, cluster: &ClusterId, kind: Kind, namespace: &str, name: &str) -> Option<&Value> {
        let key = ObjectKey { kind, namespace: namespace.into(), name: name.into() };
        self.objects.get(cluster)?.get(&key).map(Arc::as_ref)
    }

    /// All objects of a kind in a cluster, in order of namespace and name.
    pub fn all(&self, cluster: &ClusterId, kind: Kind) -> impl Iterator<Item = (&ObjectKey, &Value)> {
        let from = ObjectKey { kind, namespace: String::new(), name: String::new() };
        let objects = self.objects.get(cluster).into_iter();
        let of_kind = objects
            .flat_map(move |all| all.range(from.clone()..).take_while(move |(key, _)| key.kind == kind));
        of_kind.map(|(key, object)| (key, object.as_ref()))
    }

    /// Whether this read's answer is here already, by itself or as part of a wider list.
    pub fn has_answer(&self, read: &Read) -> bool {
        if self.unreadable.contains_key(read.cluster()) || self.has_all(read.cluster(), read.kind()) {
            return true;
        }
        let Some(answered) = self.answered_of(read.cluster(), read.kind()) else { return false };
        let has = |namespace: Option<&String>, name: Option<&String>| {
            answered.contains(&Which::listed(namespace.cloned(), name.cloned()))
        };
        answered.contains(&Which::of(read))
            || match read {
                Read::Get { namespace, name, .. } => has(Some(namespace), None) || has(None, Some(name)),
                Read::List { namespace, name, service, .. } => {
                    (name.is_some() || service.is_some()) && has(namespace.as_ref(), None)
                }
            }
    }

    /// Whether all objects of a kind in a cluster were asked for.
    pub(crate) fn has_all(&self, cluster: &ClusterId, kind: Kind) -> bool {
        self.answered_of(cluster, kind).is_some_and(|answered| answered.contains(&Which::listed(None, None)))
    }

    /// Everything that was asked and answered.
    pub fn answered(&self) -> impl Iterator<Item = Read> {
        let kinds = self.answered.iter().flat_map(|(cluster, kinds)| {
            kinds.iter().map(move |(kind, answered)| (cluster, *kind, answered))
        });
        kinds.flat_map(|(cluster, kind, answered)| answered.iter().map(move |one| one.read(cluster, kind)))
    }

    fn answered_of(&self, cluster: &ClusterId, kind: Kind) -> Option<&BTreeSet<Which>> {
        self.answered.get(cluster)?.get(&kind)
    }
}

/// Which objects of a kind were asked for: a [`Read`] without the cluster and the kind.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Which {
    One { namespace: String, name: String },
    Listed { namespace: Option<String>, name: Option<String>, service: Option<String> },
}

impl Which {
    fn of(read: &Read) -> Self {
        match read.clone() {
            Read::Get { namespace, name, .. } => Self::One { namespace, name },
            Read::List { namespace, name, service, .. } => Self::Listed { namespace, name, service },
        }
    }

    fn read(&self, cluster: &ClusterId, kind: Kind) -> Read {
        let cluster = cluster.clone();
        match self.clone() {
            Self::One { namespace, name } => Read::Get { cluster, kind, namespace, name },
            Self::Listed { namespace, name, service } => {
                Read::List { cluster, kind, namespace, name, service }
            }
        }
    }

    fn listed(namespace: Option<String>, name: Option<String>) -> Self {
        Self::Listed { namespace, name, service: None }
    }
}
