//! The registered clusters with a circuit breaker each: one that does not answer is asked once, not by everybody.

use crate::figures::Figures;
use crate::observe::{CLUSTER_TIME_MAX, READS_AT_ONCE_MAX, Reader};
use futures::{StreamExt, stream};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard};
use tokio::time::Instant;
use trellis_gateway::{
    ClusterEvent, ClusterFacts, ClusterState, OPTIONAL_KINDS, ObjectChange, Read, ReadResult, SecretKey,
    SecretRead, ServicePer, Snapshot, StatusPatch, wants_secrets,
};
use trellis_hint::{ClusterId, Kind};
use trellis_ports::{Answer, Awaited, Budget, CallError, Cluster, ErrorClass, Fleet, PatchOutcome};
use trellis_telemetry::Metric;

/// How long one request to an API server is waited for, whatever the client's own limits are.
pub(crate) const ASK_MAX: Duration = Duration::from_secs(8);

/// How long one request to a cluster that is not the unit's own is waited for, when the unit is looked at for the first
/// times: an API server answers what a route imports within a tenth of that, and a new Pod of the route's own cluster, which
/// stands behind the request, is to be a target within three seconds. It is no verdict on the cluster: its own units ask it
/// with more patience, and so does the unit itself in the last of its looks.
pub(crate) const ASK_OTHERS_MAX: Duration = Duration::from_secs(2);

/// How long after a cluster did not answer a later invocation may ask it again. A message that is given back comes after
/// two seconds at the earliest; ten are enough for an API server that only stumbled.
pub(crate) const HALF_OPEN_AFTER: Duration = Duration::from_secs(10);

/// The most Secrets that are read for Gateways of one name, in all clusters: each is held in memory with its certificate and key,
/// and a Gateway has 64 listeners at most.
const SECRETS_MAX: usize = 256;

/// Kinds that manifests of an older version let nobody read, and without which a cluster is served as before.
const READ_LATER: [Kind; 5] =
    [Kind::Pod, Kind::ServiceNetwork, Kind::Backend, Kind::ResourceGateway, Kind::ResourceConfiguration];

/// How long the Events of one status may take in sum: a few requests, behind which the next status stands.
const EVENTS_MAX: Duration = Duration::from_secs(1);

/// How long what a cluster does not serve, or refuses, is not asked of it again: in a look at all of it each route would, and what a
/// person has just installed or granted may wait so long there.
const AGAIN_AFTER: Duration = Duration::from_mins(1);

/// Which clusters do not answer, and which do not serve what they need not serve.
///
/// A cluster that did not answer is not asked again in the same invocation: whoever asks is told so at once, so that a
/// batch of ten units pays for it once. In a later invocation, after [`HALF_OPEN_AFTER`], one request goes through, and the
/// others wait for what becomes of it.
#[derive(Debug, Default)]
pub(crate) struct Breakers {
    open: Mutex<BTreeMap<ClusterId, Open>>,
    invocation: AtomicU64,
    unserved: Lately<(ClusterId, Kind)>,
    /// By namespace, as rights are granted by it, and one that is being deleted takes nothing new.
    refused: Lately<(ClusterId, Kind, String)>,
    /// Namespaces that take no Events, or not in time.
    untold: Lately<(ClusterId, String)>,
}

/// What was found a moment ago, and is not tried again before [`AGAIN_AFTER`].
#[derive(Debug)]
struct Lately<K>(Mutex<BTreeMap<K, Instant>>);

impl<K> Default for Lately<K> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Ord> Lately<K> {
    fn has(&self, what: &K) -> bool {
        self.all().get(what).is_some_and(is_recent)
    }

    fn note(&self, what: K) {
        let mut all = self.all();
        all.retain(|_, since| is_recent(since));
        all.insert(what, Instant::now());
    }

    fn all(&self) -> MutexGuard<'_, BTreeMap<K, Instant>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_recent(since: &Instant) -> bool {
    since.elapsed() < AGAIN_AFTER
}

#[derive(Debug)]
struct Open {
    why: String,
    since: Instant,
    /// The invocation that found it so.
    invocation: u64,
    /// Held by the one request that goes first.
    probe: Arc<AsyncMutex<()>>,
}

/// The right to ask a cluster. Whoever goes first keeps the others waiting until this is dropped.
type Permit = Option<OwnedMutexGuard<()>>;

impl Breakers {
    /// An invocation begins.
    pub(crate) fn begin(&self) {
        self.invocation.fetch_add(1, Ordering::Relaxed);
    }

    fn open(&self) -> MutexGuard<'_, BTreeMap<ClusterId, Open>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the cluster may be asked; the error says why not. With a lock where one only goes first.
    fn state(&self, cluster: &ClusterId) -> Result<Option<Arc<AsyncMutex<()>>>, CallError> {
        let invocation = self.invocation.load(Ordering::Relaxed);
        match self.open().get(cluster) {
            None => Ok(None),
            Some(open) if open.invocation != invocation && open.since.elapsed() >= HALF_OPEN_AFTER => {
                Ok(Some(Arc::clone(&open.probe)))
            }
            Some(open) => Err(CallError::new(ErrorClass::NoAnswer, open.why.clone())),
        }
    }

    async fn permit(&self, cluster: &ClusterId) -> Result<Permit, CallError> {
        let Some(probe) = self.state(cluster)? else { return Ok(None) };
        let first = probe.lock_owned().await;
        // Somebody else may have gone first meanwhile.
        Ok(self.state(cluster)?.map(|_| first))
    }

    fn report<T>(&self, cluster: &ClusterId, result: &Result<T, CallError>) {
        match result {
            Err(error) if error.class() == ErrorClass::NoAnswer => self.trip(cluster, &error.to_string()),
            _ => _ = self.open().remove(cluster),
        }
    }

    fn trip(&self, cluster: &ClusterId, why: &str) {
        let invocation = self.invocation.load(Ordering::Relaxed);
        let open = Open { why: why.to_owned(), since: Instant::now(), invocation, probe: Arc::default() };
        self.open().insert(cluster.clone(), open);
    }
}

/// One registered cluster behind its breaker.
#[derive(Debug)]
pub(crate) struct Member<C> {
    id: ClusterId,
    cluster: Arc<C>,
    breakers: Arc<Breakers>,
    /// How long one request is waited for.
    patience: Duration,
    figures: Arc<Figures>,
}

impl<C: Cluster> Member<C> {
    async fn ask<T>(&self, request: impl Future<Output = Result<T, CallError>>) -> Result<T, CallError> {
        let _permit = self.breakers.permit(&self.id).await?;
        let hangs = |_| {
            let text = format!("the API server did not answer within {} s", self.patience.as_secs());
            Err(CallError::new(ErrorClass::NoAnswer, text))
        };
        let result = Budget::lasting(self.patience).spend(request).await.unwrap_or_else(hangs);
        self.breakers.report(&self.id, &result);
        result
    }

    fn result(&self, read: &Read, answer: Result<Answer, CallError>) -> ReadResult {
        self.figures.add(Metric::KubernetesReads, 1);
        match answer {
            Ok(Answer::Objects(objects)) => ReadResult::Objects(objects),
            Ok(Answer::KindMissing) => {
                if OPTIONAL_KINDS.contains(&read.kind()) {
                    self.breakers.unserved.note((self.id.clone(), read.kind()));
                }
                ReadResult::KindMissing
            }
            // Readiness gates are for who wants them: a cluster whose manifests do not let us read Pods yet, or that has too
            // many, is served as before. So is one whose manifests know of no ServiceNetworks yet: what bears the mark of one stays.
            Err(error) if READ_LATER.contains(&read.kind()) && error.class() == ErrorClass::Terminal => {
                let (cluster, kind, error) = (&self.id, read.kind(), trellis_telemetry::chain(&error));
                tracing::warn!(%cluster, %kind, %error, "cannot be read, and counts as not served: apply this version's manifests");
                ReadResult::KindMissing
            }
            Err(error) if OPTIONAL_KINDS.contains(&read.kind()) && error.class() == ErrorClass::Terminal => {
                let (cluster, kind, error) = (&self.id, read.kind(), trellis_telemetry::chain(&error));
                tracing::debug!(%cluster, %kind, %error, "cannot read what need not be there: none is made");
                self.breakers.unserved.note((cluster.clone(), kind));
                ReadResult::KindMissing
            }
            Err(error) => {
                let (cluster, kind) = (&self.id, read.kind());
                tracing::warn!(%cluster, %kind, error = %trellis_telemetry::chain(&error), "cannot read");
                self.figures.unreadable(cluster);
                ReadResult::Unreadable(format!(
                    "{kind} objects of cluster {} cannot be read: {error}",
                    cluster.name
                ))
            }
        }
    }

    /// Reads, also what the cluster did not serve a moment ago: a person may have installed it since, and who asks looks at it once.
    pub(crate) async fn read_anew(&self, read: &Read) -> ReadResult {
        let answer = self.ask(self.cluster.read(read)).await;
        self.result(read, answer)
    }

    /// Reads an object, waiting briefly until it shows what a hint told of.
    pub(crate) async fn read_at_least(&self, read: &Read, awaited: &Awaited) -> ReadResult {
        let answer = self.ask(self.cluster.read_at_least(read, awaited)).await;
        self.result(read, answer)
    }

    /// What a Secret has of a certificate. That one cannot be read says nothing of the cluster.
    pub(crate) async fn secret(&self, key: &SecretKey) -> SecretRead {
        let answer = self.ask(self.cluster.secret(key)).await;
        self.figures.add(Metric::KubernetesReads, 1);
        answer.unwrap_or_else(|error| {
            let (cluster, namespace, name) = (&self.id, &key.namespace, &key.name);
            tracing::warn!(%cluster, namespace, name, error = %trellis_telemetry::chain(&error), "cannot read a Secret");
            SecretRead::Unreadable(error.to_string())
        })
    }

    /// Makes, changes or deletes an object.
    pub(crate) async fn change(&self, change: &ObjectChange) -> Result<PatchOutcome, CallError> {
        self.ask(self.cluster.change(change)).await
    }

    /// Makes the Events of one object, as far as its namespace takes them and there is time. Nothing depends on them, so nothing
    /// is said of one that could not be made; a namespace that takes none is not asked again for a while.
    pub(crate) async fn tell(&self, events: &[ClusterEvent]) {
        let Some(first) = events.first() else { return };
        let place = (self.id.clone(), first.namespace.clone());
        if self.breakers.untold.has(&place) {
            return;
        }
        let all = async {
            for event in events {
                self.cluster.tell(event).await?;
            }
            Ok(())
        };
        let late = |_| Err(CallError::new(ErrorClass::NoAnswer, "it takes too long"));
        if let Err(error) = Budget::lasting(EVENTS_MAX).spend(all).await.unwrap_or_else(late) {
            let (cluster, namespace) = &place;
            tracing::debug!(%cluster, namespace, error = %trellis_telemetry::chain(&error), "an event was not made");
            if matches!(error.class(), ErrorClass::Terminal | ErrorClass::NoAnswer) {
                self.breakers.untold.note(place);
            }
        }
    }

    /// Writes one status.
    pub(crate) async fn patch_status(&self, patch: &StatusPatch) -> Result<PatchOutcome, CallError> {
        self.ask(self.cluster.patch_status(patch)).await
    }
}

impl<C: Cluster> Reader for Member<C> {
    async fn read(&self, read: &Read) -> ReadResult {
        if self.breakers.unserved.has(&(self.id.clone(), read.kind())) {
            return ReadResult::KindMissing;
        }
        let answer = self.ask(self.cluster.read(read)).await;
        self.result(read, answer)
    }

    fn is_given_up(&self, why: &str) {
        self.breakers.trip(&self.id, why);
        self.figures.unreadable(&self.id);
    }
}

fn refused_of(change: &ObjectChange) -> (ClusterId, Kind, String) {
    (change.cluster.clone(), change.key.kind, change.key.namespace.clone())
}

/// The registered clusters, each with what reaches it or why nothing does.
#[derive(Debug)]
pub(crate) struct Members<C> {
    facts: Vec<ClusterFacts>,
    service_per: ServicePer,
    pub(crate) clusters: BTreeMap<ClusterId, Result<Member<C>, String>>,
    /// Whether certificates of Secrets are imported.
    reads_secrets: bool,
}

impl<C: Cluster> Members<C> {
    pub(crate) fn new(fleet: Fleet<C>, breakers: &Arc<Breakers>, figures: &Arc<Figures>) -> Self {
        let member = |(id, reached): (ClusterId, Result<Arc<C>, String>)| {
            if reached.is_err() {
                figures.unreadable(&id);
            }
            let member = reached.map(|cluster| Member {
                id: id.clone(),
                cluster,
                breakers: Arc::clone(breakers),
                patience: ASK_MAX,
                figures: Arc::clone(figures),
            });
            (id, member)
        };
        let clusters = fleet.clusters.into_iter().map(member).collect();
        let service_per = ServicePer::default();
        Self { facts: fleet.facts, service_per, clusters, reads_secrets: false }
    }

    /// With what Gateways mean that do not say how their routes are shared out among services.
    pub(crate) fn with_service_per(self, service_per: ServicePer) -> Self {
        Self { service_per, ..self }
    }

    /// With these clusters, which nobody has registered and a person takes out.
    pub(crate) fn with_leaving(mut self, leaving: &BTreeSet<ClusterId>) -> Self {
        for id in leaving {
            self.facts.retain(|facts| facts.id != *id);
            let facts = ClusterFacts::registered(id.clone(), String::new());
            self.facts.push(ClusterFacts { state: ClusterState::Leaving, ..facts });
            self.clusters.entry(id.clone()).or_insert_with(|| Err("it is taken out".to_owned()));
        }
        self
    }

    /// With Secrets that listeners name, if the installation imports their certificates.
    pub(crate) fn with_secrets(self, reads_secrets: bool) -> Self {
        Self { reads_secrets, ..self }
    }

    /// Reads the Secrets that the snapshot's Gateways name in listeners, side by side. What is not read in time is not known. Whether
    /// any are named.
    pub(crate) async fn read_secrets(&self, snapshot: &mut Snapshot) -> bool {
        let mut wanted: Vec<SecretKey> = wants_secrets(snapshot).into_iter().collect();
        if wanted.is_empty() {
            return false;
        }
        let left = wanted.split_off(wanted.len().min(SECRETS_MAX));
        let text = format!("Gateways of one name have the certificates of {SECRETS_MAX} Secrets at most");
        snapshot.secrets.read.extend(left.into_iter().map(|key| (key, SecretRead::Unreadable(text.clone()))));
        let ends = Instant::now() + CLUSTER_TIME_MAX;
        let reads = wanted.into_iter().map(async |key| {
            let read = async {
                match self.reach(&key.cluster) {
                    Ok(member) => member.secret(&key).await,
                    Err(error) => SecretRead::Unreadable(error.to_string()),
                }
            };
            let late = |_| SecretRead::Unreadable("the reads of Secrets take too long".to_owned());
            let said = tokio::time::timeout_at(ends, read).await.unwrap_or_else(late);
            (key, said)
        });
        let read: Vec<_> = stream::iter(reads).buffer_unordered(READS_AT_ONCE_MAX).collect().await;
        snapshot.secrets.read.extend(read);
        true
    }

    /// With little patience for all clusters but this one. Breakers of their own, so that nobody who has more is told that
    /// they do not answer.
    pub(crate) fn hurried(mut self, own: &ClusterId, breakers: &Arc<Breakers>) -> Self {
        let others = self.clusters.iter_mut().filter(|(id, _)| *id != own);
        for member in others.filter_map(|(_, member)| member.as_mut().ok()) {
            member.patience = ASK_OTHERS_MAX;
            member.breakers = Arc::clone(breakers);
        }
        self
    }

    /// The cluster, or why it cannot be asked.
    pub(crate) fn reach(&self, cluster: &ClusterId) -> Result<&Member<C>, CallError> {
        let why = match self.clusters.get(cluster) {
            Some(Ok(member)) => return Ok(member),
            Some(Err(why)) => why.clone(),
            None => "it is not registered".to_owned(),
        };
        Err(CallError::new(ErrorClass::Retry, format!("cluster {} cannot be asked: {why}", cluster.name)))
    }

    /// Whether a change that nobody is told of was refused a while ago, so that it is not to be tried.
    pub(crate) fn is_refused(&self, change: &ObjectChange) -> bool {
        let Ok(member) = self.reach(&change.cluster) else { return false };
        change.teller.is_none() && member.breakers.refused.has(&refused_of(change))
    }

    pub(crate) fn set_refused(&self, change: &ObjectChange) {
        let Ok(member) = self.reach(&change.cluster) else { return };
        member.breakers.refused.note(refused_of(change));
    }

    /// All registered clusters, and those of them that cannot be asked; nothing is read yet.
    pub(crate) fn snapshot(&self) -> Snapshot {
        let mut snapshot = Snapshot::of(self.facts.iter().cloned());
        snapshot.secrets.are_read = self.reads_secrets;
        snapshot.service_per = self.service_per;
        for (name, cluster) in &self.clusters {
            if let Err(why) = cluster {
                snapshot.unreadable.insert(name.clone(), why.clone());
                // One that cannot even be described is still one that may want things: the core asks all that have facts.
                let unknown = || ClusterFacts::registered(name.clone(), String::new());
                snapshot.facts.entry(name.clone()).or_insert_with(unknown);
            }
        }
        snapshot
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(name: &str) -> ClusterId {
        format!("arn:aws:eks:us-west-2:000000000000:cluster/{name}").parse().unwrap()
    }

    fn silent() -> Result<(), CallError> {
        Err(CallError::new(ErrorClass::NoAnswer, "no answer within 5 s"))
    }

    #[tokio::test(start_paused = true)]
    async fn a_cluster_that_did_not_answer_is_not_asked_again_in_the_same_invocation() {
        let breakers = Breakers::default();
        breakers.begin();
        breakers.report(&id("two"), &silent());
        tokio::time::advance(10 * HALF_OPEN_AFTER).await;
        assert_eq!(breakers.permit(&id("two")).await.unwrap_err().to_string(), "no answer within 5 s");
        assert!(breakers.permit(&id("one")).await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn in_a_later_invocation_one_request_goes_first_and_the_others_wait_for_what_becomes_of_it() {
        for (answer, others_may) in [(Ok(()), true), (silent(), false)] {
            let breakers = Breakers::default();
            breakers.report(&id("two"), &silent());
            breakers.begin();
            assert!(breakers.permit(&id("two")).await.is_err(), "too soon");
            tokio::time::advance(HALF_OPEN_AFTER).await;
            let two = id("two");
            let first = breakers.permit(&two).await.unwrap();
            let report = async {
                tokio::task::yield_now().await;
                breakers.report(&id("two"), &answer);
                drop(first);
            };
            let (second, third, ()) = futures::join!(breakers.permit(&two), breakers.permit(&two), report);
            assert_eq!((second.is_ok(), third.is_ok()), (others_may, others_may));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_goes_first_and_is_cut_off_leaves_its_place_to_the_next() {
        let breakers = Breakers::default();
        breakers.report(&id("two"), &silent());
        breakers.begin();
        tokio::time::advance(HALF_OPEN_AFTER).await;
        drop(breakers.permit(&id("two")).await.unwrap());
        assert!(breakers.permit(&id("two")).await.unwrap().is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn a_refusal_is_an_answer() {
        let breakers = Breakers::default();
        breakers.report(&id("two"), &Err::<(), _>(CallError::new(ErrorClass::Terminal, "403 Forbidden")));
        assert!(breakers.permit(&id("two")).await.is_ok());
    }
}
