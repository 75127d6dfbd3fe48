//! The rule of a listener. Its default rule is the listener's default action.

use super::listener::{listener_mut, text as listener_text};
use super::{Action, ActualListener, ResourceMut, RuleMatch};
use crate::check::{View, ours, require, there};
use crate::step::{Nature, StepKind};
use crate::{Actual, Owner, Ownership, Quota, Tags, ViolationKind};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fmt::{Display, Formatter, Result as Written};

/// A rule. Its identity is its match, which its name is a hash of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DesiredRule {
    /// 3–63 characters, unique in the listener.
    pub name: String,
    /// 1–100, unique in the listener; the lowest is asked first.
    pub priority: u16,
    /// What a request must look like.
    #[serde(rename = "match")]
    pub matches: RuleMatch,
    /// What is done with it.
    pub action: Action,
}

/// A rule that is not a default rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ActualRule {
    /// `rule-…`.
    pub id: String,
    /// ARN.
    pub arn: String,
    /// Name.
    pub name: String,
    /// Priority.
    pub priority: u16,
    /// Match.
    #[serde(rename = "match")]
    pub matches: RuleMatch,
    /// Action. A target group that no name was found for is named by its id.
    pub action: Action,
    /// Told by the tags.
    pub ownership: Ownership,
    /// Tags; empty when not read.
    #[serde(default, skip_serializing_if = "Tags::is_empty")]
    pub tags: Tags,
}

impl ActualRule {
    pub(crate) fn as_resource(&mut self) -> ResourceMut<'_> {
        let Self { id, arn, ownership, tags, .. } = self;
        ResourceMut { id, arn, ownership, tags: Some(tags) }
    }
}

/// One of the listener's rules that is ours.
fn our_rule<'a>(listener: &'a ActualListener, id: &str) -> Result<&'a ActualRule, ViolationKind> {
    let rule = there(listener.rules.iter().find(|r| r.id == id), || format!("rule {id}"))?;
    ours(&rule.ownership, id)?;
    Ok(rule)
}

/// Whether the rule's match is wanted and no other rule of the listener has the same.
fn is_needed(view: &View, service: &str, listener: &ActualListener, rule: &ActualRule) -> bool {
    let matches = rule.matches.normalised();
    let wanted = view.wanted_listener(service, listener.port);
    let wanted = wanted.is_some_and(|l| l.rules.iter().any(|r| r.matches.normalised() == matches));
    let twin = |other: &ActualRule| other.id != rule.id && other.matches.normalised() == matches;
    wanted && !listener.rules.iter().any(twin)
}

fn judge_priority(view: &View, priority: u16) -> Result<(), ViolationKind> {
    let max = view.limits.priority_max;
    require((1..=max).contains(&priority), || ViolationKind::Priority { priority, max })
}

/// CreateRule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CreateRule {
    /// The service's name.
    pub service: String,
    /// The listener's port.
    pub port: u16,
    /// The rule.
    pub rule: DesiredRule,
    /// Tags.
    pub tags: Tags,
}

impl StepKind for CreateRule {
    fn nature(&self) -> Nature<'_> {
        Nature::Builds { moves_requests_of: Some(&self.service) }
    }

    fn verb(&self) -> &'static str {
        "create"
    }

    fn subject(&self) -> String {
        format!("rule {} of listener {} of service {}", self.rule.name, self.port, self.service)
    }

    fn simulate(&self, state: &mut Actual, owner: &Owner) {
        let Some(listener) = listener_mut(state, &self.service, self.port) else { return };
        let id = format!("rule-{}-{}", listener.id, self.rule.name);
        listener.rules.push(ActualRule {
            arn: format!("arn:{id}"),
            id,
            name: self.rule.name.clone(),
            priority: self.rule.priority,
            matches: self.rule.matches.clone(),
            action: self.rule.action.clone(),
            ownership: owner.of(&self.tags),
            tags: self.tags.clone(),
        });
    }

    fn judge(&self, view: &View) -> Result<(), ViolationKind> {
        let Self { service, port, rule, tags } = self;
        view.bears_owner(tags)?;
        let listener = view.listener(service, *port)?;
        let name_taken = listener.rules.iter().any(|r| r.name == rule.name);
        let name = || ViolationKind::Taken { what: format!("rule name {} of {service}:{port}", rule.name) };
        require(!name_taken, name)?;
        let count = listener.rules.len() + 1;
        require(count <= view.limits.rules_per_listener, || ViolationKind::AboveQuota {
            what: listener_text(service, *port),
            quota: Quota::RulesPerListener,
            count,
        })?;
        judge_priority(view, rule.priority)?;
        rule.action.judge(view, service)
    }
}

impl Display for CreateRule {
    fn fmt(&self, f: &mut Formatter<'_>) -> Written {
        let Self { service, port, rule, .. } = self;
        write!(
            f,
            "+ rule {service}:{port} {} {} {} → {}",
            rule.priority, rule.name, rule.matches, rule.action
        )
    }
}

/// BatchUpdateRule, in batches of 10: match, priority and action of existing rules in one call, so that priorities swap.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UpdateRules {
    /// The service's name.
    pub service: String,
    /// The listener's port.
    pub port: u16,
    /// By rule id.
    pub rules: Vec<RuleUpdate>,
}

/// One entry of BatchUpdateRule. Absent fields stay as they are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleUpdate {
    /// `rule-…`.
    pub id: String,
    /// New priority.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub priority: Option<u16>,
    /// New match.
    #[serde(rename = "match", skip_serializing_if = "Option::is_none", default)]
    pub matches: Option<RuleMatch>,
    /// New action.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub action: Option<Action>,
}

impl RuleUpdate {
    fn judge(&self, view: &View, service: &str, listener: &ActualListener) -> Result<(), ViolationKind> {
        let rule = our_rule(listener, &self.id)?;
        self.priority.map_or(Ok(()), |priority| judge_priority(view, priority))?;
        self.action.as_ref().map_or(Ok(()), |action| action.judge(view, service))?;
        // Turning a rule into another one must not take away what is wanted: some rule has its old match afterwards.
        let Some(new) = &self.matches else { return Ok(()) };
        let loses = new.normalised() != rule.matches.normalised() && is_needed(view, service, listener, rule);
        require(!loses, || ViolationKind::Wanted { what: format!("rule {}", rule.id) })
    }
}

impl StepKind for UpdateRules {
    fn nature(&self) -> Nature<'_> {
        Nature::Builds { moves_requests_of: Some(&self.service) }
    }

    fn verb(&self) -> &'static str {
        "update"
    }

    fn subject(&self) -> String {
        format!("rules of listener {} of service {}", self.port, self.service)
    }

    fn simulate(&self, state: &mut Actual, _: &Owner) {
        let Some(listener) = listener_mut(state, &self.service, self.port) else { return };
        for update in &self.rules {
            for rule in listener.rules.iter_mut().filter(|r| r.id == update.id) {
                rule.priority = update.priority.unwrap_or(rule.priority);
                rule.matches = update.matches.clone().unwrap_or_else(|| rule.matches.clone());
                rule.action = update.action.clone().unwrap_or_else(|| rule.action.clone());
            }
        }
    }

    fn judge(&self, view: &View) -> Result<(), ViolationKind> {
        let listener = view.listener(&self.service, self.port)?;
        let mut ids = BTreeSet::new();
        for update in &self.rules {
            require(ids.insert(&update.id), || ViolationKind::UpdatedTwice { id: update.id.clone() })?;
        }
        self.rules.iter().try_for_each(|update| update.judge(view, &self.service, listener))
    }
}

impl Display for UpdateRules {
    fn fmt(&self, f: &mut Formatter<'_>) -> Written {
        write!(f, "~ rules {}:{}", self.service, self.port)?;
        for RuleUpdate { id, priority, matches, action } in &self.rules {
            write!(f, "\n    {id}")?;
            if let Some(priority) = priority {
                write!(f, " priority {priority}")?;
            }
            if let Some(matches) = matches {
                write!(f, " match {matches}")?;
            }
            if let Some(action) = action {
                write!(f, " → {action}")?;
            }
        }
        Ok(())
    }
}

/// DeleteRule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DeleteRule {
    /// The service's name.
    pub service: String,
    /// The listener's port.
    pub port: u16,
    /// `rule-…`.
    pub id: String,
}

impl StepKind for DeleteRule {
    fn nature(&self) -> Nature<'_> {
        Nature::TakesAway { moves_requests_of: Some(&self.service) }
    }

    fn verb(&self) -> &'static str {
        "delete"
    }

    fn subject(&self) -> String {
        format!("rule {} of listener {} of service {}", self.id, self.port, self.service)
    }

    fn simulate(&self, state: &mut Actual, _: &Owner) {
        if let Some(listener) = listener_mut(state, &self.service, self.port) {
            listener.rules.retain(|r| r.id != self.id);
        }
    }

    /// A rule may go if its match is not wanted, or if another rule of the listener has the same.
    fn judge(&self, view: &View) -> Result<(), ViolationKind> {
        let listener = view.listener(&self.service, self.port)?;
        let rule = our_rule(listener, &self.id)?;
        let needed = is_needed(view, &self.service, listener, rule);
        require(!needed, || ViolationKind::Wanted { what: format!("rule {}", self.id) })
    }
}

impl Display for DeleteRule {
    fn fmt(&self, f: &mut Formatter<'_>) -> Written {
        write!(f, "- rule {}:{} {}", self.service, self.port, self.id)
    }
}
