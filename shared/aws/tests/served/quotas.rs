//! Quotas.

use crate::server::Server;
use serde_json::json;
use trellis_lattice::Limits;

#[tokio::test]
async fn quotas_that_apply_are_read_once_and_those_that_are_not_told_have_aws_defaults() {
    let page = |code: &str, value: f64, next: Option<&str>| {
        let quota = json!({"QuotaCode": code, "Value": value, "ServiceCode": "vpc-lattice"});
        (200, json!({"Quotas": [quota], "NextToken": next}))
    };
    let server =
        Server::in_order(vec![page("L-BB11C6B9", 1_200.0, Some("t")), page("L-CF78395E", 20.0, None)]);
    let quotas = server.aws().await.quotas();
    let limits = Limits { target_groups_per_region: 1_200, rules_per_listener: 20, ..Limits::default() };
    assert_eq!(quotas.limits().await, limits);
    assert_eq!(quotas.limits().await, limits);
    let asked = server.asked();
    assert_eq!(asked.len(), 2, "{asked:?}");
    assert_eq!(asked[0].target, "ServiceQuotasV20190624.ListServiceQuotas");
    assert_eq!(asked[0].body["ServiceCode"], "vpc-lattice");
    assert_eq!(asked[1].body["NextToken"], "t");
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
