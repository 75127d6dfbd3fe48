//! The process: arguments, terminal, exit status. All else is in [`trellis_cli`].

use anstream::{AutoStream, ColorChoice};
use clap::{CommandFactory as _, FromArgMatches as _};
use std::io::{self, BufWriter, IsTerminal as _, Write as _};
use std::process::ExitCode;
use trellis_cli::args::{Cli, Colour};
use trellis_cli::run::{FAILED, OK, Output, RunError, run};

/// Narrower, a table is no table any more.
const WIDTH_MIN: u16 = 40;

fn main() -> ExitCode {
    let name = name();
    let parsed =
        Cli::command().bin_name(name).try_get_matches().and_then(|found| Cli::from_arg_matches(&found));
    let cli = match parsed {
        Ok(cli) => cli,
        Err(error) => {
            // Not 2, as clap has it: that says that something would be changed.
            let is_help = !error.use_stderr();
            _ = error.print();
            return ExitCode::from(if is_help { OK } else { FAILED });
        }
    };
    let choice = match cli.color {
        Colour::Auto => AutoStream::choice(&io::stdout()),
        Colour::Always => ColorChoice::Always,
        Colour::Never => ColorChoice::Never,
    };
    let mut out = BufWriter::new(AutoStream::new(io::stdout().lock(), choice));
    let mut err = io::stderr().lock();
    let done = run(&cli, &mut Output { out: &mut out, err: &mut err, width: width(), name });
    let done = done.and_then(|status| Ok(out.flush().map(|()| status)?));
    match done {
        Ok(status) => ExitCode::from(status),
        // Whoever reads has had enough.
        Err(RunError::Write(error))
            if error.kind() == io::ErrorKind::BrokenPipe && cli.command.only_tells() =>
        {
            ExitCode::from(OK)
        }
        Err(error) => {
            _ = writeln!(err, "{name}: {error}");
            ExitCode::from(FAILED)
        }
    }
}

/// As kubectl runs it the program is called otherwise.
fn name() -> &'static str {
    let called = std::env::args_os().next().unwrap_or_default();
    let file = std::path::Path::new(&called).file_stem().and_then(|name| name.to_str()).unwrap_or_default();
    if file == "kubectl-trellis" { "kubectl trellis" } else { "trellis" }
}

/// COLUMNS, or the terminal's width; none where output goes elsewhere.
fn width() -> Option<u16> {
    let asked = std::env::var("COLUMNS").ok().and_then(|text| text.parse::<u16>().ok());
    let terminal = || {
        let size = io::stdout().is_terminal().then(terminal_size::terminal_size).flatten();
        size.map(|(terminal_size::Width(columns), _)| columns)
    };
    asked.or_else(terminal).map(|columns| columns.max(WIDTH_MIN))
}
