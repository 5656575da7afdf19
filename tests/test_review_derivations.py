"""Montages: the same potentials, however they were recorded."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from conftest import LABELS
from distilclip_eeg.eeg.montage import ELECTRODES, LEADS, plan_montage
from distilclip_eeg.review.derivations import (
    MAX_RECORDED,
    TRANSVERSE,
    Derivation,
    derivations,
    side_of,
)

N = 50


@pytest.fixture
def potentials() -> dict[str, NDArray[np.float32]]:
    rng = np.random.default_rng(0)
    return {e: rng.normal(0, 50, N).astype(np.float32) for e in ELECTRODES}


def computed(
    derived: Derivation, channels: NDArray[np.float32]
) -> dict[str, NDArray[np.float32]]:
    rows = derived.apply(channels[list(derived.picks)])
    names = [trace.name for trace in derived.traces]
    return dict(zip(names, rows, strict=True))


def referential(
    potentials: dict[str, NDArray[np.float32]],
) -> tuple[list[str], NDArray[np.float32]]:
    reference = np.linspace(-300, 300, N, dtype=np.float32)
    names = [f"EEG {e}-REF" for e in potentials]
    return names, np.stack([p - reference for p in potentials.values()])


def test_bipolar_traces_are_differences(
    potentials: dict[str, NDArray[np.float32]],
) -> None:
    names, channels = referential(potentials)
    montages = derivations(names)
    for montage, wanted in (("longitudinal", LEADS), ("transverse", TRANSVERSE)):
        rows = computed(montages[montage], channels)
        assert tuple(rows) == wanted
        for name, row in rows.items():
            a, b = name.split("-")
            np.testing.assert_allclose(row, potentials[a] - potentials[b], atol=1e-3)


def test_average_is_the_mean_of_the_electrodes(
    potentials: dict[str, NDArray[np.float32]],
) -> None:
    names, channels = referential(potentials)
    rows = computed(derivations(names)["average"], channels)
    mean = np.mean([*potentials.values()], axis=0)
    assert set(rows) == set(ELECTRODES)
    for name, row in rows.items():
        np.testing.assert_allclose(row, potentials[name] - mean, atol=1e-2)


def test_bipolar_recording_gives_the_same_average_of_what_hangs_together(
    potentials: dict[str, NDArray[np.float32]],
) -> None:
    names = [*(lead for lead in LEADS if "Z" not in lead), "FP1-FP2"]
    pairs = [name.split("-") for name in names]
    channels = np.stack([potentials[a] - potentials[b] for a, b in pairs])
    derived = derivations(names)["average"]
    assert set(derived.missing) == {"FZ", "CZ", "PZ"}
    rows = computed(derived, channels)
    mean = np.mean([potentials[e] for e in rows], axis=0)
    for name, row in rows.items():
        np.testing.assert_allclose(row, potentials[name] - mean, atol=1e-2)


def test_halves_of_a_head_have_no_average() -> None:
    assert "average" not in derivations(LEADS)
    assert "average" not in derivations(["Fp1", "Fp2", "O1", "O2"])


def test_longitudinal_is_what_the_detector_uses(
    potentials: dict[str, NDArray[np.float32]],
) -> None:
    names, channels = referential(potentials)
    plan = plan_montage(names)
    theirs = plan.leads(channels[list(plan.picks)])
    ours = computed(derivations(names)["longitudinal"], channels)
    np.testing.assert_allclose(np.stack([*ours.values()]), theirs, atol=1e-3)


def test_transverse_of_a_bipolar_recording_says_what_is_missing() -> None:
    names = [lead for lead in LEADS if "Z" not in lead]
    transverse = derivations(names)["transverse"]
    assert "FP1-FP2" in transverse.missing
    assert "T7-C3" in [trace.name for trace in transverse.traces]


def test_a_bad_channel_spoils_only_its_own_traces() -> None:
    montage = derivations(LABELS)["longitudinal"]
    channels = np.ones((len(montage.picks), N), np.float32)
    channels[montage.picks.index(1), 10] = np.nan  # F7
    bad = np.isnan(montage.apply(channels))
    spoilt = {t.name for t, row in zip(montage.traces, bad, strict=True) if row.any()}
    assert spoilt == {"FP1-F7", "F7-T7"}
    assert bad.sum() == 2


def test_as_recorded_keeps_everything_but_annotations() -> None:
    shown = derivations(["ECG EKG", "EEG F7-REF", "EDF Annotations", "F7-T7"])
    montage = shown["as recorded"]
    assert [t.name for t in montage.traces] == ["ECG EKG", "EEG F7-REF", "F7-T7"]
    assert [t.side for t in montage.traces] == ["other", "left", "left"]


def test_no_page_holds_hundreds_of_traces() -> None:
    names = [f"channel {i}" for i in range(MAX_RECORDED + 9)]
    montage = derivations(names)["as recorded"]
    assert len(montage.traces) == MAX_RECORDED
    assert len(montage.missing) == 9


@pytest.mark.parametrize(
    ("name", "side"),
    [
        ("FP1-F7", "left"), ("F4-C4", "right"), ("FZ-CZ", "middle"),
        ("FP1-FP2", "middle"), ("C3-CZ", "left"), ("O2", "right"), ("ECG", "other"),
    ],
)  # fmt: skip
def test_side(name: str, side: str) -> None:
    assert side_of(name) == side
