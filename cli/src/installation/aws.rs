//! AWS by the person's own AWS CLI: with its profiles, single sign-on, second factors and proxies, and with no rights but the person's.

use serde_json::{Deserializer, Value};
use std::ffi::OsStr;
use std::io;
use std::process::{Command, Output};

/// The program.
const PROGRAM: &str = "aws";
/// Seconds to a connection. The CLI tries three times.
const CONNECT_SECONDS: &str = "10";
/// Seconds to an answer: a Lambda function runs for at most 15 minutes (Lambda quotas), everything else answers in a few. With fewer the
/// CLI would ask for a second drift pass beside the first.
const READ_SECONDS: &str = "960";
/// Characters of what the program says in a message.
const TOLD_CHARS_MAX: usize = 600;

/// Why AWS gave no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AwsError {
    /// The AWS CLI cannot be run.
    #[error("the program aws cannot be run ({0}); install the AWS CLI")]
    Program(String),
    /// AWS refused the call.
    #[error("{operation}: {code}: {message}")]
    Refused {
        /// The operation.
        operation: String,
        /// Its error code.
        code: String,
        /// What AWS says.
        message: String,
    },
    /// It came to no call, or to no answer that can be read.
    #[error("aws {0}")]
    Failed(String),
}

impl AwsError {
    /// Whether AWS says that it is asked too much at once: of a drift pass there is one at a time.
    pub fn is_busy(&self) -> bool {
        matches!(self, Self::Refused { code, .. } if code == "TooManyRequestsException" || code.starts_with("Throttling"))
    }

    /// Whether AWS says that what is asked for is not there.
    pub fn is_missing(&self) -> bool {
        matches!(self, Self::Refused { code, .. } if code == "ResourceNotFoundException")
    }
}

/// Who asks AWS.
pub trait Aws {
    /// One call, by the arguments that the AWS CLI takes for it; its answer.
    ///
    /// # Errors
    ///
    /// As [`AwsError`] has them.
    fn call(&self, arguments: &[String]) -> Result<Value, AwsError>;
}

/// The AWS CLI.
#[derive(Debug, Clone, Default)]
pub struct Program {
    /// `--region`; the CLI's own if none.
    pub region: Option<String>,
    /// `--profile`; the CLI's own if none.
    pub profile: Option<String>,
}

impl Program {
    fn run(&self, arguments: &[String]) -> io::Result<Output> {
        let mut command = Command::new(PROGRAM);
        command.args(arguments).args(["--output", "json", "--cli-connect-timeout", CONNECT_SECONDS]);
        command.args(["--cli-read-timeout", READ_SECONDS]);
        for (flag, value) in [("--region", &self.region), ("--profile", &self.profile)] {
            if let Some(value) = value {
                command.args([flag, value]);
            }
        }
        // The CLI's first version does not heed it for every service, and would ask AWS itself.
        if let Some(endpoint) = std::env::var_os("AWS_ENDPOINT_URL").filter(|endpoint| !endpoint.is_empty()) {
            command.args([OsStr::new("--endpoint-url"), &endpoint]);
        }
        // Refusals in the form that is read below, whatever the person has set.
        command.env("AWS_PAGER", "").env("AWS_CLI_ERROR_FORMAT", "legacy").output()
    }
}

impl Aws for Program {
    fn call(&self, arguments: &[String]) -> Result<Value, AwsError> {
        let output = self.run(arguments).map_err(|error| AwsError::Program(error.to_string()))?;
        if !output.status.success() {
            return Err(refusal(arguments, &String::from_utf8_lossy(&output.stderr)));
        }
        first_value(arguments, &output.stdout)
    }
}

/// The first document of an answer: `lambda invoke` writes what the function says before what it says itself.
fn first_value(arguments: &[String], text: &[u8]) -> Result<Value, AwsError> {
    match Deserializer::from_slice(text).into_iter::<Value>().next() {
        None => Ok(Value::Null),
        Some(Ok(value)) => Ok(value),
        Some(Err(error)) => {
            Err(AwsError::Failed(format!("{}: its answer is no JSON: {error}", operation(arguments))))
        }
    }
}

fn operation(arguments: &[String]) -> String {
    arguments.iter().take(2).map(String::as_str).collect::<Vec<_>>().join(" ")
}

/// What the CLI says of a call that AWS refused: "An error occurred (CODE) when calling the OPERATION operation: MESSAGE".
fn refusal(arguments: &[String], told: &str) -> AwsError {
    let told = told.trim();
    let parts = told.split_once("An error occurred (").and_then(|(_, rest)| {
        let (code, rest) = rest.split_once(") when calling the ")?;
        let (operation, rest) = rest.split_once(" operation")?;
        // "(reached max retries: 2)" may stand between.
        let end = if rest.starts_with(" (") { "): " } else { ": " };
        Some((code, operation, rest.split_once(end).map_or("", |(_, message)| message)))
    });
    match parts {
        Some((code, operation, message)) => AwsError::Refused {
            operation: operation.to_owned(),
            code: code.to_owned(),
            message: cut(message),
        },
        None if told.is_empty() => {
            AwsError::Failed(format!("{}: it ended without a word", operation(arguments)))
        }
        None => AwsError::Failed(format!("{}: {}", operation(arguments), cut(told))),
    }
}

fn cut(text: &str) -> String {
    text.chars().take(TOLD_CHARS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arguments() -> Vec<String> {
        ["eks", "describe-cluster", "--name", "one"].map(str::to_owned).to_vec()
    }

    #[test]
    fn a_refusal_keeps_its_code_and_its_cause() {
        let told = "\nAn error occurred (ResourceNotFoundException) when calling the DescribeCluster operation: No cluster \
                    found for name: one.\n";
        let error = refusal(&arguments(), told);
        assert!(error.is_missing());
        assert_eq!(
            error.to_string(),
            "DescribeCluster: ResourceNotFoundException: No cluster found for name: one."
        );
        let retried = "An error occurred (Throttling) when calling the X operation (reached max retries: 4): Rate exceeded";
        assert_eq!(refusal(&arguments(), retried).to_string(), "X: Throttling: Rate exceeded");
    }

    #[test]
    fn what_is_no_refusal_is_told_as_the_program_tells_it() {
        let error = refusal(
            &arguments(),
            "Unable to locate credentials. You can configure credentials by running \"aws configure\".",
        );
        assert!(!error.is_missing());
        assert_eq!(
            error.to_string(),
            "aws eks describe-cluster: Unable to locate credentials. You can configure credentials by running \"aws configure\"."
        );
        assert_eq!(refusal(&arguments(), &"x".repeat(5_000)).to_string().chars().count(), 626);
    }

    #[test]
    fn of_two_documents_the_first_is_the_answer_and_an_empty_one_is_none() {
        let two = b"{\"a\": 1}\n{\"StatusCode\": 200}\n";
        assert_eq!(first_value(&arguments(), two), Ok(serde_json::json!({"a": 1})));
        assert_eq!(first_value(&arguments(), b""), Ok(Value::Null));
        assert!(first_value(&arguments(), b"<html>").is_err());
    }
}
