//! The outbox by itself: its time is a number, and calls end as the test says.

use super::*;
use proptest::prelude::*;
use std::collections::BTreeMap;

const PACE: Pace = Pace {
    linger: Duration::from_millis(5),
    backoff_min: Duration::from_millis(100),
    backoff_max: Duration::from_secs(5),
    tries_max: 8,
};

fn entry(group: &str, body: &str) -> Entry {
    Entry { group_id: group.into(), deduplication_id: "d".into(), body: body.into(), trace: String::new() }
}

fn outbox(entries: &[(&str, &str)], now: Instant) -> Outbox<()> {
    let mut outbox = Outbox::new(PACE);
    for (group, body) in entries {
        outbox.push(entry(group, body), (), now);
    }
    outbox
}

fn send(outbox: &mut Outbox<()>, now: Instant) -> Vec<Waiting<()>> {
    match outbox.next(now) {
        Next::Send(batch) => batch,
        other => panic!("{other:?}"),
    }
}

fn bodies(batch: &[Waiting<()>]) -> Vec<&str> {
    batch.iter().map(|one| one.entry.body.as_str()).collect()
}

fn unavailable() -> Result<Vec<Refusal>, SendError> {
    Err(SendError::Unavailable("down".into()))
}

fn refused() -> Result<Vec<Refusal>, SendError> {
    Err(SendError::Refused("BatchRequestTooLong".into()))
}

#[test]
fn a_group_with_a_call_under_way_holds_up_itself_and_nobody_else() {
    let start = Instant::now();
    let now = start + PACE.linger;
    let mut outbox = outbox(&[("a", "a1"), ("b", "b1")], start);
    let first = send(&mut outbox, now);
    assert_eq!(bodies(&first), ["a1", "b1"]);
    outbox.push(entry("a", "a2"), (), start);
    outbox.push(entry("c", "c1"), (), start);
    let second = send(&mut outbox, now);
    assert_eq!(bodies(&second), ["c1"]);
    assert!(matches!(outbox.next(now), Next::Idle));
    assert_eq!(outbox.settle(first, &Ok(vec![]), now).sent, 2);
    assert_eq!(bodies(&send(&mut outbox, now)), ["a2"]);
}

#[test]
fn what_failed_waits_for_its_next_try_before_anything_newer_of_its_group_while_others_go() {
    let start = Instant::now();
    let now = start + PACE.linger;
    let mut outbox = outbox(&[("a", "a1")], start);
    let failed = send(&mut outbox, now);
    assert_eq!(outbox.settle(failed, &unavailable(), now).again, 1);
    outbox.push(entry("a", "a2"), (), start);
    outbox.push(entry("b", "b1"), (), start);
    assert_eq!(bodies(&send(&mut outbox, now)), ["b1"]);
    let Next::At(at) = outbox.next(now) else { panic!("a1 is to be tried again") };
    assert_eq!(at, now + PACE.backoff_min);
    assert_eq!(bodies(&send(&mut outbox, at)), ["a1", "a2"]);
}

#[test]
fn of_a_batch_that_is_refused_only_the_guilty_entry_is_lost() {
    let now = Instant::now();
    let names: Vec<String> = (0..10).map(|number| number.to_string()).collect();
    let mut outbox = Outbox::new(PACE);
    for name in &names {
        outbox.push(entry("g", name), (), now);
    }
    let all = send(&mut outbox, now);
    assert_eq!(outbox.settle(all, &refused(), now).again, 10);
    let (mut sent, mut lost) = (vec![], vec![]);
    while let Next::Send(batch) = outbox.next(now) {
        assert_eq!(batch.len(), 1);
        let body = batch[0].entry.body.clone();
        let is_guilty = body == "7";
        let settled = outbox.settle(batch, &if is_guilty { refused() } else { Ok(vec![]) }, now);
        sent.extend((settled.sent == 1).then_some(body));
        lost.extend(settled.lost.into_iter().map(|(entry, _)| entry.body));
    }
    assert_eq!(lost, ["7"]);
    assert_eq!(sent, ["0", "1", "2", "3", "4", "5", "6", "8", "9"]);
}

#[test]
fn a_batch_that_fails_while_sqs_takes_others_is_sent_entry_by_entry() {
    let start = Instant::now();
    let mut now = start + PACE.linger;
    let mut outbox = outbox(&[("a", "a1"), ("b", "b1")], start);
    for tries in 1..=2 {
        let batch = send(&mut outbox, now);
        assert_eq!(batch.len(), 2, "try {tries}");
        outbox.settle(batch, &unavailable(), now);
        // Somebody else's goes through.
        outbox.push(entry("c", "c"), (), start);
        let other = send(&mut outbox, now);
        now += Duration::from_millis(1);
        outbox.settle(other, &Ok(vec![]), now);
        now += PACE.backoff_max;
    }
    assert_eq!(bodies(&send(&mut outbox, now)), ["a1"]);
    assert_eq!(bodies(&send(&mut outbox, now)), ["b1"]);
}

#[test]
fn a_batch_has_ten_entries_and_the_bytes_that_sqs_takes_at_most() {
    let now = Instant::now();
    let large = "x".repeat(BATCH_BYTES_MAX / 2 - 100);
    let mut outbox = outbox(&[("a", &large), ("b", &large), ("c", "c"), ("d", "d")], now);
    outbox.push(entry("e", &"x".repeat(BATCH_BYTES_MAX)), (), now);
    let later = now + PACE.linger;
    let first = send(&mut outbox, later);
    assert_eq!(first.len(), 4);
    assert_eq!(send(&mut outbox, later).len(), 1, "what is too large by itself goes by itself");
    for number in 0..25 {
        outbox.push(entry(&number.to_string(), "x"), (), later);
    }
    assert_eq!([send(&mut outbox, later).len(), send(&mut outbox, later).len()], [10, 10]);
    assert!(matches!(outbox.next(later), Next::At(at) if at == later + PACE.linger), "five wait for company");
}

#[test]
fn waits_double_from_the_shortest_to_the_longest() {
    let waits: Vec<u128> = [1, 2, 3, 6, 7, 1000].map(|tries| PACE.backoff(tries).as_millis()).into();
    assert_eq!(waits, [100, 200, 400, 3200, 5000, 5000]);
}

/// What becomes of a call.
#[derive(Debug, Clone)]
enum End {
    Taken,
    Unavailable,
    Refused,
    /// These entries, by place, are refused; true: for the moment.
    Some(Vec<(usize, bool)>),
}

fn end() -> impl Strategy<Value = End> {
    prop_oneof![
        4 => Just(End::Taken),
        2 => Just(End::Unavailable),
        1 => Just(End::Refused),
        2 => prop::collection::vec((0..10usize, any::<bool>()), 1..4).prop_map(End::Some),
    ]
}

fn result(end: &End) -> Result<Vec<Refusal>, SendError> {
    match end {
        End::Taken => Ok(vec![]),
        End::Unavailable => unavailable(),
        End::Refused => refused(),
        End::Some(places) => {
            let refusal =
                |&(index, retryable): &(usize, bool)| Refusal { index, retryable, reason: String::new() };
            Ok(places.iter().map(refusal).collect())
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, ..ProptestConfig::default() })]

    /// Whatever SQS does: each hint ends once, in the order of its group but for entries that SQS refused from among
    /// others, no group has two calls at once, and everything ends.
    #[test]
    fn each_hint_ends_once_and_groups_keep_their_order(
        groups in prop::collection::vec(0..6usize, 1..60),
        ends in prop::collection::vec(end(), 0..80),
        together in 1..4usize,
    ) {
        let start = Instant::now();
        let mut now = start;
        let mut outbox = Outbox::new(PACE);
        for (number, group) in groups.iter().enumerate() {
            outbox.push(entry(&group.to_string(), &number.to_string()), (), now);
        }
        let (mut ends, mut calls, mut ended) = (ends.into_iter(), Vec::new(), BTreeMap::new());
        let mut sent: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        let mut entrywise = false;
        for step in 0.. {
            prop_assert!(step < 5_000, "it does not end");
            while calls.len() < together {
                match outbox.next(now) {
                    Next::Send(batch) => {
                        prop_assert!((1..=BATCH_ENTRIES_MAX).contains(&batch.len()));
                        let groups = |batch: &Vec<Waiting<()>>| -> HashSet<String> {
                            batch.iter().map(|one| one.entry.group_id.clone()).collect()
                        };
                        let mine = groups(&batch);
                        prop_assert!(calls.iter().all(|call| groups(call).is_disjoint(&mine)), "a group has two calls");
                        calls.push(batch);
                    }
                    Next::At(at) if calls.is_empty() => {
                        prop_assert!(at > now);
                        now = at;
                    }
                    _ => break,
                }
            }
            if calls.is_empty() {
                break;
            }
            let batch = calls.remove(step % calls.len());
            let entries: Vec<Entry> = batch.iter().map(|one| one.entry.clone()).collect();
            let end = ends.next().unwrap_or(End::Taken);
            let result = result(&end);
            entrywise |= matches!(end, End::Some(_));
            let refused: HashSet<usize> = match &result {
                Ok(refusals) => refusals.iter().map(|refusal| refusal.index).collect(),
                Err(_) => (0..entries.len()).collect(),
            };
            for (_, one) in entries.iter().enumerate().filter(|(index, _)| !refused.contains(index)) {
                sent.entry(one.group_id.clone()).or_default().push(one.body.parse().unwrap());
                *ended.entry(one.body.clone()).or_insert(0) += 1;
            }
            now += Duration::from_millis(1);
            for (one, _) in outbox.settle(batch, &result, now).lost {
                *ended.entry(one.body).or_insert(0) += 1;
            }
        }
        prop_assert!(outbox.is_empty());
        prop_assert_eq!(ended.len(), groups.len());
        prop_assert!(ended.values().all(|times| *times == 1), "{:?}", ended);
        if !entrywise {
            prop_assert!(sent.values().all(|numbers| numbers.is_sorted()), "{:?}", sent);
        }
    }
}
