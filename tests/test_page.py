"""A page of EEG shows the signal that the model hears, at the scale that it states."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import numpy as np
import pytest

from distilclip_eeg.config import SignalConfig
from distilclip_eeg.eeg.annotations import Event
from distilclip_eeg.eeg.montage import LEADS, plan_montage
from distilclip_eeg.eeg.recording import ArrayRecording
from distilclip_eeg.eeg.signal import Conditioner
from distilclip_eeg.explain.drawing import (
    CHAINS,
    LEAD_MM,
    clock,
    describe,
    draw_page,
    lead_positions_mm,
    save_figure,
    sensitivity_uv_per_mm,
)
from distilclip_eeg.explain.page import PAGE_S, Page, page_start, read_page

SFREQ = 256
SIGNAL = SignalConfig()
EVENT = Event(12.0, 30.0, confidence=0.9, channels=("F7-T7",))


def recording(n_seconds: int, ch_names: tuple[str, ...] = LEADS) -> ArrayRecording:
    rng = np.random.default_rng(0)
    x = rng.normal(0, 40, (len(ch_names), n_seconds * SFREQ)).cumsum(axis=1) / 20
    return ArrayRecording(x.astype(np.float32), SFREQ, ch_names)


def flat_page(uv: float, n_seconds: int = PAGE_S) -> Page:
    n_leads = len(LEADS)
    return Page(
        0,
        np.full((n_leads, n_seconds * SFREQ), uv, np.float32),
        np.ones((n_leads, n_seconds), bool),
        np.ones(n_leads, bool),
        SIGNAL,
    )


def silence(n_seconds: int) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    return np.zeros(n_seconds, np.float32)


def test_page_is_what_the_stream_hears() -> None:
    whole = recording(90)
    conditioner = Conditioner(plan_montage(whole.ch_names), SFREQ, SIGNAL)
    heard = conditioner.push(whole.read(range(len(LEADS)), 0, 0, 90 * SFREQ))
    page = read_page(whole, 60, PAGE_S, SIGNAL)
    expected = heard.leads[:, 60 * SFREQ : 80 * SFREQ]
    np.testing.assert_allclose(page.leads_uv, expected, atol=0.5)
    assert page.usable.all()


def test_nothing_is_drawn_after_the_end_or_in_missing_leads() -> None:
    page = read_page(recording(8, LEADS[:8]), 0, PAGE_S, SIGNAL)
    assert page.present.tolist() == [True] * 8 + [False] * 10
    assert np.isfinite(page.leads_uv[:8, : 8 * SFREQ]).all()
    assert np.isnan(page.leads_uv[:, 8 * SFREQ :]).all()
    assert np.isnan(page.leads_uv[8:]).all()
    assert not page.usable[:, 8:].any()


@pytest.mark.parametrize(
    ("duration_s", "events", "expected"),
    [
        (3600, [EVENT], 6),
        (3600, [EVENT, Event(100.5, 20, confidence=0.95)], 94),
        (25, [EVENT], 5),
        (2, [Event(0, 2)], 0),
        (3600, [], 490),
    ],
)
def test_page_starts_before_the_surest_event(
    duration_s: float, events: list[Event], expected: int
) -> None:
    probability = silence(3600)
    probability[500] = 0.4
    assert page_start(duration_s, events, probability) == expected


def test_leads_stand_in_their_chains() -> None:
    positions, height = lead_positions_mm()
    steps = np.diff(positions)
    ends = np.cumsum([n for _, n, _ in CHAINS])[:-1] - 1
    assert len(positions) == len(LEADS)
    assert np.delete(steps, ends) == pytest.approx(LEAD_MM)
    assert (steps[ends] > LEAD_MM).all()
    assert max(positions) < height


@pytest.mark.parametrize(("uv", "expected"), [(5, 7), (80, 10), (250, 30), (9e3, 100)])
def test_sensitivity_follows_amplitude(uv: float, expected: int) -> None:
    assert sensitivity_uv_per_mm(flat_page(uv)) == expected


def test_negative_goes_up_by_the_stated_scale() -> None:
    page = flat_page(-30.0)
    uv_per_mm = sensitivity_uv_per_mm(page)
    axes = draw_page(page, [], silence(PAGE_S)).axes[0]
    first = lead_positions_mm()[0][0]
    drawn = [line for line in axes.lines if len(line.get_xdata()) == PAGE_S * SFREQ]  # type: ignore[arg-type]
    y = np.asarray(drawn[0].get_ydata())
    assert y == pytest.approx(first - 30.0 / uv_per_mm)
    low, high = axes.get_ylim()
    assert low > high  # the axis points down, so a smaller y is higher on the page


def texts(page: Page, events: list[Event], **options: object) -> str:
    figure = draw_page(page, events, silence(60), **options)  # type: ignore[arg-type]
    found = [text.get_text() for text in figure.texts]
    for axes in figure.axes:
        found += [text.get_text() for text in axes.texts]
    return "\n".join(found)


def test_page_says_what_it_shows() -> None:
    start = datetime(2020, 1, 1, 23, 59, 50)
    said = texts(flat_page(80), [EVENT], threshold=0.5, title="night", start_time=start)
    for words in (
        "night",
        "seizure 0:00:12 to 0:00:42 (30 s), confidence 0.90",
        "onset 0:00:12",
        "threshold\n0.50",
        "10 µV/mm · 15 mm/s",
        "negative up",
        "0:00:10\n00:00:00",
        "Fp1–F7",
    ):
        assert words in said, words


def test_page_without_event_says_so() -> None:
    assert "no seizure detected" in texts(flat_page(80), [])
    later = [Event(50.0, 5.0)]
    assert "no seizure detected on this page" in texts(flat_page(80), later)


def test_missing_leads_are_named() -> None:
    page = read_page(recording(30, LEADS[:10]), 0, PAGE_S, SIGNAL)
    assert texts(page, []).count("not in this recording") == 8


@pytest.mark.parametrize("suffix", [".png", ".svg"])
def test_picture_appears_whole(tmp_path: Path, suffix: str) -> None:
    page = read_page(recording(2), 0, PAGE_S, SIGNAL)
    path = tmp_path / f"page{suffix}"
    gap = np.array([0.5, np.nan], np.float32)
    save_figure(draw_page(page, [Event(0.0, 2.0)], gap), path)
    assert [p.name for p in tmp_path.iterdir()] == [path.name]
    magic = {".png": b"\x89PNG", ".svg": b"<?xml"}[suffix]
    assert path.read_bytes().startswith(magic)


def test_words() -> None:
    assert clock(3 * 3600 + 62.9) == "3:01:02"
    assert describe(Event(1.0, 2.0)) == "seizure 0:00:01 to 0:00:03 (2 s)"
