"""Recordings to attack: EDF, BDF, and what MNE reads; opened, read and copied whole."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Final

import numpy as np

from attack_target import Target
from distilclip_eeg.config import SignalConfig
from distilclip_eeg.corpora.listing import read_extent
from distilclip_eeg.eeg.annotations import (
    Event,
    write_edf_annotations,
    write_recording,
)
from distilclip_eeg.eeg.edf_notes import read_notes
from distilclip_eeg.eeg.files import open_recording
from distilclip_eeg.eeg.montage import plan_montage
from distilclip_eeg.eeg.recording import Recording
from distilclip_eeg.eeg.signal import Conditioner
from edf_writer import Signal, write_edf
from mne_writers import LABELS as MNE_LABELS
from mne_writers import write_brainvision, write_eeglab, write_persyst

DATA: Final = Path(__file__).resolve().parents[2] / "shared" / "data"
_LABELS = ("EEG FP1-REF", "EEG F7-REF", "T3", "T5", "O1", "F3", "EEG C3-LE", "P3")
_SECONDS = 4
_RATE = 128
_FOUND = (Event(1.0, 2.0, "sz", 0.5, ("F7-T7",)),)


def read_everything(path: Path) -> None:
    """Do what `detect` and `catalog` do, up to the model."""
    extent = read_extent(path)
    recording = open_recording(path)
    read_notes(path)
    for number in range(len(recording.segments)):
        for block in islice(
            recording.blocks(range(len(recording.ch_names)), number, 2.0), 200
        ):
            assert block.dtype == np.float32
    montage = plan_montage(extent.ch_names)
    conditioner = Conditioner(montage, recording.sfreq, SignalConfig())
    for block in islice(recording.blocks(montage.picks, 0, 2.0), 30):
        conditioner.push(block)
    conditioner.close()


def copy_with_events(path: Path) -> None:
    """Do what `detect REC OUT.edf` does."""
    recording = open_recording(path)
    write_edf_annotations(path, path.with_name(f"copy{path.suffix}"), _FOUND)
    if recording.duration_s < 600 and _is_continuous(recording):
        write_recording(recording, path.with_name("anew.edf"), _FOUND)


def _is_continuous(recording: Recording) -> bool:
    return len(recording.segments) == 1


def _edf(**options: object) -> Callable[[Path], object]:
    def write(root: Path) -> Path:
        rng = np.random.default_rng(0)
        is_bdf = bool(options.get("is_bdf"))
        signals = [
            Signal(label, rng.normal(0, 300, _SECONDS * _RATE)) for label in _LABELS
        ]
        signals.append(Signal("ECG EKG", rng.normal(0, 300, _SECONDS * 50)))
        signals.append(Signal("O2", rng.normal(0, 300, _SECONDS * 64), "mV"))
        path = root / ("a.bdf" if is_bdf else "a.edf")
        return write_edf(path, signals, n_records=_SECONDS, **options)  # type: ignore[arg-type]

    return write


def _mne(write: Callable[..., Path], name: str) -> Callable[[Path], object]:
    def written(root: Path) -> Path:
        data = np.random.default_rng(0).normal(0, 30, (len(MNE_LABELS), 400))
        return write(root / name, data)

    return written


def _read(name: str) -> Callable[[Path], object]:
    return lambda root: read_everything(root / name)


def _read_samples(name: str) -> Callable[[Path], object]:
    def read(root: Path) -> None:
        recording = open_recording(root / name)
        for number in range(len(recording.segments)):
            for _ in islice(recording.blocks([0], number), 50):
                pass

    return read


def _real(path: Path, n_records: int) -> Callable[[Path], object]:
    """The header of a real recording, and its first records."""

    def write(root: Path) -> None:
        with path.open("rb") as file:
            main = file.read(256)
            n_signals = int(main[252:256])
            rest = file.read(256 * n_signals)
            counts = rest[216 * n_signals : 224 * n_signals]
            n = sum(int(counts[i : i + 8]) for i in range(0, len(counts), 8))
            records = file.read(2 * n * n_records)
        (root / "a.edf").write_bytes(main + rest + records)

    return write


_GAPS = (0, 1, 101, 102)
RECORDINGS: Final = (
    Target("edf", ("a.edf",), _edf(), _read("a.edf")),
    Target(
        "edf_plus",
        ("a.edf",),
        _edf(kind="EDF+C", onsets_s=range(_SECONDS)),
        _read("a.edf"),
    ),
    Target("edf_gaps", ("a.edf",), _edf(kind="EDF+D", onsets_s=_GAPS), _read("a.edf")),
    Target("bdf", ("a.bdf",), _edf(is_bdf=True), _read("a.bdf")),
    Target(
        "edf_copy",
        ("a.edf",),
        _edf(kind="EDF+C", onsets_s=range(_SECONDS)),
        lambda root: copy_with_events(root / "a.edf"),
    ),
    Target(
        "brainvision",
        ("a.vhdr", "a.vmrk", "a.eeg"),
        _mne(write_brainvision, "a.vhdr"),
        _read_samples("a.vhdr"),
    ),
    Target(
        "eeglab",
        ("a.set", "a.fdt"),
        _mne(write_eeglab, "a.set"),
        _read_samples("a.set"),
    ),
    Target(
        "persyst",
        ("a.lay", "a.dat"),
        _mne(write_persyst, "a.lay"),
        _read_samples("a.lay"),
    ),
)
_EXAMPLE = Path(__file__).parents[1] / "examples" / "chb01_03_1_eeg.edf"
_MENTAL = DATA / "eegmat" / "Subject00_2.edf"
REAL: Final = tuple(
    Target(name, ("a.edf",), _real(path, n), _read("a.edf"))
    for name, path, n in (("real_edf", _EXAMPLE, 2), ("real_edf_plus", _MENTAL, 4))
    if path.is_file()
)
"""The first seconds of recordings of data sets, where they are at hand."""
