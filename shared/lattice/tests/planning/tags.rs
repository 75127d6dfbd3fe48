//! Made-up tags: of users, of others, and marks.

use crate::support::owner;
use proptest::prelude::*;
use proptest::sample::select;
use trellis_lattice::{Ownership, TAG_BELOW, TAG_UNWANTED, TAG_USER, Tags, user_tags_mark};

pub(crate) fn tags() -> impl Strategy<Value = Tags> {
    proptest::collection::btree_map("[ab]", "[12]", 0..3)
}

/// Tags that a user asks for, with what tells of that; or tags of others.
pub(crate) fn users_tags() -> impl Strategy<Value = Tags> {
    (tags(), proptest::bool::ANY).prop_map(|(mut tags, is_asked)| {
        let mark = user_tags_mark(tags.keys());
        if is_asked && !mark.is_empty() {
            tags.insert(TAG_USER.to_owned(), mark);
        }
        tags
    })
}

/// Tags of something that is there: it may have been unwanted for a while, or its parts.
pub(crate) fn tags_there() -> impl Strategy<Value = Tags> {
    let marks = ["", "/port.80", "/port.443", "/network.net-1"];
    let mark = (select(marks.to_vec()), select(vec!["", "odd", "100", "990", "995", "2000"]));
    let marks = proptest::collection::vec(mark, 0..3);
    let below = proptest::option::weighted(0.1, Just("of others"));
    (users_tags(), proptest::option::weighted(0.3, marks), below).prop_map(|(mut tags, marks, below)| {
        let marks = marks.into_iter().flatten();
        tags.extend(below.map(|mark| (TAG_BELOW.to_owned(), mark.to_owned())));
        tags.extend(marks.map(|(part, since)| (format!("{TAG_UNWANTED}{part}"), since.to_owned())));
        tags
    })
}

pub(crate) fn held_tags(ownership: &Ownership, tags: Tags) -> Tags {
    let owners = if *ownership == Ownership::Ours { owner().tags() } else { Tags::new() };
    owners.into_iter().chain(tags).collect()
}
