//! What one throttled operation costs the others.

use crate::server::{Answer, Server, owner};
use serde_json::{Value, json};
use std::time::{Duration, Instant, SystemTime};
use tokio::sync::watch;
use trellis_lattice::{Actual, Desired, DesiredNetwork, Limits, Outcome, Plan, Tags, plan};

fn desired() -> Desired {
    let network = DesiredNetwork { name: "g".into(), tags: Tags::new() };
    Desired { network: Some(network), ..Desired::nothing(owner("gateway/123456789012/us-west-2/g")) }
}

fn creates() -> Plan {
    plan(&desired(), &Actual::default(), &Limits::default())
}

#[tokio::test]
async fn an_operation_that_is_throttled_delays_no_other_one() {
    let server = Server::start(|asked| {
        if asked.line.starts_with("POST /servicenetworks") {
            let body = json!({"__type": "ThrottlingException", "message": "Rate exceeded"});
            return Answer::json(429, &body);
        }
        let items: Vec<Value> = vec![];
        Answer::json(200, &json!({ "items": items }))
    });
    let lattice = server.aws().await.lattice();
    let throttled = tokio::spawn({
        let lattice = lattice.clone();
        async move {
            let (progress, _) = watch::channel(Outcome::default());
            let until = Instant::now() + Duration::from_secs(20);
            lattice.apply(&creates(), &Actual::default(), until, &progress).await
        }
    });
    let begin = Instant::now();
    while server.asked().len() < 3 {
        assert!(begin.elapsed() < Duration::from_secs(15), "the create is tried again");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let begin = Instant::now();
    for _ in 0..20 {
        lattice.inspect(&desired(), &[], SystemTime::now()).await.unwrap();
    }
    let elapsed = begin.elapsed();
    assert!(elapsed < Duration::from_secs(2), "twenty reads of another unit took {elapsed:?}");
    throttled.abort();
}
