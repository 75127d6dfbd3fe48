//! Resource gateways and resource configurations against the emulator.

use crate::harness::{Emulator, converge, inspect, pass};
use crate::wishes::{VPC, gateway, no_gateway, owner};
use serde_json::json;
use trellis_aws::End;
use trellis_lattice::{
    Blocked, Desired, DesiredResourceConfiguration, DesiredResourceGateway, ResourceDefinition,
    ResourceFamily, Tags, names,
};

const GATEWAY: &str = "resource/123456789012/us-west-2/ResourceGateway/one/default/databases";
const RESOURCE: &str = "resource/123456789012/us-west-2/ResourceConfiguration/one/default/orders";
const ONE: &str = "sg-0a1b2c3d4e5f60001";
const TWO: &str = "sg-0a1b2c3d4e5f60002";

/// A name as the unit gives it: by its hash what is left of it is found.
fn called(unit: &str, name: &str) -> String {
    format!("{name}-{}", names::unit_hash(&owner(unit).unit))
}

fn opening(groups: &[&str]) -> Desired {
    let owner = owner(GATEWAY);
    let wish = DesiredResourceGateway {
        name: called(GATEWAY, "databases"),
        vpc: VPC.into(),
        subnets: ["subnet-0a1b2c3d4e5f6000a".to_owned()].into(),
        security_groups: groups.iter().map(|one| (*one).to_owned()).collect(),
        family: ResourceFamily::Ipv4,
        ipv4_addresses_per_eni: Some(4),
        tags: owner.tags(),
    };
    Desired { resource_gateways: vec![wish], ..Desired::nothing(owner) }
}

fn resource(name: &str, definition: ResourceDefinition, ports: &[&str]) -> Desired {
    let owner = owner(RESOURCE);
    let wish = DesiredResourceConfiguration {
        name: called(RESOURCE, name),
        gateway: called(GATEWAY, "databases"),
        definition,
        port_ranges: ports.iter().map(|one| (*one).to_owned()).collect(),
        custom_domain: Some("orders.example.com".into()),
        networks: ["my-hotel".to_owned()].into(),
        tags: owner.tags(),
    };
    Desired { resource_configurations: vec![wish], ..Desired::nothing(owner) }
}

fn dns(name: &str) -> ResourceDefinition {
    ResourceDefinition::Dns { domain_name: name.into(), family: ResourceFamily::Ipv4 }
}

fn nothing(unit: &str) -> Desired {
    Desired::nothing(owner(unit))
}

#[tokio::test]
async fn a_resource_is_made_changed_in_place_and_taken_away_before_its_gateway_and_its_network() {
    let emulator =
        Emulator::start(&["--delay", "all=0", "--delay", "resource=1s", "--delay", "association=1s"]);
    let lattice = emulator.aws().await.lattice();
    converge(&emulator, &lattice, &gateway(&[VPC])).await;
    converge(&emulator, &lattice, &opening(&[ONE])).await;
    let made = converge(&emulator, &lattice, &resource("orders", dns("db.internal"), &["5432"])).await;
    let told = &made.applied.outcome.resources[&called(RESOURCE, "orders")];
    assert!(told.dns_names["my-hotel"].ends_with(".vpc-lattice-rsc.us-west-2.on.aws"), "{told:?}");
    converge(&emulator, &lattice, &opening(&[TWO])).await;
    let address = ResourceDefinition::Ip { address: "10.0.3.7".into() };
    converge(&emulator, &lattice, &resource("orders", address, &["5432", "6000-6010"])).await;

    let early = pass(&lattice, &nothing(GATEWAY)).await;
    assert!(matches!(early.plan.blocked[..], [Blocked::ResourceGatewayInUse { .. }]), "{}", early.plan);
    assert!(matches!(early.applied.end, End::Complete) && early.plan.steps.is_empty());
    converge(&emulator, &lattice, &nothing(RESOURCE)).await;
    converge(&emulator, &lattice, &nothing(GATEWAY)).await;
    converge(&emulator, &lattice, &no_gateway()).await;
    let state = emulator.state();
    for kind in ["resourceGateways", "resourceConfigurations", "serviceNetworks"] {
        assert_eq!(state[kind], json!([]), "{kind}");
    }
}

#[tokio::test]
async fn another_resource_of_the_same_domain_takes_the_place_of_the_first() {
    let emulator = Emulator::instant();
    let lattice = emulator.aws().await.lattice();
    converge(&emulator, &lattice, &gateway(&[VPC])).await;
    converge(&emulator, &lattice, &opening(&[ONE])).await;
    converge(&emulator, &lattice, &resource("orders", dns("db.internal"), &["5432"])).await;
    converge(&emulator, &lattice, &resource("orders2", dns("db.internal"), &["5432"])).await;
    let state = emulator.state();
    let names: Vec<_> =
        state["resourceConfigurations"].as_array().unwrap().iter().map(|one| &one["name"]).collect();
    assert_eq!(names, [&json!(called(RESOURCE, "orders2"))]);
}

#[tokio::test]
async fn what_a_stranger_has_made_is_neither_used_nor_changed_nor_deleted() {
    let emulator = Emulator::instant();
    let stranger = emulator.stranger().await;
    let name = called(GATEWAY, "databases");
    stranger.create_resource_gateway().name(&name).vpc_identifier(VPC).send().await.unwrap();
    let lattice = emulator.aws().await.lattice();
    converge(&emulator, &lattice, &gateway(&[VPC])).await;
    for desired in [opening(&[ONE]), resource("orders", dns("db.internal"), &["5432"])] {
        let made = pass(&lattice, &desired).await;
        assert!(matches!(made.plan.blocked[..], [Blocked::ResourceNameTaken { .. }]), "{}", made.plan);
        assert!(made.plan.steps.is_empty(), "{}", made.plan);
    }
    assert!(pass(&lattice, &nothing(GATEWAY)).await.plan.steps.is_empty());
    let actual = inspect(&lattice, &opening(&[])).await;
    assert_eq!(actual.resource_gateways[0].tags, Tags::new());
}
