//! What the Gateways and the ServiceNetworks of one name want: the service network, and the VPCs of the Gateways' clusters.

use super::attached_routes::attached_routes;
use super::from_secrets::Imports;
use super::gateway_addresses::addresses;
use super::network_name;
use super::service_network::{self, Asked};
use super::slot;
use super::subject;
use super::vpc_access::{self, Access, Reached};
use crate::annotations;
use crate::api::Meta;
use crate::gateway::{self, Whose, was_programmed_by_us};
use crate::naming;
use crate::policy::{OfPolicies, VpcWish, vpc_wish};
use crate::problem;
use crate::report::{Condition, GatewayReport, ListenerReport, Report};
use crate::secret::{SecretKey, SecretRead};
use crate::snapshot::ClusterFacts;
use crate::view::View;
use crate::{Settings, Translation};
use crate::{conditions, reasons};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use trellis_hint::{ClusterId, Kind, Scope, UnitKey};
use trellis_lattice::{
    ActualNetwork, ActualVpcAssociation, Desired, DesiredNetwork, DesiredVpcAssociation, DesiredVpcEndpoint,
    Mode, Owner, Ownership, PrivateDns, TAG_PREFIX, Tags,
};

/// Translates all Gateways and ServiceNetworks of one name, in all clusters of a scope.
///
/// The network is wanted as long as any cluster has such a Gateway of ours or asks for the network itself, and the VPC of each Gateway is to be
/// associated.
/// The association of a cluster of which nothing is known stays as it is, and the network with it.
pub(crate) fn translate(view: &View, scope: &Scope, name: &str, settings: &Settings) -> Translation {
    let owner = settings.owner(&UnitKey::Gateway { scope: scope.clone(), name: name.to_owned() });
    let mut gateways = Gateways {
        scope,
        name,
        owner: &owner,
        reports: vec![],
        unknown: vec![],
        wishes: BTreeMap::new(),
        asked: BTreeMap::new(),
        users: BTreeSet::new(),
        imports: Imports::default(),
    };
    for (cluster, facts) in view.snapshot.facts.iter().filter(|(cluster, _)| cluster.scope == *scope) {
        let (wish, asked) = gateways.wish_in_mode(view, cluster, facts, settings);
        gateways.wishes.insert(cluster.clone(), wish);
        gateways.asked.insert(cluster.clone(), asked);
    }
    let vpc_associations = gateways.vpc_associations(view);
    let vpc_endpoints = vpc_access::endpoints(&mut gateways, view);
    let network = gateways.network(view, &vpc_associations, &vpc_endpoints);
    gateways.tell_of_users(view);
    vpc_access::tell(&mut gateways.reports, view, &vpc_endpoints);
    let Gateways { reports, mut unknown, wishes, imports, .. } = gateways;
    let certificates =
        imports.all(view, &owner, |cluster| matches!(wishes.get(cluster), None | Some(Wish::Unknown)));
    unknown.sort();
    unknown.dedup();
    let desired = Desired {
        network,
        vpc_associations: vpc_associations.into_values().collect(),
        vpc_endpoints: vpc_endpoints.into_values().collect(),
        certificates,
        ..Desired::nothing(owner)
    };
    Translation::wanting_but(settings.allowing_networks(desired), unknown, reports)
}

/// What a cluster wants of a service network.
pub(super) enum Wish {
    /// There is to be one, with these tags of the user's for what is made for the cluster.
    Wanted {
        user: Tags,
        /// What is to become of the cluster's VPC.
        vpc: Access,
    },
    /// Nothing: it has no such Gateway, or is taken out.
    Nothing,
    /// Nobody knows.
    Unknown,
}

/// What has become of the clusters that want something by its tags.
pub(super) struct Marks {
    /// The marks of those that want it no more.
    pub(super) given_up: Vec<String>,
    /// The marks of those for which it stays as it is.
    pub(super) staying: Vec<(String, ClusterId)>,
}

/// The Gateways of one name.
pub(super) struct Gateways<'a> {
    scope: &'a Scope,
    pub(super) name: &'a str,
    owner: &'a Owner,
    reports: Vec<Report>,
    pub(super) unknown: Vec<String>,
    pub(super) wishes: BTreeMap<ClusterId, Wish>,
    /// Which clusters ask for the network by an object of its own.
    asked: BTreeMap<ClusterId, Asked>,
    /// The Gateways that use the network, `<cluster>/<namespace>/<name>`.
    users: BTreeSet<String>,
    imports: Imports,
}

impl Gateways<'_> {
    /// What one cluster wants, as far as its mode lets it. One that is only observed, or must lose nothing, keeps what it has as
    /// one of which nothing is known does.
    fn wish_in_mode(
        &mut self,
        view: &View,
        cluster: &ClusterId,
        facts: &ClusterFacts,
        settings: &Settings,
    ) -> (Wish, Asked) {
        let (told, imported) = (self.reports.len(), self.imports.count());
        let asked = self.asked(view, cluster, settings);
        let wish = self.wish(view, cluster, facts, settings);
        if facts.mode == Mode::Upsert {
            self.imports.stay(cluster);
        }
        match (facts.mode, wish) {
            (Mode::Observe, _) => {
                self.reports.truncate(told);
                self.imports.truncate(imported);
                (Wish::Unknown, Asked::Unknown)
            }
            (Mode::Upsert, wish) => {
                let wish = match wish {
                    Wish::Wanted { user, vpc } => Wish::Wanted { user, vpc: vpc.taking_nothing() },
                    Wish::Nothing | Wish::Unknown => Wish::Unknown,
                };
                (wish, if asked == Asked::No { Asked::Unknown } else { asked })
            }
            (Mode::Sync, wish) => (wish, asked),
        }
    }

    /// Whether one cluster asks for the network by an object of its own, which is reported on.
    fn asked(&mut self, view: &View, cluster: &ClusterId, settings: &Settings) -> Asked {
        let problem = network_name::problem_of_making(view, self.name, settings);
        let object = service_network::object(view, cluster, self.name, self.held(view), problem);
        self.unknown.extend(object.unknown);
        self.reports.extend(object.report.map(Report::Network));
        object.asked
    }

    /// What one cluster wants; its Gateways are reported on.
    fn wish(&mut self, view: &View, cluster: &ClusterId, facts: &ClusterFacts, settings: &Settings) -> Wish {
        // Asked for together with the Gateways, which saves a round.
        let _ = view.list(cluster, Kind::GatewayClass, None);
        let _ = view.list(cluster, Kind::VpcAssociationPolicy, None);
        let gateways = match view.list_named(cluster, Kind::Gateway, self.name) {
            Ok(gateways) => gateways,
            Err(why) => {
                self.unknown.push(why);
                return Wish::Unknown;
            }
        };
        let mut wish = Wish::Nothing;
        let mut tagging: Option<(String, Tags)> = None;
        for object in gateways.into_values() {
            match gateway::whose(view, cluster, object) {
                Whose::Others => {}
                Whose::Unknown(why) => {
                    self.unknown.push(why);
                    wish = Wish::Unknown;
                }
                Whose::Ours => {
                    let mut report = report(view, cluster, object, self.name, settings, &mut self.unknown);
                    let is_wanting = report.accepted.is_true() || was_programmed_by_us(object);
                    let meta = crate::api::meta(object);
                    if is_wanting {
                        tell_whose_tags_count(&mut report.accepted, &meta, &mut tagging);
                    }
                    self.reports.push(Report::Gateway(report));
                    if !is_wanting {
                        continue;
                    }
                    let policies = vpc_wish(view, cluster, &meta.namespace, self.name);
                    let policies = policies.unwrap_or_else(|why| {
                        self.unknown.push(why);
                        OfPolicies::wishing(VpcWish::AsItIs)
                    });
                    let of_this = Access::of(&meta, policies);
                    let user = naming::user_tags(&meta).0;
                    let tags = self.tags(facts, &user);
                    self.imports.add(view, cluster, object, &tags, &mut self.unknown);
                    self.users.insert(format!("{}/{}/{}", cluster.name, meta.namespace, meta.name));
                    match &mut wish {
                        Wish::Wanted { vpc, .. } => *vpc = of_this.beside(vpc),
                        Wish::Nothing => {
                            wish = Wish::Wanted { user, vpc: of_this };
                        }
                        Wish::Unknown => {}
                    }
                }
            }
        }
        wish
    }

    /// The tags of what is made for a cluster.
    pub(super) fn tags(&self, facts: &ClusterFacts, user: &Tags) -> Tags {
        naming::tags(self.owner.tags().into_iter().chain([naming::managed_by(facts)]), user)
    }

    /// The associations by VPC: of the clusters that want one, and as they are those of clusters of which nothing is known.
    ///
    /// An association is marked with all clusters that want it, since several may share a VPC. A mark stays until its
    /// cluster is known to want it no more.
    fn vpc_associations(&mut self, view: &View) -> BTreeMap<String, DesiredVpcAssociation> {
        let mut wanted: BTreeMap<String, DesiredVpcAssociation> = BTreeMap::new();
        for (cluster, wish) in &self.wishes {
            let Wish::Wanted { user, vpc: access } = wish else { continue };
            let Some(facts) = view.snapshot.facts.get(cluster) else { continue };
            if access.association != VpcWish::Associated {
                continue;
            }
            let association = wanted.entry(facts.vpc.clone()).or_insert_with(|| DesiredVpcAssociation {
                network: self.name.to_owned(),
                vpc: facts.vpc.clone(),
                security_groups: BTreeSet::new(),
                private_dns: PrivateDns::default(),
                tags: self.tags(facts, &self.user_tags(view, &facts.vpc, user, |one| one.association)),
            });
            let lasting = |one: &&ActualVpcAssociation| one.vpc == facts.vpc && one.network == self.name;
            let held = view.actual.vpc_associations.iter().find(lasting);
            naming::mark(&mut association.tags, held.map(|held| &held.tags), cluster);
        }
        let ours = view.actual.vpc_associations.iter().filter(|held| held.ownership == Ownership::Ours);
        for held in ours.filter(|held| held.network == self.name) {
            let marks = self.marks(&held.tags, |access| access.association);
            for (mark, cluster) in &marks.staying {
                let as_it_is = || DesiredVpcAssociation {
                    network: held.network.clone(),
                    vpc: held.vpc.clone(),
                    security_groups: held.security_groups.clone(),
                    private_dns: PrivateDns::default(),
                    tags: held.tags.clone(),
                };
                let association = wanted.entry(held.vpc.clone()).or_insert_with(as_it_is);
                association.tags.insert(mark.clone(), cluster.to_string());
                self.unknown.extend(view.snapshot.unknown(cluster));
            }
            if let Some(association) = wanted.get_mut(&held.vpc) {
                self.keep_tags_of_an_unknown(&held.tags, &mut association.tags, &marks);
                association.tags.extend(marks.given_up.into_iter().map(|mark| (mark, String::new())));
            }
        }
        wanted
    }

    /// What has become of the clusters that want an association or an endpoint by its tags; `of` takes from a wish what they want
    /// of that now.
    pub(super) fn marks(&self, tags: &Tags, of: impl Fn(&Access) -> VpcWish) -> Marks {
        let mut marks = Marks { given_up: vec![], staying: vec![] };
        for (mark, cluster) in naming::wanting(tags) {
            let wish = match self.wishes.get(&cluster) {
                Some(Wish::Wanted { vpc, .. }) => of(vpc),
                Some(Wish::Nothing) => VpcWish::Apart,
                Some(Wish::Unknown) | None => VpcWish::AsItIs,
            };
            match wish {
                VpcWish::Associated => {}
                VpcWish::Apart => marks.given_up.push(mark),
                VpcWish::AsItIs => marks.staying.push((mark, cluster)),
            }
        }
        marks
    }

    /// Of what was made for a cluster of which nothing is known all tags stay, but for the marks of others; of what such a cluster
    /// wants as well, those that users have asked for.
    pub(super) fn keep_tags_of_an_unknown(&self, held: &Tags, wanted: &mut Tags, marks: &Marks) {
        if self.was_made_for_an_unknown(held) {
            let marks = std::mem::replace(wanted, held.clone());
            wanted.extend(marks.into_iter().filter(|(key, _)| naming::is_mark(key)));
        } else if !marks.staying.is_empty() {
            naming::keep_user_tags(held, wanted);
        }
    }

    /// The network as it is, if it is ours.
    fn held<'v>(&self, view: &View<'v>) -> Option<&'v ActualNetwork> {
        let ours = |held: &&ActualNetwork| held.name == self.name && held.ownership == Ownership::Ours;
        view.actual.networks.iter().find(ours)
    }

    /// The network: wanted by a cluster; or as it is, while an association stays, or nothing is known of the cluster that
    /// it was made for or of any that may want it.
    fn network(
        &mut self,
        view: &View,
        associations: &BTreeMap<String, DesiredVpcAssociation>,
        endpoints: &BTreeMap<String, DesiredVpcEndpoint>,
    ) -> Option<DesiredNetwork> {
        let held = self.held(view);
        self.unknown.extend(service_network::unknown_askers(view, held, &self.asked));
        let kept = held.filter(|held| {
            !associations.is_empty()
                || !endpoints.is_empty()
                || self.was_made_for_an_unknown(&held.tags)
                || self.wishes.values().any(|wish| matches!(wish, Wish::Unknown))
                || service_network::may_be_asked_for(held, &self.asked)
        });
        let as_it_is = held.filter(|held| {
            self.was_made_for_an_unknown(&held.tags)
                || service_network::was_asked_for_by_an_unknown(held, &self.asked)
        });
        let as_it_is = as_it_is.map(|held| held.tags.clone());
        let mut tags =
            as_it_is.or_else(|| self.wanted_tags(view)).or_else(|| kept.map(|held| held.tags.clone()))?;
        service_network::mark(&mut tags, held, &self.asked);
        let mut network = DesiredNetwork { name: self.name.to_owned(), tags };
        vpc_access::mark(&mut network, held.map(|held| &held.tags), view, !endpoints.is_empty());
        Some(network)
    }

    /// The tags of the network, if any cluster wants it: it is made for the first that has a Gateway, else for the first that asks
    /// for it. What an object of the network's own asks for counts before a Gateway's.
    fn wanted_tags(&self, view: &View) -> Option<Tags> {
        let of_gateway = |cluster: &ClusterId| match self.wishes.get(cluster) {
            Some(Wish::Wanted { user, .. }) => Some(user),
            Some(Wish::Nothing | Wish::Unknown) | None => None,
        };
        let of_object = |cluster: &ClusterId| match self.asked.get(cluster) {
            Some(Asked::Yes(user)) => Some(user),
            Some(Asked::No | Asked::Unknown) | None => None,
        };
        let clusters = || self.wishes.keys();
        let with_gateway = clusters().find(|one| of_gateway(one).is_some());
        let asking = clusters().find(|one| of_object(one).is_some());
        let mut user = with_gateway.and_then(of_gateway).cloned().unwrap_or_default();
        user.extend(asking.and_then(of_object).cloned().unwrap_or_default());
        Some(self.tags(view.snapshot.facts.get(with_gateway.or(asking)?)?, &user))
    }

    /// Tells the ServiceNetworks which Gateways use the network, as far as that is known.
    fn tell_of_users(&mut self, view: &View) {
        let is_known = |(_, wish): &(&ClusterId, &Wish)| !matches!(wish, Wish::Unknown);
        let known: BTreeSet<String> =
            self.wishes.iter().filter(is_known).map(|(cluster, _)| cluster.name.clone()).collect();
        let mut named = view.actual.networks.iter().filter(|one| one.name == self.name);
        let is_of_others = self.held(view).is_none() && named.next().is_some();
        for report in &mut self.reports {
            if let Report::Network(report) = report {
                report.gateways.clone_from(&self.users);
                report.known.clone_from(&known);
                report.is_of_others = is_of_others;
            }
        }
    }

    /// Whether nothing is known of the cluster that a resource with these tags was made for: then they stay.
    fn was_made_for_an_unknown(&self, tags: &Tags) -> bool {
        let is_unknown = |maker: &ClusterId| matches!(self.wishes.get(maker), None | Some(Wish::Unknown));
        naming::maker(self.scope, tags).is_some_and(|maker| is_unknown(&maker))
    }
}

/// Tells a Gateway that another one of its name has the network's tags: `tagging`, the first one that there is.
fn tell_whose_tags_count(accepted: &mut Condition, meta: &Meta, tagging: &mut Option<(String, Tags)>) {
    let (Meta { namespace, name, .. }, user) = (meta, naming::user_tags(meta).0);
    let Some((first, tags)) = tagging else {
        *tagging = Some((format!("{namespace}/{name}"), user));
        return;
    };
    if accepted.is_true() && !user.is_empty() && user != *tags {
        let text = format!(
            "metadata.annotations[{TAG_PREFIX}{}]: The service network {name} and the VPC's association have the tags of Gateway \
             {first}, the first of that name; ask for them there.",
            naming::TAGS_ANNOTATION
        );
        let between = if accepted.message.is_empty() { "" } else { " " };
        accepted.message = format!("{}{between}{text}", accepted.message);
    }
}

fn report(
    view: &View,
    cluster: &ClusterId,
    object: &Value,
    name: &str,
    settings: &Settings,
    unknown: &mut Vec<String>,
) -> GatewayReport {
    let vpc = view.snapshot.facts.get(cluster).map(|facts| facts.vpc.clone()).unwrap_or_default();
    let subject = subject(cluster, Kind::Gateway, object);
    let judged = match gateway::judge(Some((view, cluster)), object) {
        Ok(judged) => judged,
        Err(problem) => {
            let accepted = Condition::no_for(conditions::ACCEPTED, reasons::INVALID, vec![problem]);
            let (listeners, addresses, vpc_notes) = (vec![], vec![], String::new());
            return GatewayReport {
                subject,
                accepted,
                listeners,
                vpc,
                addresses,
                vpc_problem: None,
                vpc_notes,
                by_endpoint: false,
                endpoint_notes: String::new(),
                endpoint_names: BTreeMap::new(),
                routes: BTreeSet::new(),
                waits_for_names: false,
                waits_for_secrets: false,
            };
        }
    };
    let meta = crate::api::meta(object);
    let by_endpoint = vpc_access::is_by_endpoint(&meta);
    let (routes, mut names) = attached_routes(view, cluster, &judged, settings, unknown);
    let reached =
        if by_endpoint { vpc_access::reach(view, name, &vpc, &mut names) } else { Reached::default() };
    let addresses = addresses(names.into_iter());
    let told = || {
        let mut problems = annotations::problems(Kind::Gateway, &meta);
        problems.extend(slot::listener_problem(&judged));
        let notes = problem::message(&problems);
        let own = judged.accepted.clone();
        let between = if own.message.is_empty() || notes.is_empty() { "" } else { " " };
        Condition { message: format!("{}{between}{notes}", own.message), ..own }.telling(problems)
    };
    let accepted = network_name::problem(view, name, settings).map_or_else(told, |problem| {
        Condition::no_for(conditions::ACCEPTED, reasons::INVALID, vec![problem])
    });
    let is_awaited =
        |key: &SecretKey| matches!(view.secret(key), Some(SecretRead::Missing | SecretRead::Forbidden));
    let waits_for_secrets = judged.listeners.iter().flat_map(|one| &one.secrets).any(is_awaited);
    let listeners = judged
        .listeners
        .iter()
        .map(|listener| ListenerReport {
            name: listener.wire.name.clone(),
            supported_kinds: listener.kinds.iter().map(|kind| kind.as_str()).collect(),
            attached_routes: routes.get(&listener.wire.name).copied().unwrap_or_default(),
            accepted: listener.accepted.clone(),
            resolved_refs: listener.resolved_refs.clone(),
            certificate_missing: listener.certificate_missing.as_ref().map(ToString::to_string),
            secrets: listener.secrets.iter().map(SecretKey::hash).collect(),
            conflicted: listener.conflicted.clone(),
        })
        .collect();
    GatewayReport {
        subject,
        accepted,
        listeners,
        vpc,
        addresses,
        vpc_problem: vpc_access::condition(&meta),
        vpc_notes: String::new(),
        by_endpoint,
        endpoint_notes: String::new(),
        endpoint_names: reached.names,
        routes: reached.routes,
        waits_for_names: reached.waits_for_names,
        waits_for_secrets,
    }
}
