"""Channel labels -> the montages that a reader can choose.

A montage is a matrix from channels to traces. Bipolar traces are the shortest way
between two electrodes over the channels of the recording, so that one bad channel
spoils few of them; the average reference is what the channels say of every electrode
by least squares, measured against the mean of the electrodes. Knows labels only.

The transverse montage is TB-18.1 of ACNS guideline 3 (Acharya 2016).
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from distilclip_eeg.eeg.montage import ELECTRODES, LEADS, derivation

Side = Literal["left", "right", "middle", "other"]

TRANSVERSE: Final = (
    "F7-FP1", "FP1-FP2", "FP2-F8",
    "F7-F3", "F3-FZ", "FZ-F4", "F4-F8",
    "T7-C3", "C3-CZ", "CZ-C4", "C4-T8",
    "P7-P3", "P3-PZ", "PZ-P4", "P4-P8",
    "P7-O1", "O1-O2", "O2-P8",
)  # fmt: skip
MAX_RECORDED: Final = 64  # traces; more cannot be told apart on a screen
MAX_HOPS: Final = 5  # channels that a bipolar trace may be summed from
MIN_AVERAGED: Final = 10  # electrodes; the mean of fewer is no reference
SMALLEST_WEIGHT: Final = 1e-9

_LONGITUDINAL_GROUPS: Final = (4, 4, 2, 4, 4)
_TRANSVERSE_GROUPS: Final = (3, 4, 4, 4, 3)

Edge = tuple[str, str, int]  # electrode, electrode or reference, channel


@dataclass(frozen=True, slots=True)
class Trace:
    """One line of a page.

    Attributes
    ----------
    group
        Traces of one group stand closer together than those of two.
    """

    name: str
    side: Side
    group: int


@dataclass(frozen=True, eq=False)
class Derivation:
    """How to compute the traces of one montage.

    Attributes
    ----------
    picks
        Channels that are needed.
    weights
        (n_traces, n_picks) of each channel in each trace.
    missing
        Names of traces that the recording does not hold.
    """

    name: str
    traces: tuple[Trace, ...]
    picks: tuple[int, ...]
    weights: NDArray[np.float32]
    missing: tuple[str, ...] = ()

    def apply(self, channels_uv: NDArray[np.float32]) -> NDArray[np.float32]:
        """Turn (n_picks, n) µV into (n_traces, n) µV.

        A trace is NaN where one of its own channels is, and nowhere else.
        """
        bad = np.isnan(channels_uv)
        if not bad.any():
            return np.asarray(self.weights @ channels_uv)
        out = np.asarray(self.weights @ np.where(bad, np.float32(0), channels_uv))
        used = (self.weights != 0).astype(np.float32)
        out[used @ bad.astype(np.float32) > 0] = np.nan
        return out


def derivations(ch_names: Sequence[str]) -> dict[str, Derivation]:
    """Give the montages that these channels allow, by name; the first is the default.

    `as recorded` is always among them.
    """
    edges = _edges(ch_names)
    n_chans = len(ch_names)
    found = [
        _bipolar("longitudinal", LEADS, _LONGITUDINAL_GROUPS, edges, n_chans),
        _bipolar("transverse", TRANSVERSE, _TRANSVERSE_GROUPS, edges, n_chans),
        _average(edges, n_chans),
        _as_recorded(ch_names),
    ]
    return {d.name: d for d in found if d.traces}


def side_of(name: str) -> Side:
    """Say on which side of the head an electrode or a lead lies, by its name."""
    sides = set()
    for electrode in name.upper().split("-"):
        digits = electrode.lstrip("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
        if digits.isdigit():
            sides.add("left" if int(digits) % 2 else "right")
        elif electrode.endswith("Z") and not digits:
            sides.add("middle")
    if sides == {"left"} or sides == {"left", "middle"}:
        return "left"
    if sides == {"right"} or sides == {"right", "middle"}:
        return "right"
    return "middle" if sides else "other"


def _edges(ch_names: Sequence[str]) -> list[Edge]:
    """Channels between two different points; of those with equal ends the first."""
    edges, seen = list[Edge](), set[frozenset[str]]()
    for channel, label in enumerate(ch_names):
        points = derivation(label)
        if points is None or points[0] == points[1] or frozenset(points) in seen:
            continue
        seen.add(frozenset(points))
        edges.append((*points, channel))
    return edges


def _bipolar(
    name: str,
    wanted: Sequence[str],
    groups: Sequence[int],
    edges: Sequence[Edge],
    n_chans: int,
) -> Derivation:
    group_of = [g for g, size in enumerate(groups) for _ in range(size)]
    traces, rows, missing = [], [], []
    for lead, group in zip(wanted, group_of, strict=True):
        start, goal = lead.split("-")
        row = _way(edges, start, goal, n_chans)
        if row is None:
            missing.append(lead)
        else:
            traces.append(Trace(lead, side_of(lead), group))
            rows.append(row)
    return _derivation(name, traces, rows, n_chans, tuple(missing))


def _way(
    edges: Sequence[Edge], start: str, goal: str, n_chans: int
) -> NDArray[np.float64] | None:
    """Weights of the channels whose sum is start minus goal; breadth first."""
    steps: dict[str, list[tuple[str, int, float]]] = {}
    for plus, minus, channel in edges:
        steps.setdefault(plus, []).append((minus, channel, 1.0))
        steps.setdefault(minus, []).append((plus, channel, -1.0))
    ways = deque([(start, np.zeros(n_chans), 0)])
    reached = {start}
    while ways:
        node, weights, n_hops = ways.popleft()
        if node == goal:
            return weights if n_hops else None
        for neighbour, channel, sign in steps.get(node, ()):
            if neighbour in reached or n_hops == MAX_HOPS:
                continue
            reached.add(neighbour)
            further = weights.copy()
            further[channel] += sign
            ways.append((neighbour, further, n_hops + 1))
    return None


def _average(edges: Sequence[Edge], n_chans: int) -> Derivation:
    component = _largest_component(edges)
    electrodes = [name for name in ELECTRODES if name in component]
    name = "average"
    if len(electrodes) < MIN_AVERAGED or {"left", "right"} - set(
        map(side_of, electrodes)
    ):
        return _derivation(name, [], [], n_chans)  # no average of the head
    nodes = {node: i for i, node in enumerate(sorted(component))}
    used = [edge for edge in edges if edge[0] in component]
    incidence = np.zeros((len(used), len(nodes)))
    for row, (plus, minus, _) in zip(incidence, used, strict=True):
        row[nodes[plus]], row[nodes[minus]] = 1, -1
    potentials = np.linalg.pinv(incidence)[[nodes[e] for e in electrodes]]
    rows = np.zeros((len(electrodes), n_chans))
    rows[:, [channel for *_, channel in used]] = potentials - potentials.mean(axis=0)
    traces = [Trace(e, side_of(e), _area(e)) for e in electrodes]
    missing = tuple(e for e in ELECTRODES if e not in component)
    return _ordered(_derivation(name, traces, list(rows), n_chans, missing))


def _area(electrode: str) -> int:
    """Left, middle, right, as groups of the average reference."""
    return {"left": 0, "middle": 1, "right": 2}.get(side_of(electrode), 3)


def _ordered(derived: Derivation) -> Derivation:
    order = sorted(range(len(derived.traces)), key=lambda i: derived.traces[i].group)
    traces = tuple(derived.traces[i] for i in order)
    weights = derived.weights[order]
    return Derivation(derived.name, traces, derived.picks, weights, derived.missing)


def _largest_component(edges: Sequence[Edge]) -> set[str]:
    """The points that hang together and hold most electrodes."""
    label: dict[str, str] = {}

    def root(node: str) -> str:
        while label.setdefault(node, node) != node:
            node = label[node]
        return node

    for plus, minus, _ in edges:
        label[root(plus)] = root(minus)
    sizes = Counter(root(node) for node in ELECTRODES if node in label)
    if not sizes:
        return set()
    chosen = sizes.most_common(1)[0][0]
    return {node for node in list(label) if root(node) == chosen}


def _as_recorded(ch_names: Sequence[str]) -> Derivation:
    shown = [
        (channel, " ".join(label.split()) or f"channel {channel + 1}")
        for channel, label in enumerate(ch_names)
        if not label.strip().endswith("Annotations")
    ]
    traces, rows = [], []
    for channel, label in shown[:MAX_RECORDED]:
        row = np.zeros(len(ch_names))
        row[channel] = 1
        points = derivation(label)
        side = (
            side_of("-".join(points[: 1 + (points[1] in ELECTRODES)]))
            if points
            else "other"
        )
        traces.append(Trace(label, side, 0 if points else 1))
        rows.append(row)
    left_out = tuple(label for _, label in shown[MAX_RECORDED:])
    return _derivation("as recorded", traces, rows, len(ch_names), left_out)


def _recorded_side(points: tuple[str, str] | None) -> Side:
    if points is None:
        return "other"
    electrode, against = points
    return side_of(f"{electrode}-{against}" if against in ELECTRODES else electrode)


def _derivation(
    name: str,
    traces: Sequence[Trace],
    rows: Sequence[NDArray[np.float64]],
    n_chans: int,
    missing: tuple[str, ...] = (),
) -> Derivation:
    weights = np.stack(rows) if len(rows) else np.zeros((0, n_chans))
    weights[np.abs(weights) < SMALLEST_WEIGHT] = 0
    picks = np.flatnonzero(weights.any(axis=0))
    return Derivation(
        name,
        tuple(traces),
        tuple(picks.tolist()),
        weights[:, picks].astype(np.float32),
        missing,
    )
