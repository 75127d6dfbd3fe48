//! A plan in words: one line a step.
//!
//! `+` makes, `~` changes, `-` removes, `…` waits, `!` cannot be done.

use crate::blocked::{Blocked, Quota};
use crate::desired::{
    Action, HeaderMatch, HealthCheck, PathMatch, RuleMatch, Target, TargetGroupConfig, ValueMatch,
};
use crate::step::{Plan, RuleUpdate, Step};
use std::collections::BTreeSet;
use std::fmt::{Display, Formatter, Result};

impl Display for Plan {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        for step in &self.steps {
            writeln!(f, "{step}")?;
        }
        for blocked in &self.blocked {
            writeln!(f, "! {blocked}")?;
        }
        Ok(())
    }
}

impl Display for Step {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::CreateNetwork { network, .. } => write!(f, "+ service network {network}"),
            Self::CreateVpcAssociation { network, vpc, security_groups, .. } => {
                write!(f, "+ VPC association {network} {vpc}")?;
                write_security_groups(f, security_groups)
            }
            Self::UpdateVpcAssociation { vpc, security_groups, .. } => {
                write!(f, "~ VPC association of {vpc}")?;
                write_security_groups(f, security_groups)
            }
            Self::CreateTargetGroup { target_group, config, .. } => {
                write!(f, "+ target group {target_group} {config}")
            }
            Self::UpdateHealthCheck { target_group, health_check } => {
                write!(f, "~ health check {target_group} {health_check}")
            }
            Self::CreateService { service, custom_domain, .. } => match custom_domain {
                Some(domain) => write!(f, "+ service {service} for {domain}"),
                None => write!(f, "+ service {service}"),
            },
            Self::UpdateCertificate { service, certificate_arn } => {
                write!(f, "~ certificate of service {service} {certificate_arn}")
            }
            Self::Tag { arn, tags } => {
                let tags: Vec<String> = tags.iter().map(|(key, value)| format!("{key}={value}")).collect();
                write!(f, "~ tags of {arn} {}", tags.join(", "))
            }
            Self::RegisterTargets { target_group, targets } => {
                write!(f, "+ targets of {target_group} {}", Listed(targets))
            }
            Self::CreateAssociation { service, network, .. } => {
                write!(f, "+ association {service} {network}")
            }
            Self::CreateListener { service, port, protocol, default_action, .. } => {
                write!(f, "+ listener {service}:{port} {protocol:?} default {default_action}")
            }
            Self::UpdateListener { service, port, default_action } => {
                write!(f, "~ listener {service}:{port} default {default_action}")
            }
            Self::UpdateRules { service, port, rules } => write_updates(f, service, *port, rules),
            Self::CreateRule { service, port, rule, .. } => {
                write!(
                    f,
                    "+ rule {service}:{port} {} {} {} → {}",
                    rule.priority, rule.name, rule.matches, rule.action
                )
            }
            _ if self.is_wait() => write_wait(f, self),
            _ => write_removal(f, self),
        }
    }
}

fn write_wait(f: &mut Formatter<'_>, step: &Step) -> Result {
    match step {
        Step::AwaitTargetGroup { target_group } => write!(f, "… wait for target group {target_group}"),
        Step::AwaitService { service } => write!(f, "… wait for service {service}"),
        Step::AwaitAssociation { service, network } => {
            write!(f, "… wait for association {service} {network}")
        }
        Step::AwaitVpcAssociation { network, vpc } => write!(f, "… wait for VPC association {network} {vpc}"),
        Step::AwaitAssociationGone { service, network, .. } => {
            write!(f, "… wait until association {service} {network} is gone")
        }
        Step::AwaitServiceGone { service, .. } => write!(f, "… wait until service {service} is gone"),
        Step::AwaitPropagation { target_groups } => {
            let names: Vec<&str> = target_groups.iter().map(String::as_str).collect();
            write!(f, "… wait until no request goes to {}", names.join(", "))
        }
        Step::AwaitDrained { target_group, .. } => write!(f, "… wait until {target_group} is drained"),
        Step::AwaitTargetGroupGone { target_group, .. } => {
            write!(f, "… wait until target group {target_group} is gone")
        }
        Step::AwaitVpcAssociationGone { network, vpc, .. } => {
            write!(f, "… wait until VPC association {network} {vpc} is gone")
        }
        _ => write!(f, "… {step:?}"),
    }
}

fn write_removal(f: &mut Formatter<'_>, step: &Step) -> Result {
    match step {
        Step::DeregisterTargets { target_group, targets } => {
            write!(f, "- targets of {target_group} {}", Listed(targets))
        }
        Step::DeleteRule { service, port, id } => write!(f, "- rule {service}:{port} {id}"),
        Step::DeleteListener { service, port, .. } => write!(f, "- listener {service}:{port}"),
        Step::DeleteAssociation { service, network, .. } => write!(f, "- association {service} {network}"),
        Step::DeleteService { service, .. } => write!(f, "- service {service}"),
        Step::DeleteTargetGroup { target_group, .. } => write!(f, "- target group {target_group}"),
        Step::DeleteVpcAssociation { network, vpc, .. } => write!(f, "- VPC association {network} {vpc}"),
        Step::DeleteNetwork { network, .. } => write!(f, "- service network {network}"),
        _ => write!(f, "- {step:?}"),
    }
}

fn write_security_groups(f: &mut Formatter<'_>, security_groups: &BTreeSet<String>) -> Result {
    for group in security_groups {
        write!(f, " {group}")?;
    }
    Ok(())
}

fn write_updates(f: &mut Formatter<'_>, service: &str, port: u16, rules: &[RuleUpdate]) -> Result {
    write!(f, "~ rules {service}:{port}")?;
    for RuleUpdate { id, priority, matches, action } in rules {
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

/// Targets named in one line; beyond that they are counted.
const TARGETS_SHOWN_MAX: usize = 10;

struct Listed<'a>(&'a BTreeSet<Target>);

impl Display for Listed<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let shown: Vec<String> = self.0.iter().take(TARGETS_SHOWN_MAX).map(Target::to_string).collect();
        f.write_str(&shown.join(", "))?;
        match self.0.len().saturating_sub(TARGETS_SHOWN_MAX) {
            0 => Ok(()),
            more => write!(f, " and {more} more"),
        }
    }
}

impl Display for Target {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        if self.ip.contains(':') {
            write!(f, "[{}]:{}", self.ip, self.port)
        } else {
            write!(f, "{}:{}", self.ip, self.port)
        }
    }
}

impl Display for TargetGroupConfig {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        write!(f, "{:?}", self.protocol)?;
        if let Some(version) = self.protocol_version {
            write!(f, "/{version:?}")?;
        }
        write!(f, " port {} {:?} {}", self.port, self.ip_family, self.vpc)
    }
}

impl Display for HealthCheck {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        if !self.enabled {
            return f.write_str("off");
        }
        write!(f, "{:?}/{:?} {}", self.protocol, self.protocol_version, self.path)?;
        if let Some(port) = self.port {
            write!(f, " port {port}")?;
        }
        let Self {
            matcher, interval_seconds, timeout_seconds, healthy_threshold, unhealthy_threshold, ..
        } = self;
        write!(f, " expects {matcher} every {interval_seconds} s within {timeout_seconds} s,")?;
        write!(f, " healthy after {healthy_threshold}, unhealthy after {unhealthy_threshold}")
    }
}

impl Display for RuleMatch {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let path = self.path.iter().map(|path| match path {
            PathMatch::Exact(path) => format!("path={path}"),
            PathMatch::Prefix(path) => format!("path={path}*"),
        });
        let method = self.method.iter().map(|method| format!("method={method}"));
        let headers = self.headers.iter().map(HeaderMatch::to_string);
        let all: Vec<String> = path.chain(method).chain(headers).collect();
        f.write_str(if all.is_empty() { "anything" } else { "" })?;
        f.write_str(&all.join(" "))
    }
}

impl Display for HeaderMatch {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match &self.value {
            ValueMatch::Exact(value) => write!(f, "{}={value}", self.name)?,
            ValueMatch::Prefix(value) => write!(f, "{}={value}*", self.name)?,
            ValueMatch::Contains(value) => write!(f, "{}=*{value}*", self.name)?,
        }
        f.write_str(if self.case_sensitive { "" } else { " (any case)" })
    }
}

impl Display for Action {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::FixedResponse(status) => write!(f, "{status}"),
            Self::Forward(shares) => {
                let shares: Vec<String> =
                    shares.iter().map(|share| format!("{} {}", share.target_group, share.weight)).collect();
                f.write_str(&shares.join(", "))
            }
        }
    }
}

impl Display for Quota {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.write_str(match self {
            Self::RulesPerListener => "Rules per listener (L-CF78395E)",
            Self::ListenersPerService => "Listeners per service (L-D64E952E)",
            Self::TargetGroupsPerService => "Target groups per service (L-3DEC3B9F)",
            Self::TargetsPerTargetGroup => "Targets per target group (L-D71303F3)",
        })
    }
}

impl Display for Blocked {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::ServiceNameTaken { service, arn, unit: Some(unit) } => {
                write!(f, "service name {service} is taken by {unit} ({arn})")
            }
            Self::ServiceNameTaken { service, arn, unit: None } => {
                write!(f, "service name {service} is taken by {arn}, which this installation does not own")
            }
            Self::TargetGroupNameTaken { target_group, arn } => {
                write!(
                    f,
                    "target group name {target_group} is taken by {arn}, which is not this object's or was changed"
                )
            }
            Self::NetworkMissing { network } => {
                write!(f, "service network {network} does not exist; a Gateway of that name creates it")
            }
            Self::VpcAssociatedElsewhere { vpc, network } => {
                write!(f, "VPC {vpc} is associated with service network {network}, and can be with one only")
            }
            Self::NetworkAmbiguous { network } => {
                write!(f, "several service networks are named {network}")
            }
            Self::ListenerPortTaken { service, port } => {
                write!(
                    f,
                    "port {port} of service {service} has a listener that this installation does not own"
                )
            }
            Self::NoPriorityLeft { service, port } => {
                write!(
                    f,
                    "rules at {service}:{port} that this installation does not own leave too few priorities"
                )
            }
            Self::QuotaExceeded { resource, quota, limit } => {
                write!(
                    f,
                    "{resource} would exceed the quota {quota} of {limit}; it can be raised in Service Quotas"
                )
            }
            Self::TargetGroupMissing { service, port, target_group } => {
                write!(
                    f,
                    "the listener {service}:{port} needs target group {target_group}, which cannot be used"
                )
            }
            Self::TargetGroupInUse { target_group, service } => {
                write!(f, "target group {target_group} is used by service {service}, and can be by one only")
            }
            Self::ServiceInUse { service, network } => write!(
                f,
                "service {service} cannot be deleted: its association with service network {network} is not this \
                 installation's"
            ),
            Self::SecurityGroupsKept { network, vpc } => write!(
                f,
                "the VPC association {network} {vpc} keeps its security groups: VPC Lattice cannot remove the last one \
                 from an association; name the groups, or delete the association by hand"
            ),
        }
    }
}
