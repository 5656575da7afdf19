"""What the figures of a report show is what was measured, on screen and in grey."""

from __future__ import annotations

import base64
import io
import re
from datetime import datetime
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from matplotlib.image import imread
from numpy.typing import NDArray

from distilclip_eeg.config import SignalConfig
from distilclip_eeg.eeg.annotations import Event
from distilclip_eeg.eeg.montage import LEADS
from distilclip_eeg.explain.page import Page
from distilclip_eeg.review.report import shades
from distilclip_eeg.review.report.clocks import Clock, lasting
from distilclip_eeg.review.report.event_figure import EventFigure, Looked, draw
from distilclip_eeg.review.report.event_pages import first_second, most_certain
from distilclip_eeg.review.report.markup import Markup, element, number
from distilclip_eeg.review.report.traces import (
    LEAD_MM,
    SPEED_MM_PER_S,
    UNITS_PER_MM,
    baselines_mm,
    lines,
    uv_per_mm,
)
from distilclip_eeg.review.report.trend_figure import highest

SFREQ = 256
N_SECONDS = 15
CSS = (
    Path(__file__).parent.parent / "src/distilclip_eeg/review/report/report.css"
).read_text(encoding="utf-8")


def page(uv: NDArray[np.floating] | float) -> Page:
    shape = (len(LEADS), N_SECONDS * SFREQ)
    return Page(
        0,
        np.broadcast_to(np.asarray(uv, np.float32), shape).copy(),
        np.ones((len(LEADS), N_SECONDS), bool),
        np.ones(len(LEADS), bool),
        SignalConfig(),
    )


def points_mm(d: str) -> NDArray[np.float64]:
    """Follow a path: (n, 2) millimetres along and down."""
    steps = np.array(re.findall(r"-?\d+", d), np.int64).reshape(-1, 2)
    return steps.cumsum(axis=0) / UNITS_PER_MM


def test_a_trace_is_the_signal_at_the_stated_scale() -> None:
    t = np.arange(N_SECONDS * SFREQ) / SFREQ
    wave = 80 * np.sin(2 * np.pi * t)
    drawn = [points_mm(line.d) for line in lines(page(wave), 10)]
    assert len(drawn) == len(LEADS)
    along, down = drawn[0].T
    assert along[-1] == pytest.approx(N_SECONDS * SPEED_MM_PER_S, abs=0.5)
    assert down.max() == pytest.approx(8.0, abs=0.1)  # positive goes down
    expected = 8 * np.sin(2 * np.pi * along / SPEED_MM_PER_S)
    assert abs(down - expected).max() < 1.3  # one column is a fiftieth of a second
    assert abs(down - expected).mean() < 0.4


def test_a_spike_of_one_sample_keeps_its_height() -> None:
    uv = np.zeros((len(LEADS), N_SECONDS * SFREQ))
    uv[4, 1001] = -90
    line = next(line for line in lines(page(uv), 10) if line.lead == 4)
    assert points_mm(line.d)[:, 1].min() == pytest.approx(-9.0)


def test_what_cannot_be_trusted_is_a_line_of_its_own() -> None:
    torn = page(20.0)
    torn.usable[3, 5:7] = False
    torn.leads_uv[6, : 4 * SFREQ] = np.nan
    torn.present[8] = False
    found = list(lines(torn, 10))
    assert [x.is_trusted for x in found if x.lead == 3] == [True, False, True]
    grey = points_mm([x.d for x in found if x.lead == 3][1])[:, 0]
    assert (grey[0], grey[-1]) == pytest.approx((75, 105), abs=0.4)
    (late,) = [points_mm(x.d) for x in found if x.lead == 6]
    assert late[0, 0] == pytest.approx(60, abs=0.4)
    assert not [x for x in found if x.lead == 8]


@pytest.mark.parametrize(("uv", "expected"), [(5, 7), (50, 10), (150, 30), (9e3, 100)])
def test_sensitivity_follows_amplitude(uv: float, expected: int) -> None:
    assert uv_per_mm(page(uv)) == expected


def test_leads_stand_apart_by_chain() -> None:
    positions, height = baselines_mm()
    assert len(positions) == len(LEADS)
    assert min(b - a for a, b in pairwise(positions)) == pytest.approx(LEAD_MM)
    assert positions[-1] + LEAD_MM / 2 < height


def figure(looked: Looked, shown: Page, *events: Event) -> Markup:
    values = EventFigure(
        shown, events, (), looked, np.full(60, 0.5, np.float32), 0.6, 10, Clock(None)
    )
    return draw(values, "frame-1", "EEG", "in words")


def test_the_tint_stands_where_the_model_looked() -> None:
    by_second = np.zeros((len(LEADS), N_SECONDS))
    by_second[2, 7], by_second[16, 3] = 1.0, 0.3
    looked = Looked(by_second, by_second.max(axis=1), "before")
    drawn = figure(looked, page(0.0), Event(5.0, 30.0, channels=("T7-P7",)))
    tinted = re.findall(r'class="tint-(\d)" d="M([\d.]+) ([\d.]+)', drawn)
    tinted += re.findall(r'd="M([\d.]+) ([\d.]+)[^"]*" class="tint-(\d)"', drawn)
    flat = sorted(tuple(map(float, found)) for found in tinted)
    positions, _ = baselines_mm()
    assert [len(flat), drawn.count('class="share"')] == [2, 2]
    places = {(round(a, 1), round(b, 1)) for *_, a, b in (sorted(f) for f in flat)}
    for lead, second in ((2, 7), (16, 3)):
        x = 24 + second * SPEED_MM_PER_S
        y = 6 + positions[lead] - LEAD_MM / 2 + 0.2
        assert tuple(sorted((round(x, 1), round(y, 1)))) in places
    assert "onset 0:00:05" in drawn
    assert 'class="lead named"' in drawn


def test_fifty_pages_of_the_worst_signal_fit_in_ten_megabytes() -> None:
    rng = np.random.default_rng(0)
    shown = page(rng.normal(0, 80, (len(LEADS), N_SECONDS * SFREQ)))
    everywhere = np.ones((len(LEADS), N_SECONDS))
    looked = Looked(everywhere, everywhere.max(axis=1), "before")
    assert len(figure(looked, shown, Event(5.0, 30.0))) < 190_000


def luminance(colour: str) -> float:
    """Relative luminance, WCAG 2."""
    rgb = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


def contrast(a: str, b: str) -> float:
    light, dark = sorted((luminance(a), luminance(b)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def of_css(pattern: str) -> str:
    found = re.search(pattern, CSS)
    assert found, pattern
    return found[1]


def test_scales_darken_so_that_grey_keeps_the_order() -> None:
    light = [luminance(shades.hexadecimal(tuple(c))) for c in shades.table().tolist()]
    assert all(a > b for a, b in pairwise(light))
    tints = [of_css(rf"\.tint-{k} {{ fill: (#\w+)") for k in range(4)]
    steps = [1.0, *map(luminance, tints)]
    assert all(a - b > 0.08 for a, b in pairwise(steps))


def test_what_is_written_can_be_read() -> None:
    for name in ("ink", "soft", "link"):
        colour = of_css(rf"--{name}: (#\w+)")
        assert contrast(colour, "#ffffff") > 7
    darkest = of_css(r"\.tint-3 { fill: (#\w+)")
    for side in ("left", "right"):
        assert contrast(of_css(rf"--{side}: (#\w+)"), darkest) > 3.5


def test_image_holds_the_values() -> None:
    values = np.array([[0.0, 1.0, np.nan], [0.5, -9.0, 9.0]])
    uri = shades.data_uri(values, 0.0, 1.0)
    head, _, data = uri.partition(",")
    assert head == "data:image/png;base64"
    pixels = np.round(imread(io.BytesIO(base64.b64decode(data)), "png") * 255)
    light, dark = shades.ANCHORS[0], shades.ANCHORS[-1]
    assert pixels[0, 0, :3].tolist() == pixels[1, 1, :3].tolist() == list(light)
    assert pixels[0, 1, :3].tolist() == pixels[1, 2, :3].tolist() == list(dark)
    assert pixels[0, :, 3].tolist() == [255, 255, 0]


def test_a_column_shows_its_highest_probability() -> None:
    probability = np.array([0.1, 0.9, np.nan, np.nan, 0.2], np.float32)
    values, width = highest(probability, columns=3)
    assert width == 2
    np.testing.assert_allclose(values, [0.9, np.nan, 0.2], rtol=1e-6)


def test_text_can_never_be_markup() -> None:
    made = element("p", "<b>&", element("i", "x"), title='"><script>', class_="a")
    assert made == (
        '<p title="&quot;&gt;&lt;script&gt;" class="a">&lt;b&gt;&amp;<i>x</i></p>'
    )
    assert element("input", checked=True, hidden=False, x=1.5) == (
        '<input checked x="1.5">'
    )
    assert [number(x) for x in (0.0, -0.0001, 2.50, 100.0)] == ["0", "0", "2.5", "100"]


def test_clock_says_the_time_of_day_where_it_is_known() -> None:
    night = Clock.of(datetime(2019, 3, 2, 23, 59, 50))
    assert night.words(3.9) == "23:59:53"
    assert night.words(20) == "00:00:10 (+1 d)"
    assert night.is_dated
    no_date = Clock.of(datetime(1985, 1, 1, 8, 0, 0))
    assert (no_date.words(0), no_date.is_dated) == ("08:00:00", False)
    for removed in (None, datetime(1985, 1, 1)):
        assert Clock.of(removed).words(62) == "0:01:02"


def test_ticks_are_round_times_of_day() -> None:
    clock = Clock.of(datetime(2019, 3, 2, 22, 10, 30))
    ticks = list(clock.ticks(86_400, 12))
    assert ticks[0] == (6570.0, "00:00")
    assert [b - a for (a, _), (b, _) in pairwise(ticks)] == [7200.0] * (len(ticks) - 1)
    assert [text for _, text in Clock(None).ticks(50, 12)][:2] == ["0:00:00", "0:00:05"]


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(4.2, "4.2 s"), (48.4, "48 s"), (59.7, "1 min 00 s"), (200, "3 min 20 s"),
     (3599.7, "1 h 00 min"), (3720, "1 h 02 min")],
)  # fmt: skip
def test_durations_in_words(seconds: float, words: str) -> None:
    assert lasting(seconds) == words


def test_the_most_certain_come_by_time() -> None:
    sure = [0.2, 0.9, None, 0.5]
    events = [Event(10.0 * k, 5.0, confidence=c) for k, c in enumerate(sure)]
    assert [place for place, _ in most_certain(events, 2)] == [2, 4]
    assert [place for place, _ in most_certain(events, 9)] == [1, 2, 3, 4]


@pytest.mark.parametrize(
    ("onset", "duration_s", "first"),
    [(2.0, 60, 0), (30.5, 60, 25), (58, 60, 45), (1, 4, 0)],
)
def test_a_page_begins_before_the_onset(
    onset: float, duration_s: float, first: int
) -> None:
    assert first_second(Event(onset, 2.0), duration_s) == first
