"""What false alarms per day cost, as it was counted <-> JSON, and as a Markdown table.

Holds what is needed to count again, and says whether it fits a configuration. Counts
nothing itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from textwrap import fill
from typing import Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from distilclip_eeg.config import Config, DetectionConfig
from distilclip_eeg.corpora.simulate import DATASET as SIMULATED
from distilclip_eeg.eeg.annotations import written_whole
from distilclip_eeg.errors import ConfigError
from distilclip_eeg.evaluation.clip_figures import Group
from distilclip_eeg.evaluation.confidence import FittedConfidence
from distilclip_eeg.model_folder import OperatingPoint

DASH: Final = "–"
OUT_OF_FOLD: Final[dict[Group, str]] = {
    "seizure": "real seizures found, out of fold",
    "post-ictal": "post-ictal clips alarmed",
    "ordinary": "ordinary",
    "hard negative": "intensive care",
}
_SAME: Final = 1e-6  # of a ratio: it is a quotient of rounded thresholds


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Share(_Part):
    """So many of so many."""

    part: int = Field(ge=0)
    whole: int = Field(ge=0)

    def __str__(self) -> str:
        return f"{self.part} of {self.whole}" if self.whole else DASH


class Measured(_Part):
    """The predictions that something was counted on; hours are those with labels."""

    file: str
    sha256: str
    datasets: tuple[str, ...]
    n_recordings: int
    n_people: int
    n_seizures: int
    hours: float

    @property
    def is_simulated(self) -> bool:
        return self.datasets == (SIMULATED,)

    def __str__(self) -> str:
        if self.is_simulated:
            who = f"{self.n_people} simulated people"
        else:
            who = f"{self.n_people} people ({', '.join(self.datasets)})"
        return f"{self.hours:.1f} h of {who}"


class Point(_Part):
    """A threshold, the rate that it keeps to, and what was counted there.

    Attributes
    ----------
    per_day, onset_threshold
        False alarms per 24 h, never exceeded, and the lowest such threshold.
    n_false
        False alarms counted; they stand behind the rate.
    found, found_long
        Seizures; of these, those of `Thresholds.long_s` or more.
    beside
        On clips out of fold: seizures found, clips of each kind alarmed.
    """

    per_day: float = Field(ge=0)
    onset_threshold: float = Field(ge=0, le=1)
    n_false: int
    found: Share
    found_long: Share
    beside: dict[Group, Share] = Field(default_factory=dict)


class Thresholds(_Part):
    """All that `distilclip thresholds` found of one model.

    Attributes
    ----------
    detection
        What the predictions were turned into events by, but for the two thresholds,
        of which only the ratio counts.
    rates, min_alarms
        False alarms per day asked for; those with fewer alarms are not in `points`.
    own
        The same at the thresholds of `detection`: what a user gets who asks for none.
    confidence, not_fitted
        A scale for the confidence of events, learned on the same recordings, or why
        there is none.
    """

    name: str
    package_version: str
    scorer: str
    detection: DetectionConfig
    rates: tuple[float, ...]
    min_alarms: int
    long_s: float
    measured: Measured
    beside: Measured | None = None
    points: tuple[Point, ...] = ()
    own: Point | None = None
    confidence: FittedConfidence | None = None
    not_fitted: str = ""

    @property
    def operating_points(self) -> tuple[OperatingPoint, ...]:
        """What a model folder keeps."""
        return tuple(
            OperatingPoint(per_day=p.per_day, onset_threshold=p.onset_threshold)
            for p in self.points
        )

    @property
    def measured_on(self) -> str:
        """Say what the rates rest on, for a model folder."""
        said = f"{self.measured} with {self.measured.n_seizures} seizures"
        if self.beside is None:
            return f"{said}, on no other EEG"
        return (
            f"{said}; what the same thresholds find and alarm on real clips out of "
            "fold stands in the model card"
        )

    @property
    def left_out(self) -> tuple[float, ...]:
        """Rates that were asked for and cannot be given."""
        return tuple(r for r in self.rates if r not in {p.per_day for p in self.points})


def write_thresholds(path: Path, found: Thresholds) -> None:
    """Write JSON, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with written_whole(path) as partial:
        text = found.model_dump_json(indent=1)
        partial.write_text(text + "\n", encoding="utf-8", newline="\n")


def read_thresholds(path: Path, config: Config) -> Thresholds:
    """Read what `write_thresholds` wrote, for the model of a configuration.

    Raises
    ------
    ConfigError
        If it is no such file, or was counted for another model, or with other
        settings than the configuration's.
    """
    try:
        found = Thresholds.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file of thresholds") from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ConfigError(
            f"{path}: not what `distilclip thresholds` writes: "
            f"{where or 'content'}: {first['msg']}"
        ) from None
    _check_fits(path, found, config)
    if found.detection.onset_threshold != config.detection.onset_threshold:
        return found.model_copy(update={"own": None})  # it was another's
    return found


def _check_fits(path: Path, found: Thresholds, config: Config) -> None:
    own, needed = (
        _said(found.name, found.detection),
        _said(config.name, config.detection),
    )
    for what, value in own.items():
        other = needed[what]
        if value == other or (
            isinstance(value, float)
            and isinstance(other, float)
            and abs(value - other) < _SAME
        ):
            continue
        raise ConfigError(
            f"{path}: was counted with {what} {_short(value)}, expected "
            f"{_short(other)} as in the configuration: run `distilclip thresholds` "
            "with it again"
        )


def _said(name: str, detection: DetectionConfig) -> dict[str, str | float]:
    ratio = detection.offset_threshold / max(detection.onset_threshold, 1e-12)
    return {
        "model": name,
        "smoothing_s": float(detection.smoothing_s),
        "min_duration_s": detection.min_duration_s,
        "min_gap_s": detection.min_gap_s,
        "offset_threshold / onset_threshold": ratio,
    }


def _short(value: str | float) -> str:
    return f"{value:g}" if isinstance(value, float) else value


def thresholds_table(found: Thresholds) -> str:
    """Give a row for each rate, and say below what they rest on."""
    points = [*found.points, *([] if found.own is None else [found.own])]
    head = [
        "false alarms per day",
        "counted",
        "onset threshold",
        "seizures found there",
        f"of {found.long_s:g} s or more",
    ]
    rows = [
        [
            f"{p.per_day:.1f}, at its own" if p is found.own else f"{p.per_day:g}",
            f"{p.n_false}",
            shown_threshold(p.onset_threshold),
            str(p.found),
            str(p.found_long),
        ]
        for p in points
    ]
    if found.beside is not None:
        head += OUT_OF_FOLD.values()
        for row, point in zip(rows, points, strict=True):
            row += [str(point.beside[group]) for group in OUT_OF_FOLD]
    table = _markdown(head, rows) if rows else ""
    return "\n\n".join(part for part in (table, _rests_on(found)) if part) + "\n"


def confidence_said(found: Thresholds) -> str:
    """Say what the confidence of an event means, and how well that holds."""
    fitted = found.confidence
    if fitted is None:
        return f"Confidence was not calibrated: {found.not_fitted}."
    n = fitted.n_true + fitted.n_false
    return (
        "The confidence of an event is the probability that it is a seizure, where "
        f"seizures are as common as in {found.measured}: {fitted.n_true} of {n} events "
        f"were one. Its expected calibration error is {fitted.ece_after:.3f}, for each "
        f"person by a scale learned from the others; {fitted.ece_before:.3f} for the "
        "mean probability of its seconds."
    )


def shown_threshold(value: float) -> str:
    """Write a threshold so that 0.9993 is not 1: two digits of what is missing to 1."""
    digits = 3
    while digits < 6 and 0 < 1 - value < 10 ** (1 - digits):
        digits += 1
    return f"{value:.{digits}f}"


def _markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---:"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _rests_on(found: Thresholds) -> str:
    n = found.measured.n_seizures
    counted = f"Counted as SzCORE counts events, on {found.measured} with {n} seizures"
    parts = [f"{counted}; those less than 90 s apart are one."]
    if found.beside is not None:
        parts.append(
            f"Out of fold, at the very same thresholds: {found.beside}, each clip by a "
            "model, trained alike, that never saw the person; any overlap finds a "
            "seizure."
        )
    if found.left_out:
        needed = [(rate, 24 * found.min_alarms / rate) for rate in found.left_out]
        each = ", ".join(f"{rate:g} per day (takes {h:.3g} h)" for rate, h in needed)
        parts.append(
            f"Not given, with fewer than {found.min_alarms} false alarms to count: "
            f"{each}."
        )
    return "\n".join(fill(part, 88) for part in parts)
