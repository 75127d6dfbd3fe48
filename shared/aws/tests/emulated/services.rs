//! Settings of a service that only GetService tells.

use crate::harness::{Emulator, converge};
use crate::wishes::{gateway, route};
use serde_json::json;
use trellis_lattice::Step;

#[tokio::test]
async fn a_certificate_is_changed_in_place() {
    let emulator = Emulator::instant();
    let lattice = emulator.aws().await.lattice();
    converge(&emulator, &lattice, &gateway(&[])).await;
    let certificate = |id: u8| Some(format!("arn:aws:acm:us-west-2:123456789012:certificate/{id:036}"));
    let mut wish = route(&["/a"], 1);
    wish.services[0].custom_domain = Some("inventory.example.com".into());
    wish.services[0].certificate_arn = certificate(1);
    converge(&emulator, &lattice, &wish).await;
    wish.services[0].certificate_arn = certificate(2);
    let changed = converge(&emulator, &lattice, &wish).await;
    assert!(matches!(changed.plan.steps[..], [Step::UpdateCertificate(_)]), "{}", changed.plan);
}

#[tokio::test]
async fn an_idle_timeout_is_changed_in_place_and_the_default_comes_back() {
    let emulator = Emulator::instant();
    let lattice = emulator.aws().await.lattice();
    converge(&emulator, &lattice, &gateway(&[])).await;
    let plain = route(&["/a"], 1);
    let mut wish = plain.clone();
    wish.services[0].tags.insert(trellis_lattice::TAG_IDLE_TIMEOUT.into(), "set".into());
    for seconds in [300, 600] {
        wish.services[0].idle_timeout_seconds = Some(seconds);
        converge(&emulator, &lattice, &wish).await;
        assert_eq!(emulator.state()["services"][0]["idleTimeoutSeconds"], json!(seconds));
    }
    converge(&emulator, &lattice, &plain).await;
    assert_eq!(emulator.state()["services"][0]["idleTimeoutSeconds"], json!(60));
}
