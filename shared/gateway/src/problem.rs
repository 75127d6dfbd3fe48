//! What is wrong with a user's object: never an error of the program, always a condition or a warning.

use crate::code::Code;
use std::fmt;

/// Problems that one message lists; the rest is counted. A condition's message is read by a person.
pub(crate) const PROBLEMS_SHOWN_MAX: usize = 5;

/// Characters of a quoted value in a message, so that no object can blow a message up.
const VALUE_CHARS_MAX: usize = 60;

/// A field, what is wrong with it, and the remedy.
///
/// Without its code it stands in conditions, with it in warnings ([`Problem::coded`]).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// The field's path, such as `spec.rules[0].matches[0].queryParams`; of a finding that is of no field something that names it.
    pub path: String,
    /// One sentence without its full stop: what is wrong, and after a semicolon what helps.
    pub text: String,
    /// What it is about. Last, since problems are sorted by where they are.
    pub code: Code,
}

impl Problem {
    pub(crate) fn new(code: Code, path: impl Into<String>, text: impl Into<String>) -> Self {
        Self { path: path.into(), text: text.into(), code }
    }

    /// With its code before it.
    pub fn coded(&self) -> String {
        format!("{} {self}", self.code)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}.", self.path, self.text)
    }
}

/// The problems as one message, in their order, bounded.
pub(crate) fn message<'a>(problems: impl IntoIterator<Item = &'a Problem>) -> String {
    let all: Vec<String> = problems.into_iter().map(ToString::to_string).collect();
    let shown = all.iter().take(PROBLEMS_SHOWN_MAX).cloned().collect::<Vec<_>>().join(" ");
    match all.len().saturating_sub(PROBLEMS_SHOWN_MAX) {
        0 => shown,
        more => format!("{shown} And {more} more."),
    }
}

/// Whether a text has a message that leaves problems out: statuses are searched for that.
pub(crate) fn is_cut(text: &str) -> bool {
    let counts =
        |after: &str| after.split_once(" more.").is_some_and(|(count, _)| count.parse::<usize>().is_ok());
    text.split(" And ").skip(1).any(counts)
}

/// A user's text as it may stand in a message: in quotes, without control characters, not too long.
pub(crate) fn quoted(text: &str) -> String {
    let mut shown: String = text.chars().filter(|c| !c.is_control()).take(VALUE_CHARS_MAX).collect();
    if text.chars().count() > VALUE_CHARS_MAX {
        shown.push('…');
    }
    format!("\"{shown}\"")
}
