//! The path that reviews come to: a secret between the webhook and the API servers, as far as there can be one.
//!
//! An API server shows no certificate of its own unless its administrator configures one, which EKS does not offer, and it
//! comes from addresses that nobody tells. What it knows and other Pods do not is what the ValidatingWebhookConfiguration
//! says. So the webhook writes a path that cannot be guessed there, beside the `caBundle`. The path follows from the
//! certificate's key: all replicas know it, nothing more is stored, and it changes when the certificate does.

use super::identity::Identity;
use arc_swap::ArcSwap;
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

/// What every path of reviews begins with.
pub const PREFIX: &str = "/validate/";

/// Hexadecimal characters of a token: 128 bits.
const TOKEN_CHARS: usize = 32;

/// Sets the hash apart from any other use of the key.
const PURPOSE: &[u8] = b"trellis-webhook: path of reviews\n";

/// What reviews' paths end with.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Token(String);

impl Token {
    /// The token that belongs to an identity. The key cannot be found from it.
    pub fn of(identity: &Identity) -> Self {
        let hash = Sha256::new().chain_update(PURPOSE).chain_update(identity.key_pem.as_bytes()).finalize();
        let mut text = hash.iter().fold(String::new(), |all, byte| all + &format!("{byte:02x}"));
        text.truncate(TOKEN_CHARS);
        Self(text)
    }

    /// The token in a path; none if there is none that could be one of ours.
    pub fn in_path(path: &str) -> Option<Self> {
        let token = path.strip_prefix(PREFIX)?;
        let is_token = token.len() == TOKEN_CHARS
            && token.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
        is_token.then(|| Self(token.to_owned()))
    }

    /// The path of reviews with this token.
    pub fn path(&self) -> String {
        format!("{PREFIX}{}", self.0)
    }

    /// Whether both are equal, in a time that does not tell how far they are.
    fn is(&self, other: &Self) -> bool {
        let differences = self.0.bytes().zip(other.0.bytes()).map(|(one, other)| one ^ other);
        self.0.len() == other.0.len() && differences.fold(0, |all, one| all | one) == 0
    }
}

/// Not the token itself: whoever reads a log must not learn it.
impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(..)")
    }
}

/// The tokens that are taken now: two while the API servers move from one to the next.
#[derive(Debug, Clone, Default)]
pub struct Tokens(Arc<ArcSwap<BTreeSet<Token>>>);

impl Tokens {
    /// Takes these and no others from now on.
    pub fn take(&self, tokens: BTreeSet<Token>) {
        self.0.store(Arc::new(tokens));
    }

    /// Whether a request of this path comes from somebody who was told it.
    pub fn admit(&self, path: &str) -> bool {
        let Some(token) = Token::in_path(path) else { return false };
        self.0.load().iter().fold(false, |found, one| found | one.is(&token))
    }
}

#[cfg(test)]
mod tests {
    use super::super::identity::issue;
    use super::*;
    use time::OffsetDateTime;

    fn identity() -> Identity {
        issue(&[], OffsetDateTime::UNIX_EPOCH).unwrap()
    }

    #[test]
    fn a_token_follows_from_the_key_and_is_read_from_its_path() {
        let (one, other) = (identity(), identity());
        assert_eq!(Token::of(&one), Token::of(&one));
        assert_ne!(Token::of(&one), Token::of(&other));
        let token = Token::of(&one);
        assert_eq!(Token::in_path(&token.path()), Some(token.clone()));
        assert!(!format!("{token:?}").contains(&token.0));
    }

    #[test]
    fn nothing_else_is_a_token() {
        for path in
            ["", "/", "/validate", "/validate/", "/validate/x", &format!("/validate/{}", "A".repeat(32))]
        {
            assert_eq!(Token::in_path(path), None, "{path}");
        }
        let longer = Token::of(&identity()).path() + "0";
        assert_eq!(Token::in_path(&longer), None);
    }

    #[test]
    fn only_the_tokens_of_now_are_taken() {
        let (old, new) = (Token::of(&identity()), Token::of(&identity()));
        let tokens = Tokens::default();
        assert!(!tokens.admit(&old.path()));
        tokens.take([old.clone()].into());
        assert!(tokens.admit(&old.path()) && !tokens.admit(&new.path()) && !tokens.admit("/validate"));
        tokens.take([old.clone(), new.clone()].into());
        assert!(tokens.admit(&old.path()) && tokens.admit(&new.path()));
        tokens.take([new].into());
        assert!(!tokens.admit(&old.path()));
    }
}
