//! Golden outputs without what is the same in most of them.

use serde_json::{Value, json};
use trellis_gateway::{Act, ObjectChange};

/// Leaves tags, health checks and the owner out, and writes targets, actions and conditions in a line each.
pub(crate) fn shorten(output: &mut Value) {
    if let Some(desired) = output.get_mut("desired").and_then(Value::as_object_mut) {
        desired.shift_remove("owner");
        each(desired.get_mut("certificates"), |certificate| {
            remove(certificate, &["tags"]);
            if let Some(material) = certificate.get_mut("material") {
                remove(material, &["certificate", "chain"]);
            }
        });
        for member in [
            "services",
            "targetGroups",
            "vpcAssociations",
            "accessLogs",
            "resourceGateways",
            "resourceConfigurations",
        ] {
            each(desired.get_mut(member), |resource| {
                remove(resource, &["tags", "healthCheck"]);
                each(resource.get_mut("listeners"), |listener| {
                    line(listener.get_mut("defaultAction"));
                    each(listener.get_mut("rules"), |rule| {
                        remove(rule, &["name"]);
                        line(rule.get_mut("match"));
                        line(rule.get_mut("action"));
                    });
                });
                line(resource.get_mut("config"));
                each(resource.get_mut("targets"), |target| {
                    let named =
                        ["ip", "instance", "loadBalancer"].into_iter().find_map(|one| target[one].as_str());
                    *target = match named {
                        Some(id) => json!(format!("{id} {}", target["port"])),
                        None => target["function"].clone(),
                    };
                });
            });
        }
        if let Some(network) = desired.get_mut("network") {
            remove(network, &["tags"]);
        }
    }
    each(output.get_mut("statuses"), |patch| {
        conditions(patch.get_mut("status"));
        remove(patch, &["summary"]);
        if let Some(status) = patch.get_mut("status") {
            each(status.get_mut("parents"), |parent| {
                line(parent.get_mut("parentRef"));
                conditions(Some(parent));
            });
            each(status.get_mut("ancestors"), |ancestor| {
                line(ancestor.get_mut("ancestorRef"));
                conditions(Some(ancestor));
            });
            each(status.get_mut("listeners"), |listener| {
                line(listener.get_mut("supportedKinds"));
                conditions(Some(listener));
            });
        }
    });
}

/// YAML without folded lines, so that a difference is one line.
pub(crate) fn yaml(document: &Value) -> String {
    let options = serde_saphyr::ser_options! { folded_wrap_chars: 100_000, min_fold_chars: 100_000 };
    serde_saphyr::to_string_with_options(document, options).unwrap()
}

fn each(list: Option<&mut Value>, mut change: impl FnMut(&mut Value)) {
    list.and_then(Value::as_array_mut).into_iter().flatten().for_each(&mut change);
}

fn remove(value: &mut Value, members: &[&str]) {
    if let Some(object) = value.as_object_mut() {
        for member in members {
            object.shift_remove(*member);
        }
    }
}

fn line(value: Option<&mut Value>) {
    if let Some(value) = value {
        *value = Value::String(serde_json::to_string(value).unwrap().replace('"', ""));
    }
}

fn conditions(holder: Option<&mut Value>) {
    each(holder.and_then(|holder| holder.get_mut("conditions")), |condition| {
        let text = |member: &str| condition.get(member).and_then(Value::as_str).unwrap_or_default();
        let (kind, status, reason) = (text("type"), text("status"), text("reason"));
        *condition =
            json!(format!("{kind} {status} {reason}: {}", text("message")).trim_end_matches([':', ' ']));
    });
}

/// A change of an object beside statuses.
pub(crate) fn shown_change(change: &ObjectChange) -> Value {
    let (key, verb) = (&change.key, change.act.verb());
    let object = format!("{} {}/{}/{}", key.kind, change.cluster.name, key.namespace, key.name);
    match &change.act {
        Act::Create(whole) => json!({"object": object, verb: whole}),
        Act::Patch { patch, .. } => json!({"object": object, verb: patch}),
        Act::Delete { .. } => json!({"object": object, verb: null}),
    }
}
