"""Messages that nothing can be done with: acknowledged or set aside, with the reason in the log, and in nobody's way."""

from __future__ import annotations

import pytest

from stack.waiting import wait_for
from stack.world import PROGRAMMED_SECONDS, World, event, now_ms

#: What to look for in the log, by the message's place in events/sqs-bad-messages.json.
REASONS = {0: "not a hint", 1: "schema 99", 2: "nowhere", 3: "vanished"}


@pytest.mark.parametrize("number", sorted(REASONS), ids=["malformed", "unknown-schema", "unregistered-cluster", "vanished-object"])
def test_a_bad_message_is_logged_with_its_reason_and_leaves_the_queue(world: World, number: int) -> None:
    record = event("sqs-bad-messages.json")["Records"][number]
    began = now_ms()
    world.stack.aws("sqs").send_message(QueueUrl=world.stack.outputs.queue_url, MessageBody=record["body"],
                                        MessageGroupId=record["attributes"]["MessageGroupId"],
                                        MessageDeduplicationId=f"{world.namespace}-{began}")
    world.quiet()
    world.log_has(world.stack.outputs.reconcile_function, REASONS[number], lambda line: REASONS[number] in str(line), began,
                  within=PROGRAMMED_SECONDS)


def test_bad_messages_do_not_hold_up_the_routes(world: World) -> None:
    sqs = world.stack.aws("sqs")
    for number, record in enumerate(event("sqs-bad-messages.json")["Records"]):
        for again in range(5):
            sqs.send_message(QueueUrl=world.stack.outputs.queue_url, MessageBody=record["body"],
                             MessageGroupId=record["attributes"]["MessageGroupId"],
                             MessageDeduplicationId=f"{world.namespace}-{number}-{again}-{now_ms()}")
    name = world.inventory()
    world.answers(name, "inventory-ver1 handler pod")
    world.quiet()


def test_the_function_never_ended_in_an_error(world: World) -> None:
    """Runs last of this file: a panic or a crash of an earlier test's message would stand in the log."""
    wait_for("an empty queue", world.queue_length, within=PROGRAMMED_SECONDS, until=lambda length: length == 0)
    found = [line for line in world.all_lines(world.stack.outputs.reconcile_function)
             if "panicked" in line or "Task timed out" in line or "Runtime exited" in line]
    assert found == []
