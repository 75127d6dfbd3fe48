//! What Lambda tells of functions, and the one thing that is asked of it.

use crate::server::{Answer, Asked, Server};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::Arc;
use trellis_aws::AwsLattice;
use trellis_lattice::{FunctionFacts, LimitOverrides};
use trellis_ports::Facts;

const ARN: &str = "arn:aws:lambda:us-west-2:123456789012:function:rates";
const PATH: &str = "arn%3Aaws%3Alambda%3Aus-west-2%3A123456789012%3Afunction%3Arates";

async fn told(server: &Server, arn: &str) -> FunctionFacts {
    let lattice = AwsLattice::new(&server.aws().await, LimitOverrides::default(), false);
    let mut told = lattice.functions(&BTreeSet::from([arn.to_owned()])).await;
    told.remove(arn).unwrap()
}

/// Answers reads of tags and of the policy.
fn lambda(tags: (u16, Value), policy: (u16, Value)) -> Server {
    let answers = Arc::new((tags, policy));
    Server::start(move |asked: &Asked| {
        let (status, body) = if asked.line.contains("/tags/") { &answers.0 } else { &answers.1 };
        Answer::json(*status, body)
    })
}

fn missing() -> (u16, Value) {
    (404, json!({"__type": "ResourceNotFoundException", "Message": "Function not found"}))
}

#[tokio::test]
async fn tags_and_the_policy_of_the_qualifier_are_read_and_nothing_else() {
    let server = lambda((200, json!({"Tags": {"trellis:invoke": "allow"}})), (200, json!({"Policy": "{}"})));
    let FunctionFacts::Known(function) = told(&server, &format!("{ARN}:live")).await else {
        panic!("it is there")
    };
    assert_eq!((function.tags["trellis:invoke"].as_str(), function.policy.as_deref()), ("allow", Some("{}")));
    let mut lines: Vec<String> = server.asked().into_iter().map(|asked| asked.line).collect();
    lines.sort();
    let expected = [
        format!("GET /2015-03-31/functions/{PATH}/policy?Qualifier=live HTTP/1.1"),
        format!("GET /2017-03-31/tags/{PATH} HTTP/1.1"),
    ];
    assert_eq!(lines, expected);
}

#[tokio::test]
async fn a_function_is_missing_only_where_lambda_says_so() {
    let none = lambda(missing(), missing());
    assert_eq!(told(&none, ARN).await, FunctionFacts::Missing);
    let closed = lambda((200, json!({})), missing());
    assert!(matches!(told(&closed, ARN).await, FunctionFacts::Known(function) if function.policy.is_none()));
    for answer in [
        (403, json!({"__type": "AccessDeniedException", "Message": "not authorized"})),
        (200, json!("no tags")),
        (400, json!({"__type": "ValidationException", "Message": "what?"})),
    ] {
        let server = lambda(answer.clone(), (200, json!({"Policy": "{}"})));
        assert!(matches!(told(&server, ARN).await, FunctionFacts::Unknown(_)), "{answer:?}");
        let server = lambda((200, json!({})), answer.clone());
        assert!(matches!(told(&server, ARN).await, FunctionFacts::Unknown(_)), "{answer:?}");
    }
}
