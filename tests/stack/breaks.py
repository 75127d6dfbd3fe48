"""The product, broken on purpose: each break must be caught by a law of the simulation.

    python -m stack.breaks [SEEDS [NAME …]]

Works on a copy of what git tracks, and prints a row for each break: the first seed that
caught it and the law's words. Ends with status 1 if one was not caught, or by another law than it should be.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from .settings import ROOT

#: Where the copy is worked on.
FOLDER = ROOT / ".state" / "breaks"
#: Enough for each break below, the rarest of which shows once in 250 seeds; all combinations of faults, four times.
SEEDS = 512
#: So many failures end a run: one of them is the law's that is looked for.
FAILURES = 6


@dataclass(frozen=True)
class Break:
    """One change of the product that must be caught."""

    name: str
    path: str
    old: str
    new: str
    #: Part of what the law says whose words tell that it was broken.
    law: str

    def is_possible(self, root: Path) -> bool:
        """Whether the code is still there, once."""
        return (root / self.path).read_text().count(self.old) == 1

    def apply(self, root: Path) -> None:
        """Breaks the copy."""
        path = root / self.path
        path.write_text(path.read_text().replace(self.old, self.new))

    def restore(self, root: Path) -> None:
        """Takes the file as it is in the checkout."""
        shutil.copyfile(ROOT / self.path, root / self.path)


BREAKS = (
    Break(
        "skip the owner check",
        "shared/lattice/src/owner.rs",
        "*owner == self.installation && *unit == self.unit => Ownership::Ours",
        "*owner == self.installation && !unit.is_empty() => Ownership::Ours",
        "touches what is not its own",
    ),
    Break(
        "delete before create",
        "shared/lattice/src/plan.rs",
        "    groups::prepare(&mut draft, |config| !is_function(config));\n",
        "    targets::deregister_surplus(&mut draft);\n    groups::prepare(&mut draft, |config| !is_function(config));\n",
        "without a target, before the new ones",
    ),
    Break(
        "drop observe's wait",
        "shared/engine/src/reconcile.rs",
        "let answer = member.read_at_least(&read, &awaited).await;",
        "let _ = &awaited;\n                let answer = crate::observe::Reader::read(member, &read).await;",
        "nothing was hidden, and a drift pass finds",
    ),
    Break(
        "trust a stale list",
        "shared/engine/src/verdict.rs",
        "ErrorClass::Stale if error.clears => match refused_again(task.hindered()) {",
        "ErrorClass::Stale if !error.clears || error.clears => Verdict::Done,\n"
        "                ErrorClass::Stale if error.clears => match refused_again(task.hindered()) {",
        "has steps left and nobody looks again",
    ),
    Break(
        "forget the rest of a FIFO group",
        "shared/engine/src/worker/batch.rs",
        "Some(group) => group.records.push(record),",
        "Some(_) => {}",
        "nothing was hidden, and a drift pass finds",
    ),
    Break(
        "treat unknown as absent",
        "shared/gateway/src/view.rs",
        "        if let Some(why) = self.unknown(|| read.clone(), cluster, *kind) {\n            return Err(why);\n        }\n",
        "        if self.unknown(|| read.clone(), cluster, *kind).is_some() {\n            return Ok(Listed::default());\n        }\n",
        "which the clusters' objects want|for want of knowledge",
    ),
    Break(
        "skip a step",
        "shared/lattice/src/plan.rs",
        "    targets::deregister_surplus(&mut draft);\n",
        "",
        "is a target and no ready endpoint|is answered by|none of its names answers",
    ),
    Break(
        "lose an outbox",
        "shared/engine/src/lib.rs",
        "let sent = self.send_all(&outbox, task).await;",
        "let sent = if matches!(worked, Ok(Ok(_))) { self.send_all(&outbox, task).await } else { Ok(()) };",
        "was not told what it wrote",
    ),
    Break(
        "ignore a deadline",
        "shared/engine/src/fleet.rs",
        "let result = Budget::lasting(self.patience).spend(request).await.unwrap_or_else(hangs);",
        "let result = Ok::<_, trellis_ports::TimeOver>(request.await).unwrap_or_else(hangs);",
        "a batch took",
    ),
    Break(
        "starve the drift's tail",
        "shared/engine/src/drift/look.rs",
        "let todo = candidates(cluster, &snapshot, &index, look);",
        "let mut todo = candidates(cluster, &snapshot, &index, look);\n        todo.truncate(1);",
        "no rest|has no targets|left when everything is deleted|at rest",
    ),
    Break(
        "believe a hint",
        "shared/engine/src/reconcile.rs",
        "self.observe_unit(&members, start, &task.unit, &settings).await?;",
        "self.observe_unit(&members, start, &task.unit, &settings).await?;\n"
        "        for hint in task.hints.iter().filter(|hint| hint.operation == trellis_hint::Operation::Delete) {\n"
        "            let object = &hint.object;\n"
        "            if let Some(objects) = snapshot.objects.get_mut(&object.cluster) {\n"
        "                objects.retain(|key, _| (key.kind, &key.name) != (object.kind, &object.name));\n"
        "            }\n        }",
        "which the clusters' objects want",
    ),
    Break(
        "take a hint for later for its predecessor",
        "shared/engine/src/worker/mod.rs",
        'Some(format!("{what} {operation:?} {put_off} {}", sent / u64::from((*put_off).max(1))))',
        'let _ = (put_off, what);\n    Some(format!("{waits} {operation:?} {}", sent / 10))',
        "nothing was hidden, and a drift pass finds|and is not followed",
    ),
    Break(
        "wait for somebody else's cluster",
        "shared/engine/src/observe.rs",
        "let mut by_cluster: BTreeMap<ClusterId, Vec<Read>> = BTreeMap::new();",
        "for reader in clusters.values().flatten() {\n            if let Some(read) = open.iter().next() {\n"
        "                let _ = reader.read(read).await;\n            }\n        }\n"
        "        let mut by_cluster: BTreeMap<ClusterId, Vec<Read>> = BTreeMap::new();",
        "for a cluster that it has nothing to do with|is not followed",
    ),
)


def copy() -> Path:
    """What git tracks, as it is in the checkout, where the last copy was: cargo compiles anew what has changed."""
    tree = FOLDER / "tree"
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    for name in filter(None, listed.split("\0")):
        target = tree / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if not target.exists() or target.read_bytes() != (ROOT / name).read_bytes():
            shutil.copyfile(ROOT / name, target)
    return tree


def run(tree: Path, seeds: int) -> str:
    """The simulation's words; empty if every seed held."""
    # Each break is built anew, and runs few seeds.
    build = {"CARGO_INCREMENTAL": "0", "CARGO_PROFILE_SIM_LTO": "off", "CARGO_PROFILE_SIM_CODEGEN_UNITS": "16"}
    environment = {**os.environ, **build, "TRELLIS_SEEDS": str(seeds), "TRELLIS_FAILURES": str(FAILURES)}
    environment |= {"CARGO_TARGET_DIR": "target", "PYTHONPATH": str(tree / "tests")}
    test = ["test", "--profile", "sim", "--locked", "--quiet", "-p", "trellis-engine", "--test", "simulation"]
    if not (tree / "target").exists():
        subprocess.run([sys.executable, "-m", "stack.cargo", *test, "--no-run"], cwd=tree, env=environment, check=True)
    done = subprocess.run(["cargo", *test, "once"], cwd=tree, env=environment, capture_output=True, text=True, check=False)
    return "" if done.returncode == 0 else done.stdout + done.stderr


def caught_by(words: str, law: str) -> str | None:
    """The first seed that was caught by that law."""
    seeds = re.findall(rf"^seed (\d+) of \w+, .*(?:{law})", words, re.MULTILINE)
    return str(min(map(int, seeds))) if seeds else None


def main(arguments: list[str]) -> int:
    """Breaks what is asked for, or all, one by one."""
    seeds = int(arguments[0]) if arguments else SEEDS
    chosen = [one for one in BREAKS if one.name in arguments[1:] or not arguments[1:]]
    tree = copy()
    missed = 0
    for one in chosen:
        one.apply(tree)
        words = run(tree, seeds)
        one.restore(tree)
        found = caught_by(words, one.law)
        if found:
            print(f"| {one.name} | {found} |", flush=True)
        else:
            missed += 1
            (FOLDER / f"{one.name.replace(' ', '-')}.txt").write_text(words)
            print(f"| {one.name} | not caught: {words.strip().splitlines()[-1] if words else 'all seeds held'} |", flush=True)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
