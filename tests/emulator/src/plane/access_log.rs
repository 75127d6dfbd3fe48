//! Access logs: one JSON object a request, in the fields of the service's own logs, written when the response
//! has ended. They go to a file, to the last entries that the admin path shows, and to CloudWatch Logs.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use http::{HeaderMap, Request, Version, header};
use http_body_util::BodyExt;
use hyper::body::Frame;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::sync::mpsc;

use super::Body;
use super::cloudwatch::CloudWatch;
use super::headers::vpc_arn;
use super::tls::Encryption;
use crate::state::plan::Via;
use crate::state::{Home, Moment};

/// Entries that wait for the writer. A full queue drops entries and says so: requests never wait for logs.
const MAX_WAITING: usize = 10_000;

/// Entries that the admin path shows.
const MAX_SHOWN: usize = 1000;

/// One entry and the destinations that want it.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) line: Value,
    pub(super) destinations: Vec<String>,
}

/// Where entries are put.
#[derive(Debug)]
pub(super) struct Log {
    queue: mpsc::Sender<Entry>,
    shown: Mutex<VecDeque<Value>>,
}

impl Log {
    /// Begins to write; ends with the runtime.
    pub(super) fn open(file: Option<PathBuf>, cloudwatch: Option<CloudWatch>) -> Arc<Self> {
        let (queue, waiting) = mpsc::channel(MAX_WAITING);
        tokio::spawn(write(waiting, file, cloudwatch));
        Arc::new(Self { queue, shown: Mutex::new(VecDeque::new()) })
    }

    fn put(&self, entry: Entry) {
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        if shown.len() >= MAX_SHOWN {
            shown.pop_front();
        }
        shown.push_back(entry.line.clone());
        drop(shown);
        if self.queue.try_send(entry).is_err() {
            tracing::warn!("an access log entry was dropped, because the writer is behind");
        }
    }

    /// The last entries, oldest first.
    pub(super) fn last(&self) -> Vec<Value> {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }
}

async fn write(mut waiting: mpsc::Receiver<Entry>, file: Option<PathBuf>, cloudwatch: Option<CloudWatch>) {
    while let Some(entry) = waiting.recv().await {
        if let Some(file) = &file
            && let Err(error) = append(file, &entry.line).await
        {
            tracing::error!(%error, file = %file.display(), "the access log cannot be written");
        }
        if let Some(cloudwatch) = &cloudwatch {
            cloudwatch.put(&entry).await;
        }
    }
}

async fn append(file: &PathBuf, line: &Value) -> std::io::Result<()> {
    let mut file = tokio::fs::OpenOptions::new().create(true).append(true).open(file).await?;
    file.write_all(format!("{line}\n").as_bytes()).await?;
    file.flush().await
}

/// What a request looked like when it came.
#[derive(Debug)]
pub(super) struct Seen {
    at: Moment,
    started: Instant,
    method: String,
    path: String,
    host: Option<String>,
    agent: Option<String>,
    version: Version,
    received: Arc<AtomicU64>,
}

impl Seen {
    /// Looks at a request.
    pub(super) fn new<B>(at: Moment, request: &Request<B>) -> Self {
        let text = |name| header_text(request.headers(), name);
        Self {
            at,
            started: Instant::now(),
            method: request.method().to_string(),
            path: request.uri().path_and_query().map(ToString::to_string).unwrap_or_default(),
            host: request.uri().authority().map(ToString::to_string).or_else(|| text(header::HOST)),
            agent: text(header::USER_AGENT),
            version: request.version(),
            received: Arc::new(AtomicU64::new(0)),
        }
    }

    /// The body, counted on its way.
    pub(super) fn count(&self, body: hyper::body::Incoming) -> Body {
        let received = Arc::clone(&self.received);
        body.map_frame(move |frame| {
            received.fetch_add(length(&frame), Ordering::Relaxed);
            frame
        })
        .boxed()
    }
}

fn header_text(headers: &HeaderMap, name: header::HeaderName) -> Option<String> {
    headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
}

fn length(frame: &Frame<bytes::Bytes>) -> u64 {
    frame.data_ref().map_or(0, |data| u64::try_from(data.len()).unwrap_or(u64::MAX))
}

/// What became of a request.
#[derive(Debug, Default)]
pub(super) struct Facts {
    pub(super) via: Option<Via>,
    pub(super) group_arn: Option<String>,
    pub(super) destination_vpc: Option<String>,
    pub(super) target: Option<String>,
    /// Which policy refused it, as logs name it.
    pub(super) denied: Option<&'static str>,
    pub(super) failure: Option<&'static str>,
    /// From sending the request to the target until its headers came back.
    pub(super) answered: Option<Duration>,
}

/// An entry whose response is still on its way. It is written when the body ends or is given up.
pub(super) struct Pending {
    pub(super) log: Arc<Log>,
    pub(super) seen: Seen,
    pub(super) facts: Facts,
    pub(super) home: Home,
    pub(super) vpc: Arc<str>,
    pub(super) peer: SocketAddr,
    pub(super) encryption: Option<Encryption>,
    pub(super) status: u16,
    pub(super) request_id: String,
    pub(super) destinations: Vec<String>,
    pub(super) sent: u64,
    pub(super) grpc_status: Option<String>,
}

impl Pending {
    /// The body, followed to its end.
    pub(super) fn follow(mut self, body: Body) -> Body {
        body.map_frame(move |frame| {
            // A call on the whole keeps the whole alive in here, until the body is dropped.
            self.note(&frame);
            frame
        })
        .boxed()
    }

    fn note(&mut self, frame: &Frame<bytes::Bytes>) {
        self.sent += length(frame);
        if let Some(trailers) = frame.trailers_ref() {
            self.grpc_status = header_text(trailers, header::HeaderName::from_static("grpc-status"));
        }
    }

    fn line(&self) -> Value {
        let or_dash = |text: Option<&str>| json!(text.unwrap_or("-"));
        let via = self.facts.via.as_ref();
        let caller = via.and_then(|via| via.caller.as_ref());
        let encryption = self.encryption.as_ref();
        let millis = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        let total = millis(self.seen.started.elapsed());
        let to_target = self.facts.answered.map_or(0, millis);
        json!({
            "serviceNetworkArn": or_dash(via.map(|via| via.network_arn.as_str())),
            "resolvedUser": or_dash(caller.map(|caller| caller.principal.as_str())),
            "authDeniedReason": self.facts.denied,
            "requestMethod": self.seen.method,
            "targetGroupArn": or_dash(self.facts.group_arn.as_deref()),
            "tlsVersion": or_dash(encryption.map(|it| it.version.as_str())),
            "userAgent": or_dash(self.seen.agent.as_deref()),
            "serverNameIndication": or_dash(encryption.map(|it| it.server_name.as_str())),
            "destinationVpcId": or_dash(self.facts.destination_vpc.as_deref()),
            "sourceIpPort": self.peer.to_string(),
            "targetIpPort": or_dash(self.facts.target.as_deref()),
            "serviceArn": or_dash(via.map(|via| via.service_arn.as_str())),
            "sourceVpcId": &*self.vpc,
            "sourceVpcArn": vpc_arn(&self.home, &self.vpc),
            "requestPath": self.seen.path,
            "hostHeader": or_dash(self.seen.host.as_deref()),
            "sslCipher": or_dash(encryption.map(|it| it.cipher.as_str())),
            "startTime": self.seen.at.iso(),
            "protocol": format!("{:?}", self.seen.version),
            "responseCode": self.status,
            "bytesReceived": self.seen.received.load(Ordering::Relaxed),
            "bytesSent": self.sent,
            "duration": total,
            "requestToTargetDuration": to_target,
            "responseFromTargetDuration": if self.facts.answered.is_some() { total - to_target.min(total) } else { 0 },
            "grpcResponseCode": or_dash(self.grpc_status.as_deref()),
            "requestId": self.request_id,
            "callerPrincipal": or_dash(caller.map(|caller| caller.principal.as_str())),
            "callerPrincipalOrgID": or_dash(caller.and_then(|caller| caller.org_id.as_deref())),
            "callerPrincipalTags": caller.filter(|it| !it.tags.is_empty()).map(|caller| json!(caller.tags)),
            "callerX509SubjectCN": "-",
            "callerX509IssuerOU": "-",
            "callerX509SANNameCN": "-",
            "callerX509SANDNS": "-",
            "callerX509SANURI": "-",
            "failureReason": or_dash(self.facts.failure),
        })
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        let (line, destinations) = (self.line(), std::mem::take(&mut self.destinations));
        self.log.put(Entry { line, destinations });
    }
}
