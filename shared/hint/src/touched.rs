//! What somebody's call to VPC Lattice touched, or to EC2 for a VPC endpoint, as CloudTrail tells it through EventBridge.

use crate::Scope;
use serde_json::{Map, Value};
use std::fmt;

/// The longest event that is read, in bytes: a record of CloudTrail has at most 256 KiB, and the event around it is small.
pub const EVENT_BYTES_MAX: usize = 264 * 1024;

/// The source of an event, and of the call that it is of.
const LATTICE: (&str, &str) = ("aws.vpc-lattice", "vpc-lattice.amazonaws.com");
const EC2: (&str, &str) = ("aws.ec2", "ec2.amazonaws.com");

/// The calls to EC2 that change an endpoint which is there; template.yaml's rule brings no others.
const ENDPOINT_CALLS: [&str; 2] = ["DeleteVpcEndpoints", "ModifyVpcEndpoint"];

/// How deep an id stands in the record of a call to EC2: request, list, entry, content.
const EC2_DEPTH_MAX: usize = 5;

/// Members of one part of an event that are looked at. No call to VPC Lattice has more than twelve.
const MEMBERS_MAX: usize = 64;

/// Resources that one event tells of. An association names the most: itself, the service and the network.
const TOUCHED_MAX: usize = 8;

/// The longest text that can be an ARN (AWS API reference of VPC Lattice, `Arn`: up to 1,023 behind the account).
const ARN_CHARS_MAX: usize = 1_200;

/// The longest name of a VPC Lattice resource (API model: a target group's 128).
const NAME_CHARS_MAX: usize = 128;

/// What stands behind the hyphen of an id (API model: `svc-[0-9a-z]{17}` and the like).
const ID_TAIL_CHARS: usize = 17;

/// A kind of VPC Lattice resource that a unit owns as a whole.
///
/// Listeners and rules are told by their service: they have the same owner, and the service outlives them, so that its
/// tags can still be read when a rule is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TouchedKind {
    /// A service, or a listener or a rule of it.
    Service,
    /// A service network.
    ServiceNetwork,
    /// An association of a service with a network.
    ServiceAssociation,
    /// An association of a VPC with a network.
    VpcAssociation,
    /// A target group.
    TargetGroup,
    /// A resource gateway.
    ResourceGateway,
    /// A resource configuration.
    ResourceConfiguration,
    /// An association of a resource configuration with a network.
    ResourceAssociation,
    /// A VPC endpoint, of whatever type: in EC2.
    VpcEndpoint,
}

impl TouchedKind {
    const ALL: [Self; 9] = [
        Self::Service,
        Self::ServiceNetwork,
        Self::ServiceAssociation,
        Self::VpcAssociation,
        Self::TargetGroup,
        Self::ResourceGateway,
        Self::ResourceConfiguration,
        Self::ResourceAssociation,
        Self::VpcEndpoint,
    ];

    /// The resource's kind in an ARN, and the prefix of its ids.
    const fn spelling(self) -> (&'static str, &'static str) {
        match self {
            Self::Service => ("service", "svc"),
            Self::ServiceNetwork => ("servicenetwork", "sn"),
            Self::ServiceAssociation => ("servicenetworkserviceassociation", "snsa"),
            Self::VpcAssociation => ("servicenetworkvpcassociation", "snva"),
            Self::TargetGroup => ("targetgroup", "tg"),
            Self::ResourceGateway => ("resourcegateway", "rgw"),
            Self::ResourceConfiguration => ("resourceconfiguration", "rcfg"),
            Self::ResourceAssociation => ("servicenetworkresourceassociation", "snra"),
            Self::VpcEndpoint => ("vpc-endpoint", "vpce"),
        }
    }

    /// The service in its ARN.
    const fn service(self) -> &'static str {
        match self {
            Self::VpcEndpoint => "ec2",
            Self::Service
            | Self::ServiceNetwork
            | Self::ServiceAssociation
            | Self::VpcAssociation
            | Self::TargetGroup
            | Self::ResourceGateway
            | Self::ResourceConfiguration
            | Self::ResourceAssociation => "vpc-lattice",
        }
    }
}

/// A resource of VPC Lattice that a call touched. Whose it is, its tags tell whoever looks.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Touched {
    /// What it is.
    pub kind: TouchedKind,
    /// The account that it belongs to, 12 digits.
    pub account: String,
    /// Its Region.
    pub region: String,
    /// Its id, such as `svc-0123456789abcdef0`.
    pub id: String,
    /// Its name where the event tells one: what leads to the unit when the resource and its tags are gone.
    pub name: Option<String>,
}

impl Touched {
    /// The partition that its Region is in.
    pub fn partition(&self) -> &'static str {
        let scope = Scope { account: self.account.clone(), region: self.region.clone() };
        scope.partition()
    }

    /// Its ARN in that partition (`aws`, `aws-cn`, …), which the events do not tell.
    pub fn arn(&self, partition: &str) -> String {
        let (kind, _) = self.kind.spelling();
        let service = self.kind.service();
        format!("arn:{partition}:{service}:{}:{}:{kind}/{}", self.region, self.account, self.id)
    }
}

impl fmt::Display for Touched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.id)
    }
}

/// The resources of VPC Lattice that an EventBridge event "AWS API Call via CloudTrail" tells of, each once, in the
/// order of the event.
///
/// Empty for any other event, for a call that failed and for one that only read. What looks like an id or an ARN of VPC
/// Lattice counts, whatever its member is called; everything else is passed over, so no event is an error. Only what a
/// call was about counts, not what its rules and actions mention.
pub fn touched(event: &Value) -> Vec<Touched> {
    let Some(detail) = changing_call(event) else { return vec![] };
    let of_ec2 = event.get("source").and_then(Value::as_str) == Some(EC2.0);
    let scope = scope_of(event);
    let mut found: Vec<Touched> = vec![];
    for part in ["requestParameters", "responseElements"] {
        let Some(members) = detail.get(part).and_then(Value::as_object) else { continue };
        let mut texts = vec![];
        let depth = if of_ec2 { EC2_DEPTH_MAX } else { 1 };
        members.values().take(MEMBERS_MAX).for_each(|value| texts_in(value, depth, &mut texts));
        for one in texts.into_iter().filter_map(|text| resource(text, scope)) {
            if found.len() < TOUCHED_MAX && !found.iter().any(|other| same(other, &one)) {
                found.push(one);
            }
        }
        name_in(members, scope, &mut found);
    }
    found
}

/// The record of a call that has changed something in VPC Lattice.
fn changing_call(event: &Value) -> Option<&Map<String, Value>> {
    let text = |value: &Value, name: &str| value.get(name).and_then(Value::as_str).map(str::to_owned);
    let detail = event.get("detail")?;
    let (source, event_source) = (text(event, "source")?, text(detail, "eventSource")?);
    let is_of = |(of, by): (&str, &str)| source == of && event_source == by;
    let of_ec2 = is_of(EC2) && ENDPOINT_CALLS.contains(&text(detail, "eventName")?.as_str());
    let failed = detail.get("errorCode").is_some_and(|code| !code.is_null());
    let reads = detail.get("readOnly").and_then(Value::as_bool).unwrap_or_default();
    detail.as_object().filter(|_| (is_of(LATTICE) || of_ec2) && !failed && !reads)
}

/// The texts of a value, down to a depth: EC2's records hold a request as a member of its own, and lists as members with numbers.
fn texts_in<'v>(value: &'v Value, depth: usize, texts: &mut Vec<&'v str>) {
    if texts.len() >= MEMBERS_MAX || depth == 0 {
        return;
    }
    match value {
        Value::String(text) => texts.push(text),
        Value::Array(all) => all.iter().take(MEMBERS_MAX).for_each(|one| texts_in(one, depth - 1, texts)),
        Value::Object(all) => all.values().take(MEMBERS_MAX).for_each(|one| texts_in(one, depth - 1, texts)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Account and Region of the event: of what is named by its id alone.
fn scope_of(event: &Value) -> Option<(&str, &str)> {
    let text = |name: &str| event.get(name).and_then(Value::as_str);
    text("account").zip(text("region")).filter(|(account, region)| is_scope(account, region))
}

fn is_scope(account: &str, region: &str) -> bool {
    let region_like = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let is_account = account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit());
    is_account && (1..=32).contains(&region.len()) && region.bytes().all(region_like)
}

/// The resource of an id or an ARN; none if the text is something else.
fn resource(text: &str, scope: Option<(&str, &str)>) -> Option<Touched> {
    if text.len() > ARN_CHARS_MAX {
        return None;
    }
    let Some(arn) = text.strip_prefix("arn:") else {
        let kind = TouchedKind::ALL.into_iter().find(|kind| is_id(*kind, text))?;
        return Some(made(kind, scope?, text));
    };
    let mut parts = arn.splitn(5, ':').skip(1);
    let (service, region, account) = (parts.next()?, parts.next()?, parts.next()?);
    let mut path = parts.next()?.split('/');
    let (spelling, id) = (path.next()?, path.next()?);
    let kind = TouchedKind::ALL.into_iter().find(|kind| kind.spelling().0 == spelling)?;
    let valid = service == kind.service() && is_scope(account, region) && is_id(kind, id);
    valid.then(|| made(kind, (account, region), id))
}

fn is_id(kind: TouchedKind, text: &str) -> bool {
    let tail = text.strip_prefix(kind.spelling().1).and_then(|rest| rest.strip_prefix('-'));
    tail.is_some_and(|tail| {
        tail.len() == ID_TAIL_CHARS
            && tail.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
    })
}

fn made(kind: TouchedKind, (account, region): (&str, &str), id: &str) -> Touched {
    Touched { kind, account: account.into(), region: region.into(), id: id.into(), name: None }
}

/// An id is unique in its Region, so one that comes as id and as ARN is one resource.
fn same(one: &Touched, other: &Touched) -> bool {
    one.kind == other.kind && one.id == other.id
}

/// Gives the resource that an answer is about its name. A listener's or a rule's name is not its service's.
fn name_in(members: &Map<String, Value>, scope: Option<(&str, &str)>, found: &mut [Touched]) {
    let text = |name: &str| members.get(name).and_then(Value::as_str);
    let Some(name) = text("name").filter(|name| name.len() <= NAME_CHARS_MAX) else { return };
    let Some(own) = text("id").and_then(|id| resource(id, scope)) else { return };
    if let Some(one) = found.iter_mut().find(|one| same(one, &own)) {
        one.name = Some(name.to_owned());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    const ACCOUNT: &str = "123456789012";
    const REGION: &str = "us-west-2";
    const SERVICE: &str = "svc-0123456789abcdef0";
    const NETWORK: &str = "sn-0123456789abcdef0";

    fn event(name: &str, request: Value, response: Value) -> Value {
        let detail =
            json!({"eventSource": "vpc-lattice.amazonaws.com", "eventName": name, "readOnly": false});
        let mut event =
            json!({"source": "aws.vpc-lattice", "account": ACCOUNT, "region": REGION, "detail": detail});
        event["detail"]["requestParameters"] = request;
        event["detail"]["responseElements"] = response;
        event
    }

    fn arns(event: &Value) -> Vec<String> {
        touched(event).iter().map(|one| one.arn("aws")).collect()
    }

    fn arn(resource: &str) -> String {
        format!("arn:aws:vpc-lattice:{REGION}:{ACCOUNT}:{resource}")
    }

    #[test]
    fn an_endpoint_that_somebody_deletes_or_changes_in_ec2_is_touched_however_deep_its_id_stands() {
        const ENDPOINT: &str = "vpce-0123456789abcdef0";
        let of_ec2 = |name: &str, request: Value| {
            let mut event = event(name, request, Value::Null);
            event["source"] = json!("aws.ec2");
            event["detail"]["eventSource"] = json!("ec2.amazonaws.com");
            event
        };
        let own = [format!("arn:aws:ec2:{REGION}:{ACCOUNT}:vpc-endpoint/{ENDPOINT}")];
        let one = json!({"DeleteVpcEndpointsRequest": {"VpcEndpointId": {"tag": 1, "content": ENDPOINT}}});
        assert_eq!(arns(&of_ec2("DeleteVpcEndpoints", one.clone())), own);
        let some = json!({"DeleteVpcEndpointsRequest": {"VpcEndpointId": [{"tag": 1, "content": ENDPOINT}]}});
        assert_eq!(arns(&of_ec2("DeleteVpcEndpoints", some)), own);
        let change = json!({"ModifyVpcEndpointRequest": {"VpcEndpointId": ENDPOINT}});
        assert_eq!(arns(&of_ec2("ModifyVpcEndpoint", change)), own);
        assert!(arns(&of_ec2("CreateTags", one)).is_empty(), "of EC2 only what the rule brings");
    }

    #[test]
    fn a_rule_or_a_listener_leads_to_its_service() {
        let request = json!({
            "serviceIdentifier": SERVICE, "listenerIdentifier": "listener-0123456789abcdef0",
            "ruleIdentifier": "rule-0123456789abcdef0",
        });
        assert_eq!(arns(&event("DeleteRule", request, Value::Null)), [arn(&format!("service/{SERVICE}"))]);
        let listener = arn(&format!("service/{SERVICE}/listener/listener-0123456789abcdef0"));
        let response = json!({"arn": listener, "id": "listener-0123456789abcdef0", "name": "http-80"});
        let found = touched(&event("CreateListener", json!({"serviceIdentifier": SERVICE}), response));
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].name, None, "the name is the listener's");
    }

    #[test]
    fn an_id_and_an_arn_of_one_resource_are_one_with_the_name_that_the_answer_tells() {
        let response =
            json!({"id": SERVICE, "arn": arn(&format!("service/{SERVICE}")), "name": "inventory-default"});
        let found = touched(&event("DeleteService", json!({"serviceIdentifier": SERVICE}), response));
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].name.as_deref(), Some("inventory-default"));
        assert_eq!((found[0].kind, found[0].id.as_str()), (TouchedKind::Service, SERVICE));
    }

    #[test]
    fn an_association_tells_of_itself_the_service_and_the_network() {
        let request = json!({"serviceIdentifier": SERVICE, "serviceNetworkIdentifier": NETWORK});
        let own = arn("servicenetworkserviceassociation/snsa-0123456789abcdef0");
        let found = touched(&event("CreateServiceNetworkServiceAssociation", request, json!({"arn": own})));
        let kinds: Vec<TouchedKind> = found.iter().map(|one| one.kind).collect();
        let all = [TouchedKind::Service, TouchedKind::ServiceNetwork, TouchedKind::ServiceAssociation];
        assert_eq!(kinds, all);
    }

    #[test]
    fn an_arn_keeps_the_account_of_whoever_shares_the_resource() {
        let shared = format!("arn:aws:vpc-lattice:{REGION}:999999999999:servicenetwork/{NETWORK}");
        assert_eq!(arns(&event("TagResource", json!({"resourceArn": shared}), Value::Null)), [shared]);
    }

    #[test]
    fn what_a_rule_only_mentions_is_not_touched() {
        let action =
            json!({"forward": {"targetGroups": [{"targetGroupIdentifier": "tg-0123456789abcdef0"}]}});
        let request = json!({"serviceIdentifier": SERVICE, "action": action});
        assert_eq!(arns(&event("CreateRule", request, Value::Null)), [arn(&format!("service/{SERVICE}"))]);
    }

    #[test]
    fn calls_that_failed_or_only_read_and_events_of_others_touch_nothing() {
        let request = || json!({"serviceIdentifier": SERVICE});
        let with = |path: &str, value: Value| {
            let mut changed = event("UpdateService", request(), Value::Null);
            *changed.pointer_mut(path).unwrap() = value;
            changed
        };
        assert_eq!(arns(&event("UpdateService", request(), Value::Null)).len(), 1);
        assert!(touched(&with("/source", json!("aws.ec2"))).is_empty());
        assert!(touched(&with("/detail/eventSource", json!("ec2.amazonaws.com"))).is_empty());
        assert!(touched(&with("/detail/readOnly", json!(true))).is_empty());
        assert!(touched(&with("/account", json!("12"))).is_empty(), "an id without a scope is nobody's");
        let mut failed = event("UpdateService", request(), Value::Null);
        failed["detail"]["errorCode"] = json!("AccessDeniedException");
        assert!(touched(&failed).is_empty());
    }

    #[test]
    fn what_only_resembles_an_id_is_passed_over() {
        for text in [
            "svc-0123456789abcdef",
            "svc-0123456789abcdef01",
            "svc-0123456789ABCDEF0",
            "xsvc-0123456789abcdef0",
            "arn:aws:vpc-lattice:us-west-2:123456789012",
            "arn:aws:vpc-lattice:us-west-2:123456789012:service/svc-*",
            "arn:aws:ec2:us-west-2:123456789012:service/svc-0123456789abcdef0",
            "arn:aws:vpc-lattice:us-west-2:1:service/svc-0123456789abcdef0",
            "arn:aws:vpc-lattice:US WEST:123456789012:service/svc-0123456789abcdef0",
            "arn:aws:vpc-lattice:us-west-2:123456789012:servicenetwork/svc-0123456789abcdef0",
            "HIDDEN_DUE_TO_SECURITY_REASONS",
        ] {
            assert!(touched(&event("X", json!({"a": text}), Value::Null)).is_empty(), "{text}");
        }
        let endless = arn(&format!("service/{SERVICE}/{}", "a".repeat(5_000)));
        assert!(touched(&event("X", json!({"a": endless}), Value::Null)).is_empty());
    }

    #[test]
    fn an_event_that_names_a_thousand_resources_tells_of_a_few() {
        let many: Map<String, Value> =
            (0..1_000).map(|n| (format!("m{n}"), json!(format!("svc-{n:017}")))).collect();
        assert_eq!(touched(&event("X", Value::Object(many), Value::Null)).len(), TOUCHED_MAX);
    }

    fn json_value() -> impl Strategy<Value = Value> {
        let text = prop_oneof![
            ".{0,40}",
            "(svc|sn|tg|snsa|snva)-[0-9a-z]{16,18}",
            "arn:[a-z-]{0,8}:vpc-lattice:[a-z0-9-]{0,12}:[0-9]{11,13}:[a-z/]{0,20}(/svc-[0-9a-z]{17})?",
        ];
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::Bool),
            any::<i64>().prop_map(Value::from),
            text.prop_map(Value::String),
        ];
        leaf.prop_recursive(3, 24, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::Array),
                prop::collection::btree_map("[a-zA-Z]{0,12}", inner, 0..6)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1_000))]

        #[test]
        fn no_event_is_too_strange(request in json_value(), response in json_value(), anything in json_value()) {
            let found = touched(&event("X", request, response));
            prop_assert!(found.len() <= TOUCHED_MAX);
            for one in found {
                prop_assert_eq!(resource(&one.arn("aws"), None), Some(Touched { name: None, ..one }));
            }
            touched(&anything);
        }
    }
}
