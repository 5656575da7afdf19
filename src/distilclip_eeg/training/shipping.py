"""A finished run and what was measured of it -> a model folder with its card.

What the command line calls to export; Python can call it as well.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from distilclip_eeg.config import Config, load_config
from distilclip_eeg.corpora.simulate import as_recording, simulate
from distilclip_eeg.corpora.store import condition
from distilclip_eeg.errors import ConfigError
from distilclip_eeg.model_folder import ModelFolder
from distilclip_eeg.training.alarm_rates import AlarmRates, read_alarm_rates
from distilclip_eeg.training.card import figures, model_card
from distilclip_eeg.training.export import count_parameters, export
from distilclip_eeg.training.run_folder import (
    load_run,
    read_facts,
    same_training,
    taught_by,
    write_lean_copy,
)
from distilclip_eeg.training.trained import load_trained

EXAMPLE_WINDOWS: Final = 2  # in a model folder's test vector
EXAMPLE_SEED: Final = 4_000  # of the recording they are cut from


@dataclass(frozen=True, slots=True)
class Measured:
    """What commands wrote of a run, for its folder and its card.

    Attributes
    ----------
    report
        By `crossvalidate`: figures, and thresholds by false alarms per day.
    thresholds
        By `thresholds`, in place of those of `report`.
    scores
        Each a `scores.json` by `evaluate`, in place of the figures of `report`.
    """

    report: Path | None = None
    thresholds: Path | None = None
    scores: tuple[Path, ...] = ()


def export_run(
    config_path: Path,
    folder: Path,
    run: Path | None = None,
    measured: Measured | None = None,
    *,
    force: bool = False,
) -> ModelFolder:
    """Turn a run into a model folder, card included.

    Parameters
    ----------
    config_path
        The TOML file of the run; its detection settings count, chosen after training.
    """
    made = _Shipped.of(config_path, run, measured)
    return export(
        made.run,
        folder,
        card=made.card,
        example=example_windows(made.config),
        chosen=made.config,
        operating_points=made.rates.points,
        measured_on=made.rates.measured_on,
        confidence=made.rates.confidence,
        force=force,
    )


def export_weights(
    config_path: Path,
    folder: Path,
    run: Path | None = None,
    measured: Measured | None = None,
    *,
    force: bool = False,
) -> Path:
    """Keep of a run what can teach and be exported; parameters as of `export_run`."""
    made = _Shipped.of(config_path, run, measured)
    write_lean_copy(made.run, folder, made.config, made.card, force=force)
    return folder


@dataclass(frozen=True, slots=True)
class _Shipped:
    """A finished run, its settings, and what is said of it."""

    run: Path
    config: Config
    rates: AlarmRates
    card: str

    @classmethod
    def of(cls, config_path: Path, run: Path | None, measured: Measured | None) -> Self:
        measured = measured or Measured()
        config, run = _config_of(config_path, run)
        rates = read_alarm_rates(config, measured.report, measured.thresholds)
        return cls(run, config, rates, _card(config, run, measured, rates))


def _config_of(config_path: Path, run: Path | None) -> tuple[Config, Path]:
    """Return the settings of a finished run, with those chosen after its training."""
    config = load_config(config_path)
    run = run or Path("runs") / config.name
    trained, _ = load_run(run)
    config = taught_by(config, trained.distillation.teacher_sha256)
    # What the command line may have put in place of the configuration's.
    training = config.training.model_copy(update={"seed": trained.training.seed})
    data = config.data.model_copy(update={"folds": trained.data.folds})
    config = config.model_copy(update={"training": training, "data": data})
    if not same_training(trained, config):
        raise ConfigError(f"{run}: was trained with other settings than {config_path}")
    return config, run


def _card(config: Config, run: Path, measured: Measured, rates: AlarmRates) -> str:
    _, model = load_trained(run)
    facts = read_facts(run)
    return model_card(
        config,
        command=facts["command"],
        seconds=facts["seconds"],
        machine=facts["machine"],
        n_parameters=count_parameters(model),
        data=facts["data"],
        figures=figures(
            _read_json(measured.report) if measured.report else None,
            [_read_json(path) for path in measured.scores],
        ),
        rates=rates,
        n_averaged=len(facts.get("mean_of", ())),
    )


def example_windows(
    config: Config,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Draw the windows of a model folder's test vector, simulated: nobody's EEG.

    Returns
    -------
    tuple
        (B, 18, T) microvolts and (B, 18, S).
    """
    signal = config.signal
    length_s = max(10, EXAMPLE_WINDOWS * signal.window_s)
    seconds = condition(as_recording(simulate(EXAMPLE_SEED, length_s)), signal)
    n, n_s = round(signal.sfreq) * signal.window_s, signal.window_s
    eeg = [seconds.leads[:, k * n : (k + 1) * n] for k in range(EXAMPLE_WINDOWS)]
    usable = [
        seconds.usable[:, k * n_s : (k + 1) * n_s] for k in range(EXAMPLE_WINDOWS)
    ]
    return np.stack(eeg), np.stack(usable).astype(np.float32)


def _read_json(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text())
    return content
