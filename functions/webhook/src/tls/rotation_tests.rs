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
    wake_interval: Duration::from_millis(1),
};

#[derive(Default)]
struct Cluster {
    secret: Option<(Identity, u32)>,
    webhooks: BTreeMap<String, Registration>,
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
        let empty = Registration::default;
        store.0.lock().unwrap().webhooks = names.iter().map(|&name| (name.to_owned(), empty())).collect();
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
        let webhooks = self.0.lock().unwrap().webhooks.clone();
        let trusts = |bundle: &[u8]| String::from_utf8_lossy(bundle).contains(identity.authority_pem.trim());
        webhooks.values().all(|one| trusts(&one.bundle))
    }

    /// The path that API servers are told.
    fn path(&self) -> String {
        let webhooks = self.0.lock().unwrap().webhooks.clone();
        let paths: BTreeSet<String> = webhooks.into_values().map(|one| one.path).collect();
        assert_eq!(paths.len(), 1);
        paths.into_iter().next().unwrap()
    }

    fn tell(&self, path: &str) {
        for one in self.0.lock().unwrap().webhooks.values_mut() {
            path.clone_into(&mut one.path);
        }
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

    async fn registrations(&self) -> Result<BTreeMap<String, Registration>, StoreError> {
        Ok(self.cluster()?.webhooks.clone())
    }

    async fn register(&self, changes: &BTreeMap<String, Change>) -> Result<(), StoreError> {
        let mut cluster = self.cluster()?;
        cluster.patches += 1;
        for (name, change) in changes {
            let webhook = cluster.webhooks.get_mut(name).unwrap();
            if let Some(pem) = &change.bundle {
                webhook.bundle = pem.clone().into_bytes();
            }
            if let Some(path) = &change.path {
                webhook.path.clone_from(path);
            }
        }
        Ok(())
    }
}

fn replica(store: &FakeStore) -> Rotation<FakeStore> {
    let metrics = Arc::new(Metrics::new());
    Rotation {
        store: store.clone(),
        names: vec!["w.ns.svc".into()],
        pace: FAST,
        served: Served::nothing(),
        tokens: Tokens::default(),
        wake: Arc::default(),
        losses: Losses::new(metrics.clone(), OffsetDateTime::now_utc),
        readiness: Arc::default(),
        metrics,
        current: None,
        told: BTreeSet::new(),
    }
}

fn lost(replica: &Rotation<FakeStore>) -> Vec<String> {
    let text = replica.metrics.encode().unwrap();
    let lines = text.lines().filter_map(|line| line.strip_prefix("trellis_webhook_losses_total{cause=\""));
    lines.map(|line| line.replace("\"}", "")).collect()
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
    assert_eq!(lost(&replica), ["started 1"]);
    store.0.lock().unwrap().webhooks.get_mut("a").unwrap().bundle.clear();
    replica.round(NOW).await.unwrap();
    assert!(store.trusts(&store.secret()));
    // Nobody has told how many reviews the API server let pass meanwhile.
    assert!(lost(&replica).contains(&"unreachable 1".to_owned()));
}

/// What the webhook for readiness gates does not hear costs a Pod its gate, and no hint.
#[tokio::test]
async fn a_mutating_webhook_is_told_trust_and_path_too_and_its_silence_is_no_loss_of_hints() {
    let store = FakeStore::with_webhooks(&["a", "pods"]);
    store.0.lock().unwrap().webhooks.get_mut("pods").unwrap().is_mutating = true;
    let mut replica = replica(&store);
    replica.round(NOW).await.unwrap();
    assert!(store.trusts(&store.secret()));
    let (path, before) = (store.path(), lost(&replica));
    let emptied = Registration { is_mutating: true, ..Registration::default() };
    store.0.lock().unwrap().webhooks.insert("pods".into(), emptied);
    replica.round(NOW).await.unwrap();
    assert_eq!((store.path(), lost(&replica)), (path, before));
    assert!(store.trusts(&store.secret()));
}

#[tokio::test]
async fn the_api_server_is_told_a_path_that_only_the_replicas_know() {
    let store = FakeStore::with_webhooks(&["a", "b"]);
    let (mut one, mut other) = (replica(&store), replica(&store));
    one.round(NOW).await.unwrap();
    other.round(NOW).await.unwrap();
    let path = store.path();
    assert_eq!(path, Token::of(&store.secret()).path());
    for replica in [&one, &other] {
        assert!(replica.tokens.admit(&path) && !replica.tokens.admit("/validate"));
        assert_eq!(lost(replica), ["started 1"]);
    }
}

#[tokio::test]
async fn a_new_path_is_told_when_every_replica_knows_it_and_the_old_one_is_taken_until_then() {
    let store = FakeStore::with_webhooks(&["a"]);
    let (mut one, mut other) = (replica(&store), replica(&store));
    one.round(NOW).await.unwrap();
    other.round(NOW).await.unwrap();
    let old = store.path();

    let due = NOW + LIFETIME * 2 / 3;
    one.round(due).await.unwrap();
    assert_eq!(store.path(), old, "the other replica does not know the new one yet");
    // One that starts now has never seen the identity that the path is of.
    let mut late = replica(&store);
    late.round(due).await.unwrap();
    assert!(late.tokens.admit(&old));
    other.round(due).await.unwrap();

    let new = Token::of(&store.secret()).path();
    assert_ne!(old, new);
    one.round(due + PATH_DELAY).await.unwrap();
    assert_eq!(store.path(), new);
    other.round(due + PATH_DELAY).await.unwrap();
    for replica in [&one, &other] {
        assert!(
            replica.tokens.admit(&old) && replica.tokens.admit(&new),
            "an API server may be a moment behind"
        );
        assert_eq!(lost(replica), ["started 1"]);
    }
    for replica in [&mut one, &mut other] {
        for rounds in 2..4 {
            replica.round(due + PATH_DELAY * rounds).await.unwrap();
        }
        assert!(!replica.tokens.admit(&old) && replica.tokens.admit(&new));
    }
}

#[tokio::test]
async fn a_path_that_somebody_changed_is_told_anew_as_soon_as_a_stranger_calls() {
    let store = FakeStore::with_webhooks(&["a"]);
    let mut slow = replica(&store);
    slow.pace.round_interval = Duration::from_secs(1000);
    let (wake, metrics) = (slow.wake.clone(), slow.metrics.clone());
    let running = tokio::spawn(slow.run(|| NOW));
    until(|| store.0.lock().unwrap().patches == 1).await;
    let path = store.path();
    for changed in ["", "/validate", "/validate/x"] {
        store.tell(changed);
        wake.notify_one();
        until(|| store.path() == path).await;
    }
    assert!(metrics.encode().unwrap().contains(r#"losses_total{cause="unreachable"} 3"#));
    running.abort();
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
