//! Findings for programs: JSON, annotations of GitHub workflows, SARIF.

use crate::finding::{Finding, counts};
use crate::report::API_VERSION;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use trellis_gateway::{Code, Explanation, Level};

/// Where SARIF's schema is.
const SARIF_SCHEMA: &str = "https://json.schemastore.org/sarif-2.1.0.json";

/// Findings as JSON.
pub fn json(findings: &[Finding]) -> Value {
    let counts = counts(findings);
    let count = |level: Level| counts.get(&level).copied().unwrap_or_default();
    json!({
        "apiVersion": API_VERSION,
        "kind": "Findings",
        "findings": findings,
        "summary": {"errors": count(Level::Error), "warnings": count(Level::Warning), "notes": count(Level::Note)},
    })
}

/// A code as JSON.
pub fn explanation(code: Code) -> Value {
    let Explanation { title, meaning, remedy } = code.explanation();
    json!({
        "apiVersion": API_VERSION,
        "kind": "Explanation",
        "code": code,
        "level": code.level(),
        "title": title,
        "meaning": meaning,
        "remedy": remedy,
    })
}

/// A workflow command of GitHub Actions for each finding.
pub fn github(findings: &[Finding]) -> String {
    let lines = findings.iter().map(|finding| {
        let command = match finding.level {
            Level::Error => "error",
            Level::Warning => "warning",
            Level::Note => "notice",
        };
        let mut properties = vec![];
        if let Some(about) = &finding.object
            && let (Some(file), Some(line)) = (&about.file, about.line)
        {
            properties.push(format!("file={},line={line}", property(file)));
        }
        let title = format!("{} {}", finding.code, finding.code.explanation().title);
        properties.push(format!("title={}", property(&title)));
        format!("::{command} {}::{}\n", properties.join(","), data(&told(finding)))
    });
    lines.collect()
}

/// The object, the field, and what is wrong.
fn told(finding: &Finding) -> String {
    let object = finding.object.as_ref().map(|about| {
        let namespace =
            if about.namespace.is_empty() { String::new() } else { format!("{}/", about.namespace) };
        format!("{} {namespace}{}", about.kind, about.name)
    });
    let parts = object.into_iter().chain(Some(finding.path.clone()).filter(|path| !path.is_empty()));
    let parts: Vec<String> = parts.chain([finding.message.clone()]).collect();
    parts.join(": ")
}

/// Text after the second `::` (workflow commands of GitHub Actions).
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// A property's value there.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

/// Findings as SARIF 2.1.0.
pub fn sarif(findings: &[Finding]) -> Value {
    let used: BTreeSet<Code> = findings.iter().map(|finding| finding.code).collect();
    let rules: Vec<Value> = used
        .into_iter()
        .map(|code| {
            let Explanation { title, meaning, remedy } = code.explanation();
            json!({
                "id": code,
                "shortDescription": {"text": title},
                "fullDescription": {"text": meaning},
                "help": {"text": remedy},
                "defaultConfiguration": {"level": code.level()},
            })
        })
        .collect();
    let results: Vec<Value> = findings
        .iter()
        .map(|finding| {
            json!({
                "ruleId": finding.code,
                "level": finding.level,
                "message": {"text": told(finding)},
                "locations": location(finding).into_iter().collect::<Vec<_>>(),
            })
        })
        .collect();
    json!({
        "$schema": SARIF_SCHEMA,
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {
                "name": "trellis",
                "version": env!("CARGO_PKG_VERSION"),
                "informationUri": env!("CARGO_PKG_REPOSITORY"),
                "rules": rules,
            }},
            "results": results,
        }],
    })
}

fn location(finding: &Finding) -> Option<Value> {
    let about = finding.object.as_ref()?;
    let file = about.file.as_ref()?;
    let name = format!("{}/{}/{}", about.kind, about.namespace, about.name);
    Some(json!({
        "physicalLocation": {
            "artifactLocation": {"uri": file.replace('\\', "/").replace(' ', "%20")},
            "region": {"startLine": about.line.unwrap_or(1).max(1)},
        },
        "logicalLocations": [{"fullyQualifiedName": name, "kind": "resource"}],
    }))
}
