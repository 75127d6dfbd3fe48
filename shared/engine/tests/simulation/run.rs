//! One seed: a world with edits and faults, then calm, then everything deleted, then calm.

use crate::api::{ApiServer, Clients, Outage};
use crate::faults::Faults;
use crate::lattice::LatticeModel;
use crate::objects::Cast;
use crate::queue::Hints;
use crate::sim::{Sandbox, Sim};
use crate::{edits, laws, objects, trouble, truth};
use futures::future::{LocalBoxFuture, join_all};
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use trellis_engine::{DriftReport, Drifted, Engine, Task, UNIT_MAX, Verdict, Worker};
use trellis_gateway::Settings;
use trellis_hint::UnitKey;
use trellis_lattice::Grace;
use trellis_ports::Budget;

pub(crate) const INSTALLATION: &str = "trellis";

/// Rounds of edits and faults.
const ROUNDS: u32 = 14;
/// Edits of one round.
const EDITS_MAX: u32 = 3;
/// Functions that are warm, each with a batch of its own in a round.
const SANDBOXES: usize = 2;
/// Units in one batch.
const UNITS_MAX: u32 = 2;
/// Turns after which a function gets a batch in a round, at most.
const TURNS_MAX: u32 = 8;
/// Messages of one batch.
const BATCH_MAX: usize = 10;
/// Drift passes within which a calm world must have come to rest: one finds what no hint told of, the next ones what
/// followed from that and what failed under way.
const PASSES_MAX: usize = 12;
/// Seconds between two drift passes: the template's schedule is no shorter.
const PASS_S: u64 = 300;
/// Batches between two drift passes of a calm world; a loop would take any number.
const BATCHES_MAX: usize = 1000;
/// More than any virtual work takes of real time.
const DEADLINE: Duration = Duration::from_hours(1);
/// How long a batch may take, whatever cluster hangs: it is asked once, for eight seconds at most, and is given up when its
/// reads take ten in sum; a status that it does not take costs as much again at most.
const BATCH_TIME_MAX: Duration = Duration::from_secs(20);
/// The same where a cluster answers late: what its units have, and a moment to send their hints.
const SLOW_BATCH_TIME_MAX: Duration = Duration::from_secs(UNIT_MAX.as_secs() + 5);

type SimEngine = Engine<LatticeModel, Clients, Hints>;
type SimWorker = Worker<LatticeModel, Clients, Hints>;

/// What a seed has shown.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Figures {
    pub(crate) batches: usize,
    pub(crate) lattice_writes: usize,
    pub(crate) status_writes: usize,
    /// Requests by which statuses were judged.
    pub(crate) asked: usize,
    pub(crate) fingerprint: u64,
}

pub(crate) fn settings() -> Settings {
    Settings { installation: INSTALLATION.into(), ..Settings::default() }
}

/// The settings with the time, by which what nobody wants any more stays for a while.
pub(crate) fn settings_now() -> Settings {
    let since_1970 = clock().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let grace = Some(Grace { now: since_1970.as_secs(), seconds: GRACE.as_secs() });
    Settings { grace, ..settings() }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap()
}

/// Plays a scene in a world without faults. It panics with the story where something did not hold.
pub(crate) fn play(scene: impl AsyncFnOnce(&World) -> Result<(), String>) {
    objects::choose_cast(Cast::Guide);
    let sim = Sim::new(0, Faults::default());
    let world = World::new(Arc::clone(&sim));
    let result = runtime().block_on(async {
        BEGAN.set(Some(tokio::time::Instant::now()));
        scene(&world).await
    });
    let state = sim.state();
    let wrong = state.violations.first().cloned().or_else(|| result.err());
    assert!(wrong.is_none(), "{}\n{}", wrong.unwrap_or_default(), state.story());
}

/// Runs a seed. An error tells what did not hold, and the story.
pub(crate) fn run(cast: Cast, seed: u64) -> Result<Figures, String> {
    objects::choose_cast(cast);
    let runtime = runtime();
    let sim = Sim::new(seed, Faults::of(seed));
    let world = World::new(Arc::clone(&sim));
    let result = runtime.block_on(async {
        BEGAN.set(Some(tokio::time::Instant::now()));
        Box::pin(world.live()).await
    });
    let state = sim.state();
    let faults = Faults::of(seed);
    let failed = |why: String| format!("seed {seed} of {cast:?}, {faults:?}: {why}\n{}", state.story());
    // What was done wrong comes before what follows from it.
    if let Some(violation) = state.violations.first() {
        return Err(failed(violation.clone()));
    }
    result.map_err(failed)?;
    if std::env::var_os("TRELLIS_STORY").is_some() {
        println!("{}", state.story());
    }
    Ok(Figures {
        batches: world.batches.load(std::sync::atomic::Ordering::Relaxed),
        lattice_writes: state.lattice_writes,
        status_writes: state.status_writes,
        asked: state.asked.load(std::sync::atomic::Ordering::Relaxed),
        fingerprint: state.fingerprint(),
    })
}

/// What nobody wants any more stays so long.
const GRACE: Duration = Duration::from_secs(20);

thread_local! {
    /// When the runtime of this thread began, by its paused clock.
    static BEGAN: std::cell::Cell<Option<tokio::time::Instant>> = const { std::cell::Cell::new(None) };
}

/// The simulated time: that of the runtime, from some moment in 2026 on.
fn clock() -> SystemTime {
    let now = tokio::time::Instant::now();
    let began = BEGAN.get().unwrap_or(now);
    SystemTime::UNIX_EPOCH + Duration::from_hours(491_664) + now.duration_since(began)
}

/// Seconds of that time.
pub(crate) fn seconds() -> u64 {
    let now = tokio::time::Instant::now();
    now.duration_since(BEGAN.get().unwrap_or(now)).as_secs()
}

pub(crate) struct World {
    pub(crate) sim: Arc<Sim>,
    pub(crate) functions: Vec<Function>,
    /// The other function: it is never cut off, since a pass that is has done nothing.
    drift: Function,
    batches: std::sync::atomic::AtomicUsize,
}

/// A warm function.
pub(crate) struct Function {
    sandbox: Arc<Sandbox>,
    pub(crate) engine: Arc<SimEngine>,
    worker: SimWorker,
}

impl Function {
    fn new(sim: &Arc<Sim>, works_on_batches: bool) -> Self {
        let sandbox = Sandbox::new(sim, works_on_batches);
        let of = || Arc::clone(&sandbox);
        let engine = Arc::new(
            Engine::new(LatticeModel(of()), Clients(of()), Hints(of()), settings()).with_grace(GRACE, clock),
        );
        Self { worker: Worker::new(Arc::clone(&engine)), engine, sandbox }
    }
}

impl World {
    fn new(sim: Arc<Sim>) -> Self {
        let functions = (0..SANDBOXES).map(|_| Function::new(&sim, true)).collect();
        let drift = Function::new(&sim, false);
        let mut state = sim.state();
        for facts in objects::clusters() {
            state.clusters.insert(facts.id.name.clone(), ApiServer::new(facts));
        }
        state.account.remembers = state.faults.stale;
        trouble::strangers(&mut state);
        trouble::refusals(&mut state);
        drop(state);
        Self { sim, functions, drift, batches: std::sync::atomic::AtomicUsize::new(0) }
    }

    async fn live(&self) -> Result<(), String> {
        let strangers = self.sim.state().account.strangers(INSTALLATION);
        edits::begin(&self.sim).await;
        for _ in 0..ROUNDS {
            self.round(EDITS_MAX).await;
        }
        let told = self.sim.state().faults.all_is_told();
        self.come_to_rest(told).await?;
        truth::holds(&self.sim.state())?;
        self.grows_whole(told).await?;
        self.pods_are_replaced(told).await?;
        if told {
            self.one_is_stuck().await?;
        }
        Box::pin(self.one_is_sick()).await?;
        self.come_to_rest(false).await?;
        truth::holds(&self.sim.state())?;
        self.one_fails().await?;
        edits::delete_all(&self.sim).await;
        self.round(0).await;
        self.come_to_rest(told).await?;
        let state = self.sim.state();
        let left: Vec<String> =
            state.account.standing_of(INSTALLATION).into_iter().map(|(arn, _)| arn).collect();
        drop(state);
        if !left.is_empty() {
            return Err(format!("left when everything is deleted: {left:?}"));
        }
        if self.sim.state().account.strangers(INSTALLATION) != strangers {
            return Err("what is not ours was changed".into());
        }
        Ok(())
    }

    /// Edits, reconciles and perhaps a drift pass, all at once.
    async fn round(&self, edits_max: u32) {
        let (edits, drift) = {
            let mut state = self.sim.state();
            trouble::outages(&mut state);
            trouble::by_hand(&mut state);
            trouble::forge(&mut state);
            (state.dice.up_to(edits_max), state.dice.percent(15))
        };
        let mut work: Vec<LocalBoxFuture<'_, ()>> = vec![Box::pin(async move {
            for _ in 0..edits {
                edits::edit_something(&self.sim).await;
            }
        })];
        for function in &self.functions {
            work.push(Box::pin(self.batch_of_any(function)));
        }
        if drift {
            work.push(Box::pin(async { _ = self.drift().await }));
        }
        join_all(work).await;
        let seconds = u64::from(self.sim.state().dice.up_to(60));
        self.pass(seconds).await;
    }

    /// A batch of any groups, at any time in the round: a hint can come before its object is stored.
    async fn batch_of_any(&self, function: &Function) {
        let turns = self.sim.state().dice.up_to(TURNS_MAX);
        for _ in 0..turns {
            self.sim.pause().await;
        }
        let groups = {
            let mut state = self.sim.state();
            let now = state.now;
            let mut ready = state.queue.ready(now);
            let mut groups = vec![];
            for _ in 0..=state.dice.up_to(UNITS_MAX - 1) {
                if !ready.is_empty() {
                    groups.push(ready.remove(state.dice.index(ready.len())));
                }
            }
            groups
        };
        self.batch(function, &groups).await;
    }

    /// Lets time pass, for the world and for the functions.
    pub(crate) async fn pass(&self, seconds: u64) {
        self.sim.state().pass(seconds);
        tokio::time::advance(Duration::from_secs(seconds)).await;
    }

    /// Without edits and faults, until a drift pass finds nothing; and then another writes nothing.
    pub(crate) async fn come_to_rest(&self, told: bool) -> Result<(), String> {
        let faults = std::mem::take(&mut self.sim.state().faults);
        self.settles(told).await?;
        Box::pin(self.is_at_rest()).await?;
        self.sim.state().faults = faults;
        Ok(())
    }

    /// Without edits, until a drift pass finds nothing. If all was `told`, the first one finds nothing.
    pub(crate) async fn settles(&self, told: bool) -> Result<(), String> {
        let faults = std::mem::take(&mut self.sim.state().faults);
        self.sim.state().clusters.values_mut().for_each(trouble::heal);
        trouble::help(&mut self.sim.state());
        let mut last = None;
        for pass in 0..PASSES_MAX {
            self.work_off_the_queue().await?;
            // Between two passes everything under way comes to its end.
            self.pass(PASS_S).await;
            let report = self.drift().await?;
            let is_known = |one: &&Drifted| is_a_known_limit(&one.steps) || tells_of_a_conflict(one);
            let found: Vec<_> = report.drifted.iter().filter(|one| !is_known(one)).collect();
            if pass == 0 && told && !found.is_empty() {
                return Err(format!("nothing was hidden, and a drift pass finds {found:#?}"));
            }
            if self.beyond_refused(&report).is_empty() {
                last = None;
                break;
            }
            last = Some(report.drifted);
        }
        if let Some(drifted) = last {
            return Err(format!("no rest after {PASSES_MAX} drift passes: {drifted:#?}"));
        }
        // Where a target is refused, the drift passes have sent hints.
        self.work_off_the_queue().await?;
        self.sim.state().faults = faults;
        Ok(())
    }

    /// One more drift pass sends nothing and writes nothing, and a reconcile of each unit writes nothing either.
    async fn is_at_rest(&self) -> Result<(), String> {
        let writes = |sim: &Sim| {
            let state = sim.state();
            (state.lattice_writes, state.status_writes, state.queue.sent)
        };
        let before = writes(&self.sim);
        let report = self.drift().await?;
        if !report.failed.is_empty() || !report.left_out.is_empty() {
            return Err(format!("a calm drift pass failed: {:?}", report.failed));
        }
        let found = self.beyond_refused(&report);
        if !found.is_empty() || report.hints == 0 && writes(&self.sim) != before {
            return Err(format!("a drift pass after rest is not quiet: {found:#?}"));
        }
        let unresolved: Vec<_> = report.orphans.iter().collect();
        if !unresolved.is_empty() {
            return Err(format!("orphans at rest: {unresolved:?}"));
        }
        // Where a target is refused, the drift passes have sent hints.
        self.work_off_the_queue().await?;
        let before = writes(&self.sim);
        let units = self.sim.state().units();
        for unit in units.iter() {
            let verdict = self.look_at(unit).await;
            if !matches!(verdict, Verdict::Done | Verdict::Blocked(_)) {
                return Err(format!("{unit} at rest is {verdict:?}"));
            }
        }
        let after = writes(&self.sim);
        if (after.0, after.1) != (before.0, before.1) {
            return Err(format!("a resync at rest writes: {before:?}, then {after:?}"));
        }
        self.work_off_the_queue().await
    }

    /// A unit is looked at without any message.
    pub(crate) async fn look_at(&self, unit: &UnitKey) -> Verdict {
        {
            let mut state = self.sim.state();
            let moment = state.moment;
            state.at_work.insert(unit.to_string(), moment);
        }
        let task = Task::new(unit.clone(), vec![]);
        self.functions[0].engine.begin();
        let verdict = Box::pin(self.functions[0].engine.reconcile(&task, Budget::lasting(DEADLINE))).await;
        self.sim.state().at_work.remove(&unit.to_string());
        verdict
    }

    /// What a drift pass found. That a target is missing which VPC Lattice refused is no find: the pass has not tried it.
    pub(crate) fn beyond_refused(&self, report: &DriftReport) -> Vec<Drifted> {
        let state = self.sim.state();
        let refused = |step: &String| state.account.are_refused(step);
        let only_refused = |one: &&Drifted| !one.steps.is_empty() && one.steps.iter().all(refused);
        report.drifted.iter().filter(|one| !only_refused(one)).cloned().collect()
    }

    pub(crate) async fn work_off_the_queue(&self) -> Result<(), String> {
        for _ in 0..BATCHES_MAX {
            let (next, now) = {
                let state = self.sim.state();
                (state.queue.next_at(), state.now)
            };
            let Some(next) = next else { return Ok(()) };
            if next > now {
                self.pass(next - now).await;
                continue;
            }
            let group = self.sim.state().queue.ready(now).into_iter().next();
            if let Some(group) = group {
                self.batch(&self.functions[0], &[group]).await;
            }
        }
        Err(format!("the units wake each other for ever: {BATCHES_MAX} batches"))
    }

    pub(crate) async fn drift(&self) -> Result<DriftReport, String> {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(self.sim.state().now);
        let mut report = self.drift.engine.drift(now, Budget::lasting(DEADLINE)).await;
        if let Ok(report) = &mut report {
            self.look(report).await;
        }
        let mut state = self.sim.state();
        match &report {
            Ok(report) => {
                let drifted: Vec<&str> = report.drifted.iter().map(|one| one.unit.as_str()).collect();
                state.tell(format!("drift {drifted:?}"));
            }
            Err(error) => state.tell(format!("drift failed {error}")),
        }
        report.map_err(|error| error.to_string())
    }

    /// Does the looks that a drift pass has begun, and adds what they find to its report.
    async fn look(&self, report: &mut DriftReport) {
        loop {
            let messages = {
                let mut state = self.sim.state();
                let now = state.now;
                state.queue.receive_looks(now)
            };
            if messages.is_empty() {
                return;
            }
            let worked = self.drift.worker.work(messages.clone(), Budget::lasting(DEADLINE)).await;
            let mut state = self.sim.state();
            for message in messages.iter().filter(|message| !worked.returned.contains(&message.id)) {
                state.queue.acknowledge(message);
            }
            for look in worked.looks {
                report.drifted.extend(look.drifted);
                report.failed.extend(look.failed);
                report.hints += look.hints;
            }
        }
    }

    /// A batch of the messages of some groups, as Lambda gives it to a function.
    async fn batch(&self, function: &Function, groups: &[String]) {
        let (messages, crash) = {
            let mut state = self.sim.state();
            let (now, faults, moment) = (state.now, state.faults, state.moment);
            let mut messages = vec![];
            for group in groups {
                let room = BATCH_MAX - messages.len();
                messages.extend(state.queue.receive(group, now, room));
            }
            for hint in laws::work(&messages) {
                state.tell(format!("begin {} {:?}", hint.unit, hint.operation));
                state.at_work.insert(hint.unit.to_string(), moment);
            }
            laws::begin(&mut state, &messages);
            (messages, faults.crash(&mut state.dice))
        };
        if messages.is_empty() {
            return;
        }
        self.batches.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let began = tokio::time::Instant::now();
        let work = function.worker.work(messages.clone(), Budget::lasting(DEADLINE));
        let worked = function.sandbox.run(crash, work).await;
        let mut state = self.sim.state();
        let took = began.elapsed();
        let slow = state.clusters.values().any(|one| matches!(one.outage, Some((Outage::Slow(_), _))));
        if took > if slow { SLOW_BATCH_TIME_MAX } else { BATCH_TIME_MAX } {
            state.violate(format!("a batch took {} s", took.as_secs()));
        }
        let refused = worked
            .as_ref()
            .is_some_and(|worked| worked.metrics.get(trellis_telemetry::Metric::PlansRefused) > 0.0);
        if refused {
            state.violate("a plan was refused by its check".to_owned());
        }
        for hint in laws::work(&messages) {
            state.at_work.remove(&hint.unit.to_string());
            state.clocks.remove(&hint.unit.to_string());
        }
        state.tell(format!("end {:?}", worked.as_ref().map(|worked| &worked.returned)));
        // Cut off: the messages come again when their visibility timeout is over.
        let Some(worked) = worked else { return };
        let chance = state.faults.hint_twice();
        for message in messages.iter().filter(|message| !worked.returned.contains(&message.id)) {
            if !state.dice.percent(chance) {
                state.queue.acknowledge(message);
            }
        }
        laws::end(&mut state, &messages);
    }
}

/// The same limit before the Gateway can be programmed: that another Gateway went changes what is in its way, and in that of
/// its policies.
pub(crate) fn tells_of_a_conflict(drifted: &Drifted) -> bool {
    let is_gateway = matches!(drifted.unit.parse(), Ok(UnitKey::Gateway { .. }));
    let is_in_conflict = |status: &String| status.ends_with("Programmed=False/Conflicted");
    let waits = |status: &String| {
        status.starts_with("VpcAssociationPolicy ") && status.ends_with("Programmed=False/Pending")
    };
    is_gateway
        && drifted.steps.is_empty()
        && (drifted.statuses.is_empty() || drifted.statuses.iter().any(is_in_conflict))
        && drifted.statuses.iter().all(|status| is_in_conflict(status) || waits(status))
}

/// What is left to the drift pass although nothing was hidden: a Gateway that waits for a VPC which another Gateway gives
/// up, and a service network that services leave later than its Gateway waited.
pub(crate) fn is_a_known_limit(steps: &[String]) -> bool {
    let of_gateway =
        |step: &String| step.starts_with("+ VPC association") || step.starts_with("- service network");
    !steps.is_empty() && steps.iter().all(of_gateway)
}
