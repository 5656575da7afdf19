"""A seed -> a recording with planted seizures on disk: EDF+ and HED-SCORE tables.

The front of `corpora.simulation`; how things are drawn is written there.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from distilclip_eeg.corpora.simulation.recording import Settings, Simulated, simulate
from distilclip_eeg.eeg.annotations import write_recording, write_tsv
from distilclip_eeg.eeg.recording import ArrayRecording

__all__ = ["Settings", "Simulated", "WrittenFiles", "simulate", "write_simulated"]

_SUFFIXES: Final = (".edf", ".bdf")
_STEM_END: Final = "_eeg"


@dataclass(frozen=True, slots=True)
class WrittenFiles:
    """What `write_simulated` wrote."""

    recording: Path
    events: Path
    patterns: Path


def write_simulated(simulated: Simulated, out: Path) -> WrittenFiles:
    """Write a simulated recording and its truth side by side.

    Parameters
    ----------
    out
        `NAME.edf` or `NAME_eeg.edf` (`.bdf` likewise); `NAME_events.tsv` will hold the
        seizures, `NAME_patterns.tsv` the hard negatives. Existing files are replaced.

    Raises
    ------
    ValueError
        If the suffix is neither `.edf` nor `.bdf`.
    """
    if out.suffix.lower() not in _SUFFIXES:
        raise ValueError(f"{out}: expected a path that ends in .edf or .bdf")
    stem = out.stem.removesuffix(_STEM_END)
    files = WrittenFiles(
        recording=out,
        events=out.with_name(f"{stem}_events.tsv"),
        patterns=out.with_name(f"{stem}_patterns.tsv"),
    )
    recording = ArrayRecording(
        simulated.eeg, simulated.sfreq, simulated.ch_names, name=stem
    )
    write_recording(recording, out, simulated.events)
    write_tsv(files.events, simulated.events, simulated.duration_s)
    write_tsv(files.patterns, simulated.negatives, simulated.duration_s)
    return files
