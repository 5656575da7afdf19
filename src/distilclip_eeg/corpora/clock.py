"""Times of day as people write them -> seconds into a recording.

`19.58.36`, `19:58:36`, `16:13.23` and `1 6.49.25` all occur. A time of day does not
tell the day: recordings are taken to be shorter than one.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Final

DAY_S: Final = 86_400

_SPLIT_NUMBER = re.compile(r"(?<=\d)\s+(?=\d)")
_TIME = re.compile(r"(?<!\d)(?<!\d[.:])(\d{1,2})[.:](\d{1,2})[.:](\d{1,2})(?!\d)")


def times_of_day(text: str) -> list[int]:
    """Return every time of day in a text, as seconds after midnight."""
    found = []
    for match in _TIME.finditer(_SPLIT_NUMBER.sub("", text)):
        hours, minutes, seconds = map(int, match.groups())
        if hours < 24 and minutes < 60 and seconds < 60:
            found.append(seconds_of_day(hours, minutes, seconds))
    return found


def seconds_of_day(hours: int, minutes: int, seconds: int) -> int:
    """Return seconds after midnight."""
    return hours * 3600 + minutes * 60 + seconds


def start_of_day_s(start: datetime | None) -> int | None:
    """Return the seconds after midnight at which a recording began, if it says so."""
    if start is None:
        return None
    return seconds_of_day(start.hour, start.minute, start.second)


def after(time_s: int, start_s: int) -> int:
    """Return how long after `start_s` it next is `time_s`, past midnight or not."""
    return (time_s - start_s) % DAY_S


def clock_text(time_s: int) -> str:
    """Write seconds after midnight as `19:58:36`."""
    minutes, seconds = divmod(time_s % DAY_S, 60)
    return f"{minutes // 60:02d}:{minutes % 60:02d}:{seconds:02d}"
