"""Can a seizure be asked for in words that no training window had? On simulated EEG.

A model learns from simulated recordings out of which every seizure of one type, or of
one place, was cut. Windows of unseen recordings are then ranked by their similarity to
sentences about the one left out. Chance is 0.5; what a prompt for any seizure gives
stands beside it, because finding seizures is not the question.

The words themselves are not new to the model: other seizures are "generalised", others
"non-motor". Their combination is.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from distilclip_eeg.config import (
    Config,
    DataConfig,
    DetectionConfig,
    DistillationConfig,
    PretrainingConfig,
    SignalConfig,
    TrainingConfig,
    load_config,
)
from distilclip_eeg.corpora.simulate import prepare_simulated
from distilclip_eeg.corpora.store import StoredRecording
from distilclip_eeg.eeg.annotations import written_whole
from distilclip_eeg.eeg.findings import Findings
from distilclip_eeg.errors import ConfigError, CorpusError
from distilclip_eeg.evaluation.retrieval import bootstrap_interval, ranking_auroc
from distilclip_eeg.evaluation.windows import ICTAL_SHARE
from distilclip_eeg.model.distilclip import DistilCLIP
from distilclip_eeg.training.commands import simulated_recordings
from distilclip_eeg.training.fit import fit
from distilclip_eeg.training.latent import embed_text, whole_windows
from distilclip_eeg.training.left_out import LeftOut, prompts, without
from distilclip_eeg.training.predict import TorchRuntime
from distilclip_eeg.training.progress import shown
from distilclip_eeg.training.run_folder import load_run
from distilclip_eeg.training.trained import load_trained

FIRST_TEST_SEED: Final = 10_000
HOP_S: Final = 5  # of the windows that are ranked: the short seizures need it
TEST_S: Final = 1200.0  # of a recording that is ranked
REPORT: Final = "zero_shot"
TRAINED: Final = {"left_out_of_training": "without it", "seen_in_training": "with it"}

_HEAD: Final = """\
# Zero-shot, simulated: {left_out}

`{model}`, {steps} steps on {hours} simulated hours out of which {seizures_cut_out}
seizures were cut; {seizures_left} of other kinds were left. Windows of {people} unseen
people ({test_s:g} s each) are ranked by their similarity to the mean of {n} sentences
such as "{example}" Chance is 0.5; intervals: 95 %, people drawn with return.

| trained | ranked by | against | AUROC | interval | windows with it | people with it |
| --- | --- | --- | --- | --- | --- | --- |
"""

Samples = NDArray[np.float32]


def zero_shot(
    config_path: Path,
    asked: str,
    run: Path | None = None,
    *,
    hours: int | None = None,
    people: int = 120,
    steps: int | None = None,
    seen: Path | None = None,
) -> Path:
    """Train without some seizures, then ask for them. Returns the report.

    Simulated recordings lie beside the run folder and serve other runs too; what was
    killed goes on.

    Parameters
    ----------
    config_path
        The model and its training; of its data the simulated ones.
    asked
        What is left out, see `LeftOut.parse`.
    run
        By default `runs/zero-shot-` and what is left out.
    hours
        Simulated, to learn from, of as many people as the configuration says; by
        default its own.
    people
        To rank, unseen, of `TEST_S` each: many people with a few seizures say more
        than few people with many.
    steps
        By default those of the configuration's pretraining, else of its training; all
        else is as in its pretraining.
    seen
        A finished run that saw all seizures, to compare with.

    Raises
    ------
    ConfigError
        If `asked` names nothing, or nothing that captions tell apart; if the run folder
        left out something else, or `seen` is no finished run.
    CorpusError
        If the recordings hold no seizure of this kind, or no other.
    """
    left_out = LeftOut.parse(asked)
    if seen is not None:
        load_run(seen)  # refused now, not after the training
    run = run or Path("runs") / f"zero-shot-{asked.replace(' ', '-')}"
    stage = stage_config(load_config(config_path), left_out, hours, steps)
    learnt = simulated_recordings(stage, run.parent)
    tested = _drawn(stage.signal, run.parent, people)
    _check(learnt, tested, left_out)
    kept = without(learnt, left_out, stage.signal.window_s)
    with shown(stage.name, stage.training.steps) as on_step:
        fit(stage, run, (), simulated=kept, on_step=on_step)
    content = {
        "left_out": asked,
        "model": load_config(config_path).name,
        "steps": stage.training.steps,
        "seed": stage.training.seed,
        "augment": stage.training.augment,
        "hours": stage.data.simulated_hours,
        "people": people,
        "test_s": TEST_S,
        "seizures_cut_out": sum(left_out.covers(s) for r in learnt for s in r.seizures),
        "seizures_left": sum(len(r.seizures) for r in kept),
        "prompts": prompts(left_out.findings),
        "left_out_of_training": rank(load_trained(run)[1], tested, left_out),
    }
    if seen is not None:
        content["seen_in_training"] = rank(load_trained(seen)[1], tested, left_out)
    _write(run / f"{REPORT}.json", json.dumps(content, indent=1) + "\n")
    _write(run / f"{REPORT}.md", markdown(content))
    return run / f"{REPORT}.json"


def _drawn(signal: SignalConfig, beside: Path, people: int) -> list[StoredRecording]:
    """Draw what is ranked, once for all runs beside."""
    return prepare_simulated(
        range(FIRST_TEST_SEED, FIRST_TEST_SEED + people),
        beside / f"simulated-test-{people}",
        signal,
        duration_s=TEST_S,
        workers=os.cpu_count() or 1,
    ).recordings


def stage_config(
    config: Config, left_out: LeftOut, hours: int | None, steps: int | None = None
) -> Config:
    """Settings of the training on simulated recordings alone: those of pretraining.

    What is left out stands in the name, so that no run folder serves two of them.
    Mirroring would show the right side in windows of the left: where a side is left
    out, windows are not augmented.
    """
    hours = hours or config.data.simulated_hours
    if not hours:
        raise ConfigError(
            f"{config.name}: found no data.simulated_hours, expected some to learn "
            "from; say how many with --hours"
        )
    settings = config.pretraining.model_dump()
    settings["steps"] = steps or config.pretraining.steps or config.training.steps
    settings["augment"] = settings["augment"] and not left_out.mirrors
    return config.model_copy(
        update={
            "name": f"{config.name} without {left_out.name}",
            "data": DataConfig(
                simulated_hours=hours,
                simulated_minutes=config.data.simulated_minutes,
                simulated_share=1.0,
            ),
            "training": TrainingConfig(**settings, precision=config.training.precision),
            "pretraining": PretrainingConfig(),
            "distillation": DistillationConfig(),
            "detection": DetectionConfig(),
        }
    )


def rank(
    model: DistilCLIP, recordings: Sequence[StoredRecording], left_out: LeftOut
) -> list[dict[str, Any]]:
    """AUROC of three rankings, against the other seizures and against all windows.

    The first is by similarity to the prompts of what is left out; the second less the
    similarity to prompts that name no type and no place; the third by the latter alone,
    a control.
    """
    runtime = TorchRuntime(model)
    window_s = runtime_window_s(model)
    eeg, wanted, ictal, people = [], [], [], []
    for recording in recordings:
        crops = list(whole_windows(recording, window_s, HOP_S))
        if not crops:
            continue
        scores = runtime.run(
            np.stack([crop.eeg for crop in crops]),
            np.stack([crop.usable for crop in crops]),
        )
        eeg.append(scores.window_embedding)
        ictal += [float(crop.ictal.mean()) >= ICTAL_SHARE for crop in crops]
        wanted += [
            crop.seizure is not None and left_out.covers(crop.seizure) for crop in crops
        ]
        people += [recording.patient] * len(crops)
    windows = np.concatenate(eeg)
    seizure = np.array(ictal)
    positive = seizure & np.array(wanted, bool)
    asked = windows @ _direction(model, left_out.findings)
    plain = windows @ _direction(model, Findings(state="seizure"))
    rows = []
    for ranking, score in (
        ("its prompts", asked),
        ("its prompts less those of any seizure", asked - plain),
        ("prompts of any seizure", plain),
    ):
        for against, counts in (
            ("other seizures", seizure),
            ("all windows", np.ones(len(seizure), bool)),
        ):
            rows.append(
                {
                    "ranking": ranking,
                    "against": against,
                    **_auroc(score[counts], positive[counts], np.array(people)[counts]),
                }
            )
    return rows


def runtime_window_s(model: DistilCLIP) -> int:
    """Length of the windows that the tower was built for."""
    return model.eeg.tower.window_s


def markdown(content: dict[str, Any]) -> str:
    """Say the same for a person."""
    sentences = content["prompts"]
    text = _HEAD.format(n=len(sentences), example=sentences[0], **content)
    for key, trained in TRAINED.items():
        text += "".join(_row(trained, row) for row in content.get(key, []))
    return text


def _row(trained: str, row: dict[str, Any]) -> str:
    cells = (
        *(trained, row["ranking"], row["against"], f"{row['auroc']:.3f}"),
        "{:.3f} to {:.3f}".format(*row["interval"]),
        f"{row['windows_asked_for']} of {row['windows']}",
        f"{row['people_with']} of {row['people']}",
    )
    return f"| {' | '.join(cells)} |\n"


def _auroc(
    score: Samples, positive: NDArray[np.bool_], people: NDArray[np.str_]
) -> dict[str, Any]:
    return {
        "auroc": ranking_auroc(positive, score),
        "interval": bootstrap_interval(
            people.tolist(), lambda rows: ranking_auroc(positive[rows], score[rows])
        ),
        "windows": len(score),
        "windows_asked_for": int(positive.sum()),
        "people": len(set(people)),
        "people_with": len(set(people[positive])),
    }


def _direction(model: DistilCLIP, findings: Findings) -> Samples:
    mean = embed_text(model, prompts(findings)).mean(axis=0)
    return np.asarray(mean / np.linalg.norm(mean))


def _check(
    learnt: Sequence[StoredRecording],
    tested: Sequence[StoredRecording],
    left_out: LeftOut,
) -> None:
    seizures = [s for r in (*learnt, *tested) for s in r.seizures]
    alike = [s for s in seizures if left_out.fits(s) and not left_out.covers(s)]
    if alike:
        raise ConfigError(
            f"'{left_out.name}': captions say the same of {alike[0].event_type}, which "
            "would not be left out; choose what has words of its own, such as sz_gen_nm"
        )
    for what, recordings in (("to learn from", learnt), ("to rank", tested)):
        covered = [left_out.covers(s) for r in recordings for s in r.seizures]
        if not any(covered) or all(covered):
            raise CorpusError(
                f"{len(recordings)} recordings {what} hold {sum(covered)} seizures of "
                f"'{left_out.name}' and {len(covered) - sum(covered)} others; both are "
                "needed: more hours, or another type"
            )


def _write(path: Path, text: str) -> None:
    with written_whole(path) as partial:
        partial.write_text(text, encoding="utf-8")
