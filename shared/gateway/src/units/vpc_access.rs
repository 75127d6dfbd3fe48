//! How the VPC of a Gateway's cluster comes into the service network: as the Gateway's annotations say.
//!
//! | annotation `vpc-access` of a Gateway | the VPC |
//! |---|---|
//! | none, or `association` | is associated with the network; a VPC can be with one network only |
//! | `endpoint` | has a VPC endpoint of the network, one for each network, beside the association with another or without any |
//! | anything else | keeps what it has, and gets nothing new; the condition `VpcAssociated` says so |
//!
//! | annotation beside `endpoint` | the endpoint |
//! |---|---|
//! | `vpc-endpoint-subnet-ids` | is in these subnets; else in the subnets that EKS knows of the cluster, one for each Availability Zone |
//! | `vpc-endpoint-security-group-ids` | has these security groups; else those of the Gateway's VpcAssociationPolicy, else the cluster security group |
//! | one that cannot be had | stays as it is; a new one is not made, since it could let in whom its user means to keep out |
//!
//! Gateways of one name whose clusters share a VPC share its endpoint. Of each setting the first Gateway that names it counts, by cluster
//! and namespace; where none names it, the endpoint has what each of the clusters gives. While nothing is known of one of them both
//! settings stay as they are. A VpcAssociationPolicy that keeps the VPC out keeps it from having an endpoint too.

use super::gateway_addresses::Names;
use super::gateway_unit::{Gateways, Wish};
use crate::Translation;
use crate::api::Meta;
use crate::code::Code;
use crate::naming;
use crate::policy::{OfPolicies, VpcWish, vpc_wish};
use crate::problem::{Problem, quoted};
use crate::report::{Condition, Report};
use crate::view::View;
use crate::{conditions, reasons};
use std::collections::{BTreeMap, BTreeSet};
use trellis_hint::UnitKey;
use trellis_lattice::{
    DesiredNetwork, DesiredVpcEndpoint, Ownership, TAG_PREFIX, TAG_VPC_ENDPOINTS, Tags, counting_endpoint,
};

/// Without the common prefix.
pub(crate) const ANNOTATION: &str = "vpc-access";
pub(crate) const SUBNETS: &str = "vpc-endpoint-subnet-ids";
pub(crate) const GROUPS: &str = "vpc-endpoint-security-group-ids";

/// Security groups of one network interface (Amazon VPC quotas, default).
const GROUPS_MAX: usize = 5;
/// Subnets of one endpoint: more Availability Zones than any Region has.
const SUBNETS_MAX: usize = 16;
/// Characters of an id after its prefix (EC2 User Guide, resource ids).
const ID_DIGITS: [usize; 2] = [8, 17];

/// What a Gateway asks for by its annotations.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Annotated {
    is_endpoint: bool,
    subnets: BTreeSet<String>,
    groups: BTreeSet<String>,
}

/// What a cluster's Gateways want of its VPC.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Access {
    /// Of its association with the network.
    pub(super) association: VpcWish,
    /// Of its endpoint of the network.
    pub(super) endpoint: VpcWish,
    /// The subnets that are named for the endpoint.
    subnets: BTreeSet<String>,
    /// The security groups that are named for it.
    groups: BTreeSet<String>,
    /// The tags of the user's that the Gateway's policy asks for.
    tags: Tags,
}

impl Access {
    /// What a Gateway wants, whose policies say this of its VPC.
    pub(super) fn of(meta: &Meta, policies: OfPolicies) -> Self {
        let OfPolicies { wish: policy, groups: policy_groups, tags } = policies;
        let (subnets, groups) = (BTreeSet::new(), BTreeSet::new());
        match read(meta) {
            Ok(Annotated { is_endpoint: false, .. }) => {
                Self { association: policy, endpoint: VpcWish::Apart, subnets, groups, tags }
            }
            Ok(Annotated { subnets, groups, .. }) => {
                let groups = if groups.is_empty() { policy_groups } else { groups };
                Self { association: VpcWish::Apart, endpoint: policy, subnets, groups, tags }
            }
            Err(_) if is_by_endpoint(meta) => {
                let endpoint = policy.min(VpcWish::AsItIs);
                Self { association: VpcWish::Apart, endpoint, subnets, groups, tags }
            }
            Err(_) => {
                let as_it_is = policy.min(VpcWish::AsItIs);
                Self { association: as_it_is, endpoint: as_it_is, subnets, groups, tags }
            }
        }
    }

    /// What this Gateway and one before it want together.
    pub(super) fn beside(self, first: &Self) -> Self {
        let named = |first: &BTreeSet<String>, own: BTreeSet<String>| {
            if first.is_empty() { own } else { first.clone() }
        };
        Self {
            association: self.association.max(first.association),
            endpoint: self.endpoint.max(first.endpoint),
            subnets: named(&first.subnets, self.subnets),
            groups: named(&first.groups, self.groups),
            tags: self.tags.into_iter().chain(first.tags.clone()).collect(),
        }
    }

    /// The same, of a cluster from which nothing is taken.
    pub(super) fn taking_nothing(self) -> Self {
        let (association, endpoint) = (self.association, self.endpoint);
        Self {
            association: association.max(VpcWish::AsItIs),
            endpoint: endpoint.max(VpcWish::AsItIs),
            ..self
        }
    }
}

impl Gateways<'_> {
    /// The tags of the user's for what is made for a VPC: those of its first Gateway, and before them those of the policies of all
    /// clusters that want it, of which the first by its name counts for each key. `of` takes from a wish what is asked for here.
    pub(super) fn user_tags(
        &self,
        view: &View,
        vpc: &str,
        of_gateway: &Tags,
        of: impl Fn(&Access) -> VpcWish,
    ) -> Tags {
        let wanting = self.wishes.iter().filter_map(|(cluster, wish)| match wish {
            Wish::Wanted { vpc: access, .. } if of(access) == VpcWish::Associated => {
                (view.snapshot.facts.get(cluster)?.vpc == vpc).then_some(&access.tags)
            }
            Wish::Wanted { .. } | Wish::Nothing | Wish::Unknown => None,
        });
        let mut tags = of_gateway.clone();
        for policies in wanting.collect::<Vec<_>>().into_iter().rev() {
            tags.extend(policies.clone());
        }
        tags
    }
}

/// Whether a Gateway asks for an endpoint.
pub(crate) fn is_by_endpoint(meta: &Meta) -> bool {
    meta.annotation(ANNOTATION).is_some_and(|text| text.trim().eq_ignore_ascii_case("endpoint"))
}

/// What is wrong with these annotations of a Gateway.
pub(crate) fn problems(meta: &Meta) -> Vec<Problem> {
    read(meta).err().unwrap_or_default()
}

/// Why a Gateway's VPC gets nothing new.
pub(super) fn condition(meta: &Meta) -> Option<Condition> {
    let problems = read(meta).err()?;
    let text = crate::problem::message(&problems);
    Some(Condition::no(conditions::VPC_ASSOCIATED, reasons::INVALID, text))
}

fn read(meta: &Meta) -> Result<Annotated, Vec<Problem>> {
    let mut problems = vec![];
    let path = |name: &str| format!("metadata.annotations[{TAG_PREFIX}{name}]");
    let access = meta.annotation(ANNOTATION).unwrap_or("association").trim().to_ascii_lowercase();
    if access != "endpoint" && access != "association" {
        let text = format!(
            "{} is none of \"association\" and \"endpoint\", and nothing new is made for the VPC; write one of them",
            quoted(&access)
        );
        problems.push(Problem::new(Code::AnnotationValue, path(ANNOTATION), text));
    }
    let mut ids = |name: &str, prefix: &str, what: &str, max: usize| {
        let texts = meta.annotation(name).unwrap_or_default().split(',').map(str::trim);
        let all: BTreeSet<String> = texts.filter(|text| !text.is_empty()).map(str::to_owned).collect();
        for wrong in all.iter().filter(|id| !is_id(id, prefix)) {
            let text = format!(
                "{} is no id of a {what}; name each as EC2 does, {prefix} and 8 or 17 letters and digits after it, with commas \
                 between",
                quoted(wrong)
            );
            problems.push(Problem::new(Code::AnnotationValue, path(name), text));
        }
        if all.len() > max {
            let text = format!("{} are named, and an endpoint can have {max}; name fewer", all.len());
            problems.push(Problem::new(Code::AnnotationValue, path(name), text));
        }
        if access == "association" && meta.annotation(name).is_some() {
            let text =
                format!("It counts beside {TAG_PREFIX}{ANNOTATION}: endpoint only; set that, or remove it");
            problems.push(Problem::new(Code::AnnotationMoot, path(name), text));
        }
        all
    };
    let subnets = ids(SUBNETS, "subnet-", "subnet", SUBNETS_MAX);
    let groups = ids(GROUPS, "sg-", "security group", GROUPS_MAX);
    if problems.is_empty() {
        Ok(Annotated { is_endpoint: access == "endpoint", subnets, groups })
    } else {
        Err(problems)
    }
}

fn is_id(text: &str, prefix: &str) -> bool {
    text.strip_prefix(prefix).is_some_and(|digits| {
        ID_DIGITS.contains(&digits.len())
            && digits.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
    })
}

/// The endpoints by VPC: of the clusters that want one, and as they are those of clusters of which nothing is known. Each is marked
/// with all clusters that want it, as an association is.
pub(super) fn endpoints(gateways: &mut Gateways<'_>, view: &View) -> BTreeMap<String, DesiredVpcEndpoint> {
    let mut wanted = asked_for(gateways, view);
    let ours = view.actual.vpc_endpoints.iter().filter(|held| held.ownership == Ownership::Ours);
    for held in ours.filter(|held| held.network == gateways.name) {
        let marks = gateways.marks(&held.tags, |access| access.endpoint);
        for (mark, cluster) in &marks.staying {
            let as_it_is = || DesiredVpcEndpoint {
                network: held.network.clone(),
                vpc: held.vpc.clone(),
                subnets: BTreeSet::new(),
                one_for_each_zone: false,
                security_groups: BTreeSet::new(),
                tags: held.tags.clone(),
            };
            let endpoint = wanted.entry(held.vpc.clone()).or_insert_with(as_it_is);
            // What the others ask for counts again when all are known: nobody's way in is taken away meanwhile.
            endpoint.subnets.clone_from(&held.subnets);
            endpoint.security_groups.clone_from(&held.security_groups);
            endpoint.one_for_each_zone = false;
            endpoint.tags.insert(mark.clone(), cluster.to_string());
            gateways.unknown.extend(view.snapshot.unknown(cluster));
        }
        if let Some(endpoint) = wanted.get_mut(&held.vpc) {
            gateways.keep_tags_of_an_unknown(&held.tags, &mut endpoint.tags, &marks);
            endpoint.tags.extend(marks.given_up.into_iter().map(|mark| (mark, String::new())));
        }
    }
    wanted
}

fn asked_for(gateways: &Gateways<'_>, view: &View) -> BTreeMap<String, DesiredVpcEndpoint> {
    let mut named: BTreeMap<String, (BTreeSet<String>, BTreeSet<String>)> = BTreeMap::new();
    let mut wanted: BTreeMap<String, DesiredVpcEndpoint> = BTreeMap::new();
    for (cluster, wish) in &gateways.wishes {
        let Wish::Wanted { user, vpc: access } = wish else { continue };
        let Some(facts) = view.snapshot.facts.get(cluster) else { continue };
        if access.endpoint != VpcWish::Associated {
            continue;
        }
        let endpoint = wanted.entry(facts.vpc.clone()).or_insert_with(|| DesiredVpcEndpoint {
            network: gateways.name.to_owned(),
            vpc: facts.vpc.clone(),
            subnets: BTreeSet::new(),
            one_for_each_zone: true,
            security_groups: BTreeSet::new(),
            tags: gateways.tags(facts, &gateways.user_tags(view, &facts.vpc, user, |one| one.endpoint)),
        });
        endpoint.subnets.extend(facts.subnets.iter().cloned());
        endpoint.security_groups.extend(facts.security_group.clone());
        let held = counting_endpoint(&view.actual.vpc_endpoints, gateways.name, &facts.vpc);
        naming::mark(&mut endpoint.tags, held.map(|held| &held.tags), cluster);
        let (subnets, groups) = named.entry(facts.vpc.clone()).or_default();
        if subnets.is_empty() {
            subnets.clone_from(&access.subnets);
        }
        if groups.is_empty() {
            groups.clone_from(&access.groups);
        }
    }
    for (vpc, (subnets, groups)) in named {
        let Some(endpoint) = wanted.get_mut(&vpc) else { continue };
        if !subnets.is_empty() {
            (endpoint.subnets, endpoint.one_for_each_zone) = (subnets, false);
        }
        if !groups.is_empty() {
            endpoint.security_groups = groups;
        }
    }
    wanted
}

/// Tells Gateways what of their VPC's endpoint is not as they ask for.
pub(super) fn tell(reports: &mut [Report], view: &View, endpoints: &BTreeMap<String, DesiredVpcEndpoint>) {
    for report in reports {
        let Report::Gateway(report) = report else { continue };
        let (cluster, key) = (&report.subject.cluster, &report.subject.object);
        let object = view.snapshot.get(cluster, key.kind, &key.namespace, &key.name);
        let asked = object.filter(|_| report.by_endpoint).and_then(|object| {
            let policies = vpc_wish(view, cluster, &key.namespace, &key.name).ok()?;
            Some(Access::of(&crate::api::meta(object), policies))
        });
        let (Some(asked), Some(endpoint)) = (asked, endpoints.get(&report.vpc)) else { continue };
        let mut notes = vec![];
        for (what, asked, has) in [
            ("subnets", &asked.subnets, &endpoint.subnets),
            ("security groups", &asked.groups, &endpoint.security_groups),
        ] {
            if !asked.is_empty() && asked != has {
                notes.push(format!("the {what} {}", has.iter().cloned().collect::<Vec<_>>().join(", ")));
            }
        }
        if !notes.is_empty() {
            report.endpoint_notes = format!(
                "It has {} and not those that are asked for here: of Gateways that share the VPC the first that names any counts, \
                 by cluster and namespace, and while nothing is known of one of them all stays as it is.",
                notes.join(" and ")
            );
        }
    }
}

/// Lets a network tell whether endpoints of it may be there: where it does not, none is looked for.
pub(super) fn mark(network: &mut DesiredNetwork, held: Option<&Tags>, view: &View, is_wanted: bool) {
    let is_marked =
        held.is_some_and(|tags| tags.get(TAG_VPC_ENDPOINTS).is_some_and(|value| !value.is_empty()));
    let is_there = view.actual.vpc_endpoints.iter().any(|one| one.network == network.name);
    if is_wanted {
        network.tags.insert(TAG_VPC_ENDPOINTS.to_owned(), "true".to_owned());
    } else if is_marked && !is_there {
        network.tags.insert(TAG_VPC_ENDPOINTS.to_owned(), String::new());
    }
}

/// How a VPC reaches the services of a Gateway's routes by its endpoint.
#[derive(Debug, Default)]
pub(super) struct Reached {
    /// The endpoint's domain names, by the services' ids.
    pub(super) names: BTreeMap<String, String>,
    /// The routes' units.
    pub(super) routes: BTreeSet<UnitKey>,
    /// Whether a name is not known yet: EC2 gives one a moment after the service has come into the network.
    pub(super) waits_for_names: bool,
}

/// Puts the domain names under which a VPC's endpoint answers for services into the place of the services' own.
pub(super) fn reach(view: &View, network: &str, vpc: &str, routes: &mut [Names]) -> Reached {
    let endpoint = counting_endpoint(&view.actual.vpc_endpoints, network, vpc);
    let mut reached = Reached::default();
    for route in routes {
        let own = std::mem::take(&mut route.told);
        for service in own.iter().filter_map(|domain| service_id(domain)) {
            if let Some(name) = endpoint.and_then(|endpoint| endpoint.names.get(&service)) {
                route.told.push(name.clone());
                reached.names.insert(service, name.clone());
            }
        }
        reached.waits_for_names |= route.told.len() < own.len();
        reached.routes.insert(route.unit.clone());
    }
    reached
}

/// Whether Gateways wait for the domain names of their VPC endpoints: nothing tells of those but another look.
pub fn waits_for_endpoint_names(translation: &Translation) -> bool {
    let mut reports = translation.reports.iter();
    reports.any(|report| matches!(report, Report::Gateway(gateway) if gateway.waits_for_names))
}

/// The id of the service that has a generated domain name.
pub(crate) fn service_id(domain: &str) -> Option<String> {
    let (_, id) = domain.split('.').next()?.rsplit_once('-')?;
    Some(format!("svc-{id}"))
}
