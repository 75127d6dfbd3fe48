//! Whether a rule's conditions hold for a request.

use http::HeaderMap;
use serde::{Deserialize, Serialize};

/// How a text is compared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Comparison {
    /// Equal.
    Exact(String),
    /// Begins with.
    Prefix(String),
    /// Has in it.
    Contains(String),
}

/// A comparison with its case sensitivity.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TextMatch {
    /// How.
    pub comparison: Comparison,
    /// Whether case counts.
    pub case_sensitive: bool,
}

/// Conditions of a rule; all must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Conditions {
    /// Method, compared exactly.
    pub method: Option<String>,
    /// Path.
    pub path: Option<TextMatch>,
    /// Headers by name.
    pub headers: Vec<(String, TextMatch)>,
}

/// How a path prefix matches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PrefixMode {
    /// `/foo` matches `/foobar`: the pessimistic reading.
    String,
    /// `/foo` matches `/foo` and `/foo/…` only.
    Element,
}

/// What conditions look at.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// Method.
    pub method: &'a str,
    /// Path without query string.
    pub path: &'a str,
    /// Headers.
    pub headers: &'a HeaderMap,
}

/// Whether all conditions hold.
pub fn matches(conditions: &Conditions, request: Request<'_>, mode: PrefixMode) -> bool {
    conditions.method.as_deref().is_none_or(|method| method == request.method)
        && conditions.path.as_ref().is_none_or(|path| path_matches(path, request.path, mode))
        && conditions.headers.iter().all(|(name, matcher)| {
            // A header that occurs several times holds when one of its values does.
            request
                .headers
                .get_all(name.as_str())
                .iter()
                .any(|value| value.to_str().is_ok_and(|value| text_matches(matcher, value)))
        })
}

fn path_matches(matcher: &TextMatch, path: &str, mode: PrefixMode) -> bool {
    let case = matcher.case_sensitive;
    match (&matcher.comparison, mode) {
        (Comparison::Prefix(prefix), PrefixMode::Element) => {
            let prefix = prefix.strip_suffix('/').unwrap_or(prefix);
            begins(path, prefix, case)
                && path.get(prefix.len()..).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        }
        _ => text_matches(matcher, path),
    }
}

fn text_matches(matcher: &TextMatch, text: &str) -> bool {
    let case = matcher.case_sensitive;
    match &matcher.comparison {
        Comparison::Exact(want) => same(text.as_bytes(), want.as_bytes(), case),
        Comparison::Prefix(want) => begins(text, want, case),
        Comparison::Contains(want) if case => text.contains(want.as_str()),
        Comparison::Contains(want) => text.to_ascii_lowercase().contains(&want.to_ascii_lowercase()),
    }
}

fn begins(text: &str, want: &str, case: bool) -> bool {
    text.as_bytes().get(..want.len()).is_some_and(|start| same(start, want.as_bytes(), case))
}

fn same(text: &[u8], want: &[u8], case: bool) -> bool {
    if case { text == want } else { text.eq_ignore_ascii_case(want) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(comparison: Comparison, case_sensitive: bool) -> TextMatch {
        TextMatch { comparison, case_sensitive }
    }

    fn path(comparison: Comparison, case_sensitive: bool) -> Conditions {
        Conditions { path: Some(text(comparison, case_sensitive)), ..Conditions::default() }
    }

    #[test]
    fn paths_match_by_this_table_in_both_prefix_modes() {
        use Comparison::{Exact, Prefix};
        // Comparison, case sensitive, path, with string prefixes, with element prefixes.
        let table = [
            (Exact("/foo".into()), true, "/foo", true, true),
            (Exact("/foo".into()), true, "/foo/", false, false),
            (Exact("/foo".into()), true, "/Foo", false, false),
            (Exact("/foo".into()), false, "/Foo", true, true),
            (Prefix("/foo".into()), true, "/foo", true, true),
            (Prefix("/foo".into()), true, "/foo/", true, true),
            (Prefix("/foo".into()), true, "/foo/bar", true, true),
            (Prefix("/foo".into()), true, "/foobar", true, false),
            (Prefix("/foo".into()), true, "/FOO/bar", false, false),
            (Prefix("/foo".into()), false, "/FOO/bar", true, true),
            (Prefix("/foo/".into()), true, "/foo", false, true),
            (Prefix("/foo/".into()), true, "/foo/bar", true, true),
            (Prefix("/".into()), true, "/", true, true),
            (Prefix("/".into()), true, "/anything", true, true),
            (Prefix("/foo".into()), true, "/fo", false, false),
            (Prefix("/a%20b".into()), true, "/a%20b/c", true, true),
        ];
        let headers = HeaderMap::new();
        for (comparison, case, wanted, by_string, by_element) in table {
            let conditions = path(comparison, case);
            let request = Request { method: "GET", path: wanted, headers: &headers };
            assert_eq!(
                matches(&conditions, request, PrefixMode::String),
                by_string,
                "{conditions:?} {wanted}"
            );
            assert_eq!(
                matches(&conditions, request, PrefixMode::Element),
                by_element,
                "{conditions:?} {wanted}"
            );
        }
    }

    #[test]
    fn methods_compare_exactly_and_headers_by_this_table() {
        use Comparison::{Contains, Exact, Prefix};
        let mut headers = HeaderMap::new();
        headers.insert("x-kind", "Alpha-Beta".parse().unwrap());
        headers.append("x-many", "one".parse().unwrap());
        headers.append("x-many", "two".parse().unwrap());
        let table = [
            ("X-Kind", Exact("Alpha-Beta".into()), true, true),
            ("x-kind", Exact("alpha-beta".into()), true, false),
            ("x-kind", Exact("alpha-beta".into()), false, true),
            ("x-kind", Prefix("Alpha".into()), true, true),
            ("x-kind", Contains("ha-B".into()), true, true),
            ("x-kind", Contains("gamma".into()), false, false),
            ("x-many", Exact("two".into()), true, true),
            ("x-none", Contains("a".into()), false, false),
        ];
        for (name, comparison, case, expected) in table {
            let conditions = Conditions {
                headers: vec![(name.to_owned(), text(comparison, case))],
                ..Conditions::default()
            };
            let request = Request { method: "GET", path: "/", headers: &headers };
            assert_eq!(matches(&conditions, request, PrefixMode::String), expected, "{conditions:?}");
        }
        let conditions = Conditions { method: Some("GET".to_owned()), ..Conditions::default() };
        for (method, expected) in [("GET", true), ("get", false), ("POST", false)] {
            let request = Request { method, path: "/", headers: &headers };
            assert_eq!(matches(&conditions, request, PrefixMode::String), expected, "{method}");
        }
    }

    #[test]
    fn all_conditions_of_a_rule_must_hold() {
        let mut headers = HeaderMap::new();
        headers.insert("x-a", "1".parse().unwrap());
        let conditions = Conditions {
            method: Some("GET".to_owned()),
            path: Some(text(Comparison::Exact("/p".to_owned()), true)),
            headers: vec![("x-a".to_owned(), text(Comparison::Exact("1".to_owned()), true))],
        };
        let hold = |method, path, headers| {
            matches(&conditions, Request { method, path, headers }, PrefixMode::String)
        };
        assert!(hold("GET", "/p", &headers));
        assert!(!hold("PUT", "/p", &headers));
        assert!(!hold("GET", "/q", &headers));
        assert!(!hold("GET", "/p", &HeaderMap::new()));
    }
}
