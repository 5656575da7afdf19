"""A lead -> the side and the lobes that it lies over.

An electrode belongs to the lobe under it; F7 and F8 stand over the frontal operculum
and hear the temporal pole, so they belong to both (Jurcak 2007; Silverman 1960). A lead
is the difference of two electrodes and so belongs to the lobes of both. The insula has
no electrode of its own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final

from distilclip_eeg.eeg.findings import Lobe, Side
from distilclip_eeg.eeg.montage import LEADS

LOBES_OF_ELECTRODE: Final[Mapping[str, tuple[Lobe, ...]]] = {
    **dict.fromkeys(("FP1", "F3", "FZ", "FP2", "F4"), ("frontal",)),
    **dict.fromkeys(("F7", "F8"), ("frontal", "temporal")),
    **dict.fromkeys(("T7", "P7", "T8", "P8"), ("temporal",)),
    **dict.fromkeys(("C3", "CZ", "C4"), ("central",)),
    **dict.fromkeys(("P3", "PZ", "P4"), ("parietal",)),
    **dict.fromkeys(("O1", "O2"), ("occipital",)),
}
_SHARE_OF_ONE = 0.75  # of the leads, for a place to be named


def lobes_of(lead: str) -> tuple[Lobe, ...]:
    """Name the lobes of a lead of the montage.

    Examples
    --------
    >>> lobes_of("T7-P7"), lobes_of("F3-C3")
    (('temporal',), ('frontal', 'central'))
    """
    both = (LOBES_OF_ELECTRODE[electrode] for electrode in lead.split("-"))
    return tuple(dict.fromkeys(lobe for lobes in both for lobe in lobes))


def side_of_lead(lead: str) -> Side:
    """Tell the side of a lead; `bilateral` on the midline.

    Examples
    --------
    >>> side_of_lead("F7-T7"), side_of_lead("FZ-CZ")
    ('left', 'bilateral')
    """
    if lead[-1] == "Z":
        return "bilateral"
    return "left" if lead[-1] in "13579" else "right"


def place_in_words(leads: Sequence[str]) -> str:
    """Say where leads lie, as far as they agree: `left temporal`, `right`, or nothing.

    Examples
    --------
    >>> place_in_words(["F7-T7", "T7-P7"]), place_in_words(["F7-T7", "F8-T8"])
    ('left temporal', 'frontal or temporal')
    """
    if not leads:
        return ""
    sides = Counter(side_of_lead(lead) for lead in leads)
    lobes = Counter(lobe for lead in leads for lobe in lobes_of(lead))
    words: list[str] = []
    side, n_side = sides.most_common(1)[0]
    if n_side >= _SHARE_OF_ONE * len(leads):
        words.append("midline" if side == "bilateral" else side)
    most = max(lobes.values())
    if most >= _SHARE_OF_ONE * len(leads):
        words.append(" or ".join(lobe for lobe in lobes if lobes[lobe] == most))
    return " ".join(words)


def table() -> list[tuple[str, Side, tuple[Lobe, ...]]]:
    """Give every lead with its side and its lobes, in the order of the montage."""
    return [(lead, side_of_lead(lead), lobes_of(lead)) for lead in LEADS]
