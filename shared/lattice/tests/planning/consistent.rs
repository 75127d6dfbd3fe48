//! What of a made-up VPC Lattice cannot be.

use crate::{access_logs, auth};
use std::collections::BTreeSet;
use trellis_lattice::{Action, Actual, ActualService, Status};

/// VPC Lattice itself sees to it that an action names an existing target group, which then is not failed or going, and
/// that one service only uses it; and that a domain is one service's in a network.
pub(crate) fn make_consistent(actual: &mut Actual) {
    let has = |service: &ActualService, network: &str, domain: &str| {
        service.domain().as_deref() == Some(domain)
            && service.associations.iter().any(|one| one.network == network)
    };
    let services = &actual.services;
    actual.taken_domains.retain(|one| !services.iter().any(|held| has(held, &one.network, &one.domain)));
    for service in &mut actual.services {
        for listener in &mut service.listeners {
            let rules = listener.rules.iter_mut().map(|r| &mut r.action);
            for action in rules.chain([&mut listener.default_action]) {
                let usable = action.target_groups().all(|name| {
                    let group = actual.target_groups.iter().find(|g| g.name == name);
                    group.is_some_and(|g| matches!(g.status, Status::Active | Status::Unknown))
                });
                if !usable {
                    *action = Action::FixedResponse(404);
                }
            }
        }
    }
    access_logs::keep_possible(actual);
    auth::keep_possible(actual);
    for group in &mut actual.target_groups {
        let users = actual.services.iter().filter(|s| s.target_groups().contains(group.name.as_str()));
        let users: BTreeSet<String> = users.map(|s| s.arn.clone()).collect();
        if !users.is_empty() {
            group.service_arns = users;
        }
    }
}
