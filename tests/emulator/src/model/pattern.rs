//! The model's patterns. They are full-string matches, and some use look-ahead, which the `regex` crate
//! deliberately lacks; the four look-aheads that occur are coded by hand.

use regex::Regex;

/// A pattern of a string shape.
#[derive(Debug, Clone)]
pub struct Pattern {
    regex: Regex,
    /// A prefix that names of this kind may not have, such as `svc-`.
    reserved: Option<String>,
    /// No hyphen at either end, no two in a row.
    single_hyphens: bool,
}

impl Pattern {
    /// Reads a pattern as the model writes it.
    ///
    /// # Errors
    /// When the remainder after the known look-aheads is not a regular expression.
    pub(super) fn new(text: &str) -> Result<Self, regex::Error> {
        let mut rest = text;
        let mut reserved = None;
        let mut single_hyphens = false;
        while let Some(after) = rest.strip_prefix("(?!") {
            let Some((inner, tail)) = after.split_once(')') else { break };
            match inner {
                "[-]" | ".*[-]$" | ".*[-]{2}" => single_hyphens = true,
                prefix => reserved = Some(prefix.to_owned()),
            }
            rest = tail;
        }
        // `\d` is ASCII on AWS's side; the crate's would take digits of every script.
        let ascii = rest.replace("\\d", "[0-9]");
        Ok(Self { regex: Regex::new(&format!(r"\A(?:{ascii})\z"))?, reserved, single_hyphens })
    }

    /// Whether the whole of `text` satisfies the pattern.
    pub fn matches(&self, text: &str) -> bool {
        let reserved = self.reserved.as_deref().is_some_and(|prefix| text.starts_with(prefix));
        let hyphens =
            self.single_hyphens && (text.starts_with('-') || text.ends_with('-') || text.contains("--"));
        !reserved && !hyphens && self.regex.is_match(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_pattern_refuses_reserved_prefix_outer_and_double_hyphens_and_a_trailing_newline() {
        let pattern = Pattern::new("(?!svc-)(?![-])(?!.*[-]$)(?!.*[-]{2})[a-z0-9-]+").unwrap();
        for good in ["abc", "a-b-c", "0a", "xsvc-"] {
            assert_eq!(pattern.matches(good), good != "xsvc-", "{good}");
        }
        for bad in ["svc-a", "-ab", "ab-", "a--b", "Abc", "ab_c", "abc\n", "ä", ""] {
            assert!(!pattern.matches(bad), "{bad:?}");
        }
    }

    #[test]
    fn a_pattern_with_anchors_inside_still_covers_the_whole_string() {
        let pattern = Pattern::new(".*(^/[a-zA-Z0-9@:%_+.~#?&/=-]*$|(^$)).*").unwrap();
        assert!(pattern.matches("/healthz") && pattern.matches(""));
        assert!(!pattern.matches("healthz") && !pattern.matches("/a b") && !pattern.matches("/a\n"));
    }
}
