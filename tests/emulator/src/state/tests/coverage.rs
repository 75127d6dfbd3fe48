//! Every row of the conflict matrix and every switch has a test that names its number.

use std::collections::BTreeSet;
use std::path::Path;

use regex::Regex;

/// Rows of the conflict matrix.
const ROWS: u32 = 41;

/// Switches for what AWS's sources leave open.
const SWITCHES: u32 = 20;

#[test]
fn each_row_of_the_conflict_matrix_and_each_switch_is_named_by_a_test() {
    let tests = test_names(Path::new(env!("CARGO_MANIFEST_DIR")));
    assert!(tests.len() > 100, "only {} tests were found", tests.len());
    for (word, count) in [("rows?", ROWS), ("switch", SWITCHES)] {
        let named = numbers(&tests, word);
        let missing: Vec<u32> = (1..=count).filter(|number| !named.contains(number)).collect();
        assert!(missing.is_empty(), "no test names {word} {missing:?}");
        assert!(named.iter().all(|number| (1..=count).contains(number)), "{word} {named:?}");
    }
}

/// The numbers after a word in names such as `rows_02_and_03_u_a_target_group`.
fn numbers(names: &[String], word: &str) -> BTreeSet<u32> {
    let pattern = Regex::new(&format!(r"(?:^|_){word}((?:_(?:and_)?\d\d)+)")).unwrap();
    let digits = Regex::new(r"\d\d").unwrap();
    let found = names.iter().flat_map(|name| pattern.captures_iter(name));
    found
        .flat_map(|found| {
            digits.find_iter(found.get(1).unwrap().as_str()).map(|it| it.as_str().parse().unwrap())
        })
        .collect()
}

/// Names of the test functions in all sources of the crate.
fn test_names(crate_folder: &Path) -> Vec<String> {
    let pattern =
        Regex::new(r"(?m)^ *#\[(?:tokio::)?test[^\n]*\]\n(?: *#[^\n]*\n)* *(?:async )?fn (\w+)").unwrap();
    let mut folders = vec![crate_folder.join("src"), crate_folder.join("tests")];
    let mut names = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|it| it == "rs") {
                let text = std::fs::read_to_string(path).unwrap();
                names.extend(pattern.captures_iter(&text).map(|found| found[1].to_owned()));
            }
        }
    }
    names
}

#[test]
fn numbers_are_read_out_of_the_names_of_tests() {
    let names = ["rows_02_and_03_u_x", "row_12_o_and_switch_04_x", "tomorrow_99", "row_of_40"];
    let names: Vec<String> = names.map(str::to_owned).to_vec();
    assert_eq!(numbers(&names, "rows?"), BTreeSet::from([2, 3, 12]));
    assert_eq!(numbers(&names, "switch"), BTreeSet::from([4]));
}
