//! Functions that Backends name: let in where their tag says so, looked for until they may be invoked, and let be while nothing is
//! known of them.

use crate::external::resolved;
use crate::fakes::{World, id};
use crate::{count, message, object, route_hint, work, worker, world};
use serde_json::json;
use std::time::Duration;
use trellis_hint::{Hint, Kind, Look, Operation, UnitKey};
use trellis_lattice::{Function, FunctionFacts};
use trellis_telemetry::Metric;

const ARN: &str = "arn:aws:lambda:us-west-2:000000000000:function:rates";

/// A route whose requests are shared by a Service and a function.
fn shared() -> World {
    let world = world();
    world.put("one", Kind::Backend, "rates", json!({"spec": {"lambda": {"function": "rates"}}}));
    let backends = json!([
        {"name": "parking", "port": 80, "weight": 50},
        {"group": Kind::Backend.group(), "kind": "Backend", "name": "rates", "weight": 50},
    ]);
    let spec = json!({"parentRefs": [{"name": "my-hotel"}], "rules": [{"backendRefs": backends}]});
    world.put("one", Kind::HTTPRoute, "r", json!({"spec": spec}));
    world
}

fn tell(world: &World, facts: FunctionFacts) {
    world.state().functions = [(ARN.to_owned(), facts)].into();
}

fn tagged() -> FunctionFacts {
    let tags = [("trellis:invoke".to_owned(), "allow".to_owned())].into();
    FunctionFacts::Known(Function { tags, policy: None })
}

fn open() -> FunctionFacts {
    let statement = json!({"Effect": "Allow", "Principal": {"Service": "vpc-lattice.amazonaws.com"},
        "Action": "lambda:InvokeFunction", "Resource": ARN});
    let policy = json!({"Version": "2012-10-17", "Statement": [statement]}).to_string();
    FunctionFacts::Known(Function { policy: Some(policy), ..Function::default() })
}

fn leads_there(world: &World) -> bool {
    let state = world.state();
    let mut targets = state.account.target_groups.iter().flat_map(|group| &group.targets);
    targets.any(|target| target.target.function() == Some(ARN))
}

#[tokio::test(start_paused = true)]
async fn a_function_with_the_tag_is_let_in_once() {
    let world = shared();
    tell(&world, tagged());
    work(&worker(&world), vec![message("0", &route_hint("one", "r"), 1)]).await;
    assert!(leads_there(&world));
    let opened =
        |world: &World| world.state().steps.iter().filter(|(step, _)| step.contains("may invoke")).count();
    assert_eq!(opened(&world), 1);
    tell(&world, open());
    work(&worker(&world), vec![message("1", &route_hint("one", "r"), 1)]).await;
    assert_eq!(opened(&world), 1);
}

#[tokio::test(start_paused = true)]
async fn a_function_that_somebody_opens_takes_its_share_by_a_look_of_the_routes_own() {
    let world = shared();
    tell(&world, FunctionFacts::Known(Function::default()));
    let ended = work(&worker(&world), vec![message("0", &route_hint("one", "r"), 1)]).await;
    assert_eq!((resolved(&world), count(&ended, Metric::UnitsWaiting)), (json!("InvokeNotPermitted"), 1));
    assert!(!leads_there(&world));
    tell(&world, open());
    let (hint, _) = world.state().later.pop().expect("nothing is to be looked at again");
    work(&worker(&world), vec![message("later", &hint, 1)]).await;
    assert_eq!(resolved(&world), "ResolvedRefs");
    assert!(leads_there(&world));
}

#[tokio::test(start_paused = true)]
async fn a_function_of_which_nothing_is_known_in_time_keeps_its_share_and_one_that_is_gone_loses_it() {
    let world = shared();
    tell(&world, open());
    work(&worker(&world), vec![message("0", &route_hint("one", "r"), 1)]).await;
    assert!(leads_there(&world));
    let before = world.state().steps.len();
    world.state().functions_take = Duration::from_mins(1);
    let ended = work(&worker(&world), vec![message("1", &route_hint("one", "r"), 1)]).await;
    assert_eq!((resolved(&world), count(&ended, Metric::UnitsHeld)), (json!("Pending"), 1));
    assert!(leads_there(&world));
    assert_eq!(world.state().steps.len(), before, "{:?}", world.state().steps);
    world.state().functions_take = Duration::ZERO;
    tell(&world, FunctionFacts::Missing);
    work(&worker(&world), vec![message("2", &route_hint("one", "r"), 1)]).await;
    assert_eq!(resolved(&world), "FunctionNotFound");
    assert!(!leads_there(&world));
}

#[tokio::test(start_paused = true)]
async fn a_cluster_whose_manifests_know_of_no_backends_yet_is_looked_at_all_the_same() {
    let world = world();
    let spec = json!({"parentRefs": [{"name": "my-hotel"}], "rules": [{"backendRefs": [{"name": "parking", "port": 80}]}]});
    world.put("one", Kind::HTTPRoute, "r", json!({"spec": spec}));
    world.state().forbidden = Some(Kind::Backend);
    let unit = UnitKey::Cluster { cluster: id("one") };
    let look = Hint::new(unit, object("one", Kind::Namespace, "default"), Operation::Resync)
        .with_look(Look::in_depth(1_800_000_000_000));
    let ended = work(&worker(&world), vec![message("p", &look, 1)]).await;
    assert_eq!(count(&ended, Metric::ClustersUnreadable), 0);
    assert!(ended.looks.iter().any(|look| look.in_depth > 0), "{:?}", ended.looks);
}

#[tokio::test(start_paused = true)]
async fn a_backend_is_told_of_a_function_that_somebody_opens_as_its_routes_are() {
    let world = shared();
    tell(&world, FunctionFacts::Known(Function::default()));
    let unit = UnitKey::Dependents {
        kind: Kind::Backend,
        cluster: id("one"),
        namespace: "default".to_owned(),
        name: "rates".to_owned(),
    };
    let of_backend = Hint::new(unit.clone(), object("one", Kind::Backend, "rates"), Operation::Create);
    work(&worker(&world), vec![message("0", &of_backend, 1)]).await;
    assert!(world.status("one", Kind::Backend, "rates").to_string().contains("InvokeNotPermitted"));
    let later = world.state().later.iter().any(|(hint, _)| hint.unit == unit);
    tell(&world, open());
    let ended = work(&worker(&world), vec![message("1", &route_hint("one", "r"), 1)]).await;
    assert_eq!((resolved(&world), count(&ended, Metric::UnitsFailed)), (json!("ResolvedRefs"), 0));
    let told = world.state().sent.iter().any(|sent| sent.hint.unit == unit);
    assert!(later || told, "the route leads there, and the Backend says that it cannot be led to");
}
