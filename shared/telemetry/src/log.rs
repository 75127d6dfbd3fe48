use std::io::IsTerminal;
use tracing_subscriber::{EnvFilter, fmt};

/// The level where `RUST_LOG` says nothing, or nothing that can be read.
const LEVEL_DEFAULT: &str = "info";

/// The Kubernetes client's part of the log. It logs each failed request as an error of its own; the caller gets the same
/// failure as a value and logs it with what it was about, so the client's line is left out unless it is asked for.
const KUBE_CLIENT: &str = "kube_client";

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

/// The filter's text for what `RUST_LOG` says: that, without the Kubernetes client's own lines where it does not name them.
///
/// The functions' `RUST_LOG` is always set (by the template's LogLevel), to a level as a rule.
fn directives(wanted: Option<&str>) -> String {
    let wanted = wanted.map(str::trim).filter(|filter| !filter.is_empty()).unwrap_or(LEVEL_DEFAULT);
    if wanted.contains(KUBE_CLIENT) { wanted.to_owned() } else { format!("{wanted},{KUBE_CLIENT}=off") }
}

/// Starts the log on standard output, as `RUST_LOG` (default `info`) and `TRELLIS_LOG_FORMAT` (default `json`) say.
/// The Kubernetes client's own lines are left out unless `RUST_LOG` names `kube_client`.
///
/// A program calls it once, first of all; a second call (tests in one process) changes nothing. Directives of
/// `RUST_LOG` that cannot be read are named in a warning and the default is used: a typing error in an environment
/// variable is no reason not to run.
pub fn init(service: &str) {
    let format = Format::from_env_value(std::env::var("TRELLIS_LOG_FORMAT").ok().as_deref());
    let wanted = std::env::var("RUST_LOG").ok();
    let (filter, refused) = match EnvFilter::try_new(directives(wanted.as_deref())) {
        Ok(filter) => (filter, None),
        Err(error) => (EnvFilter::new(directives(None)), Some(error)),
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
        tracing::warn!(%error, used = directives(None), "RUST_LOG cannot be read");
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
    fn the_kubernetes_clients_own_lines_are_left_out_unless_they_are_named() {
        assert_eq!(directives(None), "info,kube_client=off");
        assert_eq!(directives(Some(" ")), "info,kube_client=off");
        // What template.yaml sets by default.
        assert_eq!(directives(Some("info")), "info,kube_client=off");
        assert_eq!(
            directives(Some("warn,trellis_engine=debug")),
            "warn,trellis_engine=debug,kube_client=off"
        );
        assert_eq!(directives(Some("info,kube_client=debug")), "info,kube_client=debug");
    }

    #[test]
    fn a_second_start_changes_nothing() {
        init("first");
        init("second");
        assert!(tracing::dispatcher::has_been_set());
    }
}
