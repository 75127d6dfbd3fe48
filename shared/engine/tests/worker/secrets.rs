//! Secrets with certificates: read by name, and never more than fit into memory.

use crate::{gateway, message, object, work, world};
use serde_json::json;
use std::sync::Arc;
use trellis_engine::{Engine, Worker};
use trellis_gateway::Settings;
use trellis_hint::{Hint, Kind, Operation};

#[tokio::test(start_paused = true)]
async fn of_a_gateway_that_names_thousands_of_secrets_a_bounded_number_is_read() {
    let world = world();
    let listeners = (0..64).map(|listener| {
        let names = (0..64).map(|n| json!({"name": format!("s-{listener}-{n}")}));
        let tls = json!({"mode": "Terminate", "certificateRefs": names.collect::<Vec<_>>()});
        json!({"name": format!("l{listener}"), "protocol": "HTTPS", "port": 8000 + listener, "tls": tls})
    });
    let spec = json!({"gatewayClassName": "amazon-vpc-lattice", "listeners": listeners.collect::<Vec<_>>()});
    world.put("one", Kind::Gateway, "my-hotel", json!({"spec": spec}));
    let settings =
        Settings { installation: "trellis".into(), certificate_secrets: true, ..Settings::default() };
    let worker = Worker::new(Arc::new(Engine::new(world.clone(), world.clone(), world.clone(), settings)));
    let hint = Hint::new(gateway(), object("one", Kind::Gateway, "my-hotel"), Operation::Update);
    work(&worker, vec![message("g", &hint, 1)]).await;
    assert_eq!(world.state().secrets_read, 256);
    let told = world.status("one", Kind::Gateway, "my-hotel").to_string();
    assert!(told.contains("the certificates of 256 Secrets at most"), "{told}");
}
