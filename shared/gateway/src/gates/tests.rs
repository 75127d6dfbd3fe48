//! Several units and one Pod: whoever looks in whatever order, the Pod is ready when all of them are content.

use super::*;
use crate::Subject;
use crate::snapshot::ObjectKey;
use proptest::prelude::*;
use trellis_hint::Kind;
use trellis_lattice::Failure;

const UNITS: usize = 3;
const NOW: &str = "2026-01-02T03:04:05Z";

fn unit(at: usize) -> String {
    format!("route/123456789012/us-west-2/HTTPRoute/one/default/r{at}")
}

fn new_pod() -> Value {
    json!({"metadata": {"name": "p"}, "status": {"conditions": [{"type": "ContainersReady", "status": "True"}]}})
}

/// What a unit says at a look, as `unit.rs` makes it of the Pod that it has read.
fn report(at: usize, pod: &Value, is_content: bool, is_unprogrammed: bool) -> PodReport {
    let is_known = message::entries(pod).contains_key(&unit(at));
    let word = if is_content && is_known {
        Word::Go(reasons::HEALTHY)
    } else {
        let text = format!("target 10.0.0.{at}:80 of a group is INITIAL");
        Word::Wait { reason: reasons::INITIAL, text, is_unprogrammed, is_known }
    };
    let object = ObjectKey { kind: Kind::Pod, namespace: "default".into(), name: "p".into() };
    let cluster = "arn:aws:eks:us-west-2:123456789012:cluster/one".parse().unwrap();
    PodReport {
        subject: Subject { cluster, object, generation: 1 },
        unit: unit(at),
        word,
        gone: BTreeSet::new(),
    }
}

/// The look of one unit: reads the Pod and writes it. An API server takes no write between the two.
fn look(pod: &mut Value, at: usize, is_content: bool) {
    let report = report(at, pod, is_content, false);
    if let Some(conditions) = conditions(&report, &Outcome::default(), pod, NOW) {
        pod["status"]["conditions"] = conditions;
    }
}

proptest! {
    #[test]
    fn a_pod_is_ready_when_all_units_that_have_looked_are_content_and_not_before(
        looks in proptest::collection::vec((0..UNITS, any::<bool>()), 1..40)
    ) {
        let mut pod = new_pod();
        let mut waits: [Option<bool>; UNITS] = [None; UNITS];
        for (at, is_content) in looks {
            let was_met = is_met(&pod);
            let is_first = waits[at].is_none();
            look(&mut pod, at, is_content);
            prop_assert!(!was_met || is_met(&pod), "a gate that is met stays met");
            if !was_met {
                waits[at] = Some(!is_content || is_first);
                let somebody_waits = waits.contains(&Some(true));
                prop_assert_eq!(is_met(&pod), !somebody_waits, "{}", pod);
            }
            let others = pod["status"]["conditions"].as_array().unwrap().len();
            prop_assert_eq!((&pod["status"]["conditions"][0]["type"], others), (&json!("ContainersReady"), 2));
        }
    }

    /// Equal looks write nothing.
    #[test]
    fn a_look_that_finds_the_same_writes_nothing(at in 0..UNITS) {
        let mut pod = new_pod();
        look(&mut pod, at, false);
        let again = conditions(&report(at, &pod, false, false), &Outcome::default(), &pod, "2027-01-01T00:00:00Z");
        prop_assert_eq!(again, Some(pod["status"]["conditions"].clone()));
    }
}

#[test]
fn what_only_a_person_can_help_is_waited_for_by_no_pod_that_knows_the_unit() {
    let failure = |retryable| Outcome {
        failure: Some(Failure { message: "refused".into(), retryable }),
        ..Outcome::default()
    };
    let mut pod = new_pod();
    let first = report(0, &pod, false, true);
    pod["status"]["conditions"] = conditions(&first, &failure(false), &pod, NOW).unwrap();
    assert!(!is_met(&pod), "at the first look it waits for the others");
    let second = report(0, &pod, false, true);
    for (outcome, is_ready) in [(failure(true), false), (Outcome::default(), false), (failure(false), true)] {
        let mut seen = pod.clone();
        seen["status"]["conditions"] = conditions(&second, &outcome, &pod, NOW).unwrap();
        assert_eq!(is_met(&seen), is_ready, "{outcome:?}");
        assert_eq!(second.is_open(&outcome), !is_ready);
    }
}

#[test]
fn a_pod_whose_containers_start_is_looked_at_again_and_not_written() {
    let pod = new_pod();
    let starting = PodReport { word: Word::Starting, ..report(0, &pod, true, false) };
    assert!(starting.is_open(&Outcome::default()));
    assert_eq!(conditions(&starting, &Outcome::default(), &pod, NOW), None);
}
