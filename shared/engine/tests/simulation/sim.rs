//! The world's one state, its clock and its dice.

use crate::account::Account;
use crate::api::ApiServer;
use crate::failing::Failing;
use crate::faults::Faults;
use crate::laws::{Clock, Ended};
use crate::memo::Memo;
use crate::queue::Queues;
use crate::stuck::Stuck;
use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt, SeedableRng};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex, MutexGuard};
use tokio::sync::Notify;
use trellis_lattice::{RefusedTarget, Target};

/// Seconds for which a function remembers that a target is refused.
const REFUSED_S: u64 = 600;

/// Lines of the trace that are shown when a seed fails; `TRELLIS_TRACE` sets another number.
const TRACE_SHOWN: usize = 60;

/// What all ports of one seed share. One thread only; the lock is for the ports' `Send`.
pub(crate) struct Sim(Mutex<State>);

pub(crate) struct State {
    pub(crate) dice: Dice,
    pub(crate) faults: Faults,
    /// Virtual seconds.
    pub(crate) now: u64,
    /// Counts whatever happens, so that "before" has a meaning within a second.
    pub(crate) moment: u64,
    pub(crate) clusters: BTreeMap<String, ApiServer>,
    pub(crate) account: Account,
    pub(crate) queue: Queues,
    /// Units at work, with the moment at which they began.
    pub(crate) at_work: BTreeMap<String, u64>,
    /// Units of the batches that run, each with what it may wait for.
    pub(crate) clocks: BTreeMap<String, Clock>,
    /// How the steps of units ended that had any, the last time.
    pub(crate) ended: BTreeMap<String, Ended>,
    /// A unit whose steps fail.
    pub(crate) failing: Option<Failing>,
    /// Writes that had an effect.
    pub(crate) lattice_writes: usize,
    pub(crate) status_writes: usize,
    /// Requests that were asked of the account, to see whether statuses tell the truth.
    pub(crate) asked: AtomicUsize,
    /// Invariants that did not hold.
    pub(crate) violations: Vec<String>,
    /// A unit that cannot come to its end.
    pub(crate) stuck: Option<Stuck>,
    /// What the clusters' present state means.
    pub(crate) memo: RefCell<Memo>,
    trace: Vec<String>,
}

impl Sim {
    pub(crate) fn new(seed: u64, faults: Faults) -> Arc<Self> {
        Arc::new(Self(Mutex::new(State {
            dice: Dice::new(seed),
            faults,
            now: 0,
            moment: 0,
            clusters: BTreeMap::new(),
            account: Account::default(),
            queue: Queues::default(),
            at_work: BTreeMap::new(),
            clocks: BTreeMap::new(),
            ended: BTreeMap::new(),
            failing: None,
            lattice_writes: 0,
            status_writes: 0,
            asked: AtomicUsize::new(0),
            violations: vec![],
            stuck: None,
            memo: RefCell::default(),
            trace: vec![],
        })))
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    /// The place where something outside of the functions takes its time: others go on meanwhile.
    pub(crate) async fn pause(&self) {
        let turns = {
            let mut state = self.state();
            state.moment += 1;
            state.dice.up_to(2) + 1
        };
        for _ in 0..turns {
            tokio::task::yield_now().await;
        }
    }
}

/// One warm function. All that it asks goes through here, so it can be cut off at any call.
pub(crate) struct Sandbox {
    pub(crate) sim: Arc<Sim>,
    /// Whether its inspections belong to a batch.
    pub(crate) works_on_batches: bool,
    /// Calls until the crash, if there is one.
    crash_in: Mutex<Option<u32>>,
    crashed: Mutex<Arc<Notify>>,
    /// By the target group's ARN, with the second.
    refusals: Mutex<BTreeMap<(String, Target), (u64, RefusedTarget)>>,
}

impl Sandbox {
    pub(crate) fn new(sim: &Arc<Sim>, works_on_batches: bool) -> Arc<Self> {
        Arc::new(Self {
            sim: Arc::clone(sim),
            works_on_batches,
            crash_in: Mutex::new(None),
            crashed: Mutex::default(),
            refusals: Mutex::default(),
        })
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.sim.state()
    }

    /// The work's result, or none if it was cut off after so many calls.
    pub(crate) async fn run<T>(&self, crash_in: Option<u32>, work: impl Future<Output = T>) -> Option<T> {
        let crashed = Arc::new(Notify::new());
        *self.crash_in.lock().unwrap() = crash_in;
        *self.crashed.lock().unwrap() = Arc::clone(&crashed);
        let ended = tokio::select! {
            biased;
            () = crashed.notified() => None,
            ended = work => Some(ended),
        };
        *self.crash_in.lock().unwrap() = None;
        ended
    }

    pub(crate) fn remember_refusal(&self, group_arn: &str, refused: &RefusedTarget, now: u64) {
        let key = (group_arn.to_owned(), refused.target.clone());
        self.refusals.lock().unwrap().insert(key, (now, refused.clone()));
    }

    pub(crate) fn refusal(&self, group_arn: &str, target: &Target, now: u64) -> Option<RefusedTarget> {
        let all = self.refusals.lock().unwrap();
        let (at, refused) = all.get(&(group_arn.to_owned(), target.clone()))?;
        (now < at + REFUSED_S).then(|| refused.clone())
    }

    /// The place where a call waits for its answer: others go on meanwhile, and a crash may come.
    pub(crate) async fn pause(&self) {
        let crashes = match &mut *self.crash_in.lock().unwrap() {
            Some(0) => true,
            Some(left) => {
                *left -= 1;
                false
            }
            None => false,
        };
        if crashes {
            self.crashed.lock().unwrap().notify_one();
            std::future::pending::<()>().await;
        }
        self.sim.pause().await;
    }
}

impl State {
    pub(crate) fn tell(&mut self, line: impl Into<String>) {
        let line = format!("{:>5} {}", self.now, line.into());
        self.trace.push(line);
    }

    pub(crate) fn violate(&mut self, what: impl Into<String>) {
        let what = what.into();
        self.tell(format!("VIOLATION {what}"));
        self.violations.push(what);
    }

    /// How much was told.
    pub(crate) fn lines(&self) -> usize {
        self.trace.len()
    }

    /// The steps that were done since so much was told.
    pub(crate) fn done_since(&self, lines: usize) -> Vec<String> {
        self.trace[lines..].iter().filter(|line| line.contains(" do ")).cloned().collect()
    }

    /// The last lines of what happened, up to the first violation if there is one.
    pub(crate) fn story(&self) -> String {
        let first = self.trace.iter().position(|line| line.contains("VIOLATION"));
        let end = first.map_or(self.trace.len(), |at| at + 1);
        let shown = std::env::var("TRELLIS_TRACE").ok().and_then(|lines| lines.parse().ok());
        self.trace[end.saturating_sub(shown.unwrap_or(TRACE_SHOWN))..end].join("\n")
    }

    /// Equal for equal histories.
    pub(crate) fn fingerprint(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.trace.hash(&mut hasher);
        hasher.finish()
    }

    /// Lets time pass, and with it whatever is under way in VPC Lattice.
    pub(crate) fn pass(&mut self, seconds: u64) {
        self.now += seconds;
        self.account.tick(self.now);
        self.queue.arrive(self.now);
    }
}

/// Chance, from a generator that is named so that a seed means the same with every version of its crate.
pub(crate) struct Dice(Xoshiro256PlusPlus);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(Xoshiro256PlusPlus::seed_from_u64(seed))
    }

    pub(crate) fn percent(&mut self, chance: u32) -> bool {
        chance > 0 && self.up_to(99) < chance
    }

    /// A number from 0 to `most`.
    pub(crate) fn up_to(&mut self, most: u32) -> u32 {
        self.0.random_range(0..=most)
    }

    pub(crate) fn index(&mut self, len: usize) -> usize {
        self.up_to(u32::try_from(len.max(1) - 1).unwrap()) as usize
    }
}
