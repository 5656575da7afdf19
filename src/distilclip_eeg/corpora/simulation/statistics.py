"""How often seizures of each kind, side, lobe and length occur -> one that is drawn.

Focal seizures follow 883 real ones of 125 adults: SeizeIT2 (Bhagubai 2025, OpenNeuro
ds005873, CC0), tabulated here as counts and quantiles. Sides and lobes are those of
the seizures whose side is known. SeizeIT2 holds no generalised seizures: their shares
and lengths are our own choice, after the definitions of the ILAE (Fisher 2017).

Does not know how a seizure looks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.random import Generator

from distilclip_eeg.eeg.findings import Kind, Lobe, Side, kind_of

GENERALISED_SHARE: Final = 0.15  # of people
SHARES: Final = (0, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 1)  # of the quantiles below


@dataclass(frozen=True, slots=True)
class Row:
    """One type: how many there were, the share asleep, quantiles of seconds."""

    event_type: str
    count: int
    asleep: float
    seconds: tuple[float, ...]


FOCAL: Final = (
    Row("sz_foc_ia_nm", 160, 0.40, (2, 10, 13, 20, 35, 74, 85, 442)),
    Row("sz_foc_a_m_hyperkinetic", 158, 0.70, (4, 8, 10, 13, 88, 106, 111, 253)),
    Row("sz_foc_ia_m_hyperkinetic", 100, 0.42, (9, 13, 21, 49, 94, 161, 180, 353)),
    Row("sz_foc_a_nm", 66, 0.23, (5, 9.5, 22, 48, 73, 108, 142, 154)),
    Row("sz_foc_ia_m_automatisms", 62, 0.15, (5, 26, 42, 71, 115, 144, 264, 386)),
    Row("sz_foc_f2b", 55, 0.52, (30, 66, 88, 108, 146, 286, 452, 661)),
    Row("sz_foc_a_um", 50, 0.24, (4, 14, 26, 66, 97, 122, 126, 340)),
    Row("sz_foc_ua_um", 41, 0.89, (6, 8, 9, 11, 14, 82, 91, 260)),
    Row("sz_foc_ua_nm", 40, 0.88, (6, 9, 11, 18, 38, 167, 367, 485)),
    Row("sz_foc_a_nm_behavior", 38, 0.00, (13, 17, 23, 80, 99, 147, 180, 377)),
    Row("sz_foc_ia", 35, 0.00, (4, 9, 16, 24, 49, 72, 97, 124)),
    Row("sz_foc_ia_m_tonic", 24, 0.25, (9, 20, 32, 42, 56, 112, 139, 147)),
    Row("sz_foc_ua_nm_behavior", 17, 0.56, (2, 12, 21, 34, 69, 108, 132, 151)),
    Row("sz_foc_ua_m_hyperkinetic", 9, 1.00, (4, 4.8, 6, 11, 14, 31, 56, 81)),
    Row("sz_foc_ia_um", 7, 0.00, (24, 25, 34, 51, 68, 84, 85, 86)),
    # From here on fewer than seven of a type: the lengths of all of these together.
    Row("sz_foc_a_m_automatisms", 4, 0.00, (4, 10, 13, 17, 80, 154, 172, 962)),
    Row("sz_foc_ua_m", 4, 0.75, (4, 10, 13, 17, 80, 154, 172, 962)),
    Row("sz_foc_ua_m_tonic", 2, 0.50, (4, 10, 13, 17, 80, 154, 172, 962)),
    Row("sz_foc_ia_nm_behavior", 2, 0.00, (4, 10, 13, 17, 80, 154, 172, 962)),
    Row("sz_foc_ua_m_automatisms", 2, 0.00, (4, 10, 13, 17, 80, 154, 172, 962)),
    Row("sz_foc_ia_m_clonic", 1, 1.00, (4, 10, 13, 17, 80, 154, 172, 962)),
)
"""Without the six of SeizeIT2 whose onset is unknown (`sz_uo`)."""

GENERALISED: Final = (
    Row("sz_gen_nm", 40, 0.10, (4, 5, 7, 9, 14, 20, 26, 35)),
    Row("sz_gen_m_tonicClonic", 25, 0.50, (30, 45, 55, 70, 90, 120, 160, 240)),
    Row("sz_gen_m_tonic", 12, 0.80, (4, 6, 8, 12, 17, 25, 33, 45)),
    Row("sz_gen_m_clonic", 8, 0.40, (10, 15, 22, 35, 55, 80, 110, 150)),
    Row("sz_gen_m_myoclonic", 10, 0.10, (2, 2.5, 3, 4, 6, 9, 11, 15)),
    Row("sz_gen_m_atonic", 5, 0.05, (2, 2.5, 3, 4, 5, 7, 9, 12)),
)

SIDES: Final[Mapping[Side, int]] = {"left": 386, "right": 112, "bilateral": 9}
LOBES: Final[Mapping[Side, Mapping[Lobe, int]]] = {
    "left": {
        "temporal": 202, "frontal": 141, "central": 22, "occipital": 12, "parietal": 4,
    },
    "right": {
        "temporal": 60, "frontal": 25, "insular": 14, "occipital": 6, "central": 2,
    },
    "bilateral": {"temporal": 4, "frontal": 3, "central": 1},
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Epilepsy:
    """What all seizures of one person tend to share."""

    kind: Kind
    side: Side
    lobe: Lobe


def draw_epilepsy(rng: Generator, generalised_share: float) -> Epilepsy:
    """Draw whether seizures are focal, and where they then begin."""
    if rng.random() < generalised_share:
        return Epilepsy("generalised", "bilateral", "unknown")
    return Epilepsy("focal", *draw_place(rng))


def draw_place(rng: Generator) -> tuple[Side, Lobe]:
    """Draw side and lobe together, as often as they were seen together."""
    sides = list(SIDES)
    side = sides[_weighted(rng, list(SIDES.values()))]
    lobes = list(LOBES[side])
    return side, lobes[_weighted(rng, list(LOBES[side].values()))]


def draw_row(rng: Generator, kind: Kind) -> Row:
    """Draw a type, as often as it was seen."""
    rows = GENERALISED if kind == "generalised" else FOCAL
    return rows[_weighted(rng, [row.count for row in rows])]


def row_of(event_type: str) -> Row:
    """Give the row of a type, or of the commonest type of its kind."""
    rows = GENERALISED if kind_of(event_type) == "generalised" else FOCAL
    return next((row for row in rows if row.event_type == event_type), rows[0])


def draw_duration_s(rng: Generator, row: Row) -> float:
    """Draw a length between the quantiles of a type; lengths are whole deciseconds."""
    logs = np.log(row.seconds)
    return round(float(np.exp(np.interp(rng.random(), SHARES, logs))), 1)


def _weighted(rng: Generator, counts: Sequence[int]) -> int:
    total = np.cumsum(counts)
    return int(np.searchsorted(total, rng.integers(total[-1]), side="right"))
