//! What nobody wants any more stays for a while, since what is replaced is first taken away.
//!
//! `kubectl replace --force` deletes an object before it makes it anew, a GitOps tool may prune before it applies, a chart
//! renames a listener before its routes. Taken at its word at once, VPC Lattice would answer 404 for minutes, and a service
//! that is made anew has another generated domain name.
//!
//! So what is seen unwanted for the first time is marked with the moment ([`TAG_UNWANTED`]) and otherwise left alone, with
//! all that it serves. What is wanted again loses the mark. What has borne it for as long as the grace lasts goes. The mark is
//! in VPC Lattice, so that whoever looks next, for whatever reason, knows.

use crate::Tags;
use serde::{Deserialize, Serialize};

/// The tag that says since when nobody wants a resource, in seconds since 1970. No value: it is wanted again. A service's
/// parts have tags of the same beginning: `/port.443` for a listener, `/network.my-hotel` for an association, `/rules` for what a
/// route has left there that is gone, `/imports` for rules whose ServiceImport is gone while no target group tells what it led to:
/// one of others, or of an export of another name.
pub const TAG_UNWANTED: &str = "trellis:unwanted-since";

/// A moment, and how long after that what is unwanted stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Grace {
    /// Now, in seconds since 1970.
    pub now: u64,
    /// Seconds. None at all: what is unwanted goes at once.
    pub seconds: u64,
}

/// What is to be done with something that nobody wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unwanted {
    /// It goes.
    Goes,
    /// It stays; nothing is to be done for so many seconds.
    Stays(u64),
    /// It stays, and is to be marked: it is unwanted from now on.
    IsNews,
}

impl Grace {
    /// What becomes of something unwanted with these tags. A mark from a moment to come is none.
    pub fn judge(&self, mark: &str, tags: &Tags) -> Unwanted {
        if self.seconds == 0 {
            return Unwanted::Goes;
        }
        let since =
            tags.get(mark).and_then(|since| since.parse::<u64>().ok()).filter(|since| *since <= self.now);
        match since.map(|since| since.saturating_add(self.seconds).saturating_sub(self.now)) {
            None => Unwanted::IsNews,
            Some(0) => Unwanted::Goes,
            Some(left) => Unwanted::Stays(left),
        }
    }

    /// The value of a mark that is set now.
    pub fn mark(&self) -> String {
        self.now.to_string()
    }
}

/// The mark of a service's listener.
pub(crate) fn port_mark(port: u16) -> String {
    format!("{TAG_UNWANTED}/port.{port}")
}

/// The mark of a service's association with a network.
pub(crate) fn network_mark(network: &str) -> String {
    format!("{TAG_UNWANTED}/network.{network}")
}

/// The mark of a service that has rules of a route that is gone.
pub fn rules_mark() -> String {
    format!("{TAG_UNWANTED}/rules")
}

/// The mark of a service with rules whose import is gone while no target group tells what it led to.
pub fn imports_mark() -> String {
    format!("{TAG_UNWANTED}/imports")
}

/// Whether the tags say that something is unwanted.
pub(crate) fn is_marked(mark: &str, tags: &Tags) -> bool {
    tags.get(mark).is_some_and(|since| !since.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_unwanted_stays_as_long_as_the_grace_lasts() {
        let at = |now| Grace { now, seconds: 20 };
        let marked = |since: &str| Tags::from([(TAG_UNWANTED.to_owned(), since.to_owned())]);
        assert_eq!(at(1_000).judge(TAG_UNWANTED, &Tags::new()), Unwanted::IsNews);
        assert_eq!(at(1_000).judge(TAG_UNWANTED, &marked("1000")), Unwanted::Stays(20));
        assert_eq!(at(1_019).judge(TAG_UNWANTED, &marked("1000")), Unwanted::Stays(1));
        assert_eq!(at(1_020).judge(TAG_UNWANTED, &marked("1000")), Unwanted::Goes);
        assert_eq!(at(9_999).judge(TAG_UNWANTED, &marked("1000")), Unwanted::Goes);
        assert_eq!(Grace { now: 1_000, seconds: 0 }.judge(TAG_UNWANTED, &Tags::new()), Unwanted::Goes);
    }

    #[test]
    fn a_mark_that_says_nothing_is_none() {
        for odd in ["", "yesterday", "-1", "1001", "99999999999999999999999"] {
            let tags = Tags::from([(TAG_UNWANTED.to_owned(), odd.to_owned())]);
            assert_eq!(
                Grace { now: 1_000, seconds: 20 }.judge(TAG_UNWANTED, &tags),
                Unwanted::IsNews,
                "{odd}"
            );
        }
    }
}
