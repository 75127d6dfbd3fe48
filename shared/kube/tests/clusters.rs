//! The registered clusters: their clients, their tokens, and how often they are described.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a helper of a test fails the test by a panic")]

mod support;

use serde_json::json;
use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};
use support::{ApiServer, Ca, answer, failure, get};
use trellis_gateway::ClusterFacts;
use trellis_hint::{ClusterId, Kind};
use trellis_kube::RegisteredClusters;
use trellis_ports::{Answer, CallError, Cluster as _, Clusters, Described, ErrorClass, Registered, Registry};

/// A registry of the test's own, which counts. Clones share it.
#[derive(Clone, Default)]
struct Book {
    clusters: Arc<Mutex<Vec<Described>>>,
    tokens: Arc<AtomicU32>,
    asked_again: Arc<AtomicU32>,
}

impl Book {
    fn write(&self, clusters: Vec<Described>) {
        *self.clusters.lock().unwrap_or_else(PoisonError::into_inner) = clusters;
    }
}

impl Registry for Book {
    async fn registered(&self) -> Result<Registered, CallError> {
        let clusters = self.clusters.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Ok(Registered {
            clusters,
            unusable: vec![(ClusterFacts::registered(id("new"), ""), "it has no endpoint yet".into())],
        })
    }

    fn describe_again(&self, _: &ClusterId) {
        self.asked_again.fetch_add(1, Ordering::SeqCst);
    }

    async fn token(&self, _: &Described) -> Result<String, Box<dyn Error + Send + Sync>> {
        Ok(format!("token-{}", self.tokens.fetch_add(1, Ordering::SeqCst) + 1))
    }
}

fn id(name: &str) -> ClusterId {
    format!("arn:aws:eks:us-west-2:000000000000:cluster/{name}").parse().unwrap()
}

fn described(name: &str, endpoint: &str, ca: &Ca) -> Described {
    let facts = ClusterFacts::registered(id(name), "vpc-1");
    Described { facts, endpoint: endpoint.into(), ca_pem: ca.pem.clone().into_bytes() }
}

/// An endpoint where nobody listens.
fn nobody() -> String {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    format!("https://{}", free.local_addr().unwrap())
}

#[tokio::test]
async fn a_token_that_an_api_server_refuses_is_signed_anew() {
    let ca = Ca::new("ca");
    let server = ApiServer::start(&ca, |asked| {
        if asked.bearer == "token-1" {
            failure(401, "Unauthorized", &json!({}))
        } else {
            answer(200, &json!({"metadata": {"name": "inventory"}}))
        }
    })
    .await;
    let book = Book::default();
    book.write(vec![described("one", &server.url, &ca)]);
    let clusters = RegisteredClusters::new(book.clone());
    for _ in 0..2 {
        let fleet = clusters.fleet().await.unwrap();
        let one = fleet.clusters[&id("one")].as_ref().unwrap();
        let read = one.read(&get(Kind::HTTPRoute, "inventory")).await.unwrap();
        assert!(matches!(read, Answer::Objects(objects) if objects.len() == 1));
    }
    let bearers: Vec<String> = server.asked().into_iter().map(|asked| asked.bearer).collect();
    assert_eq!(bearers, ["token-1", "token-2", "token-2"]);
    assert_eq!(book.tokens.load(Ordering::SeqCst), 2, "and then kept");
}

#[tokio::test(start_paused = true)]
async fn a_cluster_that_is_not_there_is_described_anew_once_in_a_while_and_no_more_when_it_is_unregistered() {
    let ca = Ca::new("ca");
    let book = Book::default();
    book.write(vec![described("one", &nobody(), &ca)]);
    let clusters = RegisteredClusters::new(book.clone());
    for _ in 0..20 {
        let fleet = clusters.fleet().await.unwrap();
        let error =
            fleet.clusters[&id("one")].as_ref().unwrap().read(&get(Kind::Gateway, "a")).await.unwrap_err();
        assert_eq!(error.class(), ErrorClass::NoAnswer, "{error}");
    }
    assert_eq!(book.asked_again.load(Ordering::SeqCst), 1);
    tokio::time::advance(trellis_kube::DESCRIBE_AGAIN_AFTER).await;
    clusters.fleet().await.unwrap();
    assert_eq!(book.asked_again.load(Ordering::SeqCst), 2);

    let fleet = clusters.fleet().await.unwrap();
    assert!(fleet.clusters[&id("one")].as_ref().unwrap().read(&get(Kind::Gateway, "a")).await.is_err());
    book.write(vec![]);
    tokio::time::advance(trellis_kube::DESCRIBE_AGAIN_AFTER).await;
    for _ in 0..20 {
        let fleet = clusters.fleet().await.unwrap();
        assert!(!fleet.clusters.contains_key(&id("one")) && fleet.clusters[&id("new")].is_err());
        tokio::time::advance(trellis_kube::DESCRIBE_AGAIN_AFTER).await;
    }
    assert!(book.asked_again.load(Ordering::SeqCst) <= 3, "{:?}", book.asked_again);
}
