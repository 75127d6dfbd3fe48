"""The AWS CLI's own worked examples, run in order: what it prints must have the shape of what AWS printed.

Identifiers in the examples are those of another account, so each is replaced by what the emulator made for the same
kind of resource. The examples come from the installed CLI; nothing of them is kept here.
"""

import json
import os
import pathlib
import re
import subprocess
import sys

import awscli
import samples
from scenes import VPC

EXAMPLES = pathlib.Path(awscli.__file__).parent / "examples" / "vpc-lattice"
AWS = pathlib.Path(sys.executable).parent / "aws"
ORDER = [
    "create-service-network", "create-service", "create-target-group", "create-listener",
    "create-service-network-service-association", "create-service-network-vpc-association", "register-targets",
    "put-auth-policy", "create-resource-gateway", "create-resource-configuration", "get-auth-policy", "get-listener",
    "get-resource-configuration", "get-resource-gateway", "get-service-network-service-association",
    "get-service-network-vpc-association", "get-service-network", "get-service", "get-target-group", "list-listeners",
    "list-resource-configurations", "list-resource-endpoint-associations", "list-resource-gateways",
    "list-service-network-service-associations", "list-service-network-vpc-associations",
    "list-service-network-vpc-endpoint-associations", "list-service-networks", "list-services", "list-target-groups",
    "list-targets", "deregister-targets", "delete-auth-policy", "delete-resource-configuration",
    "delete-resource-gateway", "delete-service-network-service-association", "delete-service-network-vpc-association",
    "delete-listener", "delete-service", "delete-target-group", "delete-service-network",
]

GAPS = {
    # AWS makes a security group for a gateway that names none; there is no EC2 here to make one in.
    ("create-resource-gateway", "securityGroupIds[]"), ("get-resource-gateway", "securityGroupIds[]"),
    ("list-resource-gateways", "items[].securityGroupIds[]"),
    # A slip of the pen in the example.
    ("list-resource-gateways", "items[].seurityGroupIds"),
    # Endpoint associations are made by EC2.
    *((name, "items[]") for name in (
        "list-resource-endpoint-associations", "list-service-network-vpc-endpoint-associations")),
    # The example's target groups were in use by services of their own.
    ("list-target-groups", "items[].serviceArns[]"),
    # The example's instance is in another VPC; there is no EC2 here that could tell.
    ("register-targets", "unsuccessful[]"),
}
NOT_RUN = {"list-targets": "items[].reasonCode"}
"""Members that depend on how targets fare."""


def examples(name):
    """Pairs of a command and the JSON that AWS printed for it (None for no output)."""
    text = (EXAMPLES / f"{name}.rst").read_text()
    for part in re.split(r"(?m)^    aws (?=vpc-lattice )", text)[1:]:
        lines, rest = [], part.splitlines()
        while rest and rest[0].strip():
            lines.append(rest.pop(0).strip().rstrip("\\").strip())
        blocks = [json.loads(block) for block in re.findall(r"(?m)^    \{\n(?:.*\n)*?    \}", "\n".join(rest))]
        file = "file://" in part
        output = blocks[-1] if "Output::" in part and blocks else None
        yield " ".join(lines), blocks[0] if file and blocks else None, output


def paths(value, at=""):
    """Every member below a document, list positions left out."""
    if isinstance(value, dict):
        for key, inner in value.items():
            step = f"{at}.{key}" if at else key
            yield step
            yield from paths(inner, step)
    elif isinstance(value, list):
        for inner in value:
            yield f"{at}[]"
            yield from paths(inner, f"{at}[]")


class Session:
    """Runs the examples against one emulator and knows the identifiers it has seen."""

    def __init__(self, emulator, folder):
        self.emulator, self.folder, self.known = emulator, folder, {}

    def substituted(self, text):
        text = re.sub(r"\bvpc-[0-9a-f]{8}\w*", VPC, text)
        text = re.sub(r"sg-[0-9a-zA-Z]+", "sg-0123456789abcdef0", text)
        # One example leaves out the member's name, which the CLI itself refuses.
        text = re.sub(r"--targets i-", "--targets id=i-", text)
        text = re.sub(r"(us|eu)-[a-z]+-\d:\d{12}:", "us-west-2:000000000000:", text)
        for prefix, known in self.known.items():
            text = re.sub(rf"\b{prefix}-[0-9a-f]+(EXAMPLE)?\b", known, text)
        return text

    def run(self, command, document):
        command = self.substituted(command)
        words = re.findall(r"'[^']*'|\S+", command)
        words = [word.strip("'") for word in words]
        if document is not None:
            place = self.folder / "input.json"
            place.write_text(self.substituted(json.dumps(document)))
            words = [f"file://{place}" if word.startswith("file://") else word for word in words]
        environment = {**os.environ, "AWS_ENDPOINT_URL": self.emulator.url, "AWS_DEFAULT_REGION": "us-west-2",
                       "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_PAGER": ""}
        done = subprocess.run([AWS, *words], env=environment, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, (words, done.stderr)
        printed = json.loads(done.stdout) if done.stdout.strip() else None
        identifier = printed.get("id", "") if isinstance(printed, dict) else ""
        if "create-" in command and identifier:
            self.known[identifier.split("-")[0]] = identifier
        return printed


def test_the_examples_of_the_cli_run_in_order_and_print_what_aws_printed(emulator, configured, tmp_path):
    assert set(ORDER) == {place.stem for place in EXAMPLES.glob("*.rst")}, "the CLI has other examples now"
    emulator.admin("POST", "reset")
    # The CLI signs what it sends, with a signer of its own.
    configured({"check-signatures": True, "identities": [
        {"access-key": "AKIDEXAMPLE", "secret-key": "secret", "principal": "arn:aws:iam::000000000000:user/me"}]})
    session = Session(emulator, tmp_path)
    ran = 0
    for name in ORDER:
        if name == "delete-target-group":
            # The example's group is empty; the one that was used before still holds a target.
            session.known["tg"] = session.unused
        for command, document, expected in examples(name):
            printed = session.run(command, document)
            ran += 1
            wanted, seen = set(paths(expected)), set(paths(printed))
            missing = {path for path in wanted - seen if not any(
                name == gap and path.startswith(prefix) for gap, prefix in GAPS)}
            missing.discard(NOT_RUN.get(name))
            assert not missing, (name, command, sorted(missing), printed)
            if name == "create-target-group":
                session.unused = printed["id"]
            if name == "create-target-group" and "--type INSTANCE" in command:
                session.instance = printed["id"]
        if name == "create-target-group":
            # Later examples mean the group of instances, the first of four.
            session.known["tg"] = session.instance
    samples.CASES["commands of the AWS CLI's examples"] += ran
