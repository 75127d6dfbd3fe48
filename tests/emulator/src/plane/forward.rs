//! One request: what becomes of it, and the way to its target and back.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderValue, Method, Request, Response, StatusCode, Version, header};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;

use super::access_log::{Facts, Pending, Seen};
use super::headers::{REQUEST_ID, Way, mark, request_id, strip_hop, within_limits};
use super::lambda::{self, Circumstances};
use super::{Body, Caller, Plane, host};
use crate::Clock;
use crate::iam::Side;
use crate::state::plan::{Arrival, Decision, Destination, Via};

/// How long a target may take until its headers arrive: the service's idle timeout of one minute.
const TARGET_TIMEOUT: Duration = Duration::from_mins(1);

/// Nothing listens there: the connection breaks.
#[derive(Debug, thiserror::Error)]
#[error("no listener on this port")]
pub(super) struct NoListener;

impl Plane {
    /// Answers one request of a client, and notes it in the access log if there is one.
    pub(super) async fn serve(
        self: Arc<Self>,
        request: Request<Incoming>,
        caller: &Caller,
    ) -> Result<Response<Body>, NoListener> {
        let id = request_id(request.headers());
        let seen = Seen::new(self.emulator.clock.now(), &request);
        let mut facts = Facts::default();
        let mut response = self.respond(request, caller, &id, &seen, &mut facts).await?;
        response.headers_mut().insert(REQUEST_ID, id.clone());
        let Some(via) = facts.via.as_ref().filter(|via| via.logged) else { return Ok(response) };
        let destinations = self.emulator.state().log_destinations(&via.service, &via.network);
        let pending = Pending {
            log: Arc::clone(&self.log),
            seen,
            facts,
            home: self.home.clone(),
            vpc: Arc::clone(&caller.vpc),
            peer: caller.peer,
            encryption: caller.encryption.clone(),
            status: response.status().as_u16(),
            request_id: String::from_utf8_lossy(id.as_bytes()).into_owned(),
            destinations,
            sent: 0,
            grpc_status: response
                .headers()
                .get("grpc-status")
                .and_then(|it| it.to_str().ok())
                .map(str::to_owned),
        };
        Ok(response.map(|body| pending.follow(body)))
    }

    async fn respond(
        &self,
        request: Request<Incoming>,
        caller: &Caller,
        id: &HeaderValue,
        seen: &Seen,
        facts: &mut Facts,
    ) -> Result<Response<Body>, NoListener> {
        let tls = caller.encryption.is_some();
        let named = host::of(&request, tls).filter(|_| within_limits(request.headers()));
        let Some((named, host, port)) = named else {
            return Ok(text(StatusCode::BAD_REQUEST, "Bad Request"));
        };
        let decision = {
            let arrival = Arrival {
                vpc: &caller.vpc,
                host: &host,
                authority: &named,
                port,
                tls,
                method: request.method().as_str(),
                path: request.uri().path(),
                query: request.uri().query().unwrap_or_default(),
                headers: request.headers(),
                machine_time: Clock::machine(),
                roll: rand::random(),
            };
            let now = self.emulator.clock.now();
            self.emulator.state().decide(now, arrival)
        };
        match decision {
            Decision::UnknownService => Ok(text(StatusCode::NOT_FOUND, "Non Existent Service")),
            Decision::NoListener => Err(NoListener),
            Decision::Denied(via, denial) => {
                facts.via = Some(via);
                // A bad signature is laid to the caller's identity.
                facts.denied = Some(denial.side.map_or("Identity", Side::label));
                facts.failure = Some("ClientAccessDenied");
                Ok(text(StatusCode::FORBIDDEN, denial.message))
            }
            Decision::Fixed(via, status) | Decision::NoTarget(via, status) => {
                facts.via = Some(via);
                let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
                Ok(text(status, status.canonical_reason().unwrap_or("")))
            }
            Decision::Forward(via, destination) => {
                let response = self.forward(request, &via, &destination, caller, id, seen, facts).await;
                facts.via = Some(via);
                Ok(response)
            }
        }
    }

    #[expect(clippy::too_many_arguments, reason = "one call, and each is another side of the same request")]
    async fn forward(
        &self,
        request: Request<Incoming>,
        via: &Via,
        destination: &Destination,
        caller: &Caller,
        id: &HeaderValue,
        seen: &Seen,
        facts: &mut Facts,
    ) -> Response<Body> {
        facts.group_arn = Some(destination.group_arn.clone());
        facts.destination_vpc = Some(destination.vpc.clone()).filter(|vpc| !vpc.is_empty());
        let (mut parts, body) = request.into_parts();
        let body = seen.count(body);
        let version = parts.version;
        let fitting = fits(&parts, &destination.protocol_version);
        let authority = parts.uri.authority().map(ToString::to_string);
        strip_hop(&mut parts.headers);
        let way = Way {
            home: &self.home,
            vpc: &caller.vpc,
            peer: caller.peer,
            proto: if caller.encryption.is_some() { "https" } else { "http" },
            service_arn: &via.service_arn,
            network_arn: &via.network_arn,
            group_arn: &destination.group_arn,
            caller: via.caller.as_ref(),
        };
        mark(&mut parts.headers, &way);
        parts.headers.insert(REQUEST_ID, id.clone());
        if let Some(value) = authority.and_then(|authority| HeaderValue::from_str(&authority).ok()) {
            parts.headers.entry(header::HOST).or_insert(value);
        }
        let started = Instant::now();
        let outcome = if destination.kind == "LAMBDA" {
            let now = self.emulator.clock.now();
            let about = Circumstances { home: &self.home, vpc: &caller.vpc, via, destination, now };
            self.invoke(&parts, body, &about).await
        } else if !fitting {
            tracing::debug!(
                ?version,
                destination.protocol_version,
                "a target group does not take this protocol"
            );
            Err(Failure(StatusCode::BAD_GATEWAY, "TargetProtocolError"))
        } else {
            self.exchange(parts, body, destination, facts).await
        };
        match outcome {
            Ok(response) => {
                facts.answered = Some(started.elapsed());
                response
            }
            Err(Failure(status, reason)) => {
                facts.failure = Some(reason);
                text(status, status.canonical_reason().unwrap_or(""))
            }
        }
    }

    async fn invoke(
        &self,
        parts: &Parts,
        body: Body,
        about: &Circumstances<'_>,
    ) -> Result<Response<Body>, Failure> {
        let Some(lambda) = &self.lambda else {
            tracing::warn!("a function is a target and no Lambda endpoint is set");
            return Err(Failure(StatusCode::INTERNAL_SERVER_ERROR, "TargetConnectionError"));
        };
        lambda.invoke(parts, body, about).await.map_err(|error| {
            tracing::debug!(%error, "a function gave no response");
            let (status, reason) = lambda::failure(&error);
            Failure(status, reason)
        })
    }

    async fn exchange(
        &self,
        parts: Parts,
        body: Body,
        destination: &Destination,
        facts: &mut Facts,
    ) -> Result<Response<Body>, Failure> {
        let unreachable = Failure(StatusCode::INTERNAL_SERVER_ERROR, "TargetConnectionError");
        let Some(location) = destination.location else {
            tracing::warn!(target = destination.target.id, "nobody has told where this target is");
            return Err(unreachable);
        };
        let address = location.place;
        facts.target = Some(location.address.to_string());
        let multiplexed = destination.protocol_version != "HTTP1";
        let scheme = if destination.protocol == "HTTPS" { "https" } else { "http" };
        let outgoing = outgoing(parts, scheme, address, multiplexed)
            .map_err(|_| Failure(StatusCode::BAD_REQUEST, "ClientProtocolError"))?
            .map(|()| body);
        let answer =
            if multiplexed { self.http2.request(address, outgoing) } else { self.http1.request(outgoing) };
        match tokio::time::timeout(TARGET_TIMEOUT, answer).await {
            Err(_) => Err(Failure(StatusCode::GATEWAY_TIMEOUT, "TargetDataTimeout")),
            Ok(Err(error)) => {
                tracing::debug!(%address, %error, "a target gave no response");
                let bad = Failure(StatusCode::BAD_GATEWAY, "TargetProtocolError");
                Err(if error.is_connect() { unreachable } else { bad })
            }
            Ok(Ok(mut response)) => {
                strip_hop(response.headers_mut());
                *response.version_mut() = Version::HTTP_11;
                Ok(response.map(BodyExt::boxed))
            }
        }
    }
}

/// Status that the client gets and reason in access logs.
#[derive(Debug, Clone, Copy)]
struct Failure(StatusCode, &'static str);

/// Whether a target group of this protocol version takes the request.
fn fits(parts: &Parts, version: &str) -> bool {
    let content = parts.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let grpc = content.is_some_and(|content| content.starts_with("application/grpc"));
    let multiplexed = parts.version == Version::HTTP_2;
    match version {
        "HTTP2" => multiplexed,
        "GRPC" => multiplexed && (grpc || parts.method == Method::POST),
        _ => !grpc,
    }
}

/// The request as the target gets it: the client's host is in the Host header, by HTTP/2 in the authority.
fn outgoing(
    mut parts: Parts,
    scheme: &str,
    place: SocketAddr,
    multiplexed: bool,
) -> http::Result<Request<()>> {
    let host = parts.headers.get(header::HOST).and_then(|host| host.to_str().ok()).map(str::to_owned);
    let authority = host.filter(|_| multiplexed).unwrap_or_else(|| place.to_string());
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    let uri = format!("{scheme}://{authority}{path}");
    let version = if multiplexed { Version::HTTP_2 } else { Version::HTTP_11 };
    let mut request = Request::builder().method(parts.method).uri(uri).version(version).body(())?;
    if multiplexed {
        parts.headers.remove(header::HOST);
    }
    *request.headers_mut() = parts.headers;
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
