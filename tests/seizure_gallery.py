"""As many simulated seizures of each side, lobe and type, for `test_searching`.

Each is a person of its own: some quiet seconds, then the seizure; the window begins
with or within it.
"""

from __future__ import annotations

from itertools import product
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from distilclip_eeg.corpora.simulation.amplifier import amplify, draw_amplifier
from distilclip_eeg.corpora.simulation.artefacts import add_artefacts
from distilclip_eeg.corpora.simulation.background import background, draw_stages
from distilclip_eeg.corpora.simulation.discharges import plant
from distilclip_eeg.corpora.simulation.graphoelements import add_graphoelements
from distilclip_eeg.corpora.simulation.scalp import add_scalp, wax_and_wane
from distilclip_eeg.corpora.simulation.scene import Scene, draw_scene
from distilclip_eeg.corpora.simulation.seizures import Plan, draw_plan
from distilclip_eeg.corpora.simulation.statistics import row_of
from distilclip_eeg.eeg.findings import Lobe, Semiology, Side, semiology_of
from distilclip_eeg.eeg.montage import ELECTRODES
from distilclip_eeg.eeg.recording import ArrayRecording

SFREQ: Final = 256
SIDES: Final[tuple[Side, ...]] = ("left", "right")
LOBES: Final[tuple[Lobe, ...]] = ("frontal", "temporal", "central", "occipital")
TYPES: Final = (
    "sz_foc_ia_nm", "sz_foc_f2b", "sz_foc_ia_m_automatisms", "sz_foc_a_m_hyperkinetic",
)  # fmt: skip
BEFORE_S, WINDOW_S = 20, 10
LONGEST_S: Final = 60.0


class Cell(NamedTuple):
    """What a query asks for."""

    side: Side
    lobe: Lobe
    event_type: str

    @property
    def words(self) -> str:
        signs: Semiology = semiology_of(self.event_type)
        what = {
            "non-motor": "a focal non-motor seizure",
            "to bilateral tonic-clonic": "a focal to bilateral tonic-clonic seizure",
            "automatisms": "a focal seizure with automatisms",
            "hyperkinetic": "a focal hyperkinetic seizure",
        }[signs]
        return f"{what}, {self.side} {self.lobe}"


CELLS: Final = tuple(Cell(*each) for each in product(SIDES, LOBES, TYPES))


def seizure_of(cell: Cell, seed: int) -> ArrayRecording:
    """Draw a recording that ends ten seconds into a seizure of a cell, or within it."""
    scene, plan = _drawn(cell, np.random.default_rng(seed))
    rng = scene.rng
    n = round((BEFORE_S + plan.duration_s + WINDOW_S) * SFREQ)
    stages = draw_stages(rng, n / SFREQ)
    eeg: NDArray[np.float32] = background(
        rng, scene.head, scene.person, stages, n, SFREQ
    )
    wax_and_wane(scene, eeg)
    add_graphoelements(scene, stages, eeg)
    add_scalp(scene, stages, eeg)
    plant(scene, eeg, plan, float(BEFORE_S))
    add_artefacts(scene, stages, eeg)
    amplify(rng, draw_amplifier(rng), eeg, SFREQ)
    latest_s = max(0.0, plan.duration_s - WINDOW_S)
    stop = round((BEFORE_S + rng.uniform(0, latest_s) + WINDOW_S) * SFREQ)
    name = f"{'-'.join(cell)}-{seed}"
    return ArrayRecording(eeg[:, :stop], SFREQ, ELECTRODES, name=name)


def _drawn(cell: Cell, rng: np.random.Generator) -> tuple[Scene, Plan]:
    """Draw people until one has such an epilepsy, and lasts as long as a window."""
    while True:
        scene = draw_scene(rng, SFREQ, 0.0)
        own = (scene.person.epilepsy.side, scene.person.epilepsy.lobe)
        if own != (cell.side, cell.lobe):
            continue
        plan = draw_plan(scene, row=row_of(cell.event_type), max_duration_s=LONGEST_S)
        if (plan.side, plan.lobe) == own and plan.duration_s >= WINDOW_S:
            return scene, plan
