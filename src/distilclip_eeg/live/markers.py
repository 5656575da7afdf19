"""Alarms and heartbeats -> a stream of markers on Lab Streaming Layer.

A marker is a line of JSON, stamped with the sample that completed the evidence, so that
a recorder such as LabRecorder puts it where it belongs. Knows nothing of detection.
"""

from __future__ import annotations

import json
from typing import Any, Final

from mne_lsl.lsl import StreamInfo, StreamOutlet

SUFFIX: Final = "-seizures"


class Markers:
    """An outlet of type Markers beside the stream that is listened to.

    Parameters
    ----------
    name
        Of the stream; that of the markers ends with `-seizures`.
    """

    def __init__(self, name: str) -> None:
        self.name = f"{name}{SUFFIX}"
        info = StreamInfo(
            self.name, "Markers", 1, 0.0, "string", f"distilclip-{self.name}"
        )
        self._outlet = StreamOutlet(info)

    def push(self, values: dict[str, Any], stamp: float) -> None:
        """Send values, at a time of this machine's LSL clock."""
        self._outlet.push_sample([json.dumps(values, separators=(",", ":"))], stamp)
