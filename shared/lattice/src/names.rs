//! Deterministic names: a create that was cut off is found again, and two owners never want one name.

use sha2::{Digest, Sha256};

/// Characters of a unit's hash in names: 40 bits, so that 10,000 units share one with probability 5e-5.
const UNIT_HASH_CHARS: usize = 10;

/// The beginning of a unit's hash ([`crate::Owner::unit`]) that every target group name of the unit contains, and its
/// service names beyond the plain one. It finds candidates; ownership is told by tags alone.
pub fn unit_hash(unit: &str) -> &str {
    unit.get(..UNIT_HASH_CHARS).unwrap_or(unit)
}

/// `chars` lower-case hexadecimal characters (at most 64) that depend on every part and on where one part ends.
pub fn short_hash(parts: &[&str], chars: usize) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part.as_bytes());
    }
    let mut text = format!("{:x}", hash.finalize());
    text.truncate(chars);
    text
}

/// `text` as VPC Lattice takes it in names: lower-case letters, digits and single hyphens, none at the ends, at most
/// `chars_max` of them. Different texts may give one name; whoever needs uniqueness adds a hash.
pub fn label(text: &str, chars_max: usize) -> String {
    let mut label = String::new();
    for c in text.chars() {
        let c = if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
        if c != '-' || !(label.is_empty() || label.ends_with('-')) {
            label.push(c);
        }
        if label.len() == chars_max {
            break;
        }
    }
    label.trim_end_matches('-').to_owned()
}

/// Characters of a service network's id after `sn-` (API model, ServiceNetworkId).
const NETWORK_ID_CHARS: usize = 17;

/// Whether a name is a service network's id: no network is made by it.
pub fn is_network_id(name: &str) -> bool {
    let is_inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    name.strip_prefix("sn-").is_some_and(|id| id.len() == NETWORK_ID_CHARS && id.bytes().all(is_inner))
}

/// A domain name as it is compared: without regard to case and the root's dot, lest a service be replaced for its spelling.
pub fn domain(name: &str) -> String {
    name.trim_end_matches('.').to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_domain_is_the_same_in_any_case_and_with_the_roots_dot() {
        assert_eq!(domain("Shop.Example.com."), domain("shop.example.com"));
    }

    #[test]
    fn an_id_of_a_network_is_no_name_that_somebody_gives() {
        assert!(is_network_id("sn-0123456789abcdefg"));
        for name in ["sn-hotel", "sn-", "0123456789abcdefg", "sn-0123456789abcdef-", "sn-0123456789abcdefgh"]
        {
            assert!(!is_network_id(name), "{name}");
        }
    }

    #[test]
    fn labels_hold_only_what_vpc_lattice_takes() {
        assert_eq!(label("api.example--v1_X", 40), "api-example-v1-x");
        assert_eq!(label("-.-a", 40), "a");
        assert_eq!(label("abc-def", 4), "abc");
        assert_eq!(label("ä", 4), "");
    }

    #[test]
    fn hashes_tell_where_a_part_ends() {
        assert_ne!(short_hash(&["ab", "c"], 10), short_hash(&["a", "bc"], 10));
        assert_eq!(unit_hash("0123456789abcdef"), "0123456789");
    }
}
