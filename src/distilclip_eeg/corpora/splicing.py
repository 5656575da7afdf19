"""A seizure and stretches of background -> one signal in which it comes out of them.

Clips that begin with the seizure cannot tell how soon a detector finds it. The
background is laid from excerpts in random order, each played forward, joined to the
next as the last one is to the seizure: same cross-fade, same jump of level, at random
times. A detector that hears joins is thus found out in the background, where nothing
begins. Played backwards, or from one long piece, the background would differ from the
seizure in more than the seizure.

Rows are leads, or channels, in microvolts before any filter. Knows no files.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from distilclip_eeg.errors import CorpusError

CROSSFADE_S: Final = 0.25  # linear, as windows of the training are joined
PIECE_S: Final = (10.0, 30.0)  # of background; less where a stretch is shorter
SHORTEST_S: Final = 5.0  # a stretch that is not left out
LEVELS: Final = (0.4, 2.5)  # how far a level may be moved to that of the seizure
LEVEL_S: Final = 10.0  # of the seizure, from its onset
OFFSET_S: Final = 1.0  # on each side of a join: there the means are equal

Signal = NDArray[np.float32]


class Piece(NamedTuple):
    """An excerpt of background as it lies in the spliced signal.

    Attributes
    ----------
    source, start
        Which stretch, and the first sample there.
    at, stop
        Samples of the spliced signal: the next piece, or the seizure, fades in from
        `stop` on.
    gain
        What it was multiplied by.
    """

    source: int
    start: int
    at: int
    stop: int
    gain: float


@dataclass(frozen=True, slots=True, eq=False)
class Spliced:
    """A seizure after background.

    Attributes
    ----------
    signal
        (rows, n) float32 µV.
    onset
        Sample from which the seizure fades in; whole after `CROSSFADE_S`.
    pieces
        In order of time.
    """

    signal: Signal
    onset: int
    pieces: tuple[Piece, ...]

    @property
    def joins(self) -> tuple[int, ...]:
        """Samples at which one piece of background fades into the next."""
        return tuple(piece.at for piece in self.pieces[1:])


def splice(
    seizure: Signal,
    backgrounds: Sequence[Signal],
    sfreq: float,
    rng: Generator,
    background_s: float,
) -> Spliced:
    """Put background before a seizure.

    A piece is multiplied by the ratio of levels to a random power between 0 and 1, and
    moved by a constant so that no join is a step: electrodes drift between recordings.
    The seizure is left as it is.

    Parameters
    ----------
    seizure
        (rows, n) µV from the onset on.
    backgrounds
        Each (rows, m) µV without a seizure; those under 5 s are not used.
    background_s
        How much is to come before the onset.

    Raises
    ------
    CorpusError
        If rows differ, the seizure is shorter than a cross-fade, or no background is
        long enough.
    """
    onset, fade = round(background_s * sfreq), round(CROSSFADE_S * sfreq)
    shortest = round(SHORTEST_S * sfreq) + fade
    enough = any(b.shape[1] >= shortest for b in backgrounds)
    alike = all(len(b) == len(seizure) for b in backgrounds)
    if not enough or not alike or seizure.shape[1] < fade:
        raise CorpusError(
            f"found a seizure of shape {seizure.shape} and backgrounds of shapes "
            f"{[b.shape for b in backgrounds]}, expected the same rows, {fade} samples "
            f"of seizure, and a background of {shortest} or more"
        )
    signal = np.empty((len(seizure), onset + seizure.shape[1]), np.float32)
    signal[:, onset:] = seizure
    level = level_uv(seizure[:, : round(LEVEL_S * sfreq)], sfreq)
    pieces: list[Piece] = []
    spans = _spans([b.shape[1] - fade for b in backgrounds], onset, sfreq, rng)
    for source, start, at, stop in spans:
        piece = backgrounds[source][:, start : start + stop - at + fade]
        ratio = np.clip(level / max(level_uv(piece, sfreq), 1.0), *LEVELS)
        gain = float(ratio ** rng.uniform(0, 1))
        _prepend(signal, np.float32(gain) * piece, at, stop, round(OFFSET_S * sfreq))
        pieces.append(Piece(source, start, at, stop, gain))
    return Spliced(signal, onset, tuple(reversed(pieces)))


def level_uv(signal: Signal, sfreq: float) -> float:
    """Give the median over rows and seconds of the spread within a second, µV.

    A second in which something is no number does not count; 0 without any other.
    """
    rate = round(sfreq)
    n = signal.shape[1] // rate
    with np.errstate(invalid="ignore"):
        spread = signal[:, : n * rate].reshape(len(signal), n, rate).std(axis=2)
    known = spread[np.isfinite(spread)]
    return float(np.median(known)) if known.size else 0.0


def _spans(
    lengths: Sequence[int], onset: int, sfreq: float, rng: Generator
) -> Iterator[tuple[int, int, int, int]]:
    """Draw excerpts from the onset backwards: source, first sample, at and stop.

    Nothing is heard twice before everything was heard once.
    """
    order: list[tuple[int, int, int]] = []
    stop = onset
    while stop > 0:
        order = order or _excerpts(lengths, sfreq, rng)
        source, start, length = order.pop()
        late = max(0, length - stop)
        yield source, start + late, stop - length + late, stop
        stop -= length


def _excerpts(
    lengths: Sequence[int], sfreq: float, rng: Generator
) -> list[tuple[int, int, int]]:
    """Cut every source into excerpts: source, first sample, length; in random order."""
    low, high, shortest = (round(s * sfreq) for s in (*PIECE_S, SHORTEST_S))
    found = []
    for source, end in enumerate(lengths):
        start = 0
        while end - start >= shortest:
            length = min(int(rng.integers(low, high + 1)), end - start)
            found.append((source, start, length))
            start += length
    return [found[k] for k in rng.permutation(len(found))]


def _prepend(signal: Signal, piece: Signal, at: int, stop: int, mean_of: int) -> None:
    """Write a piece before what is written already, from sample `stop` on."""
    n = stop - at
    fade = piece.shape[1] - n
    with np.errstate(invalid="ignore"):
        after = signal[:, stop : stop + mean_of].mean(axis=1, keepdims=True)
        step = after - piece[:, -mean_of:].mean(axis=1, keepdims=True)
    piece = piece + np.where(np.isfinite(step), step, np.float32(0))
    late = (np.arange(fade) / fade).astype(np.float32)
    into = signal[:, stop : stop + fade]
    into *= late
    into += piece[:, n:] * (1 - late)
    signal[:, at:stop] = piece[:, :n]
