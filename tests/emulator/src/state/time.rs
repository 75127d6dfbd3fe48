//! Time as the state knows it: moments that the caller passes in, and delays that people write as `250ms`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A moment of the virtual clock, in milliseconds since the Unix epoch.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(transparent)]
pub struct Moment(pub i64);

impl Moment {
    /// Before any other.
    pub const fn ever() -> Self {
        Self(i64::MIN)
    }

    /// The moment `delay` later.
    #[must_use]
    pub fn after(self, delay: Delay) -> Self {
        Self(self.0.saturating_add(i64::try_from(delay.0).unwrap_or(i64::MAX)))
    }

    /// Milliseconds from `earlier` to this moment; 0 when it is not earlier.
    pub fn since(self, earlier: Self) -> u64 {
        u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0)
    }

    /// ISO-8601 in UTC with milliseconds, as VPC Lattice prints its timestamps.
    pub fn iso(self) -> String {
        jiff::Timestamp::from_millisecond(self.0)
            .unwrap_or(jiff::Timestamp::UNIX_EPOCH)
            .strftime("%Y-%m-%dT%H:%M:%S%.3fZ")
            .to_string()
    }
}

/// A length of time in milliseconds. Written as `0`, `250ms`, `2s`, `1.5s`, `2m` or `1h`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Delay(pub u64);

impl Delay {
    /// `count` seconds.
    pub const fn seconds(count: u64) -> Self {
        Self(count * 1000)
    }

    /// The same length for the runtime's timers.
    pub fn std(self) -> std::time::Duration {
        std::time::Duration::from_millis(self.0)
    }
}

/// A text that is no length of time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no length of time; write it as 0, 250ms, 2s, 1.5s, 2m or 1h")]
pub struct DelayError(String);

impl FromStr for Delay {
    type Err = DelayError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let refuse = || DelayError(text.to_owned());
        let split = text.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(text.len());
        let (number, unit) = text.split_at(split);
        let factor = match unit {
            "ms" => 1.0,
            "s" => 1_000.0,
            "m" => 60_000.0,
            "h" => 3_600_000.0,
            "" if number == "0" => 0.0,
            _ => return Err(refuse()),
        };
        let number: f64 = number.parse().map_err(|_| refuse())?;
        let millis = number * factor;
        // A year is longer than any test and far inside what the arithmetic can hold.
        if !(0.0..=31_536_000_000.0).contains(&millis) {
            return Err(refuse());
        }
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "range checked above")]
        Ok(Self(millis.round() as u64))
    }
}

impl fmt::Display for Delay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == 0 { f.write_str("0") } else { write!(f, "{}ms", self.0) }
    }
}

impl Serialize for Delay {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Delay {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_read_as_people_write_them() {
        let cases = [
            ("0", 0),
            ("0s", 0),
            ("250ms", 250),
            ("2s", 2000),
            ("1.5s", 1500),
            ("2m", 120_000),
            ("1h", 3_600_000),
        ];
        for (text, millis) in cases {
            assert_eq!(text.parse(), Ok(Delay(millis)), "{text}");
        }
        for text in ["", "2", "-1s", "s", "1d", "1e30s", "NaNs"] {
            assert!(text.parse::<Delay>().is_err(), "{text}");
        }
    }

    #[test]
    fn moments_print_with_milliseconds_and_a_z() {
        assert_eq!(Moment(1_683_323_296_076).iso(), "2023-05-05T21:48:16.076Z");
        assert_eq!(Moment(0).iso(), "1970-01-01T00:00:00.000Z");
    }
}
