//! `trellis register`, `unregister` and `check`: reads what there is, says what is to be done, asks, does it.

use crate::args::{Check, PlanFormat, Register, Registered, Unregister};
use crate::finding::{Finding, worst};
use crate::installation::aws::{Aws, Program};
use crate::installation::found::{Cluster, Installation, Named, cluster, installation};
use crate::installation::leaving::{Has, Said, said};
use crate::installation::steps::{Doing, LEAVING, Step, finding, registering, removing};
use crate::installation::tested;
use crate::report::API_VERSION;
use crate::run::{FAILED, OK, Output, RunError, write_json};
use crate::text;
use serde_json::json;
use std::cmp::Reverse;
use std::io::{self, BufRead as _, IsTerminal as _};
use std::thread::sleep;
use std::time::{Duration, Instant};
use trellis_gateway::{Code, Level};

/// How long `--wait` waits: draining takes minutes, and a removal that takes longer waits for a person.
const WAIT: Duration = Duration::from_mins(30);
/// Between two questions to the drift function, whose pass takes seconds.
const WAIT_BETWEEN: Duration = Duration::from_secs(10);

/// What a command has to do with.
struct Scene {
    aws: Program,
    named: Named,
    of: Installation,
    found: Cluster,
    format: PlanFormat,
}

impl Scene {
    fn of(args: &Registered) -> Result<Self, RunError> {
        let aws = Program { region: args.region.clone(), profile: args.profile.clone() };
        let named = Named {
            stack: args.stack.clone(),
            cluster: args.cluster.clone(),
            namespace: args.namespace.clone(),
            has_own_webhook_role: args.own_webhook_role,
        };
        let of = installation(&aws, &named.stack)?;
        let found = cluster(&aws, &named, &of)?;
        Ok(Self { aws, named, of, found, format: args.output })
    }

    fn command(&self, step: &Step) -> Vec<String> {
        step.command(&self.named, &self.found.arn, &self.of.owner)
    }

    /// Where the tag says that the cluster stands.
    fn tag(&self) -> Option<&str> {
        self.found.tags.get(&self.of.tag.0).map(String::as_str)
    }

    fn tell(&self, output: &mut Output<'_>, findings: &[Finding]) -> Result<(), RunError> {
        if !findings.is_empty() && self.format == PlanFormat::Text {
            output.out.write_all(text::findings(findings, output.width).as_bytes())?;
        }
        Ok(())
    }

    /// Says the steps, asks, and does them in their order.
    fn go(&self, output: &mut Output<'_>, args: &Register, doing: &Doing) -> Result<(), RunError> {
        let is_text = self.format == PlanFormat::Text;
        if is_text {
            for step in &doing.steps {
                writeln!(output.out, "{step}")?;
                if args.dry_run {
                    writeln!(output.out, "    aws {}", shell(&self.command(step)))?;
                }
            }
        }
        let is_done = !args.dry_run && !doing.steps.is_empty();
        if is_done {
            ask(output, args.yes, &format!("In EKS cluster {}", self.found.arn))?;
            for step in &doing.steps {
                self.aws
                    .call(&self.command(step))
                    .map_err(|why| RunError::Step { step: step.to_string(), why })?;
                writeln!(output.err, "done: {step}")?;
            }
        }
        if !is_text {
            let document = json!({
                "apiVersion": API_VERSION, "kind": "Registration", "cluster": self.found.arn, "stack": self.named.stack,
                "steps": doing.steps, "done": is_done, "findings": doing.findings,
            });
            write_json(output, &document)?;
        }
        Ok(())
    }
}

/// `trellis register`.
pub(crate) fn register(args: &Register, output: &mut Output<'_>) -> Result<u8, RunError> {
    let scene = Scene::of(&args.of)?;
    let doing = registering(&scene.named, &scene.of, &scene.found);
    scene.tell(output, &doing.findings)?;
    if worst(&doing.findings) >= Some(Level::Error) {
        // Half of a registration would only look like one.
        let nothing = Doing { steps: vec![], ..doing };
        scene.go(output, args, &nothing)?;
        return Ok(FAILED);
    }
    scene.go(output, args, &doing)?;
    if scene.format == PlanFormat::Text {
        output.out.write_all(next(&scene, &doing).as_bytes())?;
    }
    Ok(OK)
}

/// What is to be done in the cluster.
fn next(scene: &Scene, doing: &Doing) -> String {
    let Named { cluster, namespace, .. } = &scene.named;
    let first = if doing.steps.is_empty() { "All of it is there already. " } else { "" };
    format!(
        "{first}In the cluster itself, if it is not done yet:\n  \
         helm upgrade --install trellis-crds deploy/charts/trellis-crds --namespace {namespace} --create-namespace\n  \
         helm upgrade --install trellis deploy/charts/trellis --namespace {namespace} --wait \\\n    \
         --set cluster.arn={} \\\n    --set queueUrl={} \\\n    \
         --set image.repository=<registry>/trellis-webhook --set image.tag=<tag>\nThen: trellis check {cluster}\n",
        scene.found.arn, scene.of.queue_url
    )
}

/// `trellis unregister`.
pub(crate) fn unregister(args: &Unregister, output: &mut Output<'_>) -> Result<u8, RunError> {
    let mut scene = Scene::of(&args.of.of)?;
    if is_to_be_drained(&scene)? {
        let (key, value) = (scene.of.tag.0.clone(), LEAVING.to_owned());
        let doing = Doing { steps: vec![Step::Tag { key, value }], findings: vec![] };
        scene.go(output, &args.of, &doing)?;
        if !args.wait {
            return told_to_come_back(&scene, output);
        }
        scene = Scene::of(&args.of.of)?;
    }
    let left = match scene.tag() {
        Some(_) if args.wait => drained(&scene, output)?,
        Some(_) => left_of(&scene)?,
        None => None,
    };
    if let Some(left) = left {
        let text = format!("{left}; once it is gone the same command removes the registration.");
        scene.tell(output, &[finding(&format!("cluster {}", scene.named.cluster), Code::Pending, text)])?;
        return Ok(FAILED);
    }
    let doing = removing(&scene.named, &scene.of, &scene.found);
    scene.tell(output, &doing.findings)?;
    scene.go(output, &args.of, &doing)?;
    if scene.format == PlanFormat::Text {
        let namespace = &scene.named.namespace;
        let first = if doing.steps.is_empty() { "Nothing of the registration is left. " } else { "" };
        writeln!(
            output.out,
            "{first}In the cluster itself, if it is not done yet: helm uninstall trellis --namespace {namespace}"
        )?;
    }
    Ok(OK)
}

/// Whether the functions have to be told that the cluster leaves. Of one that lost its tag something may be left.
fn is_to_be_drained(scene: &Scene) -> Result<bool, RunError> {
    Ok(match scene.tag() {
        Some(tag) => tag != LEAVING,
        None => said(&scene.aws, &scene.of, &scene.found.arn)?.is_some_and(|said| said.has != Has::default()),
    })
}

fn told_to_come_back(scene: &Scene, output: &mut Output<'_>) -> Result<u8, RunError> {
    if scene.format == PlanFormat::Text {
        writeln!(
            output.out,
            "Its shares in other clusters' routes are drained, then its services and target groups are removed. The same command \
             says what is left, and removes the registration when nothing is."
        )?;
    }
    Ok(OK)
}

/// What of the cluster is left in VPC Lattice, in words.
fn left_of(scene: &Scene) -> Result<Option<String>, RunError> {
    let said = said(&scene.aws, &scene.of, &scene.found.arn)?;
    Ok(match said {
        Some(said) if said.is_drained() => None,
        Some(said) if said.state == LEAVING => Some(format!("{} are left", said.left())),
        _ => Some("The functions have not seen yet that it is being taken out".to_owned()),
    })
}

fn drained(scene: &Scene, output: &mut Output<'_>) -> Result<Option<String>, RunError> {
    let began = Instant::now();
    let mut told = String::new();
    while let Some(left) = left_of(scene)? {
        if began.elapsed() > WAIT {
            return Err(RunError::Left(left));
        }
        if left != told {
            writeln!(output.err, "{left}")?;
            told = left;
        }
        sleep(WAIT_BETWEEN);
    }
    Ok(None)
}

/// `trellis check`.
pub(crate) fn check(args: &Check, output: &mut Output<'_>) -> Result<u8, RunError> {
    let scene = Scene::of(&args.of)?;
    let mut findings = tested::of_cluster(&scene.named, &scene.of, &scene.found);
    let place = |what: &str| format!("{what} of stack {}", scene.named.stack);
    match tested::dead_letters(&scene.aws, &scene.of) {
        Ok(count) => findings.extend(tested::of_dead_letters(&scene.of, count)),
        Err(error) => findings.push(finding(&place("dead-letter queue"), Code::Unasked, format!("{error}."))),
    }
    let mut function: Option<Said> = None;
    if !args.quick {
        let is_registered = scene.tag() == Some(&scene.of.tag.1);
        match said(&scene.aws, &scene.of, &scene.found.arn) {
            Ok(said) => {
                findings.extend(tested::of_functions(&scene.of, said.as_ref(), is_registered));
                function = said;
            }
            Err(error) => {
                findings.push(finding(&place("drift function"), Code::Unasked, format!("{error}.")));
            }
        }
    }
    findings.sort_by_key(|finding| Reverse(finding.level));
    let worst = worst(&findings);
    if scene.format == PlanFormat::Json {
        let document = json!({
            "apiVersion": API_VERSION, "kind": "Check", "cluster": scene.found.arn, "stack": scene.named.stack,
            "ok": worst < Some(Level::Error), "state": function.map(|said| said.state), "findings": findings,
        });
        write_json(output, &document)?;
    } else {
        scene.tell(output, &findings)?;
        if findings.is_empty() {
            let seen =
                function.map(|said| format!(": it has {} in VPC Lattice", said.left())).unwrap_or_default();
            writeln!(
                output.out,
                "Cluster {} is registered with stack {}, and nothing is wrong{seen}.",
                scene.named.cluster, scene.named.stack
            )?;
        }
    }
    Ok(if worst >= Some(Level::Error) { FAILED } else { OK })
}

/// Asks once. Nobody is asked where nobody can answer.
fn ask(output: &mut Output<'_>, yes: bool, where_: &str) -> Result<(), RunError> {
    output.out.flush()?;
    if yes {
        return Ok(());
    }
    let stdin = io::stdin();
    if !stdin.is_terminal() {
        return Err(RunError::NotAsked);
    }
    write!(output.err, "{where_}. Go on? [y/N] ")?;
    output.err.flush()?;
    let mut answer = String::new();
    stdin.lock().read_line(&mut answer)?;
    if matches!(answer.trim().to_lowercase().as_str(), "y" | "yes") {
        Ok(())
    } else {
        Err(RunError::Declined)
    }
}

/// Words as a POSIX shell reads them.
fn shell(words: &[String]) -> String {
    let is_plain = |word: &str| {
        !word.is_empty() && word.chars().all(|c| c.is_ascii_alphanumeric() || "-_./:=@,+".contains(c))
    };
    let quoted = |word: &String| {
        if is_plain(word) { word.clone() } else { format!("'{}'", word.replace('\'', "'\\''")) }
    };
    words.iter().map(quoted).collect::<Vec<_>>().join(" ")
}
