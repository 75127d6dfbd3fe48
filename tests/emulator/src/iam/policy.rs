//! Policy documents and what they say to a question.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::Identity;
use super::condition;

/// What a policy says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// A statement denies it.
    Deny,
    /// A statement allows it and none denies it.
    Allow,
    /// No statement speaks of it.
    Nothing,
}

/// Values of condition keys; keys are in lower case.
pub type Context = BTreeMap<String, Vec<String>>;

/// A call that somebody wants to make.
#[derive(Debug)]
pub struct Question<'a> {
    /// The caller; absent = anonymous.
    pub caller: Option<&'a Identity>,
    /// `vpc-lattice-svcs:Invoke` or `vpc-lattice-svcs:Connect`.
    pub action: &'a str,
    /// ARN of the service, with the path for Invoke.
    pub resource: String,
    /// Condition keys.
    pub context: Context,
}

/// A policy document.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct PolicyDocument {
    #[serde(default)]
    statement: OneOrMany<Statement>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum OneOrMany<T> {
    One(T),
    Many(Vec<T>),
}

impl<T> Default for OneOrMany<T> {
    fn default() -> Self {
        Self::Many(Vec::new())
    }
}

impl<T> OneOrMany<T> {
    fn as_slice(&self) -> &[T] {
        match self {
            Self::One(one) => std::slice::from_ref(one),
            Self::Many(many) => many,
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Statement {
    effect: String,
    principal: Option<Value>,
    not_principal: Option<Value>,
    action: Option<OneOrMany<String>>,
    not_action: Option<OneOrMany<String>>,
    resource: Option<OneOrMany<String>>,
    not_resource: Option<OneOrMany<String>>,
    #[serde(default)]
    condition: BTreeMap<String, BTreeMap<String, Value>>,
}

impl PolicyDocument {
    /// Reads a document.
    ///
    /// # Errors
    /// When the text is no policy.
    pub fn read(text: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(text)
    }

    /// What the policy says. `of_resource` = its statements have principals.
    pub fn ask(&self, question: &Question<'_>, of_resource: bool) -> Effect {
        let mut allowed = false;
        for statement in self.statement.as_slice().iter().filter(|it| it.speaks_of(question, of_resource)) {
            match statement.effect.as_str() {
                "Deny" => return Effect::Deny,
                "Allow" => allowed = true,
                _ => {}
            }
        }
        if allowed { Effect::Allow } else { Effect::Nothing }
    }
}

impl Statement {
    fn speaks_of(&self, question: &Question<'_>, of_resource: bool) -> bool {
        let principal = match (&self.principal, &self.not_principal) {
            _ if !of_resource => true,
            (Some(principal), _) => principal_fits(principal, question.caller),
            (None, Some(principal)) => !principal_fits(principal, question.caller),
            (None, None) => false,
        };
        let listed =
            |list: &Option<OneOrMany<String>>, not: &Option<OneOrMany<String>>, value: &str, fold| {
                let any =
                    |list: &OneOrMany<String>| list.as_slice().iter().any(|it| wildcard(it, value, fold));
                match (list, not) {
                    (Some(list), _) => any(list),
                    (None, Some(not)) => !any(not),
                    (None, None) => false,
                }
            };
        principal
            && listed(&self.action, &self.not_action, question.action, true)
            && listed(&self.resource, &self.not_resource, &question.resource, false)
            && condition::hold(&self.condition, &question.context)
    }
}

/// Whether a principal element means the caller.
fn principal_fits(principal: &Value, caller: Option<&Identity>) -> bool {
    match principal {
        Value::String(all) => all == "*",
        Value::Object(kinds) => kinds.get("AWS").is_some_and(|named| {
            let one = std::slice::from_ref(named);
            let list = named.as_array().map_or(one, Vec::as_slice);
            list.iter().filter_map(Value::as_str).any(|named| named_fits(named, caller))
        }),
        _ => false,
    }
}

fn named_fits(named: &str, caller: Option<&Identity>) -> bool {
    if named == "*" {
        return true;
    }
    caller.is_some_and(|caller| {
        named == caller.principal
            || caller.role().as_deref() == Some(named)
            || named == caller.account()
            || named == format!("arn:aws:iam::{}:root", caller.account())
    })
}

/// Whether a text fits a pattern with `*` and `?`. `fold` ignores the case of ASCII letters.
pub(super) fn wildcard(pattern: &str, text: &str, fold: bool) -> bool {
    let chars = |text: &str| -> Vec<char> {
        if fold { text.to_ascii_lowercase().chars().collect() } else { text.chars().collect() }
    };
    let (pattern, text) = (chars(pattern), chars(text));
    // Position after the last star, and the place in the text up to which that star reaches.
    let (mut at, mut seen, mut star) = (0, 0, None);
    while seen < text.len() {
        match pattern.get(at) {
            Some('*') => {
                star = Some((at + 1, seen));
                at += 1;
            }
            Some(c) if *c == '?' || text.get(seen) == Some(c) => {
                at += 1;
                seen += 1;
            }
            _ => match star {
                Some((after, reach)) => {
                    at = after;
                    seen = reach + 1;
                    star = Some((after, reach + 1));
                }
                None => return false,
            },
        }
    }
    pattern.get(at..).is_some_and(|rest| rest.iter().all(|c| *c == '*'))
}
