//! Puts the parts together: the one place to see what runs, and in which order it ends.

use crate::args::Args;
use crate::listen::{Gate, OPS_CROWD, REVIEW_CROWD, bind, serve_plain, serve_tls};
use crate::losses::{Losses, Teller};
use crate::metrics::Metrics;
use crate::ops::{Ops, Readiness};
use crate::queue::{self, Entry, QUEUE_LENGTH_MAX, hint_queue};
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
use std::sync::Arc;
use std::time::Duration;
use time::OffsetDateTime;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{Notify, oneshot};
use tokio::time::timeout;

/// Time for requests under way when the TLS port closes: more than an answer may take.
const CLOSE_DEADLINE: Duration = Duration::from_secs(2);

/// Time for the queued hints to be sent at the end. With the delays before it, it fits into the 30 s that a kubelet gives.
const DRAIN_DEADLINE: Duration = Duration::from_secs(15);

/// Time for the last hint, where one is owed.
const TELL_DEADLINE: Duration = Duration::from_secs(5);

/// Time to connect to the API server.
const API_CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Runs until SIGTERM or SIGINT, then drains.
pub async fn run(args: Args) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate()).context("SIGTERM cannot be waited for")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("SIGINT cannot be waited for")?;
    let client = kube_client().await?;
    let (metrics, readiness) = (Arc::new(Metrics::new()), Arc::new(Readiness::default()));
    let (interest, served) = (SharedInterest::default(), Served::nothing());

    let losses = Losses::new(metrics.clone(), OffsetDateTime::now_utc);
    let (tokens, wake) = (Tokens::default(), Arc::new(Notify::new()));

    let sqs = Arc::new(Sqs::from_environment(args.queue_url.clone()).await);
    let (queue, sender, drain) =
        hint_queue(QUEUE_LENGTH_MAX, queue::PACE, sqs.clone(), metrics.clone(), losses.clone());
    let mut sender = tokio::spawn(sender.run());
    let (cluster, (end, ended)) = (args.cluster.clone(), oneshot::channel());
    let hint = Box::new(move |moment: &str| Entry::from(&whole_cluster(&cluster, moment)));
    let teller = Teller { losses: losses.clone(), sqs, hint, pace: queue::PACE };
    let mut teller = tokio::spawn(teller.run(ended));

    let ops = Ops {
        readiness: readiness.clone(),
        metrics: metrics.clone(),
        queue: queue.clone(),
        interest: interest.clone(),
    };
    let reviewer = Reviewer {
        cluster: args.cluster.clone(),
        interest: interest.clone(),
        queue: queue.clone(),
        metrics: metrics.clone(),
        losses: losses.clone(),
        tokens: tokens.clone(),
        wake: wake.clone(),
    };
    let (tls, gate) = (Handle::new(), Gate::new(REVIEW_CROWD, metrics.clone(), Some(losses.clone())));
    let listener = bind(args.listen)?;
    let mut reviews = tokio::spawn(serve_tls(listener, served.clone(), reviewer.router(), gate, tls.clone()));
    let gate = Gate::new(OPS_CROWD, metrics.clone(), None);
    let mut ops = tokio::spawn(serve_plain(bind(args.metrics_listen)?, ops.router(), gate));
    let watches = Watches {
        client: client.clone(),
        cluster: args.cluster.clone(),
        interest,
        queue,
        losses: losses.clone(),
    };
    let mut watches = tokio::spawn(watches.run());
    let secret = (args.tls_secret.namespace.as_str(), args.tls_secret.name.as_str());
    let rotation = Rotation {
        store: ClusterStore::new(client, secret, &args.validating_webhook_configuration),
        names: args.tls_dns_name.clone(),
        pace: rotation::PACE,
        served,
        tokens,
        wake,
        losses,
        readiness: readiness.clone(),
        metrics: metrics.clone(),
        current: None,
        told: BTreeSet::new(),
    };
    let mut rotation = tokio::spawn(rotation.run(OffsetDateTime::now_utc));
    tracing::info!(cluster = %args.cluster, listen = %args.listen, metrics = %args.metrics_listen, "started");

    // None of the tasks ends by itself; if one does, the kubelet's restart is the remedy.
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
        ended = &mut reviews => anyhow::bail!("the TLS port is closed: {ended:?}"),
        ended = &mut ops => anyhow::bail!("the second port is closed: {ended:?}"),
        ended = &mut sender => anyhow::bail!("the sender has ended: {ended:?}"),
        ended = &mut teller => anyhow::bail!("the teller of losses has ended: {ended:?}"),
        ended = &mut watches => anyhow::bail!("the watches have ended: {ended:?}"),
        ended = &mut rotation => anyhow::bail!("the rotation has ended: {ended:?}"),
    }

    readiness.leaving();
    tracing::info!("shutting down");
    tokio::time::sleep(args.shutdown_delay).await;
    tls.graceful_shutdown(Some(CLOSE_DEADLINE));
    if timeout(CLOSE_DEADLINE * 2, reviews).await.is_err() {
        tracing::warn!("connections were cut");
    }
    // The sender may have gone already, which the timeout below finds.
    let _ = drain.send(());
    let drained = timeout(DRAIN_DEADLINE, sender).await.is_ok();
    let _ = end.send(());
    if timeout(TELL_DEADLINE, teller).await.is_err() {
        tracing::warn!("the queue could not be told to look at the whole cluster");
    }
    let (sent, queued) = (metrics.hints_sent.get(), metrics.hints_queued.get());
    tracing::info!(drained, sent, queued, failed = metrics.hints_failed.get(), "ended");
    Ok(())
}

async fn kube_client() -> anyhow::Result<kube::Client> {
    let mut config =
        kube::Config::infer().await.context("neither in a cluster nor a KUBECONFIG that can be read")?;
    config.connect_timeout = Some(API_CONNECT_TIMEOUT);
    config.read_timeout = Some(SILENCE_MAX);
    kube::Client::try_from(config).context("no client for the API server")
}
