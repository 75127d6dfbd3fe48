//! Quotas.

use crate::server::Server;
use serde_json::{Value, json};
use trellis_lattice::Limits;

/// A page of quotas by their codes.
fn page(values: &[(&str, f64)], next: Option<&str>) -> (u16, Value) {
    let quota = |(code, value): &(&str, f64)| json!({"QuotaCode": code, "Value": value, "ServiceCode": "vpc-lattice"});
    (200, json!({"Quotas": values.iter().map(quota).collect::<Vec<_>>(), "NextToken": next}))
}

const ALL: [&str; 9] = [
    "L-CF78395E",
    "L-D64E952E",
    "L-3DEC3B9F",
    "L-D71303F3",
    "L-75D4A19E",
    "L-EF6E2D62",
    "L-9CAD07FB",
    "L-620C821E",
    "L-BB11C6B9",
];

#[tokio::test]
async fn quotas_that_apply_are_read_once_over_all_pages() {
    let first = ALL.map(|code| (code, 20.0));
    let server = Server::in_order(vec![page(&first[..4], Some("t")), page(&first[4..], None)]);
    let quotas = server.aws().await.quotas();
    let limits = quotas.limits().await;
    assert_eq!((limits.rules_per_listener, limits.target_groups_per_region), (20, 20));
    assert_eq!(limits.priority_max, Limits::default().priority_max, "not a quota");
    assert_eq!(quotas.limits().await, limits);
    let asked = server.asked();
    assert_eq!(asked.len(), 2, "{asked:?}");
    assert_eq!(asked[0].target, "ServiceQuotasV20190624.ListServiceQuotas");
    assert_eq!(asked[0].body["ServiceCode"], "vpc-lattice");
    assert_eq!(asked[1].body["NextToken"], "t");
}

#[tokio::test]
async fn a_quota_whose_applied_value_is_not_told_has_the_default_that_aws_tells() {
    let applied = page(&[("L-BB11C6B9", 1_200.0)], None);
    let defaults = page(&[("L-BB11C6B9", 500.0), ("L-CF78395E", 12.0)], None);
    let server = Server::in_order(vec![applied, defaults]);
    let limits = Limits { target_groups_per_region: 1_200, rules_per_listener: 12, ..Limits::default() };
    assert_eq!(server.aws().await.quotas().limits().await, limits);
    assert_eq!(server.asked()[1].target, "ServiceQuotasV20190624.ListAWSDefaultServiceQuotas");
}

#[tokio::test]
async fn defaults_count_when_quotas_may_not_be_read_and_the_refusal_is_not_asked_for_again_at_once() {
    let denied = json!({"__type": "AccessDeniedException", "Message": "not authorized"});
    let server = Server::in_order(vec![(400, denied)]);
    let quotas = server.aws().await.quotas();
    assert_eq!(quotas.limits().await, Limits::default());
    assert_eq!(quotas.limits().await, Limits::default());
    assert_eq!(server.asked().len(), 1);
}
