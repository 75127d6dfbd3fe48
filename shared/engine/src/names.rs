use trellis_hint::UnitKey;

/// The service names that a unit may have used although it wants none any more: where to look for leftovers.
pub(crate) fn candidates(unit: &UnitKey) -> Vec<String> {
    trellis_gateway::plain_service_name(unit).into_iter().collect()
}
