//! The rule of a listener.

use super::{Effect, InAccount, Scene, Standing, free, listener};
use std::collections::{BTreeMap, BTreeSet};
use trellis_lattice::{Actual, CreateRule, DeleteRule, Desired, UpdateRules};

impl InAccount for CreateRule {
    fn answer(&self, scene: &Scene) -> Result<Standing, String> {
        let Self { service, port, rule, .. } = self;
        let held = scene.service(service)?;
        let mut rules = listener::of(held, *port)?.rules.iter();
        free(rules.all(|one| one.priority != rule.priority && one.name != rule.name), &rule.name)?;
        scene.usable(held, [&rule.action])?;
        Ok(Standing::Done)
    }

    fn effect(&self, _: &Actual) -> Effect<'_> {
        Effect::Makes(None, &self.tags)
    }

    fn loses(&self, _: &Desired, _: &Actual) -> Option<String> {
        None
    }
}

impl InAccount for UpdateRules {
    fn answer(&self, scene: &Scene) -> Result<Standing, String> {
        let held = scene.service(&self.service)?;
        let listener = listener::of(held, self.port)?;
        let mut priorities: BTreeMap<&str, u16> =
            listener.rules.iter().map(|rule| (rule.id.as_str(), rule.priority)).collect();
        for update in &self.rules {
            let priority = priorities.get_mut(update.id.as_str()).ok_or("rule not found")?;
            *priority = update.priority.unwrap_or(*priority);
        }
        let distinct: BTreeSet<&u16> = priorities.values().collect();
        free(distinct.len() == priorities.len(), "priority")?;
        scene.usable(held, self.rules.iter().filter_map(|update| update.action.as_ref()))?;
        Ok(Standing::Done)
    }

    fn effect(&self, _: &Actual) -> Effect<'_> {
        Effect::Touches(self.rules.iter().map(|rule| rule.id.clone()).collect())
    }

    fn loses(&self, _: &Desired, _: &Actual) -> Option<String> {
        None
    }
}

impl InAccount for DeleteRule {
    /// What is not there any more need not be deleted.
    fn answer(&self, _: &Scene) -> Result<Standing, String> {
        Ok(Standing::Done)
    }

    fn effect(&self, _: &Actual) -> Effect<'_> {
        Effect::Touches(vec![self.id.clone()])
    }

    /// Which rules are wanted depends on what their listener is being changed from: the end is judged, not the way.
    fn loses(&self, _: &Desired, _: &Actual) -> Option<String> {
        None
    }
}
