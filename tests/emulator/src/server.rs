//! The control plane's listener: one port for the API, its neighbours and the admin path.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tokio::net::TcpListener;

use crate::Emulator;
use crate::admin;
use crate::plane::Plane;
use crate::protocol::{self, Answer, Lost};

/// Largest request body. The API's largest document is an auth policy of 100 KiB; a snapshot given back through
/// the admin path is the reason for more.
const MAX_BODY: usize = 64 * 1024 * 1024;

/// Pause after a connection could not be accepted: the cause, such as too many open files, needs time to pass.
pub(crate) const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Serves the control plane until the task is dropped.
pub async fn serve(listener: TcpListener, emulator: Arc<Emulator>, plane: Arc<Plane>) {
    loop {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(%error, "a control-plane connection was not accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "TCP_NODELAY was not set");
        }
        let (emulator, plane) = (Arc::clone(&emulator), Arc::clone(&plane));
        tokio::spawn(async move {
            let service =
                service_fn(move |request| answer(request, Arc::clone(&emulator), Arc::clone(&plane)));
            let connection = auto::Builder::new(TokioExecutor::new());
            if let Err(error) = connection.serve_connection(TokioIo::new(stream), service).await {
                tracing::debug!(%error, "a control-plane connection ended early");
            }
        });
    }
}

async fn answer(
    request: Request<Incoming>,
    emulator: Arc<Emulator>,
    plane: Arc<Plane>,
) -> Result<Answer, Lost> {
    let (parts, body) = request.into_parts();
    let body = match Limited::new(body, MAX_BODY).collect().await {
        Ok(body) => body.to_bytes(),
        Err(_) => return Ok(too_large()),
    };
    if let Some(path) = parts.uri.path().strip_prefix(admin::PREFIX) {
        if path == "/ca.pem" {
            return Ok(Answer::new(Full::new(Bytes::from(plane.authority()))));
        }
        if path == "/access-log" {
            let entries = serde_json::Value::Array(plane.access_log());
            return Ok(Answer::new(Full::new(Bytes::from(entries.to_string()))));
        }
        let answer = admin::handle(&emulator, &parts.method, path, parts.uri.query(), &body);
        plane.ensure().await;
        return Ok(answer);
    }
    let answer = protocol::handle(&emulator, &parts, &body).await;
    if protocol::has_body(&parts.method) || parts.method == Method::DELETE {
        // The call may have brought a VPC that has no place on the data plane yet, or taken a resource away.
        plane.ensure().await;
    }
    answer
}

fn too_large() -> Answer {
    let mut answer =
        Response::new(Full::new(Bytes::from_static(b"{\"message\":\"The body is too large.\"}")));
    *answer.status_mut() = StatusCode::PAYLOAD_TOO_LARGE;
    answer
}
