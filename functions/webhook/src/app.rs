//! Puts the parts together: the one place to see what runs, and in which order it ends.

use crate::args::Args;
use crate::listen::{Gate, OPS_CROWD, REVIEW_CROWD, bind, serve_plain, serve_tls};
use crate::losses::{Cause, Losses, Teller};
use crate::metrics::Metrics;
use crate::neighbours::SharedNeighbours;
use crate::ops::{Ops, Readiness};
use crate::queue::{self, Entry, HintQueue, QUEUE_LENGTH_MAX, hint_queue};
use crate::review::whole_cluster;
use crate::server::Reviewer;
use crate::sqs::Sqs;
use crate::tls::Served;
use crate::tls::path::Tokens;
use crate::tls::rotation::{self, Rotation};
use crate::tls::store::ClusterStore;
use crate::watch::{SILENCE_MAX, SharedInterest, Watches};
use anyhow::Context;
use axum_server::Handle;
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use time::OffsetDateTime;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{Notify, oneshot};
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// Time for requests under way when the TLS port closes: more than an answer may take.
const CLOSE_DEADLINE: Duration = Duration::from_secs(2);

/// Time for the queued hints to be sent at the end. With the delays before it, it fits into the 30 s that a kubelet gives.
const DRAIN_DEADLINE: Duration = Duration::from_secs(15);

/// Time for the last hint, where one is owed.
const TELL_DEADLINE: Duration = Duration::from_secs(5);

/// Time to connect to the API server.
const API_CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// What the tasks share.
struct Shared {
    args: Args,
    client: kube::Client,
    metrics: Arc<Metrics>,
    readiness: Arc<Readiness>,
    losses: Losses,
    interest: SharedInterest,
    neighbours: SharedNeighbours,
    queue: HintQueue,
    served: Arc<Served>,
    tokens: Tokens,
    wake: Arc<Notify>,
}

/// A task that does not end by itself.
type Task<T = ()> = JoinHandle<T>;

/// The tasks, and what ends those that must end in order.
struct Tasks {
    reviews: Task<anyhow::Result<()>>,
    ops: Task<anyhow::Result<()>>,
    sender: Task,
    teller: Task,
    watches: Task,
    rotation: Task,
    tls: Handle<SocketAddr>,
    drain: oneshot::Sender<()>,
    end: oneshot::Sender<()>,
}

/// Runs until SIGTERM or SIGINT, then drains.
pub async fn run(args: Args) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate()).context("SIGTERM cannot be waited for")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("SIGINT cannot be waited for")?;
    let (shared, mut tasks) = start(args).await?;
    let Args { cluster, listen, metrics_listen, .. } = &shared.args;
    tracing::info!(%cluster, %listen, metrics = %metrics_listen, "started");

    // None of the tasks ends by itself; if one does, the kubelet's restart is the remedy.
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
        ended = &mut tasks.reviews => anyhow::bail!("the TLS port is closed: {ended:?}"),
        ended = &mut tasks.ops => anyhow::bail!("the second port is closed: {ended:?}"),
        ended = &mut tasks.sender => anyhow::bail!("the sender has ended: {ended:?}"),
        ended = &mut tasks.teller => anyhow::bail!("the teller of losses has ended: {ended:?}"),
        ended = &mut tasks.watches => anyhow::bail!("the watches have ended: {ended:?}"),
        ended = &mut tasks.rotation => anyhow::bail!("the rotation has ended: {ended:?}"),
    }
    shut_down(&shared, tasks).await;
    Ok(())
}

async fn start(args: Args) -> anyhow::Result<(Shared, Tasks)> {
    let (client, metrics) = (kube_client().await?, Arc::new(Metrics::new()));
    let losses = Losses::new(metrics.clone(), OffsetDateTime::now_utc);
    let sqs = Arc::new(Sqs::from_environment(args.queue_url.clone()).await);
    let (queue, sender, drain) =
        hint_queue(QUEUE_LENGTH_MAX, queue::PACE, sqs.clone(), metrics.clone(), losses.clone());
    let shared = Shared {
        args,
        client,
        metrics,
        readiness: Arc::default(),
        losses,
        interest: SharedInterest::default(),
        neighbours: SharedNeighbours::default(),
        queue,
        served: Served::nothing(),
        tokens: Tokens::default(),
        wake: Arc::default(),
    };
    let (end, ended) = oneshot::channel();
    let tls = Handle::new();
    let gate = Gate::new(REVIEW_CROWD, shared.metrics.clone(), Some(shared.losses.clone()));
    let reviews = serve_tls(
        bind(shared.args.listen)?,
        shared.served.clone(),
        shared.reviewer().router(),
        gate,
        tls.clone(),
    );
    let gate = Gate::new(OPS_CROWD, shared.metrics.clone(), None);
    let ops = serve_plain(bind(shared.args.metrics_listen)?, shared.ops().router(), gate);
    let tasks = Tasks {
        reviews: tokio::spawn(reviews),
        ops: tokio::spawn(ops),
        sender: tokio::spawn(sender.run()),
        teller: tokio::spawn(shared.teller(sqs).run(ended)),
        watches: tokio::spawn(shared.watches().run()),
        rotation: tokio::spawn(shared.rotation().run(OffsetDateTime::now_utc)),
        tls,
        drain,
        end,
    };
    Ok((shared, tasks))
}

/// Lets API servers go elsewhere, answers what is under way, and sends what is queued and owed.
async fn shut_down(shared: &Shared, tasks: Tasks) {
    shared.readiness.leaving();
    tracing::info!("shutting down");
    tokio::time::sleep(shared.args.shutdown_delay).await;
    tasks.tls.graceful_shutdown(Some(CLOSE_DEADLINE));
    if timeout(CLOSE_DEADLINE * 2, tasks.reviews).await.is_err() {
        tracing::warn!("connections were cut");
    }
    // The sender may have gone already, which the timeout below finds.
    let _ = tasks.drain.send(());
    let drained = timeout(DRAIN_DEADLINE, tasks.sender).await.is_ok();
    if !drained {
        shared.losses.note(Cause::GivenUp);
    }
    let _ = tasks.end.send(());
    if timeout(TELL_DEADLINE, tasks.teller).await.is_err() {
        tracing::warn!("the queue could not be told to look at the whole cluster");
    }
    let Metrics { hints_sent, hints_queued, hints_failed, .. } = &*shared.metrics;
    let (sent, queued, failed) = (hints_sent.get(), hints_queued.get(), hints_failed.get());
    tracing::info!(drained, sent, queued, failed, "ended");
}

impl Shared {
    fn ops(&self) -> Ops {
        Ops {
            readiness: self.readiness.clone(),
            metrics: self.metrics.clone(),
            queue: self.queue.clone(),
            interest: self.interest.clone(),
            neighbours: self.neighbours.clone(),
        }
    }

    fn reviewer(&self) -> Reviewer {
        Reviewer {
            cluster: self.args.cluster.clone(),
            interest: self.interest.clone(),
            neighbours: self.neighbours.clone(),
            queue: self.queue.clone(),
            metrics: self.metrics.clone(),
            losses: self.losses.clone(),
            tokens: self.tokens.clone(),
            wake: self.wake.clone(),
        }
    }

    fn teller(&self, sqs: Arc<Sqs>) -> Teller<Sqs> {
        let cluster = self.args.cluster.clone();
        let hint = Box::new(move |moment: &str| Entry::from(&whole_cluster(&cluster, moment)));
        Teller { losses: self.losses.clone(), sqs, hint, pace: queue::PACE }
    }

    fn watches(&self) -> Watches {
        Watches {
            client: self.client.clone(),
            cluster: self.args.cluster.clone(),
            interest: self.interest.clone(),
            neighbours: self.neighbours.clone(),
            queue: self.queue.clone(),
            losses: self.losses.clone(),
        }
    }

    fn rotation(&self) -> Rotation<ClusterStore> {
        let Args { tls_secret, tls_dns_name, validating_webhook_configuration, .. } = &self.args;
        let secret = (tls_secret.namespace.as_str(), tls_secret.name.as_str());
        Rotation {
            store: ClusterStore::new(self.client.clone(), secret, validating_webhook_configuration),
            names: tls_dns_name.clone(),
            pace: rotation::PACE,
            served: self.served.clone(),
            tokens: self.tokens.clone(),
            wake: self.wake.clone(),
            losses: self.losses.clone(),
            readiness: self.readiness.clone(),
            metrics: self.metrics.clone(),
            current: None,
            told: BTreeSet::new(),
        }
    }
}

async fn kube_client() -> anyhow::Result<kube::Client> {
    let mut config =
        kube::Config::infer().await.context("neither in a cluster nor a KUBECONFIG that can be read")?;
    config.connect_timeout = Some(API_CONNECT_TIMEOUT);
    config.read_timeout = Some(SILENCE_MAX);
    kube::Client::try_from(config).context("no client for the API server")
}
