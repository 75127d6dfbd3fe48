//! Targets that VPC Lattice does not take.

use crate::harness::{Emulator, converge, pass};
use crate::wishes::{VPC, gateway, route};
use serde_json::json;
use trellis_aws::End;
use trellis_lattice::{Desired, Target};

/// The route with these endpoints.
fn with_targets(ips: &[&str]) -> Desired {
    let mut wish = route(&["/inventory"], 0);
    wish.target_groups[0].targets = ips.iter().map(|ip| Target::at(*ip, 8090)).collect();
    wish
}

fn registered(emulator: &Emulator) -> Vec<String> {
    let state = emulator.state();
    let targets = state["targetGroups"][0]["targets"].as_array().unwrap().iter();
    let staying = targets.filter(|target| target["status"] != "DRAINING");
    staying.map(|target| target["id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_target_that_is_refused_stops_nothing_and_is_told_with_its_address() {
    let emulator = Emulator::instant();
    emulator.configure(&json!({"vpc-cidrs": {VPC: ["10.0.0.0/16"]}}));
    let lattice = emulator.aws().await.lattice();
    converge(&emulator, &lattice, &gateway(&[])).await;

    // All at once: a new route is programmed, with its listener and its rule.
    let wish = with_targets(&["10.0.0.1", "192.168.7.9", "10.0.0.2"]);
    let made = pass(&lattice, &wish).await;
    assert!(matches!(made.applied.end, End::Complete), "{:?}", made.applied.end);
    assert!(made.applied.outcome.is_complete());
    let told = &made.applied.outcome.refused;
    assert_eq!((told.len(), told[0].target.id(), told[0].target.port()), (1, "192.168.7.9", Some(8090)));
    assert_eq!(
        (told[0].code.as_str(), &told[0].target_group),
        ("UnsupportedTarget", &wish.target_groups[0].name)
    );
    assert!(told[0].message.contains("not an address of a subnet"), "{}", told[0].message);
    assert_eq!(registered(&emulator), ["10.0.0.1", "10.0.0.2"]);

    // It is told again and not tried again.
    emulator.reset_calls();
    let again = pass(&lattice, &wish).await;
    assert!(again.plan.steps.is_empty(), "{}", again.plan);
    assert_eq!(&again.applied.outcome.refused, told);
    assert_eq!(emulator.calls().get("RegisterTargets"), None);

    // A Pod that ends is deregistered, and one that comes is registered.
    let next = with_targets(&["10.0.0.2", "192.168.7.9", "10.0.0.3"]);
    let changed = pass(&lattice, &next).await;
    assert!(matches!(changed.applied.end, End::Complete), "{:?}", changed.applied.end);
    assert_eq!(registered(&emulator), ["10.0.0.2", "10.0.0.3"]);
    assert_eq!(&changed.applied.outcome.refused, told);

    // Who does not remember tries once more and says the same; where it is not wanted any more nothing is said.
    let forgetful = pass(&emulator.aws().await.lattice(), &next).await;
    assert_eq!(&forgetful.applied.outcome.refused, told);
    let without = pass(&lattice, &with_targets(&["10.0.0.2", "10.0.0.3"])).await;
    assert!(without.plan.steps.is_empty() && without.applied.outcome.refused.is_empty());
}

#[tokio::test]
async fn a_target_group_whose_targets_are_all_refused_leaves_the_route_programmed() {
    let emulator = Emulator::instant();
    emulator.configure(&json!({"vpc-cidrs": {VPC: ["10.0.0.0/16"]}}));
    let lattice = emulator.aws().await.lattice();
    converge(&emulator, &lattice, &gateway(&[])).await;
    let made = pass(&lattice, &with_targets(&["192.168.7.9", "fd00::1"])).await;
    assert!(matches!(made.applied.end, End::Complete), "{:?}", made.applied.end);
    assert_eq!(made.applied.outcome.refused.len(), 2);
    assert_eq!(emulator.state()["services"][0]["listeners"].as_array().unwrap().len(), 1);
}
