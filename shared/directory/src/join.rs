//! Joins what VPC Lattice lists with what the clusters have.

use crate::SERVICE_USD_A_MONTH;
use crate::listing::{ListedGroup, ListedNetwork, ListedService};
use crate::model::{
    Backend, Cluster, ClusterState, Directory, Gateway, Network, Remark, Route, Seen, Service, Sources,
    Totals, Vpc, Whose,
};
use std::collections::{BTreeMap, BTreeSet};
use trellis_gateway::{ShownRoute, Source, Standing, source_of};
use trellis_hint::{ClusterId, UnitKey};
use trellis_lattice::{Owner, TAG_OWNER, TAG_UNIT, Tags};

/// Remarks that are told; more are counted.
const REMARKS_MAX: usize = 200;

impl Directory {
    /// The directory of what was read.
    pub fn of(sources: &Sources) -> Self {
        let joined = Joined::new(sources);
        let services: Vec<Service> =
            sorted(sources.listing.services.iter().map(|one| joined.service(one)), |one| {
                (one.name.clone(), one.arn.clone())
            });
        let networks = sorted(sources.listing.networks.iter().map(|one| joined.network(one)), |one| {
            (one.name.clone(), one.arn.clone())
        });
        let routes = joined.routes(&services);
        let clusters = joined.clusters(&services);
        let mut directory = Self {
            api_version: "trellis.application-networking.k8s.aws/v1alpha1",
            kind: "ServiceDirectory",
            installation: sources.installation.clone(),
            scope: sources.scope.clone(),
            read: sources.read.clone(),
            totals: totals(sources, &services, &routes, clusters.len()),
            remarks: vec![],
            networks,
            clusters,
            services,
            routes,
            left_out: sources.listing.left_out.clone(),
        };
        directory.remarks = remarks(&directory);
        directory
    }
}

/// What is looked up again and again.
struct Joined<'a> {
    sources: &'a Sources,
    /// Names of networks by ARN.
    network_names: BTreeMap<&'a str, &'a str>,
    /// Networks of a service, by its ARN.
    networks_of: BTreeMap<&'a str, BTreeSet<&'a str>>,
    /// Services of a network, by its ARN.
    services_in: BTreeMap<&'a str, usize>,
    /// Target groups of a service, by its ARN.
    groups_of: BTreeMap<&'a str, Vec<&'a ListedGroup>>,
    /// The routes, by the id of a service that serves them.
    routes_of: BTreeMap<&'a str, Vec<(&'a ClusterId, &'a ShownRoute)>>,
    /// Units that a cluster which could be read asks for.
    asked_for: BTreeSet<&'a UnitKey>,
    /// Clusters that could be read.
    read: BTreeMap<&'a ClusterId, &'a Seen>,
}

impl<'a> Joined<'a> {
    fn new(sources: &'a Sources) -> Self {
        let listing = &sources.listing;
        let mut joined = Self {
            sources,
            network_names: listing.networks.iter().map(|one| (one.arn.as_str(), one.name.as_str())).collect(),
            networks_of: BTreeMap::new(),
            services_in: BTreeMap::new(),
            groups_of: BTreeMap::new(),
            routes_of: BTreeMap::new(),
            asked_for: BTreeSet::new(),
            read: BTreeMap::new(),
        };
        for one in &listing.memberships {
            joined.networks_of.entry(&one.service).or_default().insert(&one.network);
            *joined.services_in.entry(&one.network).or_default() += 1;
        }
        for group in &listing.target_groups {
            for service in &group.services {
                joined.groups_of.entry(service).or_default().push(group);
            }
        }
        for (id, seen) in &sources.clusters {
            if seen.state == ClusterState::Registered {
                joined.read.insert(id, seen);
            }
            for route in &seen.routes {
                joined.asked_for.insert(&route.unit);
                for service in &route.services {
                    joined.routes_of.entry(service).or_default().push((id, route));
                }
            }
        }
        joined
    }

    fn tags(&self, arn: &str) -> Option<&'a Tags> {
        self.sources.listing.tags.get(arn)
    }

    fn whose(&self, arn: &str) -> Whose {
        let account = arn.split(':').nth(4).unwrap_or_default();
        if !self.sources.scope.starts_with(&format!("{account}/")) {
            return Whose::Account { account: account.to_owned() };
        }
        match self.tags(arn).and_then(|tags| tags.get(TAG_OWNER)) {
            Some(owner) if *owner == self.sources.installation => Whose::Ours,
            Some(owner) => Whose::Installation { installation: owner.clone() },
            None => Whose::Others,
        }
    }

    /// The unit that made a resource of ours; the text of its key is believed only with its hash.
    fn unit(&self, arn: &str) -> Option<UnitKey> {
        let tags = self.tags(arn)?;
        let unit: UnitKey = Owner::key_in(tags).parse().ok()?;
        (tags.get(TAG_UNIT) == Some(&unit.hash())).then_some(unit)
    }

    /// Whether no object asks for what a unit made: it is a route's, of a cluster that was read and has no such route.
    fn is_orphan(&self, unit: &UnitKey) -> bool {
        match unit {
            UnitKey::Route { cluster, kind, .. } => {
                let read = self.read.get(cluster);
                read.is_some_and(|seen| !seen.not_served.contains(kind)) && !self.asked_for.contains(unit)
            }
            UnitKey::Gateway { .. }
            | UnitKey::Merged { .. }
            | UnitKey::Export { .. }
            | UnitKey::Resource { .. }
            | UnitKey::Dependents { .. }
            | UnitKey::Cluster { .. } => false,
        }
    }

    fn service(&self, listed: &ListedService) -> Service {
        let whose = self.whose(&listed.arn);
        let unit = self.unit(&listed.arn).filter(|_| whose == Whose::Ours);
        let networks = self.networks_of.get(listed.arn.as_str()).into_iter().flatten();
        let groups = self.groups_of.get(listed.arn.as_str()).into_iter().flatten();
        let groups: Vec<(&ListedGroup, Option<Source>)> =
            groups.map(|group| (*group, self.tags(&group.arn).and_then(source_of))).collect();
        let routes = self.routes_of.get(listed.id.as_str()).map(Vec::as_slice).unwrap_or_default();
        let mut clusters: BTreeSet<&str> = routes.iter().map(|(cluster, _)| cluster.name.as_str()).collect();
        clusters.extend(groups.iter().filter_map(|(_, source)| Some(source.as_ref()?.cluster.name.as_str())));
        clusters.extend(unit.as_ref().and_then(UnitKey::cluster).map(|cluster| cluster.name.as_str()));
        Service {
            name: listed.name.clone(),
            id: listed.id.clone(),
            arn: listed.arn.clone(),
            dns_name: listed.dns_name.clone(),
            custom_domain: listed.custom_domain.clone(),
            status: listed.status.clone(),
            is_orphan: unit.as_ref().is_some_and(|unit| self.is_orphan(unit)),
            networks: networks.map(|arn| self.network_name(arn)).collect(),
            clusters: clusters.into_iter().map(str::to_owned).collect(),
            routes: routes.iter().map(|(cluster, route)| named(cluster, route)).collect(),
            backends: sorted(
                groups.iter().map(|(group, source)| backend(group, source.as_ref())),
                Clone::clone,
            ),
            unit: unit.map(|unit| unit.to_string()),
            whose,
        }
    }

    /// A network's name; one that is not listed is called by its id.
    fn network_name(&self, arn: &str) -> String {
        let name = self.network_names.get(arn).copied();
        name.unwrap_or_else(|| arn.rsplit('/').next().unwrap_or(arn)).to_owned()
    }

    fn network(&self, listed: &ListedNetwork) -> Network {
        let listing = &self.sources.listing;
        let in_vpc = |vpc: &str| {
            let clusters =
                self.sources.clusters.iter().filter(|(_, seen)| !vpc.is_empty() && seen.vpc == vpc);
            clusters.map(|(id, _)| id.name.clone()).collect()
        };
        let vpcs = listing.vpcs.iter().filter(|one| one.network == listed.arn);
        let gateways = self.sources.clusters.iter().flat_map(|(id, seen)| {
            let all = seen.gateways.iter().filter(|one| one.network == listed.arn);
            all.map(|one| Gateway {
                cluster: id.name.clone(),
                namespace: one.namespace.clone(),
                name: one.name.clone(),
                attached_routes: one.attached_routes,
            })
        });
        Network {
            name: listed.name.clone(),
            id: listed.id.clone(),
            arn: listed.arn.clone(),
            whose: self.whose(&listed.arn),
            vpcs: vpcs
                .map(|one| Vpc {
                    id: one.vpc.clone(),
                    status: one.status.clone(),
                    clusters: in_vpc(&one.vpc),
                })
                .collect(),
            services: self.services_in.get(listed.arn.as_str()).copied().unwrap_or_default(),
            gateways: gateways.collect(),
        }
    }

    fn routes(&self, services: &[Service]) -> Vec<Route> {
        let names: BTreeMap<&str, &str> =
            services.iter().map(|one| (one.id.as_str(), one.name.as_str())).collect();
        let all = self.sources.clusters.iter().flat_map(|(id, seen)| {
            seen.routes.iter().map(|route| {
                let services = route.services.iter().filter_map(|id| names.get(id.as_str()).copied());
                Route {
                    cluster: id.name.clone(),
                    kind: route.kind.to_string(),
                    namespace: route.namespace.clone(),
                    name: route.name.clone(),
                    hostnames: route.hostnames.clone(),
                    gateways: route.gateways.iter().cloned().collect(),
                    standing: format!("{:?}", route.standing),
                    message: route.message.clone(),
                    services: services.map(str::to_owned).collect(),
                }
            })
        });
        all.collect()
    }

    fn clusters(&self, services: &[Service]) -> Vec<Cluster> {
        let units = services.iter().filter_map(|one| one.unit.as_ref()?.parse::<UnitKey>().ok());
        let mut made: BTreeMap<ClusterId, usize> = BTreeMap::new();
        for cluster in units.filter_map(|unit| unit.cluster().cloned()) {
            *made.entry(cluster).or_default() += 1;
        }
        let nobodys = Seen { state: ClusterState::NotRegistered, ..Seen::default() };
        let ids: BTreeSet<&ClusterId> = self.sources.clusters.keys().chain(made.keys()).collect();
        let all = ids.into_iter().map(|id| {
            let seen = self.sources.clusters.get(id).unwrap_or(&nobodys);
            let services = made.get(id).copied().unwrap_or_default();
            Cluster {
                name: id.name.clone(),
                arn: id.to_string(),
                state: seen.state,
                why: seen.why.clone(),
                vpc: seen.vpc.clone(),
                routes: seen.routes.len(),
                routes_programmed: programmed(&seen.routes),
                services,
                usd_a_month: cost(services),
            }
        });
        all.collect()
    }
}

fn sorted<T, K: Ord>(all: impl Iterator<Item = T>, key: impl Fn(&T) -> K) -> Vec<T> {
    let mut all: Vec<T> = all.collect();
    all.sort_by_cached_key(|one| key(one));
    all
}

fn programmed(routes: &[ShownRoute]) -> usize {
    routes.iter().filter(|route| route.standing == Standing::Programmed).count()
}

/// Services of an account are far fewer than 2^52.
#[expect(clippy::cast_precision_loss, reason = "see above")]
fn cost(services: usize) -> f64 {
    services as f64 * SERVICE_USD_A_MONTH
}

fn named(cluster: &ClusterId, route: &ShownRoute) -> String {
    format!("{}/{}/{}/{}", cluster.name, route.kind, route.namespace, route.name)
}

fn backend(group: &ListedGroup, source: Option<&Source>) -> Backend {
    let speaks = match (&group.protocol, group.port) {
        (Some(protocol), Some(port)) => format!("{protocol}:{port}"),
        (Some(protocol), None) => protocol.clone(),
        (None, _) => String::new(),
    };
    Backend {
        target_group: group.name.clone(),
        kind: group.kind.clone(),
        source: source.map(|one| format!("{}/{}/{}/{}", one.cluster.name, one.kind, one.namespace, one.name)),
        speaks,
        healthy: group.health.map(|health| health.healthy),
        targets: group.health.map(|health| health.healthy + health.unhealthy + health.other),
    }
}

fn totals(sources: &Sources, services: &[Service], routes: &[Route], clusters: usize) -> Totals {
    let of_the_account = services.iter().filter(|one| !matches!(one.whose, Whose::Account { .. })).count();
    Totals {
        networks: sources.listing.networks.len(),
        clusters,
        services: services.len(),
        services_of_ours: services.iter().filter(|one| one.whose == Whose::Ours).count(),
        target_groups: sources.listing.target_groups.len(),
        routes: routes.len(),
        routes_programmed: sources.clusters.values().map(|seen| programmed(&seen.routes)).sum(),
        usd_a_month: cost(of_the_account),
    }
}

/// What a person should look at.
fn remarks(directory: &Directory) -> Vec<Remark> {
    let remark = |subject: String, text: String| Remark { subject, text };
    let clusters = directory.clusters.iter().filter_map(|one| {
        let text = match one.state {
            ClusterState::Registered => return None,
            ClusterState::Unknown => format!(
                "cannot be read; what it has stays as it is: {}",
                one.why.as_deref().unwrap_or("nobody says why")
            ),
            ClusterState::Leaving => format!("is being taken out; {} services are left", one.services),
            ClusterState::NotRegistered => format!(
                "is not registered and has {} services, which are billed; register it again or take it out",
                one.services
            ),
        };
        Some(remark(format!("Cluster {}", one.name), text))
    });
    let orphans = directory.services.iter().filter(|one| one.is_orphan).map(|one| {
        remark(format!("Service {}", one.name), "no object asks for it; the next look removes it".to_owned())
    });
    let failed = directory
        .services
        .iter()
        .filter(|one| one.status.ends_with("_FAILED"))
        .map(|one| remark(format!("Service {}", one.name), format!("VPC Lattice says {}", one.status)));
    let sick = directory.services.iter().flat_map(|service| {
        let without = service.backends.iter().filter(|one| one.healthy == Some(0));
        without.map(|one| {
            let of = one.source.as_deref().unwrap_or(&one.target_group);
            remark(format!("Service {}", service.name), format!("{of} has no healthy target"))
        })
    });
    let routes = directory.routes.iter().filter(|one| one.standing != "Programmed").map(|one| {
        let subject = format!("{} {}/{} of cluster {}", one.kind, one.namespace, one.name, one.cluster);
        let told = if one.message.is_empty() { "its status does not tell why" } else { &one.message };
        remark(subject, format!("is not Programmed: {told}"))
    });
    let mut all: Vec<Remark> = clusters.chain(orphans).chain(failed).chain(sick).chain(routes).collect();
    let more = all.len().saturating_sub(REMARKS_MAX);
    all.truncate(REMARKS_MAX);
    if more > 0 {
        all.push(remark("More".to_owned(), format!("{more} further remarks are not shown")));
    }
    all
}

impl ClusterState {
    /// In words.
    pub fn words(self) -> &'static str {
        match self {
            Self::Registered => "registered",
            Self::Unknown => "unknown",
            Self::Leaving => "leaving",
            Self::NotRegistered => "not registered",
        }
    }
}
