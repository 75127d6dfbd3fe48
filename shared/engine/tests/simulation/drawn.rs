//! Routes that are drawn: hostnames, parents, paths, methods and headers that meet those of others.

use crate::sim::Dice;
use serde_json::{Value, json};
use trellis_hint::Kind;

/// Different routes of one name.
pub(crate) const DRAWN: u32 = 96;

/// Hostnames of one route, the last of one without any.
const HOSTNAMES: [&[&str]; 4] =
    [&["desk.example.com"], &["desk.example.com", "bell.example.com"], &["shop.example.com"], &[]];

/// One of the routes of a name.
pub(crate) fn route(name: &str, variant: u32) -> Value {
    let mut dice = Dice::new(u64::from(variant) + if name == "desk" { 0 } else { u64::from(DRAWN) });
    let parents = [
        json!([{"name": "my-hotel"}]),
        json!([{"name": "my-hotel", "sectionName": "http"}]),
        json!([{"name": "my-hotel", "sectionName": "alternative"}]),
        json!([{"name": "my-hotel", "port": 80}, {"name": "lobby"}]),
        json!([{"name": "lobby", "sectionName": "http"}]),
    ];
    let (hostnames, parents) = (pick(&mut dice, &HOSTNAMES), pick(&mut dice, &parents));
    let rules: Vec<Value> = (0..=dice.up_to(1)).map(|_| rule(&mut dice)).collect();
    json!({"parentRefs": parents, "hostnames": hostnames, "rules": rules})
}

/// One of the routes of a name where there are listeners of all protocols.
pub(crate) fn route_of(kind: Kind, name: &str, variant: u32) -> Value {
    let salt: u32 = name.bytes().map(u32::from).sum();
    let mut dice = Dice::new(u64::from(variant) + u64::from(DRAWN) * u64::from(salt));
    let plain = [
        json!([{"name": "my-hotel"}]),
        json!([{"name": "my-hotel", "sectionName": "http"}]),
        json!([{"name": "my-hotel", "sectionName": "https"}]),
        json!([{"name": "my-hotel", "port": 443}, {"name": "lobby"}]),
        json!([{"name": "my-hotel", "sectionName": "http"}, {"name": "my-hotel", "sectionName": "https"}]),
        json!([{"name": "lobby", "sectionName": "https"}]),
    ];
    let encrypted = [
        json!([{"name": "my-hotel"}]),
        json!([{"name": "my-hotel", "sectionName": "tls"}, {"name": "lobby"}]),
    ];
    let hostnames = pick(&mut dice, if kind == Kind::TLSRoute { &HOSTNAMES[..3] } else { &HOSTNAMES });
    let parents = match kind {
        Kind::TLSRoute => pick(&mut dice, &encrypted),
        _ => pick(&mut dice, &plain),
    };
    let rules: Vec<Value> = match kind {
        Kind::TLSRoute => vec![json!({"backendRefs": backends(&mut dice)})],
        Kind::GRPCRoute => (0..=dice.up_to(1)).map(|_| calls(&mut dice)).collect(),
        _ => (0..=dice.up_to(1)).map(|_| rule(&mut dice)).collect(),
    };
    json!({"parentRefs": parents, "hostnames": hostnames, "rules": rules})
}

/// A rule of a GRPCRoute.
fn calls(dice: &mut Dice) -> Value {
    let methods = [
        json!({"service": "hotel.Rooms", "method": "Book"}),
        json!({"service": "hotel.Rooms", "method": "Leave"}),
        json!({"service": "hotel.Rooms"}),
        json!({"service": "hotel.Bar", "method": "Order"}),
    ];
    let mut matches = vec![];
    for _ in 0..=dice.up_to(1) {
        let mut one = json!({});
        if dice.percent(85) {
            one["method"] = pick(dice, &methods);
        }
        if dice.percent(30) {
            one["headers"] = json!([{"name": "x-kind", "value": pick(dice, &["1", "2"])}]);
        }
        matches.push(one);
    }
    json!({"matches": matches, "backendRefs": backends(dice)})
}

fn rule(dice: &mut Dice) -> Value {
    let matches: Vec<Value> = (0..=dice.up_to(1)).map(|_| matched(dice)).collect();
    json!({"matches": matches, "backendRefs": backends(dice)})
}

fn backends(dice: &mut Dice) -> Value {
    let weight = dice.up_to(3);
    let service =
        |name: &str, weight: u32| json!({"name": name, "kind": "Service", "port": 80, "weight": weight});
    let import = json!({"group": "application-networking.k8s.aws", "kind": "ServiceImport", "name": "inventory-ver2",
        "port": 80, "weight": weight});
    let backends = [
        json!([service("parking", 1)]),
        json!([service("review", 1)]),
        json!([service("parking", 1), service("review", weight)]),
        json!([service("inventory-ver1", 10), import]),
        json!([service("never-was", 1), service("review", weight)]),
    ];
    pick(dice, &backends)
}

fn matched(dice: &mut Dice) -> Value {
    let kind = if dice.percent(40) { "Exact" } else { "PathPrefix" };
    let path = pick(dice, &["/", "/a", "/a/b", "/c"]);
    let mut one = json!({"path": {"type": kind, "value": path}});
    if dice.percent(25) {
        one["method"] = json!(pick(dice, &["GET", "POST"]));
    }
    let headers = [
        json!([{"name": "x-kind", "value": "1"}]),
        json!([{"name": "x-kind", "value": "2"}, {"name": "x-more", "value": "1"}]),
    ];
    if dice.percent(30) {
        one["headers"] = pick(dice, &headers);
    }
    one
}

fn pick<T: Clone>(dice: &mut Dice, all: &[T]) -> T {
    all[dice.index(all.len())].clone()
}
