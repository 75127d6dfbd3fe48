//! What a VpcAssociationPolicy says.

use crate::code::Code;
use crate::problem::{Problem, quoted};
use serde_json::Value;
use std::collections::BTreeSet;
use trellis_lattice::{DnsPreference, PrivateDns};

/// Security groups that an association can have (User Guide, quotas: not adjustable).
const GROUPS_MAX: usize = 5;
/// Characters of a security group's id after `sg-` (API model, SecurityGroupId).
const GROUP_DIGITS: [usize; 2] = [8, 17];
/// Domain names that private DNS can be specified for (API model, PrivateDnsSpecifiedDomainsList).
const DOMAINS_MAX: usize = 10;
/// Characters of one of them (API model, PrivateDnsSpecifiedDomain).
const DOMAIN_CHARS_MAX: usize = 255;

/// What a VpcAssociationPolicy says.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct VpcSpec {
    /// Whether the VPC is to be associated at all. If not, the rest says nothing.
    pub(super) associates: bool,
    /// Empty: none are named.
    pub(super) security_groups: BTreeSet<String>,
    /// What is not named stays as it is.
    pub(super) private_dns: PrivateDns,
}

/// What a policy says, or why it cannot be had.
pub(super) fn spec(policy: &Value) -> Result<VpcSpec, Vec<Problem>> {
    let mut problems = vec![];
    let member = |path: &str| policy.pointer(path).filter(|value| !value.is_null());
    let mut flag = |name: &str| {
        let value = member(&format!("/spec/{name}"))?;
        if value.as_bool().is_none() {
            problems.push(Problem::new(
                Code::PolicyValue,
                format!("spec.{name}"),
                format!("{value} is neither true nor false; write one of the two"),
            ));
        }
        value.as_bool()
    };
    let associates = flag("associateWithVpc").unwrap_or(true);
    if !associates {
        return Ok(VpcSpec {
            associates,
            security_groups: BTreeSet::new(),
            private_dns: PrivateDns::default(),
        });
    }
    let enabled = flag("privateDnsEnabled");
    let security_groups = texts(member("/spec/securityGroupIds"));
    group_problems(&security_groups, &mut problems);
    let preference = member("/spec/dnsOptions/privateDnsPreference").and_then(Value::as_str);
    let domains = texts(member("/spec/dnsOptions/privateDnsSpecifiedDomains"));
    let preference = preference_of(preference, enabled, &domains, &mut problems);
    if !problems.is_empty() {
        return Err(problems);
    }
    let private_dns = PrivateDns { enabled, preference, domains: domains.into_iter().collect() };
    Ok(VpcSpec { associates, security_groups: security_groups.into_iter().collect(), private_dns })
}

/// The texts of a list; what is none stands as JSON, so that it is found wrong.
fn texts(list: Option<&Value>) -> Vec<String> {
    let all = list.and_then(Value::as_array).into_iter().flatten();
    all.map(|one| one.as_str().map_or_else(|| one.to_string(), str::to_owned)).collect()
}

fn group_problems(groups: &[String], problems: &mut Vec<Problem>) {
    const PATH: &str = "spec.securityGroupIds";
    let is_id = |group: &str| {
        group.strip_prefix("sg-").is_some_and(|digits| {
            GROUP_DIGITS.contains(&digits.len())
                && digits.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
        })
    };
    for (at, group) in groups.iter().enumerate().filter(|(_, group)| !is_id(group)) {
        let text = format!(
            "{} is no id of a security group; name one as EC2 does, sg- and 8 or 17 letters and digits after it",
            quoted(group)
        );
        problems.push(Problem::new(Code::PolicyValue, format!("{PATH}[{at}]"), text));
    }
    let count = groups.iter().collect::<BTreeSet<_>>().len();
    if count > GROUPS_MAX {
        let text = format!(
            "{count} security groups are named, and an association can have {GROUPS_MAX}; name fewer"
        );
        problems.push(Problem::new(Code::PolicyValue, PATH, text));
    }
}

fn preference_of(
    preference: Option<&str>,
    enabled: Option<bool>,
    domains: &[String],
    problems: &mut Vec<Problem>,
) -> Option<DnsPreference> {
    const PREFERENCE: &str = "spec.dnsOptions.privateDnsPreference";
    const DOMAINS: &str = "spec.dnsOptions.privateDnsSpecifiedDomains";
    let parsed = preference.and_then(DnsPreference::parse);
    let known = || DnsPreference::ALL.map(DnsPreference::as_str).join(", ");
    let mut wrong = |path: &str, text: String| problems.push(Problem::new(Code::PolicyValue, path, text));
    match (preference, parsed) {
        (Some(text), None) => {
            wrong(PREFERENCE, format!("{} is none; write one of {}", quoted(text), known()));
        }
        (Some(_), _) if enabled != Some(true) => {
            wrong(
                PREFERENCE,
                "It counts with private DNS only; set spec.privateDnsEnabled to true".to_owned(),
            );
        }
        _ => {}
    }
    if !domains.is_empty() && !parsed.is_some_and(DnsPreference::specifies) {
        let of = [DnsPreference::SpecifiedDomainsOnly, DnsPreference::VerifiedDomainsAndSpecifiedDomains];
        let of = of.map(DnsPreference::as_str).join(" or ");
        wrong(
            DOMAINS,
            format!("Domain names are specified for the preference {of} only; set that, or leave them out"),
        );
    }
    if domains.is_empty() && parsed.is_some_and(DnsPreference::specifies) {
        wrong(DOMAINS, format!("The preference asks for domain names; name 1 to {DOMAINS_MAX}"));
    }
    if domains.len() > DOMAINS_MAX {
        wrong(
            DOMAINS,
            format!("{} domain names are given, and {DOMAINS_MAX} can be; name fewer", domains.len()),
        );
    }
    for (at, domain) in domains.iter().enumerate() {
        if !(1..=DOMAIN_CHARS_MAX).contains(&domain.chars().count()) {
            let text = format!("{} has not 1 to {DOMAIN_CHARS_MAX} characters; correct it", quoted(domain));
            wrong(&format!("{DOMAINS}[{at}]"), text);
        }
    }
    parsed
}
