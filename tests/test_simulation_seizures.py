"""The truth of a planted seizure is what the signal shows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.signal import spectrogram

from distilclip_eeg.corpora.simulation.background import Stage, background
from distilclip_eeg.corpora.simulation.discharges import (
    aftermath,
    findings_of,
    motor,
    plant,
    rhythm,
)
from distilclip_eeg.corpora.simulation.head import to_leads
from distilclip_eeg.corpora.simulation.planting import heard, strongest_leads
from distilclip_eeg.corpora.simulation.scene import Scene, draw_scene
from distilclip_eeg.corpora.simulation.seizures import (
    LOUDEST,
    QUIETEST,
    Onset,
    Plan,
    draw_plan,
)
from distilclip_eeg.corpora.simulation.statistics import FOCAL, GENERALISED, row_of
from distilclip_eeg.eeg.montage import LEADS
from distilclip_eeg.errors import DistilClipError

SFREQ = 256.0


def scene_of(seed: int) -> Scene:
    return draw_scene(np.random.default_rng(seed), SFREQ, 0.15)


def quiet_plan(scene: Scene, onset: Onset = "theta", duration_s: float = 40.0) -> Plan:
    """A temporal seizure without muscle, aftermath or change of the background."""
    plan = draw_plan(scene, row=row_of("sz_foc_ia_nm"))
    return replace(
        plan,
        onset=onset,
        duration_s=duration_s,
        motor_uv=0.0,
        after_s=0.0,
        quenched=0.0,
        sharpness=(0.0, 0.0),
        regions=plan.regions[:1],
        ending="abrupt",
    )


def resting(scene: Scene, seconds: float) -> NDArray[np.float32]:
    stages = (Stage(0, seconds, "resting"),)
    n = round(seconds * SFREQ)
    return background(scene.rng, scene.head, scene.person, stages, n, SFREQ)


def dominant_hz(course: NDArray[np.float32]) -> NDArray[np.float64]:
    hz, _, power = spectrogram(course, SFREQ, nperseg=1024, noverlap=768)
    return np.asarray(hz[power.argmax(axis=0)])


@pytest.mark.parametrize("seed", range(4))
def test_the_dominant_frequency_slides_as_planned(seed: int) -> None:
    scene = scene_of(seed)
    plan = replace(quiet_plan(scene), hz=(9.0, 7.0, 5.5, 4.0, 3.0), sizes=(1.0,) * 5)
    piece = to_leads(rhythm(scene, plan))
    row = strongest_leads(piece)[0]
    found = dominant_hz(piece[row])
    planned = np.interp(np.linspace(0, 4, len(found)), range(5), plan.hz)
    assert np.median(np.abs(found - planned)) < 0.6
    assert found[:5].mean() > 1.8 * found[-5:].mean()


def test_strength_evolves_as_planned() -> None:
    scene = scene_of(1)
    plan = replace(quiet_plan(scene), sizes=(0.2, 0.4, 0.7, 1.0, 1.0))
    strength = np.abs(rhythm(scene, plan)).max(axis=0)
    quarter = len(strength) // 4
    assert strength[:quarter].mean() < 0.6 * strength[-quarter:].mean()


def test_energy_lies_on_the_planted_side() -> None:
    right = []
    for seed in range(60):
        scene = scene_of(100 + seed)
        plan = draw_plan(scene, row=FOCAL[0], max_duration_s=30)
        energy = np.mean(to_leads(rhythm(scene, plan)) ** 2, axis=1)
        sides = [energy[[lead[-1] in d for lead in LEADS]] for d in ("1357", "2468")]
        if plan.side != "bilateral":
            right.append((sides[0].sum() > sides[1].sum()) == (plan.side == "left"))
    assert np.mean(right) > 0.95


def test_it_spreads() -> None:
    scene = scene_of(3)
    plan = draw_plan(scene, row=row_of("sz_foc_f2b"), max_duration_s=120)
    assert len(plan.regions) > 2
    piece = to_leads(rhythm(scene, plan))
    tenth = piece.shape[1] // 10
    tenths = piece[:, : 10 * tenth].reshape(18, 10, tenth)[:, (0, 6)]
    size = np.sqrt(np.mean(tenths**2, axis=2))
    wide = (size > 0.3 * size.max(axis=0)).sum(axis=0)
    assert wide[1] > wide[0]


@pytest.mark.parametrize("ratio", [0.7, 1.5, 4.0])
def test_it_is_as_loud_as_planned(ratio: float) -> None:
    scene = scene_of(4)
    plan = replace(quiet_plan(scene, duration_s=20), ratio=ratio, sizes=(1.0,) * 5)
    before = resting(scene, 60)
    after = before.copy()
    plant(scene, after, plan, 25)
    planted = to_leads(after - before)
    rows = strongest_leads(planted)
    loud = heard(planted[rows], SFREQ)[:, 30 * 256 : 40 * 256].std()
    quiet = heard(to_leads(before)[rows], SFREQ).std()
    assert loud / quiet == pytest.approx(ratio, rel=0.4)


def test_onset_and_end_are_exact() -> None:
    scene = scene_of(5)
    plan = quiet_plan(scene, duration_s=12.0)
    before = resting(scene, 40)
    after = before.copy()
    planted = plant(scene, after, plan, 10.5)
    changed = np.flatnonzero(np.any(after != before, axis=0)) / SFREQ
    assert planted.event.onset == 10.5
    assert changed[0] == pytest.approx(10.5, abs=0.1)
    assert changed[-1] == pytest.approx(22.5, abs=0.1)


def test_an_end_beyond_the_recording_is_cut_in_the_truth_too() -> None:
    scene = scene_of(6)
    signal = resting(scene, 30)
    planted = plant(scene, signal, quiet_plan(scene, duration_s=40), 20)
    assert planted.event.duration == pytest.approx(10)


def test_leads_and_electrodes_take_the_same_seizure() -> None:
    first, second = scene_of(7), scene_of(7)
    electrodes = resting(first, 40)
    leads = to_leads(resting(second, 40))
    one = plant(first, electrodes, draw_plan(first, max_duration_s=15), 20)
    two = plant(second, leads, draw_plan(second, max_duration_s=15), 20)
    assert one.event == two.event
    assert one.scale_uv == pytest.approx(two.scale_uv, rel=1e-4)
    ictal = slice(20 * 256, int((20 + one.event.duration) * 256))
    difference = to_leads(electrodes)[:, ictal] - leads[:, ictal]
    # Where the background is quenched about a focus, a lead is quenched as a whole.
    assert difference.std() < 0.5 * leads[:, ictal].std()


def test_other_rows_are_refused() -> None:
    scene = scene_of(8)
    with pytest.raises(DistilClipError, match="7 rows"):
        plant(scene, np.zeros((7, 5120), np.float32), quiet_plan(scene), 5)


def test_findings_say_what_was_planted() -> None:
    scene = scene_of(11)  # whose alpha does not drown everything
    plan = replace(quiet_plan(scene), ratio=8.0, hz=(6.0,) * 5, side="left")
    plan = replace(plan, sizes=(1.0,) * 5)
    signal = resting(scene, 80)
    findings = findings_of(signal, plant(scene, signal, plan, 20), SFREQ)
    assert findings.state == "seizure"
    assert findings.kind == "focal"
    assert (findings.side, findings.lobe) == ("left", plan.lobe)
    assert findings.measured.amplitude_uv is not None


def test_the_planted_rhythm_is_measured() -> None:
    rhythms = []
    for seed in range(12):
        scene = scene_of(seed)
        faint = replace(scene.person, alpha_uv=1.0, beta_uv=1.0)
        scene = replace(scene, person=faint)
        plan = replace(quiet_plan(scene), ratio=12.0, hz=(6.0,) * 5, sizes=(1.0,) * 5)
        signal = resting(scene, 80)
        planted = plant(scene, signal, plan, 20)
        rhythms.append(findings_of(signal, planted, SFREQ).measured.rhythm)
    assert rhythms.count("theta") >= 8, rhythms


@pytest.mark.parametrize("row", [*FOCAL, *GENERALISED], ids=lambda row: row.event_type)
def test_every_type_can_be_made(row: object) -> None:
    scene = scene_of(10)
    found = next(r for r in (*FOCAL, *GENERALISED) if r == row)
    plan = draw_plan(scene, row=found, max_duration_s=40)
    n = round(plan.duration_s * SFREQ)
    for piece in (rhythm(scene, plan), motor(scene, plan)):
        assert piece.shape == (19, n)
        assert np.isfinite(piece).all()
    assert np.isfinite(aftermath(scene, plan)).all()
    assert QUIETEST <= plan.ratio <= 1.5 * LOUDEST
    assert all(0.5 <= hz <= 40 for hz in plan.hz)


def test_plans_evolve() -> None:
    scenes = [scene_of(seed) for seed in range(60)]
    plans = [draw_plan(scene) for scene in scenes for _ in range(4)]
    focal = [plan for plan in plans if plan.event_type.startswith("sz_foc")]
    assert np.median([max(plan.hz) / min(plan.hz) for plan in focal]) > 1.8
    assert min(plan.ratio for plan in plans) < 0.9
    assert {plan.ending for plan in plans} == {"abrupt", "fading", "breaking_up"}
