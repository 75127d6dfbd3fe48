//! Between the SDK's types and the model's. Absent members are tolerated, unknown values kept apart, and what may be
//! written in two ways (an empty list or none, an id or an ARN) is read in one.

use aws_sdk_vpclattice::error::BuildError;
use aws_sdk_vpclattice::types as sdk;
use std::collections::BTreeMap;
use trellis_lattice::{
    Action, HeaderMatch, HealthCheck, IpFamily, ListenerProtocol, PathMatch, ProtocolVersion, RuleMatch,
    Status, Target, TargetGroupConfig, TargetHealth, TargetProtocol, ValueMatch, WeightedTargetGroup,
};

/// A path match without regard to case is none that this project makes. Marked so, its text begins with no slash and
/// is equal to no wish, and the rule is seen to differ.
const CASE_INSENSITIVE: &str = "(case-insensitive)";

/// Reads a status from its text, so that one function serves the statuses of all resources.
pub(crate) fn status(text: Option<&str>) -> Status {
    match text {
        Some("ACTIVE") => Status::Active,
        Some("CREATE_IN_PROGRESS") => Status::CreateInProgress,
        Some("UPDATE_IN_PROGRESS") => Status::UpdateInProgress,
        Some("DELETE_IN_PROGRESS") => Status::DeleteInProgress,
        Some("CREATE_FAILED") => Status::CreateFailed,
        Some("UPDATE_FAILED") => Status::UpdateFailed,
        Some("DELETE_FAILED") => Status::DeleteFailed,
        _ => Status::Unknown,
    }
}

/// Ports, weights and priorities; one that does not fit is none of ours.
pub(crate) fn small(number: Option<i32>) -> Option<u16> {
    number.and_then(|number| u16::try_from(number).ok())
}

pub(crate) fn listener_protocol(protocol: Option<&sdk::ListenerProtocol>) -> Option<ListenerProtocol> {
    match protocol? {
        sdk::ListenerProtocol::Http => Some(ListenerProtocol::Http),
        sdk::ListenerProtocol::Https => Some(ListenerProtocol::Https),
        sdk::ListenerProtocol::TlsPassthrough => Some(ListenerProtocol::TlsPassthrough),
        _ => None,
    }
}

pub(crate) fn sdk_listener_protocol(protocol: ListenerProtocol) -> sdk::ListenerProtocol {
    match protocol {
        ListenerProtocol::Http => sdk::ListenerProtocol::Http,
        ListenerProtocol::Https => sdk::ListenerProtocol::Https,
        ListenerProtocol::TlsPassthrough => sdk::ListenerProtocol::TlsPassthrough,
    }
}

fn target_protocol(protocol: Option<&sdk::TargetGroupProtocol>) -> Option<TargetProtocol> {
    match protocol? {
        sdk::TargetGroupProtocol::Http => Some(TargetProtocol::Http),
        sdk::TargetGroupProtocol::Https => Some(TargetProtocol::Https),
        sdk::TargetGroupProtocol::Tcp => Some(TargetProtocol::Tcp),
        _ => None,
    }
}

fn sdk_target_protocol(protocol: TargetProtocol) -> sdk::TargetGroupProtocol {
    match protocol {
        TargetProtocol::Http => sdk::TargetGroupProtocol::Http,
        TargetProtocol::Https => sdk::TargetGroupProtocol::Https,
        TargetProtocol::Tcp => sdk::TargetGroupProtocol::Tcp,
    }
}

/// The immutable part of an IP target group; none for a type or value that this project never makes.
pub(crate) fn target_group_config(
    kind: Option<&sdk::TargetGroupType>,
    config: &sdk::TargetGroupConfig,
) -> Option<TargetGroupConfig> {
    if kind != Some(&sdk::TargetGroupType::Ip) {
        return None;
    }
    let protocol_version = match &config.protocol_version {
        None => None,
        Some(sdk::TargetGroupProtocolVersion::Http1) => Some(ProtocolVersion::Http1),
        Some(sdk::TargetGroupProtocolVersion::Http2) => Some(ProtocolVersion::Http2),
        Some(sdk::TargetGroupProtocolVersion::Grpc) => Some(ProtocolVersion::Grpc),
        Some(_) => return None,
    };
    let protocol = target_protocol(config.protocol.as_ref())?;
    Some(TargetGroupConfig {
        port: small(config.port)?,
        // TCP has no version; whatever is echoed for it says nothing.
        protocol_version: protocol_version.filter(|_| protocol != TargetProtocol::Tcp),
        protocol,
        ip_family: match &config.ip_address_type {
            None | Some(sdk::IpAddressType::Ipv4) => IpFamily::Ipv4,
            Some(sdk::IpAddressType::Ipv6) => IpFamily::Ipv6,
            Some(_) => return None,
        },
        vpc: config.vpc_identifier.clone()?,
    })
}

/// A health check as it was echoed; none when a setting is one that this project never makes.
pub(crate) fn health_check(check: &sdk::HealthCheckConfig) -> Option<HealthCheck> {
    let matcher = match &check.matcher {
        Some(sdk::Matcher::HttpCode(codes)) => codes.clone(),
        None => "200".to_owned(),
        Some(_) => return None,
    };
    Some(HealthCheck {
        enabled: check.enabled.unwrap_or(true),
        protocol: target_protocol(check.protocol.as_ref())?,
        protocol_version: match &check.protocol_version {
            None | Some(sdk::HealthCheckProtocolVersion::Http1) => ProtocolVersion::Http1,
            Some(sdk::HealthCheckProtocolVersion::Http2) => ProtocolVersion::Http2,
            Some(_) => return None,
        },
        path: check.path.clone().filter(|path| !path.is_empty()).unwrap_or_else(|| "/".to_owned()),
        // 0 means the traffic port (API model, HealthCheckPort).
        port: small(check.port).filter(|port| *port != 0),
        matcher,
        interval_seconds: small(check.health_check_interval_seconds)?,
        timeout_seconds: small(check.health_check_timeout_seconds)?,
        healthy_threshold: small(check.healthy_threshold_count)?,
        unhealthy_threshold: small(check.unhealthy_threshold_count)?,
    })
}

pub(crate) fn sdk_health_check(check: &HealthCheck) -> sdk::HealthCheckConfig {
    let version = match check.protocol_version {
        ProtocolVersion::Http2 => sdk::HealthCheckProtocolVersion::Http2,
        // gRPC is no health check version.
        ProtocolVersion::Http1 | ProtocolVersion::Grpc => sdk::HealthCheckProtocolVersion::Http1,
    };
    sdk::HealthCheckConfig::builder()
        .enabled(check.enabled)
        .protocol(sdk_target_protocol(check.protocol))
        .protocol_version(version)
        .path(&check.path)
        // An absent member of UpdateTargetGroup leaves the setting as it is, 0 resets it to the traffic port.
        .port(check.port.map_or(0, i32::from))
        .matcher(sdk::Matcher::HttpCode(check.matcher.clone()))
        .health_check_interval_seconds(check.interval_seconds.into())
        .health_check_timeout_seconds(check.timeout_seconds.into())
        .healthy_threshold_count(check.healthy_threshold.into())
        .unhealthy_threshold_count(check.unhealthy_threshold.into())
        .build()
}

pub(crate) fn sdk_target_group_config(
    config: &TargetGroupConfig,
    health_check: &HealthCheck,
) -> sdk::TargetGroupConfig {
    let version = config.protocol_version.map(|version| match version {
        ProtocolVersion::Http1 => sdk::TargetGroupProtocolVersion::Http1,
        ProtocolVersion::Http2 => sdk::TargetGroupProtocolVersion::Http2,
        ProtocolVersion::Grpc => sdk::TargetGroupProtocolVersion::Grpc,
    });
    let family = match config.ip_family {
        IpFamily::Ipv4 => sdk::IpAddressType::Ipv4,
        IpFamily::Ipv6 => sdk::IpAddressType::Ipv6,
    };
    sdk::TargetGroupConfig::builder()
        .port(config.port.into())
        .protocol(sdk_target_protocol(config.protocol))
        .set_protocol_version(version)
        .ip_address_type(family)
        .vpc_identifier(&config.vpc)
        .health_check(sdk_health_check(health_check))
        .build()
}

pub(crate) fn target_health(status: Option<&sdk::TargetStatus>) -> TargetHealth {
    match status {
        Some(sdk::TargetStatus::Draining) => TargetHealth::Draining,
        Some(sdk::TargetStatus::Unhealthy) => TargetHealth::Unhealthy,
        Some(sdk::TargetStatus::Healthy) => TargetHealth::Healthy,
        Some(sdk::TargetStatus::Initial) => TargetHealth::Initial,
        Some(sdk::TargetStatus::Unused) => TargetHealth::Unused,
        Some(sdk::TargetStatus::Unavailable) => TargetHealth::Unavailable,
        _ => TargetHealth::Unknown,
    }
}

pub(crate) fn sdk_target(target: &Target) -> Result<sdk::Target, BuildError> {
    sdk::Target::builder().id(&target.ip).port(target.port.into()).build()
}

/// An action with target groups by name. `names` maps ids to names; the API echoes an id where an ARN was sent, or
/// perhaps the ARN, so both are looked up. A target group without a name keeps its id.
pub(crate) fn action(action: &sdk::RuleAction, names: &BTreeMap<String, String>) -> Option<Action> {
    match action {
        sdk::RuleAction::FixedResponse(fixed) => Some(Action::FixedResponse(small(Some(fixed.status_code))?)),
        sdk::RuleAction::Forward(forward) => {
            // Weights are always sent; these are the defaults of the API reference for an action that somebody else
            // made (ForwardAction, WeightedTargetGroup).
            let default_weight = if forward.target_groups.len() == 1 { 100 } else { 1 };
            let mut weighted = forward
                .target_groups
                .iter()
                .map(|group| {
                    let id = last_part(&group.target_group_identifier);
                    Some(WeightedTargetGroup {
                        target_group: names.get(id).map_or(id, String::as_str).to_owned(),
                        weight: small(Some(group.weight.unwrap_or(default_weight)))?,
                    })
                })
                .collect::<Option<Vec<_>>>()?;
            weighted.sort();
            Some(Action::Forward(weighted))
        }
        _ => None,
    }
}

/// An action with target groups by id. A name that `ids` does not know is an error, which names it.
pub(crate) fn sdk_action(
    action: &Action,
    ids: impl Fn(&str) -> Option<String>,
) -> Result<sdk::RuleAction, Box<dyn std::error::Error + Send + Sync>> {
    match action {
        Action::FixedResponse(status) => Ok(sdk::RuleAction::FixedResponse(
            sdk::FixedResponseAction::builder().status_code((*status).into()).build()?,
        )),
        Action::Forward(weighted) => {
            let mut forward = sdk::ForwardAction::builder();
            for group in weighted {
                let name = &group.target_group;
                let id = ids(name)
                    .or_else(|| name.starts_with("tg-").then(|| name.clone()))
                    .ok_or_else(|| format!("target group {name:?} is not known"))?;
                forward = forward.target_groups(
                    sdk::WeightedTargetGroup::builder()
                        .target_group_identifier(id)
                        .weight(group.weight.into())
                        .build()?,
                );
            }
            Ok(sdk::RuleAction::Forward(forward.build()?))
        }
    }
}

/// A match; none for a kind of match that this version does not know.
pub(crate) fn rule_match(matches: &sdk::RuleMatch) -> Option<RuleMatch> {
    let sdk::RuleMatch::HttpMatch(http) = matches else { return None };
    let path = match &http.path_match {
        None => None,
        Some(path) => {
            let marked = |text: &String| match path.case_sensitive {
                Some(false) => format!("{CASE_INSENSITIVE} {text}"),
                _ => text.clone(),
            };
            match path.r#match.as_ref()? {
                sdk::PathMatchType::Exact(text) => Some(PathMatch::Exact(marked(text))),
                sdk::PathMatchType::Prefix(text) => Some(PathMatch::Prefix(marked(text))),
                _ => return None,
            }
        }
    };
    let headers = http.header_matches.iter().flatten().map(|header| {
        let value = match header.r#match.as_ref()? {
            sdk::HeaderMatchType::Exact(text) => ValueMatch::Exact(text.clone()),
            sdk::HeaderMatchType::Prefix(text) => ValueMatch::Prefix(text.clone()),
            sdk::HeaderMatchType::Contains(text) => ValueMatch::Contains(text.clone()),
            _ => return None,
        };
        let case_sensitive = header.case_sensitive.unwrap_or(true);
        Some(HeaderMatch { name: header.name.clone(), value, case_sensitive })
    });
    Some(RuleMatch {
        path,
        method: http.method.clone().filter(|method| !method.is_empty()),
        headers: headers.collect::<Option<Vec<_>>>()?,
    })
}

pub(crate) fn sdk_rule_match(matches: &RuleMatch) -> Result<sdk::RuleMatch, BuildError> {
    let path = matches.path.as_ref().map(|path| {
        let kind = match path {
            PathMatch::Exact(text) => sdk::PathMatchType::Exact(text.clone()),
            PathMatch::Prefix(text) => sdk::PathMatchType::Prefix(text.clone()),
        };
        // The sources disagree on the default, so it is always sent.
        sdk::PathMatch::builder().r#match(kind).case_sensitive(true).build()
    });
    let headers = matches
        .headers
        .iter()
        .map(|header| {
            let value = match &header.value {
                ValueMatch::Exact(text) => sdk::HeaderMatchType::Exact(text.clone()),
                ValueMatch::Prefix(text) => sdk::HeaderMatchType::Prefix(text.clone()),
                ValueMatch::Contains(text) => sdk::HeaderMatchType::Contains(text.clone()),
            };
            sdk::HeaderMatch::builder()
                .name(&header.name)
                .r#match(value)
                .case_sensitive(header.case_sensitive)
                .build()
        })
        .collect::<Result<Vec<_>, _>>()?;
    let headers = Some(headers).filter(|headers| !headers.is_empty());
    let http = sdk::HttpMatch::builder()
        .set_method(matches.method.clone())
        .set_path_match(path)
        .set_header_matches(headers)
        .build();
    Ok(sdk::RuleMatch::HttpMatch(http))
}

/// The id at the end of an ARN, or the id itself.
pub(crate) fn last_part(identifier: &str) -> &str {
    identifier.rsplit('/').next().unwrap_or(identifier)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(value: ValueMatch, case_sensitive: bool) -> HeaderMatch {
        HeaderMatch { name: "x-version".into(), value, case_sensitive }
    }

    #[test]
    fn matches_come_back_as_they_were_sent() {
        let headers = vec![
            header(ValueMatch::Exact("a".into()), true),
            header(ValueMatch::Prefix("b".into()), false),
            header(ValueMatch::Contains("c".into()), true),
        ];
        for matches in [
            RuleMatch::default(),
            RuleMatch { path: Some(PathMatch::Exact("/a".into())), ..RuleMatch::default() },
            RuleMatch { path: Some(PathMatch::Prefix("/".into())), method: Some("GET".into()), headers },
        ] {
            assert_eq!(rule_match(&sdk_rule_match(&matches).unwrap()), Some(matches));
        }
    }

    #[test]
    fn an_empty_list_of_headers_and_an_empty_method_mean_none() {
        let http = sdk::HttpMatch::builder().method("").set_header_matches(Some(vec![])).build();
        assert_eq!(rule_match(&sdk::RuleMatch::HttpMatch(http)), Some(RuleMatch::default()));
    }

    #[test]
    fn a_path_without_regard_to_case_differs_from_every_wish() {
        let path = sdk::PathMatch::builder()
            .r#match(sdk::PathMatchType::Exact("/a".into()))
            .case_sensitive(false)
            .build();
        let http = sdk::HttpMatch::builder().path_match(path).build();
        let Some(RuleMatch { path: Some(PathMatch::Exact(text)), .. }) =
            rule_match(&sdk::RuleMatch::HttpMatch(http))
        else {
            panic!("no exact path")
        };
        assert!(!text.starts_with('/'), "{text}");
    }

    #[test]
    fn actions_name_target_groups_whether_the_id_or_the_arn_is_echoed() {
        let share = |identifier: &str, weight: Option<i32>| {
            sdk::WeightedTargetGroup::builder()
                .target_group_identifier(identifier)
                .set_weight(weight)
                .build()
                .unwrap()
        };
        let arn = "arn:aws:vpc-lattice:us-west-2:000000000000:targetgroup/tg-2";
        let forward = sdk::ForwardAction::builder()
            .target_groups(share(arn, Some(90)))
            .target_groups(share("tg-1", None))
            .target_groups(share("tg-3", Some(0)))
            .build()
            .unwrap();
        let names = [("tg-1".to_owned(), "b".to_owned()), ("tg-2".to_owned(), "a".to_owned())].into();
        let share = |name: &str, weight| WeightedTargetGroup { target_group: name.into(), weight };
        assert_eq!(
            action(&sdk::RuleAction::Forward(forward), &names),
            Some(Action::Forward(vec![share("a", 90), share("b", 1), share("tg-3", 0)]))
        );
    }

    #[test]
    fn an_action_on_an_unknown_target_group_cannot_be_sent_and_says_which() {
        let share = WeightedTargetGroup { target_group: "nobody".into(), weight: 1 };
        let error = sdk_action(&Action::Forward(vec![share]), |_| None).unwrap_err();
        assert!(error.to_string().contains("nobody"), "{error}");
    }

    #[test]
    fn target_groups_come_back_as_they_were_sent_whatever_their_protocol() {
        for (protocol, protocol_version, ip_family) in [
            (TargetProtocol::Http, Some(ProtocolVersion::Http1), IpFamily::Ipv4),
            (TargetProtocol::Https, Some(ProtocolVersion::Http2), IpFamily::Ipv6),
            (TargetProtocol::Http, Some(ProtocolVersion::Grpc), IpFamily::Ipv4),
            (TargetProtocol::Tcp, None, IpFamily::Ipv4),
        ] {
            let config =
                TargetGroupConfig { port: 8090, protocol, protocol_version, ip_family, vpc: "vpc-1".into() };
            let check = HealthCheck { port: Some(9000), ..HealthCheck::default_for(&config) };
            let wire = sdk_target_group_config(&config, &check);
            assert_eq!(target_group_config(Some(&sdk::TargetGroupType::Ip), &wire), Some(config));
            assert_eq!(wire.health_check.as_ref().and_then(health_check), Some(check));
            assert_eq!(target_group_config(Some(&sdk::TargetGroupType::Alb), &wire), None);
        }
    }

    #[test]
    fn unknown_statuses_are_unknown_and_absent_ones_too() {
        assert_eq!(status(Some("ACTIVE")), Status::Active);
        assert_eq!(status(Some("PARTIAL")), Status::Unknown);
        assert_eq!(status(None), Status::Unknown);
        assert_eq!(small(Some(-1)), None);
    }
}
