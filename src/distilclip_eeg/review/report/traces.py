"""A page of EEG -> lines of an SVG, few enough bytes that fifty pages fit in a file.

Each lead becomes the lowest and highest sample of every fiftieth of a second, in the
order in which they came: spikes keep their height. Whole numbers count tenths of
a millimetre along and up. Knows no events.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from distilclip_eeg.explain.drawing import CHAINS, SENSITIVITIES_UV_PER_MM
from distilclip_eeg.explain.page import Page

SPEED_MM_PER_S: Final = 15.0
LEAD_MM: Final = 6.6
CHAIN_GAP_MM: Final = 2.4
EDGE_MM: Final = 3.0  # above the first lead and below the last
UNITS_PER_MM: Final = 10.0
PEN_LIMIT_MM: Final = 2.2 * LEAD_MM  # pens have a stop: one pop must not hide a page
_FITS: Final = 0.85  # leads that seldom reach farther than this share of a row


@dataclass(frozen=True, slots=True)
class Line:
    """Part of one lead, as the `d` of an SVG path in tenths of a millimetre.

    Its zero is the left edge of the page and the baseline of the lead.
    """

    lead: int
    is_trusted: bool
    d: str


def baselines_mm() -> tuple[list[float], float]:
    """The baseline of each lead and the height of all, from the top."""
    positions, y = [], EDGE_MM
    for _, n_leads, _ in CHAINS:
        positions += [y + (row + 0.5) * LEAD_MM for row in range(n_leads)]
        y += n_leads * LEAD_MM + CHAIN_GAP_MM
    return positions, y - CHAIN_GAP_MM + EDGE_MM


def uv_per_mm(page: Page) -> int:
    """The finest sensitivity at which neighbouring leads seldom touch."""
    heard = page.leads_uv[page.trusted & np.isfinite(page.leads_uv)]
    if not heard.size:
        return 10
    extent_uv = float(np.percentile(np.abs(heard), 95))
    fitting = [
        step for step in SENSITIVITIES_UV_PER_MM if extent_uv / step <= _FITS * LEAD_MM
    ]
    return fitting[0] if fitting else SENSITIVITIES_UV_PER_MM[-1]


def lines(page: Page, sensitivity_uv_per_mm: float) -> Iterator[Line]:
    """Every stretch of every lead that the recording holds; negative goes up."""
    per_column = max(1, round(page.sfreq / 51.2))
    step = SPEED_MM_PER_S * UNITS_PER_MM * per_column / page.sfreq / 2
    deflection = page.leads_uv / np.float32(sensitivity_uv_per_mm)
    deflection = np.clip(deflection, -PEN_LIMIT_MM, PEN_LIMIT_MM) * UNITS_PER_MM
    points = _extremes(deflection, per_column)
    trusted = page.trusted[:, ::per_column].repeat(2, axis=1)[:, : points.shape[1]]
    for lead in np.flatnonzero(page.present).tolist():
        for start, stop, is_trusted in _runs(np.isfinite(points[lead]), trusted[lead]):
            heights = np.round(points[lead, start:stop]).astype(np.int64)
            yield Line(lead, is_trusted, _path(heights, start, step))


def _extremes(deflection: NDArray[np.float32], per_column: int) -> NDArray[np.float32]:
    """(18, n) -> (18, 2 * columns): both extremes of each column, the earlier first."""
    n_columns = deflection.shape[1] // per_column
    cut = deflection[:, : n_columns * per_column].reshape(-1, n_columns, per_column)
    low, high = cut.min(axis=2), cut.max(axis=2)
    rises = cut.argmin(axis=2) <= cut.argmax(axis=2)
    pair = np.stack([np.where(rises, low, high), np.where(rises, high, low)], axis=2)
    return pair.reshape(len(deflection), -1)


def _runs(
    known: NDArray[np.bool_], trusted: NDArray[np.bool_]
) -> Iterator[tuple[int, int, bool]]:
    """Stretches that are known and equally trusted; each meets the one after it."""
    state = np.where(known, 1 + trusted, 0)
    edges = np.flatnonzero(np.diff(state)) + 1
    bounds = [0, *edges.tolist(), len(state)]
    for start, stop in pairwise(bounds):
        if state[start]:
            joins = stop < len(state) and state[stop]
            yield start, stop + 1 if joins else stop, bool(state[start] == 2)


def _path(heights: NDArray[np.int64], start: int, step: float) -> str:
    """Steps from point to point; places are rounded, so that no error adds up."""
    along = np.round((start + np.arange(len(heights))) * step).astype(np.int64)
    moves = zip(np.diff(along).tolist(), np.diff(heights).tolist(), strict=True)
    steps = " ".join(f"{dx}{dy}" if dy < 0 else f"{dx} {dy}" for dx, dy in moves)
    return f"M{along[0]} {heights[0]}l{steps}"
