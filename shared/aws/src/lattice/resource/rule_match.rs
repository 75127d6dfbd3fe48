//! What a request must look like for a rule, in the SDK's words.

use aws_sdk_vpclattice::error::BuildError;
use aws_sdk_vpclattice::types as sdk;
use trellis_lattice::{HeaderMatch, PathMatch, RuleMatch, ValueMatch};

/// A path match without regard to case is none that this project makes. Marked so, its text begins with no slash and
/// is equal to no wish, and the rule is seen to differ.
const CASE_INSENSITIVE: &str = "(case-insensitive)";

/// Stands for a match that this version cannot express. It is equal to no wish: a path begins with a slash.
pub(super) fn unknown() -> RuleMatch {
    RuleMatch { path: Some(PathMatch::Exact("(unknown match)".to_owned())), ..RuleMatch::default() }
}

/// A match; none for a kind of match that this version does not know.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the SDK's enum is open; what is new in it is none of ours"
)]
pub(super) fn rule_match(matches: &sdk::RuleMatch) -> Option<RuleMatch> {
    let sdk::RuleMatch::HttpMatch(http) = matches else { return None };
    let path = match &http.path_match {
        None => None,
        Some(path) => {
            let marked = |text: &String| match path.case_sensitive {
                Some(false) => format!("{CASE_INSENSITIVE} {text}"),
                _ => text.clone(),
            };
            match path.r#match.as_ref()? {
                sdk::PathMatchType::Exact(text) => Some(PathMatch::Exact(marked(text))),
                sdk::PathMatchType::Prefix(text) => Some(PathMatch::Prefix(marked(text))),
                _ => return None,
            }
        }
    };
    let headers = http.header_matches.iter().flatten().map(|header| {
        let value = match header.r#match.as_ref()? {
            sdk::HeaderMatchType::Exact(text) => ValueMatch::Exact(text.clone()),
            sdk::HeaderMatchType::Prefix(text) => ValueMatch::Prefix(text.clone()),
            sdk::HeaderMatchType::Contains(text) => ValueMatch::Contains(text.clone()),
            _ => return None,
        };
        let case_sensitive = header.case_sensitive.unwrap_or(true);
        Some(HeaderMatch { name: header.name.clone(), value, case_sensitive })
    });
    Some(RuleMatch {
        path,
        method: http.method.clone().filter(|method| !method.is_empty()),
        headers: headers.collect::<Option<Vec<_>>>()?,
    })
}

pub(super) fn sdk_rule_match(matches: &RuleMatch) -> Result<sdk::RuleMatch, BuildError> {
    let path = matches.path.as_ref().map(|path| {
        let kind = match path {
            PathMatch::Exact(text) => sdk::PathMatchType::Exact(text.clone()),
            PathMatch::Prefix(text) => sdk::PathMatchType::Prefix(text.clone()),
        };
        // The sources disagree on the default, so it is always sent.
        sdk::PathMatch::builder().r#match(kind).case_sensitive(true).build()
    });
    let headers = matches
        .headers
        .iter()
        .map(|header| {
            let value = match &header.value {
                ValueMatch::Exact(text) => sdk::HeaderMatchType::Exact(text.clone()),
                ValueMatch::Prefix(text) => sdk::HeaderMatchType::Prefix(text.clone()),
                ValueMatch::Contains(text) => sdk::HeaderMatchType::Contains(text.clone()),
            };
            sdk::HeaderMatch::builder()
                .name(&header.name)
                .r#match(value)
                .case_sensitive(header.case_sensitive)
                .build()
        })
        .collect::<Result<Vec<_>, _>>()?;
    let headers = Some(headers).filter(|headers| !headers.is_empty());
    let http = sdk::HttpMatch::builder()
        .set_method(matches.method.clone())
        .set_path_match(path)
        .set_header_matches(headers)
        .build();
    Ok(sdk::RuleMatch::HttpMatch(http))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(value: ValueMatch, case_sensitive: bool) -> HeaderMatch {
        HeaderMatch { name: "x-version".into(), value, case_sensitive }
    }

    #[test]
    fn matches_come_back_as_they_were_sent() {
        let headers = vec![
            header(ValueMatch::Exact("a".into()), true),
            header(ValueMatch::Prefix("b".into()), false),
            header(ValueMatch::Contains("c".into()), true),
        ];
        for matches in [
            RuleMatch::default(),
            RuleMatch { path: Some(PathMatch::Exact("/a".into())), ..RuleMatch::default() },
            RuleMatch { path: Some(PathMatch::Prefix("/".into())), method: Some("GET".into()), headers },
        ] {
            assert_eq!(rule_match(&sdk_rule_match(&matches).unwrap()), Some(matches));
        }
    }

    #[test]
    fn an_empty_list_of_headers_and_an_empty_method_mean_none() {
        let http = sdk::HttpMatch::builder().method("").set_header_matches(Some(vec![])).build();
        assert_eq!(rule_match(&sdk::RuleMatch::HttpMatch(http)), Some(RuleMatch::default()));
    }

    #[test]
    fn a_path_without_regard_to_case_differs_from_every_wish() {
        let path = sdk::PathMatch::builder()
            .r#match(sdk::PathMatchType::Exact("/a".into()))
            .case_sensitive(false)
            .build();
        let http = sdk::HttpMatch::builder().path_match(path).build();
        let Some(RuleMatch { path: Some(PathMatch::Exact(text)), .. }) =
            rule_match(&sdk::RuleMatch::HttpMatch(http))
        else {
            panic!("no exact path")
        };
        assert!(!text.starts_with('/'), "{text}");
    }
}
