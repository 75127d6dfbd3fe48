"""Takes messages from the queue as AWS does: several batches at a time.

AWS's event source mapping works on as many batches of a FIFO queue at once as there are message groups, up to
`MaximumConcurrency`; MiniStack's works on one batch at a time. So that the figures are not MiniStack's, its mapping rests
meanwhile and these pollers do its work.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from .stack import Stack
from .waiting import wait_for

#: The most messages of one FIFO batch, which is template.yaml's BatchSize.
BATCH = 10
#: How long one receive waits for a message; it bounds how long the pollers take to stop.
WAIT_SECONDS = 1
#: MiniStack's mapping takes this long at most to notice that it is to rest.
SETTLED_SECONDS = 30.0


class Pollers:
    """Pollers of the hints' queue: while none runs, the reconcile function is off."""

    def __init__(self, stack: Stack, number: int) -> None:
        self._stack = stack
        self._number = number
        self._over = threading.Event()
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        """Lets them work."""
        self._over = threading.Event()
        self._threads = [threading.Thread(target=_poll, args=(self._stack, self._over), daemon=True) for _ in range(self._number)]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Waits until each has ended the batch that it has in work. Safe to repeat."""
        self._over.set()
        for thread in self._threads:
            thread.join()

    def start_cold(self, **variables: str) -> None:
        """Gives both functions new environments, between two batches: what they kept of earlier invocations is gone."""
        self.stop()
        self._stack.set_variables(variables)
        self.start()


@contextmanager
def pollers(stack: Stack, number: int) -> Iterator[Pollers]:
    """Lets this many pollers work meanwhile; template.yaml's MaximumConcurrency is 10."""
    found = stack.aws("lambda").list_event_source_mappings(FunctionName=stack.outputs.reconcile_function)
    mapping = next(one["UUID"] for one in found["EventSourceMappings"] if one["EventSourceArn"].endswith(".fifo"))
    _enable(stack, mapping, False)
    made = Pollers(stack, number)
    made.start()
    try:
        yield made
    finally:
        made.stop()
        _enable(stack, mapping, True)


def _enable(stack: Stack, mapping: str, enabled: bool) -> None:
    functions = stack.aws("lambda")
    functions.update_event_source_mapping(UUID=mapping, Enabled=enabled)
    state = "Enabled" if enabled else "Disabled"
    wait_for(f"the mapping to be {state}", lambda: functions.get_event_source_mapping(UUID=mapping)["State"], within=SETTLED_SECONDS,
             until=lambda seen: seen == state)


def _poll(stack: Stack, over: threading.Event) -> None:
    queue, functions, url = stack.aws("sqs"), stack.aws("lambda"), stack.outputs.queue_url
    while not over.is_set():
        received = queue.receive_message(QueueUrl=url, MaxNumberOfMessages=BATCH, WaitTimeSeconds=WAIT_SECONDS, AttributeNames=["All"])
        messages = received.get("Messages", [])
        if not messages:
            continue
        event = {"Records": [_record(message) for message in messages]}
        answer = functions.invoke(FunctionName=stack.outputs.reconcile_function, Payload=json.dumps(event).encode())
        body = json.loads(answer["Payload"].read())
        failed = {item["itemIdentifier"] for item in body.get("batchItemFailures", [])} if "FunctionError" not in answer else None
        done = [message for message in messages if failed is not None and message["MessageId"] not in failed]
        if done:
            queue.delete_message_batch(QueueUrl=url, Entries=[
                {"Id": str(at), "ReceiptHandle": message["ReceiptHandle"]} for at, message in enumerate(done)])


def _record(message: dict[str, Any]) -> dict[str, Any]:
    return {"messageId": message["MessageId"], "receiptHandle": message["ReceiptHandle"], "body": message["Body"],
            "attributes": message["Attributes"], "messageAttributes": {}, "md5OfBody": message["MD5OfBody"], "eventSource": "aws:sqs",
            "eventSourceARN": "arn:aws:sqs:us-west-2:000000000000:trellis-Queue.fifo", "awsRegion": "us-west-2"}
