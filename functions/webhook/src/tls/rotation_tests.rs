//! Rounds against a cluster that is a few maps. Time is given to each round.

use super::super::identity::LIFETIME;
use super::super::store::Stored;
use super::*;
use std::sync::Mutex;

const NOW: OffsetDateTime = OffsetDateTime::UNIX_EPOCH;

const FAST: Pace = Pace {
    round_interval: Duration::from_millis(1),
    retry_min: Duration::from_millis(1),
    retry_max: Duration::from_millis(2),
    trust_delay: Duration::from_millis(50),
};

#[derive(Default)]
struct Cluster {
    secret: Option<(Identity, u32)>,
    bundles: BTreeMap<String, Vec<u8>>,
    patches: usize,
    reads: usize,
    /// Written by another replica just before the next write of ours.
    rival: Option<Identity>,
    is_down: bool,
}

#[derive(Clone, Default)]
struct FakeStore(Arc<Mutex<Cluster>>);

impl FakeStore {
    fn with_webhooks(names: &[&str]) -> Self {
        let store = Self::default();
        store.0.lock().unwrap().bundles = names.iter().map(|&name| (name.to_owned(), vec![])).collect();
        store
    }

    fn cluster(&self) -> Result<std::sync::MutexGuard<'_, Cluster>, StoreError> {
        let mut cluster = self.0.lock().unwrap();
        cluster.reads += 1;
        if cluster.is_down {
            return Err(StoreError::Api { what: "test", source: "down".into() });
        }
        Ok(cluster)
    }

    fn secret(&self) -> Identity {
        self.0.lock().unwrap().secret.clone().unwrap().0
    }

    fn trusts(&self, identity: &Identity) -> bool {
        let bundles = self.0.lock().unwrap().bundles.clone();
        bundles.values().all(|bundle| String::from_utf8_lossy(bundle).contains(identity.authority_pem.trim()))
    }
}

impl Store for FakeStore {
    async fn identity(&self) -> Result<Option<Stored>, StoreError> {
        let secret = self.cluster()?.secret.clone();
        Ok(secret.map(|(identity, version)| Stored { identity, version: Some(version.to_string()) }))
    }

    async fn keep(&self, identity: &Identity, before: Option<&Stored>) -> Result<(), StoreError> {
        let mut cluster = self.cluster()?;
        if let Some(rival) = cluster.rival.take() {
            cluster.secret = Some((rival, 100));
        }
        let present = cluster.secret.as_ref().map(|(_, version)| version.to_string());
        if before.map(|stored| stored.version.clone()) != present.map(Some) {
            return Err(StoreError::Conflict);
        }
        let version = cluster.secret.as_ref().map_or(1, |(_, version)| version + 1);
        cluster.secret = Some((identity.clone(), version));
        Ok(())
    }

    async fn bundles(&self) -> Result<BTreeMap<String, Vec<u8>>, StoreError> {
        Ok(self.cluster()?.bundles.clone())
    }

    async fn set_bundles(&self, bundles: &BTreeMap<String, String>) -> Result<(), StoreError> {
        let mut cluster = self.cluster()?;
        cluster.patches += 1;
        for (name, pem) in bundles {
            cluster.bundles.insert(name.clone(), pem.clone().into_bytes());
        }
        Ok(())
    }
}

fn replica(store: &FakeStore) -> Rotation<FakeStore> {
    Rotation {
        store: store.clone(),
        names: vec!["w.ns.svc".into()],
        pace: FAST,
        served: Served::nothing(),
        readiness: Arc::default(),
        metrics: Arc::default(),
        current: None,
    }
}

async fn until(mut condition: impl FnMut() -> bool) {
    let started = tokio::time::Instant::now();
    while !condition() {
        assert!(started.elapsed() < Duration::from_secs(10), "the condition was not met");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

#[tokio::test]
async fn the_first_round_makes_a_certificate_and_the_api_server_trusts_it() {
    let store = FakeStore::with_webhooks(&["a", "b"]);
    let mut replica = replica(&store);
    replica.round(NOW).await.unwrap();
    assert!(replica.served.is_set() && store.trusts(&store.secret()));
    assert_eq!(replica.readiness.missing(), None);
    assert_eq!(replica.metrics.certificate_expiry.get(), (NOW + LIFETIME).unix_timestamp());
}

#[tokio::test]
async fn a_further_round_writes_nothing() {
    let store = FakeStore::with_webhooks(&["a"]);
    let mut replica = replica(&store);
    replica.round(NOW).await.unwrap();
    replica.round(NOW + LIFETIME / 2).await.unwrap();
    let cluster = store.0.lock().unwrap();
    assert_eq!((cluster.patches, cluster.secret.as_ref().unwrap().1), (1, 1));
}

#[tokio::test]
async fn two_replicas_that_start_at_once_serve_the_same_certificate() {
    let store = FakeStore::with_webhooks(&["a"]);
    let rival = issue(&["w.ns.svc".into()], NOW).unwrap();
    store.0.lock().unwrap().rival = Some(rival.clone());
    let (mut one, mut other) = (replica(&store), replica(&store));
    one.round(NOW).await.unwrap();
    other.round(NOW).await.unwrap();
    assert_eq!(one.current, Some(rival));
    assert_eq!(one.current, other.current);
}

#[tokio::test]
async fn a_renewal_keeps_the_old_authority_trusted_and_waits_before_it_serves_the_new() {
    let store = FakeStore::with_webhooks(&["a"]);
    let (mut one, mut other) = (replica(&store), replica(&store));
    one.round(NOW).await.unwrap();
    other.round(NOW).await.unwrap();
    let old = store.secret();

    let (due, before) = (NOW + LIFETIME * 2 / 3, tokio::time::Instant::now());
    one.round(due).await.unwrap();
    let new = store.secret();
    assert_ne!(old, new);
    assert!(before.elapsed() >= FAST.trust_delay);
    assert!(store.trusts(&old) && store.trusts(&new));
    assert_eq!((one.current.clone(), other.current.clone()), (Some(new.clone()), Some(old)));

    other.round(due).await.unwrap();
    assert_eq!(other.current, Some(new));
}

#[tokio::test]
async fn an_unusable_secret_is_replaced() {
    let store = FakeStore::with_webhooks(&["a"]);
    let garbled = Identity { key_pem: "x".into(), ..issue(&["w.ns.svc".into()], NOW).unwrap() };
    store.0.lock().unwrap().secret = Some((garbled, 7));
    let mut replica = replica(&store);
    replica.round(NOW).await.unwrap();
    assert_eq!(store.0.lock().unwrap().secret.as_ref().unwrap().1, 8);
    assert!(replica.served.is_set());
}

#[tokio::test]
async fn a_bundle_that_somebody_emptied_is_set_again() {
    let store = FakeStore::with_webhooks(&["a"]);
    let mut replica = replica(&store);
    replica.round(NOW).await.unwrap();
    store.0.lock().unwrap().bundles.insert("a".into(), vec![]);
    replica.round(NOW).await.unwrap();
    assert!(store.trusts(&store.secret()));
}

#[tokio::test]
async fn an_unreachable_api_server_leaves_it_unready_until_it_is_back() {
    let store = FakeStore::with_webhooks(&["a"]);
    store.0.lock().unwrap().is_down = true;
    let replica = replica(&store);
    let readiness = replica.readiness.clone();
    let running = tokio::spawn(replica.run(|| NOW));
    until(|| store.0.lock().unwrap().reads > 3).await;
    assert_eq!(readiness.missing(), Some("no certificate yet"));
    store.0.lock().unwrap().is_down = false;
    until(|| readiness.missing().is_none()).await;
    running.abort();
}
