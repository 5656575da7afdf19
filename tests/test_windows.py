"""Windows stand where they should, and a second is the mean of those that see it."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from distilclip_eeg.detection.models import Model, load_model
from distilclip_eeg.detection.windows import (
    SecondScorer,
    WindowCutter,
    Windows,
    log_odds,
)
from distilclip_eeg.eeg.signal import Conditioned
from tiny_model import write_tiny_folder


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    path = tmp_path_factory.mktemp("models") / "tiny"
    return load_model(write_tiny_folder(path).path, threads=1)


def conditioned(n_seconds: int, first: int = 0) -> Conditioned:
    """Seconds whose samples are their own number."""
    leads = np.repeat(np.arange(first, first + n_seconds, dtype=np.float32), 256)
    usable = np.ones((18, n_seconds), bool)
    return Conditioned(np.tile(leads, (18, 1)), usable, {})


@pytest.mark.parametrize(
    ("n_seconds", "starts"),
    [
        (0, []),
        (1, [0]),
        (9, [0]),
        (10, [0]),
        (12, [0, 2]),
        (15, [0, 5]),
        (19, [0, 5, 9]),
        (20, [0, 5, 10]),
    ],
)
@pytest.mark.parametrize("step", [1, 7, 20])
def test_windows_stand_where_they_should(
    model: Model, n_seconds: int, starts: list[int], step: int
) -> None:
    cutter = WindowCutter(model.signal)
    parts = [
        cutter.push(conditioned(min(step, n_seconds - first), first))
        for first in range(0, n_seconds, step)
    ]
    parts.append(cutter.close())
    assert [int(start) for part in parts for start in part.starts] == starts
    for part in parts:
        for start, eeg, usable in zip(part.starts, part.eeg, part.usable, strict=True):
            there = min(10, n_seconds)
            seconds = eeg.reshape(18, 10, 256)
            assert (seconds[:, :there, 0] == start + np.arange(there)).all()
            assert (seconds == seconds[:, :, :1]).all()
            assert usable[:, :there].all()
            assert not usable[:, there:].any()


@pytest.mark.parametrize("n_seconds", [4, 10, 30, 33, 39])
@pytest.mark.parametrize("step", [1, 8, 60])
def test_second_is_the_mean_of_its_windows(
    model: Model, n_seconds: int, step: int
) -> None:
    rng = np.random.default_rng(0)
    loudness_uv = rng.uniform(5, 40, n_seconds).repeat(256)
    x = (rng.normal(0, 1, (18, n_seconds * 256)) * loudness_uv).astype(np.float32)
    parts = [
        Conditioned(part, np.ones((18, part.shape[1] // 256), bool), {})
        for part in np.split(x, range(step * 256, x.shape[1], step * 256), axis=1)
    ]
    scorer = SecondScorer(model.runtime, model.signal, 0)
    scored = [window for part in parts for window in scorer.push(part)]
    scored += scorer.close()
    settled = np.concatenate([window.settled for window in scored])

    cutter = WindowCutter(model.signal)
    cut = [*(cutter.push(part) for part in parts), cutter.close()]
    starts = np.concatenate([windows.starts for windows in cut])
    odds = [window_odds(model, windows) for windows in cut]
    seen = np.full((len(starts), n_seconds + 10), np.nan)
    for row, start, values in zip(seen, starts, np.concatenate(odds), strict=True):
        # What regular windows have settled, a last one out of step does not change.
        settled_before = start if start % 5 == 0 else start + 5 - start % 5
        row[settled_before : start + 10] = values[settled_before - start :]
    np.testing.assert_allclose(
        settled, np.nanmean(seen[:, :n_seconds], axis=0), atol=1e-4
    )


def window_odds(model: Model, windows: Windows) -> NDArray[np.float64]:
    """(W, S) seizure log-odds of each second, by each window alone."""
    scores = model.runtime.run(windows.eeg, windows.usable)
    logits = (scores.second_logits + scores.window_logits[:, None]) / 2
    odds: NDArray[np.float64] = logits[..., 1] - logits[..., 0]
    return odds


def test_seizure_is_every_class_but_background() -> None:
    logits = np.array([[1.0, 2.0, 0.5], [0.0, 0.0, 0.0]])
    odds = log_odds(logits, background=1)
    p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    np.testing.assert_allclose(1 / (1 + np.exp(-odds)), 1 - p[:, 1])
