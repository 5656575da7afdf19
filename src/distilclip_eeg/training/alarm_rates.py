"""What was counted of false alarms and of confidence -> what a folder and a card say.

Counted on whole recordings where there are some; else on the clips of a
cross-validation, which are too short to say much of a day. Counts nothing itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from distilclip_eeg.config import Config
from distilclip_eeg.evaluation.operating_file import (
    Thresholds,
    confidence_said,
    read_thresholds,
    thresholds_table,
)
from distilclip_eeg.model_folder import ConfidenceScale, OperatingPoint
from distilclip_eeg.training.experiments import read_operating_points

NOT_MEASURED: Final = "Rates of false alarms were not measured."
CHOOSES: Final = "`--false-alarms-per-day` chooses among these."


@dataclass(frozen=True, slots=True)
class AlarmRates:
    """Thresholds by false alarms per day, and what they rest on.

    Attributes
    ----------
    points, measured_on
        As a model folder keeps them.
    counted
        On whole recordings; None where only clips were, or nothing.
    """

    points: tuple[OperatingPoint, ...] = ()
    measured_on: str = ""
    counted: Thresholds | None = None

    @property
    def confidence(self) -> ConfidenceScale | None:
        """What makes a mean probability one of a seizure, if that was learned."""
        if self.counted is None or self.counted.confidence is None:
            return None
        return self.counted.confidence.scale(str(self.counted.measured))

    def table(self) -> str:
        """Give the thresholds and what they cost, in Markdown."""
        if self.counted is not None:
            table = thresholds_table(self.counted).rstrip()
            return f"{CHOOSES if self.points else NOT_MEASURED}\n\n{table}"
        if not self.points:
            return NOT_MEASURED
        rows = [f"| {p.per_day:g} | {p.onset_threshold:g} |" for p in self.points]
        head = "| false alarms per day | onset threshold |\n| --- | --- |"
        said = f"{CHOOSES}\nMeasured on {self.measured_on}."
        return "\n".join([f"{said}\n\n{head}", *rows])

    def limit(self) -> str:
        """Say what the rates do not tell."""
        if self.counted is None or not self.points:
            return (
                "How often it cries wolf in a day of ordinary EEG has not been "
                "measured on real recordings of that length."
            )
        if self.counted.measured.is_simulated:
            return (
                "The rates of false alarms above were counted on simulated "
                "recordings, not on days of real ordinary EEG."
            )
        return (
            f"The rates of false alarms above hold for {self.counted.measured}; "
            "others may give more."
        )

    def certainty(self) -> str:
        """Say what the confidence of an event means."""
        if self.counted is None or self.counted.confidence is None:
            return (
                "The confidence of an event is the mean probability of its seconds, "
                "not calibrated."
            )
        return confidence_said(self.counted)


def read_alarm_rates(
    config: Config, report: Path | None = None, thresholds: Path | None = None
) -> AlarmRates:
    """Read what `crossvalidate` or, which counts first, `thresholds` wrote.

    Raises
    ------
    ConfigError
        If thresholds were not counted for this configuration.
    """
    if thresholds is not None:
        counted = read_thresholds(thresholds, config)
        return AlarmRates(counted.operating_points, counted.measured_on, counted)
    if report is not None:
        points, measured_on = read_operating_points(report)
        return AlarmRates(tuple(points), measured_on)
    return AlarmRates()
