//! Whatever stands in a queue, an event or an object: an error or a sound value, at once, and no panic.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test says so by failing")]

use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use trellis_hint::{
    BODY_BYTES_MAX, ClusterId, Hint, Kind, ObjectRef, Operation, UnitKey, deduplication_id, parent_gateways,
    referents, touched, units_of,
};

/// No parser of a few kilobytes takes longer, on a busy machine in a debug build.
const TIME_MAX: Duration = Duration::from_secs(2);

/// Characters of SQS's MessageGroupId and MessageDeduplicationId (SQS API reference).
const ID_CHARS_MAX: usize = 128;

/// Units of one object: a route with 32 parents of before and after, and itself.
const UNITS_MAX: usize = 65;

const CLUSTER: &str = "arn:aws:eks:us-west-2:123456789012:cluster/one";

fn object(kind: Kind) -> ObjectRef {
    ObjectRef {
        cluster: CLUSTER.parse().unwrap(),
        kind,
        namespace: "default".into(),
        name: "inventory".into(),
        uid: "705ab4f5-6393-11e8-b7cc-42010a800002".into(),
        generation: 3,
    }
}

fn bodies() -> Vec<Value> {
    let units = [
        "gateway/123456789012/us-west-2/my-hotel",
        "route/123456789012/us-west-2/HTTPRoute/one/default/inventory",
        "export/123456789012/us-west-2/one/default/inventory",
        "dependents/123456789012/us-west-2/Service/one/default/inventory",
    ];
    let hint = |unit: &str| {
        Hint::new(unit.parse().unwrap(), object(Kind::HTTPRoute), Operation::Update)
            .with_service_names(["inventory-default".to_owned()])
            .with_old_resource_version(Some("41"))
            .with_trace(Some("705ab4f5-6393"))
    };
    units.map(|unit| serde_json::from_str(&hint(unit).again().body()).unwrap()).to_vec()
}

fn events() -> Vec<Value> {
    let folder = format!("{}/../../events", env!("CARGO_MANIFEST_DIR"));
    let mut paths: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let texts = paths.iter().map(|path| std::fs::read(path).unwrap());
    texts.map(|text| serde_json::from_slice(&text).unwrap()).collect()
}

/// All places in a value.
fn places(value: &Value, path: &str, into: &mut Vec<String>) {
    into.push(path.to_owned());
    let escaped = |key: &str| key.replace('~', "~0").replace('/', "~1");
    match value {
        Value::Object(members) => {
            members.iter().for_each(|(key, value)| places(value, &format!("{path}/{}", escaped(key)), into));
        }
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(at, value)| places(value, &format!("{path}/{at}"), into));
        }
        _ => {}
    }
}

fn nonsense() -> impl Strategy<Value = Value> {
    let texts =
        select(vec!["", "/", "a/b", "..", "\u{0}", "a\nb", "Gateway", "gateway/", CLUSTER, "arn:aws:"]);
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,40}".prop_map(Value::from),
        texts.prop_map(Value::from),
        (1..20_000usize).prop_map(|length| Value::from("n".repeat(length))),
        (1..100usize).prop_map(|levels| (0..levels).fold(Value::Null, |inner, _| json!([inner]))),
        (1..1000usize).prop_map(|count| json!(vec![json!({"name": "a"}); count])),
        Just(json!({})),
    ]
}

/// A sample with some places overwritten.
fn forged(samples: Vec<Value>) -> impl Strategy<Value = Value> {
    let changes = prop::collection::vec((any::<Index>(), nonsense()), 0..4);
    (select(samples), changes).prop_map(|(mut sample, changes)| {
        for (index, value) in changes {
            let mut all = vec![];
            places(&sample, "", &mut all);
            if let Some(place) = sample.pointer_mut(index.get(&all[..]).as_str()) {
                *place = value;
            }
        }
        sample
    })
}

/// The text, with bytes changed and cut off.
fn damaged() -> impl Strategy<Value = (Vec<(Index, u8)>, Index)> {
    (prop::collection::vec((any::<Index>(), any::<u8>()), 0..6), any::<Index>())
}

fn damage(text: &str, flips: &[(Index, u8)], cut: Index) -> [String; 2] {
    let mut bytes = text.as_bytes().to_vec();
    for (index, byte) in flips {
        let at = index.index(bytes.len());
        bytes[at] = *byte;
    }
    let part = &bytes[..cut.index(bytes.len())];
    [String::from_utf8_lossy(&bytes).into_owned(), String::from_utf8_lossy(part).into_owned()]
}

/// A hint that is read is one that could have been written, with ids that the queue takes.
fn assert_sound(body: &str) -> Result<(), TestCaseError> {
    let began = Instant::now();
    if let Ok(hint) = Hint::parse(body) {
        prop_assert!(body.len() <= BODY_BYTES_MAX);
        prop_assert_eq!(hint.unit.to_string().parse::<UnitKey>().ok(), Some(hint.unit.clone()));
        prop_assert_eq!(Hint::parse(&hint.body()).ok(), Some(hint.clone()));
        let id = hint.unit.group_id();
        prop_assert!(id.len() <= ID_CHARS_MAX && id.bytes().all(|byte| byte.is_ascii_graphic()), "{}", id);
    }
    prop_assert!(began.elapsed() < TIME_MAX);
    Ok(())
}

fn assert_event(event: &Value) -> Result<(), TestCaseError> {
    let began = Instant::now();
    let found = touched(event);
    prop_assert!(found.len() <= 8, "{} resources of one record", found.len());
    prop_assert!(began.elapsed() < TIME_MAX);
    Ok(())
}

fn wire_object() -> Value {
    json!({
        "metadata": {"namespace": "default", "name": "inventory", "generation": 3, "resourceVersion": "41",
            "labels": {"kubernetes.io/service-name": "inventory"},
            "annotations": {"application-networking.k8s.aws/federation": "amazon-vpc-lattice"}},
        "spec": {"parentRefs": [{"name": "my-hotel", "namespace": "a"}, {"name": "lobby", "kind": "Gateway"}],
            "rules": [{"backendRefs": [{"name": "inventory", "port": 80}, {"kind": "ServiceImport", "name": "i",
                "group": "application-networking.k8s.aws"}]}]},
        "endpoints": [{"addresses": ["10.0.0.1"], "conditions": {"ready": true}}],
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, ..ProptestConfig::default() })]

    #[test]
    fn a_forged_body_is_refused_or_a_sound_hint(body in forged(bodies()), (flips, cut) in damaged()) {
        let text = body.to_string();
        assert_sound(&text)?;
        for text in damage(&text, &flips, cut) {
            assert_sound(&text)?;
        }
    }

    #[test]
    fn a_text_is_no_unit_or_one_that_is_written_so(
        text in prop_oneof![
            "(gateway|route|export|dependents|cluster)(/[a-zA-Z0-9.:-]{0,20}){0,7}",
            "(gateway|route)/[0-9]{12}/us-west-2(/[a-zA-Z.-]{1,300}){1,4}",
            ".{0,60}",
        ],
    ) {
        if let Ok(unit) = text.parse::<UnitKey>() {
            prop_assert_eq!(unit.to_string(), text);
            prop_assert!(unit.group_id().len() <= ID_CHARS_MAX);
        }
    }

    #[test]
    fn a_text_is_no_cluster_or_one_that_is_written_so(
        text in prop_oneof!["arn:aws[a-z-]{0,8}:eks:[a-z0-9-]{0,14}:[0-9]{11,13}:cluster/.{0,110}", ".{0,60}"],
    ) {
        if let Ok(cluster) = text.parse::<ClusterId>() {
            prop_assert_eq!(cluster.to_string().parse::<ClusterId>().ok(), Some(cluster));
        }
    }

    #[test]
    fn an_event_of_others_touches_a_few_resources_or_none(event in forged(events()), (flips, cut) in damaged()) {
        assert_event(&event)?;
        for text in damage(&event.to_string(), &flips, cut) {
            if let Ok(event) = serde_json::from_str::<Value>(&text) {
                assert_event(&event)?;
            }
        }
    }

    #[test]
    fn an_object_of_any_shape_concerns_a_few_units(
        new in forged(vec![wire_object()]),
        old in forged(vec![wire_object()]),
        kind in select(Kind::ALL.to_vec()),
    ) {
        let began = Instant::now();
        let changed = object(kind);
        let units = units_of(&changed, Some(&new), Some(&old));
        prop_assert!(units.len() <= UNITS_MAX, "{} units", units.len());
        for unit in &units {
            let id = deduplication_id(unit, Operation::Update, Some(&new), Some(&old));
            prop_assert!(id.len() <= ID_CHARS_MAX && id.bytes().all(|byte| byte.is_ascii_graphic()));
        }
        let _ = (referents(kind, &new), parent_gateways(&new));
        prop_assert!(began.elapsed() < TIME_MAX);
    }
}
