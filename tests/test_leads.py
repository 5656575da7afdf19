"""The leads that carry a seizure are named, the others are not."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from distilclip_eeg.detection.leads import (
    MAX_NAMED,
    Heard,
    lead_drops,
    lead_map,
    name_leads,
    strongest_leads,
)
from distilclip_eeg.detection.runtime import Runtime
from distilclip_eeg.eeg.montage import LEADS
from tiny_model import write_tiny_folder

BACKGROUND = 0


@pytest.fixture(scope="module")
def runtime(tmp_path_factory: pytest.TempPathFactory) -> Runtime:
    return Runtime(write_tiny_folder(tmp_path_factory.mktemp("models") / "m"), "f32")


def window(**loud_uv: float) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Quiet noise with some leads of a given amplitude; `T7_P7` stands for T7-P7."""
    eeg = np.random.default_rng(0).normal(0, 5, (18, 2560)).astype(np.float32)
    for name, amplitude in loud_uv.items():
        row = LEADS.index(name.replace("_", "-"))
        eeg[row] = amplitude * np.sign(eeg[row])
    return eeg, np.ones((18, 10), bool)


def test_loudest_first(runtime: Runtime) -> None:
    eeg, usable = window(T7_P7=400, F7_T7=500, C4_P4=300)
    assert name_leads(eeg, usable, runtime, BACKGROUND) == ("F7-T7", "T7-P7", "C4-P4")


def test_leads_under_half_of_the_strongest_are_left_out(runtime: Runtime) -> None:
    eeg, usable = window(T7_P7=400, F7_T7=100)
    assert name_leads(eeg, usable, runtime, BACKGROUND) == ("T7-P7",)


def test_at_most_six(runtime: Runtime) -> None:
    loud = {lead.replace("-", "_"): 500.0 + i for i, lead in enumerate(LEADS[:9])}
    eeg, usable = window(**loud)
    named = name_leads(eeg, usable, runtime, BACKGROUND)
    assert len(named) == MAX_NAMED
    assert named == tuple(reversed(LEADS[3:9]))


def test_unusable_lead_is_never_named(runtime: Runtime) -> None:
    eeg, usable = window(T7_P7=400, F7_T7=500)
    usable[LEADS.index("F7-T7")] = False
    assert name_leads(eeg, usable, runtime, BACKGROUND) == ("T7-P7",)


@pytest.mark.parametrize("n_usable", [0, 1])
def test_nothing_to_compare_with(runtime: Runtime, n_usable: int) -> None:
    eeg, usable = window(T7_P7=400)
    usable[:] = False
    usable[:n_usable] = True
    assert name_leads(eeg, usable, runtime, BACKGROUND) == ()


def test_other_class_order_turns_the_sign(runtime: Runtime) -> None:
    eeg, usable = window(T7_P7=400, F7_T7=500)
    np.testing.assert_allclose(
        lead_drops(eeg, usable, runtime, 0), -lead_drops(eeg, usable, runtime, 1)
    )


def test_drop_is_the_difference_of_two_runs(runtime: Runtime) -> None:
    eeg, usable = window(T7_P7=400)
    row = LEADS.index("T7-P7")
    without = usable.copy()
    without[row] = False
    scores = runtime.run(np.stack([eeg, eeg]), np.stack([usable, without]))
    odds = scores.window_logits[:, 1] - scores.window_logits[:, 0]
    drop = lead_drops(eeg, usable, runtime, BACKGROUND)[row]
    assert drop == pytest.approx(odds[0] - odds[1], abs=1e-5)


def test_map_tells_the_second(runtime: Runtime) -> None:
    """Of the seconds of a window that is quiet but for one second of one lead."""
    eeg, usable = window()
    row = LEADS.index("T7-P7")
    eeg[row, 4 * 256 : 5 * 256] *= 100
    values = lead_map(eeg, usable, runtime, BACKGROUND)
    assert values.argmax() == row * values.shape[1] + 4


@pytest.mark.parametrize("has_past", [False, True])
def test_map_is_the_difference_of_two_runs(runtime: Runtime, has_past: bool) -> None:
    eeg, usable = window(T7_P7=400)
    past, _ = window(C4_P4=50)
    before = Heard(past, usable) if has_past else None
    found = lead_map(eeg, usable, runtime, BACKGROUND, before=before)
    row = LEADS.index("T7-P7")
    if has_past:
        changed = past.copy()
        changed[row] = eeg[row]
        scores = runtime.run(np.stack([changed, past]), np.stack([usable, usable]))
    else:
        without = usable.copy()
        without[row] = False
        scores = runtime.run(np.stack([eeg, eeg]), np.stack([usable, without]))
    seconds = 0.5 * (scores.second_logits + scores.window_logits[:, None])
    odds = seconds[:, :, 1] - seconds[:, :, 0]
    np.testing.assert_allclose(found[row], odds[0] - odds[1], atol=1e-4)


def test_a_lead_that_is_as_before_carries_nothing(runtime: Runtime) -> None:
    eeg, usable = window(T7_P7=400, C4_P4=500)
    past, _ = window(C4_P4=500)
    values = lead_map(eeg, usable, runtime, BACKGROUND, before=Heard(past, usable))
    assert (values[LEADS.index("C4-P4")] == 0).all()
    assert strongest_leads(values.mean(axis=1)) == ("T7-P7",)


def test_map_is_unknown_where_unusable(runtime: Runtime) -> None:
    eeg, usable = window(T7_P7=400)
    usable[3], usable[5, 2] = False, False
    for before in (None, Heard(eeg, usable)):
        found = lead_map(eeg, usable, runtime, BACKGROUND, before=before)
        np.testing.assert_array_equal(np.isnan(found), ~usable)


@pytest.mark.parametrize("n_usable", [0, 1])
def test_map_of_one_lead_says_nothing(runtime: Runtime, n_usable: int) -> None:
    eeg, usable = window(T7_P7=400)
    usable[:] = False
    usable[:n_usable] = True
    found = lead_map(eeg, usable, runtime, BACKGROUND)
    assert not np.nan_to_num(found).any()


def test_unknown_leads_are_not_the_strongest() -> None:
    values = np.full(18, np.nan)
    values[4] = 1.0
    assert strongest_leads(values) == (LEADS[4],)
    assert strongest_leads(np.full(18, np.nan)) == ()
