//! The steps that make and change listeners and rules.

use super::LatticeClient;
use super::convert::{sdk_action, sdk_listener_protocol, sdk_rule_match};
use super::names::Names;
use super::rule_batches::batches;
use super::steps::{REFUSED_NAMED_MAX, sdk_tags, unbuilt};
use super::wait::unknown;
use crate::AwsError;
use aws_sdk_vpclattice::types as sdk;
use std::collections::BTreeMap;
use trellis_lattice::{Action, DesiredRule, RuleUpdate, Step, Tags};

impl LatticeClient {
    pub(super) async fn create_listener(&self, names: &Names, step: &Step) -> Result<(), AwsError> {
        const OPERATION: &str = "CreateListener";
        let Step::CreateListener { service, listener, port, protocol, default_action, tags } = step else {
            return Ok(());
        };
        let known = names.lock().services.get(service).cloned();
        let known = known.ok_or_else(|| unknown(OPERATION, step))?;
        let request = self
            .api()
            .create_listener()
            .service_identifier(known.id)
            .name(listener)
            .port((*port).into())
            .protocol(sdk_listener_protocol(*protocol))
            .default_action(wire_action(names, OPERATION, default_action)?)
            .set_tags(Some(sdk_tags(tags)))
            .send();
        let output = self.write(OPERATION, request).await?;
        let made = self.made(OPERATION, output.id, output.arn, tags)?;
        let mut known = names.lock();
        known.priorities.insert((service.clone(), *port), BTreeMap::new());
        known.listeners.insert((service.clone(), *port), made.id);
        Ok(())
    }

    pub(super) async fn update_listener(
        &self,
        names: &Names,
        step: &Step,
        at: (&String, u16),
        default_action: &Action,
    ) -> Result<(), AwsError> {
        const OPERATION: &str = "UpdateListener";
        let (service, listener) = listener_ids(names, OPERATION, step, at)?;
        let request = self
            .api()
            .update_listener()
            .service_identifier(service)
            .listener_identifier(listener)
            .default_action(wire_action(names, OPERATION, default_action)?)
            .send();
        self.write(OPERATION, request).await?;
        Ok(())
    }

    pub(super) async fn update_rules(
        &self,
        names: &Names,
        step: &Step,
        at: (&String, u16),
        updates: &[RuleUpdate],
    ) -> Result<(), AwsError> {
        const OPERATION: &str = "BatchUpdateRule";
        let (service, listener) = listener_ids(names, OPERATION, step, at)?;
        let key = (at.0.clone(), at.1);
        let current = names.lock().priorities.get(&key).cloned().unwrap_or_default();
        for batch in batches(&current, updates) {
            let rules = batch
                .iter()
                .map(|update| sdk_rule_update(names, OPERATION, update))
                .collect::<Result<Vec<_>, _>>()?;
            let request = self
                .api()
                .batch_update_rule()
                .service_identifier(&service)
                .listener_identifier(&listener)
                .set_rules(Some(rules))
                .send();
            let output = self.write(OPERATION, request).await?;
            if let Some(refused) = output.unsuccessful.filter(|refused| !refused.is_empty()) {
                return Err(refused_rules(OPERATION, &refused));
            }
            let mut known = names.lock();
            let priorities = known.priorities.entry(key.clone()).or_default();
            priorities.extend(batch.iter().filter_map(|update| Some((update.id.clone(), update.priority?))));
        }
        Ok(())
    }

    pub(super) async fn create_rule(
        &self,
        names: &Names,
        step: &Step,
        at: (&String, u16),
        rule: &DesiredRule,
        tags: &Tags,
    ) -> Result<(), AwsError> {
        const OPERATION: &str = "CreateRule";
        let (service, listener) = listener_ids(names, OPERATION, step, at)?;
        let request = self
            .api()
            .create_rule()
            .service_identifier(service)
            .listener_identifier(listener)
            .name(&rule.name)
            .priority(rule.priority.into())
            .r#match(sdk_rule_match(&rule.matches).map_err(|error| unbuilt(OPERATION, error))?)
            .action(wire_action(names, OPERATION, &rule.action)?)
            .set_tags(Some(sdk_tags(tags)))
            .send();
        let output = self.write(OPERATION, request).await?;
        let made = self.made(OPERATION, output.id, output.arn, tags)?;
        let mut known = names.lock();
        known.priorities.entry((at.0.clone(), at.1)).or_default().insert(made.id, rule.priority);
        Ok(())
    }
}

fn wire_action(names: &Names, operation: &'static str, action: &Action) -> Result<sdk::RuleAction, AwsError> {
    let known = names.lock();
    sdk_action(action, |name| known.target_groups.get(name).map(|group| group.id.clone()))
        .map_err(|error| AwsError::unbuildable(operation, error))
}

fn sdk_rule_update(
    names: &Names,
    operation: &'static str,
    update: &RuleUpdate,
) -> Result<sdk::RuleUpdate, AwsError> {
    let matches = update.matches.as_ref().map(sdk_rule_match).transpose();
    let action = update.action.as_ref().map(|action| wire_action(names, operation, action)).transpose()?;
    sdk::RuleUpdate::builder()
        .rule_identifier(&update.id)
        .set_priority(update.priority.map(i32::from))
        .set_match(matches.map_err(|error| unbuilt(operation, error))?)
        .set_action(action)
        .build()
        .map_err(|error| unbuilt(operation, error))
}

/// The ids of a service and of its listener on a port.
pub(super) fn listener_ids(
    names: &Names,
    operation: &'static str,
    step: &Step,
    (service, port): (&String, u16),
) -> Result<(String, String), AwsError> {
    let known = names.lock();
    match (known.services.get(service), known.listeners.get(&(service.clone(), port))) {
        (Some(service), Some(listener)) => Ok((service.id.clone(), listener.clone())),
        _ => Err(unknown(operation, step)),
    }
}

fn refused_rules(operation: &'static str, refused: &[sdk::RuleUpdateFailure]) -> AwsError {
    let mut named: Vec<String> = refused
        .iter()
        .map(|rule| {
            format!(
                "{} {}: {}",
                rule.rule_identifier().unwrap_or("?"),
                rule.failure_code().unwrap_or("no code"),
                rule.failure_message().unwrap_or("no message")
            )
        })
        .collect();
    named.sort();
    named.truncate(REFUSED_NAMED_MAX);
    let text = format!("{} rules were refused: {}", refused.len(), named.join("; "));
    // A wrong value stays wrong. Anything else (a priority taken, a rule that is gone) is for a new plan.
    if refused.iter().any(|rule| rule.failure_code().is_some_and(|code| code.contains("Validation"))) {
        AwsError::refused(operation, text)
    } else {
        AwsError::stale(operation, text)
    }
}
