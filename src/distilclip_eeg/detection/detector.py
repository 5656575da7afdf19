"""A file, an array or an MNE object -> a Detection, or an embedding per window.

Feeds the very object that serves a live stream, in larger chunks, so that the two
cannot disagree.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from distilclip_eeg.detection.models import DEFAULT_MODEL, Model, load_model
from distilclip_eeg.detection.result import Detection
from distilclip_eeg.detection.stream import BLOCK_S, StreamDetector
from distilclip_eeg.detection.windows import WindowCutter, Windows
from distilclip_eeg.eeg.files import open_recording
from distilclip_eeg.eeg.mne_files import RawRecording
from distilclip_eeg.eeg.montage import plan_montage
from distilclip_eeg.eeg.recording import ArrayRecording, Recording
from distilclip_eeg.eeg.signal import Conditioner

if TYPE_CHECKING:
    from mne.io import BaseRaw

__all__ = ["Detection", "Model", "StreamDetector", "detect", "encode_eeg", "load_model"]

Source: TypeAlias = "str | os.PathLike[str] | Recording | BaseRaw | NDArray[Any]"
ModelLike: TypeAlias = "Model | str | os.PathLike[str] | None"

SHORTEST_GAP_S: Final = 1e-6  # less is the rounding of the segments' onsets


def detect(
    source: Source,
    *,
    sfreq: float | None = None,
    ch_names: Sequence[str] | None = None,
    model: ModelLike = None,
    threshold: float | None = None,
    false_alarms_per_day: float | None = None,
) -> Detection:
    """Find the seizures in a recording.

    Parameters
    ----------
    source
        Path of a recording; an MNE Raw object; or microvolts (n_chans, n_times), then
        with `sfreq` in Hz and `ch_names`.
    model
        From `load_model`, or its name or folder; "student" if not given.
    threshold, false_alarms_per_day
        See `Model.settings`.

    Raises
    ------
    DistilClipError
        UnreadableRecordingError, TooFewLeadsError, ModelFolderError or ConfigError:
        the message says what to do.

    Examples
    --------
    >>> from distilclip_eeg import detect
    >>> found = detect("examples/chb01_03_1_eeg.edf")
    >>> found.duration_s, found.missing_leads, found.seizure_probability.shape
    (50.0, (), (50,))
    >>> [event.is_seizure for event in found.events]
    [True]
    >>> len(found.to_annotations())
    1
    """
    loaded = _loaded(model)
    settings = loaded.settings(
        threshold=threshold, false_alarms_per_day=false_alarms_per_day
    )
    recording = _opened(source, sfreq, ch_names)
    stream = StreamDetector(
        loaded,
        recording.ch_names,
        recording.sfreq,
        settings,
        start_time=recording.start_time,
    )
    for i, segment in enumerate(recording.segments):
        _pass_over(stream, segment.onset_s, is_new_segment=i > 0)
        stream.feed(recording.blocks(stream.montage.picks, i, BLOCK_S))
    _pass_over(stream, recording.duration_s)
    stream.close()
    found = stream.result()
    return replace(found, warnings=recording.warnings + found.warnings)


def encode_eeg(
    source: Source,
    model: ModelLike = None,
    *,
    sfreq: float | None = None,
    ch_names: Sequence[str] | None = None,
) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Encode a recording, window by window.

    Parameters
    ----------
    source, sfreq, ch_names, model
        As for `detect`.

    Returns
    -------
    embeddings
        (n_windows, D) unit length, comparable with `model.folder.prototypes`; NaN
        where a window holds no usable lead.
    onsets_s
        (n_windows,) seconds after the start of the recording.

    Examples
    --------
    >>> from distilclip_eeg import encode_eeg
    >>> embeddings, onsets_s = encode_eeg("examples/chb01_03_1_eeg.edf")
    >>> embeddings.shape, onsets_s.tolist()
    ((7, 256), [0.0, 7.0, 14.0, 21.0, 28.0, 35.0, 40.0])
    """
    loaded = _loaded(model)
    embeddings = [np.zeros((0, loaded.folder.prototypes.shape[1]), np.float32)]
    onsets_s = [np.zeros(0)]
    for segment_onset_s, windows in _windows(_opened(source, sfreq, ch_names), loaded):
        found = loaded.runtime.run(windows.eeg, windows.usable).window_embedding
        found[~np.any(windows.usable, axis=(1, 2))] = np.nan
        embeddings.append(found)
        onsets_s.append(segment_onset_s + windows.starts.astype(np.float64))
    return np.concatenate(embeddings), np.concatenate(onsets_s)


def _windows(recording: Recording, model: Model) -> Iterator[tuple[float, Windows]]:
    """Windows of all segments, and the onset of the segment that they count from."""
    montage = plan_montage(recording.ch_names)
    for i, segment in enumerate(recording.segments):
        conditioner = Conditioner(montage, recording.sfreq, model.signal)
        cutter = WindowCutter(model.signal)
        for block in recording.blocks(montage.picks, i, BLOCK_S):
            yield segment.onset_s, cutter.push(conditioner.push(block))
        yield segment.onset_s, cutter.push(conditioner.close())
        yield segment.onset_s, cutter.close()


def _pass_over(
    stream: StreamDetector, until_s: float, *, is_new_segment: bool = False
) -> None:
    silence_s = until_s - stream.time_s
    if is_new_segment or silence_s > SHORTEST_GAP_S:
        stream.gap(max(0.0, silence_s))


def _opened(
    source: Source, sfreq: float | None, ch_names: Sequence[str] | None
) -> Recording:
    if isinstance(source, np.ndarray):
        if sfreq is None or ch_names is None:
            raise ValueError(
                "an array of microvolts needs sfreq and ch_names beside it"
            )
        return ArrayRecording(source, sfreq, ch_names)
    if sfreq is not None or ch_names is not None:
        raise ValueError("sfreq and ch_names go with an array only")
    if isinstance(source, Recording):
        return source
    if isinstance(source, str | os.PathLike):
        return open_recording(Path(source))
    return RawRecording(source)


def _loaded(model: ModelLike) -> Model:
    if isinstance(model, Model):
        return model
    return _default_model() if model is None else load_model(model)


@lru_cache(maxsize=1)
def _default_model() -> Model:
    return load_model(DEFAULT_MODEL)
