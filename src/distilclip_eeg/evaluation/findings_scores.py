"""Seeds -> how often side, lobe and kind of found seizures are told rightly.

    python -m distilclip_eeg.evaluation.findings_scores 25000 25200 --output scores.json

Short simulated recordings, each of a person of its own, are heard as `detect` hears
them; whatever shares most time with a planted seizure is what was found of it. Bounds
are over draws of persons. Does not know how a place is told.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeAlias

import numpy as np

from distilclip_eeg.corpora.simulate import Settings, as_recording, simulate
from distilclip_eeg.corpora.simulation.recording import GENERATION
from distilclip_eeg.detection.detector import detect
from distilclip_eeg.detection.models import DEFAULT_MODEL, Model, load_model
from distilclip_eeg.eeg.events import Event, Place
from distilclip_eeg.eeg.findings import kind_of
from distilclip_eeg.eeg.whole_files import written_whole
from distilclip_eeg.evaluation.assessment import Figures, Weights
from distilclip_eeg.evaluation.intervals import DRAWS, drawn

DURATION_S: Final = 240.0
SETTINGS: Final = Settings(seizures_per_hour=20.0, generalised_share=0.25)
SHORTEST_S: Final = 10.0  # of a focal seizure whose place is asked for
LENGTHS_S: Final = ((10.0, 20.0), (20.0, 40.0), (40.0, np.inf))
UNSAID: Final = "not said"

Right: TypeAlias = Callable[["Heard"], bool | None]
"""Whether something is told rightly; None if it is not told."""


@dataclass(frozen=True, slots=True)
class Heard:
    """A planted seizure, and what was found of it; None if nothing was."""

    seed: int
    event_type: str
    side: str
    lobe: str
    duration_s: float
    found: Event | None

    @property
    def is_placed(self) -> bool:
        """Whether its place is asked for: found, focal and long enough."""
        is_focal = kind_of(self.event_type) == "focal"
        return self.found is not None and is_focal and self.duration_s >= SHORTEST_S

    @property
    def place(self) -> Place:
        """Where it is said to begin."""
        return (self.found and self.found.place) or Place()


def hear(seed: int, model: Model) -> list[Heard]:
    """Draw one person and hear them."""
    simulated = simulate(seed, DURATION_S, settings=SETTINGS)
    if not simulated.seizures:
        return []
    events = detect(as_recording(simulated), model=model).events
    return [
        Heard(
            seed,
            planted.plan.event_type,
            planted.plan.side,
            planted.plan.lobe,
            planted.event.duration,
            nearest(planted.event, events),
        )
        for planted in simulated.seizures
    ]


def nearest(truth: Event, events: Iterable[Event]) -> Event | None:
    """Give the event that shares most time with a seizure; None if none does."""

    def shared_s(event: Event) -> float:
        ends = (event.onset + event.duration, truth.onset + truth.duration)
        return min(ends) - max(event.onset, truth.onset)

    best = max(events, key=shared_s, default=None)
    return best if best is not None and shared_s(best) > 0 else None


def side_is_right(heard: Heard) -> bool | None:
    """Whether the side that was said is that of the focus."""
    said = heard.place.side
    return None if said is None else said == heard.side


def lobe_is_right(heard: Heard) -> bool | None:
    """Whether the lobe that was said is that of the focus."""
    said = heard.place.lobe
    return None if said is None else said == heard.lobe


def kind_is_right(heard: Heard) -> bool | None:
    """Whether it was rightly called focal or generalised."""
    said = kind_of(heard.found.event_type) if heard.found else "unknown"
    return None if said == "unknown" else said == kind_of(heard.event_type)


def scores(heard: Sequence[Heard], draws: int = DRAWS) -> dict[str, Any]:
    """Give every figure with its bounds, and the confusion of sides.

    Returns
    -------
    dict
        JSON values. `right` counts what was not said as wrong, `right_if_said` leaves
        it out; both are (value, low, high).
    """
    placed = [h for h in heard if h.is_placed]
    found = [h for h in heard if h.found]
    out: dict[str, Any] = {
        "n_persons": len({h.seed for h in heard}),
        "n_seizures": len(heard),
        "n_found": len(found),
        "side": _shares(placed, side_is_right, draws),
        "lobe": _shares(placed, lobe_is_right, draws),
        "kind": _shares(found, kind_is_right, draws),
    }
    for low, high in LENGTHS_S:
        some = [h for h in placed if low <= h.duration_s < high]
        name = f"{low:g}-{high:g} s" if np.isfinite(high) else f"{low:g} s and more"
        out[name] = {
            "side": _shares(some, side_is_right, draws),
            "lobe": _shares(some, lobe_is_right, draws),
        }
    sides = Counter((h.side, h.place.side or UNSAID) for h in placed)
    out["sides"] = [[*pair, n] for pair, n in sorted(sides.items())]
    lobes = Counter((h.lobe, h.place.lobe or UNSAID) for h in placed)
    out["lobes"] = [[*pair, n] for pair, n in sorted(lobes.items())]
    out["side_calibration"] = _calibration(placed)
    return out


def _shares(heard: Sequence[Heard], is_right: Right, draws: int) -> dict[str, Any]:
    seeds = sorted({h.seed for h in heard})
    counts = np.zeros((len(seeds), 3))  # right, said, all
    for one in heard:
        told = is_right(one)
        counts[seeds.index(one.seed)] += (bool(told), told is not None, 1)

    def figures(weights: Weights) -> Figures:
        right, said, every = weights @ counts
        return {
            "right": right / every if every else np.nan,
            "right_if_said": right / said if said else np.nan,
            "said": said / every if every else np.nan,
        }

    found = drawn(figures, len(seeds), draws, 0) if seeds else {}
    values = {name: [round(float(v), 4) for v in x] for name, x in found.items()}
    return {"n": len(heard), **values}


def _calibration(heard: Sequence[Heard]) -> list[list[float]]:
    """Tell by confidence, in steps: least of the step, mean, share right, how many."""
    said = [
        (h.place.side_confidence, h.place.side == h.side)
        for h in heard
        if h.place.side_confidence is not None
    ]
    rows = []
    for low, high in ((0.0, 0.6), (0.6, 0.8), (0.8, 0.9), (0.9, 0.97), (0.97, 1.01)):
        some = [pair for pair in said if low <= pair[0] < high]
        if some:
            sure, right = np.mean(some, axis=0)
            rows.append([low, round(sure, 4), round(right, 4), len(some)])
    return rows


def main(arguments: Sequence[str] | None = None) -> None:
    """Score a model on seeds, and write the figures as JSON."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("first", type=int)
    parser.add_argument("last", type=int, help="not included")
    parser.add_argument("--model", default=DEFAULT_MODEL)
    parser.add_argument("--output", type=Path, required=True)
    asked = parser.parse_args(arguments)
    model = load_model(asked.model)
    heard = [h for s in range(asked.first, asked.last) for h in hear(s, model)]
    about = {
        "seeds": [asked.first, asked.last - 1],
        "simulator_generation": GENERATION,
        "model": model.name,
        "model_sha256": model.identity.sha256,
    }
    text = json.dumps({**about, **scores(heard)}, indent=1)
    with written_whole(asked.output) as partial:
        partial.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
