//! Tags that users ask for, on what is below a service: its listeners, rules and associations. Each one's tags would have to be
//! read to be compared, a call for each in every look. So the service bears a mark of those that all below it bears
//! ([`TAG_BELOW`]), which comes last: where it is as it should be, nothing below is looked at.

use super::draft::{Draft, missing_tags};
use super::services::ours;
use crate::user_tags::{below, below_mark, fitting, is_below_as_wished, obsolete};
use crate::{Ownership, Step, TAG_BELOW, Tag, Tags, Untag};
use std::collections::BTreeSet;

/// Sets and takes away tags of what is below services, then marks these.
pub(super) fn tag(draft: &mut Draft) {
    for (wanted, held) in ours(draft) {
        if is_below_as_wished(&wanted.tags, &held.tags) {
            continue;
        }
        let wished = below(&wanted.tags);
        // An association is there once for each name that its network is called by.
        let mut seen = BTreeSet::new();
        let parts = held.tagged_below().filter(|(arn, ..)| seen.insert(*arn));
        let parts: Vec<(&String, &Ownership, &Tags)> = parts.collect();
        let of_us = parts.iter().filter(|(_, ownership, _)| **ownership == Ownership::Ours);
        // All that goes before all that comes: so each run of steps has many resources.
        let (mut untags, mut tags): (Vec<Step>, Vec<Step>) = (vec![], vec![]);
        for (arn, _, held) in of_us {
            let wished = fitting(&wished, held);
            let (keys, missing) = (obsolete(&wished, held), missing_tags(&wished, held));
            let arn = (*arn).clone();
            untags.extend((!keys.is_empty()).then(|| Untag { arn: arn.clone(), keys }.into()));
            tags.extend((!missing.is_empty()).then(|| Tag { arn, tags: missing }.into()));
        }
        let is_all_read = parts.iter().all(|(_, ownership, _)| **ownership != Ownership::Unread);
        for step in untags.into_iter().chain(tags) {
            draft.push(step);
        }
        if is_all_read {
            let mark = below_mark(&wanted.tags).unwrap_or_default();
            draft.push(Tag { arn: held.arn.clone(), tags: [(TAG_BELOW.to_owned(), mark)].into() });
        }
    }
}
