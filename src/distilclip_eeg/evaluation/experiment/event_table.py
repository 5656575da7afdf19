"""Seconds of whole recordings, as models heard them -> events of an experiment.

Under the honest protocols a model is also judged as a detector: what it finds for so
many false alarms per day, what at its own threshold, and how soon. Only what lies on
disk is read. With several seeds a figure is the mean over them; bounds are over draws
of patients, the same for all seeds. Knows no model.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from distilclip_eeg.config import DetectionConfig, SignalConfig
from distilclip_eeg.eeg.annotations import written_whole
from distilclip_eeg.evaluation.assessment import Assessment, Patient
from distilclip_eeg.evaluation.counts import DAY_S
from distilclip_eeg.evaluation.event_curves import (
    AlarmCurve,
    Latencies,
    alarm_curve,
    latencies,
    mean_curve,
)
from distilclip_eeg.evaluation.experiment.scored_segments import PREDICTIONS, Key
from distilclip_eeg.evaluation.intervals import DRAWS, LEVEL, Interval, drawn
from distilclip_eeg.evaluation.outcomes import outcome_of
from distilclip_eeg.evaluation.predictions import (
    Prediction,
    Stretch,
    read_predictions,
)
from distilclip_eeg.evaluation.thresholds import RATES_PER_DAY, Sweep, sweep

SECONDS: Final = "seconds"  # below the folder of an experiment
JSON: Final = "events.json"
TABLE: Final = "events.md"
COLUMNS: Final = (
    *(
        (f"sensitivity at {rate:g} / day", f"at_per_day/{rate:g}")
        for rate in RATES_PER_DAY
    ),
    *(("found", "found"), ("false alarms / day", "false_alarms_per_day")),
    ("latency, s", "latency_s"),
)
DASH: Final = "–"

Weights = NDArray[np.floating]
Numbers = dict[str, Any]


class Heard(NamedTuple):
    """A table of seconds, and what events follow from it.

    Attributes
    ----------
    path
        What `save_predictions` wrote.
    signal, settings
        Of the model.
    """

    key: Key
    path: Path
    signal: SignalConfig
    settings: DetectionConfig


@dataclass(frozen=True, slots=True)
class Events:
    """What follows for each protocol; crossed data sets are a protocol per pair.

    Attributes
    ----------
    table
        Protocol -> model -> figure -> `value`, `low`, `high`; beside counts.
    alarms, latencies
        Protocol -> a curve per model, the mean over its seeds, and all their latencies.
    """

    table: Numbers
    alarms: dict[str, list[AlarmCurve]]
    latencies: dict[str, list[Latencies]]


def seconds_path(key: Key, folder: Path) -> Path:
    """Return where the seconds of a model lie below the folder of an experiment."""
    return folder / SECONDS / key.path(Path()).relative_to(PREDICTIONS)


def events_of(heard: Iterable[Heard]) -> Events:
    """Assess every protocol and model.

    Parameters
    ----------
    heard
        All parts and seeds of each, in any order.

    Raises
    ------
    CorpusError
        If a table is not as it was written.
    """
    groups: dict[str, dict[str, list[Heard]]] = defaultdict(lambda: defaultdict(list))
    for one in heard:
        key = one.key
        where = f"cross: {key.part}" if key.protocol == "cross" else key.protocol
        groups[where][key.model].append(one)
    events = Events({}, defaultdict(list), defaultdict(list))
    for where, models in groups.items():
        events.table[where] = {}
        for model, parts in models.items():
            seeds = _seeds(model, parts)
            events.table[where][model] = _row(seeds)
            events.alarms[where].append(mean_curve(model, [s.curve for s in seeds]))
            events.latencies[where].append(_joined(model, seeds))
    return events


@dataclass(frozen=True, slots=True)
class _Seed:
    """One seed over all parts of a protocol."""

    patients: Mapping[str, Patient]
    tried: Sweep
    curve: AlarmCurve
    found: Latencies

    def figures(self, w: Weights) -> dict[str, float]:
        """Give every figure; `w` says how often each patient counts."""
        figures = {
            f"at_per_day/{rate:g}": self.tried.sensitivity_at(rate, w)
            for rate in RATES_PER_DAY
        }
        everyone = list(self.patients.values())
        found = w @ np.array([p.shares["seizures/found"] for p in everyone])
        counts = [p.counts["szcore_event"] for p in everyone]
        false, seconds = w @ np.array([(c.fp, c.duration_s) for c in counts])
        each = [np.array(p.latencies_s) for p in everyone]
        waited = [np.repeat(x, int(n)) for x, n in zip(each, w, strict=True)]
        figures["found"] = _ratio(*found)
        figures["false_alarms_per_day"] = _ratio(false * DAY_S, seconds)
        figures["latency_s"] = _median(np.concatenate(waited))
        return figures


def _seeds(model: str, parts: Sequence[Heard]) -> list[_Seed]:
    by_seed: dict[int, list[Heard]] = defaultdict(list)
    for one in parts:
        by_seed[one.key.seed].append(one)
    return [_seed(model, by_seed[seed]) for seed in sorted(by_seed)]


def _seed(model: str, parts: Sequence[Heard]) -> _Seed:
    settings = parts[0].settings
    predictions = [
        timed(p, one.signal) for one in parts for p in read_predictions(one.path)
    ]
    outcomes = [outcome_of(p, settings) for p in predictions]
    patients = Assessment.of_outcomes(outcomes).patients
    tried = sweep(predictions, settings, list(patients))
    return _Seed(patients, tried, alarm_curve(model, tried), latencies(model, outcomes))


def timed(prediction: Prediction, signal: SignalConfig) -> Prediction:
    """Say when each second was settled, which no table holds.

    That is when the last regular window that contains it ends, see
    `detection.windows`; of a recording without gaps it follows from its length.
    """
    n = len(prediction.log_odds)
    window = signal.hop_s * (np.arange(n) // signal.hop_s) + signal.window_s
    available_s = np.minimum(window, n).astype(float)
    stretch = Stretch(0.0, float(n), prediction.log_odds, available_s)
    return replace(prediction, stretches=(stretch,))


def _row(seeds: Sequence[_Seed]) -> Numbers:
    first = seeds[0]

    def figures(w: Weights) -> dict[str, float]:
        each = [seed.figures(w) for seed in seeds]
        return {name: _mean([one[name] for one in each]) for name in each[0]}

    bounds = drawn(figures, len(first.patients), DRAWS, seed=0)
    return {
        "seeds": len(seeds),
        "patients": len(first.patients),
        "seizures": first.found.n_seizures,
        "hours": round(24 * first.curve.days, 3),
        **{name: _interval(found) for name, found in bounds.items()},
    }


def _joined(model: str, seeds: Sequence[_Seed]) -> Latencies:
    seconds = np.sort(np.concatenate([seed.found.seconds for seed in seeds]))
    return Latencies(model, seconds, sum(seed.found.n_seizures for seed in seeds))


def write_events(folder: Path, events: Events, title: str) -> list[Path]:
    """Write `events.json` and `events.md`; nothing if no model heard anything."""
    if not events.table:
        return []
    content = {
        JSON: json.dumps(events.table, indent=1, allow_nan=False) + "\n",
        TABLE: events_markdown(events.table, title),
    }
    for name, what in content.items():
        with written_whole(folder / name) as partial:
            partial.write_text(what, encoding="utf-8", newline="\n")
    return [folder / name for name in content]


def events_markdown(table: Mapping[str, Any], title: str) -> str:
    """Write the table for people."""
    names = [name for name, _ in COLUMNS]
    lines = [f"# {title}: events", ""]
    lines.append(_line("protocol", "model", *names, "seeds", "seizures", "hours"))
    lines.append(_line("---", "---", *("---:" for _ in range(len(names) + 3))))
    for where, models in table.items():
        for model, row in models.items():
            cells = [_cell(row[key]) for _, key in COLUMNS]
            counted = (str(row["seeds"]), str(row["seizures"]), f"{row['hours']:.2f}")
            lines.append(_line(where, model, *cells, *counted))
    lines += ["", _NOTE]
    return "\n".join(lines) + "\n"


_NOTE: Final = (
    "Whole recordings of people that the model never saw, counted as SzCORE counts "
    "events, all patients together. Sensitivity at a rate is that of the best "
    "threshold before more false alarms come; where the hours are too few for one, it "
    "says what is found without any. `found` (any overlap), false alarms and latency "
    "(from onset, median of those found) are at the model's own threshold. Mean over "
    f"seeds; in brackets {100 * LEVEL:g} % of {DRAWS} draws of patients."
)


def _cell(found: Mapping[str, float | None]) -> str:
    value, low, high = found["value"], found["low"], found["high"]
    if value is None:
        return DASH
    text = f"{value:.2f}"
    return text if low is None or high is None else f"{text} [{low:.2f}, {high:.2f}]"


def _line(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def _interval(found: Interval) -> dict[str, float | None]:
    return {
        name: None if np.isnan(value) else round(float(value), 5)
        for name, value in found._asdict().items()
    }


def _ratio(part: float, whole: float) -> float:
    return float(part / whole) if whole else float("nan")


def _median(values: NDArray[np.floating]) -> float:
    return float(np.median(values)) if len(values) else float("nan")


def _mean(values: Sequence[float]) -> float:
    had = [value for value in values if not np.isnan(value)]
    return float(np.mean(had)) if had else float("nan")
