//! A service that goes to another unit goes with all that is below it, also from a unit that wants nothing any more.

use crate::harness::{Emulator, converge, inspect, limits};
use crate::wishes::{gateway, no_route, route};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};
use tokio::sync::watch;
use trellis_aws::End;
use trellis_hint::UnitKey;
use trellis_lattice::{Desired, Outcome, Owner, Ownership, check, plan};

fn heir() -> Owner {
    let key = "route/123456789012/us-west-2/HTTPRoute/one/default/heir";
    Owner { installation: "trellis".into(), unit: key.parse::<UnitKey>().unwrap().hash(), key: key.into() }
}

/// Of everything that is there the unit that its tags name, by ARN.
fn units(state: &Value, into: &mut BTreeMap<String, String>) {
    if let (Some(arn), Some(unit)) = (state["arn"].as_str(), state["tags"]["trellis:unit"].as_str()) {
        into.insert(arn.to_owned(), unit.to_owned());
    }
    match state {
        Value::Object(members) => members.values().for_each(|one| units(one, into)),
        Value::Array(items) => items.iter().for_each(|one| units(one, into)),
        _ => {}
    }
}

/// What bears a unit's tags.
fn of(emulator: &Emulator, unit: &str) -> BTreeSet<String> {
    let mut all = BTreeMap::new();
    units(&emulator.state(), &mut all);
    all.into_iter().filter(|(_, one)| one == unit).map(|(arn, _)| arn).collect()
}

#[tokio::test]
async fn all_that_is_below_a_service_goes_with_it_whatever_its_unit_still_wants() {
    let mut wish = route(&["/a", "/b"], 2);
    wish.services[0].custom_domain = Some("shop.example.test".into());
    let mut elsewhere = wish.clone();
    elsewhere.services[0].name = "inventory-default-elsewhere".into();
    elsewhere.services[0].custom_domain = Some("elsewhere.example.test".into());
    elsewhere.target_groups[0].name = format!("{}-elsewhere", elsewhere.target_groups[0].name);
    elsewhere.services[0].listeners[0].rules.clear();
    elsewhere.target_groups.clear();
    for left in [no_route(), elsewhere] {
        let emulator = Emulator::instant();
        let lattice = emulator.aws().await.lattice();
        converge(&emulator, &lattice, &gateway(&[])).await;
        converge(&emulator, &lattice, &wish).await;
        let all = of(&emulator, &wish.owner.unit);
        assert_eq!(
            all.len(),
            6,
            "a service, a listener, two rules, an association and a target group: {all:?}"
        );
        // What is given away follows from what is there: the look at it does not know of it yet.
        let left = Desired { in_full: true, ..left };
        let actual = inspect(&emulator.aws().await.lattice(), &left).await;
        let handovers = [("inventory-default".to_owned(), heir())].into();
        let left = Desired { handovers, ..left };
        let plan = plan(&left, &actual, &limits());
        assert_eq!(check(&plan, &left, &actual, &limits()), [], "{plan}");
        assert!(!plan.to_string().contains("- targets"), "what serves is not emptied: {plan}");
        let (tell, _) = watch::channel(Outcome::default());
        let applied = lattice.apply(&plan, &actual, Instant::now() + Duration::from_mins(1), &tell).await;
        assert!(matches!(applied.end, End::Complete), "{:?}", applied.end);
        assert_eq!(of(&emulator, &heir().unit), all, "after\n{plan}");
    }
}

/// An edit that is refused wants nothing at first, and then all as it is.
#[tokio::test]
async fn what_may_be_kept_is_read_in_full_and_can_be_wanted_as_it_is() {
    for domain in [None, Some("shop.example.test".to_owned())] {
        let mut wish = route(&["/a", "/b"], 2);
        wish.services[0].custom_domain = domain;
        let emulator = Emulator::instant();
        let lattice = emulator.aws().await.lattice();
        converge(&emulator, &lattice, &gateway(&[])).await;
        converge(&emulator, &lattice, &wish).await;
        let look = Desired { in_full: true, ..no_route() };
        let actual = inspect(&emulator.aws().await.lattice(), &look).await;
        let group = &actual.target_groups[0];
        assert!(
            group.config.is_some() && group.health_check.is_some() && group.targets.len() == 2,
            "{group:?}"
        );
        let listener = &actual.services[0].listeners[0];
        assert_eq!(listener.ownership, Ownership::Ours);
        assert!(
            listener.rules.len() == 2 && listener.rules.iter().all(|rule| rule.ownership == Ownership::Ours)
        );
        assert_eq!(plan(&wish, &actual, &limits()).steps, []);
    }
}
