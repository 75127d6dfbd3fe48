//! How much a finding matters, and what is said of its code.

use serde::Serialize;
use std::fmt;

/// How much a finding matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// It passes by itself.
    Note,
    /// All that is asked for is in force but for a detail.
    Warning,
    /// Something that is asked for is not in force.
    Error,
}

impl Level {
    /// In one word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What is said of a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Explanation {
    /// In a few words.
    pub title: &'static str,
    /// In a sentence.
    pub meaning: &'static str,
    /// What helps, in a sentence.
    pub remedy: &'static str,
}
