use trellis_hint::{Hint, UnitKey};

/// The service names to look for besides the wanted ones: the one that the unit may have used although it wants none any
/// more, and those that hints have seen with its tag.
pub(crate) fn candidates(unit: &UnitKey, hints: &[Hint]) -> Vec<String> {
    let seen = hints.iter().flat_map(|hint| hint.service_names.iter().cloned());
    let mut names: Vec<String> = trellis_gateway::plain_service_name(unit).into_iter().chain(seen).collect();
    names.sort();
    names.dedup();
    names
}
