//! Eventually stable: whatever happened, once the edits stop, the engine brings VPC Lattice and the statuses to what the
//! objects ask for, and then rests. Shown in a world that one seed determines: three clusters with the guide's objects,
//! two of them in one VPC, VPC Lattice as the model of `trellis_lattice`, a queue that is first in first out per unit.
//!
//! A seed's lowest bits say which kinds of faults it has (`faults`). What the objects are is its cast (`objects::Cast`): the guide's, or
//! routes of all kinds on listeners of all protocols beside them.
//!
//! `make sim SEEDS=10000` runs many seeds in an optimised build; `TRELLIS_SEED=17 cargo test -p trellis-engine --test
//! simulation` one alone. A failure shows the seed, what did not hold, and the last lines of what happened;
//! `TRELLIS_TRACE=1000` shows more of them, `TRELLIS_STORY=1` those of a seed that holds too. `TRELLIS_FAILURES=1` ends a run at its first failure.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test says so by failing")]

mod account;
mod answers;
mod api;
mod claims;
mod drawn;
mod edits;
mod failing;
mod faults;
mod growth;
mod judge;
mod lattice;
mod laws;
mod memo;
mod objects;
mod queue;
mod resource;
mod run;
mod scenes;
mod sick;
mod sim;
mod specification;
mod stuck;
mod trouble;
mod truth;

use objects::Cast;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Instant, SystemTime};

/// A third of the time of a seed goes into memory, with the system's allocator half.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Seeds of one run, the same every time: one of each combination of faults.
const SEEDS: u64 = 128;

/// Seeds of one run that nobody has ever run before, as long as none is known to fail.
const FRESH: u64 = 16;

/// Of the seeds that are asked for by number, every fifth has routes of all kinds.
const KINDS_EVERY: u64 = 5;

/// Seeds after which a long run says how far it is.
const TOLD_EVERY: usize = 1000;

/// Seeds that once failed.
const KNOWN: &str = include_str!("seeds.txt");

/// Seeds that fail, and are open.
const OPEN: &str = include_str!("open.txt");

/// A seed, with a panic as one more way to fail.
fn run(cast: Cast, seed: u64) -> Result<run::Figures, String> {
    let run = AssertUnwindSafe(|| run::run(cast, seed));
    catch_unwind(run).unwrap_or_else(|_| Err(format!("seed {seed} of {cast:?} panicked")))
}

fn listed(seeds: &'static str) -> impl Iterator<Item = u64> {
    seeds.lines().filter_map(|line| line.split('#').next()?.trim().parse().ok())
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// Runs all, on as many threads as there are cores, and tells of each failure.
fn all(cast: Cast, seeds: impl Iterator<Item = u64>) {
    let seeds: Vec<u64> = seeds.collect();
    let (next, ended, began) = (AtomicUsize::new(0), Mutex::new(vec![]), Instant::now());
    let failures_max = number("TRELLIS_FAILURES").unwrap_or(u64::MAX);
    let failures = AtomicU64::new(0);
    let work = || {
        while let Some(seed) = seeds.get(next.fetch_add(1, Ordering::Relaxed)) {
            if failures.load(Ordering::Relaxed) >= failures_max {
                break;
            }
            let outcome = run(cast, *seed);
            failures.fetch_add(u64::from(outcome.is_err()), Ordering::Relaxed);
            let mut ended = ended.lock().unwrap();
            ended.push((*seed, outcome));
            if ended.len().is_multiple_of(TOLD_EVERY) {
                println!("{} of {} seeds after {} s", ended.len(), seeds.len(), began.elapsed().as_secs());
            }
        }
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(seeds.len());
    std::thread::scope(|scope| (0..threads).for_each(|_| _ = scope.spawn(work)));
    tell(ended.into_inner().unwrap(), began);
}

/// Says what was run, and panics with the first failure and a list of the others.
fn tell(mut ended: Vec<(u64, Result<run::Figures, String>)>, began: Instant) {
    ended.sort_by_key(|(seed, _)| *seed);
    let figures: Vec<&run::Figures> = ended.iter().filter_map(|(_, one)| one.as_ref().ok()).collect();
    println!(
        "{} seeds held in {} s: {} batches, {} writes of VPC Lattice, {} of statuses, {} requests asked, histories {:016x}",
        figures.len(),
        began.elapsed().as_secs(),
        figures.iter().map(|one| one.batches).sum::<usize>(),
        figures.iter().map(|one| one.lattice_writes).sum::<usize>(),
        figures.iter().map(|one| one.status_writes).sum::<usize>(),
        figures.iter().map(|one| one.asked).sum::<usize>(),
        figures.iter().map(|one| one.fingerprint).fold(0, |all: u64, one| all.rotate_left(1) ^ one),
    );
    let failures: Vec<&String> = ended.iter().filter_map(|(_, one)| one.as_ref().err()).collect();
    if let Some(first) = failures.first() {
        let briefly: Vec<&str> = failures.iter().filter_map(|failure| failure.lines().next()).collect();
        panic!("{first}\n\n{} seeds failed:\n{}", failures.len(), briefly.join("\n"));
    }
}

#[test]
#[cfg_attr(debug_assertions, ignore = "`make seeds` runs it, in an optimised build")]
fn once_edits_and_faults_stop_everything_comes_to_rest_as_the_objects_ask() {
    of_cast(Cast::Guide, SEEDS);
}

#[test]
#[cfg_attr(debug_assertions, ignore = "`make seeds` runs it, in an optimised build")]
fn routes_of_all_kinds_come_to_rest_as_the_objects_ask() {
    of_cast(Cast::Kinds, SEEDS / 2);
}

/// The seed that is asked for, or so many. Of a number that is asked for each seed has one cast.
fn of_cast(cast: Cast, seeds: u64) {
    if let Some(seed) = number("TRELLIS_SEED") {
        return all(cast, std::iter::once(seed));
    }
    let open: Vec<u64> = listed(OPEN).filter(|_| cast == Cast::Guide).collect();
    println!("left out, since they are open: {open:?}");
    let asked = number("TRELLIS_SEEDS");
    let is_meant = |seed: &u64| asked.is_none() || seed.is_multiple_of(KINDS_EVERY) == (cast == Cast::Kinds);
    all(cast, (0..asked.unwrap_or(seeds)).filter(is_meant).filter(|seed| !open.contains(seed)));
}

#[test]
#[cfg_attr(debug_assertions, ignore = "`make seeds` runs it, in an optimised build")]
fn seeds_that_nobody_has_run_before_hold() {
    let open = listed(OPEN).count();
    let asked = number("TRELLIS_FRESH");
    if open > 0 && asked.is_none() {
        println!(
            "no fresh seeds, since {open} are open and more would meet the same: TRELLIS_FRESH=n runs some"
        );
        return;
    }
    let fresh = asked.unwrap_or(FRESH);
    let moment = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    let first = u64::try_from(moment.as_millis()).unwrap();
    println!("fresh seeds {first} to {}", first.saturating_add(fresh));
    all(Cast::Guide, first..first.saturating_add(fresh / 2));
    all(Cast::Kinds, first..first.saturating_add(fresh / 2));
}

#[test]
#[cfg_attr(debug_assertions, ignore = "`make seeds` runs it, in an optimised build")]
fn seeds_that_once_failed_hold() {
    all(Cast::Guide, listed(KNOWN));
}

#[test]
#[cfg_attr(debug_assertions, ignore = "`make seeds` runs it, in an optimised build")]
fn a_seed_has_one_history() {
    for seed in [3, 7, 45] {
        assert_eq!(run(Cast::Kinds, seed), run(Cast::Kinds, seed), "seed {seed}");
    }
}
