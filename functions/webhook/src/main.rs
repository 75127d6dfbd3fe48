//! The process: log, arguments, one thread. All else is in [`trellis_webhook::app`].

use clap::Parser;
use trellis_webhook::app;
use trellis_webhook::args::Args;

/// One thread answers thousands of reviews a second, and one thread's heap stays small.
#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    trellis_telemetry::init("webhook");
    app::run(args).await
}
