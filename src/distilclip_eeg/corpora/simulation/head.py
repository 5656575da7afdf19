"""A place in the brain -> how strongly each of the 19 electrodes sees it.

The head is four spheres (brain, fluid, skull, scalp), as MNE models it; a source is a
patch of cortex, the sum of many dipoles that stand on it. Computed once per process.

Does not know time: courses come from `waves`, their meaning from everybody else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Literal, TypeAlias

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from distilclip_eeg.eeg.findings import Lobe, Side
from distilclip_eeg.eeg.montage import ELECTRODES, LEADS

Field: TypeAlias = NDArray[np.float32]  # (19,) potential per unit of a source
Depth: TypeAlias = Literal["crown", "sulcus", "deep"]

_DEPTHS: Final[Mapping[Depth, float]] = {"crown": 0.84, "sulcus": 0.7, "deep": 0.5}
_N_DIRECTIONS = 420
_NEAREST_MIDLINE = 0.3  # a focus with a side keeps off the other hemisphere
_LOWEST = -0.5  # the base of the skull, as a height on the unit sphere

# Electrodes around which the cortex of a lobe lies, left side.
_LOBES: Final[Mapping[Lobe, tuple[str, ...]]] = {
    "frontal": ("F3", "FP1", "F7", "FZ"),
    "temporal": ("T7", "F7", "T7", "P7"),
    "central": ("C3", "CZ"),
    "parietal": ("P3", "PZ"),
    "occipital": ("O1",),
    "insular": ("T7", "C3", "F7"),
}
_MIRROR = str.maketrans("1357", "2468")
_FROM, _TO = (
    [ELECTRODES.index(lead.split("-")[end]) for lead in LEADS] for end in (0, 1)
)


@dataclass(frozen=True, slots=True)
class Head:
    """The lead field.

    Attributes
    ----------
    electrodes
        (19, 3) directions of the electrodes from the centre; x right, y front, z up.
    directions
        (n, 3) directions in which sources lie.
    gain
        For each depth (19, n, 3) volts per ampere metre, for dipoles along x, y, z.
    """

    electrodes: NDArray[np.float64]
    directions: NDArray[np.float64]
    gain: Mapping[Depth, NDArray[np.float64]]

    def field(
        self,
        towards: NDArray[np.float64],
        width: float = 0.3,
        depth: Depth = "crown",
        tilt: NDArray[np.float64] | None = None,
    ) -> Field:
        """Give the potentials of a patch of cortex, largest 1 and positive.

        Parameters
        ----------
        towards
            (3,) where the middle of the patch lies, from the centre of the head.
        width
            Standard deviation of the patch, in radians.
        tilt
            (3,) added to the outward direction of its dipoles: the wall of a sulcus.
        """
        middle = towards / np.linalg.norm(towards)
        angle = np.arccos(np.clip(self.directions @ middle, -1, 1))
        weight = np.exp(-0.5 * (angle / width) ** 2)
        moment = self.directions if tilt is None else self.directions + tilt
        field = np.einsum("end,nd,n->e", self.gain[depth], moment, weight)
        field -= field.mean()
        largest = field[np.abs(field).argmax()]
        return np.asarray(field / largest, np.float32)

    def towards(self, electrode: str) -> NDArray[np.float64]:
        """Give the (3,) direction of one electrode."""
        return np.asarray(self.electrodes[ELECTRODES.index(electrode)])

    def draw_place(self, rng: Generator, side: Side, lobe: Lobe) -> NDArray[np.float64]:
        """Draw a (3,) direction in a lobe; an unknown side or lobe is drawn too."""
        names = _LOBES.get(lobe) or _LOBES["temporal"]
        name = names[rng.integers(len(names))]
        right = side == "right" or (side != "left" and rng.random() < 0.5)
        there = self.towards(name.translate(_MIRROR) if right else name).copy()
        if lobe == "temporal":
            there[2] -= rng.uniform(0, 0.35)  # the temporal pole lies below T7 and F7
        there += rng.normal(0, 0.1, 3)
        across = max(abs(there[0]), _NEAREST_MIDLINE)
        there[0] = across if right else -across
        return np.asarray(there / np.linalg.norm(there))

    def draw_depth(self, rng: Generator, lobe: Lobe) -> Depth:
        """Draw how deep a focus lies; mesial and insular ones are faint and wide."""
        if lobe == "insular":
            return "deep"
        roll = rng.random()
        return "crown" if roll < 0.6 else "sulcus" if roll < 0.85 else "deep"


def to_leads(potentials: NDArray[np.float32]) -> NDArray[np.float32]:
    """Turn (19, ...) potentials into the (18, ...) leads of the bipolar montage."""
    # Indexing beats a product with a matrix this sparse.
    return np.asarray(potentials[_FROM] - potentials[_TO])


@lru_cache(maxsize=1)
def head() -> Head:
    """Compute the lead field through MNE; takes seconds the first time."""
    import mne  # the base install stays light until somebody simulates

    names = [name.replace("FP", "Fp").replace("Z", "z") for name in ELECTRODES]
    info = mne.create_info(names, 256.0, "eeg")
    info.set_montage("standard_1020", verbose="error")
    sphere = mne.make_sphere_model("auto", "auto", info, verbose="error")
    places = np.array([info["chs"][i]["loc"][:3] for i in range(len(names))])
    electrodes = places - sphere["r0"]
    electrodes /= np.linalg.norm(electrodes, axis=1, keepdims=True)
    directions = _spread_directions()
    radius = sphere["layers"][-1]["rad"]
    rings = [sphere["r0"] + share * radius * directions for share in _DEPTHS.values()]
    gain = _gain(info, sphere, np.concatenate(rings))
    parts = np.split(gain, len(_DEPTHS), axis=1)
    return Head(electrodes, directions, dict(zip(_DEPTHS, parts, strict=True)))


def _gain(info: object, sphere: object, places: NDArray[np.float64]) -> NDArray:  # type: ignore[type-arg]
    import mne

    source = {"rr": places, "nn": np.tile([0.0, 0.0, 1.0], (len(places), 1))}
    sources = mne.setup_volume_source_space(pos=source, verbose="error")
    solution = mne.make_forward_solution(
        info, None, sources, sphere, meg=False, mindist=0.0, verbose="error"
    )
    return np.asarray(solution["sol"]["data"]).reshape(len(ELECTRODES), -1, 3)


def _spread_directions() -> NDArray[np.float64]:
    """(n, 3) evenly over the sphere above the base of the skull: a golden spiral."""
    steps = np.arange(_N_DIRECTIONS) + 0.5
    height = 1 - 2 * steps / _N_DIRECTIONS
    turn = steps * np.pi * (3 - np.sqrt(5))
    flat = np.sqrt(1 - height**2)
    every = np.stack([flat * np.cos(turn), flat * np.sin(turn), height], axis=1)
    return np.asarray(every[height > _LOWEST])
