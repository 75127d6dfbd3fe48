//! EC2's Query API, as much of it as VPC endpoints of service networks and the settings' instances take: requests as forms, answers
//! as XML.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderValue, Method, StatusCode, header};
use http_body_util::Full;
use percent_encoding::percent_decode_str;

use super::{Fault, Reply, Service, suffer};
use crate::Emulator;
use crate::protocol::{Answer, request_id, signature};
use crate::state::{Instance, NewEndpoint, State, VpcEndpoint};

const EC2: Service = Service {
    name: "ec2",
    throttled: "RequestLimitExceeded",
    internal: "InternalError",
    denied: "UnauthorizedOperation",
};

const NAMESPACE: &str = "http://ec2.amazonaws.com/doc/2016-11-15/";

/// Items on one page when the caller names no number.
const PAGE: usize = 1000;

/// A request's parameters by name.
type Form = BTreeMap<String, String>;

/// Answers a request of EC2; `None` when it is none.
pub(super) async fn handle(emulator: &Emulator, parts: &Parts, body: &[u8]) -> Option<Reply> {
    let kind = parts.headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
    if parts.method != Method::POST || !kind.starts_with("application/x-www-form-urlencoded") {
        return None;
    }
    let form = form(body);
    let action = form.get("Action")?.clone();
    let name = format!("{}:{action}", EC2.name);
    let outcome = match signature::check(emulator, parts, EC2.name, body) {
        Err(error) => Ok(Err(Fault(StatusCode::UNAUTHORIZED, "AuthFailure", error.to_string()))),
        Ok(()) => suffer(emulator, &EC2, &name, async { perform(emulator, &action, &form) }).await,
    };
    let error = match &outcome {
        Ok(Ok(_)) => None,
        Ok(Err(fault)) => Some(fault.1),
        Err(_) => Some("Lost"),
    };
    Some(Reply { operation: name, answer: outcome.map(|outcome| answer(&action, outcome)), error })
}

fn form(body: &[u8]) -> Form {
    let text = String::from_utf8_lossy(body);
    let plain = |text: &str| percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned();
    let pairs = text.split('&').filter_map(|pair| pair.split_once('='));
    pairs.map(|(key, value)| (plain(key), plain(value))).collect()
}

/// The values of a list, `<name>.1` and so on.
fn list<'f>(form: &'f Form, name: &'f str) -> impl Iterator<Item = &'f String> {
    (1..).map_while(move |number| form.get(&format!("{name}.{number}")))
}

fn set(form: &Form, name: &str) -> BTreeSet<String> {
    list(form, name).cloned().collect()
}

fn tags(form: &Form, name: &str) -> Vec<(String, Option<String>)> {
    let pair = |number: usize| {
        let key = form.get(&format!("{name}.{number}.Key"))?.clone();
        Some((key, form.get(&format!("{name}.{number}.Value")).cloned()))
    };
    (1..).map_while(pair).collect()
}

/// The filters, each with its values; of a value's signs only the plain ones mean something here.
fn filters(form: &Form) -> Vec<(String, BTreeSet<String>)> {
    let filter = |number: usize| {
        let name = form.get(&format!("Filter.{number}.Name"))?.clone();
        Some((name, set(form, &format!("Filter.{number}.Value"))))
    };
    (1..).map_while(filter).collect()
}

fn perform(emulator: &Emulator, action: &str, form: &Form) -> Result<String, Fault> {
    let now = emulator.clock.now();
    let mut state = emulator.state();
    state.advance(now);
    let text = |name: &str| form.get(name).cloned().unwrap_or_default();
    match action {
        "CreateVpcEndpoint" => {
            if text("VpcEndpointType") != "ServiceNetwork" {
                let message = "only endpoints of the type ServiceNetwork are served here";
                return Err(Fault::bad("InvalidParameter", message));
            }
            let tags = tags(form, "TagSpecification.1.Tag").into_iter();
            let new = NewEndpoint {
                network: text("ServiceNetworkArn"),
                vpc: text("VpcId"),
                subnets: set(form, "SubnetId"),
                groups: set(form, "SecurityGroupId"),
                token: text("ClientToken"),
                tags: tags.map(|(key, value)| (key, value.unwrap_or_default())).collect(),
            };
            let id = state.create_endpoint(now, new)?;
            let made = state.endpoints().get(&id).map(|one| endpoint(&state, one)).unwrap_or_default();
            Ok(element("vpcEndpoint", &made) + &element("clientToken", &escaped(&text("ClientToken"))))
        }
        "DescribeVpcEndpoints" => describe(&state, form),
        "DescribeVpcEndpointAssociations" => associations(&state, form),
        "DescribeSubnets" => subnets(&state, form),
        "DescribeInstances" => instances(&state, form),
        "ModifyVpcEndpoint" => {
            let (add_subnets, add_groups) = (set(form, "AddSubnetId"), set(form, "AddSecurityGroupId"));
            let (less_subnets, less_groups) =
                (set(form, "RemoveSubnetId"), set(form, "RemoveSecurityGroupId"));
            state.modify_endpoint(now, &text("VpcEndpointId"), |subnets, groups| {
                subnets.extend(add_subnets);
                groups.extend(add_groups);
                subnets.retain(|one| !less_subnets.contains(one));
                groups.retain(|one| !less_groups.contains(one));
            })?;
            Ok(element("return", "true"))
        }
        "DeleteVpcEndpoints" => {
            let mut failed = String::new();
            for id in list(form, "VpcEndpointId") {
                if let Err(why) = state.delete_endpoint(now, id) {
                    let error = element("code", why.0) + &element("message", &escaped(&why.1));
                    failed += &element("item", &(element("error", &error) + &element("resourceId", id)));
                }
            }
            Ok(element("unsuccessful", &failed))
        }
        "CreateTags" => {
            let new = tags(form, "Tag");
            for id in list(form, "ResourceId") {
                let new = new.iter().map(|(key, value)| (key.clone(), value.clone().unwrap_or_default()));
                state.retag_endpoint(now, id, |tags| tags.extend(new))?;
            }
            Ok(element("return", "true"))
        }
        "DeleteTags" => {
            let old = tags(form, "Tag");
            let goes = |key: &String, value: &String| {
                old.iter().any(|(of, with)| of == key && with.as_ref().is_none_or(|with| with == value))
            };
            for id in list(form, "ResourceId") {
                state.retag_endpoint(now, id, |tags| tags.retain(|key, value| !goes(key, value)))?;
            }
            Ok(element("return", "true"))
        }
        other => Err(Fault::bad("InvalidAction", format!("The action {other} is not served here"))),
    }
}

fn describe(state: &State, form: &Form) -> Result<String, Fault> {
    let (ids, filters) = (set(form, "VpcEndpointId"), filters(form));
    known(state, &ids)?;
    let takes = |one: &VpcEndpoint| {
        let tags = state.tags_by_arn(&one.meta.arn);
        filters.iter().all(|(name, values)| match name.as_str() {
            "vpc-id" => values.contains(&one.vpc),
            "vpc-endpoint-id" => values.contains(&one.meta.id),
            "vpc-endpoint-state" => values.contains(one.state()),
            "vpc-endpoint-type" => values.contains("ServiceNetwork"),
            name => match name.strip_prefix("tag:") {
                Some(key) => tags.get(key).is_some_and(|value| values.contains(value)),
                None => false,
            },
        })
    };
    let all = state.endpoints().values();
    let found = all.filter(|one| (ids.is_empty() || ids.contains(&one.meta.id)) && takes(one));
    page(form, "vpcEndpointSet", &found.map(|one| endpoint(state, one)).collect::<Vec<_>>())
}

/// An id that names nothing is an error of the whole call.
fn known(state: &State, ids: &BTreeSet<String>) -> Result<(), Fault> {
    match ids.iter().find(|id| !state.endpoints().contains_key(*id)) {
        None => Ok(()),
        Some(id) => {
            let text = format!("The Vpc Endpoint Id '{id}' does not exist");
            Err(Fault::bad("InvalidVpcEndpointId.NotFound", text))
        }
    }
}

fn associations(state: &State, form: &Form) -> Result<String, Fault> {
    let ids = set(form, "VpcEndpointId");
    known(state, &ids)?;
    let available = state.endpoints().values().filter(|one| one.state() == "available");
    let chosen = available.filter(|one| ids.is_empty() || ids.contains(&one.meta.id));
    let items = chosen.flat_map(|one| {
        let answered = state.answered_by(one).into_iter();
        answered.map(|(link, arn, name)| {
            element("id", &link)
                + &element("vpcEndpointId", &one.meta.id)
                + &element("serviceNetworkArn", &state.network_arn(&one.network))
                + &element("associatedResourceArn", &arn)
                + &element("associatedResourceAccessibility", "Accessible")
                + &element("dnsEntry", &element("dnsName", &name))
        })
    });
    page(form, "vpcEndpointAssociationSet", &items.collect::<Vec<_>>())
}

fn subnets(state: &State, form: &Form) -> Result<String, Fault> {
    let ids = set(form, "SubnetId");
    let (all, filters) = (&state.settings.subnets, filters(form));
    if let Some(id) = ids.iter().find(|id| !all.contains_key(*id)) {
        return Err(Fault::bad("InvalidSubnetID.NotFound", format!("The subnet ID '{id}' does not exist")));
    }
    let takes = |id: &String, vpc: &String| {
        filters.iter().all(|(name, values)| match name.as_str() {
            "subnet-id" => values.contains(id),
            "vpc-id" => values.contains(vpc),
            _ => false,
        })
    };
    let found = all.iter().filter(|(id, one)| (ids.is_empty() || ids.contains(*id)) && takes(id, &one.vpc));
    let items = found.map(|(id, one)| {
        element("subnetId", id)
            + &element("vpcId", &one.vpc)
            + &element("availabilityZoneId", &one.zone)
            + &element("state", "available")
    });
    page(form, "subnetSet", &items.collect::<Vec<_>>())
}

/// Each instance in a reservation of its own.
fn instances(state: &State, form: &Form) -> Result<String, Fault> {
    let ids = set(form, "InstanceId");
    let (all, filters) = (&state.settings.instances, filters(form));
    if let Some(id) = ids.iter().find(|id| !all.contains_key(*id)) {
        let text = format!("The instance ID '{id}' does not exist");
        return Err(Fault::bad("InvalidInstanceID.NotFound", text));
    }
    let takes = |id: &String, one: &Instance| {
        filters.iter().all(|(name, values)| match name.as_str() {
            "instance-id" => values.contains(id),
            "instance-state-name" => values.contains(&one.state),
            "vpc-id" => values.contains(&one.vpc),
            name => match name.strip_prefix("tag:") {
                Some(key) => one.tags.get(key).is_some_and(|value| values.contains(value)),
                None => false,
            },
        })
    };
    let found = all.iter().filter(|(id, one)| (ids.is_empty() || ids.contains(*id)) && takes(id, one));
    let items = found.map(|(id, one)| {
        let mut content = element("instanceId", id)
            + &element("instanceState", &element("name", &one.state))
            + &element("tagSet", &tag_items(&one.tags));
        if one.state != "terminated" {
            content += &element("vpcId", &one.vpc);
            content += &element("privateIpAddress", &one.address.to_string());
        }
        let instances = element("instancesSet", &element("item", &content));
        element("reservationId", &id.replace("i-", "r-")) + &instances
    });
    page(form, "reservationSet", &items.collect::<Vec<_>>())
}

fn tag_items(tags: &BTreeMap<String, String>) -> String {
    let item = |(key, value): (&String, &String)| {
        element("item", &(element("key", &escaped(key)) + &element("value", &escaped(value))))
    };
    tags.iter().map(item).collect()
}

/// One page of items; the token is the number of those before it.
fn page(form: &Form, set: &str, items: &[String]) -> Result<String, Fault> {
    let number = |name: &str| form.get(name).map(|text| text.parse::<usize>()).transpose();
    let bad = |_| Fault::bad("InvalidParameterValue", "a number or a token cannot be read");
    let start = number("NextToken").map_err(bad)?.unwrap_or_default();
    let size = number("MaxResults").map_err(bad)?.unwrap_or(PAGE).clamp(1, PAGE);
    let shown: String = items.iter().skip(start).take(size).map(|item| element("item", item)).collect();
    let end = start.saturating_add(size);
    let next = if end < items.len() { element("nextToken", &end.to_string()) } else { String::new() };
    Ok(element(set, &shown) + &next)
}

fn endpoint(state: &State, one: &VpcEndpoint) -> String {
    let tags = state.tags_by_arn(&one.meta.arn);
    let subnets = one.subnets.iter().map(|id| element("item", id));
    let groups = one.groups.iter().map(|id| element("item", &element("groupId", id)));
    let failure = one.life.failure.as_ref().map(|(_, message)| element("failureReason", &escaped(message)));
    element("vpcEndpointId", &one.meta.id)
        + &element("vpcEndpointType", "ServiceNetwork")
        + &element("vpcId", &one.vpc)
        + &element("state", one.state())
        + &element("subnetIdSet", &subnets.collect::<String>())
        + &element("groupSet", &groups.collect::<String>())
        + &element("creationTimestamp", &one.meta.created.iso())
        + &element("tagSet", &tag_items(&tags))
        + &element("ownerId", &state.home().account)
        + &element("serviceNetworkArn", &state.network_arn(&one.network))
        + &failure.unwrap_or_default()
}

fn element(name: &str, content: &str) -> String {
    format!("<{name}>{content}</{name}>")
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

fn answer(action: &str, outcome: Result<String, Fault>) -> Answer {
    let id = request_id();
    let mut body = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let status = match outcome {
        Ok(content) => {
            let content = element("requestId", &id) + &content;
            let _infallible =
                write!(body, "<{action}Response xmlns=\"{NAMESPACE}\">{content}</{action}Response>");
            StatusCode::OK
        }
        Err(Fault(status, code, message)) => {
            let error = element("Error", &(element("Code", code) + &element("Message", &escaped(&message))));
            body += &element("Response", &(element("Errors", &error) + &element("RequestID", &id)));
            status
        }
    };
    let mut answer = Answer::new(Full::new(Bytes::from(body)));
    *answer.status_mut() = status;
    answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/xml;charset=UTF-8"));
    answer
}
