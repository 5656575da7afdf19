"""Maps of leads by seconds: what counts, what does not, and where they come from."""

from __future__ import annotations

import doctest
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from distilclip_eeg.detection.models import Model
from distilclip_eeg.detection.result import Detection, ModelIdentity
from distilclip_eeg.detection.runtime import Runtime
from distilclip_eeg.eeg.annotations import Event
from distilclip_eeg.eeg.montage import LEADS
from distilclip_eeg.eeg.recording import ArrayRecording
from distilclip_eeg.explain import places
from distilclip_eeg.explain.ecam import LeadMap, ecam_at, ecam_of_event
from distilclip_eeg.explain.ecam_classes import (
    APART_S,
    SEGMENT_S,
    alike,
    maps_by_class,
    mean_map,
    quiet_starts,
)
from distilclip_eeg.explain.places import lobes_of, side_of_lead, table
from tiny_model import write_tiny_folder

SFREQ = 256
LOUD, ALWAYS = "T7-P7", "F4-C4"


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    folder = write_tiny_folder(tmp_path_factory.mktemp("models") / "tiny")
    return Model(folder, Runtime(folder, "f32"))


def recorded(
    n_seconds: int, leads: tuple[str, ...] = LEADS, **loud: tuple[float, int, int]
) -> ArrayRecording:
    """Noise of 5 µV at 10 Hz; `T7_P7=(100, 30, 40)` is 100 µV from second 30 to 40."""
    rng = np.random.default_rng(0)
    times = np.arange(n_seconds * SFREQ) / SFREQ
    eeg = rng.normal(0, 5, (len(leads), len(times))).astype(np.float32)
    for name, (size_uv, first, last) in loud.items():
        inside = (times >= first) & (times < last)
        wave = size_uv * np.sin(2 * np.pi * 10 * times) * inside
        eeg[leads.index(name.replace("_", "-"))] += wave.astype(np.float32)
    return ArrayRecording(eeg, SFREQ, leads, name="made")


def test_what_began_with_the_event_counts(model: Model) -> None:
    """A lead three times as loud, but loud all along, does not."""
    recording = recorded(60, T7_P7=(100, 30, 45), F4_C4=(300, 0, 60))
    found = ecam_of_event(recording, Event(30.0, 15.0, "sz"), model)
    assert found.against == "before"
    assert found.strongest == (LOUD,)
    assert found.place == "left temporal"
    assert abs(found.by_lead[LEADS.index(ALWAYS)]) < 0.1 * found.by_lead.max()


def test_without_a_past_the_loudest_counts(model: Model) -> None:
    """Nothing can be told from what was before: leads are left out in turn."""
    recording = recorded(30, T7_P7=(100, 0, 15), F4_C4=(300, 0, 30))
    found = ecam_of_event(recording, Event(0.0, 15.0, "sz"), model)
    assert found.against == "masked"
    assert found.strongest[0] == ALWAYS


@pytest.mark.parametrize("onset_s", [4, 6, 9])
def test_a_short_past_is_gone_over_again(model: Model, onset_s: int) -> None:
    recording = recorded(30, T7_P7=(100, onset_s, 20), F4_C4=(300, 0, 30))
    found = ecam_of_event(recording, Event(onset_s, 20.0 - onset_s, "sz"), model)
    assert (found.against, found.strongest) == ("before", (LOUD,))
    assert found.onset_s == max(0, onset_s - 5)


def test_columns_are_seconds_of_the_recording(model: Model) -> None:
    recording = recorded(60, T7_P7=(100, 33, 36))
    found = ecam_of_event(recording, Event(30.0, 10.0, "sz"), model, shown_s=12)
    assert found.values.shape == (18, 12)
    row = found.values[LEADS.index(LOUD)]
    seconds = found.onset_s + np.flatnonzero(row > 0.5 * np.nanmax(row))
    # The tiny model's window score is shared by all its seconds, so half is the floor.
    assert {33, 34, 35} <= set(seconds.tolist())
    assert (found.first, found.last) == (5, 10)


def test_missing_leads_are_unknown(model: Model) -> None:
    leads = tuple(lead for lead in LEADS if "O" not in lead)
    recording = recorded(60, leads, T7_P7=(100, 30, 45))
    found = ecam_of_event(recording, Event(30.0, 15.0, "sz"), model)
    unknown = [lead for lead, v in zip(LEADS, found.by_lead, strict=True) if v != v]
    assert unknown == [lead for lead in LEADS if "O" in lead]
    assert found.strongest == (LOUD,)


def test_event_at_the_very_end(model: Model) -> None:
    recording = recorded(33, T7_P7=(100, 31, 33))
    found = ecam_of_event(recording, Event(31.0, 2.0, "sz"), model)
    assert found.strongest == (LOUD,)
    assert np.isnan(found.values[:, 33 - found.onset_s :]).all()


def test_at_a_time_within_an_event_tells_from_before_it(model: Model) -> None:
    recording = recorded(90, T7_P7=(100, 30, 80), F4_C4=(300, 0, 90))
    event = Event(30.0, 50.0, "sz")
    assert ecam_at(recording, 70, model, [event]).strongest == (LOUD,)
    # Nobody says that an event goes on: what was there 10 s before is no news.
    alone = ecam_at(recording, 70, model)
    assert abs(alone.by_lead[LEADS.index(LOUD)]) < 0.1


@pytest.mark.parametrize("at_s", [0.0, 3.0, 29.9])
def test_at_the_edges_the_window_stays_inside(model: Model, at_s: float) -> None:
    found = ecam_at(recorded(30), at_s, model)
    assert 0 <= found.onset_s <= 20
    assert found.values.shape == (18, 10)


def test_another_way_to_ask(model: Model) -> None:
    """A method sees windows of 18 leads and what was before; its numbers are kept."""

    def ask(now: object, before: object) -> NDArray[np.float32]:
        assert before is not None
        return np.full((18, 10), 2, np.float32)

    found = ecam_of_event(recorded(60), Event(30.0, 9.0, "sz"), model, method=ask)
    assert (found.values == 2).all()


def test_dict_is_json(model: Model) -> None:
    leads = tuple(lead for lead in LEADS if "O" not in lead)
    recording = recorded(60, leads, T7_P7=(100, 30, 45))
    found = ecam_of_event(recording, Event(30.0, 15.0, "sz"), model)
    values = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert values["averaged_s"] == [30, 35]
    assert values["strongest"] == [LOUD]
    assert values["values"][LEADS.index("P7-O1")] == [None] * 20


def lead_map_of(row: float, **changes: object) -> LeadMap:
    values = np.full((18, 10), row, np.float32)
    given = {"onset_s": 0, "values": values, "first": 0, "last": 10}
    return LeadMap(**{**given, "against": "before", **changes})  # type: ignore[arg-type]


def test_evidence_is_what_a_lead_carries_times_how_it_grew() -> None:
    values = np.zeros((18, 10), np.float32)
    values[2], values[3], values[4] = 2.0, 3.0, -5.0
    growth = np.zeros(18, np.float32)
    growth[[2, 3, 4]] = 1.0, 0.5, 9.0
    found = lead_map_of(0, values=values, growth=growth)
    assert found.evidence[2] == 1
    assert found.evidence[3] == pytest.approx(0.75)
    assert found.evidence[4] == 0
    assert found.strongest == (LEADS[2], LEADS[3])
    alone = lead_map_of(0, values=values)
    assert alone.strongest == (LEADS[3], LEADS[2])


def test_unknown_leads_have_no_evidence() -> None:
    found = lead_map_of(np.nan)
    assert np.isnan(found.evidence).all()
    assert found.strongest == ()


def test_no_lead_speaks_for_a_seizure() -> None:
    found = lead_map_of(-1.0)
    assert (found.strongest, found.place) == ((), "")


def test_mean_leaves_out_what_is_unknown() -> None:
    known, unknown = lead_map_of(2.0), lead_map_of(4.0)
    unknown.values[0] = np.nan
    mean = mean_map([known, unknown])
    assert mean.n == 2
    assert mean.by_lead[0] == pytest.approx(2.0)
    assert mean.by_lead[1] == pytest.approx(3.0)
    with pytest.raises(ValueError, match="no maps"):
        mean_map([])


def test_only_maps_asked_alike_are_averaged() -> None:
    told, masked = lead_map_of(1), lead_map_of(1, against="masked")
    assert alike([masked, told]) == [told]
    assert alike([masked]) == [masked]


def detection_of(probability: list[float], *events: Event) -> Detection:
    return Detection(
        duration_s=float(len(probability)),
        start_time=None,
        missing_leads=(),
        warnings=(),
        quality={},
        seizure_probability=np.array(probability, np.float32),
        events=events,
        model=ModelIdentity("tiny", "0"),
        settings=None,  # type: ignore[arg-type]
    )


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.floats(0, 1), min_size=0, max_size=120),
    st.integers(0, 100),
    st.integers(1, 40),
)
def test_normal_segments_keep_off_events_and_each_other(
    probability: list[float], onset: int, duration: int
) -> None:
    event = Event(float(onset), float(duration), "sz")
    starts = quiet_starts(detection_of(probability, event))
    for start in starts:
        assert 0 <= start <= len(probability) - SEGMENT_S
        apart = start + SEGMENT_S <= onset - APART_S
        assert apart or start >= onset + duration + APART_S
    gaps = np.diff(sorted(starts))
    assert (gaps >= SEGMENT_S).all()


def test_calmest_first() -> None:
    probability = [0.5] * 20 + [0.1] * 15 + [0.5] * 20
    assert quiet_starts(detection_of(probability))[0] == 20


def test_classes_differ(model: Model) -> None:
    recording = recorded(120, T7_P7=(100, 60, 80))
    event = Event(60.0, 20.0, "sz", confidence=0.9)
    detection = detection_of([0.1] * 120, event)
    found = maps_by_class(recording, detection, model)
    assert [m.strongest for m in found["seizure"]] == [(LOUD,)]
    assert len(found["background"]) >= 3
    normal = mean_map(alike(found["background"]))
    assert np.abs(normal.by_lead).max() < 0.2 * found["seizure"][0].by_lead.max()


def test_every_lead_has_a_place() -> None:
    assert [row[0] for row in table()] == list(LEADS)
    assert lobes_of("F7-T7") == ("frontal", "temporal")
    assert lobes_of("P7-O1") == ("temporal", "occipital")
    sides = [side_of_lead(lead) for lead in LEADS]
    assert (sides.count("left"), sides.count("right")) == (8, 8)
    assert side_of_lead("CZ-PZ") == "bilateral"


def test_examples_of_places() -> None:
    outcome = doctest.testmod(places)
    assert (outcome.attempted, outcome.failed) == (3, 0)
