//! Tags that users ask for, on resources where others set tags as well. Which of them were asked for once is told by a tag
//! beside them, [`TAG_USER`], so that those not asked for any more go, and nobody else's.

use crate::names::short_hash;
use crate::{TAG_BELOW, TAG_PREFIX, TAG_USER, Tags};
use std::collections::BTreeSet;

/// Characters of a key's hash: 24 bits among the fifty tags of one resource. The hashes of all that a user can ask for fit
/// into one tag's value.
const KEY_HASH_CHARS: usize = 6;

/// Characters of a hash of tags: 64 bits among the few that one service has had.
const BELOW_HASH_CHARS: usize = 16;
/// Tags that one resource bears (User Guide, tagging).
const TAGS_MAX: usize = 50;

/// The value of [`TAG_USER`] beside tags with these keys.
pub fn user_tags_mark<'a>(keys: impl IntoIterator<Item = &'a String>) -> String {
    keys.into_iter().map(|key| hash(key)).collect::<Vec<_>>().join(" ")
}

/// The keys of tags that were asked for once and are not any more, and [`TAG_USER`] itself where nothing is asked for.
pub(crate) fn obsolete(wished: &Tags, held: &Tags) -> BTreeSet<String> {
    let Some(mark) = held.get(TAG_USER) else { return BTreeSet::new() };
    let unwished = held.keys().filter(|key| !wished.contains_key(*key));
    unwished.filter(|key| *key == TAG_USER || was_asked_for(key, mark)).cloned().collect()
}

/// Whether a mark tells of a tag with this key. Of tags that Trellis or the AWS Gateway API Controller reads none does.
pub fn was_asked_for(key: &str, mark: &str) -> bool {
    let is_read = key.starts_with("trellis:") || key.starts_with(TAG_PREFIX);
    !is_read && mark.split(' ').any(|one| one == hash(key))
}

/// Of the tags of a service those that all below it bears too: the ones that users ask for, and which these are.
pub(crate) fn below(service: &Tags) -> Tags {
    let Some(mark) = service.get(TAG_USER) else { return Tags::new() };
    let asked = service.iter().filter(|(key, _)| *key == TAG_USER || was_asked_for(key, mark));
    asked.map(|(key, value)| (key.clone(), value.clone())).collect()
}

/// The value of [`TAG_BELOW`] on a service with these tags; none where users ask for none.
pub(crate) fn below_mark(service: &Tags) -> Option<String> {
    let below = below(service);
    let parts: Vec<&str> = below.iter().flat_map(|(key, value)| [key.as_str(), value.as_str()]).collect();
    (!parts.is_empty()).then(|| short_hash(&parts, BELOW_HASH_CHARS))
}

/// Whether all below a service bears the tags that users ask for, as its mark tells. `wished`: the tags that the service is to have,
/// `held`: those that it has.
pub fn is_below_as_wished(wished: &Tags, held: &Tags) -> bool {
    below_mark(wished).unwrap_or_default() == held.get(TAG_BELOW).map(String::as_str).unwrap_or_default()
}

/// As many of these tags as a resource has room for beside those of others, in the order of their keys.
pub(crate) fn fitting(wished: &Tags, held: &Tags) -> Tags {
    let going = obsolete(wished, held);
    let others = held.keys().filter(|key| !wished.contains_key(*key) && !going.contains(*key)).count();
    // One is the mark.
    let room = TAGS_MAX.saturating_sub(others + 1);
    if wished.len() <= room + 1 {
        return wished.clone();
    }
    let asked = wished.iter().filter(|(key, _)| *key != TAG_USER);
    let mut tags: Tags = asked.take(room).map(|(key, value)| (key.clone(), value.clone())).collect();
    let mark = user_tags_mark(tags.keys());
    if others < TAGS_MAX {
        tags.insert(TAG_USER.to_owned(), mark);
    }
    tags
}

fn hash(key: &str) -> String {
    short_hash(&[key], KEY_HASH_CHARS)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tags(pairs: &[(&str, &str)]) -> Tags {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn only_what_was_asked_for_once_is_obsolete() {
        let mark = user_tags_mark([&"team".to_owned(), &"trellis:owner".to_owned(), &"cost".to_owned()]);
        let held = tags(&[
            ("team", "a"),
            ("cost", "1"),
            ("somebodys", "x"),
            ("trellis:owner", "trellis"),
            (TAG_USER, &mark),
        ]);
        assert_eq!(obsolete(&tags(&[("cost", "1"), (TAG_USER, "")]), &held), BTreeSet::from(["team".into()]));
        let all = BTreeSet::from(["cost".into(), "team".into(), TAG_USER.into()]);
        assert_eq!(obsolete(&Tags::new(), &held), all);
        assert_eq!(
            obsolete(&Tags::new(), &tags(&[("team", "a")])),
            BTreeSet::new(),
            "nobody's without a mark"
        );
    }

    #[test]
    fn what_is_below_bears_the_users_tags_as_far_as_there_is_room() {
        let mark = user_tags_mark([&"cost".to_owned(), &"team".to_owned()]);
        let service = tags(&[("cost", "1"), ("team", "a"), ("trellis:owner", "t"), (TAG_USER, &mark)]);
        assert_eq!(below(&service), tags(&[("cost", "1"), ("team", "a"), (TAG_USER, &mark)]));
        assert!(!is_below_as_wished(&service, &service));
        let told = Tags::from([(TAG_BELOW.to_owned(), below_mark(&service).unwrap())]);
        assert!(is_below_as_wished(&service, &told) && !is_below_as_wished(&Tags::new(), &told));
        assert!(is_below_as_wished(&Tags::new(), &Tags::from([(TAG_BELOW.to_owned(), String::new())])));
        let others: Tags = (0..48).map(|n| (format!("other-{n}"), String::new())).collect();
        let only = user_tags_mark([&"cost".to_owned()]);
        assert_eq!(fitting(&below(&service), &others), tags(&[("cost", "1"), (TAG_USER, &only)]));
        assert_eq!(fitting(&below(&service), &tags(&[("team", "b")])), below(&service));
    }

    #[test]
    fn the_mark_of_all_that_can_be_asked_for_fits_into_a_tag() {
        let keys: Vec<String> = (0..34).map(|n| format!("key-{n}")).collect();
        assert!(user_tags_mark(&keys).len() <= 256);
    }
}
