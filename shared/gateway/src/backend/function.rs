//! A Lambda function as a backend: which one is meant, and whether VPC Lattice may invoke it.
//!
//! | what is known of the function | what becomes of the backend |
//! |---|---|
//! | its policy lets VPC Lattice invoke it | rules lead to it |
//! | its policy does not, and it bears the tag `trellis:invoke` = `allow` | Trellis adds that, then rules lead to it |
//! | its policy does not, and it does not bear the tag | none: `InvokeNotPermitted`, with the command that helps |
//! | Lambda says that it is not there | none: `FunctionNotFound` |
//! | AWS does not tell | what rules lead to it stays; where none does, nothing of the route changes |

use crate::code::Code;
use crate::problem::{Problem, quoted};
use crate::view::View;
use serde_json::Value;
use std::collections::BTreeSet;
use trellis_hint::Scope;
use trellis_lattice::{
    Desired, EventVersion, Function, FunctionFacts, INVOKE_ALLOW, Invocation, TAG_INVOKE, Target,
};

/// The service that invokes.
const PRINCIPAL: &str = "vpc-lattice.amazonaws.com";
/// Characters of a function's name and of a qualifier (Lambda's API model).
const NAME_CHARS_MAX: usize = 64;
const QUALIFIER_CHARS_MAX: usize = 128;
/// The statement's id in the command for people.
const STATEMENT: &str = "trellis-by-hand";

/// A function that a Backend names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Lambda {
    /// ARN, with the version or the alias if one is meant.
    pub(crate) arn: String,
    pub(crate) version: EventVersion,
}

/// The ARN of a function that is named by its name or ARN, of this account and Region.
pub(crate) fn arn(function: &str, qualifier: Option<&str>, scope: &Scope) -> Result<String, Problem> {
    let refuse = |text: String| Err(Problem::new(Code::BackendValue, "spec.lambda.function", text));
    let is_word = |text: &str, most: usize| {
        (1..=most).contains(&text.len())
            && text.bytes().all(|one| one.is_ascii_alphanumeric() || matches!(one, b'-' | b'_'))
    };
    let own = |name: &str| {
        format!("arn:{}:lambda:{}:{}:function:{name}", scope.partition(), scope.region, scope.account)
    };
    let parts: Vec<&str> = function.split(':').collect();
    let (name, of_arn) = match parts.as_slice() {
        [name] => (*name, None),
        ["arn", partition, "lambda", region, account, "function", name, of_arn @ ..] if of_arn.len() < 2 => {
            if (*account, *region, *partition) != (&*scope.account, &*scope.region, scope.partition()) {
                return refuse(format!(
                    "The function is of account {} in {}, and VPC Lattice leads to functions of its service's account and \
                     Region only, {} in {}; name one of these",
                    quoted(account),
                    quoted(region),
                    scope.account,
                    scope.region
                ));
            }
            (*name, of_arn.first().copied())
        }
        _ => {
            return refuse(format!(
                "{} is neither a function's name nor its ARN; write arn:aws:lambda:<Region>:<account>:function:<name>",
                quoted(function)
            ));
        }
    };
    if !is_word(name, NAME_CHARS_MAX) {
        return refuse(format!("{} is no name of a function; correct it", quoted(name)));
    }
    if of_arn.is_some() && qualifier.is_some() {
        let text = "The function's ARN has a qualifier already; leave one of the two out";
        return Err(Problem::new(Code::BackendValue, "spec.lambda.qualifier", text));
    }
    match of_arn.or(qualifier) {
        None => Ok(own(name)),
        Some(qualifier) if is_word(qualifier, QUALIFIER_CHARS_MAX) => {
            Ok(format!("{}:{qualifier}", own(name)))
        }
        Some(qualifier) => {
            let text = format!("{} is neither a version nor an alias; correct it", quoted(qualifier));
            Err(Problem::new(Code::BackendValue, "spec.lambda.qualifier", text))
        }
    }
}

/// Whether VPC Lattice may invoke a function, or is to be allowed to. None: neither.
pub(crate) fn invocation(function: &Function, arn: &str) -> Option<Invocation> {
    if function.policy.as_deref().is_some_and(|policy| may_invoke(policy, arn)) {
        return Some(Invocation::Allowed);
    }
    let is_open = function.tags.get(TAG_INVOKE).is_some_and(|value| value == INVOKE_ALLOW);
    is_open.then_some(Invocation::ToBeAllowed)
}

/// The command by which a person allows it.
pub(crate) fn command(arn: &str, scope: &Scope) -> String {
    let (function, qualifier) = parts(arn);
    let qualifier = qualifier.map(|qualifier| format!(" --qualifier {qualifier}")).unwrap_or_default();
    format!(
        "aws lambda add-permission --region {} --function-name {function}{qualifier} --statement-id {STATEMENT} --action \
         lambda:InvokeFunction --principal {PRINCIPAL} --source-arn '{}'",
        scope.region,
        source(scope)
    )
}

/// The target groups that may lead to a function: those of its own account and Region.
fn source(scope: &Scope) -> String {
    groups(scope.partition(), &scope.region, &scope.account)
}

fn groups(partition: &str, region: &str, account: &str) -> String {
    format!("arn:{partition}:vpc-lattice:{region}:{account}:targetgroup/*")
}

/// The ARN without a qualifier, and that.
fn parts(arn: &str) -> (&str, Option<&str>) {
    match arn.match_indices(':').nth(6) {
        Some((at, _)) => (&arn[..at], arn.get(at + 1..)),
        None => (arn, None),
    }
}

/// Whether a resource-based policy lets VPC Lattice invoke a function for any target group of the function's account and Region: a group
/// has an ARN only once it is made, so that what is for some groups alone is not for ours. A statement that denies counts for more.
///
/// Of a condition that is not known here, an Allow is not for us, and a Deny is.
fn may_invoke(policy: &str, arn: &str) -> bool {
    let Ok(policy) = serde_json::from_str::<Value>(policy) else { return false };
    let one_or_many = |value: &Value| match value {
        Value::Array(all) => all.clone(),
        Value::Null => vec![],
        one => vec![one.clone()],
    };
    let texts = |value: Option<&Value>| -> Vec<String> {
        let all = value.map(one_or_many).unwrap_or_default();
        all.iter().filter_map(Value::as_str).map(str::to_owned).collect()
    };
    let at = |at: usize| arn.split(':').nth(at).unwrap_or_default();
    let (account, group) = (at(4), groups(at(1), at(3), at(4)));
    let is_met = |operator: &str, key: &str, values: &[String]| {
        let operator = operator.trim_end_matches("IfExists");
        let takes_patterns = matches!(operator, "StringLike" | "ArnLike" | "ArnEquals");
        if !takes_patterns && operator != "StringEquals" {
            return None;
        }
        let is_one =
            |wanted: &str| values.iter().any(|one| one == wanted || takes_patterns && covers(one, wanted));
        match key.to_ascii_lowercase().as_str() {
            "aws:sourceaccount" => Some(is_one(account)),
            "aws:sourcearn" => Some(takes_patterns && is_one(&group)),
            _ => None,
        }
    };
    let is_for_us = |statement: &Value, otherwise: bool| {
        let condition = statement.get("Condition").and_then(Value::as_object);
        let mut keys = condition.into_iter().flatten().flat_map(|(operator, keys)| {
            keys.as_object().into_iter().flatten().map(move |(key, values)| (operator, key, values))
        });
        keys.all(|(operator, key, values)| is_met(operator, key, &texts(Some(values))).unwrap_or(otherwise))
    };
    let says = |statement: &Value, effect: &str| {
        let principal = statement.get("Principal");
        let services = principal.and_then(|principal| principal.get("Service"));
        let is_whoever = principal.and_then(Value::as_str) == Some("*");
        let is_us = is_whoever || texts(services).iter().any(|one| one == PRINCIPAL || one == "*");
        let actions = texts(statement.get("Action"));
        let is_invoke = |one: &String| {
            let one = one.to_ascii_lowercase();
            let invoke = "lambda:invokefunction";
            one.strip_suffix('*').map_or(one == invoke, |start| invoke.starts_with(start))
        };
        statement.get("Effect").and_then(Value::as_str) == Some(effect)
            && is_us
            && actions.iter().any(is_invoke)
            && is_for_us(statement, effect == "Deny")
    };
    let statements = policy.get("Statement").map(one_or_many).unwrap_or_default();
    statements.iter().any(|one| says(one, "Allow")) && !statements.iter().any(|one| says(one, "Deny"))
}

/// Whether a pattern with `*` and `?` covers a text, in which a star stands for any characters. As many steps as both are long: a
/// policy is its owner's text.
fn covers(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    // Which beginnings of the text the pattern so far covers.
    let mut covered = vec![false; text.len() + 1];
    covered[0] = true;
    for one in pattern {
        let before = covered.clone();
        covered[0] = before[0] && one == '*';
        for at in 1..covered.len() {
            covered[at] = match one {
                '*' => before[at] || covered[at - 1],
                '?' => before[at - 1] && text[at - 1] != '*',
                one => before[at - 1] && text[at - 1] == one,
            };
        }
    }
    covered[text.len()]
}

/// What of the functions that the wish's target groups lead to may be invoked. Of one of which nothing is known what is there stays.
pub(crate) fn allow(view: &View, desired: &mut Desired) {
    let targets = desired.target_groups.iter().flat_map(|group| &group.targets);
    let functions: BTreeSet<String> = targets.filter_map(Target::function).map(str::to_owned).collect();
    for arn in functions {
        let said = match view.snapshot.functions.get(&arn) {
            None | Some(FunctionFacts::Unknown(_)) => Some(Invocation::Allowed),
            Some(FunctionFacts::Missing) => None,
            Some(FunctionFacts::Known(function)) => invocation(function, &arn),
        };
        if let Some(said) = said {
            desired.functions.insert(arn, said);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const ARN: &str = "arn:aws:lambda:us-west-2:123456789012:function:rates";

    fn scope() -> Scope {
        Scope::new("123456789012", "us-west-2").unwrap()
    }

    #[test]
    fn a_function_is_named_by_its_name_or_its_arn() {
        let arn = |function: &str, qualifier: Option<&str>| {
            super::arn(function, qualifier, &scope()).map_err(|one| one.to_string())
        };
        assert_eq!(arn("rates", None).unwrap(), ARN);
        assert_eq!(arn(ARN, None).unwrap(), ARN);
        assert_eq!(arn("rates", Some("live")).unwrap(), format!("{ARN}:live"));
        assert_eq!(arn(&format!("{ARN}:7"), None).unwrap(), format!("{ARN}:7"));
        let versions = [format!("{ARN}:7"), format!("{ARN}:7:8")];
        for (function, qualifier) in [
            ("", None),
            ("a b", None),
            ("rates;rm", None),
            ("a:b", None),
            (&*versions[0], Some("live")),
            (&*versions[1], None),
            ("rates", Some("a b")),
            ("arn:aws:lambda:us-west-2:210987654321:function:rates", None),
            ("arn:aws:lambda:eu-west-1:123456789012:function:rates", None),
            ("arn:aws:s3:us-west-2:123456789012:function:rates", None),
        ] {
            assert!(arn(function, qualifier).is_err(), "{function} {qualifier:?}");
        }
    }

    #[test]
    fn the_command_is_for_the_qualifier_that_is_meant() {
        let text = command(&format!("{ARN}:live"), &scope());
        assert!(text.contains(&format!("--function-name {ARN} --qualifier live --statement-id")), "{text}");
        assert!(!command(ARN, &scope()).contains("qualifier"));
    }

    #[test]
    fn a_policy_is_read_as_lambda_writes_it() {
        let statement = |change: Value| {
            let mut statement = json!({"Sid": "x", "Effect": "Allow", "Principal": {"Service": PRINCIPAL},
                "Action": "lambda:InvokeFunction", "Resource": ARN});
            statement.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
            statement
        };
        let may = |all: Vec<Value>| {
            may_invoke(&json!({"Version": "2012-10-17", "Statement": all}).to_string(), ARN)
        };
        let arn = |text: &str| statement(json!({"Condition": {"ArnLike": {"AWS:SourceArn": text}}}));
        assert!(may(vec![statement(json!({}))]));
        let of_one_group = "arn:aws:vpc-lattice:us-west-2:123456789012:targetgroup/tg-0a1b2c3d4e5f60001";
        assert!(!may(vec![arn(of_one_group)]), "ours may be another");
        assert!(may(vec![arn("arn:aws:vpc-lattice:*:targetgroup/*")]));
        let conditioned = |effect: &str, condition: Value| {
            statement(json!({"Effect": effect, "Principal": "*", "Condition": condition}))
        };
        let by_url = || json!({"Bool": {"lambda:InvokedViaFunctionUrl": "true"}});
        assert!(!may(vec![conditioned("Allow", by_url())]), "a public URL is not for VPC Lattice");
        assert!(!may(vec![statement(json!({})), conditioned("Deny", by_url())]), "it may be for VPC Lattice");
        let elsewhere = || json!({"ArnLike": {"aws:SourceArn": "arn:aws:events:*"}});
        assert!(may(vec![statement(json!({})), conditioned("Deny", elsewhere())]));
        let stars = "*a".repeat(500);
        assert!(!may(vec![arn(&stars)]), "and takes no time");
        assert!(may(vec![arn("arn:aws:vpc-lattice:us-west-2:123456789012:targetgroup/*")]));
        assert!(may(vec![statement(json!({"Action": ["lambda:GetFunction", "lambda:Invoke*"]}))]));
        assert!(may(vec![statement(
            json!({"Condition": {"StringEquals": {"AWS:SourceAccount": "123456789012"}}})
        )]));
        assert!(!may(vec![]));
        assert!(!may(vec![statement(json!({"Principal": {"Service": "events.amazonaws.com"}}))]));
        assert!(!may(vec![statement(json!({"Action": "lambda:GetFunction"}))]));
        assert!(!may(vec![arn("arn:aws:vpc-lattice:us-west-2:210987654321:targetgroup/*")]));
        assert!(!may(vec![arn("arn:aws:events:us-west-2:123456789012:rule/x")]));
        assert!(!may(vec![statement(json!({})), statement(json!({"Effect": "Deny"}))]));
        assert!(!may_invoke("no JSON", ARN) && !may_invoke("7", ARN));
    }
}
