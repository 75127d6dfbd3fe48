//! Many requests: shares by weight, and none lost while everything changes.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use http::{Method, StatusCode};
use http_body_util::Full;
use serde_json::json;

use crate::site::{Site, forward, keys};

/// Requests of the test of weights.
const REQUESTS: u32 = 10_000;

/// Clients at one time.
const CLIENTS: u32 = 8;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn weights_of_90_and_10_hold_over_10_000_requests() {
    let site = Arc::new(Site::new(json!({})).await);
    let (first, second) = (site.named(1, "first").await, site.named(2, "second").await);
    let a = site.group("grp-a", &[first], json!({})).await;
    let b = site.group("grp-b", &[second], json!({})).await;
    site.rule("/", 1, &[(&a, 90), (&b, 10)]).await;
    let tasks: Vec<_> = (0..CLIENTS)
        .map(|_| {
            let site = Arc::clone(&site);
            tokio::spawn(async move {
                let mut counts = BTreeMap::new();
                for _ in 0..REQUESTS / CLIENTS {
                    *counts.entry(site.get("/").await.1).or_insert(0_u32) += 1;
                }
                counts
            })
        })
        .collect();
    let mut counts: BTreeMap<String, u32> = BTreeMap::new();
    for task in tasks {
        for (name, count) in task.await.unwrap() {
            *counts.entry(name).or_default() += count;
        }
    }
    assert_eq!(counts.values().sum::<u32>(), REQUESTS);
    // The standard deviation of a binomial with n = 10,000 and p = 0.1 is 30; five of them are 150, which chance
    // exceeds once in 1.7 million runs.
    assert!(counts["second"].abs_diff(1000) <= 150, "{counts:?}");
}

/// How long the change test runs: 5 s, or what LATTICE_EMULATOR_SOAK_SECONDS says.
fn soak() -> Duration {
    let asked = std::env::var("LATTICE_EMULATOR_SOAK_SECONDS").ok();
    Duration::from_secs(asked.map_or(5, |seconds| seconds.parse().expect("a number of seconds")))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_request_fails_while_rules_weights_and_targets_change_under_load() {
    let site = Arc::new(Site::new(json!({"delays": {"drain": "100ms", "propagation": "20ms"}})).await);
    let (first, second) = (site.named(1, "first").await, site.named(2, "second").await);
    let a = site.group("grp-a", &[first], json!({})).await;
    let b = site.group("grp-b", &[first, second], json!({})).await;
    let rule = site.rule("/", 100, &[(&a, 1), (&b, 1)]).await;
    let path = json!({"serviceIdentifier": site.service, "listenerIdentifier": site.listener,
                      "ruleIdentifier": rule});
    // The first publication has its delay too.
    site.emulator.clock.advance("1s".parse().unwrap());
    let (stop, served) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let clients: Vec<_> = (0..CLIENTS)
        .map(|_| {
            let (site, stop, served) = (Arc::clone(&site), Arc::clone(&stop), Arc::clone(&served));
            tokio::spawn(async move {
                while !stop.load(Ordering::Relaxed) {
                    let request = site.request(Method::GET, "/any").body(Full::default()).unwrap();
                    let answer = site.send(request).await;
                    assert!(matches!(&answer, Ok((StatusCode::OK, _, _))), "{answer:?}");
                    served.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    let started = Instant::now();
    let mut round = 0_u32;
    while started.elapsed() < soak() {
        round += 1;
        let mut change = path.clone();
        change["action"] = forward(&[(&a, round % 10), (&b, 10 - round % 10)]);
        change["priority"] = json!(100 + round % 7);
        site.call("UpdateRule", change).await;
        let targets = json!({"targetGroupIdentifier": b, "targets": keys(&[second])});
        site.call("DeregisterTargets", targets.clone()).await;
        let extra = site.rule("/any", 1 + round % 50, &[(&a, 1)]).await;
        site.call("RegisterTargets", targets).await;
        let mut gone = path.clone();
        gone["ruleIdentifier"] = json!(extra);
        site.call("DeleteRule", gone).await;
    }
    stop.store(true, Ordering::Relaxed);
    for client in clients {
        client.await.unwrap();
    }
    let served = served.load(Ordering::Relaxed);
    println!("{served} requests, {round} rounds of five changes, none failed");
    assert!(served > 100 && round > 10, "{served} requests, {round} rounds");
}
