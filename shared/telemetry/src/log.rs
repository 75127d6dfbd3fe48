use std::io::IsTerminal;
use tracing_subscriber::{EnvFilter, fmt};

/// The filter where `RUST_LOG` says nothing. The Kubernetes client logs each failed request as an error of its own;
/// the caller gets the same failure as a value and logs it with what it was about, so the client's line is left out.
const FILTER_DEFAULT: &str = "info,kube_client=off";

/// How a log line looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// One JSON object a line: what CloudWatch Logs Insights reads by field.
    Json,
    /// For people at a terminal.
    Text,
}

impl Format {
    /// The format that `TRELLIS_LOG_FORMAT` names (`json` or `text`); JSON for anything else.
    pub fn from_env_value(value: Option<&str>) -> Self {
        if value == Some("text") { Self::Text } else { Self::Json }
    }
}

/// Starts the log on standard output, as `RUST_LOG` (default `info`) and `TRELLIS_LOG_FORMAT` (default `json`) say.
///
/// A program calls it once, first of all; a second call (tests in one process) changes nothing. Directives of
/// `RUST_LOG` that cannot be read are named in a warning and the default is used: a typing error in an environment
/// variable is no reason not to run.
pub fn init(service: &str) {
    let format = Format::from_env_value(std::env::var("TRELLIS_LOG_FORMAT").ok().as_deref());
    let wanted = std::env::var("RUST_LOG").ok().filter(|filter| !filter.trim().is_empty());
    let (filter, refused) = match wanted.as_deref().map(EnvFilter::try_new) {
        None => (EnvFilter::new(FILTER_DEFAULT), None),
        Some(Ok(filter)) => (filter, None),
        Some(Err(error)) => (EnvFilter::new(FILTER_DEFAULT), Some(error)),
    };
    let started = match format {
        // CloudWatch stamps each line by itself, and so do most collectors; the line's own time is kept all the same,
        // because lines that were buffered are stamped late.
        Format::Json => fmt().json().flatten_event(true).with_env_filter(filter).try_init(),
        Format::Text => {
            let colours = std::io::stdout().is_terminal();
            fmt().with_ansi(colours).with_env_filter(filter).try_init()
        }
    };
    if started.is_err() {
        return;
    }
    if let Some(error) = refused {
        tracing::warn!(%error, used = FILTER_DEFAULT, "RUST_LOG cannot be read");
    }
    tracing::debug!(service, version = env!("CARGO_PKG_VERSION"), "log started");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_json_unless_text_is_asked_for() {
        assert_eq!(Format::from_env_value(None), Format::Json);
        assert_eq!(Format::from_env_value(Some("colourful")), Format::Json);
        assert_eq!(Format::from_env_value(Some("text")), Format::Text);
    }

    #[test]
    fn a_second_start_changes_nothing() {
        init("first");
        init("second");
        assert!(tracing::dispatcher::has_been_set());
    }
}
