"""`trellis register`, `check` and `unregister` on a cluster of the local stack, through the AWS CLI as a person has it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from stack.cluster import load
from stack.deploy import STACK
from stack.settings import RECONCILER_GROUP, ROOT
from stack.waiting import wait_for
from stack.world import PROGRAMMED_SECONDS, World

PROGRAM = ROOT / "target" / "debug" / "trellis"
AGENT = "eks-pod-identity-agent"
ACCOUNT_OF_WEBHOOK = {"namespace": "trellis-system", "serviceAccount": "trellis-webhook"}
TAG = "trellis:registered"
#: An answer of `check` takes a drift pass and eight calls by the AWS CLI.
COMMAND_SECONDS = 120.0


@dataclass
class Desk:
    """A person at a terminal, and the second cluster in EKS."""

    world: World

    @property
    def name(self) -> str:
        return self.world.two.spec.name

    @property
    def arn(self) -> str:
        return self.world.two.spec.arn

    @property
    def eks(self) -> Any:
        return self.world.stack.aws("eks")

    @property
    def roles(self) -> tuple[str, str]:
        return self.world.stack.outputs.reconciler_role, self.world.stack.outputs.drift_role

    def trellis(self, command: str, *flags: str, cluster: str = "", stack: str = STACK) -> subprocess.CompletedProcess[str]:
        argv = [str(PROGRAM), command, cluster or self.name, "--stack", stack, *flags]
        return subprocess.run(argv, env=self.world.stack.environment(), stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              timeout=COMMAND_SECONDS, check=False)

    def register(self, *flags: str) -> str:
        done = self.trellis("register", "--yes", *flags)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def findings(self, *flags: str) -> dict[str, str]:
        """What `check` finds: code → message. The status is 1 exactly if there is an error among them."""
        done = self.trellis("check", "-o", "json", *flags)
        assert done.stdout, done.stderr
        document = json.loads(done.stdout)
        errors = [one for one in document["findings"] if one["level"] == "error"]
        assert (done.returncode, document["ok"]) == ((1, False) if errors else (0, True)), done.stdout
        return {one["code"]: one["message"] for one in document["findings"]}

    def associations(self) -> list[str]:
        listed = self.eks.list_pod_identity_associations(clusterName=self.name, **ACCOUNT_OF_WEBHOOK)["associations"]
        return [one["associationId"] for one in listed]

    def state(self) -> Any:
        """All that register may change."""
        entries = [self.eks.describe_access_entry(clusterName=self.name, principalArn=one)["accessEntry"]
                   for one in self.eks.list_access_entries(clusterName=self.name)["accessEntries"]]
        return (self.eks.list_tags_for_resource(resourceArn=self.arn)["tags"], entries, self.associations(),
                self.eks.list_addons(clusterName=self.name)["addons"])

    def cold(self) -> None:
        """The functions start anew, so that they see at once what is registered."""
        self.world.stack.set_variables({})


@pytest.fixture
def desk(world: World) -> Iterator[Desk]:
    """The stack's entries were made by hand, and its webhooks send with keys: there is neither an agent nor an association."""
    found = Desk(world)
    yield found
    for role in found.roles:
        entries = found.eks.list_access_entries(clusterName=found.name)["accessEntries"]
        if role not in entries:
            found.eks.create_access_entry(clusterName=found.name, principalArn=role, kubernetesGroups=[RECONCILER_GROUP], type="STANDARD")
    for association in found.associations():
        found.eks.delete_pod_identity_association(clusterName=found.name, associationId=association)
    if AGENT in found.eks.list_addons(clusterName=found.name)["addons"]:
        found.eks.delete_addon(clusterName=found.name, addonName=AGENT)
    found.eks.tag_resource(resourceArn=found.arn, tags={TAG: "true"})
    found.cold()


def test_a_cluster_is_registered_by_one_command_that_says_what_it_does_and_does_nothing_twice(desk: Desk) -> None:
    for role in desk.roles:
        desk.eks.delete_access_entry(clusterName=desk.name, principalArn=role)
    desk.eks.untag_resource(resourceArn=desk.arn, tagKeys=[TAG])
    before = desk.state()
    unasked = desk.trellis("register")
    assert unasked.returncode == 1 and "give --yes" in unasked.stderr
    dry = desk.trellis("register", "--dry-run")
    assert dry.returncode == 0, dry.stderr
    assert desk.state() == before, "neither changes anything"
    steps = [line for line in dry.stdout.splitlines() if line[:2] in ("+ ", "~ ")]
    assert [step.split(" with ")[0].split(" of ")[0] for step in steps] == [
        "+ access entry", "+ access entry", f"+ add-on {AGENT}", "+ Pod Identity association", f"~ tag {TAG}=true"]
    # The commands that it shows are those that do it.
    commands = [line.strip() for line in dry.stdout.splitlines() if line.startswith("    aws ")]
    assert len(commands) == len(steps)
    subprocess.run(["bash", "-c", commands[0]], env=desk.world.stack.environment(), check=True, capture_output=True)
    assert desk.eks.list_access_entries(clusterName=desk.name)["accessEntries"] == [desk.roles[0]]

    told = desk.register()
    assert [line for line in told.splitlines() if line[:2] in ("+ ", "~ ")] == steps[1:]
    assert f"--set cluster.arn={desk.arn}" in told and desk.world.stack.outputs.queue_url in told
    tags, entries, associations, addons = desk.state()
    assert tags[TAG] == "true" and addons == [AGENT] and len(associations) == 1
    assert {one["principalArn"]: one["kubernetesGroups"] for one in entries} == dict.fromkeys(desk.roles, [RECONCILER_GROUP])
    assert "All of it is there already." in desk.register()
    assert desk.state() == (tags, entries, associations, addons)
    desk.cold()
    done = desk.trellis("check")
    assert done.returncode == 0, done.stdout
    assert f"Cluster {desk.name} is registered with stack {STACK}, and nothing is wrong" in done.stdout


def test_check_names_each_fault_and_what_helps_against_it(desk: Desk) -> None:
    desk.register()
    assert desk.findings("--quick") == {}
    eks, name, (reconciler, drift) = desk.eks, desk.name, desk.roles
    (association,) = desk.associations()

    def expect(code: str, *words: str) -> None:
        found = desk.findings("--quick")
        assert set(found) == {code} and all(word in found[code] for word in words), found

    eks.delete_access_entry(clusterName=name, principalArn=drift)
    expect("TRL0503", f"trellis register {name}")
    eks.create_access_entry(clusterName=name, principalArn=drift, kubernetesGroups=["others"])
    expect("TRL0504", "update-access-entry", drift, RECONCILER_GROUP)
    refused = desk.trellis("register", "--yes")
    assert refused.returncode == 1 and "TRL0504" in refused.stdout, "what a person made differently is not changed"
    eks.update_access_entry(clusterName=name, principalArn=drift, kubernetesGroups=[RECONCILER_GROUP])
    eks.update_pod_identity_association(clusterName=name, associationId=association, roleArn=reconciler)
    expect("TRL0508", reconciler, "update-pod-identity-association", association)
    eks.delete_pod_identity_association(clusterName=name, associationId=association)
    expect("TRL0507", f"trellis register {name}")
    eks.delete_addon(clusterName=name, addonName=AGENT)
    assert set(desk.findings("--quick")) == {"TRL0505", "TRL0507"}
    eks.untag_resource(resourceArn=desk.arn, tagKeys=[TAG])
    assert set(desk.findings("--quick")) == {"TRL0505", "TRL0507", "TRL0509"}
    desk.register()
    assert desk.findings("--quick") == {}

    queue = desk.world.stack.outputs.dead_letter_queue_url
    sqs = desk.world.stack.aws("sqs")
    sqs.send_message(QueueUrl=queue, MessageBody="no hint", MessageGroupId="check", MessageDeduplicationId="check")
    try:
        expect("TRL0513", "1 message could not be worked off")
    finally:
        sqs.purge_queue(QueueUrl=queue)


def test_check_tells_what_the_functions_see_of_the_cluster(desk: Desk) -> None:
    desk.register()
    with no_rights(desk):
        desk.cold()
        found = wait_for("the functions to be forbidden", desk.findings, within=PROGRAMMED_SECONDS, until=lambda found: "TRL0511" in found)
        assert "forbid" in found["TRL0511"], found
    desk.cold()
    wait_for("the functions to read the cluster again", desk.findings, within=PROGRAMMED_SECONDS, until=lambda found: not found)


@contextmanager
def no_rights(desk: Desk) -> Iterator[None]:
    desk.world.two.kubectl("delete", "clusterrolebinding", "trellis-reconciler")
    try:
        yield
    finally:
        desk.world.two.apply(load(ROOT / "deploy" / "reconciler-rbac.yaml"))


def test_a_cluster_is_taken_out_and_what_a_person_made_stays(desk: Desk) -> None:
    eks, name, (reconciler, _) = desk.eks, desk.name, desk.roles
    # One entry is made by hand, the other one by the command.
    for role in desk.roles:
        eks.delete_access_entry(clusterName=name, principalArn=role)
    eks.create_access_entry(clusterName=name, principalArn=reconciler, kubernetesGroups=[RECONCILER_GROUP], type="STANDARD")
    desk.register()
    dry = desk.trellis("unregister", "--dry-run")
    assert dry.returncode == 0 and "aws eks tag-resource" in dry.stdout and "drained" not in dry.stdout, dry.stdout + dry.stderr
    assert desk.eks.list_tags_for_resource(resourceArn=desk.arn)["tags"][TAG] == "true"
    first = desk.trellis("unregister", "--yes")
    assert first.returncode == 2 and f"~ tag {TAG}=leaving" in first.stdout, first.stderr
    assert len(desk.associations()) == 1, "nothing but the tag before it is drained"
    desk.cold()
    done = desk.trellis("unregister", "--yes", "--wait")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "TRL0514" in done.stdout and reconciler in done.stdout
    tags, entries, associations, addons = desk.state()
    assert TAG not in tags and associations == [] and addons == [AGENT]
    assert [one["principalArn"] for one in entries] == [reconciler]
    again = desk.trellis("unregister", "--yes")
    assert again.returncode == 0 and "Nothing of the registration is left." in again.stdout, again.stdout + again.stderr
    eks.tag_resource(resourceArn=desk.arn, tags={TAG: "staging"})
    for command in ("register", "unregister"):
        refused = desk.trellis(command, "--yes", "-o", "json")
        assert refused.returncode == 1, refused.stdout
        document = json.loads(refused.stdout)
        assert document["steps"] == [] and [one["code"] for one in document["findings"]] == ["TRL0516"]
    assert eks.list_tags_for_resource(resourceArn=desk.arn)["tags"][TAG] == "staging", "another installation's"


def test_what_does_not_exist_is_told_with_the_flag_that_helps(desk: Desk) -> None:
    for done, words in (
        (desk.trellis("check", stack="nobodys"), "there is no stack nobodys in this account and Region; name it by --stack"),
        (desk.trellis("register", cluster="nobodys"), "EKS has no cluster nobodys in this account and Region"),
        (desk.trellis("check", "--profile", "nobodys"), "nobodys"),
    ):
        assert done.returncode == 1 and words in done.stderr and done.stdout == "", done.stderr
