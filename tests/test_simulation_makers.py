"""Artefacts, patterns and background: each can be drawn at any length, none evolves."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.signal import spectrogram

from distilclip_eeg.corpora.simulation import artefacts
from distilclip_eeg.corpora.simulation.amplifier import (
    Amplifier,
    amplify,
    draw_amplifier,
)
from distilclip_eeg.corpora.simulation.artefacts import Maker, add_artefacts
from distilclip_eeg.corpora.simulation.background import (
    Stage,
    State,
    background,
    draw_stages,
    state_at,
)
from distilclip_eeg.corpora.simulation.graphoelements import add_graphoelements
from distilclip_eeg.corpora.simulation.head import to_leads
from distilclip_eeg.corpora.simulation.patterns import PATTERNS, Pattern, draw_pattern
from distilclip_eeg.corpora.simulation.planting import scale_for, strongest_leads
from distilclip_eeg.corpora.simulation.scalp import add_scalp, wax_and_wane
from distilclip_eeg.corpora.simulation.scene import Scene, draw_scene
from distilclip_eeg.eeg.montage import ELECTRODES, LEADS

SFREQ = 256.0
MAKERS = (
    artefacts.muscle, artefacts.chewing, artefacts.rocking, artefacts.movement,
    artefacts.sweat, artefacts.blinks, artefacts.glances, artefacts.roving,
    artefacts.pop, artefacts.loose, artefacts.pulse,
)  # fmt: skip


def scene_of(seed: int) -> Scene:
    return draw_scene(np.random.default_rng(seed), SFREQ, 0.15)


@pytest.mark.parametrize("n", [130, 256, 2571])
@pytest.mark.parametrize("make", MAKERS)
def test_an_artefact_of_any_length(make: Maker, n: int) -> None:
    piece = make(scene_of(0), n)
    assert piece.shape == (19, n)
    assert np.isfinite(piece).all()
    assert np.abs(piece).max() < 3000


@pytest.mark.parametrize("n", [130, 256, 5123])
@pytest.mark.parametrize("pattern", PATTERNS, ids=lambda pattern: pattern.name)
def test_a_pattern_of_any_length(pattern: Pattern, n: int) -> None:
    piece = pattern.make(scene_of(1), n)
    assert piece.shape == (19, n)
    assert np.isfinite(piece).all()


@pytest.mark.parametrize("name", ["lrda", "grda", "rhythmic_variant"])
def test_rhythmic_patterns_stay_at_their_frequency(name: str) -> None:
    pattern = next(p for p in PATTERNS if p.name == name)
    ratios = []
    for seed in range(12):
        leads = to_leads(pattern.make(scene_of(seed), 30 * 256))
        course = leads[strongest_leads(leads)[0]]
        hz, _, power = spectrogram(course, SFREQ, nperseg=1024, noverlap=768)
        top = hz[power.argmax(axis=0)]
        ratios.append(top[2:9].mean() / top[-9:-2].mean())
    assert np.median(np.abs(np.log2(ratios))) < 0.2


def test_patterns_fit_age_and_state() -> None:
    scene = scene_of(2)
    awake = {draw_pattern(scene.rng, scene.person, "awake").name for _ in range(300)}
    assert "hypnagogic_hypersynchrony" not in awake
    assert "arousal" not in awake
    asleep = {draw_pattern(scene.rng, scene.person, "deep").name for _ in range(300)}
    assert not asleep & {"photic_driving", "hyperventilation"}


def test_a_pattern_is_as_loud_as_asked_for() -> None:
    scene = scene_of(3)
    n = 20 * 256
    stages = (Stage(0, 60, "resting"),)
    eeg = background(scene.rng, scene.head, scene.person, stages, 3 * n, SFREQ)
    piece = next(p for p in PATTERNS if p.name == "lrda").make(scene, n)
    once, twice = (scale_for(eeg, n, piece, ratio, SFREQ) for ratio in (0.7, 1.4))
    assert twice == pytest.approx(2 * once, rel=1e-5)
    assert scale_for(2 * eeg, n, piece, 0.7, SFREQ) == pytest.approx(2 * once, rel=1e-3)


def test_states_follow_each_other_without_holes() -> None:
    stages = draw_stages(np.random.default_rng(0), 7200)
    assert stages[0].onset_s == 0
    assert stages[-1].end_s == 7200
    for before, after in pairwise(stages):
        assert before.end_s == after.onset_s
        assert before.state != after.state
    assert state_at(stages, 0) == stages[0].state
    assert state_at(stages, 9999) == stages[-1].state


def band_uv(scene: Scene, state: State, low: float, high: float) -> float:
    stages = (Stage(0, 60, state),)
    eeg = background(scene.rng, scene.head, scene.person, stages, 60 * 256, SFREQ)
    power = np.abs(np.fft.rfft(to_leads(eeg), axis=1)) ** 2
    return float(np.sqrt(power[:, int(60 * low) : int(60 * high)].mean()))


@pytest.mark.parametrize(
    ("band", "more", "less"),
    [
        ((0.5, 3.0), "deep", "awake"),
        ((4.0, 7.0), "drowsy", "awake"),
        ((12.0, 14.5), "light", "awake"),
    ],
)
def test_states_differ_as_they_should(
    band: tuple[float, float], more: State, less: State
) -> None:
    scenes = [scene_of(seed) for seed in range(12)]
    ratios = [band_uv(s, more, *band) / band_uv(s, less, *band) for s in scenes]
    assert np.median(ratios) > 1.2


def own_of_electrodes(scene: Scene, state: State) -> NDArray[np.float32]:
    """What each electrode picks up for itself, one minute."""
    eeg = np.zeros((19, 60 * 256), np.float32)
    add_scalp(scene, (Stage(0, 60, state),), eeg)
    return eeg


AWAKE_AND_DEEP: tuple[State, State] = ("awake", "deep")


def test_muscles_rest_in_sleep() -> None:
    ratios = []
    for seed in range(8):
        awake, deep = (
            np.diff(own_of_electrodes(scene_of(seed), state)).std()  # fast, not drift
            for state in AWAKE_AND_DEEP
        )
        ratios.append(deep / awake)
    assert np.median(ratios) < 0.9


def test_leads_that_share_an_electrode_are_opposed_by_what_is_its_own() -> None:
    shared = []
    for seed in range(8):
        leads = to_leads(own_of_electrodes(scene_of(seed), "awake"))
        # F7-T7 and T7-P7; F8-T8 and T8-P8
        for a, b in (("F7-T7", "T7-P7"), ("F8-T8", "T8-P8")):
            rows = leads[[LEADS.index(a), LEADS.index(b)]]
            shared.append(float(np.mean(rows[0] * rows[1]) / np.prod(rows.std(axis=1))))
    assert np.median(shared) < -0.3


def test_activity_waxes_and_wanes() -> None:
    n = 120 * 256
    crests = []
    for seed in range(8):
        scene = scene_of(seed)
        eeg = scene.rng.standard_normal((19, n)).astype(np.float32)
        wax_and_wane(scene, eeg)
        crests.append(float(np.mean(eeg**4) / np.mean(eeg**2) ** 2))
    assert np.median(crests) > 3.2  # 3.0 is Gaussian
    assert max(crests) < 20


def test_closed_eyes_bring_alpha_to_the_back() -> None:
    scenes = [scene_of(seed) for seed in range(12)]
    ratios = []
    for s in scenes:
        low, high = s.person.alpha_hz - 1, s.person.alpha_hz + 1
        ratios.append(band_uv(s, "resting", low, high) / band_uv(s, "awake", low, high))
    assert np.median(ratios) > 1.2


def test_artefacts_come_at_their_rate() -> None:
    """Ten minutes awake hold several blinks, muscle bursts and glances."""
    counts: Counter[bool] = Counter()
    for seed in range(6):
        scene = scene_of(seed)
        eeg = np.zeros((19, 600 * 256), np.float32)
        add_artefacts(scene, (Stage(0, 600, "awake"),), eeg)
        seconds = np.abs(eeg[:2]).reshape(2, 600, 256).max(axis=(0, 2))
        counts.update((seconds > 30).tolist())
    assert 0.05 < counts[True] / counts.total() < 0.8


def test_sleep_has_its_waves() -> None:
    scene = scene_of(5)
    eeg = np.zeros((19, 300 * 256), np.float32)
    add_graphoelements(scene, (Stage(0, 300, "light"),), eeg)
    assert np.abs(eeg).max() > 40
    assert np.mean(np.any(eeg != 0, axis=0)) < 0.9


def test_amplifiers_clip_and_lose_electrodes() -> None:
    rng = np.random.default_rng(0)
    eeg = rng.normal(0, 200, (19, 5120)).astype(np.float32)
    amplifier = Amplifier(50.0, 5.0, 0.5, 70.0, 300.0, ((3, 0.5, 1.5),))
    amplify(rng, amplifier, eeg, SFREQ)
    assert np.abs(eeg).max() <= 300
    assert np.any(np.abs(eeg) == 300)
    assert not eeg[3, 2560:].any()
    assert eeg[3, :2560].any()
    dead = [row for _ in range(200) for row, _, _ in draw_amplifier(rng).dead]
    assert dead
    assert max(dead) < len(ELECTRODES)
