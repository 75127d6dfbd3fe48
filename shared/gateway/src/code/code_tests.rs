//! The table of codes holds together.

use super::*;
use std::collections::BTreeSet;

#[test]
fn codes_are_unique_in_order_and_each_is_explained_in_sentences() {
    let numbers: Vec<u16> = Code::ALL.iter().map(|code| *code as u16).collect();
    assert!(numbers.windows(2).all(|two| two[0] < two[1]), "in order, and no number twice: {numbers:?}");
    let titles: BTreeSet<&str> = Code::ALL.iter().map(|code| code.explanation().title).collect();
    assert_eq!(titles.len(), Code::ALL.len(), "no two codes say the same");
    for code in Code::ALL {
        let Explanation { title, meaning, remedy } = code.explanation();
        assert!(!title.ends_with('.') && title.len() <= 80, "{code}: {title}");
        assert!(meaning.ends_with('.') && remedy.ends_with('.'), "{code}: {meaning} {remedy}");
        assert_eq!(Code::parse(&code.to_string().to_lowercase()), Some(*code));
    }
    assert_eq!(Code::parse("TRL9999"), None);
    assert_eq!(Code::Filter.to_string(), "TRL0031");
}

/// A reason that is new needs a line in the table, or the fallback would tell it as something else.
#[test]
fn every_reason_of_this_version_has_a_line_of_its_own() {
    let constants =
        include_str!("../reasons.rs").lines().filter_map(|line| line.strip_prefix("pub(crate) const "));
    let names: Vec<&str> =
        constants.filter_map(|line| line.split_once(": &str")).map(|(name, _)| name).collect();
    assert!(names.len() > 40, "{names:?}");
    let table = include_str!("of.rs");
    let missing: Vec<&&str> = names
        .iter()
        .filter(|name| **name != "INVALID" && !table.contains(&format!("reasons::{name}")))
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
}
