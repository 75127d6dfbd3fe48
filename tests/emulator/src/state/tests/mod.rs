//! Tests of the behaviour. They drive the state with a clock of their own.

mod conflicts;
mod coverage;
mod life;
mod listing;
mod quotas;
mod resources;
mod routing;
mod shares;
mod switches;
mod targets;

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde_json::{Value, json};

use crate::model::{Model, check};
use crate::protocol::project;
use crate::state::{Delay, Document, Home, Moment, Refusal, Settings, State};

pub(crate) const VPC: &str = "vpc-0a1b2c3d4e5f60001";

/// Read once: its patterns take a while to compile.
pub(crate) static MODEL: LazyLock<Model> = LazyLock::new(|| Model::built_in().unwrap());

/// A state with a clock, for one test.
pub(crate) struct World {
    pub(crate) state: State,
    pub(crate) now: Moment,
}

/// Delays long enough to see every transition on its way.
pub(crate) fn slow() -> Settings {
    Settings::default()
}

/// No delays at all.
pub(crate) fn quick() -> Settings {
    let names = serde_json::to_value(Settings::default().delays).unwrap();
    let zero: BTreeMap<String, &str> =
        names.as_object().unwrap().keys().map(|name| (name.clone(), "0")).collect();
    Settings::default().patched(&json!({"delays": zero})).unwrap()
}

impl World {
    pub(crate) fn new(settings: Settings) -> Self {
        let home = Home { region: "us-west-2".to_owned(), account: "000000000000".to_owned() };
        let vpcs = BTreeMap::from([(VPC.to_owned(), "127.65".parse().unwrap())]);
        let state = State::new(settings, home, vpcs, 1);
        Self { state, now: Moment(1_700_000_000_000) }
    }

    pub(crate) fn with(patch: &Value) -> Self {
        Self::new(quick().patched(patch).unwrap())
    }

    pub(crate) fn quick() -> Self {
        Self::new(quick())
    }

    pub(crate) fn pass(&mut self, seconds: u64) {
        self.now = self.now.after(Delay::seconds(seconds));
    }

    /// Calls an operation, as the protocol layer does: checks the input, shows the output, and makes sure that
    /// the model allows what came out.
    #[expect(clippy::needless_pass_by_value, reason = "tests write their input in place")]
    pub(crate) fn call(&mut self, operation: &str, input: Value) -> Result<Document, Refusal> {
        let input = input.as_object().unwrap().clone();
        let described = MODEL.operation(operation).unwrap();
        let problems = check::request(&MODEL, &described.input(), &input);
        if let Some(refusal) = Refusal::from_problems(&problems) {
            return Err(refusal);
        }
        let outcome = self.state.call(self.now, operation, &input);
        match outcome {
            Ok(document) => {
                let shown = project(&MODEL, &described.output(), document);
                let problems = check::response(&MODEL, &described.output(), &shown);
                // A rule without header matches is read with an empty list, which the model's minimum forbids.
                let real: Vec<_> =
                    problems.iter().filter(|it| !it.field.ends_with("headerMatches")).collect();
                assert!(real.is_empty(), "{operation} answers against the model: {real:?}");
                Ok(shown)
            }
            Err(refusal) => {
                assert!(
                    described.errors.contains(refusal.letter()),
                    "{operation} may not raise {}",
                    refusal.code()
                );
                Err(refusal)
            }
        }
    }

    pub(crate) fn ok(&mut self, operation: &str, input: Value) -> Document {
        self.call(operation, input).unwrap_or_else(|refusal| panic!("{operation}: {refusal}"))
    }

    /// Code and text of the refusal.
    pub(crate) fn refused(&mut self, operation: &str, input: Value) -> (&'static str, String) {
        match self.call(operation, input) {
            Ok(document) => panic!("{operation} was not refused: {document:?}"),
            Err(refusal) => (refusal.code(), refusal.to_string()),
        }
    }

    pub(crate) fn id(&mut self, operation: &str, input: Value) -> String {
        text(&self.ok(operation, input), "id")
    }

    pub(crate) fn network(&mut self, name: &str) -> String {
        self.id("CreateServiceNetwork", json!({"name": name}))
    }

    pub(crate) fn service(&mut self, name: &str) -> String {
        self.id("CreateService", json!({"name": name}))
    }

    pub(crate) fn group(&mut self, name: &str) -> String {
        let config = json!({"port": 80, "protocol": "HTTP", "vpcIdentifier": VPC});
        self.id("CreateTargetGroup", json!({"name": name, "type": "IP", "config": config}))
    }

    pub(crate) fn listener(&mut self, service: &str, name: &str, port: u16) -> String {
        let input = json!({"serviceIdentifier": service, "name": name, "protocol": "HTTP", "port": port,
                           "defaultAction": not_found()});
        self.id("CreateListener", input)
    }

    pub(crate) fn rule(&mut self, service: &str, listener: &str, name: &str, priority: u32) -> String {
        self.id("CreateRule", rule(service, listener, name, priority, &not_found()))
    }

    pub(crate) fn link(&mut self, service: &str, network: &str) -> String {
        let input = json!({"serviceIdentifier": service, "serviceNetworkIdentifier": network});
        self.id("CreateServiceNetworkServiceAssociation", input)
    }

    pub(crate) fn link_vpc(&mut self, network: &str, vpc: &str) -> String {
        let input = json!({"vpcIdentifier": vpc, "serviceNetworkIdentifier": network});
        self.id("CreateServiceNetworkVpcAssociation", input)
    }
}

pub(crate) fn not_found() -> Value {
    json!({"fixedResponse": {"statusCode": 404}})
}

pub(crate) fn forward(groups: &[(&str, u32)]) -> Value {
    let groups: Vec<Value> =
        groups.iter().map(|(id, weight)| json!({"targetGroupIdentifier": id, "weight": weight})).collect();
    json!({"forward": {"targetGroups": groups}})
}

pub(crate) fn rule(service: &str, listener: &str, name: &str, priority: u32, action: &Value) -> Value {
    json!({"serviceIdentifier": service, "listenerIdentifier": listener, "name": name, "priority": priority,
           "match": {"httpMatch": {"pathMatch": {"match": {"prefix": format!("/{name}")}}}}, "action": action})
}

pub(crate) fn text(document: &Document, name: &str) -> String {
    document.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
}

pub(crate) fn items(document: &Document) -> Vec<Value> {
    document.get("items").and_then(Value::as_array).cloned().unwrap_or_default()
}
