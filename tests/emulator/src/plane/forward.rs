//! One request: what becomes of it, and the way to its target and back.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Version, header};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;

use super::headers::{REQUEST_ID, Way, mark, request_id, strip_hop, within_limits};
use super::{Body, Caller, Plane, host, place};
use crate::state::plan::{Arrival, Decision, Destination, Via};

/// How long a target may take until its headers arrive: the service's idle timeout of one minute.
const TARGET_TIMEOUT: Duration = Duration::from_mins(1);

/// Nothing listens there: the connection breaks.
#[derive(Debug, thiserror::Error)]
#[error("no listener on this port")]
pub(super) struct NoListener;

impl Plane {
    /// Answers one request of a client.
    pub(super) async fn serve(
        self: Arc<Self>,
        request: Request<Incoming>,
        caller: &Caller,
    ) -> Result<Response<Body>, NoListener> {
        let id = request_id(request.headers());
        let mut response = self.respond(request, caller, &id).await?;
        response.headers_mut().insert(REQUEST_ID, id);
        Ok(response)
    }

    async fn respond(
        &self,
        request: Request<Incoming>,
        caller: &Caller,
        id: &HeaderValue,
    ) -> Result<Response<Body>, NoListener> {
        if !within_limits(request.headers()) {
            return Ok(text(StatusCode::BAD_REQUEST, "Bad Request"));
        }
        let Some((named, host, port)) = host::of(&request, caller.tls) else {
            return Ok(text(StatusCode::BAD_REQUEST, "Bad Request"));
        };
        let decision = {
            let arrival = Arrival {
                vpc: &caller.vpc,
                host: &host,
                authority: &named,
                port,
                tls: caller.tls,
                method: request.method().as_str(),
                path: request.uri().path(),
                query: request.uri().query().unwrap_or_default(),
                headers: request.headers(),
                roll: rand::random(),
            };
            let now = self.emulator.clock.now();
            self.emulator.state().decide(now, arrival)
        };
        match decision {
            Decision::UnknownService => Ok(text(StatusCode::NOT_FOUND, "Non Existent Service")),
            Decision::NoListener => Err(NoListener),
            Decision::Denied(_, denial) => Ok(text(StatusCode::FORBIDDEN, denial.message)),
            Decision::Fixed(_, status) | Decision::NoTarget(_, status) => {
                let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
                Ok(text(status, status.canonical_reason().unwrap_or("")))
            }
            Decision::Forward(via, destination) => {
                Ok(self.forward(request, &via, &destination, caller, id).await)
            }
        }
    }

    async fn forward(
        &self,
        request: Request<Incoming>,
        via: &Via,
        destination: &Destination,
        caller: &Caller,
        id: &HeaderValue,
    ) -> Response<Body> {
        if let Err(status) = fits(&request, &destination.protocol_version) {
            return text(status, "The target group does not take requests of this protocol.");
        }
        let Some(address) = place(destination) else {
            return text(StatusCode::INTERNAL_SERVER_ERROR, "The target cannot be reached.");
        };
        let (mut parts, body) = request.into_parts();
        let authority = parts.uri.authority().map(ToString::to_string);
        strip_hop(&mut parts.headers);
        let home = self.emulator.state().home().clone();
        let way = Way {
            home: &home,
            vpc: &caller.vpc,
            peer: caller.peer,
            proto: if caller.tls { "https" } else { "http" },
            service_arn: &via.service_arn,
            network_arn: &via.network_arn,
            group_arn: &destination.group_arn,
            caller: via.caller.as_ref(),
        };
        mark(&mut parts.headers, &way);
        parts.headers.insert(REQUEST_ID, id.clone());
        let multiplexed = destination.protocol_version != "HTTP1";
        let scheme = if destination.protocol == "HTTPS" { "https" } else { "http" };
        let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
        let uri = format!("{scheme}://{address}{path}");
        let outgoing = outgoing(parts.method, uri, parts.headers, authority, multiplexed);
        let Ok(outgoing) = outgoing.map(|request| request.map(|()| body.boxed())) else {
            return text(StatusCode::BAD_REQUEST, "Bad Request");
        };
        let client = if multiplexed { &self.http2 } else { &self.http1 };
        match tokio::time::timeout(TARGET_TIMEOUT, client.request(outgoing)).await {
            Err(_) => text(StatusCode::GATEWAY_TIMEOUT, "Gateway Timeout"),
            Ok(Err(error)) if error.is_connect() => {
                tracing::debug!(%address, %error, "a target cannot be connected to");
                text(StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error")
            }
            Ok(Err(error)) => {
                tracing::debug!(%address, %error, "a target answered badly");
                text(StatusCode::BAD_GATEWAY, "Bad Gateway")
            }
            Ok(Ok(mut response)) => {
                strip_hop(response.headers_mut());
                *response.version_mut() = Version::HTTP_11;
                response.map(BodyExt::boxed)
            }
        }
    }
}

/// Whether a target group of this protocol version takes the request.
fn fits<B>(request: &Request<B>, version: &str) -> Result<(), StatusCode> {
    let content = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let grpc = content.is_some_and(|content| content.starts_with("application/grpc"));
    let multiplexed = request.version() == Version::HTTP_2;
    let good = match version {
        "HTTP2" => multiplexed,
        "GRPC" => multiplexed && (grpc || request.method() == Method::POST),
        _ => !grpc,
    };
    if good { Ok(()) } else { Err(StatusCode::BAD_GATEWAY) }
}

/// The request as the target gets it. The client's host is kept: in the Host header for HTTP/1.1, and for HTTP/2
/// in a Host header too, because the authority has to be the place on this machine.
fn outgoing(
    method: Method,
    uri: String,
    mut headers: HeaderMap,
    authority: Option<String>,
    multiplexed: bool,
) -> http::Result<Request<()>> {
    if let Some(value) = authority.and_then(|authority| HeaderValue::from_str(&authority).ok()) {
        headers.entry(header::HOST).or_insert(value);
    }
    let version = if multiplexed { Version::HTTP_2 } else { Version::HTTP_11 };
    let request = Request::builder().method(method).uri(uri).version(version);
    let mut request = request.body(())?;
    *request.headers_mut() = headers;
    Ok(request)
}

/// An answer of the data plane itself.
fn text(status: StatusCode, body: impl Into<Bytes>) -> Response<Body> {
    let body = Full::new(body.into()).map_err(|never| match never {}).boxed();
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    response
}
