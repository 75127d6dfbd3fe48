//! The sample reviews in `events/`, and what each one leads to.
#![expect(clippy::unwrap_used, reason = "this is a test, its helpers too")]

use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;
use trellis_webhook::interest::Interest;
use trellis_webhook::review::{Decision, decide};

/// The decision in a line: the operation and units, or why there are none.
fn summary(review: &Value) -> String {
    match decide(
        review.get("request").unwrap(),
        &"arn:aws:eks:us-west-2:123456789012:cluster/one".parse().unwrap(),
        &Interest::new(),
        Instant::now(),
    ) {
        Decision::Drop(reason) => format!("dropped: {}", reason.as_str()),
        Decision::Hints(hints) => {
            let scope = "123456789012/us-west-2/";
            let units: Vec<String> =
                hints.iter().map(|hint| hint.hint.unit.to_string().replacen(scope, "", 1)).collect();
            format!("{:?} {}", hints[0].hint.operation, units.join(" "))
        }
    }
}

fn samples() -> BTreeMap<String, Value> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../events");
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let name = |path: &Path| path.file_stem().unwrap().to_str().unwrap().to_owned();
    let reviews = files.filter(|path| name(path).starts_with("admission-"));
    reviews
        .map(|path| (name(&path), serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap()))
        .collect()
}

#[test]
fn each_sample_review_leads_to_its_decision() {
    let decided: BTreeMap<String, String> =
        samples().iter().map(|(name, review)| (name.clone(), summary(review))).collect();
    let expected = [
        ("admission-create-dry-run", "dropped: dry_run"),
        ("admission-create-gateway", "Create gateway/my-hotel"),
        ("admission-create-httproute", "Create route/HTTPRoute/one/default/inventory gateway/my-hotel"),
        (
            "admission-create-serviceexport",
            "Create export/one/default/inventory-ver2 dependents/ServiceExport/one/default/inventory-ver2",
        ),
        (
            "admission-delete-collection-serviceexport",
            "Delete export/one/default/inventory-ver2 dependents/ServiceExport/one/default/inventory-ver2",
        ),
        ("admission-delete-httproute", "Delete route/HTTPRoute/one/default/inventory gateway/my-hotel"),
        ("admission-delete-namespace-gateway", "Delete gateway/my-hotel"),
        ("admission-update-endpointslice", "Update dependents/Service/one/default/inventory-ver1"),
        ("admission-update-gateway", "Update gateway/my-hotel"),
        (
            "admission-update-httproute-bluegreen",
            "Update route/HTTPRoute/one/default/inventory gateway/my-hotel",
        ),
        ("admission-update-last-finalizer", "Delete route/HTTPRoute/one/default/inventory gateway/my-hotel"),
        ("admission-update-namespace-labels", "Update dependents/Namespace/one//hotel"),
        ("admission-update-unchanged", "dropped: no_change"),
    ];
    let expected: BTreeMap<String, String> =
        expected.map(|(name, summary)| (name.to_owned(), summary.to_owned())).into();
    assert_eq!(decided, expected);
}
