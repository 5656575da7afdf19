"""Seeds -> recordings with planted seizures: EDF+ and tables, or a store to train on.

The front of `corpora.simulation`; how things are drawn is written there.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

from distilclip_eeg.config import SignalConfig
from distilclip_eeg.corpora.index import FORMAT_VERSION, INDEX, Index, write_index
from distilclip_eeg.corpora.simulation.recording import (
    GENERATION,
    Settings,
    Simulated,
    simulate,
)
from distilclip_eeg.corpora.store import (
    Marked,
    Store,
    condition,
    settings_of,
    store_signal,
    write_entry,
)
from distilclip_eeg.corpora.workers import made_by_workers
from distilclip_eeg.eeg.annotations import as_edf, table_text
from distilclip_eeg.eeg.recording import ArrayRecording
from distilclip_eeg.eeg.whole_files import (
    Waiting,
    claimed,
    claimed_folder,
    remove_partial,
    written_whole,
)

__all__ = [
    "Settings",
    "Simulated",
    "WrittenFiles",
    "as_recording",
    "prepare_simulated",
    "simulate",
    "simulated_name",
    "write_simulated",
]

DATASET: Final = "simulated"

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
    whole = as_recording(simulated, stem)
    edf = as_edf(whole, simulated.events, bdf=out.suffix.lower() == ".bdf")
    truth = [
        (files.events, table_text(simulated.events, simulated.duration_s)),
        (files.patterns, table_text(simulated.negatives, simulated.duration_s)),
    ]
    with ExitStack() as all_at_once:
        all_at_once.enter_context(claimed(out))
        # The first appears last: where the recording is, its truth is.
        all_at_once.enter_context(_made(out, edf.write))
        for path, text in truth:
            all_at_once.enter_context(_made(path, partial(_write_text, text)))
    return files


@contextmanager
def _made(path: Path, write: Callable[[Path], object]) -> Iterator[None]:
    """Write a file that appears at the end of the block, if nothing is raised."""
    with written_whole(path) as unfinished:
        write(unfinished)
        yield


def _write_text(text: str, path: Path) -> None:
    path.write_text(text, encoding="utf-8", newline="\n")


def prepare_simulated(
    seeds: Sequence[int],
    folder: Path,
    signal: SignalConfig,
    *,
    duration_s: float = 3600.0,
    workers: int = 1,
    waiting: Waiting | None = None,
) -> Store:
    """Draw recordings and keep their conditioned signal, as `store.prepare` does.

    A store that already holds these very seeds, drawn by this generation of the
    simulator, is opened as it is. Every recording has a person of its own: the patient
    is named by the seed.

    Parameters
    ----------
    folder
        Belongs to this store alone; about 33 MB per hour.
    duration_s
        Of each recording.
    waiting
        As for `store.prepare`.

    Raises
    ------
    InUseError
        If another process draws the same store, without `waiting`.
    """
    names = [simulated_name(seed, duration_s) for seed in seeds]
    if (there := _drawn_before(folder, names, signal)) is not None:
        return there
    with claimed_folder(folder, waiting=waiting):
        if (there := _drawn_before(folder, names, signal)) is not None:
            return there  # by the process that was waited for
        remove_partial(folder)
        (folder / INDEX).unlink(missing_ok=True)
        work = partial(_draw_one, folder=folder, signal=signal, duration_s=duration_s)
        entries = list(made_by_workers(work, seeds, workers))
        write_index(folder, Index(settings_of(signal), entries, {}))
        return Store(folder, signal)


def _drawn_before(
    folder: Path, names: Sequence[str], signal: SignalConfig
) -> Store | None:
    if not (folder / INDEX).is_file():
        return None
    store = Store(folder, signal)
    return store if [r.name for r in store.recordings] == names else None


def _draw_one(
    seed: int, folder: Path, signal: SignalConfig, duration_s: float
) -> dict[str, Any]:
    entry = folder / f"{seed:06d}.{duration_s:g}.g{GENERATION}.json"
    if entry.is_file():  # drawn before a kill
        content: dict[str, Any] = json.loads(entry.read_text())
        if content.get("format_version") == FORMAT_VERSION:
            return content
    simulated = simulate(seed, duration_s)
    name = simulated_name(seed, duration_s)
    stored = store_signal(
        folder, seed, condition(as_recording(simulated, name), signal)
    )
    content = {
        "name": name,
        "dataset": DATASET,
        "patient": name,
        "kind": "seizure" if simulated.seizures else "background",
        "session": "",
        "fold": None,
        "split": None,
        "labelled_s": (0.0, float(stored["n_seconds"])),
        "seizures": [
            Marked(
                planted.event.onset,
                planted.event.onset + planted.event.duration,
                planted.event.event_type,
                planted.plan.side,
                planted.plan.lobe,
            )._asdict()
            for planted in simulated.seizures
        ],
        "patterns": [
            {"onset_s": e.onset, "end_s": e.onset + e.duration, "name": e.event_type}
            for e in simulated.negatives
        ],
        **stored,
    }
    write_entry(entry, {**content, "format_version": FORMAT_VERSION})
    return content


def simulated_name(seed: int, duration_s: float) -> str:
    """Name a simulated recording, and so its person, by what it is drawn from."""
    length = "" if duration_s == 3600 else f"-{duration_s:g}s"
    return f"{DATASET}-g{GENERATION}-{seed:06d}{length}"


def as_recording(simulated: Simulated, name: str = DATASET) -> ArrayRecording:
    """Let it be read like any other recording."""
    return ArrayRecording(simulated.eeg, simulated.sfreq, simulated.ch_names, name=name)
