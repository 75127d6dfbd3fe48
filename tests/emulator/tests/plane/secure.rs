//! TLS, HTTP/2 and gRPC, and connections that are passed through.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, Version};
use http_body_util::Full;
use hyper_util::rt::TokioIo;
use lattice_emulator::plane::Authority;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::forwarding::echo;
use crate::site::{Site, forward, http1, http2};

/// A site whose service has an HTTPS listener at 443 too, with these actions by path.
async fn secure(site: &Site, paths: &[(&str, &str)]) {
    let not_found = json!({"fixedResponse": {"statusCode": 404}});
    let input = json!({"serviceIdentifier": site.service, "name": "https", "protocol": "HTTPS",
                       "defaultAction": not_found});
    let listener = site.id("CreateListener", input).await;
    for (priority, (path, group)) in (1..).zip(paths) {
        let input = json!({"serviceIdentifier": site.service, "listenerIdentifier": listener,
            "name": format!("s-{priority}"), "priority": priority, "action": forward(&[(group, 1)]),
            "match": {"httpMatch": {"pathMatch": {"match": {"prefix": path}}}}});
        site.call("CreateRule", input).await;
    }
}

fn request(site: &Site, method: Method, path: &str, version: Version) -> Request<Full<Bytes>> {
    let builder = Request::builder().method(method).version(version);
    let builder = if version == Version::HTTP_2 {
        builder.uri(format!("https://{}{path}", site.domain))
    } else {
        builder.uri(path).header("host", &site.domain)
    };
    builder.body(Full::default()).unwrap()
}

#[tokio::test]
async fn the_generated_name_has_a_certificate_of_the_made_up_authority_for_both_versions_of_http() {
    let site = Site::new(json!({})).await;
    let group = site.group("grp", &[echo(&site, 1).await], json!({})).await;
    secure(&site, &[("/", &group)]).await;
    for (protocol, version) in [("http/1.1", Version::HTTP_11), ("h2", Version::HTTP_2)] {
        let stream = site.encrypted(&site.domain, &[protocol], &site.authority()).await.unwrap();
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(protocol.as_bytes()));
        let request = request(&site, Method::GET, "/x", version);
        let stream = TokioIo::new(stream);
        let answer = if version == Version::HTTP_2 {
            http2(stream, request).await
        } else {
            http1(stream, request).await
        };
        let (status, _, body) = answer.unwrap();
        let seen: Value = serde_json::from_str(&body).unwrap();
        assert_eq!(status, StatusCode::OK);
        assert_eq!(seen["headers"]["x-forwarded-for-proto"], "https");
        assert_eq!(seen["headers"]["host"], json!(site.domain));
    }
}

#[tokio::test]
async fn a_custom_domain_without_a_certificate_gets_one_of_another_name() {
    let site = Site::new(json!({})).await;
    let networks = site.call("ListServiceNetworks", json!({})).await;
    for (name, certificate, good) in
        [("with", Some("arn:aws:acm:us-west-2:000000000000:certificate/0a"), true), ("without", None, false)]
    {
        let domain = format!("{name}.example.com");
        let mut input = json!({"name": name, "customDomainName": domain});
        if let Some(arn) = certificate {
            input["certificateArn"] = json!(arn);
        }
        let service = site.id("CreateService", input).await;
        let both =
            json!({"serviceIdentifier": service, "serviceNetworkIdentifier": networks["items"][0]["id"]});
        site.call("CreateServiceNetworkServiceAssociation", both).await;
        let listener = json!({"serviceIdentifier": service, "name": "https", "protocol": "HTTPS",
            "defaultAction": {"fixedResponse": {"statusCode": 404}}});
        site.call("CreateListener", listener).await;
        let shaken = site.encrypted(&domain, &["h2"], &site.authority()).await;
        assert_eq!(shaken.is_ok(), good, "{name}");
        if let Err(error) = shaken {
            assert!(format!("{error:?}").contains("NotValidForName"), "{error:?}");
        }
    }
}

#[tokio::test]
async fn a_handshake_completes_only_while_a_listener_of_the_service_speaks_tls() {
    let site = Site::new(json!({})).await;
    let shake = async || site.encrypted(&site.domain, &["http/1.1"], &site.authority()).await;
    let rejected = |outcome: std::io::Result<_>, when| {
        let kind = outcome.err().map(|error| error.kind());
        assert!(
            matches!(kind, Some(ErrorKind::ConnectionReset | ErrorKind::UnexpectedEof)),
            "{when}: {kind:?}"
        );
    };
    rejected(shake().await, "with an HTTP listener only");
    let input = json!({"serviceIdentifier": site.service, "name": "https", "protocol": "HTTPS", "port": 8443,
                       "defaultAction": {"fixedResponse": {"statusCode": 404}}});
    let listener = site.id("CreateListener", input).await;
    shake().await.expect("with an HTTPS listener");
    let both = json!({"serviceIdentifier": site.service, "listenerIdentifier": listener});
    site.call("DeleteListener", both).await;
    rejected(shake().await, "after its deletion");
}

#[tokio::test]
async fn a_service_that_does_not_exist_has_a_certificate_of_another_name() {
    let site = Site::new(json!({})).await;
    let error =
        site.encrypted("nobody.example.com", &["h2"], &site.authority()).await.expect_err("no such name");
    assert!(format!("{error:?}").contains("NotValidForName"), "{error:?}");
}

#[tokio::test]
async fn a_listener_speaks_its_own_protocol_only() {
    let site = Site::new(json!({})).await;
    secure(&site, &[]).await;
    let mut plain = request(&site, Method::GET, "/", Version::HTTP_11);
    plain.headers_mut().insert("host", format!("{}:443", site.domain).parse().unwrap());
    *plain.uri_mut() = site.request(Method::GET, "/").body(()).unwrap().uri().clone();
    assert!(site.send(plain).await.is_err(), "plain HTTP to an HTTPS listener");
    let stream = site.encrypted(&site.domain, &["http/1.1"], &site.authority()).await.unwrap();
    let mut wrong = request(&site, Method::GET, "/", Version::HTTP_11);
    wrong.headers_mut().insert("host", format!("{}:80", site.domain).parse().unwrap());
    assert!(http1(TokioIo::new(stream), wrong).await.is_err(), "TLS to an HTTP listener");
}

/// The matrix of client request and target group's protocol version.
#[tokio::test]
async fn requests_pass_or_not_by_the_protocol_version_of_the_target_group() {
    let site = Site::new(json!({})).await;
    let target = echo(&site, 1).await;
    let mut paths = Vec::new();
    for version in ["HTTP1", "HTTP2", "GRPC"] {
        let config = json!({"protocolVersion": version, "healthCheck": {"enabled": false}});
        let group = site.group(&format!("grp-{}", version.to_lowercase()), &[target], config).await;
        paths.push((format!("/{version}"), group));
    }
    let paths: Vec<(&str, &str)> =
        paths.iter().map(|(path, group)| (path.as_str(), group.as_str())).collect();
    secure(&site, &paths).await;
    // Client, method, gRPC or not, and whether HTTP1, HTTP2 and GRPC groups take it.
    let table = [
        (Version::HTTP_11, Method::GET, false, [true, false, false]),
        (Version::HTTP_11, Method::POST, false, [true, false, false]),
        (Version::HTTP_2, Method::GET, false, [true, true, false]),
        (Version::HTTP_2, Method::POST, false, [true, true, true]),
        (Version::HTTP_2, Method::POST, true, [false, true, true]),
    ];
    for (version, method, grpc, expected) in table {
        for (group, good) in ["HTTP1", "HTTP2", "GRPC"].into_iter().zip(expected) {
            let mut request = request(&site, method.clone(), &format!("/{group}/x"), version);
            if grpc {
                request.headers_mut().insert("content-type", "application/grpc".parse().unwrap());
            }
            let protocol = if version == Version::HTTP_2 { "h2" } else { "http/1.1" };
            let stream = site.encrypted(&site.domain, &[protocol], &site.authority()).await.unwrap();
            let stream = TokioIo::new(stream);
            let answer = if version == Version::HTTP_2 {
                http2(stream, request).await
            } else {
                http1(stream, request).await
            };
            let (status, _, body) = answer.unwrap();
            let wanted = if good { StatusCode::OK } else { StatusCode::BAD_GATEWAY };
            assert_eq!(status, wanted, "{version:?} {method} gRPC {grpc} to {group}");
            if good {
                let seen: Value = serde_json::from_str(&body).unwrap();
                let spoken = if group == "HTTP1" { "HTTP/1.1" } else { "HTTP/2.0" };
                assert_eq!(seen["version"], spoken, "{version:?} {method} gRPC {grpc} to {group}");
                // The client's host: in the Host header, by HTTP/2 in the authority and nowhere else.
                let (host, authority) = (&seen["headers"]["host"], &seen["authority"]);
                let (there, absent) = if group == "HTTP1" { (host, authority) } else { (authority, host) };
                assert_eq!((there, absent), (&json!(site.domain), &Value::Null), "{group}");
            }
        }
    }
}

#[tokio::test]
async fn health_checks_by_http2_name_the_address_of_the_target() {
    let site = Site::new(json!({})).await;
    let target = site
        .target(1, |request| async move {
            let named = request.uri().authority().is_some_and(|it| it.host() == "10.0.0.1");
            let good = named && request.version() == Version::HTTP_2;
            let mut response = Response::new(Full::default());
            *response.status_mut() = if good { StatusCode::OK } else { StatusCode::BAD_REQUEST };
            response
        })
        .await;
    let check = json!({"enabled": true, "protocolVersion": "HTTP2", "healthCheckIntervalSeconds": 5});
    let config = json!({"protocolVersion": "HTTP2", "healthCheck": check});
    let group = site.group("grp", &[target], config).await;
    secure(&site, &[("/", &group)]).await;
    site.until_target(&group, "HEALTHY").await;
}

#[tokio::test]
async fn a_grpc_target_that_answers_405_to_a_check_by_http2_is_healthy_if_the_matcher_takes_that() {
    let site = Site::new(json!({})).await;
    let target = site
        .target(1, |request| async move {
            let mut response = Response::new(Full::default());
            *response.status_mut() = match request.version() {
                Version::HTTP_2 => StatusCode::METHOD_NOT_ALLOWED,
                _ => StatusCode::INTERNAL_SERVER_ERROR,
            };
            response
        })
        .await;
    let check = |codes: &str| json!({"enabled": true, "protocolVersion": "HTTP2", "healthCheckIntervalSeconds": 5, "matcher": {"httpCode": codes}});
    let group = |codes: &str| json!({"protocolVersion": "GRPC", "healthCheck": check(codes)});
    let taken = site.group("taken", &[target], group("200-499")).await;
    let not_taken = site.group("not-taken", &[target], group("200")).await;
    secure(&site, &[("/a", &taken), ("/b", &not_taken)]).await;
    site.until_target(&taken, "HEALTHY").await;
    site.until_target(&not_taken, "UNHEALTHY").await;
}

#[tokio::test]
async fn http2_with_prior_knowledge_reaches_an_http_listener() {
    let site = Site::new(json!({})).await;
    let group = site.group("grp", &[echo(&site, 1).await], json!({})).await;
    site.rule("/", 1, &[(&group, 1)]).await;
    let mut request = request(&site, Method::GET, "/x", Version::HTTP_2);
    *request.uri_mut() = format!("http://{}/x", site.domain).parse().unwrap();
    assert_eq!(site.send_http2(request).await.unwrap().0, StatusCode::OK);
}

/// A TLS server with an authority of its own that answers a greeting, as a target that ends TLS itself.
async fn greeter(authority: &Authority, octet: u8, name: &str, greeting: &'static str) -> SocketAddr {
    let place: SocketAddr = format!("127.64.0.{octet}:0").parse().unwrap();
    let listener = TcpListener::bind(place).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let acceptor = tokio_rustls::TlsAcceptor::from(authority.server_config(name).unwrap());
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                if let Ok(mut stream) = acceptor.accept(stream).await {
                    let _ = stream.write_all(greeting.as_bytes()).await;
                    let _ = stream.shutdown().await;
                }
            });
        }
    });
    SocketAddr::from(([10, 0, 0, octet], port))
}

#[tokio::test]
async fn tls_is_passed_through_by_server_name_to_the_target_that_ends_it() {
    let site = Site::new(json!({})).await;
    let networks = site.call("ListServiceNetworks", json!({})).await;
    let own = Authority::new().unwrap();
    let domain = "pass.example.com";
    let target = greeter(&own, 3, domain, "hello from the target").await;
    let service = site.id("CreateService", json!({"name": "pass", "customDomainName": domain})).await;
    let config = json!({"port": 443, "protocol": "TCP", "vpcIdentifier": crate::site::VPC});
    let group = site.id("CreateTargetGroup", json!({"name": "tcp", "type": "IP", "config": config})).await;
    let targets = crate::site::keys(&[target]);
    site.call("RegisterTargets", json!({"targetGroupIdentifier": group, "targets": targets})).await;
    let input = json!({"serviceIdentifier": service, "name": "tls", "protocol": "TLS_PASSTHROUGH", "port": 443,
                       "defaultAction": forward(&[(&group, 1)])});
    site.call("CreateListener", input).await;
    let both = json!({"serviceIdentifier": service, "serviceNetworkIdentifier": networks["items"][0]["id"]});
    site.call("CreateServiceNetworkServiceAssociation", both).await;
    assert!(site.encrypted(domain, &[], &site.authority()).await.is_err(), "the certificate is the target's");
    let mut stream = site.encrypted(domain, &[], &own.pem()).await.unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    assert_eq!(text, "hello from the target");
}

#[tokio::test]
async fn a_target_of_protocol_https_is_spoken_to_by_tls_whatever_its_certificate() {
    let site = Site::new(json!({})).await;
    let own = Authority::new().unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(own.server_config("nobody.example").unwrap());
    let listener = TcpListener::bind("127.64.0.4:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let Ok(stream) = acceptor.accept(stream).await else { return };
                let service = hyper::service::service_fn(|_| async {
                    Ok::<_, std::convert::Infallible>(Response::new(Full::<Bytes>::from("secret")))
                });
                let _ = hyper::server::conn::http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), service)
                    .await;
            });
        }
    });
    let target = SocketAddr::from(([10, 0, 0, 4], port));
    let site = Arc::new(site);
    let group = site.group("grp", &[target], json!({"protocol": "HTTPS"})).await;
    site.rule("/", 1, &[(&group, 1)]).await;
    assert_eq!(site.get("/").await, (StatusCode::OK, "secret".to_owned()));
    site.until_target(&group, "HEALTHY").await;
}
