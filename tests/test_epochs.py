"""Windows of real and of simulated recordings are cut by the same rules."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from distilclip_eeg.config import SignalConfig
from distilclip_eeg.corpora.manifest import read_manifest
from distilclip_eeg.corpora.simulate import Simulated, simulate
from distilclip_eeg.eeg.montage import LEADS
from distilclip_eeg.eeg.signal import Conditioned
from distilclip_eeg.evaluation.realism.epochs import (
    ICU_PATTERNS,
    SIMULATED,
    Clip,
    Epoch,
    cut,
    real_epochs,
    simulated_clips,
    simulated_epochs,
    thinned,
)
from small_corpus import write_corpus

SIGNAL = SignalConfig()
SEED, SECONDS = 20_003, 300.0


def clip(n_seconds: int, *seizures: tuple[float, float]) -> Clip:
    sfreq = round(SIGNAL.sfreq)
    times = np.arange(n_seconds * sfreq, dtype=np.float32) / sfreq
    leads = np.tile(times, (len(LEADS), 1)).astype(np.float32)
    usable = np.ones((len(LEADS), n_seconds), bool)
    signal = Conditioned(leads, usable, {})
    return Clip("north", "n1", "n1/a", signal, seizures)


@pytest.fixture(scope="module")
def simulated() -> Simulated:
    return simulate(SEED, SECONDS)


def test_a_window_lies_in_a_seizure_or_outside() -> None:
    epochs = cut(clip(61, (0.0, 32.0)), SIGNAL)
    starts = [(e.kind, round(float(e.leads[0, 0]))) for e in epochs]
    ictal = [("seizure", start) for start in (0, 5, 10, 15, 20)]
    assert starts == ictal + [("background", start) for start in (35, 40, 45, 50)]
    assert {e.part for e in epochs if e.kind == "background"} == {"after"}
    assert [e.part for e in epochs[:5]] == ["onset", "onset", "middle", "middle", "end"]


def test_the_last_second_is_left_out() -> None:
    assert len(cut(clip(11), SIGNAL)) == 1
    assert not cut(clip(10), SIGNAL)


def test_a_lead_with_a_flawed_second_is_not_usable() -> None:
    flawed = clip(20)
    flawed.signal.usable[3, 4] = False
    first, second = cut(flawed, SIGNAL)
    assert first.usable.sum() == len(LEADS) - 1
    assert second.usable.all()


def test_real_recordings_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    recordings = read_manifest(write_corpus(tmp_path))
    recordings[0].path.write_bytes(b"no recording")
    skipped: dict[str, str] = {}
    epochs = real_epochs(recordings, SIGNAL, skipped)
    assert list(skipped) == [recordings[0].name]
    assert {e.group for e in epochs} == {"n1", "n2", "s1", "c1"}
    assert {e.kind for e in epochs if e.group == "c1"} == {"pattern"}
    south = next(e for e in epochs if e.dataset == "south")
    assert not south.usable[[lead.endswith("O1") for lead in LEADS]].any()


def test_simulated_seizures_begin_their_clips(simulated: Simulated) -> None:
    clips = simulated_clips(simulated, SEED, SIGNAL)
    with_seizure = [c for c in clips if c.seizures]
    assert [c.begins_s for c in with_seizure] == [e.onset for e in simulated.events]
    for c in clips:
        assert c.dataset == SIMULATED
        for onset_s, end_s in c.seizures:
            assert onset_s == 0 < end_s <= c.signal.n_seconds


def test_ordinary_clips_touch_no_seizure_and_no_pattern(simulated: Simulated) -> None:
    clips = simulated_clips(simulated, SEED, SIGNAL)
    ordinary = [c for c in clips if not c.seizures and c.kind == "background"]
    for c in ordinary:
        last_s = c.begins_s + c.signal.n_seconds
        for event in (*simulated.events, *simulated.negatives):
            assert event.onset >= last_s or event.onset + event.duration <= c.begins_s
    patterns = [e for e in simulated.negatives if e.event_type in ICU_PATTERNS]
    assert sum(c.kind == "pattern" for c in clips) == len(patterns)


def test_a_seed_gives_the_same_windows_and_hash() -> None:
    one, other = (
        simulated_epochs([SEED], 120.0, SIGNAL, most=3, chance=0) for _ in range(2)
    )
    assert one[1] == other[1]
    assert [e.where for e in one[0]] == [e.where for e in other[0]]
    assert all(
        np.array_equal(a.leads, b.leads) for a, b in zip(one[0], other[0], strict=True)
    )


def test_thinning_keeps_some_of_every_group_and_kind() -> None:
    epochs = cut(clip(200, (0.0, 100.0)), SIGNAL)
    kept = thinned(epochs, 4, seed=0)
    kinds = [e.kind for e in kept]
    assert kinds.count("seizure") == kinds.count("background") == 4
    assert len(names(kept)) == 8
    assert names(kept) != names(thinned(epochs, 4, seed=1))
    assert names(thinned(epochs, 1000, seed=0)) == names(epochs)


def names(epochs: list[Epoch]) -> set[str]:
    return {epoch.where for epoch in epochs}
