"""Findings name what was put into the signal, and nothing that was not."""

from __future__ import annotations

import time
from collections.abc import Collection
from dataclasses import fields

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from distilclip_eeg.eeg.annotations import Event
from distilclip_eeg.eeg.findings import (
    REGIONS,
    Findings,
    Measured,
    course_of,
    kind_of,
    lobe_of,
    measure,
    place_of_leads,
    semiology_of,
    side_of,
)
from distilclip_eeg.eeg.montage import LEADS

SFREQ = 256
LEFT = [lead for lead in LEADS if lead[-1] in "1357"]
RIGHT = [lead for lead in LEADS if lead[-1] in "2468"]
ALL_USABLE = np.ones((18, 10), dtype=np.bool_)


def eeg(
    hz: float = 10.0,
    uv: float = 60.0,
    where: Collection[str] = LEADS,
    seconds: int = 10,
    noise_uv: float = 2.0,
) -> NDArray[np.float32]:
    """Noise everywhere and a sinusoid of `uv` from peak to trough in some leads."""
    rng = np.random.default_rng(0)
    x = rng.normal(0, noise_uv, (18, seconds * SFREQ))
    wave = uv / 2 * np.sin(2 * np.pi * hz * np.arange(x.shape[1]) / SFREQ)
    x[[LEADS.index(lead) for lead in where]] += wave
    return x.astype(np.float32)


def only(*leads: str) -> NDArray[np.bool_]:
    usable = np.zeros((18, 10), dtype=np.bool_)
    usable[[LEADS.index(lead) for lead in leads]] = True
    return usable


@pytest.mark.parametrize(
    ("hz", "rhythm"),
    [
        (1.5, "delta"),
        (3.2, "delta"),
        (4.6, "theta"),
        (6.0, "theta"),
        (8.5, "alpha"),
        (10.3, "alpha"),
        (14.0, "beta"),
        (25.0, "beta"),
    ],
)
def test_rhythm_is_named_with_its_frequency(hz: float, rhythm: str) -> None:
    found = measure(eeg(hz), ALL_USABLE)
    assert found.rhythm == rhythm
    assert found.frequency_hz == pytest.approx(hz, abs=0.25)
    assert found.rhythmicity > 0.5


@pytest.mark.parametrize("slope", [0.0, 0.5, 1.0, 1.5, 2.0])
def test_noise_has_no_rhythm(slope: float) -> None:
    rng = np.random.default_rng(1)
    spectrum = np.fft.rfft(rng.normal(0, 1, (18, 2560)))
    spectrum *= np.maximum(np.arange(1281) / 10, 0.5) ** (-slope / 2)
    noise = np.fft.irfft(spectrum)
    noise *= 20 / noise.std()
    found = measure(noise.astype(np.float32), ALL_USABLE)
    assert found.rhythm == "irregular"
    assert found.frequency_hz is None


@pytest.mark.parametrize(
    ("uv", "name"),
    [(15, "very low"), (45, "low"), (60, "medium"), (120, "medium"), (400, "high")],
)
def test_amplitude_is_peak_to_trough(uv: float, name: str) -> None:
    found = measure(eeg(uv=uv, noise_uv=0.5), ALL_USABLE)
    assert found.amplitude_uv == pytest.approx(uv, rel=0.03)
    assert found.amplitude == name


def test_a_burst_of_an_artefact_does_not_set_the_amplitude() -> None:
    x = eeg(uv=60)
    x[:, : 2 * SFREQ] *= 50
    assert measure(x, ALL_USABLE).amplitude == "medium"


def test_an_offset_changes_nothing() -> None:
    x = eeg(uv=60)
    found = measure(x + 5000, ALL_USABLE)
    assert found.amplitude_uv == pytest.approx(60, rel=0.05)
    assert found.rhythm == "alpha"


@pytest.mark.parametrize(
    ("where", "side", "region"),
    [
        (LEADS, "diffuse", "diffuse"),
        (LEFT, "left", "diffuse"),
        (RIGHT, "right", "diffuse"),
        (["F7-T7", "T7-P7"], "left", "temporal"),
        (["F8-T8", "T8-P8"], "right", "temporal"),
        (["FP1-F7", "FP1-F3", "FP2-F4", "FP2-F8"], "diffuse", "frontal"),
        (["FP2-F4", "FP2-F8"], "right", "frontal"),
        (["P7-O1", "P3-O1", "P4-O2", "P8-O2"], "diffuse", "occipital"),
        (["C3-P3"], "left", "parietal"),
        (["FZ-CZ", "CZ-PZ"], "midline", None),
    ],
)
def test_place_is_where_it_is_strongest(
    where: Collection[str], side: str, region: str | None
) -> None:
    found = measure(eeg(uv=120, where=where, noise_uv=5), ALL_USABLE)
    assert found.side == side
    assert found.region == region or region is None


def test_missing_leads_are_not_guessed() -> None:
    x = eeg(uv=120, where=LEFT)
    x[[LEADS.index(lead) for lead in RIGHT]] = 0
    found = measure(x, only(*LEFT))
    assert found.side == "unknown"
    assert found.rhythm == "alpha"
    assert measure(x, only("F7-T7", "T7-P7")).region == "unknown"


def test_sides_are_compared_over_leads_that_both_have() -> None:
    # The right side lacks its strong leads: no ground to call the left stronger.
    x = eeg(uv=200, where=["F7-T7", "T7-P7", "F8-T8", "T8-P8"])
    usable = ALL_USABLE.copy()
    usable[[LEADS.index("F8-T8"), LEADS.index("T8-P8")]] = False
    assert measure(x, usable).side == "diffuse"


def test_bad_seconds_are_left_out() -> None:
    x, usable = eeg(10, 60), ALL_USABLE.copy()
    x[:, 3 * SFREQ : 5 * SFREQ] = 4000 * eeg(5, 60, seconds=2)
    x[0, 3 * SFREQ] = np.nan
    usable[:, 3:5] = False
    found = measure(x, usable)
    assert found.rhythm == "alpha"
    assert found.amplitude_uv == pytest.approx(60, rel=0.05)


@given(
    data=st.data(),
    hz=st.sampled_from([2.5, 6.0, 10.0, 20.0]),
)
@settings(max_examples=30, deadline=None)
def test_what_is_not_usable_never_matters(data: st.DataObject, hz: float) -> None:
    bits = data.draw(st.lists(st.booleans(), min_size=180, max_size=180))
    usable = np.array(bits).reshape(18, 10)
    x = eeg(hz)
    poisoned = np.where(usable.repeat(SFREQ, axis=1), x, np.float32(np.nan))
    assert measure(poisoned, usable) == measure(x, usable)


def test_nothing_usable_is_nothing_said() -> None:
    nothing = Measured()
    assert measure(eeg(), ~ALL_USABLE) == nothing
    assert measure(eeg()[:, :100], ALL_USABLE[:, :1]) == nothing
    assert measure(eeg()[:, :0], ALL_USABLE[:, :0]) == nothing
    assert (nothing.rhythm, nothing.amplitude, nothing.side) == ("unknown",) * 3


def test_flat_leads_have_no_rhythm_and_no_place() -> None:
    found = measure(np.zeros((18, 2560), dtype=np.float32), ALL_USABLE)
    assert (found.rhythm, found.amplitude) == ("irregular", "low")
    assert (found.side, found.region) == ("unknown", "unknown")


@pytest.mark.parametrize("seconds", [1, 2, 3, 10, 60])
def test_any_length_from_a_second_on(seconds: int) -> None:
    usable = np.ones((18, seconds), dtype=np.bool_)
    found = measure(eeg(10, 60, seconds=seconds), usable)
    assert found.rhythm == "alpha"
    assert found.amplitude_uv == pytest.approx(60, rel=0.1)


def test_a_segment_takes_little_time() -> None:
    x = eeg()
    spent = []
    for _ in range(30):
        started = time.process_time()
        measure(x, ALL_USABLE)
        spent.append(time.process_time() - started)
    assert min(spent) < 0.01  # 0.001 on one core of an ordinary server


def test_findings_have_no_word_for_who_or_where_from() -> None:
    names = {field.name for kind in (Findings, Measured) for field in fields(kind)}
    assert names == {
        "state", "kind", "side", "lobe", "course", "semiology", "measured", "rhythm",
        "region", "frequency_hz", "rhythmicity", "amplitude", "amplitude_uv",
    }  # fmt: skip
    assert Findings("background").kind == "unknown"


@pytest.mark.parametrize(
    ("event_type", "signs"),
    [
        ("sz_foc_f2b", "to bilateral tonic-clonic"),
        ("sz_gen_m_tonicClonic", "tonic-clonic"),
        ("sz_foc_ia_m_tonic", "tonic"),
        ("sz-gen-nm-myoclonic", "myoclonic"),
        ("sz_gen_nm", "non-motor"),
        ("sz_foc_a_nm_behavior", "behaviour arrest"),
        ("sz_foc_ua_m", "motor"),
        ("sz_foc_ia", "unknown"),
        ("sz", "unknown"),
    ],
)
def test_signs_are_read_from_the_type(event_type: str, signs: str) -> None:
    assert semiology_of(event_type) == signs


def test_every_lead_has_a_region() -> None:
    assert tuple(REGIONS) == LEADS


@pytest.mark.parametrize(
    ("event_type", "kind"),
    [
        ("sz_foc_ia_m_tonic", "focal"),
        ("sz_foc", "focal"),
        ("sz-foc-a", "focal"),
        ("sz_foc_f2b", "focal"),
        ("sz_gen_m_tonicClonic", "generalised"),
        ("sz_gen", "generalised"),
        ("sz_uo_nm", "unknown"),
        ("sz", "unknown"),
        ("bckg", "unknown"),
    ],
)
def test_kind_of_event_type(event_type: str, kind: str) -> None:
    assert kind_of(event_type) == kind


def test_side_and_lobe_words() -> None:
    sides = [side_of(word) for word in ("left", "R", "bi", "un", "", "n/a")]
    assert sides == ["left", "right", "bilateral", "unknown", "unknown", "unknown"]
    lobes = [lobe_of(word) for word in ("temp", "front_temp", "cen_par", "ins", "un")]
    assert lobes == ["temporal", "frontal", "central", "insular", "unknown"]
    assert lobe_of("") == "unknown"


@pytest.mark.parametrize(
    ("channels", "side", "lobe"),
    [
        (["F7-T3", "T3-T5"], "left", "temporal"),
        (["EEG F8-T4"], "right", "temporal"),
        (LEADS, "bilateral", "unknown"),
        (["FP1-F7", "FP2-F8"], "bilateral", "frontal"),
        (["FZ-CZ"], "unknown", "central"),
        (["A1-T3", "TERM"], "unknown", "unknown"),
        ([], "unknown", "unknown"),
        (RIGHT, "right", "unknown"),
    ],
)
def test_place_of_marked_leads(channels: list[str], side: str, lobe: str) -> None:
    assert place_of_leads(channels) == (side, lobe)


@pytest.mark.parametrize(
    ("start_s", "course"),
    [
        (80, "unknown"),
        (90, "unknown"),
        (95, "onset"),
        (100, "onset"),
        (105, "middle"),
        (119.5, "middle"),
        (120, "end"),
        (125, "end"),
        (130, "unknown"),
    ],
)
def test_course(start_s: float, course: str) -> None:
    assert course_of(Event(100, 30), start_s, start_s + 10) == course


def test_short_event_inside_a_segment_shows_its_onset() -> None:
    assert course_of(Event(3, 4), 0, 10) == "onset"
