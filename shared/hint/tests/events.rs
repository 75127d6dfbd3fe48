//! The samples of CloudTrail's records in `events/`, and what each one leads to.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test says so by failing")]

use trellis_hint::{EVENT_BYTES_MAX, touched};

fn arns(file: &str) -> Vec<String> {
    let path = format!("{}/../../events/lattice-{file}.json", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(path).unwrap();
    assert!(text.len() < EVENT_BYTES_MAX);
    touched(&serde_json::from_str(&text).unwrap()).iter().map(|one| one.arn("aws")).collect()
}

fn arn(resource: &str) -> String {
    format!("arn:aws:vpc-lattice:us-west-2:000000000000:{resource}")
}

#[test]
fn each_sample_tells_which_resource_of_a_unit_it_touched() {
    let service = arn("service/svc-0123456789abcdef0");
    assert_eq!(arns("delete-rule"), [service.as_str()]);
    assert_eq!(arns("update-service"), [service.as_str()]);
    assert_eq!(arns("untag-by-user"), [service.as_str()]);
    assert_eq!(arns("deregister-targets"), [arn("targetgroup/tg-0123456789abcdef0")]);
    let association = arn("servicenetworkvpcassociation/snva-0123456789abcdef0");
    assert_eq!(arns("delete-vpc-association"), [association]);
    assert!(arns("create-service-refused").is_empty());
}
