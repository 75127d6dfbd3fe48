//! The service directory: reads what it shows. It writes nothing.

use crate::drift::{lacks_a_kind, read_all_units};
use crate::fleet::Members;
use crate::{Engine, UnitError};
use std::time::{Duration, SystemTime};
use trellis_directory::{ClusterState, Directory, Seen, Sources};
use trellis_gateway::{ClusterFacts, Snapshot, shown_gateways, shown_routes};
use trellis_hint::{ClusterId, Kind};
use trellis_ports::{Budget, Clusters, Lattice, Queue};

/// Of the time, what VPC Lattice's listings and healths may take: clusters are read before.
const LISTING_TIME_MAX: Duration = Duration::from_mins(3);

impl<L: Lattice, C: Clusters, Q: Queue> Engine<L, C, Q> {
    /// All that the account has, as it is now. One cluster is held after the other; who cannot be read in time is unknown.
    ///
    /// # Errors
    ///
    /// Nobody tells which clusters are registered.
    pub async fn directory(&self, now: SystemTime, budget: Budget) -> Result<Directory, UnitError> {
        let members = self.members().await?;
        let all = members.snapshot();
        let mut sources = Sources {
            installation: self.settings.installation.clone(),
            read: jiff::Timestamp::try_from(now)
                .unwrap_or_default()
                .strftime("%Y-%m-%dT%H:%M:%SZ")
                .to_string(),
            ..Sources::default()
        };
        for (id, facts) in &all.facts {
            let seen = if all.is_leaving(id) {
                seen_as(ClusterState::Leaving, facts)
            } else {
                let seen = budget.spend(seen(&members, id, facts)).await;
                seen.unwrap_or_else(|over| unknown(facts, over.to_string()))
            };
            sources.clusters.insert(id.clone(), seen);
        }
        sources.listing = self.lattice.listing(budget.at_most(LISTING_TIME_MAX)).await;
        sources.scope = scope(&sources);
        Ok(Directory::of(&sources))
    }
}

async fn seen<C: trellis_ports::Cluster>(members: &Members<C>, id: &ClusterId, facts: &ClusterFacts) -> Seen {
    let snapshot = match read_all_units(members, id).await {
        Ok(snapshot) => snapshot,
        Err(error) => return unknown(facts, trellis_telemetry::chain(&error).to_string()),
    };
    match why_unknown(id, &snapshot) {
        Some(why) => unknown(facts, why),
        None => Seen {
            not_served: Kind::ALL
                .into_iter()
                .filter(|kind| snapshot.kinds_missing.contains(&(id.clone(), *kind)))
                .collect(),
            routes: shown_routes(id, &snapshot),
            gateways: shown_gateways(id, &snapshot),
            ..seen_as(ClusterState::Registered, facts)
        },
    }
}

/// Why a cluster cannot be read, or has nothing to be read yet.
fn why_unknown(id: &ClusterId, snapshot: &Snapshot) -> Option<String> {
    snapshot.unreadable.get(id).cloned().or_else(|| lacks_a_kind(id, snapshot))
}

fn seen_as(state: ClusterState, facts: &ClusterFacts) -> Seen {
    Seen { state, vpc: facts.vpc.clone(), ..Seen::default() }
}

fn unknown(facts: &ClusterFacts, why: String) -> Seen {
    Seen { why: Some(why), ..seen_as(ClusterState::Unknown, facts) }
}

/// The account and Region: the clusters', or where there is none, that of what VPC Lattice lists first.
fn scope(sources: &Sources) -> String {
    if let Some(id) = sources.clusters.keys().next() {
        return id.scope.to_string();
    }
    let arns = sources.listing.services.iter().map(|one| &one.arn);
    let mut parts = arns.chain(sources.listing.networks.iter().map(|one| &one.arn)).filter_map(|arn| {
        let mut parts = arn.split(':').skip(3);
        let (region, account) = (parts.next()?, parts.next()?);
        Some(format!("{account}/{region}"))
    });
    parts.next().unwrap_or_default()
}
