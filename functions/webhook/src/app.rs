//! Puts the parts together: the one place to see what runs, and in which order it ends.

use crate::args::Args;
use crate::metrics::Metrics;
use crate::ops::{Ops, Readiness};
use crate::queue::{self, QUEUE_LENGTH_MAX, hint_queue};
use crate::server::Reviewer;
use crate::sqs::Sqs;
use crate::tls::rotation::{self, Rotation};
use crate::tls::store::ClusterStore;
use crate::tls::{Served, server_config};
use crate::watch::{self, SharedInterest};
use anyhow::Context;
use axum::Router;
use axum_server::Handle;
use axum_server::tls_rustls::RustlsConfig;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;
use time::OffsetDateTime;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::timeout;

/// Time for requests under way when the TLS port closes: more than an answer may take.
const CLOSE_DEADLINE: Duration = Duration::from_secs(2);

/// Time for the queued hints to be sent at the end. With the delays before it, it fits into the 30 s that a kubelet gives.
const DRAIN_DEADLINE: Duration = Duration::from_secs(15);

/// Time for a TLS handshake, and for the first request after it.
const GREETING_TIMEOUT: Duration = Duration::from_secs(5);

/// Time to connect to the API server.
const API_CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Runs until SIGTERM or SIGINT, then drains.
pub async fn run(args: Args) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate()).context("SIGTERM cannot be waited for")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("SIGINT cannot be waited for")?;
    let client = kube_client().await?;
    let (metrics, readiness) = (Arc::new(Metrics::new()), Arc::new(Readiness::default()));
    let (interest, served) = (SharedInterest::default(), Served::nothing());

    let sqs = Sqs::from_environment(args.queue_url.clone()).await;
    let (queue, sender, drain) = hint_queue(QUEUE_LENGTH_MAX, queue::PACE, sqs, metrics.clone());
    let mut sender = tokio::spawn(sender.run());
    let ops = Ops {
        readiness: readiness.clone(),
        metrics: metrics.clone(),
        queue: queue.clone(),
        interest: interest.clone(),
    };
    let reviewer = Reviewer::new(args.cluster.clone(), interest.clone(), queue, metrics.clone());

    let tls = Handle::new();
    let mut reviews =
        tokio::spawn(serve_tls(bind(args.listen)?, served.clone(), reviewer.router(), tls.clone()));
    let mut ops = tokio::spawn(serve_plain(bind(args.metrics_listen)?, ops.router()));
    let mut watches = tokio::spawn(watch::run(client.clone(), interest));
    let secret = (args.tls_secret.namespace.as_str(), args.tls_secret.name.as_str());
    let store = ClusterStore::new(client, secret, &args.validating_webhook_configuration);
    let names = args.tls_dns_name.clone();
    let rotation = Rotation {
        store,
        names,
        pace: rotation::PACE,
        served,
        readiness: readiness.clone(),
        metrics: metrics.clone(),
        current: None,
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
    let (sent, queued) = (metrics.hints_sent.get(), metrics.hints_queued.get());
    tracing::info!(drained, sent, queued, failed = metrics.hints_failed.get(), "ended");
    Ok(())
}

async fn kube_client() -> anyhow::Result<kube::Client> {
    let mut config =
        kube::Config::infer().await.context("neither in a cluster nor a KUBECONFIG that can be read")?;
    config.connect_timeout = Some(API_CONNECT_TIMEOUT);
    kube::Client::try_from(config).context("no client for the API server")
}

fn bind(address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).with_context(|| format!("{address} cannot be listened on"))
}

/// Serves `router` with the certificate in `served` until `handle` says otherwise.
pub async fn serve_tls(
    listener: TcpListener,
    served: Arc<Served>,
    router: Router,
    handle: Handle<SocketAddr>,
) -> anyhow::Result<()> {
    let tls = RustlsConfig::from_config(Arc::new(server_config(served)?));
    let https = axum_server::from_tcp_rustls(listener, tls)?
        .map(|acceptor| acceptor.handshake_timeout(GREETING_TIMEOUT))
        .first_request_timeout(GREETING_TIMEOUT)
        .handle(handle);
    Ok(https.serve(router.into_make_service()).await?)
}

async fn serve_plain(listener: TcpListener, router: Router) -> anyhow::Result<()> {
    let server = axum_server::from_tcp(listener)?.first_request_timeout(GREETING_TIMEOUT);
    Ok(server.serve(router.into_make_service()).await?)
}
