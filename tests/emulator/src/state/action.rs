//! Actions and conditions: reading, checks against the state, and how they are shown.

use lattice_routing::{Action, Comparison, Conditions, Share, TextMatch};
use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::document::{Input, Output};
use super::kind::{Kind, Status};
use super::network::over;
use super::settings::Echo;
use super::{Refusal, State, quota};

/// Statuses that a fixed response may have, by the documentation of the API.
const FIXED_STATUSES: [u64; 2] = [404, 500];

/// Where an action is going to be used.
#[derive(Debug, Clone, Copy)]
pub(super) struct Use<'a> {
    /// Id of the service.
    pub(super) service: &'a str,
    /// Protocol of the listener.
    pub(super) protocol: &'a str,
    /// Rule whose action it replaces.
    pub(super) replaces: Option<&'a str>,
}

impl State {
    /// Reads an action and checks it against what exists.
    pub(super) fn read_action(&self, at: Use<'_>, action: Input<'_>) -> Result<Action, Refusal> {
        let action = if let Some(fixed) = action.object("fixedResponse") {
            let status = fixed.number("statusCode").unwrap_or_default();
            if at.protocol == "TLS_PASSTHROUGH" {
                return Err(Refusal::field("fixedResponse", "is not possible with TLS_PASSTHROUGH"));
            }
            let known = FIXED_STATUSES.contains(&status);
            let status = u16::try_from(status).ok().filter(|_| known);
            Action::Fixed(
                status.ok_or_else(|| Refusal::field("fixedResponse.statusCode", "must be 404 or 500"))?,
            )
        } else {
            let forward = action.object("forward").ok_or_else(|| Refusal::other("The action is empty."))?;
            let given = forward.objects("targetGroups");
            let switches = &self.settings.switches;
            let weight =
                if given.len() == 1 { switches.weight_default } else { switches.weight_default_several };
            let shares: Result<Vec<Share>, Refusal> =
                given.iter().map(|share| self.read_share(at, *share, weight)).collect();
            Action::Forward(shares?)
        };
        self.check_group_quota(at, &action)?;
        Ok(action)
    }

    fn read_share(&self, at: Use<'_>, share: Input<'_>, default: u32) -> Result<Share, Refusal> {
        let sent = share.text("targetGroupIdentifier");
        let id = self.find(Kind::TargetGroup, sent)?;
        let Some(group) = self.store.groups.get(&id) else {
            return Err(Refusal::not_found("TARGET_GROUP", sent));
        };
        if group.life.status != Status::Active {
            return Err(Refusal::status("TARGET_GROUP", &id, group.life.status.text()));
        }
        if group.services.iter().any(|service| service != at.service) {
            let message = format!("TargetGroup {id} has been associated with other services");
            return Err(Refusal::conflict("TARGET_GROUP", &id, message));
        }
        let tcp = group.config.protocol.as_deref() == Some("TCP");
        if tcp != (at.protocol == "TLS_PASSTHROUGH") {
            let message = format!("{id} does not fit a listener with the protocol {}", at.protocol);
            return Err(Refusal::field("targetGroupIdentifier", message));
        }
        let multiplexed = matches!(group.config.protocol_version.as_deref(), Some("HTTP2" | "GRPC"));
        if multiplexed && at.protocol == "HTTP" {
            let message = format!("{id} has an HTTP2 or GRPC protocol version and needs an HTTPS listener");
            return Err(Refusal::field("targetGroupIdentifier", message));
        }
        let weight = share.number("weight").and_then(|weight| u32::try_from(weight).ok());
        Ok(Share { group: id, sent: sent.to_owned(), weight: weight.unwrap_or(default) })
    }

    fn check_group_quota(&self, at: Use<'_>, action: &Action) -> Result<(), Refusal> {
        let others = self
            .store
            .rules
            .values()
            .filter(|rule| rule.service == at.service && Some(rule.meta.id.as_str()) != at.replaces)
            .flat_map(|rule| groups_of(&rule.action));
        let groups: BTreeSet<&str> = others.chain(groups_of(action)).collect();
        if groups.len() > self.settings.quotas.target_groups_per_service {
            return Err(over(Kind::TargetGroup, quota::GROUPS_PER_SERVICE, Some(at.service)));
        }
        Ok(())
    }

    /// An action as the API shows it.
    pub(super) fn view_action(&self, action: &Action) -> Value {
        match action {
            Action::Fixed(status) => json!({"fixedResponse": {"statusCode": status}}),
            Action::Forward(shares) => {
                let groups: Vec<Value> = shares
                    .iter()
                    .map(|share| {
                        let id = match self.settings.switches.echo_tg {
                            Echo::Id => &share.group,
                            Echo::AsSent => &share.sent,
                        };
                        json!({"targetGroupIdentifier": id, "weight": share.weight})
                    })
                    .collect();
                json!({"forward": {"targetGroups": groups}})
            }
        }
    }

    /// Reads the conditions of a rule.
    pub(super) fn read_conditions(&self, matcher: Input<'_>) -> Conditions {
        let Some(http) = matcher.object("httpMatch") else { return Conditions::default() };
        let default = self.settings.switches.case_sensitive_default;
        let path = http.object("pathMatch").and_then(|path| text_match(path, default));
        let headers = http
            .objects("headerMatches")
            .into_iter()
            .filter_map(|header| Some((header.text("name").to_owned(), text_match(header, false)?)))
            .collect();
        Conditions { method: http.owned("method").filter(|method| !method.is_empty()), path, headers }
    }
}

/// Ids of the target groups that an action names.
pub(super) fn groups_of(action: &Action) -> impl Iterator<Item = &str> {
    let shares = match action {
        Action::Forward(shares) => shares.as_slice(),
        Action::Fixed(_) => &[],
    };
    shares.iter().map(|share| share.group.as_str())
}

fn text_match(input: Input<'_>, default: bool) -> Option<TextMatch> {
    let matcher = input.object("match")?;
    let comparison = if let Some(text) = matcher.owned("exact") {
        Comparison::Exact(text)
    } else if let Some(text) = matcher.owned("prefix") {
        Comparison::Prefix(text)
    } else {
        Comparison::Contains(matcher.owned("contains")?)
    };
    Some(TextMatch { comparison, case_sensitive: input.flag("caseSensitive").unwrap_or(default) })
}

fn view_text_match(matcher: &TextMatch) -> Output {
    let comparison = match &matcher.comparison {
        Comparison::Exact(text) => json!({"exact": text}),
        Comparison::Prefix(text) => json!({"prefix": text}),
        Comparison::Contains(text) => json!({"contains": text}),
    };
    Output::new().with("match", comparison).with("caseSensitive", matcher.case_sensitive)
}

/// Conditions as the API shows them. `empty_headers` says whether an empty list of headers is shown, which AWS
/// does when a rule is read.
pub(super) fn view_conditions(conditions: &Conditions, empty_headers: bool) -> Value {
    let headers: Vec<Value> = conditions
        .headers
        .iter()
        .map(|(name, matcher)| Value::Object(view_text_match(matcher).with("name", name.as_str()).done()))
        .collect();
    let headers = (empty_headers || !headers.is_empty()).then_some(headers);
    let http = Output::new()
        .maybe("method", conditions.method.clone())
        .maybe("pathMatch", conditions.path.as_ref().map(|path| Value::Object(view_text_match(path).done())))
        .maybe("headerMatches", headers);
    json!({"httpMatch": http.done()})
}
