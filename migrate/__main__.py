"""The command line: `python3 -m migrate`."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from . import __doc__ as usage
from .decisions import KEY, OWNER, Place, Plan, Resource, decide, to_release
from .edge import Aws, Kubectl, Refusal

#: Tags of Trellis' own begin so.
OWN_TAGS = "trellis:"


def agreed(arguments: argparse.Namespace, count: int, what: str) -> bool:
    """Whether the person wants it done."""
    if count == 0:
        print("Nothing to do.", file=sys.stderr)
        return False
    if arguments.dry_run:
        return False
    return arguments.yes or input(f"{what} [y/N] ").strip().lower() == "y"


def tell(arguments: argparse.Namespace, said: dict[str, Any], lines: Iterable[str]) -> None:
    """Prints for a person or for a machine."""
    print(json.dumps(said, indent=2) if arguments.output == "json" else "\n".join(lines))


def scan(arguments: argparse.Namespace, aws: Aws, kubectl: Kubectl, place: Place) -> tuple[Plan, list[str]]:
    """Prints what would become of all that the controller has; gives back what stands in the way."""
    resources = list(aws.controllers(place))
    policies = {one.arn: policy for one in resources if one.kind == "service" and (policy := aws.policy(one.arn))}
    plan = decide(place, resources, kubectl.objects(), policies)
    in_the_way = [f"{one.name}: {one.why}" for one in plan.left if one.stands_in_the_way]
    in_the_way += [f"the controller runs: kubectl scale --replicas=0 deployment/{name.split('/')[1]} --namespace {name.split('/')[0]}"
                   for name in kubectl.running_controllers()]
    lines = [f"{one.unit}\t{one.name}\t{one.arn}" for one in plan.adopt]
    lines += [f"stays\t{one.name}\t{one.arn}\t{one.why}" for one in plan.left]
    lines += [f"in the way\t{why}" for why in in_the_way]
    tell(arguments, asdict(plan) | {"inTheWay": in_the_way}, lines)
    return plan, in_the_way


def adopt(arguments: argparse.Namespace, aws: Aws, plan: Plan, in_the_way: list[str]) -> int:
    """Gives the controller's resources to Trellis. What is below a service goes before it: until then it is found again."""
    if in_the_way:
        print("Nothing was done: first settle what is in the way.", file=sys.stderr)
        return 2
    if agreed(arguments, len(plan.adopt), f"Give {len(plan.adopt)} resources to Trellis?"):
        for one in sorted(plan.adopt, key=lambda one: ":service/" in one.arn and one.arn.count("/") == 1):
            aws.tag(one.arn, one.tags)
        print(f"{len(plan.adopt)} resources are Trellis' now.", file=sys.stderr)
    return 0


def release(arguments: argparse.Namespace, aws: Aws, place: Place, tags: Mapping[str, str]) -> int:
    """Gives all of the cluster back."""
    mode = tags.get("trellis:mode")
    if any(key.startswith("trellis:registered") for key in tags) and mode != "observe":
        why = "tag the EKS cluster trellis:mode=observe first, else it makes anew what you release"
        raise Refusal(f"Trellis works on {place.cluster}: {why}")
    owned = [Resource(arn, arn.rpartition("/")[2], tags) for arn, tags in aws.tagged(OWNER, place.owner).items()]
    back, left = to_release(place, owned, networks=arguments.with_networks)
    lines = [f"{one.tags.get(KEY, '')}\t{one.arn}" for one in back] + [f"stays\t{one.arn}\t{one.why}" for one in left]
    tell(arguments, {"release": [one.arn for one in back], "left": [asdict(one) for one in left]}, lines)
    if agreed(arguments, len(back), f"Give {len(back)} resources back?"):
        for one in back:
            aws.untag(one.arn, [key for key in one.tags if key.startswith(OWN_TAGS)])
        print(f"{len(back)} resources are the controller's again.", file=sys.stderr)
    return 0


def finalizers(arguments: argparse.Namespace, kubectl: Kubectl) -> int:
    """Takes the controller's finalizers off."""
    running = kubectl.running_controllers()
    if running:
        raise Refusal(f"The controller {running[0]} runs and would set them again: scale it to zero first")
    held = kubectl.held()
    named = [f"{kind}\t{one['metadata'].get('namespace', '')}\t{one['metadata']['name']}\t{name}" for kind, one, name in held]
    tell(arguments, {"finalizers": named}, named)
    if agreed(arguments, len(held), f"Take {len(held)} finalizers off?"):
        for kind, one, finalizer in held:
            kubectl.take_off(kind, one, finalizer)
        print(f"{len(held)} finalizers are gone.", file=sys.stderr)
    return 0


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python3 -m migrate", description=usage, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["scan", "adopt", "finalizers", "release"])
    parser.add_argument("--cluster", required=True, help="the EKS cluster's name")
    parser.add_argument("--context", help="the kubeconfig's context for it; else the current one")
    parser.add_argument("--region", help="else as the AWS CLI finds it")
    parser.add_argument("--owner", default="trellis", help="the stack's parameter Owner")
    parser.add_argument("--with-networks", action="store_true", help="of release: also the service networks that Trellis made")
    parser.add_argument("--output", choices=["text", "json"], default="text")
    parser.add_argument("--yes", action="store_true", help="do not ask")
    parser.add_argument("--dry-run", action="store_true", help="show, and do nothing")
    return parser.parse_args()


def main() -> int:
    """The exit status: 0 done, 1 failed, 2 something stands in the way."""
    arguments = parse()
    try:
        kubectl = Kubectl(arguments.context)
        if arguments.what == "finalizers":
            return finalizers(arguments, kubectl)
        aws = Aws(arguments.region)
        place, tags = aws.place(arguments.cluster, arguments.owner)
        if arguments.what == "release":
            return release(arguments, aws, place, tags)
        plan, in_the_way = scan(arguments, aws, kubectl, place)
        return adopt(arguments, aws, plan, in_the_way) if arguments.what == "adopt" else 2 * bool(in_the_way)
    except (Refusal, BotoCoreError, ClientError) as error:
        print(f"migrate: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
