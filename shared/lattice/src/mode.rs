use serde::{Deserialize, Serialize};
use std::fmt::{Display, Formatter};
use std::str::FromStr;

/// How much may be done to VPC Lattice. Of two that hold at once the first in this order counts.
///
/// | mode | a plan's steps |
/// |---|---|
/// | observe | none; a drift report tells what they would be |
/// | upsert | those that make and change; no resource is ever deleted. Targets follow the Pods all the same |
/// | sync | all |
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Mode {
    /// Report only.
    Observe,
    /// Make and change, never delete.
    Upsert,
    /// Everything.
    #[default]
    Sync,
}

/// A text that is no mode.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParseModeError(String);

impl Display for ParseModeError {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?} is no mode; it is observe, upsert or sync", self.0)
    }
}

impl std::error::Error for ParseModeError {}

impl FromStr for Mode {
    type Err = ParseModeError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "observe" => Ok(Self::Observe),
            "upsert" => Ok(Self::Upsert),
            "sync" => Ok(Self::Sync),
            _ => Err(ParseModeError(text.chars().take(40).collect())),
        }
    }
}

impl Display for Mode {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Observe => "observe",
            Self::Upsert => "upsert",
            Self::Sync => "sync",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mode_is_read_back_from_its_text_and_the_stricter_comes_first() {
        for mode in [Mode::Observe, Mode::Upsert, Mode::Sync] {
            assert_eq!(mode.to_string().parse(), Ok(mode));
        }
        assert!("Sync".parse::<Mode>().is_err());
        assert_eq!(Mode::Sync.min(Mode::Upsert).min(Mode::Observe), Mode::Observe);
    }
}
