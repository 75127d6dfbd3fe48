//! BatchUpdateRule: several rules of a listener at once, so that priorities can be swapped.

use std::collections::BTreeMap;

use serde_json::Value;

use super::document::{Input, Output};
use super::kind::Kind;
use super::rule::Change;
use super::{Document, Moment, Refusal, State};

/// One entry of the request after its own checks.
struct Entry {
    /// Identifier as sent.
    sent: String,
    /// Id of the rule and what shall change, or why not.
    outcome: Result<(String, Change), Refusal>,
}

impl State {
    pub(super) fn batch_update_rule(&mut self, now: Moment, input: Input<'_>) -> Result<Document, Refusal> {
        let (service, listener) = self.changeable_listener(input)?;
        let mut entries: Vec<Entry> =
            input.objects("rules").into_iter().map(|rule| self.entry(&service, &listener, rule)).collect();
        refuse_repeats(&mut entries);
        while self.refuse_clash(&listener, &mut entries) {}
        if self.settings.switches.batch_atomic && entries.iter().any(|entry| entry.outcome.is_err()) {
            for entry in &mut entries {
                if entry.outcome.is_ok() {
                    let message = "Another entry of the batch was refused.";
                    entry.outcome = Err(Refusal::conflict("RULE", &entry.sent, message));
                }
            }
        }
        let mut successful = Vec::new();
        let mut unsuccessful = Vec::new();
        for entry in entries {
            match entry.outcome {
                Ok((id, change)) => {
                    self.apply_rule_change(now, &id, change);
                    successful.extend(self.view_rule(&id).map(Value::Object));
                }
                Err(refusal) => unsuccessful.push(Value::Object(
                    Output::new()
                        .with("ruleIdentifier", entry.sent)
                        .with("failureCode", refusal.code())
                        .with("failureMessage", refusal.to_string())
                        .done(),
                )),
            }
        }
        self.routes_changed(now, &service);
        Ok(Output::new().with("successful", successful).with("unsuccessful", unsuccessful).done())
    }

    fn entry(&self, service: &str, listener: &str, rule: Input<'_>) -> Entry {
        let sent = rule.text("ruleIdentifier").to_owned();
        let outcome = self.find(Kind::Rule, &sent).and_then(|id| {
            if self.store.rules.get(&id).is_none_or(|it| it.listener != listener) {
                return Err(Refusal::not_found("RULE", &sent));
            }
            let change = self.read_rule_change(service, listener, &id, rule)?;
            Ok((id, change))
        });
        Entry { sent, outcome }
    }

    /// Refuses the last entry whose priority is taken in the final order; tells whether there was one.
    fn refuse_clash(&self, listener: &str, entries: &mut [Entry]) -> bool {
        let mut priorities: BTreeMap<&str, u32> = self
            .store
            .rules
            .values()
            .filter(|rule| rule.listener == listener)
            .filter_map(|rule| Some((rule.meta.id.as_str(), rule.priority?)))
            .collect();
        for (id, change) in entries.iter().filter_map(|entry| entry.outcome.as_ref().ok()) {
            if let Some(priority) = change.priority {
                priorities.insert(id, priority);
            }
        }
        let clashing = entries.iter().rposition(|entry| {
            let Ok((id, Change { priority: Some(priority), .. })) = &entry.outcome else { return false };
            priorities.iter().any(|(other, taken)| other != id && taken == priority)
        });
        let Some(entry) = clashing.and_then(|at| entries.get_mut(at)) else { return false };
        let message = "The priority is in use by another rule.";
        entry.outcome = Err(self.clash(Kind::Rule, &entry.sent, "priority", message));
        true
    }
}

/// A rule may be named once.
fn refuse_repeats(entries: &mut [Entry]) {
    let mut seen = std::collections::BTreeSet::new();
    for entry in entries {
        if let Ok((id, _)) = &entry.outcome
            && !seen.insert(id.clone())
        {
            entry.outcome = Err(Refusal::field("ruleIdentifier", "is named twice"));
        }
    }
}
