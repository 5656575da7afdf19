"""Side, lobe and kind of a seizure: true to the mirror, and unsaid where unseen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from distilclip_eeg.detection.detector import detect
from distilclip_eeg.detection.leads import Heard
from distilclip_eeg.detection.locating import (
    CLASSES,
    MIRROR,
    MIRRORED,
    Located,
    features,
    load_locator,
    locate,
    located,
    loudness,
    mirror_of_features,
    mirrored,
)
from distilclip_eeg.detection.models import load_model
from distilclip_eeg.eeg.events import Event, Place
from distilclip_eeg.eeg.montage import LEADS
from distilclip_eeg.evaluation import findings_scores, locator_fit
from distilclip_eeg.evaluation.findings_scores import Heard as Scored
from tiny_model import write_tiny_model

SFREQ = 256
N_CLASSES = len(CLASSES)
NONE: Mapping[str, float] = {}


def window(
    seed: int, loud_uv: Mapping[str, float] = NONE, lost: tuple[int, ...] = ()
) -> Heard:
    """Noise of 20 µV; a rhythm of 5 Hz between the electrodes that are named."""
    rng = np.random.default_rng(seed)
    eeg = rng.normal(0, 20, (len(LEADS), 10 * SFREQ))
    wave = np.sin(2 * np.pi * 5 * np.arange(10 * SFREQ) / SFREQ)
    for i, lead in enumerate(LEADS):
        first, second = lead.split("-")
        eeg[i] += (loud_uv.get(first, 0.0) - loud_uv.get(second, 0.0)) * wave
    usable = np.ones((len(LEADS), 10), bool)
    usable[list(lost)] = False
    return Heard(eeg.astype(np.float32), usable)


def flipped(told: Located) -> Located:
    other = {"left": "right", "right": "left"}
    side = told.place.side
    place = replace(told.place, side=other.get(side, side) if side else None)
    return told._replace(place=place)


def test_mirrors_are_mirrors() -> None:
    across = mirror_of_features()
    for there in (MIRROR, MIRRORED, across):
        np.testing.assert_array_equal(there[there], np.arange(len(there)))
    assert [LEADS[MIRROR[LEADS.index(lead)]] for lead in ("F7-T7", "FZ-CZ")] == [
        "F8-T8",
        "FZ-CZ",
    ]
    for (kind, side, lobe), there in zip(CLASSES, MIRRORED, strict=True):
        swapped = {"left": "right", "right": "left"}.get(side, side)
        assert CLASSES[there] == (kind, swapped, lobe)


def test_features_of_a_mirror_image_are_the_mirror_of_the_features() -> None:
    heard, before = window(0, {"T7": 60}, lost=(3,)), window(1)
    direct = features(mirrored(heard), loudness(mirrored(before)))
    turned = features(heard, loudness(before))[mirror_of_features()]
    np.testing.assert_allclose(direct, turned, rtol=1e-4, atol=1e-5)


@settings(max_examples=15, deadline=None)
@given(
    st.integers(0, 1000),
    st.dictionaries(
        st.sampled_from(["FP1", "F7", "T7", "O1", "C4", "P4"]), st.just(80.0)
    ),
    st.booleans(),
)
def test_exchanging_left_and_right_exchanges_the_sides(
    seed: int, loud_uv: dict[str, float], has_past: bool
) -> None:
    heard, before = window(seed, loud_uv), window(seed + 1) if has_past else None
    told = locate(heard, before)
    across = locate(mirrored(heard), before and mirrored(before))
    assert told is not None
    assert across is not None
    assert _rounded(across) == pytest.approx(_rounded(flipped(told)), abs=2e-3)
    assert (across.kind, across.place.side, across.place.lobe) == (
        (told := flipped(told)).kind,
        told.place.side,
        told.place.lobe,
    )


def _rounded(told: Located) -> list[float]:
    place = told.place
    sure = (told.kind_confidence, place.side_confidence, place.lobe_confidence)
    return [value or 0.0 for value in sure]


@pytest.mark.parametrize(("electrode", "side"), [("T7", "left"), ("T8", "right")])
def test_a_rhythm_at_the_temple_is_temporal(electrode: str, side: str) -> None:
    told = locate(window(2, {electrode: 150.0}), window(3))
    assert told is not None
    assert (told.event_type, str(told.place)) == ("sz_foc", f"{side} temporal")
    assert (told.place.side_confidence or 0) > 0.8


def test_with_few_leads_nothing_is_said() -> None:
    right = tuple(i for i, lead in enumerate(LEADS) if lead[-1] in "2468")
    assert locate(window(0, lost=tuple(range(9))), None) is None
    assert locate(window(0, lost=right), None) is None
    assert locate(window(0, lost=right[:5]), None) is not None


def test_lost_leads_and_a_lost_past_say_nothing() -> None:
    rows = features(window(0, lost=(4,)), None)
    assert np.isnan(rows[: 18 * 9]).all()  # nothing to have grown from
    assert np.isnan(rows[18 * 9 :].reshape(-1)).sum() == 9 + 2 * 17
    told = load_locator().log_probabilities(np.full_like(rows, np.nan))
    bare = load_locator().bias
    np.testing.assert_allclose(told, bare - np.logaddexp.reduce(bare))


@given(st.lists(st.floats(-30, 30), min_size=N_CLASSES, max_size=N_CLASSES))
def test_what_is_said_is_sure_enough(logs: list[float]) -> None:
    told = located(np.array(logs))
    assert told.place.side_confidence is None or told.place.side_confidence >= 0.5
    assert told.place.lobe_confidence is None or told.place.lobe_confidence >= 0.4
    assert 0.5 <= told.kind_confidence <= 1
    assert (told.kind == "unknown") == (told.kind_confidence < 0.8)
    assert told.event_type in {"sz", "sz_foc", "sz_gen"}


def test_of_a_generalised_seizure_no_lobe_is_said() -> None:
    logs = np.full(N_CLASSES, -9.0)
    logs[-1] = 0.0
    told = located(logs)
    assert (told.kind, told.place.side, told.place.lobe) == (
        "generalised",
        "bilateral",
        None,
    )


def test_an_event_of_a_simulated_recording_is_told(tmp_path: Path) -> None:
    """Whole way: a model that hears loudness alone, one loud focal seizure."""
    model = load_model(write_tiny_model(tmp_path / "model"))
    loud = [window(i, {"T8": 900.0}) for i in range(4)]
    parts = [*(window(9 + i) for i in range(5)), *loud, window(8)]
    eeg = np.concatenate([part.eeg for part in parts], axis=1)
    (event,) = detect(eeg, sfreq=SFREQ, ch_names=LEADS, model=model).events
    assert event.event_type == "sz_foc"
    assert event.type_confidence is not None
    assert str(event.place) == "right temporal"
    assert event.to_dict()["side"] == "right"


def test_numbers_are_fitted_from_examples_and_mirror_exactly(tmp_path: Path) -> None:
    examples = [locator_fit.draw_example(seed) for seed in range(23000, 23004)]
    again = locator_fit.draw_example(23000)
    np.testing.assert_array_equal(again.before.eeg, examples[0].before.eeg)
    assert {w.eeg.shape for e in examples for w in e.windows} == {(18, 2560)}
    numbers = locator_fit.fit(examples)
    locator_fit.write_numbers(tmp_path / "a.npz", numbers)
    with np.load(tmp_path / "a.npz") as kept:
        assert set(kept) == {"mean", "scale", "weight", "bias"}
    for weight in (numbers["weight"], load_locator().weight):
        turned: NDArray[np.floating] = weight[MIRRORED][:, mirror_of_features()]
        np.testing.assert_allclose(weight, turned, rtol=1e-5, atol=1e-7)


class TestScores:
    def heard(self, seed: int, side: str, told: str | None, lobe: str) -> Scored:
        place = Place(told, 0.9 if told else None, lobe, 0.7)
        found = replace(Event(0.0, 9.0, "sz_foc"), place=place)
        return Scored(seed, "sz_foc_ia", side, "temporal", 15.0, found)

    def test_what_is_not_said_is_not_right(self) -> None:
        some = [
            self.heard(0, "left", "left", "temporal"),
            self.heard(1, "left", "right", "frontal"),
            self.heard(2, "right", None, "temporal"),
            replace(self.heard(3, "left", "left", "temporal"), found=None),
            replace(self.heard(4, "left", "left", "temporal"), duration_s=9.0),
        ]
        told = findings_scores.scores(some, draws=50)
        assert (told["n_seizures"], told["n_found"]) == (5, 4)
        assert told["side"]["n"] == 3
        assert told["side"]["right"][0] == pytest.approx(1 / 3, abs=1e-4)
        assert told["side"]["right_if_said"][0] == 0.5
        assert told["lobe"]["right"][0] == pytest.approx(2 / 3, abs=1e-4)
        assert told["kind"]["right"][0] == 1.0
        assert told["10-20 s"]["side"]["n"] == 3
        assert told["sides"] == [
            ["left", "left", 1],
            ["left", "right", 1],
            ["right", "not said", 1],
        ]

    def test_the_event_that_shares_most_is_what_was_found(self) -> None:
        events = [Event(0.0, 12.0), Event(15.0, 10.0), Event(90.0, 5.0)]
        assert findings_scores.nearest(Event(10.0, 10.0), events) == events[1]
        assert findings_scores.nearest(Event(40.0, 10.0), events) is None

    def test_one_simulated_person(self, tmp_path: Path) -> None:
        model = load_model(write_tiny_model(tmp_path / "model"))
        (heard,) = findings_scores.hear(23000, model)
        assert (heard.event_type, heard.side) == ("sz_gen_nm", "bilateral")
        assert not heard.is_placed
