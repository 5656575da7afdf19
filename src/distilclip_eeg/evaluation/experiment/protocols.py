"""Stored recordings -> segments to train on and segments to test, by protocol.

`paper` deals segments out at random: what most papers do, and leaky. `paper_disjoint`
does so with segments that share no second. `patient` and `cross` have nobody on both
sides, and no trial of theirs can be made that has. Every protocol cuts, labels and
scores segments alike, so only the split differs. Knows no model.

Source of the first: Wang et al. 2025, doi 10.1109/JBHI.2025.3603022, as far as it says.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import permutations
from math import ceil
from typing import Final, Literal, NamedTuple, TypeAlias, get_args

import numpy as np

from distilclip_eeg.corpora.splits import (
    PatientSplit,
    check_disjoint,
    given_folds,
    k_fold,
    leave_one_out,
    official,
)
from distilclip_eeg.corpora.store import StoredRecording, overlap_per_second
from distilclip_eeg.errors import CorpusError
from distilclip_eeg.evaluation.experiment.seizure_classes import (
    BACKGROUND,
    CLASSES,
    spans_of,
)
from distilclip_eeg.evaluation.windows import HOP_S, ICTAL_SHARE, WINDOW_S

Protocol: TypeAlias = Literal["paper", "paper_disjoint", "patient", "cross"]

PROTOCOLS: Final[tuple[Protocol, ...]] = get_args(Protocol)
LEAKY: Final = ("paper", "paper_disjoint")
LEAK: Final = (
    "Leaky: under the protocols `paper` and `paper_disjoint` segments of the same "
    "patients, even of the same seizures, are trained on and tested. Their figures say "
    "how well a model recognises people it knows, not how well it finds seizures of "
    "somebody new: for that read `patient` or `cross`."
)
"""Stands on top of every table that has a leaky row."""
TEST_SHARE: Final = 0.2
RANDOM_PART: Final = "random"  # the part that random segments are tested in


class Segment(NamedTuple):
    """Ten seconds of a recording, wholly looked at by experts.

    Attributes
    ----------
    ictal
        At least half of it is; segments with less, but not free of it, are left out.
    label
        Its class; of several types of seizures the one that lasts longest in it.
    """

    recording: StoredRecording
    start_s: int
    ictal: bool
    label: str

    @property
    def name(self) -> str:
        return f"{self.recording.name}@{self.start_s}"


@dataclass(frozen=True)
class Trial:
    """One training and one test.

    Attributes
    ----------
    part
        What is tested: a fold, a patient, two data sets, or random segments.

    Raises
    ------
    CorpusError
        If a side lacks one of the classes to train on or has nothing to test, a segment
        is on both sides, or, unless the protocol is leaky, a patient is.
    """

    protocol: Protocol
    part: str
    train: tuple[Segment, ...]
    test: tuple[Segment, ...]

    def __post_init__(self) -> None:
        where = f"{self.protocol} {self.part}"
        if {s.ictal for s in self.train} != {True, False} or not self.test:
            n_ictal = sum(s.ictal for s in self.train)
            raise CorpusError(
                f"{where}: found {n_ictal} seizure and {len(self.train) - n_ictal} "
                f"background segments to train on and {len(self.test)} to test, "
                "expected some of each"
            )
        if untaught := {s.label for s in self.test} - {s.label for s in self.train}:
            raise CorpusError(
                f"{where}: found segments of class {min(untaught)!r} to test and none "
                "to train on, expected some"
            )
        if both := {s.name for s in self.train} & {s.name for s in self.test}:
            raise CorpusError(
                f"{where}: found {min(both)} in training and in test, expected in one"
            )
        if self.protocol not in LEAKY:
            check_disjoint(_recordings(self.train), _recordings(self.test))


def segments(
    recordings: Iterable[StoredRecording],
    hop_s: int = HOP_S,
    classes: Sequence[str] = CLASSES,
) -> list[Segment]:
    """Cut recordings into the segments that count, see `Segment`.

    They hop from the first second that experts looked at. Those that touch a seizure
    of no class are left out.
    """
    return [segment for r in recordings for segment in _cut(r, hop_s, classes)]


def _cut(
    recording: StoredRecording, hop_s: int, classes: Sequence[str]
) -> list[Segment]:
    seconds = np.arange(recording.n_seconds, dtype=float)
    ictal = overlap_per_second(seconds, [s[:2] for s in recording.seizures])
    by_class = {
        name: overlap_per_second(seconds, [s[:2] for s in seizures])
        for name, seizures in spans_of(recording, classes).items()
    }
    low, high = recording.labelled_s
    found = []
    latest = int(min(recording.n_seconds, high)) - WINDOW_S
    for start in range(ceil(low), latest + 1, hop_s):
        inside = slice(start, start + WINDOW_S)
        share = float(ictal[inside].mean())
        if share == 0:
            found.append(Segment(recording, start, False, BACKGROUND))
        elif share >= ICTAL_SHARE:
            lasts = {name: float(of[inside].sum()) for name, of in by_class.items()}
            label = max(lasts, key=lambda name: lasts[name])
            if label is not None and not lasts.get(None):
                found.append(Segment(recording, start, True, label))
    return found


def random_trial(
    recordings: Sequence[StoredRecording],
    seed: int,
    *,
    disjoint: bool = False,
    classes: Sequence[str] = CLASSES,
) -> Trial:
    """Deal segments out at random, a fifth of each class to test. Leaky.

    Parameters
    ----------
    disjoint
        Segments then share no second; otherwise each shares half with the next.
    """
    rng = np.random.default_rng(seed)
    train: list[Segment] = []
    test: list[Segment] = []
    found = segments(recordings, WINDOW_S if disjoint else HOP_S, classes)
    for label in classes:
        of_class = [s for s in found if s.label == label]
        order = rng.permutation(len(of_class)).tolist()
        n_test = round(TEST_SHARE * len(of_class))
        test += [of_class[k] for k in sorted(order[:n_test])]
        train += [of_class[k] for k in sorted(order[n_test:])]
    protocol: Protocol = "paper_disjoint" if disjoint else "paper"
    return Trial(protocol, RANDOM_PART, tuple(train), tuple(test))


def split_by(name: str | None, recordings: Sequence[StoredRecording]) -> PatientSplit:
    """Split by patient.

    Parameters
    ----------
    name
        `official`, `folds`, `leave-one-out` or a number of folds; None for what the
        data set gives, the first of these three that can be had.

    Raises
    ------
    CorpusError
        If there is no such split of these recordings.
    """
    if name is None:
        has_parts = all(r.split is not None for r in recordings)
        has_folds = all(r.fold is not None for r in recordings)
        name = "official" if has_parts else "folds" if has_folds else "leave-one-out"
    if name.isdecimal():
        return k_fold(recordings, int(name))
    ways: dict[str, Callable[[Sequence[StoredRecording]], PatientSplit]] = {
        "official": official,
        "folds": given_folds,
        "leave-one-out": leave_one_out,
    }
    if name not in ways:
        raise CorpusError(
            f"found split {name!r}, expected a number or one of {', '.join(ways)}"
        )
    return ways[name](recordings)


def patient_trials(
    recordings: Sequence[StoredRecording],
    split: PatientSplit,
    classes: Sequence[str] = CLASSES,
) -> list[Trial]:
    """Test each tested part of a split by what was learned from the other parts.

    A part without any segment that counts is left out.
    """
    trials = []
    for each in split.rounds():
        test = segments(split.select(recordings, each.test), HOP_S, classes)
        if test:
            train = segments(split.select(recordings, *each.train), HOP_S, classes)
            trials.append(Trial("patient", each.test, tuple(train), tuple(test)))
    return trials


def cross_trials(
    recordings: Sequence[StoredRecording], classes: Sequence[str] = CLASSES
) -> list[Trial]:
    """Train on one data set and test on another, each pair both ways.

    Raises
    ------
    CorpusError
        If fewer than two data sets have all classes, or two share a patient.
    """
    groups: dict[str, list[Segment]] = defaultdict(list)
    for segment in segments(recordings, HOP_S, classes):
        groups[segment.recording.dataset].append(segment)
    n = len(classes)
    both = [name for name in groups if len({s.label for s in groups[name]}) == n]
    if len(both) < 2:
        what = "seizures and background" if n == 2 else f"all {n} classes"
        raise CorpusError(
            f"found {len(both)} data sets with {what} "
            f"({', '.join(both) or 'none'}), expected two to cross"
        )
    return [
        Trial("cross", f"{a} to {b}", tuple(groups[a]), tuple(groups[b]))
        for a, b in permutations(sorted(both), 2)
    ]


def trials(
    protocol: Protocol,
    recordings: Sequence[StoredRecording],
    seed: int,
    split: PatientSplit | None = None,
    classes: Sequence[str] = CLASSES,
) -> list[Trial]:
    """Give the trials of a protocol.

    Parameters
    ----------
    seed
        Of what is dealt out at random; the other protocols do not need it.
    split
        For `patient` only, which needs it.
    """
    if protocol == "cross":
        return cross_trials(recordings, classes)
    if protocol == "patient":
        if split is None:
            raise CorpusError("found no split by patient, expected one for `patient`")
        return patient_trials(recordings, split, classes)
    disjoint = protocol == "paper_disjoint"
    return [random_trial(recordings, seed, disjoint=disjoint, classes=classes)]


def _recordings(of: Sequence[Segment]) -> list[StoredRecording]:
    return list({segment.recording.name: segment.recording for segment in of}.values())
