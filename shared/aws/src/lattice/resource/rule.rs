//! The rule of a listener.

use super::action::{self, sdk_action};
use super::rule_match::{self, sdk_rule_match};
use crate::AwsError;
use crate::lattice::convert::{is_propagating, sdk_tags, small};
use crate::lattice::names::Names;
use crate::lattice::rule_batches::batches;
use crate::lattice::step::{Lane, Perform, StepEnd, refused_text};
use crate::lattice::{LatticeClient, PAGE_ENTRIES, found};
use aws_sdk_vpclattice::types as sdk;
use futures::future::try_join_all;
use std::collections::BTreeMap;
use std::time::Instant;
use trellis_lattice::{ActualRule, CreateRule, DeleteRule, Ownership, RuleUpdate, Tags, UpdateRules};

impl LatticeClient {
    /// The rules of a listener but its default rule, and whether any of them was changed a moment ago.
    pub(in crate::lattice) async fn rules(
        &self,
        service: &str,
        listener: &str,
        group_names: &BTreeMap<String, String>,
    ) -> Result<(Vec<ActualRule>, bool), AwsError> {
        let pages = self
            .api()
            .list_rules()
            .service_identifier(service)
            .listener_identifier(listener)
            .into_paginator()
            .page_size(PAGE_ENTRIES)
            .items()
            .send();
        let summaries = self.list("ListRules", pages).await?;
        let changed = summaries.iter().any(|summary| is_propagating(summary.last_updated_at.as_ref()));
        let rules = summaries
            .into_iter()
            .filter(|summary| summary.is_default != Some(true))
            .filter_map(|summary| summary.id)
            .map(|id| self.rule(service, listener, id, group_names));
        let mut rules: Vec<_> = try_join_all(rules).await?.into_iter().flatten().collect();
        rules.sort_by_key(|rule| rule.priority);
        Ok((rules, changed))
    }

    async fn rule(
        &self,
        service: &str,
        listener: &str,
        id: String,
        group_names: &BTreeMap<String, String>,
    ) -> Result<Option<ActualRule>, AwsError> {
        let request = self
            .api()
            .get_rule()
            .service_identifier(service)
            .listener_identifier(listener)
            .rule_identifier(&id)
            .send();
        let Some(rule) = found(self.read("GetRule", request).await)? else { return Ok(None) };
        let (Some(arn), Some(name), Some(priority)) = (rule.arn, rule.name, small(rule.priority)) else {
            return Ok(None);
        };
        Ok(Some(ActualRule {
            id,
            arn,
            name,
            priority,
            matches: rule
                .r#match
                .as_ref()
                .and_then(rule_match::rule_match)
                .unwrap_or_else(rule_match::unknown),
            action: (rule.action.as_ref())
                .and_then(|wire| action::action(wire, group_names))
                .unwrap_or(action::UNKNOWN),
            ownership: Ownership::Unread,
            tags: Tags::new(),
        }))
    }
}

impl Perform for UpdateRules {
    const LANE: Lane = Lane::Alone;

    async fn perform(&self, client: &LatticeClient, names: &Names, _: Instant) -> Result<StepEnd, AwsError> {
        const OPERATION: &str = "BatchUpdateRule";
        let (service, listener) = names.listener(OPERATION, &self.service, self.port)?;
        let key = (self.service.clone(), self.port);
        let current = names.lock().priorities.get(&key).cloned().unwrap_or_default();
        for batch in batches(&current, &self.rules) {
            let rules = batch
                .iter()
                .map(|update| sdk_rule_update(names, OPERATION, update))
                .collect::<Result<Vec<_>, _>>()?;
            let request = client
                .api()
                .batch_update_rule()
                .service_identifier(&service)
                .listener_identifier(&listener)
                .set_rules(Some(rules))
                .send();
            let output = client.write(OPERATION, request).await?;
            if let Some(refused) = output.unsuccessful.filter(|refused| !refused.is_empty()) {
                return Err(refused_rules(OPERATION, &refused));
            }
            let mut known = names.lock();
            let priorities = known.priorities.entry(key.clone()).or_default();
            priorities.extend(batch.iter().filter_map(|update| Some((update.id.clone(), update.priority?))));
        }
        Ok(StepEnd::Done)
    }
}

impl Perform for CreateRule {
    const LANE: Lane = Lane::Rules;

    async fn perform(&self, client: &LatticeClient, names: &Names, _: Instant) -> Result<StepEnd, AwsError> {
        const OPERATION: &str = "CreateRule";
        let Self { service, port, rule, tags } = self;
        let (service_id, listener) = names.listener(OPERATION, service, *port)?;
        let matches = sdk_rule_match(&rule.matches);
        let request = client
            .api()
            .create_rule()
            .service_identifier(service_id)
            .listener_identifier(listener)
            .name(&rule.name)
            .priority(rule.priority.into())
            .r#match(matches.map_err(|error| AwsError::unbuildable(OPERATION, error))?)
            .action(sdk_action(names, OPERATION, &rule.action)?)
            .set_tags(Some(sdk_tags(tags)))
            .send();
        let output = client.write(OPERATION, request).await?;
        let made = client.made(OPERATION, output.id, output.arn, tags)?;
        let mut known = names.lock();
        known.priorities.entry((service.clone(), *port)).or_default().insert(made.id, rule.priority);
        Ok(StepEnd::Done)
    }
}

impl Perform for DeleteRule {
    const LANE: Lane = Lane::DeleteRules;

    async fn perform(&self, client: &LatticeClient, names: &Names, _: Instant) -> Result<StepEnd, AwsError> {
        const OPERATION: &str = "DeleteRule";
        let Self { service, port, id } = self;
        let (service_id, listener) = names.listener(OPERATION, service, *port)?;
        let delete = client.api().delete_rule().service_identifier(service_id).listener_identifier(listener);
        found(client.write(OPERATION, delete.rule_identifier(id).send()).await)?;
        if let Some(priorities) = names.lock().priorities.get_mut(&(service.clone(), *port)) {
            priorities.remove(id);
        }
        Ok(StepEnd::Done)
    }
}

fn sdk_rule_update(
    names: &Names,
    operation: &'static str,
    update: &RuleUpdate,
) -> Result<sdk::RuleUpdate, AwsError> {
    let matches = update.matches.as_ref().map(sdk_rule_match).transpose();
    let action = update.action.as_ref().map(|action| sdk_action(names, operation, action)).transpose()?;
    sdk::RuleUpdate::builder()
        .rule_identifier(&update.id)
        .set_priority(update.priority.map(i32::from))
        .set_match(matches.map_err(|error| AwsError::unbuildable(operation, error))?)
        .set_action(action)
        .build()
        .map_err(|error| AwsError::unbuildable(operation, error))
}

fn refused_rules(operation: &'static str, refused: &[sdk::RuleUpdateFailure]) -> AwsError {
    let said = refused.iter().map(|rule| {
        format!(
            "{} {}: {}",
            rule.rule_identifier().unwrap_or("?"),
            rule.failure_code().unwrap_or("no code"),
            rule.failure_message().unwrap_or("no message")
        )
    });
    let text = refused_text("rules", said.collect());
    // A wrong value stays wrong. Anything else (a priority taken, a rule that is gone) is for a new plan.
    if refused.iter().any(|rule| rule.failure_code().is_some_and(|code| code.contains("Validation"))) {
        AwsError::refused(operation, text)
    } else {
        AwsError::stale(operation, text)
    }
}
