//! Tags: of each resource, and as the Resource Groups Tagging API shows them with its lag.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::document::{Input, Output};
use super::{Document, Moment, Refusal, State};

/// Tags of a resource.
pub(super) type Tags = BTreeMap<String, String>;

/// Prefix of keys that only AWS may set.
const RESERVED: &str = "aws:";

/// Tags as the tagging API shows them: changes become visible after a lag. `None` stands for a resource that is
/// gone.
#[derive(Debug, Default)]
pub(super) struct Index {
    waiting: Vec<(Moment, String, Option<Tags>)>,
    shown: BTreeMap<String, Tags>,
    /// The ARNs of what is shown, by each of its tags. Whoever asks for one tag of ten thousand resources goes through a few.
    by_tag: BTreeMap<(String, String), BTreeSet<String>>,
    /// Tags of EKS clusters as they were last seen.
    clusters: BTreeMap<String, Tags>,
}

impl Index {
    fn settle(&mut self, now: Moment) {
        let (due, waiting) = std::mem::take(&mut self.waiting).into_iter().partition(|(at, _, _)| *at <= now);
        self.waiting = waiting;
        let due: Vec<(Moment, String, Option<Tags>)> = due;
        for (_, arn, tags) in due {
            self.show(arn, tags);
        }
    }

    fn show(&mut self, arn: String, tags: Option<Tags>) {
        for tag in self.shown.remove(&arn).into_iter().flatten() {
            if let Entry::Occupied(mut bearers) = self.by_tag.entry(tag) {
                bearers.get_mut().remove(&arn);
                if bearers.get().is_empty() {
                    bearers.remove();
                }
            }
        }
        let Some(tags) = tags else { return };
        for (key, value) in &tags {
            self.by_tag.entry((key.clone(), value.clone())).or_default().insert(arn.clone());
        }
        self.shown.insert(arn, tags);
    }

    /// What bears all these tags, by ARN; everything if none is named.
    fn bearing(&self, tags: &[(String, String)]) -> Vec<(&str, &Tags)> {
        let sets: Option<Vec<&BTreeSet<String>>> = tags.iter().map(|tag| self.by_tag.get(tag)).collect();
        let Some(sets) = sets else { return Vec::new() };
        let Some(smallest) = sets.iter().min_by_key(|set| set.len()) else {
            return self.shown.iter().map(|(arn, tags)| (arn.as_str(), tags)).collect();
        };
        let in_all = smallest.iter().filter(|arn| sets.iter().all(|set| set.contains(*arn)));
        in_all.filter_map(|arn| Some((arn.as_str(), self.shown.get(arn)?))).collect()
    }
}

impl State {
    /// Tags of the request, checked.
    pub(super) fn checked_tags(&self, input: Input<'_>) -> Result<Tags, Refusal> {
        let tags: Tags = input
            .object("tags")
            .map(|tags| {
                tags.0.iter().filter_map(|(k, v)| Some((k.clone(), v.as_str()?.to_owned()))).collect()
            })
            .unwrap_or_default();
        for (key, value) in &tags {
            if key.to_ascii_lowercase().starts_with(RESERVED) {
                return Err(Refusal::field("tags", format!("has the key {key}, which is reserved")));
            }
            if !key.chars().chain(value.chars()).all(allowed) {
                return Err(Refusal::field("tags", format!("has a character that is not allowed at {key}")));
            }
        }
        self.check_tag_count(tags.len())?;
        Ok(tags)
    }

    fn check_tag_count(&self, count: usize) -> Result<(), Refusal> {
        let max = self.settings.switches.max_tags;
        if count > max {
            return Err(Refusal::field("tags", format!("would make more than {max} tags")));
        }
        Ok(())
    }

    /// Notes the tags of a new resource.
    pub(super) fn store_tags(&mut self, now: Moment, arn: &str, tags: Tags) {
        self.store.tags.insert(arn.to_owned(), tags);
        self.index_tags(now, arn);
    }

    /// Forgets the tags of a resource that is gone.
    pub(super) fn forget_tags(&mut self, now: Moment, arn: &str) {
        self.store.tags.remove(arn);
        self.index_tags(now, arn);
    }

    /// Lets the tagging API see the tags of a resource after the lag.
    pub(super) fn index_tags(&mut self, now: Moment, arn: &str) {
        let at = now.after(self.settings.delays.tag_index);
        self.tag_index.waiting.push((at, arn.to_owned(), self.store.tags.get(arn).cloned()));
        self.tag_index.settle(now);
    }

    /// Notes the tags of all EKS clusters. What differs from the last time becomes visible after the lag.
    pub fn note_clusters(&mut self, now: Moment, clusters: BTreeMap<String, Tags>) {
        let at = now.after(self.settings.delays.tag_index);
        let index = &mut self.tag_index;
        let gone = index.clusters.keys().filter(|arn| !clusters.contains_key(*arn)).map(|arn| (arn, None));
        let told = clusters.iter().filter(|(arn, tags)| index.clusters.get(*arn) != Some(tags));
        let changes: Vec<_> = gone
            .chain(told.map(|(arn, tags)| (arn, Some(tags.clone()))))
            .map(|(arn, tags)| (at, arn.clone(), tags))
            .collect();
        index.waiting.extend(changes);
        index.clusters = clusters;
    }

    /// The resources that bear all of `tags` (key and value), by ARN and with all their tags, as the tagging API shows them; every
    /// resource if no tag is named.
    pub fn indexed_tags(
        &mut self,
        now: Moment,
        tags: &[(String, String)],
    ) -> Vec<(&str, &BTreeMap<String, String>)> {
        self.advance(now);
        self.tag_index.settle(now);
        self.tag_index.bearing(tags)
    }

    fn tags_of(&mut self, input: Input<'_>) -> Result<&mut Tags, Refusal> {
        let arn = input.text("resourceArn");
        self.store.tags.get_mut(arn).ok_or_else(|| Refusal::not_found("RESOURCE", arn))
    }

    pub(super) fn tag_resource(&mut self, now: Moment, input: Input<'_>) -> Result<Document, Refusal> {
        let new = self.checked_tags(input)?;
        let mut merged = self.tags_of(input)?.clone();
        merged.extend(new);
        self.check_tag_count(merged.len())?;
        self.store_tags(now, input.text("resourceArn"), merged);
        Ok(Self::nothing())
    }

    pub(super) fn untag_resource(&mut self, now: Moment, input: Input<'_>) -> Result<Document, Refusal> {
        let keys = input.texts("tagKeys").unwrap_or_default();
        let tags = self.tags_of(input)?;
        tags.retain(|key, _| !keys.contains(key));
        self.index_tags(now, input.text("resourceArn"));
        Ok(Self::nothing())
    }

    pub(super) fn list_tags(&mut self, input: Input<'_>) -> Result<Document, Refusal> {
        let tags = self.tags_of(input)?;
        let tags: Document =
            tags.iter().map(|(key, value)| (key.clone(), Value::from(value.clone()))).collect();
        Ok(Output::new().with("tags", tags).done())
    }
}

/// Characters of keys and values: letters and digits of any script, spaces, and `_.:/=+-@`.
fn allowed(c: char) -> bool {
    c.is_alphanumeric() || c.is_whitespace() || "_.:/=+-@".contains(c)
}
