//! Tags that users ask for, on resources where others set tags as well. Which of them were asked for once is told by a tag
//! beside them, [`TAG_USER`], so that those not asked for any more go, and nobody else's.

use crate::names::short_hash;
use crate::{TAG_PREFIX, TAG_USER, Tags};
use std::collections::BTreeSet;

/// Characters of a key's hash: 24 bits among the fifty tags of one resource. The hashes of all that a user can ask for fit
/// into one tag's value.
const KEY_HASH_CHARS: usize = 6;

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
    fn the_mark_of_all_that_can_be_asked_for_fits_into_a_tag() {
        let keys: Vec<String> = (0..34).map(|n| format!("key-{n}")).collect();
        assert!(user_tags_mark(&keys).len() <= 256);
    }
}
