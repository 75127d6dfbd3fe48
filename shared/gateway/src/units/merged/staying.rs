//! What of the services stays that no cluster's known and possible route asks for: the ports, networks and hostnames of clusters
//! that keep what VPC Lattice has of them.

use super::{Merged, Merging, cluster_of, served_by};
use crate::report::Serving;
use crate::route::RouteId;
use crate::units::contest::{Member, Port, ServiceDraft};
use crate::units::kept::{self, Kept};
use crate::units::services::Contender;
use crate::units::slot::Slot;
use std::collections::BTreeSet;
use trellis_hint::ClusterId;
use trellis_lattice::{ActualService, ActualTargetGroup, Ownership};

impl Merged<'_, '_> {
    /// A draft with the ports and networks of clusters that keep what they have there. No two services of a slot are in one network.
    pub(super) fn with_what_stays(
        &self,
        draft: &ServiceDraft,
        all: &[ServiceDraft],
        stays: &BTreeSet<ClusterId>,
        merging: &[Merging],
    ) -> ServiceDraft {
        let mut whole = draft.clone();
        let Some(held) = kept::service_of(self.view.actual, draft) else { return whole };
        let asks = |cluster: &ClusterId| {
            of(merging, cluster).map(|one| one.claim.asks.iter().filter(|ask| ask.slot == draft.slot))
        };
        for listener in held.listeners.iter().filter(|one| one.ownership == Ownership::Ours) {
            let named = listener.target_groups();
            let mut theirs = self.clusters_leading_to(&named).into_iter();
            let keeps = |cluster: ClusterId| {
                stays.contains(&cluster)
                    && asks(&cluster).is_none_or(|mut asks| asks.any(|ask| ask.port == listener.port))
            };
            if theirs.any(keeps) {
                whole.ports.entry(listener.port).or_insert_with(|| Port {
                    protocol: listener.protocol,
                    kind: self.id.kind,
                    hostname: None,
                    members: vec![],
                });
            }
        }
        let named = held.target_groups();
        let theirs = self.clusters_leading_to(&named);
        for network in held.associations.iter().map(|one| &one.network) {
            let is_anothers = all
                .iter()
                .any(|other| other.is_standalone == draft.is_standalone && other.networks.contains(network));
            let mut staying = theirs.intersection(stays);
            let is_theirs = staying.any(|cluster| {
                asks(cluster).is_none_or(|mut asks| asks.any(|ask| ask.gateway.name == *network))
            });
            if !is_anothers && is_theirs {
                whole.networks.insert(network.clone());
            }
        }
        whole
    }

    /// Keeps the services that nobody asks for any more as far as it is known, and that a cluster leads to which keeps what it has.
    pub(super) fn keep_the_rest(&mut self, merging: &mut [Merging]) {
        for service in &self.view.actual.services {
            let slot = Slot::of(service);
            if !kept::is_for(service, &slot)
                || self.desired.services.iter().any(|one| one.name == service.name)
            {
                continue;
            }
            let named = service.target_groups();
            let theirs = self.clusters_leading_to(&named);
            let keeps = |one: &&ClusterId| {
                self.stays.contains(*one) || self.refused.contains(&((*one).clone(), slot.clone()))
            };
            let keeping: Vec<&ClusterId> = theirs.iter().filter(keeps).collect();
            let mut networks = BTreeSet::new();
            for cluster in &keeping {
                match of(merging, cluster) {
                    Some(one) => {
                        let attached = one.claim.parents.iter().filter(|parent| parent.attached.is_ok());
                        networks.extend(attached.map(|parent| parent.reference.name.clone()));
                    }
                    None => networks.extend(service.associations.iter().map(|one| one.network.clone())),
                }
            }
            for other in self.desired.services.iter().filter(|one| one.custom_domain == service.custom_domain)
            {
                networks.retain(|network| other.custom_domain.is_none() || !other.networks.contains(network));
            }
            let is_left = service.associations.iter().any(|one| networks.contains(&one.network));
            let is_standalone = !keeping.is_empty() && service.associations.is_empty();
            if is_left || is_standalone {
                self.keep(service, &networks, merging);
            }
        }
    }

    /// The clusters that keep what they have in a slot: also those whose route nobody's service has.
    pub(super) fn staying_in(
        &mut self,
        slot: &Slot,
        members: &[Member],
        drafts: &[ServiceDraft],
    ) -> BTreeSet<ClusterId> {
        let mut stays = self.stays.clone();
        for (at, member) in members.iter().enumerate() {
            if !drafts.iter().any(|draft| draft.members().contains(&at)) {
                let cluster = member.claim.route.id.cluster.clone();
                self.refused.insert((cluster.clone(), slot.clone()));
                stays.insert(cluster);
            }
        }
        stays
    }

    /// Tells the routes what is kept of them in services that are wanted, and keeps a slot's services in the networks where those to
    /// be exceed a limit.
    pub(super) fn keep_what_is_left(
        &mut self,
        slot: &Slot,
        kept: Vec<(Kept, Serving)>,
        networks: &BTreeSet<String>,
        merging: &mut [Merging],
    ) {
        for (kept, here) in kept {
            tell_kept(merging, kept, &here);
        }
        if networks.is_empty() {
            return;
        }
        for service in self.view.actual.services.iter().filter(|service| kept::is_for(service, slot)) {
            if !self.desired.services.iter().any(|one| one.name == service.name) {
                self.keep(service, networks, merging);
            }
        }
    }

    /// A service as it is, in these networks; the targets that it leads to follow the Pods.
    pub(super) fn keep(
        &mut self,
        service: &ActualService,
        networks: &BTreeSet<String>,
        merging: &mut [Merging],
    ) {
        let route_of = |group: &ActualTargetGroup| {
            let cluster = self.cluster_of(group).unwrap_or_else(|| self.id.cluster.clone());
            RouteId { cluster, ..self.id.clone() }
        };
        let whole = kept::whole(self.view, service, networks, route_of, self.settings);
        let serving = served_by(service.name.clone(), &Slot::of(service), whole.service.networks.clone());
        self.desired.services.push(whole.service);
        self.desired.target_groups.extend(whole.groups);
        for kept in whole.kept {
            tell_kept(merging, kept, &serving);
        }
    }

    /// The clusters whose routes lead to these target groups, as far as these were made for one, and else those that keep what
    /// they have.
    fn clusters_leading_to(&self, named: &BTreeSet<&str>) -> BTreeSet<ClusterId> {
        let groups = self.view.actual.target_groups.iter();
        let ours =
            groups.filter(|group| group.ownership == Ownership::Ours && named.contains(group.name.as_str()));
        let theirs = ours.filter_map(|group| self.cluster_of(group));
        let is_of_others = self.of_others.iter().any(|id| named.contains(id.as_str()));
        theirs.chain(self.stays.iter().filter(|_| is_of_others).cloned()).collect()
    }

    fn cluster_of(&self, group: &ActualTargetGroup) -> Option<ClusterId> {
        cluster_of(&self.id.cluster.scope, group)
    }
}

/// Tells the route of a kept target group of it, and of the service that leads there.
fn tell_kept(merging: &mut [Merging], kept: Kept, serving: &Serving) {
    let whose = merging.iter_mut().find(|one| one.contender.claim.route.id == kept.route);
    let Some(Merging { built, .. }) = whose else { return };
    if !built.serving.iter().any(|one| one.service == serving.service) {
        built.serving.push(serving.clone());
    }
    if !built.kept.contains(&kept) {
        built.kept.push(kept);
    }
}

/// The route of a cluster among those that are known.
fn of<'a, 'b>(merging: &'a [Merging<'b>], cluster: &ClusterId) -> Option<&'a Contender<'b>> {
    merging.iter().map(|one| &one.contender).find(|one| one.claim.route.id.cluster == *cluster)
}
