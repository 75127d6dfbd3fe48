//! Bounds of what a user is told at once about an object that VPC Lattice cannot serve as written.

/// Characters of one warning: the API server may cut longer ones (AdmissionResponse.warnings).
const WARNING_CHARS_MAX: usize = 256;

/// Warnings of one answer: the API server shows 4096 characters of all together.
const WARNINGS_MAX: usize = 16;

/// The warnings as far as the API server shows them.
pub(crate) fn bounded(mut warnings: Vec<String>) -> Vec<String> {
    warnings.truncate(WARNINGS_MAX);
    for warning in &mut warnings {
        if let Some((end, _)) = warning.char_indices().nth(WARNING_CHARS_MAX) {
            warning.truncate(end);
        }
    }
    warnings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn warnings_are_cut_to_what_the_api_server_shows() {
        let cut = bounded(vec!["é".repeat(WARNING_CHARS_MAX + 1); WARNINGS_MAX + 1]);
        assert_eq!(cut, vec!["é".repeat(WARNING_CHARS_MAX); WARNINGS_MAX]);
    }
}
