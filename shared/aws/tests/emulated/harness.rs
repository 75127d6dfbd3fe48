//! An emulator of its own for each test, and the passes of a reconciler against it.

pub(crate) use crate::emulator::Emulator;
use crate::model::foretold_and_found;
use serde_json::json;
use std::collections::BTreeMap;
use std::time::{Duration, Instant, SystemTime};
use tokio::sync::watch;
use trellis_aws::{Applied, End, ErrorClass, LatticeClient};
use trellis_lattice::{Actual, Desired, Limits, Outcome, Plan, check, plan};

/// How long one pass may take; a function's time.
const PASS: Duration = Duration::from_mins(1);

impl Emulator {
    /// One with all delays zero.
    pub(crate) fn instant() -> Self {
        Self::start(&["--delay", "all=0", "--quota", "rules-per-listener=100"])
    }

    /// The raw SDK client of somebody else in the account.
    pub(crate) async fn stranger(&self) -> aws_sdk_vpclattice::Client {
        let credentials = aws_credential_types::Credentials::new("other", "other", None, None, "test");
        let config = aws_config::defaults(aws_config::BehaviorVersion::latest())
            .region(aws_config::Region::new("us-west-2"))
            .endpoint_url(format!("http://{}", self.address))
            .credentials_provider(credentials)
            .load()
            .await;
        aws_sdk_vpclattice::Client::new(&config)
    }

    /// Calls of VPC Lattice by operation since the last reset.
    pub(crate) fn calls(&self) -> BTreeMap<String, u64> {
        let mut calls = self.all_calls();
        calls.retain(|operation, _| !operation.contains(':'));
        calls
    }

    pub(crate) fn advance(&self, time: &str) {
        self.admin("POST", "clock", Some(&json!({ "advance": time })));
    }
}

/// One pass of a reconciler.
pub(crate) struct Pass {
    pub(crate) actual: Actual,
    pub(crate) plan: Plan,
    pub(crate) applied: Applied,
    /// The last that was told before a wait.
    pub(crate) progress: Outcome,
}

pub(crate) fn limits() -> Limits {
    Limits { rules_per_listener: 100, ..Limits::default() }
}

pub(crate) async fn pass(lattice: &LatticeClient, desired: &Desired) -> Pass {
    pass_until(lattice, desired, Instant::now() + PASS).await
}

/// A pass after one that met what it had not found: names that are taken show in conflicts only.
pub(crate) async fn pass_after_a_conflict(lattice: &LatticeClient, desired: &Desired) -> Pass {
    let first = pass(lattice, desired).await;
    let End::Failed(error) = &first.applied.end else { panic!("{:?}\n{}", first.applied.end, first.plan) };
    assert_eq!(error.source.class(), ErrorClass::Stale, "{error}: {}", error.source);
    pass(lattice, desired).await
}

pub(crate) async fn pass_until(lattice: &LatticeClient, desired: &Desired, deadline: Instant) -> Pass {
    let actual = inspect(lattice, desired).await;
    let plan = plan(desired, &actual, &limits());
    let violations = check(&plan, desired, &actual, &limits());
    assert!(violations.is_empty(), "{violations:?}\n{plan}");
    let (tell, told) = watch::channel(Outcome::default());
    let applied = lattice.apply(&plan, &actual, deadline, &tell).await;
    let progress = told.borrow().clone();
    Pass { actual, plan, applied, progress }
}

pub(crate) async fn inspect(lattice: &LatticeClient, desired: &Desired) -> Actual {
    lattice.inspect(desired, &["inventory-default".to_owned()], SystemTime::now()).await.unwrap()
}

/// One pass that must reach its end, and after which nothing is left to do and all is as the model foretold; for a client
/// that remembers and for one that does not.
pub(crate) async fn converge(emulator: &Emulator, lattice: &LatticeClient, desired: &Desired) -> Pass {
    let pass = pass(lattice, desired).await;
    assert!(matches!(pass.applied.end, End::Complete), "{:?}\n{}", pass.applied.end, pass.plan);
    assert_eq!(pass.applied.done, pass.plan.steps.len());
    for client in [lattice.clone(), emulator.aws().await.lattice()] {
        let actual = inspect(&client, desired).await;
        let rest = plan(desired, &actual, &limits());
        assert!(rest.steps.is_empty(), "left to do:\n{rest}of {actual:#?}");
        let (foretold, found) = foretold_and_found(&pass.actual, &pass.plan, &actual);
        assert_eq!(foretold, found, "foretold (left) of\n{}", pass.plan);
    }
    pass
}
