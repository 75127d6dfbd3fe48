//! `lattice-emulator`: Amazon VPC Lattice on one machine.

mod flags;

use std::io::{Read, Write};
use std::sync::Arc;

use anyhow::Context;
use clap::Parser;
use lattice_emulator::model::Model;
use lattice_emulator::plane::{self, Outlets, Plane};
use lattice_emulator::state::{Home, State};
use lattice_emulator::{Emulator, server};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use flags::Flags;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let flags = Flags::parse();
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_env_filter(
            tracing_subscriber::EnvFilter::try_from_default_env()
                .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("info")),
        )
        .init();
    let settings = flags.settings()?;
    let model = Model::built_in().context("the built-in API model is damaged")?;
    let home = Home { region: flags.region.clone(), account: flags.account.clone() };
    let seed = flags.seed.unwrap_or_else(rand::random);
    let vpcs = flags.vpcs.iter().cloned().collect();
    let emulator = Arc::new(Emulator::new(model, State::new(settings, home, vpcs, seed)));

    let control = TcpListener::bind(flags.listen)
        .await
        .with_context(|| format!("the control plane cannot listen at {}", flags.listen))?;
    let address = control.local_addr()?;
    let outlets = Outlets {
        access_log: flags.access_log.clone(),
        logs: flags.logs_endpoint.clone(),
        lambda: flags.lambda_endpoint.clone(),
    };
    let plane = Plane::open(Arc::clone(&emulator), flags.data_port, outlets)
        .await
        .with_context(|| format!("the data plane cannot listen at port {}", flags.data_port))?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;

    let checks = plane::watch(Arc::clone(&emulator));
    if let Some(place) = &flags.ca_file {
        let place_text = place.display();
        std::fs::write(place, plane.authority())
            .with_context(|| format!("{place_text} cannot be written"))?;
    }
    let mut out = std::io::stdout();
    writeln!(out, "READY control=http://{address} data-port={}", plane.port())?;
    out.flush()?;

    let stdin_ends = stdin_ends(flags.exit_on_stdin_eof);
    tokio::select! {
        () = server::serve(control, emulator, plane) => {}
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
        () = stdin_ends => {}
        ended = checks => match ended.context("health checks cannot run")? {},
    }
    Ok(())
}

/// Ends when standard input ends, if that is asked for; else never.
async fn stdin_ends(asked: bool) {
    if !asked {
        return std::future::pending().await;
    }
    let (told, ended) = tokio::sync::oneshot::channel();
    // A thread of its own: the runtime's blocking pool would hold up the exit while a read is waiting.
    std::thread::spawn(move || {
        let mut buffer = [0_u8; 1024];
        while std::io::stdin().read(&mut buffer).is_ok_and(|count| count > 0) {}
        let _ = told.send(());
    });
    let _ = ended.await;
}
