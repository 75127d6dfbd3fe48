//! What the directory says of what was read, and that its page shows all of it and believes no text.

#![allow(clippy::unwrap_used, reason = "a test says so by failing")]

use std::collections::BTreeSet;
use trellis_directory::{
    ClusterState, Directory, Health, ListedGroup, ListedNetwork, ListedService, ListedVpcAssociation,
    Listing, Membership, Seen, Service, Sources, Whose, page,
};
use trellis_gateway::{ShownGateway, ShownRoute, Standing};
use trellis_hint::{ClusterId, Kind, UnitKey};
use trellis_lattice::{Owner, Tags};

const SCOPE: &str = "123456789012/us-west-2";

fn arn(account: &str, what: &str, id: &str) -> String {
    format!("arn:aws:vpc-lattice:us-west-2:{account}:{what}/{id}")
}

fn own(what: &str, id: &str) -> String {
    arn("123456789012", what, id)
}

fn cluster(name: &str) -> ClusterId {
    format!("arn:aws:eks:us-west-2:123456789012:cluster/{name}").parse().unwrap()
}

fn unit(of: &str, name: &str) -> UnitKey {
    format!("route/{SCOPE}/HTTPRoute/{of}/default/{name}").parse().unwrap()
}

/// The tags of what a unit of an installation made.
fn made_by(installation: &str, unit: &UnitKey) -> Tags {
    Owner { installation: installation.into(), unit: unit.hash(), key: unit.to_string() }.tags()
}

fn service(number: u32, name: &str, account: &str) -> ListedService {
    let id = format!("svc-{number:017x}");
    ListedService {
        arn: arn(account, "service", &id),
        dns_name: format!("{name}-{number:017x}.7d67968.vpc-lattice-svcs.us-west-2.on.aws"),
        id,
        name: name.into(),
        custom_domain: None,
        status: "ACTIVE".into(),
    }
}

fn route(of: &str, name: &str, standing: Standing, message: &str, services: &[&str]) -> ShownRoute {
    ShownRoute {
        unit: unit(of, name),
        kind: Kind::HTTPRoute,
        namespace: "default".into(),
        name: name.into(),
        hostnames: vec![format!("{name}.example.test")],
        gateways: BTreeSet::from(["default/my-hotel".to_owned()]),
        standing,
        message: message.into(),
        services: services.iter().map(|id| (*id).to_owned()).collect(),
    }
}

/// Two clusters, one of which cannot be read; services of ours, of nobody's route, of another installation and of another account.
fn sources() -> Sources {
    let services = vec![
        service(1, "inventory-default", "123456789012"),
        service(2, "gone-default", "123456789012"),
        service(3, "far-default", "123456789012"),
        service(4, "theirs", "123456789012"),
        service(5, "shared", "210987654321"),
        service(6, "by-hand", "123456789012"),
    ];
    let group = |name: &str, of: &ListedService, health| ListedGroup {
        arn: own("targetgroup", name),
        name: name.into(),
        kind: "IP".into(),
        protocol: Some("HTTP".into()),
        port: Some(8090),
        vpc: Some("vpc-1".into()),
        services: BTreeSet::from([of.arn.clone()]),
        health,
    };
    let sick = Health { healthy: 0, unhealthy: 1, other: 1 };
    let mut source = made_by("trellis", &unit("one", "inventory"));
    source.extend([
        ("trellis:source".to_owned(), cluster("two").to_string()),
        ("application-networking.k8s.aws/ServiceNamespace".to_owned(), "default".to_owned()),
        ("application-networking.k8s.aws/ServiceName".to_owned(), "inventory-ver2".to_owned()),
    ]);
    let network =
        ListedNetwork { id: "sn-1".into(), arn: own("servicenetwork", "sn-1"), name: "my-hotel".into() };
    let inventory = route("one", "inventory", Standing::Programmed, "", &[&services[0].id]);
    let refused = route("one", "refused", Standing::Refused, "UnsupportedValue: spec.rules[0]: <no>", &[]);
    let gateway = ShownGateway {
        namespace: "default".into(),
        name: "my-hotel".into(),
        network: network.arn.clone(),
        attached_routes: 2,
    };
    let forged = Tags::from([
        ("trellis:owner".into(), "trellis".into()),
        ("trellis:unit".into(), "another".into()),
        ("trellis:key".into(), unit("one", "inventory").to_string()),
    ]);
    Sources {
        installation: "trellis".into(),
        read: "2026-11-30T12:00:00Z".into(),
        scope: SCOPE.into(),
        clusters: [
            (
                cluster("one"),
                Seen {
                    state: ClusterState::Registered,
                    vpc: "vpc-1".into(),
                    routes: vec![inventory, refused],
                    gateways: vec![gateway],
                    ..Seen::default()
                },
            ),
            (
                cluster("two"),
                Seen { why: Some("403 Forbidden".into()), vpc: "vpc-2".into(), ..Seen::default() },
            ),
        ]
        .into(),
        listing: Listing {
            memberships: [0, 1, 2]
                .map(|at: usize| Membership {
                    network: network.arn.clone(),
                    service: services[at].arn.clone(),
                })
                .into(),
            vpcs: ["vpc-1", "vpc-9"]
                .map(|vpc| ListedVpcAssociation {
                    network: network.arn.clone(),
                    vpc: vpc.into(),
                    status: "ACTIVE".into(),
                })
                .into(),
            tags: [
                (services[0].arn.clone(), made_by("trellis", &unit("one", "inventory"))),
                (services[1].arn.clone(), made_by("trellis", &unit("one", "gone"))),
                (services[2].arn.clone(), made_by("trellis", &unit("two", "far"))),
                (services[3].arn.clone(), made_by("other", &unit("one", "theirs"))),
                (services[5].arn.clone(), forged),
                (own("targetgroup", "ver2"), source),
            ]
            .into(),
            target_groups: vec![group("ver2", &services[0], Some(sick)), group("plain", &services[0], None)],
            networks: vec![network],
            services,
            left_out: vec!["the health of 3 target groups".into()],
        },
    }
}

fn of<'a>(directory: &'a Directory, name: &str) -> &'a Service {
    directory.services.iter().find(|one| one.name == name).unwrap()
}

#[test]
fn whose_a_service_is_its_tags_and_its_account_tell() {
    let directory = Directory::of(&sources());
    let whose = |name: &str| of(&directory, name).whose.clone();
    assert_eq!(whose("inventory-default"), Whose::Ours);
    assert_eq!(whose("theirs"), Whose::Installation { installation: "other".into() });
    assert_eq!(whose("shared"), Whose::Account { account: "210987654321".into() });
    // It bears the installation's name and another unit's hash: no unit is believed to have made it.
    assert_eq!((whose("by-hand"), of(&directory, "by-hand").unit.clone()), (Whose::Ours, None));
}

#[test]
fn only_what_a_cluster_that_was_read_does_not_ask_for_is_an_orphan() {
    let directory = Directory::of(&sources());
    let orphans: Vec<&str> =
        directory.services.iter().filter(|one| one.is_orphan).map(|one| one.name.as_str()).collect();
    // Of the cluster that cannot be read nothing is known.
    assert_eq!(orphans, ["gone-default"]);
}

#[test]
fn of_a_kind_that_a_cluster_does_not_serve_nothing_is_an_orphan() {
    let mut sources = sources();
    let seen = sources.clusters.get_mut(&cluster("one")).unwrap();
    seen.not_served.insert(Kind::HTTPRoute);
    seen.routes.clear();
    assert!(Directory::of(&sources).services.iter().all(|one| !one.is_orphan));
}

#[test]
fn a_service_tells_its_routes_its_networks_and_where_its_requests_go() {
    let directory = Directory::of(&sources());
    let service = of(&directory, "inventory-default");
    assert_eq!(service.routes, ["one/HTTPRoute/default/inventory"]);
    assert_eq!(
        (service.networks.as_slice(), service.clusters.as_slice()),
        (["my-hotel".to_owned()].as_slice(), ["one".to_owned(), "two".to_owned()].as_slice())
    );
    let backends: Vec<_> =
        service.backends.iter().map(|one| (one.source.as_deref(), one.healthy, one.targets)).collect();
    assert_eq!(
        backends,
        [(None, None, None), (Some("two/Service/default/inventory-ver2"), Some(0), Some(2))]
    );
}

#[test]
fn networks_clusters_and_costs_are_told() {
    let directory = Directory::of(&sources());
    let [network] = &directory.networks[..] else { panic!("not one network") };
    assert_eq!((network.services, network.gateways.len()), (3, 1));
    let vpcs: Vec<_> = network.vpcs.iter().map(|one| (one.id.as_str(), one.clusters.len())).collect();
    assert_eq!(vpcs, [("vpc-1", 1), ("vpc-9", 0)]);
    let clusters: Vec<_> =
        directory.clusters.iter().map(|one| (one.name.as_str(), one.state, one.services)).collect();
    assert_eq!(clusters, [("one", ClusterState::Registered, 2), ("two", ClusterState::Unknown, 1)]);
    // Of six services five are the account's own.
    assert!((directory.totals.usd_a_month - 5.0 * 18.25).abs() < 1e-9);
    assert_eq!((directory.totals.routes_programmed, directory.totals.routes), (1, 2));
}

#[test]
fn a_person_is_told_what_to_look_at_and_nothing_else() {
    let directory = Directory::of(&sources());
    let told: Vec<String> =
        directory.remarks.iter().map(|one| format!("{} {}", one.subject, one.text)).collect();
    assert_eq!(
        told,
        [
            "Cluster two cannot be read; what it has stays as it is: 403 Forbidden",
            "Service gone-default no object asks for it; the next look removes it",
            "Service inventory-default two/Service/default/inventory-ver2 has no healthy target",
            "HTTPRoute default/refused of cluster one is not Programmed: UnsupportedValue: spec.rules[0]: <no>",
        ]
    );
    assert!(Directory::of(&Sources { scope: SCOPE.into(), ..Sources::default() }).remarks.is_empty());
}

#[test]
fn a_cluster_that_nobody_registers_and_that_has_something_is_told() {
    let mut sources = sources();
    sources.clusters.remove(&cluster("two"));
    let directory = Directory::of(&sources);
    let two = directory.clusters.iter().find(|one| one.name == "two").unwrap();
    assert_eq!((two.state, two.services), (ClusterState::NotRegistered, 1));
    assert!(
        directory.remarks.iter().any(|one| one.subject == "Cluster two" && one.text.contains("take it out"))
    );
}

#[test]
fn remarks_have_an_end_and_say_so() {
    let mut sources = sources();
    let many = (0..500).map(|n| route("one", &format!("r{n}"), Standing::Untold, "", &[]));
    sources.clusters.get_mut(&cluster("one")).unwrap().routes.extend(many);
    let directory = Directory::of(&sources);
    assert_eq!(directory.remarks.len(), 201);
    assert_eq!(directory.remarks.last().unwrap().text, "304 further remarks are not shown");
}

#[test]
fn the_page_shows_what_the_value_has_and_believes_no_text() {
    let mut sources = sources();
    sources.listing.services[0].name = "<script>alert(1)</script>".into();
    sources.listing.services[0].custom_domain = Some("\"><img src=x>".into());
    let html = page(&Directory::of(&sources));
    assert!(html.contains("&#60;script&#62;alert(1)") && !html.contains("<script>alert"), "{html}");
    assert!(!html.contains("<img"), "{html}");
    for text in [
        "two/Service/default/inventory-ver2",
        "0 of 2 healthy",
        "health not read",
        "403 Forbidden",
        "91.25 USD",
        "the health of 3 target groups",
        "account 210987654321",
    ] {
        assert!(html.contains(text), "{text} is not there");
    }
    // Nothing else is loaded.
    assert!(!html.contains("src=\"") && !html.contains("href=\"http") && !html.contains("@import"));
}

#[test]
fn the_value_is_json_with_a_form_that_says_which() {
    let json = serde_json::to_value(Directory::of(&sources())).unwrap();
    assert_eq!(json["kind"], "ServiceDirectory");
    let shared = json["services"].as_array().unwrap().iter().find(|one| one["name"] == "shared").unwrap();
    assert_eq!((&shared["owner"], &shared["account"]), (&"account".into(), &"210987654321".into()));
    assert_eq!(json["clusters"][1]["state"], "unknown");
}
