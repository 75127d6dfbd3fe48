//! `trellis register`, `unregister` and `check`: reads what there is, says what is to be done, asks, does it.

use crate::args::{Check, PlanFormat, Register, Registered, Unregister};
use crate::finding::{Finding, worst};
use crate::installation::aws::{Aws, AwsError, Program};
use crate::installation::found::{Cluster, Installation, Named, cluster, installation};
use crate::installation::leaving::{Has, Said, told};
use crate::installation::steps::{Doing, LEAVING, Step, finding, of_another, registering, removing};
use crate::installation::tested;
use crate::report::API_VERSION;
use crate::run::{FAILED, OK, Output, RunError, UNDER_WAY, write_json};
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
/// What a removal takes beyond the grace, after which the last look is.
const BEYOND_GRACE: Duration = Duration::from_secs(5);

/// What a command has to do with, and what it says in the end.
struct Scene {
    aws: Program,
    named: Named,
    of: Installation,
    found: Cluster,
    format: PlanFormat,
    /// Steps, and whether each is done.
    steps: Vec<(Step, bool)>,
    findings: Vec<Finding>,
    /// What of a cluster that leaves is left.
    left: Option<String>,
}

impl Scene {
    fn of(args: &Registered) -> Result<Self, RunError> {
        let aws = Program { region: args.region.clone(), profile: args.profile.clone() };
        let flags = [("region", &args.region), ("profile", &args.profile)];
        let flags = flags.into_iter().filter_map(|(flag, value)| {
            Some(format!(" --{flag} {}", shell(std::slice::from_ref(value.as_ref()?))))
        });
        let named = Named {
            stack: args.stack.clone(),
            cluster: args.cluster.clone(),
            namespace: args.namespace.clone(),
            service_account: args.service_account.clone(),
            has_own_webhook_role: args.own_webhook_role,
            flags: flags.collect(),
        };
        let of = installation(&aws, &named.stack)?;
        let found = cluster(&aws, &named, &of)?;
        Ok(Self { aws, named, of, found, format: args.output, steps: vec![], findings: vec![], left: None })
    }

    fn command(&self, step: &Step) -> Vec<String> {
        step.command(&self.named, &self.found.arn, &self.of.owner)
    }

    /// Where the tag says that the cluster stands.
    fn tag(&self) -> Option<&str> {
        self.found.tags.get(&self.of.tag.0).map(String::as_str)
    }

    fn is_text(&self) -> bool {
        self.format == PlanFormat::Text
    }

    /// Says what a person should know.
    fn tell(&mut self, output: &mut Output<'_>, findings: Vec<Finding>) -> Result<(), RunError> {
        if !findings.is_empty() && self.is_text() {
            output.out.write_all(text::findings(&findings, output.width).as_bytes())?;
        }
        self.findings.extend(findings);
        Ok(())
    }

    /// Says the steps, and asks, unless that was done before.
    fn show(&self, output: &mut Output<'_>, args: &Register, steps: &[Step]) -> Result<(), RunError> {
        let out = if self.is_text() { &mut *output.out } else { &mut *output.err };
        for step in steps {
            writeln!(out, "{step}")?;
            if args.dry_run {
                writeln!(out, "    aws {}{}", shell(&self.command(step)), self.named.flags)?;
            }
        }
        out.flush()?;
        if args.dry_run || steps.is_empty() {
            return Ok(());
        }
        ask(output, args.yes, &format!("In EKS cluster {}", self.found.arn))
    }

    /// Does the steps in their order. Whether anybody listens does not matter any more.
    fn go(&mut self, output: &mut Output<'_>, args: &Register, steps: Vec<Step>) -> Result<(), RunError> {
        let mut refused = None;
        for step in steps {
            if !args.dry_run && refused.is_none() {
                match self.aws.call(&self.command(&step)) {
                    Ok(_) => _ = writeln!(output.err, "done: {step}"),
                    Err(why) => refused = Some(RunError::Step { step: step.to_string(), why }),
                }
            }
            self.steps.push((step, !args.dry_run && refused.is_none()));
        }
        match refused {
            None => Ok(()),
            Some(error) => {
                self.document(output)?;
                Err(error)
            }
        }
    }

    /// All of it for programs, once.
    fn document(&self, output: &mut Output<'_>) -> Result<(), RunError> {
        if self.is_text() {
            return Ok(());
        }
        let steps = self.steps.iter().map(|(step, done)| json!({"step": step, "done": done}));
        let document = json!({
            "apiVersion": API_VERSION, "kind": "Registration", "cluster": self.found.arn, "stack": self.named.stack,
            "steps": steps.collect::<Vec<_>>(), "left": self.left, "findings": self.findings,
        });
        write_json(output, &document)
    }

    /// What of the cluster is left in VPC Lattice, in words; none where a pass found nothing.
    fn look(&self) -> Result<Option<String>, RunError> {
        match told(&self.aws, &self.of, &self.found.arn) {
            Ok(told) => Ok(told.left()),
            Err(error) if error.is_busy() => {
                Ok(Some("Another pass of the drift function is under way".to_owned()))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// The same, believed only where a second pass says so after the grace: what nobody wants any more stays that long, and the index
    /// of tags that is counted from may be behind.
    fn look_twice(&self, output: &mut Output<'_>) -> Result<Option<String>, RunError> {
        if let Some(left) = self.look()? {
            return Ok(Some(left));
        }
        let pause = Duration::from_secs(self.of.grace_seconds) + BEYOND_GRACE;
        _ = writeln!(output.err, "Nothing is left; a last look in {} s.", pause.as_secs());
        sleep(pause);
        self.look()
    }

    fn drained(&self, output: &mut Output<'_>) -> Result<(), RunError> {
        let (began, mut last) = (Instant::now(), String::new());
        while let Some(left) = self.look_twice(output)? {
            if began.elapsed() > WAIT {
                return Err(RunError::Left(left));
            }
            if left != last {
                _ = writeln!(output.err, "{left}.");
                last = left;
            }
            sleep(WAIT_BETWEEN);
        }
        Ok(())
    }
}

/// `trellis register`.
pub(crate) fn register(args: &Register, output: &mut Output<'_>) -> Result<u8, RunError> {
    let mut scene = Scene::of(&args.of)?;
    let Doing { steps, findings } = registering(&scene.named, &scene.of, &scene.found);
    let is_barred = worst(&findings) >= Some(Level::Error);
    scene.tell(output, findings)?;
    // Half of a registration would only look like one.
    let steps = if is_barred { vec![] } else { steps };
    scene.show(output, args, &steps)?;
    let is_there = steps.is_empty();
    scene.go(output, args, steps)?;
    scene.document(output)?;
    if is_barred {
        return Ok(FAILED);
    }
    if scene.is_text() {
        output.out.write_all(next(&scene, is_there).as_bytes())?;
    }
    Ok(OK)
}

/// What is to be done in the cluster.
fn next(scene: &Scene, is_there: bool) -> String {
    let namespace = &scene.named.namespace;
    let first = if is_there { "All of it is there already. " } else { "" };
    format!(
        "{first}In the cluster itself, if it is not done yet:\n  \
         helm upgrade --install trellis-crds deploy/charts/trellis-crds --namespace {namespace} --create-namespace\n  \
         helm upgrade --install trellis deploy/charts/trellis --namespace {namespace} --wait \\\n    \
         --set cluster.arn={} \\\n    --set queueUrl={} \\\n    \
         --set image.repository=<registry>/trellis-webhook --set image.tag=<tag>\nThen: {}\n",
        scene.found.arn,
        scene.of.queue_url,
        scene.named.trellis("check")
    )
}

/// `trellis unregister`.
pub(crate) fn unregister(args: &Unregister, output: &mut Output<'_>) -> Result<u8, RunError> {
    let mut scene = Scene::of(&args.of.of)?;
    if let Some(another) = of_another(&scene.of, &scene.found) {
        scene.tell(output, vec![another])?;
        scene.document(output)?;
        return Ok(FAILED);
    }
    if is_to_be_drained(&scene)? {
        let (key, value) = (scene.of.tag.0.clone(), LEAVING.to_owned());
        let steps = vec![Step::Tag { key, value }];
        scene.show(output, &args.of, &steps)?;
        scene.go(output, &args.of, steps)?;
        if args.of.dry_run {
            scene.document(output)?;
            return Ok(OK);
        }
        if !args.wait {
            return comes_back(scene, output, "It is drained now, and then removed from VPC Lattice");
        }
        scene.found.tags.insert(scene.of.tag.0.clone(), LEAVING.to_owned());
    }
    if scene.tag().is_some() && args.wait {
        scene.drained(output)?;
    } else if scene.tag().is_some()
        && let Some(left) = scene.look_twice(output)?
    {
        return comes_back(scene, output, &left);
    }
    let Doing { steps, findings } = removing(&scene.named, &scene.of, &scene.found);
    scene.tell(output, findings)?;
    // Who waited has been asked already.
    let is_asked = args.of.yes || !scene.steps.is_empty();
    scene.show(output, &Register { yes: is_asked, ..args.of.clone() }, &steps)?;
    let is_gone = steps.is_empty();
    scene.go(output, &args.of, steps)?;
    scene.document(output)?;
    if scene.is_text() {
        let first = if is_gone { "Nothing of the registration is left. " } else { "" };
        let namespace = &scene.named.namespace;
        let text = "In the cluster itself, if it is not done yet: helm uninstall trellis";
        writeln!(output.out, "{first}{text} --namespace {namespace}")?;
    }
    Ok(OK)
}

/// Whether the functions have to be told that the cluster leaves. Of one that lost its tag something may be left.
fn is_to_be_drained(scene: &Scene) -> Result<bool, RunError> {
    if let Some(tag) = scene.tag() {
        return Ok(tag != LEAVING);
    }
    let told = told(&scene.aws, &scene.of, &scene.found.arn)?;
    Ok(told.cluster.is_some_and(|said| said.has != Has::default()))
}

/// Something is left: the same command goes on later.
fn comes_back(mut scene: Scene, output: &mut Output<'_>, left: &str) -> Result<u8, RunError> {
    scene.left = Some(left.to_owned());
    scene.document(output)?;
    if scene.is_text() {
        let wait = "the same command says what is left, and removes the registration when nothing is; with --wait it waits for that";
        writeln!(output.out, "{left}; {wait}.")?;
    }
    Ok(UNDER_WAY)
}

/// `trellis check`.
pub(crate) fn check(args: &Check, output: &mut Output<'_>) -> Result<u8, RunError> {
    let mut scene = Scene::of(&args.of)?;
    let mut findings = tested::of_cluster(&scene.named, &scene.of, &scene.found);
    let stack = scene.named.stack.clone();
    match tested::dead_letters(&scene.aws, &scene.of) {
        Ok(count) => findings.extend(tested::of_dead_letters(&scene.of, count)),
        Err(error) => {
            let place = format!("dead-letter queue of stack {stack}");
            findings.push(finding(&place, Code::Unasked, format!("{error}.")));
        }
    }
    let mut function: Option<Said> = None;
    if !args.quick {
        let is_registered = scene.tag() == Some(&scene.of.tag.1);
        match told(&scene.aws, &scene.of, &scene.found.arn) {
            Ok(told) => {
                function = told.cluster;
                findings.extend(tested::of_functions(&scene.of, function.as_ref(), is_registered));
            }
            Err(error) => findings.push(of_function(&error, &stack)),
        }
    }
    findings.sort_by_key(|finding| Reverse(finding.level));
    let worst = worst(&findings);
    let is_ok = worst < Some(Level::Error);
    if scene.is_text() && findings.is_empty() {
        let seen =
            function.map(|said| format!(": of it {} in VPC Lattice", said.has.counted())).unwrap_or_default();
        let name = &scene.named.cluster;
        writeln!(output.out, "Cluster {name} is registered with stack {stack}, and nothing is wrong{seen}.")?;
    } else if scene.is_text() {
        scene.tell(output, findings)?;
    } else {
        let document = json!({
            "apiVersion": API_VERSION, "kind": "Check", "cluster": scene.found.arn, "stack": stack, "ok": is_ok,
            "state": function.map(|said| said.state), "findings": findings,
        });
        write_json(output, &document)?;
    }
    Ok(if is_ok { OK } else { FAILED })
}

/// What is told of a drift function that gave no report.
fn of_function(error: &AwsError, stack: &str) -> Finding {
    let place = format!("drift function of stack {stack}");
    match error {
        busy if busy.is_busy() => {
            finding(&place, Code::Pending, "Another pass is under way; ask again in a minute.".to_owned())
        }
        AwsError::Refused { .. } | AwsError::Program(_) => {
            finding(&place, Code::Unasked, format!("{error}."))
        }
        AwsError::Failed(_) => finding(&place, Code::FunctionFails, format!("{error}.")),
    }
}

/// Asks once. Nobody is asked where nobody can answer.
fn ask(output: &mut Output<'_>, yes: bool, place: &str) -> Result<(), RunError> {
    output.out.flush()?;
    if yes {
        return Ok(());
    }
    let stdin = io::stdin();
    if !stdin.is_terminal() {
        return Err(RunError::NotAsked);
    }
    write!(output.err, "{place}. Go on? [y/N] ")?;
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
