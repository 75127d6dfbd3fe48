//! The command line; every flag can be given by the environment. `RUST_LOG` sets the log's level and
//! `TRELLIS_LOG_FORMAT` its form (`json`, `text`); region, credentials and endpoint of SQS are read as every AWS SDK
//! does, and the API server is found as `kubectl` or a Pod finds it.

use clap::Parser;
use std::net::SocketAddr;
use std::time::Duration;
use trellis_hint::ClusterId;

/// Forwards changes of Gateway API objects as hints to SQS. It allows every request.
#[derive(Debug, Clone, Parser)]
#[command(name = "trellis-webhook", version)]
pub struct Args {
    /// Address of the TLS port, for reviews. `[::]` takes IPv4 as well, and is 0.0.0.0 where there is no IPv6.
    #[arg(long, env = "TRELLIS_LISTEN", default_value = "[::]:9443")]
    pub listen: SocketAddr,
    /// Address of the second port, for /livez, /readyz and /metrics.
    #[arg(long, env = "TRELLIS_METRICS_LISTEN", default_value = "[::]:8080")]
    pub metrics_listen: SocketAddr,
    /// ARN of this EKS cluster, such as arn:aws:eks:us-west-2:123456789012:cluster/one.
    #[arg(long, env = "TRELLIS_CLUSTER")]
    pub cluster: ClusterId,
    /// URL of the SQS FIFO queue.
    #[arg(long, env = "TRELLIS_QUEUE_URL", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    pub queue_url: String,
    /// Secret, as namespace/name, in which the replicas share their certificate.
    #[arg(long, env = "TRELLIS_TLS_SECRET", default_value = "trellis-system/trellis-webhook-tls", value_parser = namespaced)]
    pub tls_secret: Namespaced,
    /// DNS names of the certificate, besides localhost and 127.0.0.1: the Service's, as the API server calls it.
    #[arg(
        long,
        env = "TRELLIS_TLS_DNS_NAME",
        value_delimiter = ',',
        default_value = "trellis-webhook.trellis-system.svc"
    )]
    pub tls_dns_name: Vec<String>,
    /// ValidatingWebhookConfiguration whose webhooks are told to trust the certificate.
    #[arg(long, env = "TRELLIS_VALIDATING_WEBHOOK_CONFIGURATION", default_value = "trellis")]
    pub validating_webhook_configuration: String,
    /// Seconds between SIGTERM and the closing of the TLS port, in which API servers learn to call another replica.
    #[arg(long, env = "TRELLIS_SHUTDOWN_DELAY", default_value = "3", value_parser = seconds)]
    pub shutdown_delay: Duration,
}

/// A namespace and a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Namespaced {
    /// The namespace.
    pub namespace: String,
    /// The name.
    pub name: String,
}

fn namespaced(text: &str) -> Result<Namespaced, String> {
    match text.split_once('/') {
        Some((namespace, name)) if !namespace.is_empty() && !name.is_empty() && !name.contains('/') => {
            Ok(Namespaced { namespace: namespace.to_owned(), name: name.to_owned() })
        }
        _ => Err(format!("{text:?} is not of the form namespace/name")),
    }
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| format!("{text:?} is no number of seconds"))?;
    Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    const ONE: &str = "arn:aws:eks:us-west-2:123456789012:cluster/one";

    #[test]
    fn the_command_line_is_consistent_and_its_defaults_are_read() {
        Args::command().debug_assert();
        let args =
            Args::parse_from(["w", "--cluster", ONE, "--queue-url", "http://q", "--shutdown-delay", "0.5"]);
        assert_eq!(
            args.tls_secret,
            Namespaced { namespace: "trellis-system".into(), name: "trellis-webhook-tls".into() }
        );
        assert_eq!(args.shutdown_delay, Duration::from_millis(500));
    }

    #[test]
    fn wrong_values_are_refused() {
        for wrong in [
            ["--tls-secret", "name"],
            ["--tls-secret", "a/b/c"],
            ["--cluster", ""],
            ["--cluster", "one"],
            ["--shutdown-delay", "-1"],
        ] {
            let line = ["w", "--queue-url", "http://q", "--cluster", ONE].into_iter().chain(wrong);
            assert!(Args::try_parse_from(line).is_err(), "{wrong:?}");
        }
    }
}
