//! One seed: a world with edits and faults, then calm, then everything deleted, then calm.

use crate::api::{ApiServer, Registry};
use crate::edits;
use crate::faults::Faults;
use crate::lattice::LatticeModel;
use crate::queue::{Hints, Message};
use crate::sim::Sim;
use crate::{objects, truth};
use futures::future::{LocalBoxFuture, join_all};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant, SystemTime};
use trellis_engine::{DriftReport, Engine, Verdict};
use trellis_gateway::Settings;
use trellis_hint::{Hint, UnitKey};

pub(crate) const INSTALLATION: &str = "trellis";

/// Rounds of edits and faults.
const ROUNDS: u32 = 14;
/// Edits of one round.
const EDITS_MAX: u32 = 3;
/// Units at work at once in a round.
const AT_ONCE: u32 = 3;
/// Drift passes within which a calm world must have come to rest: one finds what no hint told of, the next ones what
/// followed from that and what failed under way.
const PASSES_MAX: usize = 12;
/// Seconds between two drift passes: the template's schedule is no shorter.
const PASS_S: u64 = 300;
/// Reconciles between two drift passes of a calm world; a loop would take any number.
const RECONCILES_MAX: usize = 1000;
/// More than any virtual work takes of real time.
const DEADLINE: Duration = Duration::from_hours(1);
/// How often a held unit is tried: as the function `reconcile` does.
const HELD_TRIES_MAX: u32 = 5;

type SimEngine = Engine<LatticeModel, Registry, Hints>;

/// What a seed has shown.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Figures {
    pub(crate) reconciles: usize,
    pub(crate) lattice_writes: usize,
    pub(crate) status_writes: usize,
    pub(crate) fingerprint: u64,
}

pub(crate) fn settings() -> Settings {
    Settings { installation: INSTALLATION.into(), ..Settings::default() }
}

/// Runs a seed. An error tells what did not hold, and the story.
pub(crate) fn run(seed: u64) -> Result<Figures, String> {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    let sim = Sim::new(seed, Faults::of(seed));
    let world = World::new(Arc::clone(&sim));
    let result = runtime.block_on(world.live());
    let state = sim.state();
    let faults = Faults::of(seed);
    let failed = |why: String| format!("seed {seed}, {faults:?}: {why}\n{}", state.story());
    result.map_err(failed)?;
    if let Some(violation) = state.violations.first() {
        return Err(failed(violation.clone()));
    }
    Ok(Figures {
        reconciles: world.reconciles.load(std::sync::atomic::Ordering::Relaxed),
        lattice_writes: state.lattice_writes,
        status_writes: state.status_writes,
        fingerprint: state.fingerprint(),
    })
}

struct World {
    sim: Arc<Sim>,
    engine: SimEngine,
    reconciles: std::sync::atomic::AtomicUsize,
}

impl World {
    fn new(sim: Arc<Sim>) -> Self {
        let ports = (LatticeModel(Arc::clone(&sim)), Registry(Arc::clone(&sim)), Hints(Arc::clone(&sim)));
        let engine = Engine::new(ports.0, ports.1, ports.2, settings());
        let mut state = sim.state();
        for facts in objects::clusters() {
            state.clusters.insert(facts.id.name.clone(), ApiServer::new(facts));
        }
        edits::strangers(&mut state);
        drop(state);
        Self { sim, engine, reconciles: std::sync::atomic::AtomicUsize::new(0) }
    }

    async fn live(&self) -> Result<(), String> {
        let strangers = self.sim.state().account.strangers(INSTALLATION);
        edits::begin(&self.sim).await;
        for _ in 0..ROUNDS {
            self.round(EDITS_MAX).await;
        }
        self.come_to_rest().await?;
        truth::holds(&self.sim.state())?;
        edits::delete_all(&self.sim).await;
        self.round(0).await;
        self.come_to_rest().await?;
        let left = self.sim.state().account.left_of(INSTALLATION);
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
        let (edits, drift, groups) = {
            let mut state = self.sim.state();
            edits::outages(&mut state);
            edits::by_hand(&mut state);
            let (now, mut groups) = (state.now, vec![]);
            let mut ready = state.queue.ready(now);
            for _ in 0..=state.dice.up_to(AT_ONCE) {
                if !ready.is_empty() {
                    groups.push(ready.remove(state.dice.index(ready.len())));
                }
            }
            (state.dice.up_to(edits_max), state.dice.percent(15), groups)
        };
        let mut work: Vec<LocalBoxFuture<'_, ()>> = vec![Box::pin(async move {
            for _ in 0..edits {
                edits::edit_something(&self.sim).await;
            }
        })];
        for group in groups {
            work.push(Box::pin(async move { self.reconcile(&group).await }));
        }
        if drift {
            work.push(Box::pin(async { _ = self.drift().await }));
        }
        join_all(work).await;
        let mut state = self.sim.state();
        let seconds = u64::from(state.dice.up_to(60));
        state.pass(seconds);
    }

    /// Without edits and faults, until a drift pass finds nothing; and then that another writes nothing.
    async fn come_to_rest(&self) -> Result<(), String> {
        let faults = self.sim.state().faults;
        self.sim.state().faults = Faults::default();
        self.sim.state().clusters.values_mut().for_each(edits::heal);
        let mut last = None;
        for _ in 0..PASSES_MAX {
            self.work_off_the_queue().await?;
            // Between two passes everything under way comes to its end.
            self.sim.state().pass(PASS_S);
            let report = self.drift().await?;
            if report.hints == 0 {
                last = None;
                break;
            }
            last = Some(report.drifted);
        }
        if let Some(drifted) = last {
            return Err(format!("no rest after {PASSES_MAX} drift passes: {drifted:#?}"));
        }
        self.is_at_rest().await?;
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
        if !report.failed.is_empty() || report.left_out > 0 {
            return Err(format!("a calm drift pass failed: {:?}", report.failed));
        }
        if writes(&self.sim) != before || report.hints > 0 {
            return Err(format!("a drift pass after rest is not quiet: {:#?}", report.drifted));
        }
        let unresolved: Vec<_> = report.orphans.iter().collect();
        if !unresolved.is_empty() {
            return Err(format!("orphans at rest: {unresolved:?}"));
        }
        let units = truth::units(&self.sim.state());
        for unit in units {
            {
                let mut state = self.sim.state();
                let moment = state.moment;
                state.at_work.insert(unit.to_string(), moment);
            }
            let verdict = self.engine.reconcile(&unit, &[], Instant::now() + DEADLINE).await;
            if verdict != Verdict::Done {
                return Err(format!("{unit} at rest is {verdict:?}"));
            }
        }
        let after = writes(&self.sim);
        if (after.0, after.1) != (before.0, before.1) {
            return Err(format!("a resync at rest writes: {before:?}, then {after:?}"));
        }
        self.work_off_the_queue().await
    }

    async fn work_off_the_queue(&self) -> Result<(), String> {
        for _ in 0..RECONCILES_MAX {
            let (next, now) = {
                let state = self.sim.state();
                (state.queue.next_at(), state.now)
            };
            let Some(next) = next else { return Ok(()) };
            if next > now {
                self.sim.state().pass(next - now);
                continue;
            }
            let group = self.sim.state().queue.ready(now).into_iter().next();
            if let Some(group) = group {
                self.reconcile(&group).await;
            }
        }
        Err(format!("the units wake each other for ever: {RECONCILES_MAX} reconciles"))
    }

    async fn drift(&self) -> Result<DriftReport, String> {
        let report = self.engine.drift(Instant::now() + DEADLINE).await;
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

    fn clock(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(self.sim.state().now)
    }

    /// Hints that are to come later, as the function `reconcile` passes them on.
    async fn pass_on(&self, messages: &[Message]) {
        for message in messages {
            let sent = message.receives > 1
                && self.engine.wake(&message.hint, &message.id.to_string()).await.is_ok();
            let mut state = self.sim.state();
            let (now, later) = (state.now, message.hint.later);
            match later {
                _ if sent => state.queue.acknowledge(message),
                Some(later) if message.receives <= 1 => {
                    state.queue.put_off(message, now, later.seconds.into());
                }
                _ => state.queue.put_off(message, now, 2),
            }
        }
    }

    /// A batch of one group, as the function `reconcile` does it.
    async fn reconcile(&self, group: &str) {
        let messages = {
            let mut state = self.sim.state();
            let now = state.now;
            state.queue.receive(group, now)
        };
        match messages.first() {
            None => {}
            Some(first) if first.hint.later.is_some() => self.pass_on(&messages).await,
            Some(first) => self.work(&first.hint.unit, &messages).await,
        }
    }

    /// The messages of one unit.
    async fn work(&self, unit: &UnitKey, messages: &[Message]) {
        let crash = {
            let mut state = self.sim.state();
            let (faults, moment) = (state.faults, state.moment);
            let operations: Vec<_> = messages.iter().map(|m| m.hint.operation).collect();
            state.tell(format!("begin {unit} {operations:?}"));
            state.at_work.insert(unit.to_string(), moment);
            faults.crash(&mut state.dice)
        };
        self.reconciles.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let hints: Vec<Hint> = messages.iter().map(|message| message.hint.clone()).collect();
        self.engine.begin();
        let work = self.engine.reconcile(unit, &hints, Instant::now() + DEADLINE);
        let ended = CutOff { work: Box::pin(work), polls_left: crash }.await;
        let waits = match &ended {
            Some(Verdict::Waiting { after, .. }) => {
                self.engine.later(&hints, *after, self.clock()).await.is_ok()
            }
            _ => false,
        };
        let mut state = self.sim.state();
        state.tell(format!("end {unit} {ended:?}"));
        state.at_work.remove(&unit.to_string());
        if let Some(Verdict::Failed(why)) = &ended
            && why.contains("refused by its check")
        {
            state.violate(format!("{unit}: {why}"));
        }
        let after = match ended {
            // Cut off: the messages come again when their visibility timeout is over.
            None => return,
            Some(Verdict::Done) => None,
            Some(Verdict::Waiting { .. }) if waits => None,
            Some(Verdict::Waiting { after, .. }) => Some(after.as_secs()),
            Some(Verdict::Held(_)) if receives(messages) > HELD_TRIES_MAX => None,
            Some(Verdict::Held(_) | Verdict::Failed(_)) => Some(2_u64.pow(receives(messages).clamp(1, 8))),
        };
        let (now, chance) = (state.now, state.faults.hint_twice());
        for message in messages {
            match after {
                Some(after) => state.queue.put_off(message, now, after),
                None if state.dice.percent(chance) => {}
                None => state.queue.acknowledge(message),
            }
        }
    }
}

fn receives(messages: &[Message]) -> u32 {
    messages.iter().map(|message| message.receives).max().unwrap_or(1)
}

/// Work that is dropped after so many polls, wherever it then waits for an answer.
struct CutOff<F> {
    work: Pin<Box<F>>,
    polls_left: Option<u32>,
}

impl<F: Future> Future for CutOff<F> {
    type Output = Option<F::Output>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.polls_left {
            Some(0) => return Poll::Ready(None),
            Some(left) => *left -= 1,
            None => {}
        }
        self.work.as_mut().poll(context).map(Some)
    }
}
