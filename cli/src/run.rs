//! From the command line to output and exit status.

use crate::args::{
    Cli, Command, Explain, FailOn, Graph, GraphFormat, Input, Lint, LintFormat, Plan, PlanFormat, Version,
};
use crate::graph::graph;
use crate::installation::aws::AwsError;
use crate::installation::found::FoundError;
use crate::machine;
use crate::manifests::{Manifests, read};
use crate::registration;
use crate::report::{API_VERSION, Planned};
use crate::text::{self, Width};
use clap::CommandFactory;
use serde::Serialize;
use serde_json::json;
use std::io::{self, Write};
use trellis_gateway::{Code, Level};

/// All is well.
pub const OK: u8 = 0;
/// Something could not be done, or findings fail.
pub const FAILED: u8 = 1;
/// Something would be changed (`--detailed-exitcode`).
pub const CHANGES: u8 = 2;

/// It goes on by itself, and is not at its end (`unregister`).
pub const UNDER_WAY: u8 = 2;

/// Why a command could not be done.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// Manifests cannot be read.
    #[error(transparent)]
    Read(#[from] crate::manifests::ReadError),
    /// A flag is no good.
    #[error("{0}")]
    Flag(String),
    /// There is no such code.
    #[error("{0:?} is no code; trellis explain lists them all")]
    Code(String),
    /// AWS does not tell what has to be known.
    #[error(transparent)]
    Found(#[from] FoundError),
    /// AWS refused a call.
    #[error(transparent)]
    Aws(#[from] AwsError),
    /// Nobody is there to be asked.
    #[error(
        "standard input is no terminal, so nobody can be asked; give --yes, or --dry-run to see what would be done"
    )]
    NotAsked,
    /// The person said no.
    #[error("nothing was done")]
    Declined,
    /// A step was refused, and what was to come after it was not done.
    #[error("{step}: {why}; what was to come after it was not done, the same command goes on from there")]
    Step {
        /// The step.
        step: String,
        /// Why.
        why: AwsError,
    },
    /// Something is left after the longest wait.
    #[error("after half an hour: {0}; trellis check and the drift report say why")]
    Left(String),
    /// Output cannot be written.
    #[error("output cannot be written: {0}")]
    Write(#[from] io::Error),
    /// Output cannot be put into words.
    #[error("output cannot be written: {0}")]
    Json(#[from] serde_json::Error),
}

/// Where output goes.
pub struct Output<'a> {
    /// Data.
    pub out: &'a mut dyn Write,
    /// Everything else.
    pub err: &'a mut dyn Write,
    /// How wide text is.
    pub width: Width,
    /// What the program is called.
    pub name: &'static str,
}

/// Does what the command line says; the exit status.
///
/// # Errors
///
/// What cannot be read or written, for people.
pub fn run(cli: &Cli, output: &mut Output<'_>) -> Result<u8, RunError> {
    match &cli.command {
        Command::Plan(args) => plan(args, output),
        Command::Lint(args) => lint(args, output),
        Command::Graph(args) => draw(args, output),
        Command::Explain(args) => explain(args, output),
        Command::Register(args) => registration::register(args, output),
        Command::Unregister(args) => registration::unregister(args, output),
        Command::Check(args) => registration::check(args, output),
        Command::Version(args) => version(args, output),
        Command::Completion { shell } => {
            let mut script = vec![];
            clap_complete::generate(*shell, &mut Cli::command(), "trellis", &mut script);
            output.out.write_all(&script)?;
            Ok(OK)
        }
        Command::Man { folder } => {
            clap_mangen::generate_to(Cli::command(), folder)?;
            Ok(OK)
        }
    }
}

fn plan(args: &Plan, output: &mut Output<'_>) -> Result<u8, RunError> {
    let planned = planned(&args.input, output)?;
    match args.output {
        PlanFormat::Text => {
            output.out.write_all(text::plan(&planned, output.width, args.waits).as_bytes())?;
        }
        PlanFormat::Json => write_json(output, &planned.document())?,
    }
    let is_changing = planned.changes().iter().any(|count| *count > 0);
    Ok(if args.detailed_exitcode && is_changing { CHANGES } else { OK })
}

fn lint(args: &Lint, output: &mut Output<'_>) -> Result<u8, RunError> {
    let planned = planned(&args.input, output)?;
    let found = &planned.findings;
    match args.output {
        LintFormat::Text => {
            let text = text::lint(found, planned.world.places.len(), output.width);
            output.out.write_all(text.as_bytes())?;
        }
        LintFormat::Json => write_json(output, &machine::json(found))?,
        LintFormat::Github => output.out.write_all(machine::github(found).as_bytes())?,
        LintFormat::Sarif => write_json(output, &machine::sarif(found))?,
    }
    let fails = match args.fail_on {
        FailOn::Error => planned.worst() >= Some(Level::Error),
        FailOn::Warning => planned.worst() >= Some(Level::Warning),
        FailOn::Never => false,
    };
    Ok(if fails { FAILED } else { OK })
}

fn draw(args: &Graph, output: &mut Output<'_>) -> Result<u8, RunError> {
    let graph = graph(&planned(&args.input, output)?.evaluation);
    match args.output {
        GraphFormat::Mermaid => output.out.write_all(graph.mermaid().as_bytes())?,
        GraphFormat::Dot => output.out.write_all(graph.dot().as_bytes())?,
        GraphFormat::Json => write_json(output, &graph.json())?,
    }
    Ok(OK)
}

fn explain(args: &Explain, output: &mut Output<'_>) -> Result<u8, RunError> {
    let code =
        args.code.as_deref().map(|text| Code::parse(text).ok_or_else(|| RunError::Code(text.to_owned())));
    let code = code.transpose()?;
    match (args.output, code) {
        (PlanFormat::Text, Some(code)) => {
            output.out.write_all(text::explain(code, output.width).as_bytes())?;
        }
        (PlanFormat::Text, None) => output.out.write_all(text::codes(output.width).as_bytes())?,
        (PlanFormat::Json, Some(code)) => write_json(output, &machine::explanation(code))?,
        (PlanFormat::Json, None) => {
            let items: Vec<_> = Code::ALL.iter().map(|code| machine::explanation(*code)).collect();
            write_json(
                output,
                &json!({"apiVersion": API_VERSION, "kind": "ExplanationList", "items": items}),
            )?;
        }
    }
    Ok(OK)
}

fn version(args: &Version, output: &mut Output<'_>) -> Result<u8, RunError> {
    let version = env!("CARGO_PKG_VERSION");
    match args.output {
        PlanFormat::Text => writeln!(output.out, "{} {version}", output.name)?,
        PlanFormat::Json => {
            write_json(output, &json!({"apiVersion": API_VERSION, "kind": "Version", "version": version}))?;
        }
    }
    Ok(OK)
}

/// Reads and plans; what was not read, and what was assumed, is told beside the output.
fn planned(input: &Input, output: &mut Output<'_>) -> Result<Planned, RunError> {
    let manifests: Manifests = read(&input.sources(), input.recursive)?;
    if !manifests.others.is_empty() {
        let others = manifests.others.iter().map(|(kind, count)| format!("{kind} ({count})"));
        let others = others.collect::<Vec<_>>().join(", ");
        writeln!(output.err, "Not looked at, since nothing in VPC Lattice depends on it: {others}.")?;
    }
    let planned = Planned::of(manifests, input).map_err(RunError::Flag)?;
    for sentence in &planned.world.notes {
        writeln!(output.err, "{sentence}")?;
    }
    Ok(planned)
}

pub(crate) fn write_json(output: &mut Output<'_>, document: &impl Serialize) -> Result<(), RunError> {
    // What cannot be written is an error of writing, whoever writes.
    serde_json::to_writer_pretty(&mut *output.out, document)
        .map_err(|error| if error.is_io() { RunError::Write(error.into()) } else { RunError::Json(error) })?;
    writeln!(output.out)?;
    Ok(())
}
