//! Whatever comes as a review: no panic, and no hint that its reader or the queue would not take. The same of certificates
//! that stand in a Secret or a configuration, and of what stands on the command line.
#![expect(clippy::unwrap_used, reason = "this is a test, its helpers too")]

use clap::Parser;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::{Value, json};
use std::path::Path;
use std::sync::LazyLock;
use std::time::{Duration, Instant};
use time::OffsetDateTime;
use trellis_hint::{BODY_BYTES_MAX, Hint};
use trellis_webhook::args::Args;
use trellis_webhook::interest::Interest;
use trellis_webhook::queue::Entry;
use trellis_webhook::review::{Decision, decide, object_to_warn_about};
use trellis_webhook::tls::bundle::missing_from;
use trellis_webhook::tls::identity::{Identity, issue, renewal_due};

/// Characters of SQS's MessageGroupId and MessageDeduplicationId (SQS API reference).
const ID_CHARS_MAX: usize = 128;

/// Hints of one review: a route with its parents of before and after.
const HINTS_MAX: usize = 65;

fn samples() -> Vec<Value> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../events");
    let mut paths: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let reviews =
        paths.iter().filter(|path| path.file_stem().unwrap().to_str().unwrap().starts_with("admission-"));
    reviews.map(|path| serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()).collect()
}

/// All places in a value.
fn places(value: &Value, path: &str, into: &mut Vec<String>) {
    into.push(path.to_owned());
    match value {
        Value::Object(members) => {
            let escaped = |key: &str| key.replace('~', "~0").replace('/', "~1");
            members.iter().for_each(|(key, value)| places(value, &format!("{path}/{}", escaped(key)), into));
        }
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(at, value)| places(value, &format!("{path}/{at}"), into));
        }
        _ => {}
    }
}

fn deep(levels: usize) -> Value {
    (0..levels).fold(Value::Null, |inner, _| json!([inner]))
}

fn nonsense() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,30}".prop_map(Value::from),
        (1..200_000usize).prop_map(|length| Value::from("n".repeat(length))),
        select(vec![
            "",
            "/",
            "a/b",
            "..",
            "\u{0}",
            "a\nb",
            "default",
            "Gateway",
            "HTTPRoute",
            "Service",
            "CREATE",
            "DELETE"
        ])
        .prop_map(Value::from),
        (1..100usize).prop_map(deep),
        (1..5000usize).prop_map(|count| json!(vec![json!({"name": "a"}); count])),
        Just(json!({"": {"metadata": []}})),
    ]
}

/// A sample with some places overwritten.
fn forged() -> impl Strategy<Value = Value> {
    let changes = prop::collection::vec((any::<Index>(), nonsense()), 0..5);
    (select(samples()), changes).prop_map(|(mut review, changes)| {
        for (index, value) in changes {
            let mut all = vec![];
            places(&review, "", &mut all);
            if let Some(place) = review.pointer_mut(index.get(&all[..]).as_str()) {
                *place = value;
            }
        }
        review
    })
}

fn assert_decent(review: &Value) -> Result<(), TestCaseError> {
    let request = review.get("request").unwrap_or(&Value::Null);
    if let Some((kind, object)) = object_to_warn_about(request) {
        let warnings = trellis_gateway::admission_warnings(kind, object);
        // The API server shows 4096 characters of all together, and 256 of each.
        prop_assert!(warnings.len() <= 16 && warnings.iter().all(|warning| warning.chars().count() <= 256));
    }
    let Decision::Hints(hints) = decide(
        request,
        &"arn:aws:eks:us-west-2:123456789012:cluster/one".parse().unwrap(),
        &Interest::new(),
        Instant::now(),
    ) else {
        return Ok(());
    };
    prop_assert!((1..=HINTS_MAX).contains(&hints.len()));
    for unit_hint in &hints {
        let entry = Entry::from(unit_hint);
        prop_assert!(entry.body.len() <= BODY_BYTES_MAX / 4, "{} bytes", entry.body.len());
        prop_assert!(entry.group_id.len() <= ID_CHARS_MAX && entry.deduplication_id.len() <= ID_CHARS_MAX);
        prop_assert!(entry.group_id.bytes().all(|byte| byte.is_ascii_graphic()), "{:?}", entry.group_id);
        let hint = Hint::parse(&entry.body).map_err(|error| TestCaseError::fail(error.to_string()))?;
        prop_assert!(hint.unit.is_possible() && hint.object.is_possible());
        prop_assert_eq!(&hint, &unit_hint.hint);
    }
    Ok(())
}

/// An identity as a replica stores it.
static IDENTITY: LazyLock<Identity> = LazyLock::new(|| {
    issue(&["trellis-webhook.trellis-system.svc".to_owned()], OffsetDateTime::UNIX_EPOCH).unwrap()
});

/// A text with bytes changed and its end cut off.
fn damaged(text: &str, flips: &[(Index, u8)], cut: Index) -> Vec<u8> {
    let mut bytes = text.as_bytes().to_vec();
    for (index, byte) in flips {
        let at = index.index(bytes.len());
        bytes[at] = *byte;
    }
    if cut.index(4) == 0 {
        bytes.truncate(cut.index(text.len()));
    }
    bytes
}

fn damage() -> impl Strategy<Value = (Vec<(Index, u8)>, Index)> {
    (prop::collection::vec((any::<Index>(), any::<u8>()), 0..6), any::<Index>())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, ..ProptestConfig::default() })]

    #[test]
    fn a_stored_certificate_that_is_damaged_is_refused_or_can_be_served(
        (certificate, certificate_cut) in damage(),
        (key, key_cut) in damage(),
        days in -10_000i64..10_000,
    ) {
        let text = |text: &str, flips: &[(Index, u8)], cut| {
            String::from_utf8_lossy(&damaged(text, flips, cut)).into_owned()
        };
        let stored = Identity {
            authority_pem: IDENTITY.authority_pem.clone(),
            certificate_pem: text(&IDENTITY.certificate_pem, &certificate, certificate_cut),
            key_pem: text(&IDENTITY.key_pem, &key, key_cut),
        };
        let now = OffsetDateTime::UNIX_EPOCH + Duration::from_hours(24) * 10_000 + time::Duration::days(days);
        if let Ok(validity) = stored.validity() {
            let _ = renewal_due(&validity, &["a".to_owned()], now);
        }
        let _ = stored.certified_key();
    }

    #[test]
    fn a_bundle_of_any_bytes_ends_with_the_present_authority_and_stays_small(
        (flips, cut) in damage(),
        copies in 0usize..20,
        junk in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        let authority = IDENTITY.authority_pem.trim();
        let mut present = damaged(&IDENTITY.authority_pem, &flips, cut).repeat(copies);
        present.extend(junk);
        if let Some(bundle) = missing_from(&present, &IDENTITY.authority_pem, OffsetDateTime::UNIX_EPOCH) {
            prop_assert!(bundle.trim().ends_with(authority));
            prop_assert!(bundle.matches("BEGIN CERTIFICATE").count() <= 4);
            prop_assert_eq!(missing_from(bundle.as_bytes(), &IDENTITY.authority_pem, OffsetDateTime::UNIX_EPOCH), None);
        }
    }

    #[test]
    fn a_flag_of_any_text_is_refused_or_read(
        flag in select(vec!["--listen", "--metrics-listen", "--cluster", "--queue-url", "--tls-secret",
            "--tls-dns-name", "--validating-webhook-configuration", "--shutdown-delay"]),
        value in prop_oneof![".{0,60}", "[0-9.e+-]{1,12}", "[a-z.-]{0,20}/[a-z.-]{0,20}", "(NaN|inf|-inf|1e400|\\[::\\]:[0-9]{1,6})"],
    ) {
        let cluster = "arn:aws:eks:us-west-2:123456789012:cluster/one";
        let line = ["w", "--queue-url=http://q", "--cluster", cluster].map(str::to_owned);
        let line = line.into_iter().chain([format!("{flag}={value}")]);
        if let Ok(args) = Args::try_parse_from(line) {
            prop_assert!(!args.queue_url.is_empty());
            prop_assert_eq!(args.cluster.to_string().parse().ok(), Some(args.cluster));
        }
    }

    #[test]
    fn a_forged_review_gives_hints_that_can_be_read_or_none(review in forged()) {
        assert_decent(&review)?;
    }

    #[test]
    fn bytes_of_any_kind_are_a_review_or_none(
        review in forged(),
        cut in any::<Index>(),
        flips in prop::collection::vec((any::<Index>(), any::<u8>()), 0..8),
    ) {
        let mut bytes = serde_json::to_vec(&review).unwrap();
        for (index, byte) in flips {
            let at = index.index(bytes.len());
            bytes[at] = byte;
        }
        for bytes in [&bytes[..], &bytes[..cut.index(bytes.len())]] {
            if let Ok(review) = serde_json::from_slice::<Value>(bytes) {
                assert_decent(&review)?;
            }
        }
    }
}
