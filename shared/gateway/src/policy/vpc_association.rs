//! VpcAssociationPolicy: whether the VPC of a Gateway's cluster is associated with the service network, and how.
//!
//! | a Gateway has | the VPC's association |
//! |---|---|
//! | no policy | is wanted |
//! | one with `associateWithVpc: false` | is not wanted; it stays where another Gateway wants it |
//! | one with security groups or private DNS | has them from its creation on, and is changed in place |
//! | one that cannot be had | stays as it is; a new one is not made, since it could let in whom the policy keeps out |
//! | none any more | is wanted; it keeps its security groups, which cannot be taken off, and its private DNS |
//!
//! A Gateway has one policy, the oldest. Gateways whose clusters share a VPC share its association: of each setting the
//! oldest policy that names it counts.

use super::Attached;
use super::attached::{Candidate, of_gateway};
use super::vpc_spec::{VpcSpec, spec};
use crate::api;
use crate::gateway::was_programmed_by_us;
use crate::naming;
use crate::problem::message;
use crate::report::{Condition, Effect, GatewayReport, Report, VpcEffect};
use crate::view::View;
use crate::{Translation, conditions, reasons};
use std::collections::{BTreeMap, BTreeSet};
use trellis_hint::{ClusterId, Kind};
use trellis_lattice::{
    ActualVpcAssociation, DesiredVpcAssociation, Ownership, PrivateDns, Status, TAG_VPC_POLICY, Tags,
};

/// Gateways that a message names; the rest is counted.
const WANTERS_SHOWN_MAX: usize = 3;

/// What a Gateway wants of its cluster's VPC, the weakest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum VpcWish {
    /// It is not to be associated.
    Apart,
    /// What there is stays; nothing new is made.
    AsItIs,
    /// It is to be associated.
    Associated,
}

/// What the policies of one Gateway ask for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OfPolicies {
    pub(crate) wish: VpcWish,
    /// The security groups that they name.
    pub(crate) groups: BTreeSet<String>,
    /// The tags of the user's for what is made for the VPC.
    pub(crate) tags: Tags,
}

impl OfPolicies {
    /// Nothing but this.
    pub(crate) fn wishing(wish: VpcWish) -> Self {
        Self { wish, groups: BTreeSet::new(), tags: Tags::new() }
    }
}

/// What the policies of a Gateway of ours want of its cluster's VPC; an error where they are not known.
pub(crate) fn vpc_wish(
    view: &View,
    cluster: &ClusterId,
    namespace: &str,
    name: &str,
) -> Result<OfPolicies, String> {
    let policies = of_gateway(view, Kind::VpcAssociationPolicy, cluster, namespace, name)?;
    let is_broken = !policies.is_empty();
    let counting = policies.into_iter().find_map(|policy| Some((policy, spec(policy).ok()?)));
    Ok(match counting {
        Some((_, VpcSpec { associates: false, .. })) => OfPolicies::wishing(VpcWish::Apart),
        Some((policy, VpcSpec { security_groups: groups, .. })) => {
            let tags = naming::user_tags(&api::meta(policy)).0;
            OfPolicies { wish: VpcWish::Associated, groups, tags }
        }
        None if is_broken => OfPolicies::wishing(VpcWish::AsItIs),
        None => OfPolicies::wishing(VpcWish::Associated),
    })
}

/// A Gateway, by its cluster and namespace; all have one name.
type Place = (ClusterId, String);

fn place(candidate: &Candidate) -> Place {
    (candidate.cluster.clone(), candidate.meta.namespace.clone())
}

/// What becomes of a policy.
enum Judged {
    Refused(Condition),
    Counts(VpcSpec),
}

/// Adds the settings that these policies ask for, and the reports on them.
pub(super) fn add(view: &View, attached: Attached, translation: &mut Translation) {
    let Attached { candidates, unknown, .. } = attached;
    let mut says: BTreeMap<Place, (String, VpcWish)> = BTreeMap::new();
    let judged: Vec<Judged> = candidates.iter().map(|one| judge(one, &mut says)).collect();
    let Some(network) = translation.desired.as_ref().and_then(|desired| desired.network.clone()) else {
        for (candidate, judged) in candidates.iter().zip(judged) {
            let idle = "The Gateway has no service network in VPC Lattice; see its status.".to_owned();
            translation.reports.push(report(candidate, judged, |_| Ok(Effect::Nothing(idle))));
        }
        return;
    };
    let associations = translation.desired.iter().flat_map(|desired| &desired.vpc_associations);
    let wanted = associations.map(|association| association.vpc.clone()).collect();
    let (by_endpoint, wanters, vpcs) = (BTreeSet::new(), BTreeMap::new(), BTreeMap::new());
    let mut scene = Scene { view, unknown, wanted, network: network.name, says, by_endpoint, wanters, vpcs };
    scene.look(translation);
    for (candidate, judged) in candidates.iter().zip(judged) {
        translation.reports.push(report(candidate, judged, |spec| scene.effect(candidate, spec)));
    }
    let associations = translation.desired.iter_mut().flat_map(|desired| &mut desired.vpc_associations);
    for association in associations {
        scene.set(association);
    }
    for report in &mut translation.reports {
        if let Report::Gateway(report) = report {
            scene.tell(report);
        }
    }
}

/// Whether a policy counts for its Gateway: the oldest one that can be had does.
fn judge(candidate: &Candidate, says: &mut BTreeMap<Place, (String, VpcWish)>) -> Judged {
    if let Some(refused) = &candidate.refused {
        return Judged::Refused(refused.clone());
    }
    let place = place(candidate);
    let spec = match spec(candidate.object) {
        Ok(spec) => spec,
        Err(problems) => {
            says.entry(place).or_insert_with(|| (candidate.named(), VpcWish::AsItIs));
            return Judged::Refused(no(reasons::INVALID, message(&problems)));
        }
    };
    match says.get(&place) {
        Some((other, VpcWish::Apart | VpcWish::Associated)) => Judged::Refused(no(
            reasons::CONFLICTED,
            format!(
                "{other} counts before this one, and a Gateway has one VpcAssociationPolicy; delete one of the two."
            ),
        )),
        Some((_, VpcWish::AsItIs)) | None => {
            let wish = if spec.associates { VpcWish::Associated } else { VpcWish::Apart };
            says.insert(place, (candidate.named(), wish));
            Judged::Counts(spec)
        }
    }
}

fn no(reason: &'static str, text: String) -> Condition {
    Condition::no(conditions::ACCEPTED, reason, text)
}

fn report(
    candidate: &Candidate,
    judged: Judged,
    effect: impl FnOnce(&VpcSpec) -> Result<Effect, Condition>,
) -> Report {
    let effect = match judged {
        Judged::Refused(refused) => Err(refused),
        Judged::Counts(spec) => effect(&spec),
    };
    match effect {
        Err(refused) => candidate.report(refused, None),
        Ok(effect) => {
            let accepted = Condition::yes(conditions::ACCEPTED, reasons::ACCEPTED, "");
            candidate.report(accepted, Some(effect))
        }
    }
}

/// What is known of the VPCs of one network.
struct Scene<'a> {
    view: &'a View<'a>,
    network: String,
    /// Clusters whose policies are not known, or are none of our business.
    unknown: BTreeSet<ClusterId>,
    /// The VPCs that are to be associated.
    wanted: BTreeSet<String>,
    /// The policy that counts for a Gateway and what it says; one that cannot be had, where no other is.
    says: BTreeMap<Place, (String, VpcWish)>,
    /// Gateways whose VPC comes by an endpoint.
    by_endpoint: BTreeSet<Place>,
    /// Gateways that want a VPC, in words.
    wanters: BTreeMap<String, Vec<String>>,
    vpcs: BTreeMap<String, Settings>,
}

/// What is wanted of the association of one VPC, and by which policy.
#[derive(Default)]
struct Settings {
    held: Option<ActualVpcAssociation>,
    /// The cluster whose policy gave the association what it has, if nothing is known of it now: that stays.
    frozen_by: Option<String>,
    /// The cluster of the oldest policy that counts.
    origin: Option<ClusterId>,
    groups: Option<(String, BTreeSet<String>)>,
    private_dns: Option<(String, PrivateDns)>,
}

impl Scene<'_> {
    fn vpc(&self, cluster: &ClusterId) -> String {
        self.view.snapshot.facts.get(cluster).map(|facts| facts.vpc.clone()).unwrap_or_default()
    }

    /// Notes what there is, what of it has to stay, and who wants which VPC.
    fn look(&mut self, translation: &Translation) {
        let lasting = |one: &&ActualVpcAssociation| {
            one.network == self.network && one.status != Status::DeleteInProgress
        };
        for held in self.view.actual.vpc_associations.iter().filter(lasting) {
            let origin = held.tags.get(TAG_VPC_POLICY).and_then(|tag| tag.parse::<ClusterId>().ok());
            let frozen_by = origin.filter(|cluster| self.is_unknown(cluster)).map(|cluster| cluster.name);
            let settings = Settings { held: Some(held.clone()), frozen_by, ..Settings::default() };
            self.vpcs.insert(held.vpc.clone(), settings);
        }
        for report in &translation.reports {
            let Report::Gateway(report) = report else { continue };
            let subject = &report.subject;
            let place = (subject.cluster.clone(), subject.object.namespace.clone());
            if report.by_endpoint {
                self.by_endpoint.insert(place);
                continue;
            }
            let wish = self.says.get(&place).map_or(VpcWish::Associated, |(_, wish)| *wish);
            if wish == VpcWish::Associated && self.is_wanting(report) {
                let text = format!(
                    "Gateway {}/{} of cluster {}",
                    place.1, subject.object.name, subject.cluster.name
                );
                self.wanters.entry(report.vpc.clone()).or_default().push(text);
            }
        }
    }

    /// Whether nothing is known of what a cluster asks for.
    fn is_unknown(&self, cluster: &ClusterId) -> bool {
        self.unknown.contains(cluster) || self.view.snapshot.unknown(cluster).is_some()
    }

    fn is_wanting(&self, report: &GatewayReport) -> bool {
        let key = &report.subject.object;
        let object = self.view.snapshot.get(&report.subject.cluster, key.kind, &key.namespace, &key.name);
        report.accepted.is_true() || object.is_some_and(was_programmed_by_us)
    }

    /// What a policy does that counts for its Gateway; or that an older one of the VPC contradicts it.
    fn effect(&mut self, candidate: &Candidate, spec: &VpcSpec) -> Result<Effect, Condition> {
        let vpc = self.vpc(&candidate.cluster);
        let network = self.network.clone();
        if self.by_endpoint.contains(&place(candidate)) {
            let (done, is_apart) = (of_endpoint(spec, &vpc), !spec.associates);
            let effect = VpcEffect { network, vpc, is_apart, by_endpoint: true, hindrance: None, done };
            return Ok(Effect::Vpc(effect));
        }
        if !spec.associates {
            let hindrance = self.hindrance(&vpc);
            let done = format!("The VPC {vpc} is not associated with service network {network}.");
            return Ok(Effect::Vpc(VpcEffect {
                network,
                vpc,
                is_apart: true,
                by_endpoint: false,
                hindrance,
                done,
            }));
        }
        let settings = self.vpcs.entry(vpc.clone()).or_default();
        if let Some(cluster) = &settings.frozen_by
            && !settings.is_as(spec)
        {
            return Ok(Effect::Nothing(format!(
                "The association of the VPC {vpc} has what a policy of cluster {cluster} gave it, and of that nothing is \
                 known now: it stays as it is."
            )));
        }
        settings.take(candidate, &vpc, spec)?;
        let done = format!("The VPC {vpc} is associated with service network {network}{}.", told(spec));
        Ok(Effect::Vpc(VpcEffect {
            network,
            vpc,
            is_apart: false,
            by_endpoint: false,
            hindrance: None,
            done,
        }))
    }

    /// Why a VPC stays associated although a policy says that it is not to be.
    fn hindrance(&self, vpc: &str) -> Option<String> {
        let network = &self.network;
        if let Some(wanters) = self.wanters.get(vpc) {
            let shown = wanters.iter().take(WANTERS_SHOWN_MAX).cloned().collect::<Vec<_>>().join(", ");
            let more = match wanters.len().saturating_sub(WANTERS_SHOWN_MAX) {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            return Some(format!(
                "The VPC {vpc} stays associated with service network {network}, which is wanted for {shown}{more}. Let a \
                 VpcAssociationPolicy there say that it is not to be."
            ));
        }
        let held = self.vpcs.get(vpc)?.held.as_ref()?;
        if self.wanted.contains(vpc) {
            let unknown = naming::wanting(&held.tags).filter(|(_, cluster)| self.is_unknown(cluster));
            let unknown: Vec<String> = unknown.map(|(_, cluster)| cluster.name).collect();
            let why = match unknown.as_slice() {
                [] => "nothing is taken from a cluster of its mode".to_owned(),
                names => {
                    format!("cluster {} asked for it, and nothing is known of it now", names.join(" and "))
                }
            };
            return Some(format!("The VPC {vpc} stays associated with service network {network}: {why}."));
        }
        (held.ownership != Ownership::Ours).then(|| {
            format!(
                "The VPC {vpc} stays associated with service network {network}: this installation did not make the \
                 association {}; delete that.",
                held.id
            )
        })
    }

    /// Gives an association what its policies say; where none says anything, what it has.
    fn set(&self, association: &mut DesiredVpcAssociation) {
        let Some(settings) = self.vpcs.get(&association.vpc) else { return };
        let held = settings.held.as_ref().filter(|held| held.ownership == Ownership::Ours);
        match (&settings.origin, &settings.frozen_by, held) {
            (Some(origin), None, _) => {
                let named = |one: &(String, BTreeSet<String>)| one.1.clone();
                association.security_groups = settings.groups.as_ref().map(named).unwrap_or_default();
                let named = |one: &(String, PrivateDns)| one.1.clone();
                association.private_dns = settings.private_dns.as_ref().map(named).unwrap_or_default();
                association.tags.insert(TAG_VPC_POLICY.to_owned(), origin.to_string());
            }
            (_, _, Some(held)) => association.security_groups.clone_from(&held.security_groups),
            (_, _, None) => {}
        }
    }

    /// Tells a Gateway why its VPC is not associated, or what its association has that nobody asks for.
    fn tell(&self, report: &mut GatewayReport) {
        let subject = &report.subject;
        let vpc = &report.vpc;
        let not = |reason, text| Some(Condition::no(conditions::VPC_ASSOCIATED, reason, text));
        match self.says.get(&(subject.cluster.clone(), subject.object.namespace.clone())) {
            Some((policy, VpcWish::Apart)) => {
                let text = format!(
                    "{policy} keeps the VPC {vpc} out of service network {}: its Pods do not reach this Gateway.",
                    self.network
                );
                report.vpc_problem = not(reasons::NOT_WANTED, text);
            }
            Some((policy, VpcWish::AsItIs)) => {
                let text = format!(
                    "Without {policy}, which cannot be had, the VPC {vpc} is not associated; see its status."
                );
                report.vpc_problem = not(reasons::INVALID, text);
                report.vpc_notes = format!("Its association stays as it is: {policy} cannot be had.");
            }
            Some((_, VpcWish::Associated)) | None => {
                let left = self.vpcs.get(vpc).filter(|_| !report.by_endpoint).and_then(Settings::left);
                report.vpc_notes = left.unwrap_or_default();
            }
        }
    }
}

impl Settings {
    /// Takes what a policy says, unless an older one says otherwise.
    fn take(&mut self, candidate: &Candidate, vpc: &str, spec: &VpcSpec) -> Result<(), Condition> {
        let conflict = |by: &str, what: &str| {
            no(
                reasons::CONFLICTED,
                format!(
                    "{by} counts before this one and gives the association of the VPC {vpc}, which both share, {what}; name \
                     the same, or delete one of the two."
                ),
            )
        };
        if let Some((by, groups)) = &self.groups
            && !spec.security_groups.is_empty()
            && *groups != spec.security_groups
        {
            return Err(conflict(by, &format!("the security groups {}", listed(groups))));
        }
        if let Some((by, dns)) = &self.private_dns
            && !spec.private_dns.is_unnamed()
            && *dns != spec.private_dns
        {
            return Err(conflict(by, "other private DNS options"));
        }
        self.origin.get_or_insert_with(|| candidate.cluster.clone());
        if !spec.security_groups.is_empty() && self.groups.is_none() {
            self.groups = Some((candidate.named(), spec.security_groups.clone()));
        }
        if !spec.private_dns.is_unnamed() && self.private_dns.is_none() {
            self.private_dns = Some((candidate.named(), spec.private_dns.clone()));
        }
        Ok(())
    }

    /// Whether the association has what a policy names.
    fn is_as(&self, spec: &VpcSpec) -> bool {
        self.held.as_ref().is_some_and(|held| {
            (spec.security_groups.is_empty() || spec.security_groups == held.security_groups)
                && spec.private_dns.is_met_by(&held.private_dns)
        })
    }

    /// What an association of ours has left of a policy that is gone.
    fn left(&self) -> Option<String> {
        let held = self.held.as_ref().filter(|held| held.ownership == Ownership::Ours)?;
        if self.origin.is_some() || self.frozen_by.is_some() || !held.tags.contains_key(TAG_VPC_POLICY) {
            return None;
        }
        let mut notes = vec![];
        if !held.security_groups.is_empty() {
            notes.push(format!(
                "It keeps the security groups {} of a VpcAssociationPolicy that is gone, since VPC Lattice takes the last \
                 one off no association. {}",
                listed(&held.security_groups),
                crate::status::HOW_TO_BE_RID_OF_GROUPS
            ));
        }
        if held.private_dns.enabled == Some(true) {
            notes.push(
                "Its private DNS stays enabled until a VpcAssociationPolicy says otherwise.".to_owned(),
            );
        }
        Some(notes.join(" ")).filter(|notes| !notes.is_empty())
    }
}

/// What a policy does of a Gateway whose VPC comes by an endpoint, in words.
fn of_endpoint(spec: &VpcSpec, vpc: &str) -> String {
    if !spec.associates {
        return format!(
            "The VPC {vpc} has no endpoint for the Gateway, which asks for one by its annotation."
        );
    }
    format!(
        "The VPC {vpc} comes by an endpoint, as the Gateway's annotation asks: it has the policy's security groups where the Gateway \
         names none, and no private DNS."
    )
}

/// What an association has by a policy, in words.
fn told(spec: &VpcSpec) -> String {
    let groups = match spec.security_groups.len() {
        0 => String::new(),
        1 => format!(", with the security group {}", listed(&spec.security_groups)),
        _ => format!(", with the security groups {}", listed(&spec.security_groups)),
    };
    let dns = match spec.private_dns.enabled {
        None => "",
        Some(true) => "; private DNS is enabled",
        Some(false) => "; private DNS is not enabled",
    };
    format!("{groups}{dns}")
}

fn listed(groups: &BTreeSet<String>) -> String {
    groups.iter().cloned().collect::<Vec<_>>().join(", ")
}
