//! One case: what is read of a golden input, and how its output is written.

use super::adopted::as_the_controller_names;
use super::applied::applied;
use super::brief;
use super::brief::shown_change;
use super::foreign::{foreign, foreign_network, foreign_vpc_association, services_beside};
use super::resources::with_gateways;
use super::vpcs::{associated, endpoints};
use super::world::{Elsewhere, World, subnet_zones};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use trellis_gateway::{
    BESIDE_KINDS, ServicePer, Settings, Snapshot, StatusPatch, Subject, Translation, admission_warnings,
    admission_warnings_among, beside, dependents, object_changes, statuses, translate, wants_dependents,
    wants_everything, wants_objects,
};
use trellis_hint::UnitKey;
use trellis_lattice::{
    Actual, ActualNetwork, Blocked, Certificate, Desired, ExternalGroup, Failure, FunctionFacts, Grace,
    IpFamily, Limits, Mode, Outcome, Ownership, RefusedAccessLog, RefusedCertificate, RefusedTarget,
    RefusedVpcAssociation, RefusedVpcEndpoint, Tags, TakenDomain, TargetHealth, plan, settle, simulate,
};

/// The time of every patch.
const NOW: &str = "2026-02-03T04:05:06Z";

/// Seconds since 1970, when something is seen unwanted for the first time.
const FIRST_SEEN: u64 = 1_769_990_400;
/// Seconds.
const GRACE: u64 = 20;

/// A golden input.
#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, reason = "each is a word of the file's own")]
pub(crate) struct Case {
    /// What the case shows, in a sentence.
    pub(crate) about: String,
    /// Files of `base/` whose objects stand too.
    #[serde(default)]
    pub(crate) base: Vec<String>,
    /// The units to translate.
    pub(crate) units: Vec<String>,
    /// Objects by cluster; they replace those of `base` with the same name.
    #[serde(default)]
    pub(crate) clusters: BTreeMap<String, Vec<Value>>,
    /// Clusters that cannot be read, and why.
    #[serde(default)]
    pub(crate) unreadable: BTreeMap<String, String>,
    /// Kinds that a cluster does not serve.
    #[serde(default)]
    pub(crate) kinds_missing: BTreeMap<String, Vec<String>>,
    /// Optional kinds that all clusters serve.
    #[serde(default)]
    pub(crate) serves: Vec<String>,
    /// Whether the output has annotations that are written to routes.
    #[serde(default)]
    pub(crate) annotates: bool,
    /// Clusters that nobody has registered (any more).
    #[serde(default)]
    pub(crate) unregistered: Vec<String>,
    /// Clusters that a person takes out.
    #[serde(default)]
    pub(crate) leaving: Vec<String>,
    /// VPC Lattice has what was wanted before: when all clusters were registered and could be read, with these objects in
    /// place of those of `clusters` with the same name. Absent: VPC Lattice has nothing.
    #[serde(default)]
    pub(crate) before: Option<BTreeMap<String, Vec<Value>>>,
    /// What VPC Lattice tells of the health of targets, by address; of others whatever follows from `before`.
    #[serde(default)]
    pub(crate) health: BTreeMap<String, TargetHealth>,
    /// Certificates in ACM.
    #[serde(default)]
    pub(crate) certificates: Vec<Certificate>,
    /// Those that there were when what VPC Lattice has was wanted. Absent: the same.
    #[serde(default)]
    pub(crate) certificates_before: Option<Vec<Certificate>>,
    /// Why ACM does not tell its certificates now.
    #[serde(default)]
    pub(crate) certificates_unknown: Option<String>,
    /// Target groups that imports name, by ARN; VPC Lattice says that others are not there.
    #[serde(default)]
    pub(crate) external_groups: BTreeMap<String, ExternalGroup>,
    /// Those that there were when what VPC Lattice has was wanted. Absent: the same.
    #[serde(default)]
    pub(crate) external_groups_before: Option<BTreeMap<String, ExternalGroup>>,
    /// Functions that Backends name, by ARN with qualifier; Lambda says that others are not there.
    #[serde(default)]
    pub(crate) functions: BTreeMap<String, FunctionFacts>,
    /// Those that there were when what VPC Lattice has was wanted. Absent: the same.
    #[serde(default)]
    pub(crate) functions_before: Option<BTreeMap<String, FunctionFacts>>,
    /// What AWS has outside of clusters.
    #[serde(default)]
    pub(crate) elsewhere: Elsewhere,
    /// What it had when what VPC Lattice has was wanted. Absent: the same.
    #[serde(default)]
    pub(crate) elsewhere_before: Option<Elsewhere>,
    /// Whether the installation imports certificates of Secrets. A Secret's data stand in `stringData`; `@first` there is the file
    /// `first.pem` of the crate's test certificates.
    #[serde(default)]
    pub(crate) certificate_secrets: bool,
    /// Secrets, `<namespace>/<name>`, that no Role lets be read.
    #[serde(default)]
    pub(crate) secrets_forbidden: Vec<String>,
    /// Why API servers do not tell Secrets now.
    #[serde(default)]
    pub(crate) secrets_unreadable: Option<String>,
    /// What is not wanted any more has been so for that many seconds of the grace of 20: looked at first then, and now.
    /// Absent: there is no grace.
    #[serde(default)]
    pub(crate) gone_for: Option<u64>,
    /// What VPC Lattice has was made by the AWS Gateway API Controller, and a person gave it to the unit.
    #[serde(default)]
    pub(crate) adopted: bool,
    /// Names of services in VPC Lattice that are somebody else's.
    #[serde(default)]
    pub(crate) foreign_services: Vec<String>,
    /// VPCs that somebody else has associated with the network `my-hotel`.
    #[serde(default)]
    pub(crate) foreign_vpc_associations: Vec<String>,
    /// Custom domains that services of others have in service networks.
    #[serde(default)]
    pub(crate) taken_domains: BTreeSet<TakenDomain>,
    /// Service networks in VPC Lattice that are somebody else's.
    #[serde(default)]
    pub(crate) foreign_networks: Vec<String>,
    /// The domain names of the VPC endpoints that VPC Lattice's services have, by the services' ids.
    #[serde(default)]
    pub(crate) endpoint_names: BTreeMap<String, String>,
    /// Clusters of which EKS tells no subnet.
    #[serde(default)]
    pub(crate) without_subnets: Vec<String>,
    /// VPCs of clusters, where they are not the usual ones.
    #[serde(default)]
    pub(crate) vpcs: BTreeMap<String, String>,
    /// The families of clusters' addresses; of others EKS does not tell.
    #[serde(default)]
    pub(crate) ip_families: BTreeMap<String, IpFamily>,
    /// The sets of clusters, where they are not the default one.
    #[serde(default)]
    pub(crate) cluster_sets: BTreeMap<String, String>,
    /// The modes of clusters, where they are stricter than that of the installation.
    #[serde(default)]
    pub(crate) modes: BTreeMap<String, Mode>,
    /// The installation's mode.
    #[serde(default)]
    pub(crate) mode: Mode,
    /// How routes are shared out among services where Gateways do not say it.
    #[serde(default)]
    pub(crate) service_per: ServicePer,
    /// Service networks of others that may be used.
    #[serde(default)]
    pub(crate) allowed_networks: BTreeSet<String>,
    /// Other limits than AWS's defaults.
    #[serde(default)]
    pub(crate) limits: Limits,
    /// How the apply went.
    #[serde(default)]
    pub(crate) apply: Apply,
    /// Whether the output has everything, also tags, health checks and times. One that has not is read more easily.
    #[serde(default)]
    pub(crate) full: bool,
}

/// How an apply went: everything that is desired is there, except for this.
#[derive(Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(crate) struct Apply {
    /// Nothing exists yet.
    pub(crate) nothing: bool,
    pub(crate) waiting: Option<String>,
    pub(crate) failure: Option<Failure>,
    pub(crate) blocked: Vec<Blocked>,
    pub(crate) refused: Vec<RefusedTarget>,
    pub(crate) refused_logs: Vec<RefusedAccessLog>,
    pub(crate) refused_vpcs: Vec<RefusedVpcAssociation>,
    pub(crate) refused_certificates: Vec<RefusedCertificate>,
    pub(crate) refused_endpoints: Vec<RefusedVpcEndpoint>,
}

impl Case {
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        serde_saphyr::from_str(text).map_err(|error| error.to_string())
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Output<'a> {
    unit: String,
    reads: usize,
    rounds: usize,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    held: &'a [String],
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    refused: bool,
    /// Seconds after which the clock alone changes it.
    #[serde(skip_serializing_if = "Option::is_none")]
    lasts: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    desired: &'a Option<Desired>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    plan: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    statuses: Vec<Patch>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    objects: Vec<Value>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    dependents: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<String>,
}

#[derive(Serialize)]
struct Patch {
    object: String,
    summary: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    notify: Vec<String>,
    status: Value,
}

/// The scope of all golden cases, which leave it out.
const SCOPE: &str = "123456789012/us-west-2/";

/// The unit of a key without its scope, such as `route/HTTPRoute/one/default/inventory`.
pub(crate) fn scoped(unit: &str) -> UnitKey {
    unit.replacen('/', &format!("/{SCOPE}"), 1).parse().unwrap()
}

fn unscoped(unit: &UnitKey) -> String {
    unit.to_string().replacen(SCOPE, "", 1)
}

/// What translation is told in a case.
pub(crate) fn settings_of(case: &Case) -> Settings {
    Settings {
        installation: "trellis".into(),
        limits: case.limits.clone(),
        allowed_networks: case.allowed_networks.clone(),
        mode: case.mode,
        certificate_secrets: case.certificate_secrets,
        leaving: BTreeSet::new(),
        service_per: case.service_per,
        grace: case.gone_for.map(|seconds| Grace { now: FIRST_SEEN + seconds, seconds: GRACE }),
    }
}

/// The golden output of a case. On the way it checks what holds for all cases.
pub(crate) fn outcome_of(case: &Case, world: &World, base: &Path) -> String {
    let settings = settings_of(case);
    let mut text = format!("# {}\n", case.about);
    for unit in &case.units {
        let unit = &scoped(unit);
        let (mut snapshot, reads, rounds) = world.observe(unit);
        let actual = actual_of(case, unit, &snapshot, base, &settings);
        let translation = translate(unit, &snapshot, &actual, &settings);
        let everything = everything(world);
        assert_eq!(
            translation,
            translate(unit, &everything, &actual, &settings),
            "{unit}: full lists change the result"
        );
        let mut outcome = applied(&case.apply, &translation);
        let in_the_way = policies_blocked(&translation, &actual, &settings.limits);
        outcome.blocked.extend(in_the_way.into_iter().filter(|one| !case.apply.blocked.contains(one)));
        if let Some(desired) = translation.desired.as_ref().filter(|_| !actual.taken_domains.is_empty()) {
            let beside = with_networks(desired, actual.clone());
            outcome
                .services
                .retain(|name, _| services_beside(desired, &beside, &settings.limits).contains(name));
        }
        outcome.vpc_associations = associated(&case.apply, &translation, &actual, &settings.limits);
        outcome.vpc_endpoints = endpoints(&case.apply, &translation, &actual, &settings.limits);
        for read in wants_objects(unit, &snapshot) {
            let answer = world.answer(&read);
            snapshot.insert(&read, answer);
        }
        let patches = statuses(&snapshot, &translation, &outcome, NOW);
        let objects = object_changes(&snapshot, &translation, &outcome);
        if matches!(unit, UnitKey::Gateway { .. }) {
            for read in wants_dependents(unit, &snapshot) {
                let answer = world.answer(&read);
                snapshot.insert(&read, answer);
            }
        }
        let output = Output {
            unit: unscoped(unit),
            reads,
            rounds,
            held: &translation.held,
            lasts: translation.lasts,
            refused: translation.refused,
            plan: translation
                .desired
                .as_ref()
                .map(|desired| steps(desired, actual, &settings.limits))
                .unwrap_or_default(),
            desired: &translation.desired,
            statuses: patches.iter().map(shown).collect(),
            objects: objects
                .iter()
                .filter(|one| case.annotates || one.teller.is_some())
                .map(shown_change)
                .collect(),
            dependents: dependents(unit, &snapshot).iter().map(|(unit, _)| unscoped(unit)).collect(),
            warnings: translation
                .reports
                .iter()
                .flat_map(|report| warnings(report.subject(), &everything))
                .collect(),
        };
        let mut document = serde_json::to_value(&output).unwrap();
        if !case.full {
            brief::shorten(&mut document);
        }
        text.push_str("---\n");
        text.push_str(&brief::yaml(&document));
        assert_settled(&translation, &snapshot, &outcome, &patches);
    }
    text
}

/// What VPC Lattice has of a unit when it is looked at.
pub(crate) fn actual_of(
    case: &Case,
    unit: &UnitKey,
    snapshot: &Snapshot,
    base: &Path,
    settings: &Settings,
) -> Actual {
    first_seen(case, unit, snapshot, before(case, unit, base, settings), settings)
}

/// A snapshot of everything, as a drift pass reads it.
pub(crate) fn everything(world: &World) -> Snapshot {
    let mut snapshot = world.start();
    for read in wants_everything(&snapshot) {
        let answer = world.answer(&read);
        snapshot.insert(&read, answer);
    }
    world.read_secrets(&mut snapshot);
    world.read_external_groups(&mut snapshot);
    snapshot
}

/// What `kubectl apply` prints of an object that the unit reports on.
fn warnings(subject: &Subject, snapshot: &Snapshot) -> Vec<String> {
    let key = &subject.object;
    let object = snapshot.get(&subject.cluster, key.kind, &key.namespace, &key.name).unwrap();
    if !key.kind.is_route() {
        return admission_warnings(key.kind, object);
    }
    let all = snapshot.objects[&subject.cluster].iter().map(|(key, object)| (key.kind, Value::clone(object)));
    let slim = all.clone().filter_map(|(kind, object)| Some((kind, beside(kind, &object)?)));
    let warnings = admission_warnings_among(&subject.cluster, key.kind, object, slim);
    let whole = all.filter(|(kind, _)| BESIDE_KINDS.contains(kind));
    let of_whole = admission_warnings_among(&subject.cluster, key.kind, object, whole);
    assert_eq!(warnings, of_whole, "{key:?}: what is not kept matters");
    warnings
}

/// Once the patches are stored nothing more is due, whatever the time.
fn assert_settled(
    translation: &Translation,
    snapshot: &Snapshot,
    outcome: &Outcome,
    patches: &[StatusPatch],
) {
    let mut snapshot = snapshot.clone();
    for patch in patches {
        let objects = snapshot.objects.get_mut(&patch.cluster).unwrap();
        let key = objects
            .keys()
            .find(|key| key.kind == patch.kind && key.namespace == patch.namespace && key.name == patch.name);
        let object = Arc::make_mut(objects.get_mut(&key.unwrap().clone()).unwrap()).as_object_mut().unwrap();
        let status = object.entry("status").or_insert_with(|| Value::Object(serde_json::Map::new()));
        for (member, value) in patch.status.as_object().unwrap() {
            status.as_object_mut().unwrap().insert(member.clone(), value.clone());
        }
    }
    let again = statuses(&snapshot, translation, outcome, "2027-01-01T00:00:00Z");
    assert!(again.is_empty(), "statuses do not settle: {again:#?}");
}

/// What the plan leaves out of what policies ask for, and for networks of others.
fn policies_blocked(translation: &Translation, actual: &Actual, limits: &Limits) -> Vec<Blocked> {
    let plan = translation
        .desired
        .as_ref()
        .map(|desired| plan(desired, &with_networks(desired, actual.clone()), limits));
    let counts = |one: &Blocked| {
        one.is_of_policy() || matches!(one, Blocked::NetworkNotAllowed { .. } | Blocked::DomainTaken { .. })
    };
    plan.into_iter().flat_map(|plan| plan.blocked).filter(counts).collect()
}

/// The plan from nothing but the networks, one step a line.
fn steps(desired: &Desired, actual: Actual, limits: &Limits) -> Vec<String> {
    let plan = plan(desired, &with_networks(desired, actual), limits);
    plan.to_string().lines().map(str::to_owned).collect()
}

/// What VPC Lattice has, and the networks that a route's services are to join, each by one name.
pub(crate) fn with_networks(desired: &Desired, actual: Actual) -> Actual {
    let resources = desired.resource_configurations.iter().flat_map(|one| &one.networks);
    let used = desired.services.iter().flat_map(|service| &service.networks).chain(resources);
    let networks = used.map(|name| ActualNetwork {
        id: format!("sn-of-{name}"),
        arn: format!("arn:aws:vpc-lattice:us-west-2:123456789012:servicenetwork/sn-of-{name}"),
        name: name.clone(),
        ownership: Ownership::OtherUnit(format!("gateway/{name}")),
        tags: Tags::new(),
    });
    let networks: BTreeMap<String, ActualNetwork> = networks.map(|one| (one.name.clone(), one)).collect();
    let missing =
        networks.into_values().filter(|one| !actual.networks.iter().any(|held| held.name == one.name));
    let networks = actual.networks.iter().cloned().chain(missing).collect();
    with_gateways(desired, Actual { networks, ..actual })
}

/// With the unit's network, where somebody has associated a VPC with it: it was there first.
fn with_network_of_vpcs(desired: &Desired, actual: Actual, limits: &Limits) -> Actual {
    let network_alone =
        Desired { network: desired.network.clone(), ..Desired::nothing(desired.owner.clone()) };
    if actual.vpc_associations.is_empty() {
        return actual;
    }
    let made = simulate(&Actual::default(), &plan(&network_alone, &Actual::default(), limits));
    Actual { networks: made.networks, ..actual }
}

/// What VPC Lattice has of a unit from when everything was known.
fn before(case: &Case, unit: &UnitKey, base: &Path, settings: &Settings) -> Actual {
    let nothing = Actual {
        services: case.foreign_services.iter().map(foreign).collect(),
        networks: case.foreign_networks.iter().map(|name| foreign_network(name)).collect(),
        vpc_associations: case
            .foreign_vpc_associations
            .iter()
            .map(|vpc| foreign_vpc_association(vpc))
            .collect(),
        subnet_zones: subnet_zones(),
        taken_domains: case.taken_domains.clone(),
        ..Actual::default()
    };
    let Some(clusters) = &case.before else { return nothing };
    let (snapshot, ..) = World::before(case, clusters, base).observe(unit);
    let settings = &Settings { mode: Mode::Sync, ..settings.clone() };
    let Some(desired) = translate(unit, &snapshot, &nothing, settings).desired else { return nothing };
    let beside = with_network_of_vpcs(&desired, with_networks(&desired, nothing), &settings.limits);
    let mut actual = settle(&simulate(&beside, &plan(&desired, &beside, &settings.limits)));
    for target in actual.target_groups.iter_mut().flat_map(|group| &mut group.targets) {
        target.health = case.health.get(target.target.id()).copied().unwrap_or(target.health);
    }
    for endpoint in &mut actual.vpc_endpoints {
        endpoint.names.clone_from(&case.endpoint_names);
    }
    if case.adopted { as_the_controller_names(&actual, unit) } else { actual }
}

/// What VPC Lattice has after the look that saw for the first time what is not wanted any more.
fn first_seen(
    case: &Case,
    unit: &UnitKey,
    snapshot: &Snapshot,
    before: Actual,
    settings: &Settings,
) -> Actual {
    if case.gone_for.is_none_or(|seconds| seconds == 0) {
        return before;
    }
    let grace = Some(Grace { now: FIRST_SEEN, seconds: GRACE });
    let then = Settings { grace, ..settings.clone() };
    let Some(desired) = translate(unit, snapshot, &before, &then).desired else { return before };
    let beside = with_networks(&desired, before);
    settle(&simulate(&beside, &plan(&desired, &beside, &settings.limits)))
}

fn shown(patch: &StatusPatch) -> Patch {
    Patch {
        object: format!("{}/{}/{}/{}", patch.kind, patch.cluster.name, patch.namespace, patch.name),
        summary: patch.summary.clone(),
        notify: patch.notify.iter().map(unscoped).collect(),
        status: patch.status.clone(),
    }
}
