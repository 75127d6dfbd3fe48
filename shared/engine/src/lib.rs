//! The stages put together: [`Engine::reconcile`] for one unit, [`Engine::drift`] for everything, [`Worker`] for a batch of
//! messages.
//!
//! What is decided is decided in the pure crates; this crate calls them in order and does what they say. It reaches the
//! world through `trellis_ports` alone: it compiles, and its simulation runs, without an SDK.

#![deny(clippy::wildcard_enum_match_arm, clippy::match_wildcard_for_single_variants)]

mod directory;
mod drift;
mod error;
mod figures;
mod fleet;
mod instances;
mod objects;
mod observe;
mod outbox;
mod reconcile;
mod status;
mod verdict;
mod worker;

pub use drift::{ClusterReport, DriftReport, Drifted, Holdings, Life, LookReport, Rotation};
pub use error::UnitError;
pub use observe::ObserveError;
pub use verdict::{Verdict, Wait};
pub use worker::{Worked, Worker};

use figures::Figures;
use fleet::Breakers;
use observe::UsualReads;
use outbox::Outbox;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};
use tokio::sync::Semaphore;
use tokio::time::Instant;
use tracing::Instrument;
use trellis_gateway::{
    BalancerFacts, InstanceFacts, Named, Selector, Settings, Snapshot, asks_for_certificates,
    external_groups, named,
};
use trellis_hint::{ClusterId, Hint, Look, UnitKey};
use trellis_lattice::{Certificates, FunctionFacts, Grace};
use trellis_ports::{
    Budget, CallError, Calls, Clusters, ErrorClass, LATER_MAX, Lattice, OutgoingHint, Queue,
};
use trellis_telemetry::{Metric, Metrics};

/// How long one unit may take in all: reading the clusters, VPC Lattice, the steps, the statuses, the follow-ups. What is
/// not done by then is given back, and the other units of the batch have lost nothing.
pub const UNIT_MAX: Duration = Duration::from_secs(45);

/// How long sending a unit's hints may take, beyond the unit's own time: they are owed for what was written.
const SEND_MAX: Duration = Duration::from_secs(3);

/// How long each service of AWS may take to tell of what a unit's objects name: as much as a cluster's reads. The calls' own limit is the
/// same.
const FACTS_TIME_MAX: Duration = Duration::from_secs(10);

/// Everything that a reconcile needs, kept while a function is warm.
#[derive(Debug)]
pub struct Engine<L, C, Q> {
    lattice: L,
    clusters: C,
    queue: Q,
    settings: Settings,
    breakers: Arc<Breakers>,
    /// Of those who ask a cluster that is not their own, and wait for it but briefly.
    others_breakers: Arc<Breakers>,
    figures: Arc<Figures>,
    /// What units asked of clusters the last time.
    usual: UsualReads,
    began: Mutex<SystemTime>,
    clock: fn() -> SystemTime,
    grace: Duration,
    rotation: Rotation,
    passes: Mutex<Passes>,
    /// Who looks at a cluster.
    looks: Semaphore,
    /// The clusters that were registered since this process began.
    registered: Mutex<BTreeSet<ClusterId>>,
}

/// What is kept of drift passes while a function is warm.
#[derive(Debug, Default)]
struct Passes {
    /// When the last one began, in milliseconds since 1970.
    last: Option<u64>,
    /// The clusters that were registered then.
    clusters: BTreeSet<ClusterId>,
    /// Reports on looks that nobody has taken yet.
    looks: Vec<LookReport>,
}

/// One unit's work in one invocation.
#[derive(Debug, Clone)]
pub struct Task {
    /// The unit.
    pub unit: UnitKey,
    /// What is known to have happened, in its order.
    pub hints: Vec<Hint>,
    /// The id of a message of these that was given out before, if the last try may have been cut off before it had told
    /// others.
    pub retried: Option<String>,
}

impl Task {
    /// A task that was never tried before.
    pub fn new(unit: UnitKey, hints: Vec<Hint>) -> Self {
        Self { unit, hints, retried: None }
    }

    /// The look at a whole cluster that all that is told here is part of. `now`: in milliseconds since 1970, for one that nobody
    /// told when it was asked for.
    pub(crate) fn look(&self, now: u64) -> Option<Look> {
        match &self.unit {
            UnitKey::Cluster { .. } => {
                let asked = self.hints.iter().filter_map(|hint| hint.look).map(|look| look.began).max();
                Some(Look::of_all(asked.unwrap_or(now)))
            }
            UnitKey::Dependents { .. } => {
                let looks: Option<Vec<Look>> = self.hints.iter().map(|hint| hint.look).collect();
                looks?.into_iter().next_back()
            }
            UnitKey::Gateway { .. }
            | UnitKey::Route { .. }
            | UnitKey::Merged { .. }
            | UnitKey::Export { .. }
            | UnitKey::Resource { .. } => None,
        }
    }

    /// How often in a row the unit has waited: of several hints the least, since a count may be forged and must end nobody's
    /// waiting. A count that no unit comes to is none.
    pub(crate) fn waits(&self) -> u32 {
        let counts = self.hints.iter().map(|hint| hint.waits);
        counts.filter(|count| *count <= worker::WAITS_MAX).min().unwrap_or_default()
    }

    /// How often in a row it was hindered, likewise.
    pub(crate) fn hindered(&self) -> u32 {
        let counts = self.hints.iter().map(|hint| hint.hindered);
        counts.filter(|count| *count <= worker::HELD_TRIES_MAX).min().unwrap_or_default()
    }

    /// How many looks at clusters that could not be read before have led to all that is told: of several hints the least, as
    /// of waits.
    pub(crate) fn catch_ups(&self) -> u32 {
        let counts = self.hints.iter().map(|hint| hint.catch_ups);
        counts.filter(|count| *count <= worker::CATCH_UPS_MAX).min().unwrap_or_default()
    }

    /// Whether nothing but which instances run can have changed.
    pub(crate) fn is_of_instances_only(&self) -> bool {
        !self.hints.is_empty() && self.hints.iter().all(|hint| hint.only_instances)
    }

    /// Whether no other look follows that the unit orders by itself when it is held.
    pub(crate) fn is_last_try(&self) -> bool {
        self.hindered() >= worker::HELD_TRIES_MAX || self.waits() >= worker::WAITS_MAX
    }

    /// When the first change was sent that the unit is not done with yet, in milliseconds since 1970, as far as its hints tell.
    pub(crate) fn changed(&self) -> Option<u64> {
        self.hints.iter().filter_map(|hint| hint.changed).min()
    }
}

impl<L: Lattice, C: Clusters, Q: Queue> Engine<L, C, Q> {
    /// An engine on these ports.
    pub fn new(lattice: L, clusters: C, queue: Q, settings: Settings) -> Self {
        Self {
            lattice,
            clusters,
            queue,
            settings,
            breakers: Arc::default(),
            others_breakers: Arc::default(),
            figures: Arc::default(),
            usual: UsualReads::default(),
            began: Mutex::new(SystemTime::UNIX_EPOCH),
            clock: SystemTime::now,
            grace: Duration::ZERO,
            rotation: Rotation::ALWAYS,
            passes: Mutex::default(),
            looks: Semaphore::new(drift::LOOKS_AT_ONCE),
            registered: Mutex::default(),
        }
    }

    /// The engine with a grace: so long stays what nobody wants any more ([`trellis_lattice::Grace`]), by this clock.
    #[must_use]
    pub fn with_grace(self, grace: Duration, clock: fn() -> SystemTime) -> Self {
        Self { clock, grace, ..self }
    }

    /// The engine with deep looks of drift passes as often as that.
    #[must_use]
    pub fn with_rotation(self, rotation: Rotation) -> Self {
        Self { rotation, ..self }
    }

    /// Tells the engine that an invocation begins: listings of VPC Lattice from before are not used any more, and clusters
    /// that did not answer may be asked again.
    pub fn begin(&self) {
        *self.began.lock().unwrap_or_else(PoisonError::into_inner) = SystemTime::now();
        self.breakers.begin();
        self.others_breakers.begin();
    }

    /// The settings with the limits and the time that apply now.
    pub(crate) async fn settings(&self) -> Settings {
        let since_1970 = (self.clock)().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Settings {
            limits: self.lattice.limits(&self.settings.limits).await,
            grace: Some(Grace { now: since_1970.as_secs(), seconds: self.grace.as_secs() }),
            ..self.settings.clone()
        }
    }

    /// Asks AWS for what the snapshot's objects name: certificates of ACM where anything needs one, target groups that the unit did
    /// not make, and what Backends name. Whether there was anything to ask for.
    pub(crate) async fn ask_aws(&self, snapshot: &mut Snapshot) -> bool {
        let mut is_asked = false;
        let mut groups = external_groups(snapshot);
        groups.retain(|arn| !snapshot.external_groups.contains_key(arn));
        if !groups.is_empty() {
            // Of few units, and large: it must not make every unit's future as large.
            snapshot.external_groups.extend(Box::pin(self.lattice.external_groups(&groups)).await);
            is_asked = true;
        }
        let named = named(snapshot);
        if named != Named::default() {
            Box::pin(self.ask(named, snapshot)).await;
            is_asked = true;
        }
        if snapshot.certificates == Certificates::NotAsked && asks_for_certificates(snapshot) {
            is_asked = true;
            snapshot.certificates = match self.lattice.certificates(self.began()).await {
                Ok(all) => Certificates::Known(all),
                Err(error) => Certificates::Unknown(trellis_telemetry::chain(&error).to_string()),
            };
        }
        is_asked
    }

    /// Asks AWS for what Backends name. Who does not answer in time tells nothing, and holds up nothing else.
    async fn ask(&self, named: Named, snapshot: &mut Snapshot) {
        let (functions, instances, balancers) = tokio::join!(
            in_facts_time(&named.functions, "Lambda", FunctionFacts::Unknown, |all| self
                .lattice
                .functions(all)),
            self.instances(&named.instances),
            in_facts_time(&named.load_balancers, "Elastic Load Balancing", BalancerFacts::Unknown, |all| {
                self.lattice.load_balancers(all)
            }),
        );
        snapshot.functions.extend(functions);
        snapshot.instances.extend(instances);
        snapshot.load_balancers.extend(balancers);
    }

    /// What is known of the instances that are meant.
    async fn instances(&self, selectors: &BTreeSet<Selector>) -> BTreeMap<Selector, InstanceFacts> {
        in_facts_time(selectors, "EC2", InstanceFacts::Unknown, |all| self.lattice.instances(all)).await
    }

    fn passes(&self) -> MutexGuard<'_, Passes> {
        self.passes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// When the last pass began, and which clusters were registered then; none where nobody knows of one.
    fn last_pass(&self) -> Option<(u64, BTreeSet<ClusterId>)> {
        let passes = self.passes();
        Some((passes.last?, passes.clusters.clone()))
    }

    fn set_last_pass(&self, began: u64, clusters: BTreeSet<ClusterId>) {
        let mut passes = self.passes();
        (passes.last, passes.clusters) = (Some(began), clusters);
    }

    /// Whether this process has seen the cluster registered.
    fn was_registered(&self, cluster: &ClusterId) -> bool {
        self.registered.lock().unwrap_or_else(PoisonError::into_inner).contains(cluster)
    }

    fn set_registered<'a>(&self, clusters: impl Iterator<Item = &'a ClusterId>) {
        let mut registered = self.registered.lock().unwrap_or_else(PoisonError::into_inner);
        for cluster in clusters {
            if !registered.contains(cluster) {
                registered.insert(cluster.clone());
            }
        }
    }

    fn keep_look(&self, report: LookReport) {
        self.passes().looks.push(report);
    }

    /// The reports on looks at clusters since this was last asked.
    pub(crate) fn take_looks(&self) -> Vec<LookReport> {
        std::mem::take(&mut self.passes().looks)
    }

    /// Sends hints; a queue that does not take them in time has not taken them.
    async fn send_in_time(&self, hints: &[OutgoingHint]) -> Result<(), UnitError> {
        let late = |_| Err(CallError::new(ErrorClass::Retry, "the queue did not take the hints in time"));
        Ok(Budget::lasting(SEND_MAX).spend(self.queue.send(hints)).await.unwrap_or_else(late)?)
    }

    /// Now, in milliseconds since 1970.
    fn now_ms(&self) -> u64 {
        millis_since_1970((self.clock)())
    }

    fn began(&self) -> SystemTime {
        *self.began.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Brings one unit to what its objects ask for, and says whether it is to be looked at again.
    ///
    /// It ends with the budget, whatever hangs. Hints to others are sent on every path; if they cannot be, the unit has
    /// failed and comes again.
    pub async fn reconcile(&self, task: &Task, budget: Budget) -> Verdict {
        let unit = &task.unit;
        // From `kubectl apply` on: the uid of the admission request that the hint comes from.
        let trace = task.hints.iter().rev().find_map(|hint| hint.trace.as_deref());
        let span = tracing::info_span!("unit", %unit, trace);
        async {
            let started = Instant::now();
            let (budget, outbox) = (budget.at_most(UNIT_MAX), Outbox::default());
            let worked = budget.spend(self.reconcile_unit(task, budget, &outbox)).await;
            let sent = self.send_all(&outbox, task).await;
            let verdict = match (worked.unwrap_or_else(|over| Err(over.into())), sent) {
                (Ok(verdict), Ok(())) => verdict,
                (Err(error), _) => Verdict::Failed {
                    reason: trellis_telemetry::chain(&error).to_string(),
                    after: error.retry_after(),
                    owes: true,
                },
                (Ok(_), Err(error)) => Verdict::Failed {
                    reason: format!("hints not sent: {}", trellis_telemetry::chain(&error)),
                    after: error.retry_after(),
                    owes: true,
                },
            };
            self.figures.record(Metric::UnitDuration, started.elapsed());
            tell(unit, &verdict, started.elapsed());
            verdict
        }
        .instrument(span)
        .await
    }

    /// Sends what is in the outbox. What is not sent in time counts as not sent.
    async fn send_all(&self, outbox: &Outbox, task: &Task) -> Result<(), CallError> {
        let (later, hints) = (outbox.take_later(), outbox.take(task, self.now_ms(), &moment()));
        let late = |_| Err(CallError::new(ErrorClass::Retry, "the queue did not take the hints in time"));
        let send = async {
            if !hints.is_empty() {
                self.queue.send(&hints).await?;
            }
            let count = hints.len() + later.len();
            for hint in later {
                self.send_later(hint, outbox::LATER).await?;
            }
            Ok(count)
        };
        let count = Budget::lasting(SEND_MAX).spend(send).await.unwrap_or_else(late)?;
        self.figures.add(Metric::HintsSent, count);
        Ok(())
    }

    /// Sends a hint that comes back by itself after this time, in whole seconds, at least one and at most [`LATER_MAX`].
    async fn send_later(&self, hint: Hint, after: Duration) -> Result<(), CallError> {
        let seconds = after.as_secs().clamp(1, LATER_MAX.as_secs());
        let hint = Hint { put_off: u32::try_from(seconds).unwrap_or(u32::MAX), ..hint };
        self.queue.send_later(&hint, Duration::from_secs(seconds)).await
    }

    /// Calls to AWS since this was last asked.
    pub fn take_calls(&self) -> Calls {
        self.lattice.take_calls()
    }

    /// What was counted since this was last asked.
    pub fn take_metrics(&self) -> Metrics {
        self.figures.take()
    }
}

/// What is told of all these in time; else nothing of any.
async fn in_facts_time<'a, N: Clone + Ord, F, A: Future<Output = BTreeMap<N, F>>>(
    all: &'a BTreeSet<N>,
    service: &str,
    unknown: impl Fn(String) -> F,
    ask: impl FnOnce(&'a BTreeSet<N>) -> A,
) -> BTreeMap<N, F> {
    if all.is_empty() {
        return BTreeMap::new();
    }
    if let Ok(told) = tokio::time::timeout(FACTS_TIME_MAX, ask(all)).await {
        return told;
    }
    let why = format!("{service} took longer than {} s", FACTS_TIME_MAX.as_secs());
    all.iter().map(|one| (one.clone(), unknown(why.clone()))).collect()
}

/// What tells this moment's hints from those of any other.
fn moment() -> String {
    jiff::Timestamp::now().as_nanosecond().to_string()
}

/// Milliseconds since 1970.
fn millis_since_1970(time: SystemTime) -> u64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// The line that ends a unit.
fn tell(unit: &UnitKey, verdict: &Verdict, elapsed: Duration) {
    let elapsed_ms = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX);
    match verdict {
        Verdict::Done => tracing::info!(%unit, elapsed_ms, outcome = "done", "unit"),
        Verdict::Waiting { reason, .. } => {
            tracing::info!(%unit, elapsed_ms, outcome = "waiting", reason, "unit");
        }
        Verdict::Blocked(reason) => tracing::warn!(%unit, elapsed_ms, outcome = "blocked", reason, "unit"),
        Verdict::Held(reason) => tracing::warn!(%unit, elapsed_ms, outcome = "held", reason, "unit"),
        Verdict::Failed { reason, .. } => {
            tracing::error!(%unit, elapsed_ms, outcome = "failed", reason, "unit");
        }
    }
}
