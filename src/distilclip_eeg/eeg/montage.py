"""Channel labels of any recording -> how to compute the 18 leads of the double banana.

Electrodes are nodes of a graph and channels its edges: `FP1-F7` joins two electrodes,
`EEG Fp1-REF` or a bare `Fp1` joins an electrode to the node of its reference. A lead
is the shortest way between its two electrodes, so stored leads, leads stored the
other way round and differences of referential channels are one and the same case.

Knows labels only: no sampling rates, no files, no state of the signal. Electrode names
follow the 10-10 system (Jurcak 2007), with T3 T4 T5 T6 read as T7 T8 P7 P8.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from distilclip_eeg.errors import TooFewLeadsError

LEADS: Final[tuple[str, ...]] = (
    "FP1-F7", "F7-T7", "T7-P7", "P7-O1",
    "FP1-F3", "F3-C3", "C3-P3", "P3-O1",
    "FZ-CZ", "CZ-PZ",
    "FP2-F4", "F4-C4", "C4-P4", "P4-O2",
    "FP2-F8", "F8-T8", "T8-P8", "P8-O2",
)  # fmt: skip
"""The 18 leads of the longitudinal bipolar montage, in the order models expect."""

MIN_LEADS: Final = 4  # fewer: refused
FEW_LEADS: Final = 10  # fewer: the output says that it sees less

ELECTRODES: Final[tuple[str, ...]] = tuple(
    dict.fromkeys(name for lead in LEADS for name in lead.split("-"))
)
"""The 19 electrodes that the leads lie between."""

_BARE = ""  # the node of the reference that a bare electrode name does not tell
_MAX_CHANNELS_PER_LEAD = 3  # noise adds up along a path
_LABELS_IN_A_MESSAGE = 24
_OTHER_NAMES = {
    "T3": "T7", "T4": "T8", "T5": "P7", "T6": "P8",
    "01": "O1", "02": "O2", "0Z": "OZ",
}  # fmt: skip
_SITE = (
    r"(?:FP|AF|F|FC|FT|C|T|CP|TP|P|PO|O|I)(?:Z|10|[1-9])|NZ|A[12]|M[12]|SP[12]|PG[12]"
)
_ELECTRODE = re.compile(_SITE)
_JOINED = re.compile(rf"({_SITE})({_SITE}|REF|LE|AVG?|AR)")  # C3A2, FP1REF
_PREFIX = re.compile(r"^(?:(?:EEG|POL)[\s._:/-]*)+")
_SEPARATORS = re.compile(r"[\s._:/\u2013\u2212-]+")
_NO_REFERENCE = re.compile(r"E[CK]G|E[MO]G|[LR]OC|VNS|CHIN|RESP|SAT|CQ")
_COPY_NUMBER = re.compile(r"\d|[1-9]\d")  # readers append -0, -1 to duplicates

_Term: TypeAlias = tuple[int, int]  # (channel, +1 or -1)
_Graph: TypeAlias = Mapping[str, Sequence[tuple[str, _Term]]]


def derivation(label: str) -> tuple[str, str] | None:
    """Say between which two points a channel was recorded.

    Parameters
    ----------
    label
        As it stands in a file: `EEG FP1-REF`, `Fp1-Avg`, `T8-P8-0`, `Fp1.`, `01`.

    Returns
    -------
    tuple of str, or None
        The electrode and what it is measured against: another electrode, the name of
        a reference, or `""` where the label names none. None if it is no EEG channel.
    """
    name = _PREFIX.sub("", label.strip().upper())
    parts = [part for part in _SEPARATORS.split(name) if part]
    if len(parts) > 1 and _COPY_NUMBER.fullmatch(parts[-1]):
        parts.pop()
    if len(parts) == 1 and (joined := _JOINED.fullmatch(parts[0])):
        parts = list(joined.groups())
    points = [_OTHER_NAMES.get(part, part) for part in parts]
    if not points or not _ELECTRODE.fullmatch(points[0]):
        return None
    if any(_NO_REFERENCE.match(point) for point in points[1:]):
        return None
    return points[0], "+".join(points[1:]) or _BARE


def electrode(label: str) -> str | None:
    """Name the electrode of a channel in the 10-10 system, or None if it has none.

    `EEG T3-REF` and `t7` both give `T7`; of a bipolar channel the first is given.
    """
    points = derivation(label)
    return points[0] if points else None


def lead_name(label: str) -> str | None:
    """Find which of `LEADS` a bipolar label means in either direction, or None."""
    plus, minus = derivation(label) or (_BARE, _BARE)
    for name in (f"{plus}-{minus}", f"{minus}-{plus}"):
        if name in LEADS:
            return name
    return None


@dataclass(frozen=True)
class Montage:
    """How to compute the 18 leads from some channels of one recording.

    Attributes
    ----------
    picks
        Channels of the recording that are needed, ascending.
    paths
        For each lead the terms to sum, as (position in `picks`, +1 or -1);
        empty for a lead that the recording does not hold.
    """

    picks: tuple[int, ...]
    paths: tuple[tuple[tuple[int, int], ...], ...]

    @property
    def present(self) -> NDArray[np.bool_]:
        """Which leads the recording holds, shape (18,)."""
        return np.array([bool(path) for path in self.paths])

    @property
    def missing_leads(self) -> tuple[str, ...]:
        """Names of the leads that the recording does not hold."""
        return tuple(
            name for name, path in zip(LEADS, self.paths, strict=True) if not path
        )

    def leads(self, x: NDArray[np.float32]) -> NDArray[np.float32]:
        """Turn picked channels (n_picks, n) into leads (18, n); missing ones are 0."""
        # Summed term by term: in a matrix product one NaN would reach every lead.
        out = np.zeros((len(LEADS), x.shape[1]), dtype=np.float32)
        for lead, path in enumerate(self.paths):
            for position, sign in path:
                out[lead] += x[position] if sign > 0 else -x[position]
        return out

    def any_bad(self, bad: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Turn bad channels, (n_picks, n), into bad leads, (18, n).

        A lead is bad where one of its channels is; a missing lead is bad throughout.
        """
        out = np.ones((len(LEADS), bad.shape[1]), dtype=np.bool_)
        for row, path in zip(out, self.paths, strict=True):
            if path:
                row[:] = bad[[position for position, _ in path]].any(axis=0)
        return out

    def warnings(self) -> tuple[str, ...]:
        """Say in one line if so few leads are there that seizures may be missed."""
        n_present = len(LEADS) - len(self.missing_leads)
        if n_present >= FEW_LEADS:
            return ()
        missing = " ".join(self.missing_leads)
        text = (
            f"only {n_present} of the {len(LEADS)} leads are in this recording: "
            f"seizures elsewhere will not be seen (missing: {missing})"
        )
        return (text,)


def plan_montage(ch_names: Sequence[str]) -> Montage:
    """Find how to compute the 18 leads from channels with these labels.

    A lead is summed from at most three channels, as few as possible and the earliest
    where there is a choice; of channels with the same label the first is used.

    Raises
    ------
    TooFewLeadsError
        If fewer than four leads can be computed.
    """
    graph = _graph(ch_names)
    paths = [_shortest_path(graph, *lead.split("-")) for lead in LEADS]
    if sum(map(bool, paths)) < MIN_LEADS:
        raise TooFewLeadsError(_too_few(ch_names, paths))
    picks = sorted({channel for path in paths for channel, _ in path})
    position = {channel: i for i, channel in enumerate(picks)}
    return Montage(
        picks=tuple(picks),
        paths=tuple(
            tuple((position[channel], sign) for channel, sign in path) for path in paths
        ),
    )


def _graph(ch_names: Sequence[str]) -> _Graph:
    graph: dict[str, list[tuple[str, _Term]]] = defaultdict(list)
    seen = set()
    for channel, label in enumerate(ch_names):
        points = derivation(label)
        if points is None or frozenset(points) in seen or points[0] == points[1]:
            continue
        plus, minus = points
        seen.add(frozenset(points))
        graph[plus].append((minus, (channel, 1)))
        graph[minus].append((plus, (channel, -1)))
    return graph


def _shortest_path(graph: _Graph, start: str, goal: str) -> tuple[_Term, ...]:
    ways: list[tuple[str, tuple[_Term, ...]]] = [(start, ())]
    for _ in range(_MAX_CHANNELS_PER_LEAD):
        ways = [
            (neighbour, (*terms, term))
            for node, terms in ways
            for neighbour, term in graph.get(node, ())
        ]
        if found := [terms for node, terms in ways if node == goal]:
            return min(found)
    return ()


def _too_few(ch_names: Sequence[str], paths: Sequence[tuple[_Term, ...]]) -> str:
    leads = [name for name, path in zip(LEADS, paths, strict=True) if path]
    points = {point for name in ch_names for point in derivation(name) or ()}
    electrodes = [name for name in ELECTRODES if name in points]
    labels = [" ".join(name.split()) for name in ch_names[:_LABELS_IN_A_MESSAGE]]
    cut = ", ..." if len(ch_names) > len(labels) else ""
    return (
        f"{len(leads)} of the {len(LEADS)} leads can be computed "
        f"({' '.join(leads) or 'none'}), {MIN_LEADS} are needed; "
        f"electrodes found: {' '.join(electrodes) or 'none'}; needed: leads such as "
        f"{' '.join(LEADS[:MIN_LEADS])}, or {' '.join(ELECTRODES)} with a common "
        f"reference; labels in the recording: {', '.join(labels) or 'none'}{cut}"
    )
