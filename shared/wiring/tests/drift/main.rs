//! A drift pass over many routes: what it costs, what it finds and when. `TRELLIS_ROUTES` chooses how many routes there are in
//! all clusters together, `TRELLIS_CLUSTERS` how many clusters; `make bench-drift` takes a thousand in two and prints the figures, and
//! `make bench-drift ROUTES=10000 CLUSTERS=10` the most that one account is meant for.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test says so by failing")]

#[path = "../../../aws/tests/support/emulator.rs"]
mod emulator;
mod world;

use emulator::Emulator;
use serde_json::{Value, json};
use std::time::{Duration, Instant, SystemTime};
use trellis_engine::{LookReport, Rotation};
use trellis_hint::{Kind, UnitKey};
use world::{Function, Memory, clusters, id, route, route_name};

/// As the template has it.
const HOURLY: Rotation = Rotation { within: Duration::from_hours(1), every: Some(Duration::from_mins(5)) };

/// Of AWS for each route, in a pass that finds nothing.
const CALLS_PER_ROUTE_MAX: f64 = 1.5;
/// Of the process, the clusters and their objects included.
const MEMORY_MB_MAX: u64 = 256;
/// Of a pass over more routes: what the function has (template.yaml), the clusters and their objects not included.
const PASS_MB_MAX: u64 = 512;

fn routes() -> usize {
    std::env::var("TRELLIS_ROUTES").map_or(48, |text| text.parse().unwrap())
}

/// Slices of each cluster: most belong to Services that no route names.
fn slices() -> usize {
    10 * routes().min(1000)
}

fn routes_of_each() -> usize {
    routes() / clusters().len()
}

struct Scene {
    memory: Memory,
    emulator: Emulator,
    now: SystemTime,
}

impl Scene {
    /// All routes programmed; every call takes so long from then on.
    async fn programmed(latency: &str) -> Self {
        let (memory, emulator) = (Memory::default(), Emulator::with_room(2 * routes()));
        let began = Instant::now();
        for name in &clusters() {
            memory.cluster(name, routes_of_each(), slices());
        }
        let function = emulator.function(&memory, HOURLY).await;
        let gateway = UnitKey::Gateway { scope: id("one").scope, name: "my-hotel".into() };
        for cluster in &clusters() {
            let (kind, name) = (Kind::GatewayClass, "amazon-vpc-lattice".to_owned());
            let class = UnitKey::Dependents { kind, cluster: id(cluster), namespace: String::new(), name };
            function.hint(class, kind, "amazon-vpc-lattice", cluster);
        }
        function.hint(gateway, Kind::Gateway, "my-hotel", "one");
        function.work(false).await;
        for name in &clusters() {
            for n in 0..routes_of_each() {
                function.hint(route(name, n), Kind::HTTPRoute, &route_name(name, n), name);
            }
        }
        function.work(false).await;
        let calls = emulator.all_calls();
        println!("programmed in {:.1} s: {calls:?}", began.elapsed().as_secs_f64());
        emulator.configure(&json!({ "latency": latency }));
        Self { memory, emulator, now: SystemTime::UNIX_EPOCH + Duration::from_hours(500_000) }
    }

    async fn function(&self) -> Function {
        self.emulator.function(&self.memory, HOURLY).await
    }

    fn reset(&self) {
        self.emulator.reset_calls();
        let mut state = self.memory.state();
        (state.patches, state.slices_listed) = (0, 0);
    }

    /// The service of a route as the account has it.
    fn service(&self, cluster: &str, n: usize) -> Value {
        let state = self.emulator.state();
        let key = route(cluster, n).to_string();
        let mut services = state["services"].as_array().unwrap().iter();
        services.find(|service| service["tags"]["trellis:key"] == *key).unwrap().clone()
    }
}

fn found(looks: &[LookReport]) -> Vec<String> {
    looks.iter().flat_map(|look| look.drifted.iter().map(|one| one.unit.clone())).collect()
}

/// What proc(5) says of the process, in MB: `VmRSS` it holds, `VmHWM` is the most that it has held.
fn held_mb(line: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let text = status.lines().find_map(|text| text.strip_prefix(line)).unwrap();
    text.trim_matches(|c: char| !c.is_ascii_digit()).parse::<u64>().unwrap() / 1024
}

/// The most is what is held now, from here on (proc(5), clear_refs).
fn forget_peak() {
    std::fs::write("/proc/self/clear_refs", "5").unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pass_that_finds_nothing_costs_few_calls_writes_nothing_and_holds_little() {
    let scene = Scene::programmed("50ms").await;
    scene.reset();
    let (whole, world) = (held_mb("VmHWM"), held_mb("VmRSS"));
    forget_peak();
    let (function, began) = (scene.function().await, Instant::now());
    let (report, looks) = function.pass(scene.now).await;
    let calls = scene.emulator.all_calls();
    let writes: Vec<&String> = calls
        .keys()
        .filter(|call| {
            ["Create", "Update", "Delete", "Register", "Deregister", "Batch", "Tag", "Untag"]
                .iter()
                .any(|verb| call.starts_with(verb))
        })
        .collect();
    #[expect(clippy::cast_precision_loss, reason = "a few thousand")]
    let per_route = calls.values().sum::<u64>() as f64 / routes() as f64;
    let in_depth: usize = looks.iter().map(|look| look.in_depth).sum();
    let (most, pass) = (whole.max(held_mb("VmHWM")), held_mb("VmHWM").saturating_sub(world));
    println!(
        "{} routes in {} clusters: {per_route:.2} calls a route, {in_depth} looked at in depth, {} lists of slices, {:.1} s, \
         the process with all objects of the clusters {most} MB, what the pass added {pass} MB; {calls:?}",
        routes(),
        clusters().len(),
        scene.memory.state().slices_listed,
        began.elapsed().as_secs_f64(),
    );
    assert_eq!((found(&looks), report.hints, report.failed.len()), (vec![], 0, 0), "{report:#?} {looks:#?}");
    assert!(writes.is_empty(), "{calls:?}");
    assert_eq!(scene.memory.state().patches, 0);
    assert_eq!(looks.iter().map(|look| look.units).sum::<usize>(), routes() + clusters().len());
    // With few routes the fixed calls weigh more.
    assert!(per_route <= CALLS_PER_ROUTE_MAX || routes() < 500, "{per_route} calls a route: {calls:?}");
    assert!(per_route <= 2.0 * CALLS_PER_ROUTE_MAX, "{per_route} calls a route: {calls:?}");
    assert!(most < MEMORY_MB_MAX || routes() > 1000, "{most} MB");
    assert!(pass < PASS_MB_MAX, "{pass} MB");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_changed_weight_is_found_within_an_hour_and_a_deleted_rule_by_the_next_pass() {
    let mut scene = Scene::programmed("0ms").await;
    let function = scene.function().await;
    function.pass(scene.now).await;
    let stranger = scene.emulator.stranger().await;
    // By hand: the rule of one route answers 404, that of another one is gone.
    let (altered, bereft) = (scene.service("one", 3), scene.service("two", 4));
    let rule = |service: &Value| {
        let listener = service["listeners"][0].clone();
        let rules = listener["rules"].as_array().unwrap();
        let rule = rules.iter().find(|rule| rule["isDefault"] != true).unwrap();
        let text = |value: &Value| value["id"].as_str().unwrap().to_owned();
        (text(service), text(&listener), text(rule))
    };
    let (service, listener, id) = rule(&bereft);
    let delete = stranger.delete_rule().service_identifier(service).listener_identifier(listener);
    delete.rule_identifier(id).send().await.unwrap();
    let (service, listener, id) = rule(&altered);
    let update = stranger.update_rule().service_identifier(service).listener_identifier(listener);
    let gone = aws_sdk_vpclattice::types::FixedResponseAction::builder().status_code(404).build().unwrap();
    let action = aws_sdk_vpclattice::types::RuleAction::FixedResponse(gone);
    update.rule_identifier(id).action(action).send().await.unwrap();

    let (mut first, mut minutes, mut all) = (None, 0, vec![]);
    while minutes < 60 {
        minutes += 5;
        scene.now += Duration::from_mins(5);
        let (_, looks) = function.pass(scene.now).await;
        all.extend(found(&looks));
        first.get_or_insert(all.clone());
    }
    let (altered, bereft) = (route("one", 3).to_string(), route("two", 4).to_string());
    assert!(first.unwrap().contains(&bereft), "a deleted rule is missed at once");
    assert_eq!(all.iter().filter(|unit| **unit == altered).count(), 1, "in one hour once: {all:?}");
    assert!(all.iter().all(|unit| *unit == altered || *unit == bereft), "{all:?}");
    // The hints that were sent repair both.
    function.work(false).await;
    scene.now += Duration::from_hours(1);
    let (_, looks) = scene.function().await.pass(scene.now).await;
    assert!(!found(&looks).contains(&bereft), "{looks:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cloudtrail_tells_of_leads_to_the_unit_also_when_the_resource_is_gone() {
    let scene = Scene::programmed("0ms").await;
    let function = scene.function().await;
    let event = |session: &str, request: Value, response: Value| {
        let mut event = json!({
            "source": "aws.vpc-lattice", "detail-type": "AWS API Call via CloudTrail", "account": "000000000000",
            "region": "us-west-2",
            "detail": {"eventSource": "vpc-lattice.amazonaws.com", "eventName": "X", "readOnly": false,
                "userIdentity": {"type": "AssumedRole", "arn": session}},
        });
        event["detail"]["requestParameters"] = request;
        event["detail"]["responseElements"] = response;
        event
    };
    let jane = "arn:aws:sts::000000000000:assumed-role/admin/jane";
    let own = "arn:aws:sts::000000000000:assumed-role/trellis-ReconcilerRole-1/trellis-reconcile";
    let service = scene.service("one", 5);
    let request = json!({"serviceIdentifier": service["id"], "ruleIdentifier": "rule-0123456789abcdef0"});
    function.event(&event(own, request.clone(), Value::Null)).await;
    assert_eq!(scene.memory.hints(), [""; 0], "our own changes are no news");
    function.event(&event(jane, request, Value::Null)).await;
    assert_eq!(scene.memory.hints(), [route("one", 5).to_string()]);
    function.work(false).await;
    // Nothing stands any more, and neither the index nor the tags tell of it: the name does.
    let gone = json!({"serviceIdentifier": "svc-0123456789abcdef0"});
    let name = service["name"].as_str().unwrap();
    let answer = json!({"id": "svc-0123456789abcdef0", "name": name, "status": "DELETE_IN_PROGRESS"});
    function.event(&event(jane, gone.clone(), answer)).await;
    assert_eq!(scene.memory.hints(), [route("one", 5).to_string()]);
    function.work(false).await;
    let stranger = json!({"id": "svc-0123456789abcdef0", "name": "somebody-elses"});
    function.event(&event(jane, gone, stranger)).await;
    assert_eq!(scene.memory.hints(), [""; 0], "what is not ours is nobody's hint");
    let association = json!({"serviceNetworkVpcAssociationIdentifier": "snva-0123456789abcdef0"});
    function.event(&event(jane, association, Value::Null)).await;
    assert_eq!(scene.memory.hints(), ["gateway/000000000000/us-west-2/my-hotel"]);
}
