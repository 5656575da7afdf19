"""Every format but EDF and BDF -> float32 µV, through MNE.

BrainVision, EEGLAB, FIF, GDF, Nihon Kohden, Persyst and CNT are read chunk by chunk
without preload; an MNE Raw object of the caller is read the same way. MNE's volts
become µV, its warnings become lines in `Recording.warnings`, its exceptions one clear
line. MNE is imported when a file needs it.
"""

from __future__ import annotations

import contextlib
import io
import warnings
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from distilclip_eeg.eeg.mat_files import NotMatError, check_mat5
from distilclip_eeg.eeg.recording import (
    Recording,
    Segment,
    as_float32,
    checked_sfreq,
)
from distilclip_eeg.errors import UnreadableRecordingError

if TYPE_CHECKING:
    from mne.io import BaseRaw

# Suffix -> name of the format, name of its reader in mne.io.
FORMATS = {
    ".vhdr": ("BrainVision", "read_raw_brainvision"),
    ".set": ("EEGLAB", "read_raw_eeglab"),
    ".fif": ("FIF", "read_raw_fif"),
    ".gdf": ("GDF", "read_raw_gdf"),
    ".eeg": ("Nihon Kohden", "read_raw_nihon"),
    ".lay": ("Persyst", "read_raw_persyst"),
    ".cnt": ("Neuroscan CNT", "read_raw_cnt"),
}
_GAP = "BAD_ACQ_SKIP"  # MNE's word for samples that were not recorded
_UV_PER_V = 1e6
# A file may be called what its owner likes.
_IRRELEVANT = "does not conform to MNE naming conventions"
_MESSAGE_LENGTH = 200
_HDF5 = b"\x89HDF"


class RawRecording(Recording):
    """A recording from `mne.io.BaseRaw`, preloaded or not.

    Stretches annotated BAD_ACQ_SKIP are gaps between segments. MNE makes duplicate
    labels unique by appending a number.

    Parameters
    ----------
    raw
        In volts, as MNE keeps it.
    name
        Stem of the raw object's file if empty, "array" if it has none.

    Raises
    ------
    UnreadableRecordingError
        If it holds no samples or no possible sampling rate.
    """

    def __init__(
        self, raw: BaseRaw, *, name: str = "", complaints: Sequence[str] = ()
    ) -> None:
        self._raw = raw
        self.name = name or _stem(raw)
        self.ch_names = tuple(raw.ch_names)
        self.sfreq = checked_sfreq(self.name, float(raw.info["sfreq"]))
        self.start_time = _start_time(raw)
        self.duration_s = int(raw.n_times) / self.sfreq
        self.warnings = tuple(complaints)
        spans = _spans(raw)
        if not spans:
            raise UnreadableRecordingError(
                f"{self.name}: found no samples outside of gaps, expected some; "
                "export the recording again"
            )
        self._starts = [start for start, _ in spans]
        self.segments = tuple(
            Segment(start / self.sfreq, stop - start) for start, stop in spans
        )

    def read(
        self, picks: Sequence[int], segment: int, start: int, stop: int
    ) -> NDArray[np.float32]:
        self._check_span(picks, segment, start, stop)
        if not len(picks) or start == stop:
            return np.empty((len(picks), stop - start), np.float32)
        origin = self._starts[segment]
        with _mne_errors(self.name, "MNE"):
            volts = self._raw.get_data(
                picks=list(picks),
                start=origin + start,
                stop=origin + stop,
                verbose="ERROR",
            )
        with np.errstate(over="ignore"):  # of a calibration that cannot be
            microvolts = np.asarray(volts, np.float64) * _UV_PER_V
        return as_float32(microvolts)


def open_with_mne(path: Path) -> RawRecording:
    """Open a file of one of `FORMATS`, chosen by its suffix.

    Raises
    ------
    UnreadableRecordingError
        If MNE cannot read it; the message holds MNE's reason.
    """
    import mne.io

    title, reader = FORMATS[path.suffix.lower()]
    if title == "EEGLAB":
        _check_eeglab(path)
    with _mne_errors(path.name, title) as complaints:
        raw = getattr(mne.io, reader)(path, preload=False, verbose="WARNING")
    return RawRecording(raw, name=path.stem, complaints=complaints)


def _check_eeglab(path: Path) -> None:
    """Refuse what SciPy would die of; newer files are HDF5 and not its business."""
    try:
        with path.open("rb") as file:
            if file.read(4) == _HDF5:
                return
        check_mat5(path)
    except (NotMatError, OSError) as error:
        raise UnreadableRecordingError(
            f"{path.name}: cannot be read as EEGLAB ({_one_line(error)}); save it "
            "again from EEGLAB"
        ) from None


@contextlib.contextmanager
def _mne_errors(name: str, title: str) -> Iterator[list[str]]:
    """Collect MNE's warnings, one line each, and turn what it raises into one line."""
    complaints: list[str] = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            # Some of MNE's readers print.
            with contextlib.redirect_stdout(io.StringIO()):
                yield complaints
        # MNE and what it calls raise nearly anything on a damaged file.
        except Exception as error:
            reason = _one_line(error) or type(error).__name__
            raise UnreadableRecordingError(
                f"{name}: cannot be read as {title} ({reason}); check that it is "
                "complete and that its companion files lie beside it"
            ) from None
    lines = (_one_line(w.message) for w in caught if w.category is RuntimeWarning)
    complaints.extend(dict.fromkeys(x for x in lines if _IRRELEVANT not in x))


def _one_line(message: object) -> str:
    text = " ".join(str(message).split())
    return text if len(text) <= _MESSAGE_LENGTH else f"{text[:_MESSAGE_LENGTH]}…"


def _stem(raw: BaseRaw) -> str:
    paths = [path for path in raw.filenames if path is not None]
    return Path(paths[0]).stem if paths else "array"


def _start_time(raw: BaseRaw) -> datetime | None:
    measured = raw.info["meas_date"]
    if measured is None:
        return None
    # MNE keeps the amplifier's local time and calls it UTC.
    try:
        start = measured.replace(tzinfo=None) + timedelta(seconds=float(raw.first_time))
    except OverflowError:
        return None
    return start if start.year >= 1900 else None


def _spans(raw: BaseRaw) -> list[tuple[int, int]]:
    """First and last-plus-one sample of each stretch between gaps."""
    spans, start, end = [], 0, int(raw.n_times)
    for gap_start, gap_stop in [*_gaps(raw), (end, end)]:
        if gap_start > start:
            spans.append((start, gap_start))
        start = max(start, gap_stop)
    return spans


def _gaps(raw: BaseRaw) -> list[tuple[int, int]]:
    sfreq, gaps = float(raw.info["sfreq"]), []
    # Onsets count from the start of the acquisition, samples from the first one kept.
    for annotation in raw.annotations:
        if annotation["description"].upper() == _GAP:
            onset_s = float(annotation["onset"]) - float(raw.first_time)
            stop_s = onset_s + float(annotation["duration"])
            gaps.append((round(onset_s * sfreq), round(stop_s * sfreq)))
    end = int(raw.n_times)
    return sorted(
        (max(0, start), min(end, stop)) for start, stop in gaps if start < end
    )
