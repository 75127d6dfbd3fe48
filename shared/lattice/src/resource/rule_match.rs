//! What a request must look like for a rule.

use serde::{Deserialize, Serialize};
use std::fmt::{Display, Formatter, Result as Written};

/// Conditions that must all hold.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct RuleMatch {
    /// The path, always case-sensitive here.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub path: Option<PathMatch>,
    /// Upper-case method.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub method: Option<String>,
    /// At most five.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub headers: Vec<HeaderMatch>,
}

/// How a path is compared.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum PathMatch {
    /// The whole path.
    Exact(String),
    /// The path begins so. Whether VPC Lattice means characters or path elements is not documented.
    Prefix(String),
}

/// One header's condition.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HeaderMatch {
    /// Compared without regard to case.
    pub name: String,
    /// How the value is compared.
    pub value: ValueMatch,
    /// Whether case counts in the value.
    pub case_sensitive: bool,
}

/// How a header's value is compared.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ValueMatch {
    /// The whole value.
    Exact(String),
    /// The value begins so.
    Prefix(String),
    /// The value has this in it.
    Contains(String),
}

impl RuleMatch {
    /// The one form of all matches that hold for the same requests: headers sorted, their names in lower case.
    #[must_use]
    pub fn normalised(&self) -> Self {
        let mut normal = self.clone();
        for header in &mut normal.headers {
            header.name.make_ascii_lowercase();
        }
        normal.headers.sort();
        normal
    }
}

impl Display for RuleMatch {
    fn fmt(&self, f: &mut Formatter<'_>) -> Written {
        let path = self.path.iter().map(|path| match path {
            PathMatch::Exact(path) => format!("path={path}"),
            PathMatch::Prefix(path) => format!("path={path}*"),
        });
        let method = self.method.iter().map(|method| format!("method={method}"));
        let headers = self.headers.iter().map(HeaderMatch::to_string);
        let all: Vec<String> = path.chain(method).chain(headers).collect();
        f.write_str(if all.is_empty() { "anything" } else { "" })?;
        f.write_str(&all.join(" "))
    }
}

impl Display for HeaderMatch {
    fn fmt(&self, f: &mut Formatter<'_>) -> Written {
        match &self.value {
            ValueMatch::Exact(value) => write!(f, "{}={value}", self.name)?,
            ValueMatch::Prefix(value) => write!(f, "{}={value}*", self.name)?,
            ValueMatch::Contains(value) => write!(f, "{}=*{value}*", self.name)?,
        }
        f.write_str(if self.case_sensitive { "" } else { " (any case)" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_of_headers_and_the_case_of_their_names_do_not_matter() {
        let header = |name: &str, value: &str| HeaderMatch {
            name: name.into(),
            value: ValueMatch::Exact(value.into()),
            case_sensitive: true,
        };
        let a = RuleMatch { headers: vec![header("X-B", "1"), header("x-a", "2")], ..RuleMatch::default() };
        let b = RuleMatch { headers: vec![header("X-A", "2"), header("x-b", "1")], ..RuleMatch::default() };
        assert_ne!(a, b);
        assert_eq!(a.normalised(), b.normalised());
    }
}
