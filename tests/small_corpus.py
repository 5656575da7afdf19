"""A data set of some kilobytes in which a child could see the seizures.

Two patients of `north` and one of `south` (200 Hz, no O1 and O2) with seizures, one of
`calm` without; every layout a manifest can say occurs once.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np

from conftest import ELECTRODES
from distilclip_eeg.config import SignalConfig
from distilclip_eeg.corpora.manifest import COLUMNS, read_manifest
from distilclip_eeg.corpora.store import Store, prepare
from edf_writer import Signal, write_edf

SIGNAL = SignalConfig()
UV_PER_STEP = 0.1  # of the files, as `Signal` has it


class Clip(NamedTuple):
    """One recording; seizures as (onset, duration), both in seconds."""

    name: str
    patient: str
    dataset: str
    fold: str
    kind: str
    seconds: int
    seizures: tuple[tuple[float, float], ...] = ()
    labelled: str = ""
    sfreq: int = 256


CLIPS = (
    Clip("n1/sz", "n1", "north", "0", "seizure", 40, ((15.25, 15.5),)),
    Clip("n1/bg", "n1", "north", "0", "background", 25),
    Clip("n2/sz", "n2", "north", "1", "seizure", 35, ((0, 9), (20, 15))),
    Clip("s1/sz", "s1", "south", "1", "seizure", 30, ((8, 12),), sfreq=200),
    Clip("s1/bg", "s1", "south", "1", "background", 24, sfreq=200),
    Clip("c1/bg", "c1", "calm", "", "hard_negative", 30, labelled="12-22"),
)


def write_corpus(root: Path) -> Path:
    """Write recordings, events and manifest; return `root`."""
    lines = ["\t".join(COLUMNS)]
    for number, clip in enumerate(CLIPS):
        edf, tsv = root / f"{clip.name}.edf", root / f"{clip.name}.tsv"
        edf.parent.mkdir(parents=True, exist_ok=True)
        write_clip(edf, clip, seed=number)
        rows = [f"{onset}\t{length}\tsz_foc" for onset, length in clip.seizures]
        tsv.write_text("\n".join(["onset\tduration\teventType", *rows]) + "\n")
        events = f"{clip.name}.tsv" if clip.kind == "seizure" else ""
        fields = (f"{clip.name}.edf", events, clip.kind, clip.labelled, clip.dataset)
        lines.append("\t".join((*fields, clip.patient, clip.fold)))
    (root / "manifest.tsv").write_text("\n".join(lines) + "\n")
    return root


def write_clip(path: Path, clip: Clip, seed: int) -> None:
    """Noise of 20 microvolts; during a seizure 3 Hz of 120 on the left."""
    rng = np.random.default_rng(seed)
    times = np.arange(clip.seconds * clip.sfreq) / clip.sfreq
    ictal = sum((times >= on) & (times < on + d) for on, d in clip.seizures) * 1.0
    wave = 120 * np.sin(2 * np.pi * 3 * times) * ictal
    signals = []
    for electrode in ELECTRODES:
        if clip.dataset == "south" and electrode in ("O1", "O2"):
            continue
        share = rng.uniform(-1, 1) if electrode[-1] in "1357" else 0.1
        uv = rng.normal(0, 20, len(times)) + share * wave
        signals.append(Signal(f"EEG {electrode}-REF", np.rint(uv / UV_PER_STEP)))
    write_edf(path, signals, n_records=clip.seconds)


def small_store(folder: Path) -> Store:
    """Write the corpus to a folder beside `folder` and the store to `folder`."""
    root = write_corpus(folder.with_name(f"{folder.name}_corpus"))
    return prepare(read_manifest(root), folder, SIGNAL)
