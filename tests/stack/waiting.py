"""Waiting for a condition with a deadline, so that nothing sleeps for a guessed time."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

#: Pause between two looks, in seconds: short beside every delay that is measured (the shortest is a second).
INTERVAL = 0.1


class Expectation(AssertionError):
    """Something that was expected was not seen; the message says both."""

    def __init__(self, expected: str, seen: object) -> None:
        super().__init__(f"expected: {expected}\n    seen: {seen}")
        self.expected = expected
        self.seen = seen


def wait_for(expected: str, look: Callable[[], T], *, within: float, every: float = INTERVAL,
             until: Callable[[T], bool] = bool) -> T:
    """Looks until `until` holds for what is seen and returns it; an `OSError` of a look counts as "not yet".

    Raises `Expectation` with what was seen last when `within` seconds are over.
    """
    deadline = time.monotonic() + within
    while True:
        seen: object
        try:
            result = look()
            if until(result):
                return result
            seen = result
        except (OSError, KeyError) as error:
            seen = repr(error)
        if time.monotonic() >= deadline:
            raise Expectation(f"{expected}, within {within:g} s", seen)
        time.sleep(every)
