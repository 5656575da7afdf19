"""Predictions survive the way to disk and back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from distilclip_eeg.corpora.store import Marked, overlap_per_second
from distilclip_eeg.errors import CorpusError
from distilclip_eeg.evaluation.predictions import (
    Prediction,
    Stretch,
    read_predictions,
    save_predictions,
)

N = 60


def prediction(
    seizures: list[tuple[float, float]], name: str = "a/b.edf"
) -> Prediction:
    seconds = np.arange(float(N))
    odds = np.random.default_rng(len(seizures)).normal(0, 5, N)
    odds[3] = np.nan
    return Prediction(
        name=name,
        dataset="made up",
        patient=name[0],
        kind="seizure" if seizures else "background",
        log_odds=odds,
        ictal=overlap_per_second(seconds, seizures),
        labelled=(seconds >= 2) & (seconds < 50),
        seizures=tuple(Marked(on, end) for on, end in seizures),
    )


def test_round_trip(tmp_path: Path) -> None:
    made = [prediction([(10.25, 20.5), (30, 30.75)]), prediction([], "c")]
    save_predictions(tmp_path / "p.tsv", made)
    read = read_predictions(tmp_path / "p.tsv")
    for a, b in zip(made, read, strict=True):
        assert (a.name, a.dataset, a.patient, a.kind) == (
            *(b.name, b.dataset, b.patient),
            b.kind,
        )
        np.testing.assert_allclose(a.log_odds, b.log_odds, atol=5e-4)
        np.testing.assert_allclose(a.ictal, b.ictal, atol=5e-3)
        np.testing.assert_array_equal(a.labelled, b.labelled)
        assert a.labelled_s == b.labelled_s
        assert list(a.labelled_s) == [2, 50]
        assert a.seizures == b.seizures


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 50), st.integers(1, 99)), max_size=3))
def test_seizures_are_read_off_the_seconds(
    tmp_path_factory: pytest.TempPathFactory, drawn: list[tuple[int, int]]
) -> None:
    """Those that leave a whole second between them."""
    spans: list[tuple[float, float]] = []
    for start, hundredths in sorted(drawn):
        begin = start + hundredths / 100
        if not spans or begin > spans[-1][1] + 2:
            spans.append((begin, round(min(float(N), begin + hundredths / 10), 2)))
    path = tmp_path_factory.mktemp("p") / "p.tsv"
    save_predictions(path, [prediction(spans)])
    (read,) = read_predictions(path)
    assert len(read.seizures) == len(spans)
    for found, (onset, end) in zip(read.seizures, spans, strict=True):
        if np.floor(onset) < np.floor(end - 1e-9):  # else only its length is known
            assert found.onset_s == pytest.approx(onset, abs=0.011)
            assert found.end_s == pytest.approx(end, abs=0.011)
        assert found.end_s - found.onset_s == pytest.approx(end - onset, abs=0.021)


def test_what_is_no_table_is_named(tmp_path: Path) -> None:
    path = tmp_path / "p.tsv"
    path.write_text("recording\tsecond\n")
    with pytest.raises(CorpusError, match="no column 'dataset'"):
        read_predictions(path)
    save_predictions(path, [prediction([])])
    path.write_text(path.read_text().replace("\t1\t0.00\t", "\t1\tmany\t"))
    with pytest.raises(CorpusError, match="no number"):
        read_predictions(path)


def test_without_stretches_the_whole_is_one() -> None:
    (part,) = prediction([]).parts
    assert (part.onset_s, part.length_s) == (0, N)
    assert part.available_s.tolist() == list(range(1, N + 1))


def test_the_last_second_may_be_short() -> None:
    made = prediction([])
    short = Stretch(0.0, 59.5, made.log_odds, np.arange(1.0, N + 1))
    seen = np.ones(N, bool)
    cut = Prediction(
        "a", "d", "p", "background", made.log_odds, made.ictal, seen, (), (), (short,)
    )
    assert cut.labelled_s == (0, 59.5)


def test_nothing_labelled() -> None:
    made = prediction([])
    blind = Prediction(
        "a", "d", "p", "background", made.log_odds, made.ictal, np.zeros(N, bool), ()
    )
    assert blind.labelled_s == (0, 0)
