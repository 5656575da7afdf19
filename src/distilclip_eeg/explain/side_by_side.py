"""Windows of EEG, real and simulated -> pages with both side by side, on one scale.

Left real, right simulated. The real window is drawn by chance, the simulated one too,
as the one nearest in loudness of a dozen: shapes are to be compared. Laid out as a page
of a detection (`drawing`): longitudinal bipolar, negative up.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.transforms import blended_transform_factory
from PIL import Image

from distilclip_eeg.eeg.annotations import written_whole
from distilclip_eeg.eeg.montage import LEADS
from distilclip_eeg.evaluation.realism.epochs import (
    ALWAYS_AWAKE,
    AWAKE,
    SIMULATED,
    Epoch,
    Kind,
)
from distilclip_eeg.explain.drawing import (
    CHAINS,
    MM_PER_INCH,
    SENSITIVITIES_UV_PER_MM,
)

PAGES: Final[dict[Kind, str]] = {
    "background": "backgrounds.png",
    "seizure": "seizures.png",
    "pattern": "patterns.png",
}
CANDIDATES: Final = 12  # simulated windows, of which the one as loud is shown
DPI: Final = 110
COLOURS: Final = 12  # of the picture: enough for ink on paper, and a quarter the bytes
PANEL_MM, LEAD_MM, CHAIN_GAP_MM = 120.0, 4.6, 1.6
LEFT_MM, BETWEEN_MM, RIGHT_MM = 17.0, 4.0, 3.0
TOP_MM, BOTTOM_MM, TITLE_MM = 3.0, 6.0, 8.0
SMALL, NORMAL = 5.5, 8.0
_SLEEPY: Final = ("drowsy", "light", "deep")


@dataclass(frozen=True, slots=True)
class Row:
    """Two windows that a reader shall compare."""

    title: str
    real: Epoch
    simulated: Epoch


def choose_rows(epochs: Sequence[Epoch], kind: Kind, seed: int) -> list[Row]:
    """Draw windows to compare; empty where a side has none.

    Of seizures beginning, middle and end; of backgrounds and patterns one row for each
    real data set.
    """
    rng = np.random.default_rng(seed)
    here = [epoch for epoch in epochs if epoch.kind == kind]
    real = [epoch for epoch in here if epoch.dataset != SIMULATED]
    simulated = [epoch for epoch in here if epoch.dataset == SIMULATED]
    rows = []
    if kind == "seizure":
        for part in ("onset", "middle", "end"):
            sides = [[e for e in side if e.part == part] for side in (real, simulated)]
            rows += _row(rng, f"seizure, {part}", *sides)
        return rows
    for name in sorted({epoch.dataset for epoch in real}):
        own = [epoch for epoch in real if epoch.dataset == name]
        like, title = _alike(name, own, simulated)
        rows += _row(rng, title, own, like)
    return rows


def _alike(
    name: str, own: Sequence[Epoch], simulated: Sequence[Epoch]
) -> tuple[list[Epoch], str]:
    if own[0].kind == "pattern":
        return list(simulated), "intensive care"
    if np.mean([epoch.part == "after" for epoch in own]) > 0.5:
        return [e for e in simulated if e.part == "after"], "after a seizure"
    if name in ALWAYS_AWAKE:
        return [e for e in simulated if e.part == "" and e.state in AWAKE], "awake"
    sleepy = [e for e in simulated if e.part == "" and e.state in _SLEEPY]
    return sleepy, "sleep (right; left unknown)"


def _row(
    rng: np.random.Generator,
    title: str,
    real: Sequence[Epoch],
    simulated: Sequence[Epoch],
) -> list[Row]:
    if not real or not simulated:
        return []
    left = real[int(rng.integers(len(real)))]
    drawn = [simulated[i] for i in rng.integers(len(simulated), size=CANDIDATES)]
    right = min(drawn, key=lambda epoch: abs(_loudness(epoch) - _loudness(left)))
    return [Row(title, left, right)]


def _loudness(epoch: Epoch) -> float:
    if not epoch.usable.any():
        return -np.inf
    return float(np.log(np.mean(epoch.leads[epoch.usable] ** 2) + 1e-6))


def draw_rows(rows: Sequence[Row]) -> Figure:
    """Draw one row of two panels for each pair."""
    positions, panel_mm = _positions_mm()
    row_mm = panel_mm + TITLE_MM
    width = LEFT_MM + 2 * PANEL_MM + BETWEEN_MM + RIGHT_MM
    height = TOP_MM + len(rows) * row_mm + BOTTOM_MM
    figure = Figure(figsize=(width / MM_PER_INCH, height / MM_PER_INCH))
    for k, row in enumerate(rows):
        uv_per_mm = _scale(row)
        bottom = height - TOP_MM - (k + 1) * row_mm
        for column, epoch in enumerate((row.real, row.simulated)):
            left = LEFT_MM + column * (PANEL_MM + BETWEEN_MM)
            axes = figure.add_axes(
                (
                    left / width,
                    bottom / height,
                    PANEL_MM / width,
                    panel_mm / height,
                )
            )
            _draw_panel(axes, epoch, positions, panel_mm, uv_per_mm)
            if column == 0:
                _name_leads(axes, positions)
            side = "simulated" if column else "real"
            text = f"{side}, {row.title} · {epoch.where} · {uv_per_mm} µV/mm"
            axes.set_title(text, fontsize=NORMAL, loc="left", pad=2)
    foot = "10 s, a line every second; negative up; both sides of a row on one scale"
    figure.text(LEFT_MM / width, 1.5 / height, foot, fontsize=SMALL + 1)
    return figure


def save_small(figure: Figure, path: Path) -> None:
    """Write a PNG of few colours; the file appears whole or never."""
    figure.set_dpi(DPI)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()  # type: ignore[no-untyped-call]
    pixels = np.asarray(canvas.buffer_rgba())  # type: ignore[no-untyped-call]
    picture = Image.fromarray(pixels).convert("RGB")
    with written_whole(path) as partial:
        picture.quantize(COLOURS).save(partial, format="PNG", optimize=True)


def _positions_mm() -> tuple[list[float], float]:
    positions, y = [], 0.6 * LEAD_MM
    for _, n_leads, _ in CHAINS:
        for _ in range(n_leads):
            positions.append(y + 0.5 * LEAD_MM)
            y += LEAD_MM
        y += CHAIN_GAP_MM
    return positions, y - CHAIN_GAP_MM + 0.6 * LEAD_MM


def _scale(row: Row) -> int:
    """The finest scale at which neighbours seldom touch, on the louder side."""
    extents = [
        np.percentile(np.abs(epoch.leads[epoch.usable]), 97)
        for epoch in (row.real, row.simulated)
        if epoch.usable.any()
    ]
    largest = max(extents, default=0.0)
    steps = SENSITIVITIES_UV_PER_MM
    return next((s for s in steps if largest / s <= 0.9 * LEAD_MM), steps[-1])


def _draw_panel(
    axes: Axes,
    epoch: Epoch,
    positions: Sequence[float],
    panel_mm: float,
    uv_per_mm: int,
) -> None:
    n_times = epoch.leads.shape[1]
    seconds = np.linspace(0, 10, n_times, endpoint=False)
    for second in range(11):
        axes.axvline(second, color="#d0d0d0", linewidth=0.4, zorder=1)
    colours = [colour for _, n, colour in CHAINS for _ in range(n)]
    limit = 2.5 * LEAD_MM
    for lead, y, colour, usable in zip(
        epoch.leads, positions, colours, epoch.usable, strict=True
    ):
        if usable:
            trace = y + np.clip(lead / uv_per_mm, -limit, limit)
            axes.plot(seconds, trace, color=colour, linewidth=0.5, zorder=2)
        else:
            axes.axhline(y, color="#b0b0b0", linewidth=0.6, linestyle=":")
    axes.set(xlim=(0, 10), ylim=(panel_mm, 0), xticks=[], yticks=[])
    for spine in axes.spines.values():
        spine.set(color="#888888", linewidth=0.5)


def _name_leads(axes: Axes, positions: Sequence[float]) -> None:
    beside = blended_transform_factory(axes.transAxes, axes.transData)
    for lead, y in zip(LEADS, positions, strict=True):
        text = lead.replace("FP", "Fp").replace("Z", "z").replace("-", "–")
        axes.text(
            -0.008, y, text, transform=beside, ha="right", va="center", fontsize=SMALL
        )


def write_pages(epochs: Sequence[Epoch], folder: Path, seed: int = 0) -> list[Path]:
    """Write a page of each kind that both sides have; return their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for kind, name in PAGES.items():
        rows = choose_rows(epochs, kind, seed)
        if rows:
            save_small(draw_rows(rows), folder / name)
            written.append(folder / name)
    return written
