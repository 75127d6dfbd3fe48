//! What has become of instances of EC2, as EC2, Auto Scaling and CloudTrail tell it through EventBridge.

use serde_json::Value;
use std::collections::BTreeSet;

/// What tells of a state of an instance (EC2 User Guide, monitoring by EventBridge).
const STATE: (&str, &str) = ("aws.ec2", "EC2 Instance State-change Notification");
/// The source of what Auto Scaling tells, and of what CloudTrail tells of it (Auto Scaling User Guide, EventBridge).
const SCALING: &str = "aws.autoscaling";
/// What tells of tags (Resource Groups and Tag Editor User Guide, tag change events).
const TAGS: (&str, &str) = ("aws.tag", "Tag Change on Resource");
/// A record of CloudTrail.
const CALL: &str = "AWS API Call via CloudTrail";

/// Instances that one event tells of. One of EC2 or Auto Scaling names one; a call that puts instances on standby up to 20.
const INSTANCES_MAX: usize = 32;
/// Characters of the name of an Auto Scaling group (API model).
const GROUP_CHARS_MAX: usize = 255;

/// What events tell of. It is a hint: what became of it, EC2 and Auto Scaling say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Moved {
    /// Ids of instances.
    pub instances: BTreeSet<String>,
    /// Names of Auto Scaling groups.
    pub groups: BTreeSet<String>,
    /// Whether tags have changed: what instances bear now does not tell of what they bore.
    pub tags_changed: bool,
}

impl Moved {
    /// Whether nothing is told.
    pub fn is_empty(&self) -> bool {
        self.instances.is_empty() && self.groups.is_empty()
    }

    /// Takes in what another event tells.
    pub fn extend(&mut self, other: Self) {
        self.instances.extend(other.instances);
        self.groups.extend(other.groups);
        self.tags_changed |= other.tags_changed;
    }
}

/// What an event of EventBridge tells of instances; none for an event that is not about such. What of it is no id and no name is passed
/// over, so no event is an error.
pub fn moved(event: &Value) -> Option<Moved> {
    let text =
        |value: &Value, pointer: &str| value.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
    let (source, kind) = (text(event, "/source")?, text(event, "/detail-type")?);
    let mut moved = Moved::default();
    if (source.as_str(), kind.as_str()) == STATE {
        moved.instances.extend(text(event, "/detail/instance-id"));
    } else if (source.as_str(), kind.as_str()) == TAGS {
        moved.tags_changed = true;
        let resources = event.get("resources").and_then(Value::as_array).into_iter().flatten();
        let named = resources.filter_map(Value::as_str).filter_map(instance_of_arn);
        moved.instances.extend(named.take(INSTANCES_MAX).map(str::to_owned));
    } else if source == SCALING && kind == CALL {
        moved.groups.extend(text(event, "/detail/requestParameters/autoScalingGroupName"));
    } else if source == SCALING && kind.starts_with("EC2 Instance") {
        moved.instances.extend(text(event, "/detail/EC2InstanceId"));
        moved.groups.extend(text(event, "/detail/AutoScalingGroupName"));
    } else {
        return None;
    }
    moved.instances.retain(|id| is_instance(id));
    moved.groups.retain(|name| is_group(name));
    Some(moved)
}

fn instance_of_arn(arn: &str) -> Option<&str> {
    let mut parts = arn.splitn(6, ':').skip(2);
    let (service, path) = (parts.next()?, parts.nth(2)?);
    path.strip_prefix("instance/").filter(|_| service == "ec2")
}

/// Whether a text is the id of an instance: 8 or 17 hexadecimal digits.
fn is_instance(text: &str) -> bool {
    text.strip_prefix("i-").is_some_and(|digits| {
        matches!(digits.len(), 8 | 17) && digits.bytes().all(|one| matches!(one, b'0'..=b'9' | b'a'..=b'f'))
    })
}

fn is_group(name: &str) -> bool {
    (1..=GROUP_CHARS_MAX).contains(&name.chars().count()) && !name.chars().any(char::is_control)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    const ID: &str = "i-0123456789abcdef0";

    fn event(source: &str, kind: &str, detail: &Value) -> Value {
        json!({"source": source, "detail-type": kind, "account": "123456789012", "region": "us-west-2",
            "resources": [format!("arn:aws:ec2:us-west-2:123456789012:instance/{ID}")], "detail": detail})
    }

    fn told(event: &Value) -> (Vec<String>, Vec<String>, bool) {
        let Moved { instances, groups, tags_changed } = moved(event).unwrap();
        (instances.into_iter().collect(), groups.into_iter().collect(), tags_changed)
    }

    #[test]
    fn states_scaling_and_tags_are_told() {
        let id = || vec![ID.to_owned()];
        let state = event(STATE.0, STATE.1, &json!({"instance-id": ID, "state": "running"}));
        assert_eq!(told(&state), (id(), vec![], false));
        for kind in [
            "EC2 Instance Launch Successful",
            "EC2 Instance Terminate Successful",
            "EC2 Instance-terminate Lifecycle Action",
        ] {
            let detail = json!({"EC2InstanceId": ID, "AutoScalingGroupName": "rates"});
            assert_eq!(told(&event(SCALING, kind, &detail)), (id(), vec!["rates".to_owned()], false));
        }
        let standby = json!({"eventSource": "autoscaling.amazonaws.com", "eventName": "EnterStandby",
            "requestParameters": {"autoScalingGroupName": "rates", "instanceIds": [ID]}});
        assert_eq!(told(&event(SCALING, CALL, &standby)), (vec![], vec!["rates".to_owned()], false));
        assert_eq!(told(&event(TAGS.0, TAGS.1, &json!({}))), (id(), vec![], true));
    }

    #[test]
    fn what_is_no_id_and_no_name_is_passed_over() {
        for wrong in
            ["", "i-", "i-0123", "i-0123456789ABCDEF0", "i-0123456789abcdef0/../x", "*", "ami-01234567"]
        {
            let state = event(STATE.0, STATE.1, &json!({"instance-id": wrong}));
            assert!(moved(&state).unwrap().is_empty(), "{wrong}");
        }
        let long = "g".repeat(GROUP_CHARS_MAX + 1);
        for wrong in ["", "a\nb", long.as_str()] {
            let scaled =
                event(SCALING, "EC2 Instance Launch Successful", &json!({"AutoScalingGroupName": wrong}));
            assert!(moved(&scaled).unwrap().is_empty(), "{wrong}");
        }
    }

    #[test]
    fn another_event_tells_nothing() {
        for event in [
            json!({}),
            json!(7),
            event("aws.vpc-lattice", CALL, &json!({})),
            event("aws.ec2", CALL, &json!({})),
            event("mine", STATE.1, &json!({"instance-id": ID})),
        ] {
            assert_eq!(moved(&event), None, "{event}");
        }
    }

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<i64>().prop_map(Value::from),
            "(i-[0-9a-f]{17}|.{0,20})".prop_map(Value::String),
        ];
        leaf.prop_recursive(3, 24, 6, |inner| {
            let names = "(instance-id|EC2InstanceId|AutoScalingGroupName|requestParameters|[a-z]{0,8})";
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::Array),
                prop::collection::btree_map(names, inner, 0..6)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1_000))]

        #[test]
        fn no_event_is_too_strange(detail in value(), resources in value(), anything in value()) {
            for (source, kind) in [STATE, TAGS, (SCALING, CALL), (SCALING, "EC2 Instance Launch Successful")] {
                let event = json!({"source": source, "detail-type": kind, "detail": detail, "resources": resources});
                let moved = moved(&event).unwrap();
                prop_assert!(moved.instances.len() <= INSTANCES_MAX && moved.groups.len() <= 1);
                prop_assert!(moved.instances.iter().all(|id| is_instance(id)));
            }
            moved(&anything);
        }
    }
}
