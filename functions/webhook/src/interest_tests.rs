//! The index of references against a computation from nothing, and what a review or a watch adds to it.

use super::*;
use crate::recent::WINDOW;
use crate::review::{Decision, decide};
use proptest::prelude::*;
use serde_json::json;

fn cluster() -> trellis_hint::ClusterId {
    "arn:aws:eks:us-west-2:123456789012:cluster/one".parse().unwrap()
}

fn service(namespace: &str, name: &str) -> ServiceName {
    (namespace.into(), name.into())
}

fn unit(text: &str) -> UnitKey {
    text.parse().unwrap()
}

fn route_unit(name: &str) -> UnitKey {
    unit(&format!("route/123456789012/us-west-2/HTTPRoute/one/shop/{name}"))
}

/// What a route `shop/<name>` with these backends refers to.
fn route(name: &str, services: &[&str]) -> References {
    References {
        services: services.iter().map(|name| service("shop", name)).collect(),
        units: BTreeSet::from([route_unit(name)]),
    }
}

/// `shop/<name>` as a watch shows it, so long after it was created.
fn viewed_after(age: Duration, name: &str, references: References) -> Viewed {
    Viewed { name: service("shop", name), references, age }
}

/// One that has been there for long.
fn viewed(name: &str, references: References) -> Viewed {
    viewed_after(WINDOW, name, references)
}

fn complete() -> Interest {
    let mut interest = Interest::new();
    for kind in REFERRING_KINDS {
        assert!(interest.replace(kind, [], Instant::now()).is_empty());
    }
    interest
}

fn units(names: &[&str]) -> Referrers {
    Referrers::Units(names.iter().map(|name| route_unit(name)).collect())
}

/// The change of a slice of `shop/<service>`, as its review tells it.
fn change(service: &str, version: u64) -> Told {
    let request = json!({"uid": "r", "kind": {"group": "discovery.k8s.io", "version": "v1", "kind": "EndpointSlice"},
        "name": format!("{service}-x"), "namespace": "shop", "operation": "CREATE", "object": {"metadata":
        {"name": format!("{service}-x"), "namespace": "shop", "generation": version,
            "labels": {"kubernetes.io/service-name": service}}}});
    crate::review::read(&request, &cluster()).unwrap().told
}

#[test]
fn nothing_is_known_until_every_referring_kind_is_in_view_and_again_when_one_is_lost() {
    let (mut interest, now) = (Interest::new(), Instant::now());
    for kind in REFERRING_KINDS {
        assert_eq!(interest.referrers(&service("shop", "s"), now), Referrers::Unknown, "before {kind}");
        let _ = interest.replace(kind, [], now);
    }
    assert_eq!(interest.referrers(&service("shop", "s"), now), units(&[]));
    interest.lose(Kind::TLSRoute);
    assert_eq!(interest.referrers(&service("shop", "s"), now), Referrers::Unknown);
}

#[test]
fn a_service_has_the_referrers_that_name_it_as_long_as_they_do() {
    let (mut interest, now) = (complete(), Instant::now());
    let apply = |interest: &mut Interest, name: &str, services: &[&str]| {
        assert!(interest.apply(Kind::HTTPRoute, viewed(name, route(name, services)), now).is_empty());
    };
    apply(&mut interest, "r1", &["s", "t"]);
    apply(&mut interest, "r1", &["s"]);
    apply(&mut interest, "r2", &["s"]);
    let referrers = |interest: &Interest, name: &str| interest.referrers(&service("shop", name), now);
    assert_eq!((referrers(&interest, "s"), referrers(&interest, "t")), (units(&["r1", "r2"]), units(&[])));
    interest.remove(Kind::HTTPRoute, &service("shop", "r1"));
    assert_eq!(referrers(&interest, "s"), units(&["r2"]));
    let _ = interest.replace(Kind::HTTPRoute, [], now);
    assert_eq!((referrers(&interest, "s"), interest.services()), (units(&[]), 0));
}

#[test]
fn what_a_review_names_counts_at_once_and_until_a_watch_must_have_shown_it() {
    let (mut interest, start) = (complete(), Instant::now());
    interest.learn(&route("r", &["s"]), start);
    assert_eq!(interest.referrers(&service("shop", "s"), start + WINDOW / 2), units(&["r"]));
    assert_eq!(interest.referrers(&service("shop", "s"), start + WINDOW), units(&[]));
}

#[test]
fn more_than_can_be_kept_or_told_is_left_to_the_search() {
    let (mut interest, start) = (complete(), Instant::now());
    for number in 0..REFERRERS_MAX {
        let name = format!("r{number}");
        interest.learn(&route(&name, &["s"]), start);
    }
    assert!(
        matches!(interest.referrers(&service("shop", "s"), start), Referrers::Units(all) if all.len() == 32)
    );
    interest.learn(&route("one-more", &["s"]), start);
    assert_eq!(interest.referrers(&service("shop", "s"), start), Referrers::Unknown);

    for number in 0..=LEARNED_MAX {
        interest.learn(&route("r", &[&format!("s{number}")]), start);
    }
    assert_eq!(interest.referrers(&service("other", "s"), start), Referrers::Unknown);
    assert_eq!(interest.referrers(&service("other", "s"), start + WINDOW), units(&[]));
}

#[test]
fn a_change_is_told_to_a_referrer_that_comes_into_view_after_it_once() {
    let (mut interest, start) = (complete(), Instant::now());
    interest.remember(service("shop", "s"), change("s", 1), start);
    interest.remember(service("shop", "t"), change("t", 1), start + WINDOW / 4);
    let apply = |interest: &mut Interest, services: &[&str]| {
        interest.apply(Kind::HTTPRoute, viewed("r", route("r", services)), start + WINDOW / 2)
    };
    assert_eq!(apply(&mut interest, &["s"]), [(route_unit("r"), change("s", 1))]);
    assert!(apply(&mut interest, &["s"]).is_empty(), "it was told when it came");
    assert_eq!(apply(&mut interest, &["s", "t"]), [(route_unit("r"), change("t", 1))]);
    let too_late = interest.apply(Kind::GRPCRoute, viewed("g", route("g", &["s"])), start + WINDOW);
    assert!(too_late.is_empty());
    assert!(!interest.take_forgotten());
}

#[test]
fn a_change_before_a_referrer_was_made_or_reviewed_here_is_read_by_its_own_hint() {
    let (mut interest, start) = (complete(), Instant::now());
    interest.remember(service("shop", "s"), change("s", 1), start);
    let now = start + SLACK * 3;
    // Reviewed by the other replica: made after the change, and before it.
    let made_after = viewed_after(SLACK, "r", route("r", &["s"]));
    assert!(interest.apply(Kind::HTTPRoute, made_after, now).is_empty());
    let made_before = viewed_after(SLACK * 3, "q", route("q", &["s"]));
    assert_eq!(interest.apply(Kind::HTTPRoute, made_before, now), [(route_unit("q"), change("s", 1))]);
    // Reviewed here: changes since then found it.
    interest.learn(&route("p", &["s"]), now);
    assert!(interest.apply(Kind::HTTPRoute, viewed("p", route("p", &["s"])), now).is_empty());
}

#[test]
fn a_reference_after_more_changes_than_are_remembered_is_known_to_be_told_nothing() {
    let (mut interest, start) = (complete(), Instant::now());
    for number in 0..=CHANGED_MAX {
        interest.remember(service("shop", &format!("s{number}")), change("s", 1), start);
    }
    let forgotten = format!("s{CHANGED_MAX}");
    let late = interest.apply(Kind::HTTPRoute, viewed("r", route("r", &[&forgotten])), start);
    assert!(late.is_empty() && interest.take_forgotten() && !interest.take_forgotten());
}

/// What a watch may show.
#[derive(Debug, Clone)]
enum Event {
    Apply(usize, usize, usize),
    Remove(usize, usize),
    Replace(usize, Vec<(usize, usize)>),
    Lose(usize),
}

const NAMES: [&str; 4] = ["a", "b", "c", "d"];

/// Objects in some shapes: by number, so that a name comes back with other references.
fn object(kind: usize, name: usize, shape: usize) -> Value {
    let (kind, name) = (REFERRING_KINDS[kind], NAMES[name]);
    let backend = |at: usize| {
        let (group, namespace) = (["", "core"][at % 2], ["shop", "bank"][at / 2 % 2]);
        json!({"group": group, "name": NAMES[at % 4], "namespace": namespace})
    };
    let backends: Vec<Value> = (0..shape % 4).map(|at| backend(at + shape)).collect();
    let mut object = json!({"kind": kind.as_str(), "metadata": {"name": name, "namespace": "shop"},
        "spec": {"rules": [{"backendRefs": backends}]}});
    if kind == Kind::ServiceExport {
        let service = ["", "a", "b", "c"][shape % 4];
        object["metadata"]["annotations"] = json!({"application-networking.k8s.aws/service-name": service});
    }
    if shape > 8 {
        let message = format!(
            "The service of HTTPRoute shop/{} serves a.example.com for this route too.",
            NAMES[shape % 4]
        );
        object["status"] = json!({"parents": [{"controllerName": trellis_gateway::CONTROLLER, "conditions":
            [{"type": "application-networking.k8s.aws/SharedService", "message": message}]}]});
    }
    object
}

fn event() -> impl Strategy<Value = Event> {
    let (kind, name, shape) = (0..REFERRING_KINDS.len(), 0..NAMES.len(), 0..12usize);
    prop_oneof![
        6 => (kind.clone(), name.clone(), shape.clone()).prop_map(|(kind, name, shape)| Event::Apply(kind, name, shape)),
        2 => (kind.clone(), name.clone()).prop_map(|(kind, name)| Event::Remove(kind, name)),
        2 => (kind.clone(), prop::collection::vec((name, shape), 0..4)).prop_map(|(kind, all)| Event::Replace(kind, all)),
        1 => kind.prop_map(Event::Lose),
    ]
}

fn references_in(kind: usize, object: &Value) -> References {
    crate::review::references_of(&cluster(), REFERRING_KINDS[kind], object)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, ..ProptestConfig::default() })]

    /// After any events, the index has the referrers that a computation from the objects in view has, by the function that
    /// the reconciler searches with.
    #[test]
    fn the_index_is_what_a_computation_from_nothing_gives(events in prop::collection::vec(event(), 0..40)) {
        let (mut interest, now) = (Interest::new(), Instant::now());
        let mut objects: BTreeMap<(usize, usize), Value> = BTreeMap::new();
        let mut in_view = BTreeSet::new();
        for event in events {
            match event {
                Event::Apply(kind, name, shape) => {
                    let object = object(kind, name, shape);
                    let late = interest.apply(REFERRING_KINDS[kind], viewed(NAMES[name], references_in(kind, &object)), now);
                    prop_assert!(late.is_empty());
                    objects.insert((kind, name), object);
                }
                Event::Remove(kind, name) => {
                    interest.remove(REFERRING_KINDS[kind], &service("shop", NAMES[name]));
                    objects.remove(&(kind, name));
                }
                Event::Replace(kind, all) => {
                    objects.retain(|(other, _), _| *other != kind);
                    objects.extend(all.iter().map(|&(name, shape)| ((kind, name), object(kind, name, shape))));
                    let listed = objects.iter().filter(|((other, _), _)| *other == kind);
                    let listed: Vec<_> = listed
                        .map(|((_, name), object)| viewed(NAMES[*name], references_in(kind, object)))
                        .collect();
                    prop_assert!(interest.replace(REFERRING_KINDS[kind], listed, now).is_empty());
                    in_view.insert(kind);
                }
                Event::Lose(kind) => {
                    interest.lose(REFERRING_KINDS[kind]);
                    in_view.remove(&kind);
                }
            }
        }
        let all: Vec<References> = objects.iter().map(|((kind, _), object)| references_in(*kind, object)).collect();
        let named: BTreeSet<&ServiceName> = all.iter().flat_map(|one| &one.services).collect();
        prop_assert_eq!(interest.services(), named.len());
        for (namespace, name) in ["shop", "bank"].iter().flat_map(|namespace| NAMES.map(|name| (*namespace, name))) {
            let service = service(namespace, name);
            let expected: BTreeSet<UnitKey> =
                all.iter().filter(|one| one.services.contains(&service)).flat_map(|one| one.units.clone()).collect();
            let found = interest.referrers(&service, now);
            let is_known = in_view.len() == REFERRING_KINDS.len();
            prop_assert_eq!(found, if is_known { Referrers::Units(expected) } else { Referrers::Unknown });
        }
    }
}

/// The reconciler takes the group `core` for a Service, so its Pods' changes count here.
#[test]
fn a_backend_of_the_group_core_has_its_changes_told() {
    let route = json!({"metadata": {"name": "r", "namespace": "shop"}, "spec": {"rules": [
        {"backendRefs": [{"group": "core", "kind": "Service", "name": "s"}]}]}});
    let (mut interest, now) = (complete(), Instant::now());
    let references = crate::review::references_of(&cluster(), Kind::HTTPRoute, &route);
    let _ = interest.apply(Kind::HTTPRoute, viewed("r", references), now);
    let slice = json!({"kind": {"group": "discovery.k8s.io", "kind": "EndpointSlice"}, "operation": "DELETE", "name": "s-x",
        "namespace": "shop", "oldObject": {"metadata": {"labels": {"kubernetes.io/service-name": "s"}}}});
    let Decision::Hints(hints) = decide(&slice, &cluster(), &interest, now) else { panic!("dropped") };
    assert_eq!(hints[0].hint.unit, route_unit("r"));
}
