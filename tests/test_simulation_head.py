"""The lead field: a source is seen where it lies."""

from __future__ import annotations

import numpy as np
import pytest

from distilclip_eeg.corpora.simulation.head import Head, head, to_leads
from distilclip_eeg.eeg.findings import Lobe, Side
from distilclip_eeg.eeg.montage import ELECTRODES, LEADS


@pytest.fixture(scope="module")
def model() -> Head:
    return head()


def strongest(model: Head, electrode: str, width: float = 0.3) -> str:
    field = to_leads(model.field(model.towards(electrode), width))
    return LEADS[int(np.abs(field).argmax())]


def test_is_computed_once() -> None:
    assert head() is head()


def test_axes_point_right_front_up(model: Head) -> None:
    assert model.towards("T8")[0] > 0.9
    assert model.towards("FP1")[1] > 0.8
    assert model.towards("CZ")[2] > 0.9
    np.testing.assert_allclose(np.linalg.norm(model.electrodes, axis=1), 1)


@pytest.mark.parametrize("electrode", ELECTRODES)
def test_a_source_is_largest_at_the_electrode_above_it(
    model: Head, electrode: str
) -> None:
    field = model.field(model.towards(electrode))
    assert ELECTRODES[int(field.argmax())] == electrode
    assert field.max() == pytest.approx(1)
    assert field.mean() == pytest.approx(0, abs=1e-6)


def test_left_temporal_source_is_strongest_on_left_temporal_leads(model: Head) -> None:
    field = np.abs(to_leads(model.field(model.towards("T7"))))
    strong = {LEADS[i] for i in np.argsort(field)[-2:]}
    assert strong == {"F7-T7", "T7-P7"}
    right = [i for i, lead in enumerate(LEADS) if lead[-1] in "2468"]
    assert field[right].max() < 0.25 * field.max()


def test_left_and_right_are_mirrored(model: Head) -> None:
    assert strongest(model, "T7") in ("F7-T7", "T7-P7")
    assert strongest(model, "T8") in ("F8-T8", "T8-P8")


def test_wide_and_deep_sources_reach_further(model: Head) -> None:
    towards, seen = model.towards("T7"), ELECTRODES.index("C3")
    near = model.field(towards, 0.2)[seen]
    assert model.field(towards, 0.6)[seen] > near
    assert model.field(towards, 0.2, "deep")[seen] > near


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize(
    "lobe", ["frontal", "temporal", "central", "parietal", "occipital", "insular"]
)
def test_places_lie_on_their_side(model: Head, side: Side, lobe: Lobe) -> None:
    rng = np.random.default_rng(0)
    places = np.array([model.draw_place(rng, side, lobe) for _ in range(50)])
    assert np.all(places[:, 0] < 0 if side == "left" else places[:, 0] > 0)
    np.testing.assert_allclose(np.linalg.norm(places, axis=1), 1)


def test_leads_are_differences_of_electrodes() -> None:
    potentials = np.arange(19, dtype=np.float32)[:, None] ** 2
    leads = to_leads(potentials)
    assert leads.shape == (18, 1)
    first, last = (ELECTRODES.index(name) for name in LEADS[4].split("-"))
    assert leads[4, 0] == potentials[first, 0] - potentials[last, 0]
