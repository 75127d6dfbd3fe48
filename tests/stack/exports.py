"""What a person needs to use a running stack by hand: shell exports in one file, and a few lines to read."""

from __future__ import annotations

import shlex
from pathlib import Path

from .environment import aws_variables
from .settings import TOOLS
from .stack import Stack

FILE = "exports.sh"


def write(stack: Stack) -> Path:
    """Writes the exports into the state folder and returns the file."""
    variables = aws_variables(stack.ministack.url, stack.emulator.url) | {
        "KUBECONFIG": str(stack.kubeconfig),
        "TRELLIS_KUBECONFIG_ONE": str(stack.clusters[0].kubeconfig),
        "TRELLIS_KUBECONFIG_TWO": str(stack.clusters[1].kubeconfig),
        "TRELLIS_QUEUE_URL": stack.outputs.queue_url,
        "TRELLIS_EMULATOR_URL": stack.emulator.url,
        "TRELLIS_CURL_ONE": stack.connect_to(0),
        "TRELLIS_CURL_TWO": stack.connect_to(1),
    }
    lines = ["# Made for one run of the local stack; the ports differ in the next.",
             f"export PATH={shlex.quote(str(TOOLS))}:\"$PATH\""]
    lines += [f"export {name}={shlex.quote(value)}" for name, value in variables.items()]
    path = stack.state / FILE
    path.write_text("\n".join(lines) + "\n")
    path.chmod(0o600)
    return path


def usage(stack: Stack, file: Path) -> str:
    """How to go on by hand."""
    one, two = stack.clusters
    return f"""The stack runs. In your shell:

  . {file}

  kubectl config use-context {one.spec.name}          # or {two.spec.name}
  kubectl apply -f examples/gatewayclass.yaml -f examples/my-hotel-gateway.yaml
  kubectl apply -f examples/parking.yaml -f examples/review.yaml -f examples/rate-route-path.yaml
  kubectl get httproute rates -o yaml                 # the message `DNS Name: ...` has the name
  curl $TRELLIS_CURL_ONE http://<dns name>/parking    # as a client in the VPC of {one.spec.name}
  aws vpc-lattice list-services
  aws sqs get-queue-attributes --endpoint-url $AWS_ENDPOINT_URL --queue-url $TRELLIS_QUEUE_URL --attribute-names All

KUBECONFIG of {one.spec.name}: {one.kubeconfig}
KUBECONFIG of {two.spec.name}: {two.kubeconfig}
VPC Lattice in a browser: {stack.emulator.url}/_emulator/
Logs: {stack.logs}
End it with: make demo-down
"""
