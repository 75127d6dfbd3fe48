//! The host and port that a request names.

use http::Request;

/// The ports that a Host header without one means.
const HTTP_PORT: u16 = 80;
const HTTPS_PORT: u16 = 443;

/// Host as it is written, host in lower case, and port of a request: from the authority (HTTP/2, absolute form) or the Host header.
pub(super) fn of<B>(request: &Request<B>, tls: bool) -> Option<(String, String, u16)> {
    let named = match request.uri().authority() {
        Some(authority) => authority.as_str(),
        None => request.headers().get(http::header::HOST)?.to_str().ok()?,
    };
    let (host, port) = match named.rsplit_once(':') {
        Some((host, port)) => (host, port.parse().ok()?),
        None => (named, if tls { HTTPS_PORT } else { HTTP_PORT }),
    };
    Some((named.to_owned(), host.trim_end_matches('.').to_ascii_lowercase(), port))
}

#[cfg(test)]
mod tests {
    use http::Request;

    #[test]
    fn the_port_comes_from_the_host_header_and_is_80_without_one() {
        let request = |host: &str| Request::builder().uri("/").header("host", host).body(()).unwrap();
        let of = |host: &str| super::of(&request(host), false).map(|(_, host, port)| (host, port));
        assert_eq!(of("A.example"), Some(("a.example".to_owned(), 80)));
        assert_eq!(of("a.example.:8080"), Some(("a.example".to_owned(), 8080)));
        assert_eq!(of("a.example:x"), None);
        let encrypted = super::of(&request("A.example"), true);
        assert_eq!(encrypted, Some(("A.example".to_owned(), "a.example".to_owned(), 443)));
    }
}
