//! Hostnames of listeners and routes, and where they meet.

use crate::problem::quoted;

/// The hostnames under which a listener serves a route; `None` stands for any. Nothing in the list: they do not meet.
pub(crate) fn intersection(listener: Option<&str>, route: &[String]) -> Vec<Option<String>> {
    let listener = listener.filter(|hostname| !hostname.is_empty());
    let Some(listener) = listener else {
        return if route.is_empty() { vec![None] } else { route.iter().cloned().map(Some).collect() };
    };
    let listener = listener.to_ascii_lowercase();
    if route.is_empty() {
        return vec![Some(listener)];
    }
    route.iter().filter_map(|hostname| meet(&listener, hostname)).map(Some).collect()
}

/// Whether a hostname stands for many.
pub(crate) fn is_wildcard(hostname: &str) -> bool {
    hostname.starts_with("*.")
}

/// Characters of a custom domain (API model, ServiceCustomDomainName).
const DOMAIN_CHARS: std::ops::RangeInclusive<usize> = 3..=255;
/// Characters of one of its labels (RFC 1035).
const LABEL_CHARS: usize = 63;

/// Why a hostname that is no wildcard can be no custom domain, in words: some of it the CRDs' pattern lets through.
pub(crate) fn no_domain(hostname: &str) -> Option<String> {
    let is_label = |label: &str| {
        (1..=LABEL_CHARS).contains(&label.len())
            && label.bytes().all(|one| one.is_ascii_lowercase() || one.is_ascii_digit() || one == b'-')
            && !(label.starts_with('-') || label.ends_with('-'))
    };
    let why = if hostname.parse::<std::net::Ipv4Addr>().is_ok() {
        "it is an address".to_owned()
    } else if !DOMAIN_CHARS.contains(&hostname.len()) {
        format!("it is not of {} to {} characters", DOMAIN_CHARS.start(), DOMAIN_CHARS.end())
    } else if !hostname.split('.').all(is_label) {
        format!("its parts are not all of 1 to {LABEL_CHARS} lower-case letters, digits and inner hyphens")
    } else {
        return None;
    };
    Some(format!("{} can be no custom domain: {why}; correct it or take it out", quoted(hostname)))
}

/// How narrow a listener's hostname is, the greater the narrower, if requests for a hostname can come to it: an exact one,
/// then the longer wildcard, then none at all (specification, listener isolation).
pub(crate) fn narrowness(listener: Option<&str>, hostname: &str) -> Option<usize> {
    let Some(listener) = listener.filter(|listener| !listener.is_empty()) else { return Some(0) };
    let listener = listener.to_ascii_lowercase();
    if listener == hostname {
        return Some(usize::MAX);
    }
    covers(&listener, hostname).then_some(listener.len())
}

/// Whether a request can be for both hostnames.
pub(crate) fn do_meet(one: &str, other: &str) -> bool {
    one == other || covers(one, other) || covers(other, one)
}

/// The narrower of two hostnames that meet.
fn meet(one: &str, other: &str) -> Option<String> {
    if one == other || covers(one, other) {
        Some(other.to_owned())
    } else if covers(other, one) {
        Some(one.to_owned())
    } else {
        None
    }
}

/// Whether a wildcard covers the other: `*.a.b` covers `x.a.b`, `y.x.a.b` and `*.x.a.b`, but not `a.b`.
fn covers(wildcard: &str, other: &str) -> bool {
    wildcard.strip_prefix('*').is_some_and(|suffix| {
        suffix.starts_with('.') && other.len() > suffix.len() && other.ends_with(suffix) && other != wildcard
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meeting(listener: Option<&str>, route: &[&str]) -> Vec<String> {
        let route: Vec<String> = route.iter().map(|&hostname| hostname.to_owned()).collect();
        intersection(listener, &route).into_iter().map(|hostname| hostname.unwrap_or("any".into())).collect()
    }

    #[test]
    fn the_narrowest_listener_of_a_hostname_is_the_exact_one_then_the_longest_wildcard() {
        let of = |listener| narrowness(listener, "a.b.c");
        assert!(of(Some("A.b.c")) > of(Some("*.b.c")) && of(Some("*.b.c")) > of(Some("*.c")));
        assert!(of(Some("*.c")) > of(None) && of(None) == of(Some("")) && of(None).is_some());
        assert_eq!(of(Some("b.c")), None);
        assert_eq!(narrowness(Some("*.b.c"), "*.b.c"), Some(usize::MAX));
    }

    #[test]
    fn what_can_be_no_custom_domain_is_told() {
        let long = "a".repeat(64);
        for bad in [
            "",
            "ab",
            "10.0.0.1",
            "a..b",
            "shop.test.",
            "-a.test",
            "a-.test",
            "a_b.test",
            &format!("{long}.test"),
        ] {
            assert!(no_domain(bad).is_some(), "{bad:?}");
        }
        for good in ["a.b", "abc", "10.0.0.1.nip.io", "xn--bcher-kva.test", &format!("{}.test", &long[1..])] {
            assert_eq!(no_domain(good), None, "{good:?}");
        }
    }

    #[test]
    fn hostnames_meet_at_the_narrower_one() {
        assert_eq!(meeting(None, &[]), ["any"]);
        assert_eq!(meeting(Some(""), &["a.b"]), ["a.b"]);
        assert_eq!(meeting(Some("A.b"), &[]), ["a.b"]);
        assert_eq!(meeting(Some("*.b.c"), &["x.b.c", "y.x.b.c", "b.c", "z.d"]), ["x.b.c", "y.x.b.c"]);
        assert_eq!(meeting(Some("very.specific.com"), &["*.specific.com", "*.com"]).len(), 2);
        assert_eq!(meeting(Some("*.b.c"), &["*.x.b.c", "*.c", "*.b.c"]), ["*.x.b.c", "*.b.c", "*.b.c"]);
        assert!(meeting(Some("a.b"), &["c.d", "*.c"]).is_empty());
    }
}
