"""The share of waiting is that of the time, and nothing is lost on the way."""

from __future__ import annotations

import time
from collections.abc import Iterator

from distilclip_eeg.training.waiting import Waited


def slow() -> Iterator[int]:
    for number in range(4):
        time.sleep(0.03)
        yield number


def test_a_slow_source_is_waited_for() -> None:
    waited = Waited(slow())
    assert list(waited) == [0, 1, 2, 3]
    assert waited.share > 0.6


def test_a_slow_user_is_not() -> None:
    waited = Waited(range(4))
    for _ in waited:
        time.sleep(0.03)
    assert waited.share < 0.2
