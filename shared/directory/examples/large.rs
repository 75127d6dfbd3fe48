//! Prints the page of a made-up account with as many services as the first argument says, for the tests in a browser.

#![allow(clippy::expect_used, reason = "an example says so by failing")]

use std::collections::{BTreeMap, BTreeSet};
use trellis_directory::{
    ClusterState, Directory, Health, ListedGroup, ListedNetwork, ListedService, ListedVpcAssociation,
    Listing, Membership, Seen, Sources, page,
};
use trellis_gateway::{ShownGateway, ShownRoute, Standing};
use trellis_hint::{ClusterId, Kind, UnitKey};
use trellis_lattice::Owner;

const SCOPE: &str = "123456789012/us-west-2";
const CLUSTERS: [&str; 4] = ["payments-blue", "payments-green", "catalogue", "edge"];
const NETWORKS: [&str; 3] = ["internal", "partners", "edge"];
const TEAMS: [&str; 5] = ["checkout", "search", "stock", "accounts", "media"];

fn arn(what: &str, id: &str) -> String {
    format!("arn:aws:vpc-lattice:us-west-2:123456789012:{what}/{id}")
}

fn cluster(at: usize) -> ClusterId {
    let text = format!("arn:aws:eks:us-west-2:123456789012:cluster/{}", CLUSTERS[at % CLUSTERS.len()]);
    text.parse().expect("an ARN")
}

/// Everything of service number `n`.
fn add(n: usize, listing: &mut Listing, clusters: &mut BTreeMap<ClusterId, Seen>) {
    let (cluster, team) = (cluster(n), TEAMS[n % TEAMS.len()]);
    let name = format!("{team}-{n:04}");
    let id = format!("svc-{n:017x}");
    let dns_name = format!("{name}-{n:017x}.7d67968.vpc-lattice-svcs.us-west-2.on.aws");
    let key = format!("route/{SCOPE}/HTTPRoute/{}/{team}/{name}", cluster.name);
    let unit: UnitKey = key.parse().expect("a key");
    let owner = Owner { installation: "trellis".into(), unit: unit.hash(), key };
    let network = arn("servicenetwork", &format!("sn-{:017x}", n % NETWORKS.len()));
    let service = arn("service", &id);
    listing.tags.insert(service.clone(), owner.tags());
    listing.memberships.insert(Membership { network, service: service.clone() });
    let group = arn("targetgroup", &format!("tg-{n:017x}"));
    let mut tags = owner.tags();
    tags.insert("trellis:source".into(), cluster.to_string());
    tags.insert("application-networking.k8s.aws/ServiceNamespace".into(), team.into());
    tags.insert("application-networking.k8s.aws/ServiceName".into(), name.clone());
    listing.tags.insert(group.clone(), tags);
    listing.target_groups.push(ListedGroup {
        arn: group,
        name: format!("k8s-{team}-{name}"),
        kind: "IP".into(),
        protocol: Some("HTTP".into()),
        port: Some(8090),
        vpc: Some("vpc-1".into()),
        services: BTreeSet::from([service.clone()]),
        health: Some(Health {
            healthy: n % 7,
            unhealthy: usize::from(n.is_multiple_of(7) || n.is_multiple_of(11)),
            other: 0,
        }),
    });
    let is_refused = n % 50 == 49;
    let route = ShownRoute {
        unit,
        kind: Kind::HTTPRoute,
        namespace: team.into(),
        name: name.clone(),
        hostnames: vec![format!("{name}.example.test")],
        gateways: BTreeSet::from([format!("{team}/{}", NETWORKS[n % NETWORKS.len()])]),
        standing: if is_refused { Standing::Refused } else { Standing::Programmed },
        message: if is_refused {
            "UnsupportedValue: spec.rules[0].filters[0]: VPC Lattice changes no headers".to_owned()
        } else {
            String::new()
        },
        services: BTreeSet::from([id.clone()]),
    };
    clusters.entry(cluster).or_default().routes.push(route);
    listing.services.push(ListedService {
        id,
        arn: service,
        custom_domain: n.is_multiple_of(3).then(|| format!("{name}.example.test")),
        name: format!("{name}-{team}"),
        dns_name,
        status: "ACTIVE".into(),
    });
}

fn main() {
    let services: usize = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(1_000);
    let mut sources = Sources {
        installation: "trellis".into(),
        read: "2026-11-30T12:00:00Z".into(),
        scope: SCOPE.into(),
        ..Sources::default()
    };
    let listing = &mut sources.listing;
    for (at, name) in NETWORKS.iter().enumerate() {
        let id = format!("sn-{at:017x}");
        let arn = arn("servicenetwork", &id);
        let vpcs = [1, 2].map(|vpc| format!("vpc-{vpc}"));
        listing.vpcs.extend(vpcs.map(|vpc| ListedVpcAssociation {
            network: arn.clone(),
            vpc,
            status: "ACTIVE".into(),
        }));
        listing.networks.push(ListedNetwork { id, arn, name: (*name).into() });
    }
    for n in 0..services {
        add(n, listing, &mut sources.clusters);
    }
    for (at, (_, seen)) in sources.clusters.iter_mut().enumerate() {
        seen.vpc = format!("vpc-{}", 1 + at % 2);
        seen.state = if at == 3 { ClusterState::Unknown } else { ClusterState::Registered };
        seen.why = (at == 3).then(|| "no answer in 10 s".to_owned());
        let network = &sources.listing.networks[at % NETWORKS.len()];
        seen.gateways.push(ShownGateway {
            namespace: "default".into(),
            name: network.name.clone(),
            network: network.arn.clone(),
            attached_routes: 12,
        });
    }
    println!("{}", page(&Directory::of(&sources)));
}
