//! Client tokens: a create that is retried with its token and its parameters answers as the first time.

use serde::{Deserialize, Serialize};

use super::document::Input;
use super::settings::Clash;
use super::{Document, Moment, Refusal, State};

/// What is kept of a call that had a token.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Token {
    parameters: Document,
    response: Document,
    /// ARN of the resource that was created; the token lives as long as it does.
    arn: String,
    at: Moment,
}

impl State {
    /// Performs the call, or answers from an earlier one with the same token.
    pub(super) fn with_token(
        &mut self,
        now: Moment,
        operation: &str,
        input: Input<'_>,
    ) -> Result<Document, Refusal> {
        let Some(token) = input.maybe("clientToken") else {
            return self.perform(now, operation, input);
        };
        let key = format!("{operation} {token}");
        let mut parameters = input.0.clone();
        parameters.remove("clientToken");
        if let Some(known) = self.store.tokens.get(&key)
            && self.settings.switches.token_ttl.is_none_or(|ttl| now < known.at.after(ttl))
        {
            if known.parameters == parameters {
                return Ok(known.response.clone());
            }
            let message = "The client token was used with other parameters.";
            return Err(match self.settings.switches.token_error {
                Clash::Conflict => Refusal::conflict("CLIENT_TOKEN", token, message),
                Clash::Validation => Refusal::field("clientToken", message),
            });
        }
        let response = self.perform(now, operation, input)?;
        let arn = response.get("arn").and_then(serde_json::Value::as_str).unwrap_or_default().to_owned();
        self.store.tokens.insert(key, Token { parameters, response: response.clone(), arn, at: now });
        Ok(response)
    }

    /// Forgets the tokens of a resource that is gone.
    pub(super) fn forget_tokens(&mut self, arn: &str) {
        self.store.tokens.retain(|_, token| token.arn != arn);
    }
}
