//! Output for people.

use crate::finding::{About, Finding, counts};
use crate::report::{ObjectStatus, Planned, sign};
use anstyle::{AnsiColor, Style};
use comfy_table::{ContentArrangement, Table, presets};
use serde_json::Value;
use std::fmt::Write as _;
use trellis_gateway::{Code, Explanation, Level};
use trellis_hint::UnitKey;
use trellis_lattice::Plan;

/// How wide output is; none: as wide as it comes, for a pipe.
pub type Width = Option<u16>;

/// What stands where a condition is not there.
const NONE: &str = "-";

/// A plan.
pub fn plan(planned: &Planned, width: Width, waits: bool) -> String {
    let mut text = String::new();
    for (unit, one) in &planned.evaluation.units {
        let mut lines: Vec<String> = one.held.iter().map(|why| format!("? {why}")).collect();
        lines.extend(one.plans().flat_map(|plan| steps(plan, waits)));
        if !lines.is_empty() {
            let _ = writeln!(text, "{}", bold(&unscoped(unit)));
            text.push_str(&signed(&lines, width));
        }
    }
    if text.is_empty() {
        text.push_str("Nothing is to be made in VPC Lattice.\n");
    }
    let told = planned.statuses();
    if !told.is_empty() {
        let _ = write!(text, "\n{}", statuses(&told, width));
    }
    if !planned.findings.is_empty() {
        let _ = write!(text, "\n{}", findings(&planned.findings, width));
    }
    let _ = write!(text, "\n{}", quotas(planned, width));
    let _ = write!(text, "\n{}", wrapped(&summary(planned), width));
    text
}

/// A unit's key without its account and Region, which are the same in all of a plan.
fn unscoped(unit: &UnitKey) -> String {
    unit.to_string().replacen(&format!("{}/", unit.scope()), "", 1)
}

fn steps(plan: &Plan, waits: bool) -> Vec<String> {
    let steps = plan.steps.iter().filter(|step| waits || sign(step).is_some());
    let steps = steps.flat_map(|step| step.to_string().lines().map(str::to_owned).collect::<Vec<_>>());
    let blocked = plan.blocked.iter().map(|one| format!("! {} {one}", Code::of_blocked(one)));
    steps.chain(plan.withheld.iter().map(|step| format!("({step})"))).chain(blocked).collect()
}

/// Lines with their signs in a column of its own, so that what is wrapped stands below the text.
fn signed(lines: &[String], width: Width) -> String {
    let rows = lines.iter().map(|line| {
        let (sign, text) =
            line.split_at_checked(line.chars().next().map_or(0, char::len_utf8)).unwrap_or(("", line));
        // What goes on from the line before bears no sign.
        vec![format!("  {sign}"), text.strip_prefix(' ').unwrap_or(text).to_owned()]
    });
    let plain = grid(rows.collect(), width).to_string();
    let mut text = String::new();
    for line in plain.lines().map(str::trim_end) {
        let style = match line.trim_start().chars().next() {
            Some('+') => Style::new().fg_color(Some(AnsiColor::Green.into())),
            Some('~') => Style::new().fg_color(Some(AnsiColor::Yellow.into())),
            Some('-') => Style::new().fg_color(Some(AnsiColor::Red.into())),
            Some('!' | '?') => Style::new().fg_color(Some(AnsiColor::Red.into())).bold(),
            _ => Style::new(),
        };
        let _ = writeln!(text, "{style}{line}{style:#}");
    }
    text
}

/// Where objects stand and where they answer: in one table if that fits, else the addresses follow it.
fn statuses(statuses: &[ObjectStatus], width: Width) -> String {
    let rows = status_rows(statuses);
    let whole = table(&rows, None);
    if fits(&whole, width) {
        return whole;
    }
    // Reasons are told by the findings.
    let word = |cell: &String| cell.split(' ').next().unwrap_or_default().to_owned();
    let short: Vec<Vec<String>> =
        rows.iter().map(|row| row[..row.len() - 1].iter().map(word).collect()).collect();
    let mut text = table(&short, width);
    for row in rows.iter().skip(1) {
        if let [kind, namespace, name, .., address] = row.as_slice()
            && address != NONE
        {
            let _ = write!(
                text,
                "\n{kind} {namespace}/{name}\n{}",
                wrapped(std::slice::from_ref(address), width)
            );
        }
    }
    text
}

fn fits(text: &str, width: Width) -> bool {
    width.is_none_or(|width| text.lines().all(|line| line.chars().count() <= usize::from(width)))
}

/// A line for each object that has a condition: conditions, then where it answers.
fn status_rows(statuses: &[ObjectStatus]) -> Vec<Vec<String>> {
    let head = ["KIND", "NAMESPACE", "NAME", "ACCEPTED", "RESOLVED", "PROGRAMMED", "ADDRESS"];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    for ObjectStatus { object, status } in statuses {
        let About { kind, namespace, name, .. } = object;
        let holders: Vec<&Value> = match status.get("parents").or_else(|| status.get("ancestors")) {
            Some(Value::Array(entries)) if !entries.is_empty() => entries.iter().collect(),
            _ => vec![status],
        };
        for holder in holders {
            let word = |types: &[&str]| {
                types.iter().find_map(|one| condition(holder, one)).unwrap_or_else(|| NONE.to_owned())
            };
            let conditions = [word(&["Accepted", "Valid"]), word(&["ResolvedRefs"]), word(&["Programmed"])];
            if conditions.iter().all(|one| one == NONE) {
                continue;
            }
            let namespace = if namespace.is_empty() { NONE.to_owned() } else { namespace.clone() };
            let mut row = vec![(*kind).to_owned(), namespace, name.clone()];
            row.extend(conditions.into_iter().chain([address(holder)]));
            rows.push(row);
        }
    }
    rows
}

/// A condition in a word: its status, and its reason where it is not true.
fn condition(holder: &Value, kind: &str) -> Option<String> {
    let all = holder.get("conditions").and_then(Value::as_array)?;
    let text =
        |one: &Value, member: &str| one.get(member).and_then(Value::as_str).unwrap_or_default().to_owned();
    let one = all.iter().find(|one| text(one, "type") == kind)?;
    Some(match text(one, "status").as_str() {
        "True" => "True".to_owned(),
        other => format!("{other} {}", text(one, "reason")),
    })
}

/// Where an object answers, as its status tells.
fn address(holder: &Value) -> String {
    let conditions = holder.get("conditions").and_then(Value::as_array).into_iter().flatten();
    let messages = conditions.filter_map(|one| one.get("message").and_then(Value::as_str));
    let named = messages.filter_map(|message| {
        let told =
            message.strip_prefix("DNS Name: ").or_else(|| message.strip_prefix("aws-gateway-arn: "))?;
        Some(told.split(". ").next().unwrap_or(told).to_owned())
    });
    named.into_iter().next().unwrap_or_else(|| NONE.to_owned())
}

/// The usage of quotas; what has most of each only where there is room for it.
fn quotas(planned: &Planned, width: Width) -> String {
    let rows = quota_rows(planned);
    let whole = table(&rows, None);
    if fits(&whole, width) {
        return whole;
    }
    let short: Vec<Vec<String>> = rows.iter().map(|row| row[..row.len() - 1].to_vec()).collect();
    table(&short, width)
}

fn quota_rows(planned: &Planned) -> Vec<Vec<String>> {
    let mut rows = vec![["QUOTA", "USED", "LIMIT", "CODE", "MOST IN"].map(str::to_owned).to_vec()];
    for one in &planned.usage {
        let of = one.of.clone().unwrap_or_else(|| NONE.to_owned());
        let used = if one.is_exceeded() { format!("{} !", one.used) } else { one.used.to_string() };
        rows.push(vec![one.quota.to_owned(), used, one.limit.to_string(), one.code.to_owned(), of]);
    }
    rows
}

fn summary(planned: &Planned) -> Vec<String> {
    let [add, change, remove] = planned.changes();
    let cost = &planned.cost;
    let services = plural(cost.services, "service");
    vec![
        format!("Plan: {add} to add, {change} to change, {remove} to remove. {}", found(&planned.findings)),
        format!(
            "Cost: {:.2} USD a month for {services} of VPC Lattice at {} USD an hour (the price of {}; data and requests come on \
             top: {}).",
            cost.usd_per_month, cost.usd_per_service_hour, cost.priced_region, cost.source
        ),
    ]
}

/// How many findings there are, in a sentence.
fn found(findings: &[Finding]) -> String {
    let counts = counts(findings);
    let parts = counts.iter().rev().map(|(level, count)| plural(*count, level.as_str()));
    let parts: Vec<String> = parts.collect();
    if parts.is_empty() { "No findings.".to_owned() } else { format!("{}.", parts.join(", ")) }
}

fn plural(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

/// Findings for people, each with what it is about on a line of its own.
pub fn findings(findings: &[Finding], width: Width) -> String {
    let mut text = String::new();
    for finding in findings {
        let style = match finding.level {
            Level::Error => Style::new().fg_color(Some(AnsiColor::Red.into())).bold(),
            Level::Warning => Style::new().fg_color(Some(AnsiColor::Yellow.into())).bold(),
            Level::Note => Style::new().bold(),
        };
        let object = finding.object.as_ref().map(named).unwrap_or_default();
        let place =
            finding.object.as_ref().and_then(|one| Some(format!(" ({}:{})", one.file.as_ref()?, one.line?)));
        let head = format!("{} {}", finding.level, finding.code);
        let about = format!("{object}{}", place.unwrap_or_default());
        let heading = grid(vec![vec![head.clone(), about]], width).trim_fmt();
        let rest = heading.strip_prefix(&head).unwrap_or(&heading);
        let _ = writeln!(text, "{style}{head}{style:#}{rest}");
        let message = if finding.path.is_empty() {
            finding.message.clone()
        } else {
            format!("{}: {}", finding.path, finding.message)
        };
        text.push_str(&grid(vec![vec!["   ".to_owned(), message]], width).trim_fmt());
        text.push('\n');
    }
    text
}

fn named(about: &About) -> String {
    let path = if about.namespace.is_empty() {
        about.name.clone()
    } else {
        format!("{}/{}", about.namespace, about.name)
    };
    format!("{} {path}", about.kind)
}

/// The findings of a lint, with their number.
pub fn lint(all: &[Finding], objects: usize, width: Width) -> String {
    let between = if all.is_empty() { "" } else { "\n" };
    format!("{}{between}{}: {}\n", findings(all, width), plural(objects, "object"), found(all))
}

/// What a code means.
pub fn explain(code: Code, width: Width) -> String {
    let Explanation { title, meaning, remedy } = code.explanation();
    let paragraphs = wrapped(&[meaning.to_owned(), format!("What helps: {remedy}")], width);
    format!("{}\n\n{paragraphs}", bold(&format!("{code} ({}): {title}", code.level())))
}

/// All codes.
pub fn codes(width: Width) -> String {
    let head = ["CODE", "LEVEL", "TITLE"].map(str::to_owned).to_vec();
    let rows = Code::ALL
        .iter()
        .map(|code| vec![code.to_string(), code.level().to_string(), code.explanation().title.to_owned()]);
    table(&[head].into_iter().chain(rows).collect::<Vec<_>>(), width)
}

fn bold(text: &str) -> String {
    let style = Style::new().bold();
    format!("{style}{text}{style:#}")
}

/// Lines that are wrapped at words.
fn wrapped(lines: &[String], width: Width) -> String {
    let rows = lines.iter().map(|line| vec![line.clone()]).collect();
    format!("{}\n", grid(rows, width).trim_fmt())
}

/// Columns as kubectl has them.
fn table(rows: &[Vec<String>], width: Width) -> String {
    format!("{}\n", grid(rows.to_vec(), width).trim_fmt())
}

fn grid(rows: Vec<Vec<String>>, width: Width) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
    if let Some(width) = width {
        table.set_width(width);
    } else {
        table.set_content_arrangement(ContentArrangement::Disabled);
    }
    for row in rows {
        table.add_row(row);
    }
    for (at, column) in table.column_iter_mut().enumerate() {
        // The first of many is a sign, or a name that needs no more.
        column.set_padding((0, if at == 0 { 1 } else { 2 }));
    }
    table
}
