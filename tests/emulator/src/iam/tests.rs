//! Tests of policies. Signatures are tested with AWS's own signer in the suites of the Python clients.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::policy::wildcard;
use super::{Context, Identity, Policies, Question, Side, decide};

const RESOURCE: &str = "arn:aws:vpc-lattice:us-west-2:000000000000:service/svc-0/path";

fn caller(policies: Option<Vec<Value>>) -> Identity {
    Identity {
        access_key: "AKID".to_owned(),
        secret_key: "secret".to_owned(),
        session_token: None,
        principal: "arn:aws:sts::111122223333:assumed-role/clients/session".to_owned(),
        org_id: Some("o-1".to_owned()),
        tags: BTreeMap::new(),
        policies,
    }
}

fn question(caller: Option<&Identity>) -> Question<'_> {
    let context = Context::from([
        ("vpc-lattice-svcs:requestmethod".to_owned(), vec!["GET".to_owned()]),
        ("vpc-lattice-svcs:port".to_owned(), vec!["80".to_owned()]),
        ("vpc-lattice-svcs:requestqueryorder".to_owned(), vec!["a".to_owned(), "b".to_owned()]),
    ]);
    Question { caller, action: "vpc-lattice-svcs:Invoke", resource: RESOURCE.to_owned(), context }
}

#[expect(clippy::needless_pass_by_value, reason = "tests write their statements in place")]
fn statement(effect: &str, more: Value) -> Value {
    let mut statement = json!({"Effect": effect, "Principal": "*", "Action": "vpc-lattice-svcs:Invoke",
                               "Resource": "*"});
    statement.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    statement
}

fn allowed(caller: Option<&Identity>, statements: &[Value]) -> bool {
    let policy = json!({"Version": "2012-10-17", "Statement": statements}).to_string();
    let policies = Policies { network: None, service: Some(Some(&policy)) };
    decide(&policies, &question(caller)).is_ok()
}

#[test]
fn aws_iam_without_a_policy_denies_all_and_without_aws_iam_nothing_is_asked() {
    let denial = decide(&Policies { network: None, service: Some(None) }, &question(None)).unwrap_err();
    assert_eq!(denial.side, Some(Side::Service));
    assert!(denial.message.contains("User: anonymous is not authorized"), "{}", denial.message);
    assert!(decide(&Policies::default(), &question(None)).is_ok());
}

#[test]
fn anonymous_callers_are_allowed_by_the_principal_star_only() {
    assert!(allowed(None, &[statement("Allow", json!({}))]));
    let named = statement("Allow", json!({"Principal": {"AWS": "111122223333"}}));
    assert!(!allowed(None, &[named]));
}

#[test]
fn a_caller_is_named_by_session_role_account_or_root() {
    let caller = caller(None);
    for named in [
        "arn:aws:sts::111122223333:assumed-role/clients/session",
        "arn:aws:iam::111122223333:role/clients",
        "111122223333",
        "arn:aws:iam::111122223333:root",
        "*",
    ] {
        let statement = statement("Allow", json!({"Principal": {"AWS": [named]}}));
        assert!(allowed(Some(&caller), &[statement]), "{named}");
    }
    let other = statement("Allow", json!({"Principal": {"AWS": "arn:aws:iam::111122223333:role/other"}}));
    assert!(!allowed(Some(&caller), &[other]));
}

#[test]
fn a_deny_wins_over_an_allow() {
    let statements = [statement("Allow", json!({})), statement("Deny", json!({}))];
    assert!(!allowed(None, &statements));
}

#[test]
fn network_service_and_caller_must_all_allow() {
    let yes = json!({"Statement": [statement("Allow", json!({}))]}).to_string();
    let no = json!({"Statement": []}).to_string();
    let own = |effect: &str| vec![json!({"Statement": {"Effect": effect, "Action": "*", "Resource": "*"}})];
    let table = [
        (&yes, &yes, Some(own("Allow")), None),
        (&yes, &yes, None, None),
        (&no, &yes, None, Some(Side::Network)),
        (&yes, &no, None, Some(Side::Service)),
        (&yes, &yes, Some(own("Deny")), Some(Side::Identity)),
        (&yes, &yes, Some(Vec::new()), Some(Side::Identity)),
    ];
    for (network, service, own, expected) in table {
        let caller = caller(own);
        let policies = Policies { network: Some(Some(network)), service: Some(Some(service)) };
        let denied = decide(&policies, &question(Some(&caller))).err().and_then(|denial| denial.side);
        assert_eq!(denied, expected);
    }
}

#[test]
fn conditions_hold_by_this_table() {
    let key = "vpc-lattice-svcs:RequestMethod";
    let table = [
        ("StringEquals", key, json!("GET"), true),
        ("StringEquals", key, json!(["PUT", "GET"]), true),
        ("StringEquals", key, json!("get"), false),
        ("StringEqualsIgnoreCase", key, json!("get"), true),
        ("StringNotEquals", key, json!("PUT"), true),
        ("StringNotEquals", key, json!(["PUT", "GET"]), false),
        ("StringLike", key, json!("G*"), true),
        ("StringNotLike", key, json!("G*"), false),
        ("NumericEquals", "vpc-lattice-svcs:Port", json!(80), true),
        ("NumericLessThan", "vpc-lattice-svcs:Port", json!("80"), false),
        ("StringEquals", "aws:PrincipalOrgID", json!("o-1"), false),
        ("StringEqualsIfExists", "aws:PrincipalOrgID", json!("o-1"), true),
        ("StringNotEquals", "aws:PrincipalOrgID", json!("o-1"), true),
        ("Null", "aws:PrincipalOrgID", json!("true"), true),
        ("Null", key, json!(true), false),
        ("ForAnyValue:StringEquals", "vpc-lattice-svcs:RequestQueryOrder", json!("b"), true),
        ("ForAllValues:StringEquals", "vpc-lattice-svcs:RequestQueryOrder", json!("b"), false),
        ("ForAllValues:StringEquals", "vpc-lattice-svcs:RequestQueryOrder", json!(["a", "b"]), true),
        ("Unheard", key, json!("GET"), false),
    ];
    for (operator, key, wanted, expected) in table {
        let condition = json!({"Condition": {operator: {key: wanted}}});
        let holds = allowed(None, &[statement("Allow", condition.clone())]);
        assert_eq!(holds, expected, "{condition}");
    }
}

#[test]
fn resources_and_actions_match_with_wildcards_and_their_negations() {
    for (more, expected) in [
        (json!({"Resource": "arn:aws:vpc-lattice:*:*:service/svc-0/*"}), true),
        (json!({"Resource": "arn:aws:vpc-lattice:*:*:service/svc-1/*"}), false),
        (json!({"Resource": "arn:aws:vpc-lattice:us-west-?:*/path"}), true),
        (json!({"Action": "VPC-LATTICE-SVCS:*"}), true),
        (json!({"Action": "vpc-lattice-svcs:Connect"}), false),
    ] {
        assert_eq!(allowed(None, &[statement("Allow", more.clone())]), expected, "{more}");
    }
    let not = json!({"Effect": "Allow", "Principal": "*", "NotAction": "x:*", "NotResource": "y"});
    assert!(allowed(None, &[not]));
}

#[test]
fn wildcards_match_by_this_table() {
    for (pattern, text, expected) in [
        ("*", "", true),
        ("a*c", "abbc", true),
        ("a*c", "abbd", false),
        ("a*b*c", "a1b2b3c", true),
        ("a?c", "abc", true),
        ("a?c", "ac", false),
        ("", "", true),
        ("a", "ab", false),
        ("**a", "ba", true),
    ] {
        assert_eq!(wildcard(pattern, text, false), expected, "{pattern} {text}");
    }
}
