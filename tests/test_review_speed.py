"""A day of EEG is scrolled through: 10 s within 50 ms of processor time."""

from __future__ import annotations

import time
from pathlib import Path
from statistics import median

import numpy as np
import pytest

from distilclip_eeg.config import DetectionConfig
from distilclip_eeg.review.desk import Desk, open_desk
from distilclip_eeg.review.filters import ViewFilter
from distilclip_eeg.review.outputs_beside import cut_events
from distilclip_eeg.review.recordings import Entry
from distilclip_eeg.review.tiles import n_tiles

EXAMPLE = Path(__file__).parent.parent / "examples" / "chb01_03_1_eeg.edf"
DAY_S = 86_400
PAGE_MS = 50.0


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> tuple[Desk, Entry]:
    """The example's header over 24 h: real at both ends, a hole in the file between."""
    source = EXAMPLE.read_bytes()
    header_size = 256 * (1 + int(source[252:256]))
    records = source[header_size:]
    size = len(records) // int(source[236:244])
    path = tmp_path_factory.mktemp("day") / "day.edf"
    with path.open("wb") as file:
        file.write(source[:236] + f"{DAY_S:<8}".encode() + source[244:])
        file.seek(header_size + size * DAY_S - len(records))
        file.write(records)
    desk = open_desk(path.parent, detects=False)
    return desk, next(iter(desk.library.entries.values()))


@pytest.mark.parametrize("montage", ["longitudinal", "average", "as recorded"])
def test_a_page_takes_less_than_50_ms(day: tuple[Desk, Entry], montage: str) -> None:
    desk, entry = day
    chosen = ViewFilter(0.1, 30.0, 50.0)  # the longest to settle
    desk.tile(entry, montage, chosen, 0, 0)
    last = n_tiles(0, DAY_S) - 1
    times_ms = []
    for index in [0, last, *np.linspace(1, last, 20).astype(int).tolist()]:
        began = time.process_time()
        data = desk.tile(entry, montage, chosen, 0, index).to_bytes()
        times_ms.append(1e3 * (time.process_time() - began))
        assert len(data) > 10 * 256 * 4 * 16
    assert median(times_ms) < PAGE_MS


def test_the_whole_day_is_drawn_from_few_numbers(day: tuple[Desk, Entry]) -> None:
    desk, entry = day
    began = time.process_time()
    tiles = [desk.tile(entry, "longitudinal", ViewFilter(), 5, i) for i in range(6)]
    desk.pyramids.close()  # what goes on in the background is not counted
    assert sum(tile.values.shape[1] for tile in tiles) == 2 * DAY_S // 16
    assert time.process_time() - began < 5


def test_a_threshold_cuts_a_day_at_once() -> None:
    rng = np.random.default_rng(0)
    probability = np.clip(rng.normal(0.1, 0.1, DAY_S), 0, 1).astype(np.float32)
    for onset in range(0, DAY_S - 60, 3000):
        probability[onset : onset + 60] = 0.8
    settings = DetectionConfig(onset_threshold=0.6, offset_threshold=0.3)
    began = time.process_time()
    events = cut_events(probability, settings, float(DAY_S))
    assert 1e3 * (time.process_time() - began) < 2 * PAGE_MS
    assert len(events) == 29
