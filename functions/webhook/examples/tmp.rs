#![allow(clippy::all, clippy::pedantic, clippy::unwrap_used, missing_docs)]
use serde_json::{Value, json};
use std::time::Instant;
use trellis_gateway::{BESIDE_KINDS, CONTROLLER, admission_warnings, admission_warnings_among};
use trellis_hint::Kind;
use trellis_webhook::neighbours::{Kept, Neighbours, Objects};
fn route(name: &str, hostname: u32, rules: u32) -> Value {
    let rule = |number: u32| {
        json!({"matches": [{"path": {"type": "PathPrefix", "value": format!("/parking/{name}/{number}")}}],
        "backendRefs": [{"name": "parking", "kind": "Service", "port": 80, "weight": 10}]})
    };
    json!({"metadata": {"name": name, "namespace": "default", "creationTimestamp": "2026-01-01T00:00:00Z"},
        "spec": {"parentRefs": [{"name": "my-hotel", "sectionName": "http"}],
            "rules": (0..rules).map(rule).collect::<Vec<Value>>(), "hostnames": [format!("host-{hostname}.example.com")]}})
}
fn main() {
    for (routes, sharing, rules) in [
        (1000, 0, 12),
        (1000, 1, 12),
        (1000, 10, 12),
        (1000, 10, 2),
        (1000, 30, 2),
        (1000, 60, 1),
        (10000, 1, 2),
    ] {
        let mut all = Neighbours::default();
        for kind in BESIDE_KINDS {
            all.replace(kind, Objects::default());
        }
        let mut put = |kind: Kind, name: &str, object: Value| {
            let namespace = if kind == Kind::GatewayClass { "" } else { "default" };
            all.apply(kind, (namespace.to_owned(), name.to_owned()), Kept::of(kind, &object));
        };
        put(
            Kind::GatewayClass,
            "ours",
            json!({"metadata": {"name": "ours"}, "spec": {"controllerName": CONTROLLER}}),
        );
        put(
            Kind::Gateway,
            "my-hotel",
            json!({"metadata": {"namespace": "default", "name": "my-hotel"}, "spec": {"gatewayClassName": "ours", "listeners": [{"name": "http", "protocol": "HTTP", "port": 80}]}}),
        );
        for number in 0..routes {
            let name = format!("beside-{number}");
            put(Kind::HTTPRoute, &name, route(&name, if number < sharing { 2 } else { number + 10 }, rules));
        }
        let own = route("rates", 2, rules);
        let cluster = "arn:aws:eks:us-west-2:123456789012:cluster/one".parse().unwrap();
        let n = 50;
        let mut t = [0.0; 4];
        for _ in 0..n {
            let s = Instant::now();
            std::hint::black_box(admission_warnings(Kind::HTTPRoute, &own));
            t[0] += s.elapsed().as_secs_f64();
            let s = Instant::now();
            let around = all.around(&cluster, Kind::HTTPRoute, &own);
            t[1] += s.elapsed().as_secs_f64();
            let Some(around) = around else { continue };
            let s = Instant::now();
            let objects: Vec<(Kind, Value)> =
                around.iter().map(|(kind, kept)| (*kind, kept.object().unwrap())).collect();
            t[2] += s.elapsed().as_secs_f64();
            let s = Instant::now();
            std::hint::black_box(admission_warnings_among(&cluster, Kind::HTTPRoute, &own, objects));
            t[3] += s.elapsed().as_secs_f64();
        }
        println!(
            "{routes} routes {sharing} sharing {rules} rules: alone {:.0} us, around {:.0}, parse {:.0}, among {:.0}; kept {}",
            t[0] / n as f64 * 1e6,
            t[1] / n as f64 * 1e6,
            t[2] / n as f64 * 1e6,
            t[3] / n as f64 * 1e6,
            all.bytes()
        );
    }
}
