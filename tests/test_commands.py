"""From a TOML file and a data folder to events: the whole way, at toy size."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from distilclip_eeg.cli import main
from distilclip_eeg.config import DetectionConfig
from distilclip_eeg.evaluation.confidence import FittedConfidence
from distilclip_eeg.evaluation.operating_file import thresholds_table, write_thresholds
from distilclip_eeg.model_folder import load_folder
from small_corpus import write_corpus
from small_thresholds import counted

CONFIG = """
name = "toy"
[model]
embed_dim = 16
[model.tower]
dim = 16
depth = 1
heads = 2
stem_filters = 8
[model.text]
layers = 1
n_prompts = 2
[data]
folds = [0, 1]
validation_folds = [{validation}]
[training]
steps = 4
batch_size = 4
warmup_steps = 1
validate_every = 2
checkpoint_every = 2
precision = "32-true"
[detection]
onset_threshold = 0.4
offset_threshold = 0.2
"""


def run(*args: str | Path) -> int:
    with pytest.raises(SystemExit) as stopped:
        main([str(arg) for arg in args])
    return int(stopped.value.code or 0)


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A working folder with `data/` and `toy.toml`."""
    import torch

    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    write_corpus(tmp_path / "data")
    (tmp_path / "toy.toml").write_text(CONFIG.format(validation=""))
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    torch.set_num_threads(n_threads)


def test_from_recordings_to_events(toy: Path) -> None:
    assert run("crossvalidate", "toy.toml", "--data", "data") == 0
    report = toy / "runs" / "toy-folds" / "report.json"
    content = json.loads(report.read_text())
    assert content["at_settings"]["n_true"] == 4
    assert 0 <= content["figures"]["auroc_mean_over_patients"] <= 1
    lines = (report.parent / "predictions.tsv").read_text().splitlines()
    assert len(lines) == 1 + 40 + 25 + 35 + 30 + 24  # a line per second of folds 0, 1

    assert run("train", "toy.toml", "--data", "data") == 0
    assert run("export", "toy.toml", "model", "--report", report) == 0
    folder = load_folder("model")
    assert folder.detection.onset_threshold == 0.4
    assert folder.config.measured_on == content["measured_on"]
    card = (toy / "model" / "MODEL_CARD.md").read_text()
    found = content["at_settings"]["n_found"]
    assert f"{found} of 4 seizures" in " ".join(card.split())
    assert "| north | 2 | 3 | 0.03 | 3 | 40 |" in card
    assert "calm" not in card  # its fold was not asked for
    assert str(toy) not in card

    found = run("detect", "data/n1/sz.edf", "out.json", "--model", "model")
    assert found == 0
    probability = json.loads((toy / "out.json").read_text())["seizure_probability"]
    assert len(probability) == 40


def test_a_card_quotes_what_was_evaluated(toy: Path) -> None:
    """Of the models that never saw a fold, and of spliced onsets."""
    assert run("crossvalidate", "toy.toml", "--data", "data") == 0
    for fold in (0, 1):
        a_run = f"runs/toy-folds/fold{fold}"
        assert run("export", "toy.toml", f"fold{fold}", "--run", a_run) == 0
    asked = ("data", "--model", "fold{fold}", "--folds", "0,1", "--draws", "10")
    assert run("evaluate", *asked, "--output", "scores") == 0
    assert run("train", "toy.toml", "--data", "data") == 0
    scores = toy / "scores" / "scores.json"
    assert run("export", "toy.toml", "model", "--scores", scores) == 0
    card = (toy / "model" / "MODEL_CARD.md").read_text()
    said = " ".join(card.split())
    assert "on the other folds and never saw the patient**: 5 recordings" in said
    table = (toy / "scores" / "scores.md").read_text()
    for name in ("AUROC", "expected calibration error"):
        (row,) = (r for r in table.splitlines() if r.startswith(f"| {name} |"))
        assert row.partition(f"| {name} ")[2] in card
    assert "No figures were given" not in card


def test_thresholds_and_confidence_come_from_a_file(
    toy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("train", "toy.toml", "--data", "data", "--run", "r") == 0
    found = counted(
        detection=DetectionConfig(onset_threshold=0.5, offset_threshold=0.25),
        confidence=FittedConfidence(1.5, -0.25, 90, 30, 0.2, 0.03),
    )
    write_thresholds(toy / "t.json", found)
    export = ("export", "toy.toml", "--run", "r", "--thresholds", "t.json")
    assert run(*export, "model") == 0
    config = load_folder("model").config
    assert config.false_alarms_per_day == found.operating_points
    assert config.measured_on == found.measured_on
    assert config.confidence is not None
    assert config.confidence.slope == 1.5
    card = (toy / "model" / "MODEL_CARD.md").read_text()
    assert thresholds_table(found) in card
    assert "is 0.030, for each person" in " ".join(card.split())
    asked = ("--model", "model", "--false-alarms-per-day", "2")
    assert run("detect", "data/n1/sz.edf", "out.json", *asked) == 0
    settings = json.loads((toy / "out.json").read_text())["settings"]
    assert 0.98 < settings["onset_threshold"] < 0.99925

    (toy / "toy.toml").write_text(CONFIG.format(validation="") + "smoothing_s = 3\n")
    capsys.readouterr()
    assert run(*export, "kept", "--weights-only") == 2
    error = capsys.readouterr().err
    assert "smoothing_s 1, expected 3" in error
    assert error.count("\n") == 1
    assert not (toy / "kept").exists()


def test_each_fold_is_taught_by_a_model_that_never_saw_it(
    toy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("crossvalidate", "toy.toml", "--data", "data", "--run", "t") == 0
    teachers = ("--teacher", "t/fold{fold}")
    assert run("crossvalidate", "toy.toml", "--data", "data", *teachers) == 0
    for fold, seen in ((0, [1]), (1, [0])):
        made = toy / "runs" / "toy-folds" / f"fold{fold}"
        config = json.loads((made / "config.json").read_text())
        weights = (toy / "t" / f"fold{fold}" / "best.safetensors").read_bytes()
        assert config["data"]["folds"] == seen
        assert (
            config["distillation"]["teacher_sha256"]
            == hashlib.sha256(weights).hexdigest()
        )

    folds = toy / "runs" / "toy-folds"
    assert run("export", "toy.toml", "out-of-fold", "--run", folds / "fold0") == 0
    card = (toy / "out-of-fold" / "MODEL_CARD.md").read_text()
    assert "--data FOLDER --teacher 't/fold{fold}'`" in card
    assert "Folds 1 of" in " ".join(card.split())
    assert "| north | 1 | 1 | 0.01 | 2 | 24 |" in card

    assert run("train", "toy.toml", "--data", "data", "--run", "t/knows0") == 0
    (toy / "t" / "knows0").rename(toy / "t" / "knows1")
    assert run("train", "toy.toml", "--data", "data", "--run", "t/knows0") == 0
    knowing = ("--teacher", "t/knows{fold}", "--run", "other")
    assert run("crossvalidate", "toy.toml", "--data", "data", *knowing) == 2
    assert "expected some without 0" in capsys.readouterr().err
    one = ("--teacher", "t/fold1", "--run", "other")
    assert run("crossvalidate", "toy.toml", "--data", "data", *one) == 2
    assert "expected {fold} in it" in capsys.readouterr().err


def test_folds_can_be_named_on_the_command_line(toy: Path) -> None:
    assert run("train", "toy.toml", "--data", "data", "--folds", "1") == 0
    facts = json.loads((toy / "runs" / "toy" / "facts.json").read_text())
    assert facts["command"].endswith("--folds 1")
    config = json.loads((toy / "runs" / "toy" / "config.json").read_text())
    assert config["data"]["folds"] == [1]


def test_a_finished_run_is_not_trained_again(toy: Path) -> None:
    assert run("train", "toy.toml", "--data", "data", "--run", "r") == 0
    before = (toy / "r" / "best.safetensors").read_bytes()
    assert run("train", "toy.toml", "--data", "data", "--run", "r") == 0
    assert (toy / "r" / "best.safetensors").read_bytes() == before


def test_validation_patients_are_held_back(toy: Path) -> None:
    (toy / "toy.toml").write_text(CONFIG.format(validation="1"))
    assert run("train", "toy.toml", "--data", "data", "--run", "r") == 0
    history = (toy / "r" / "history.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in history] == [2, 4]
    assert "south" not in json.loads((toy / "r" / "facts.json").read_text())["data"]


def test_a_run_of_another_model_is_not_exported(
    toy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("train", "toy.toml", "--data", "data", "--run", "r") == 0
    other = CONFIG.format(validation="").replace("dim = 16\ndepth", "dim = 32\ndepth")
    (toy / "other.toml").write_text(other)
    assert run("export", "other.toml", "model", "--run", "r") == 2
    assert "other settings" in capsys.readouterr().err
    assert not (toy / "model").exists()


def test_a_missing_manifest_is_one_line(
    toy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("train", "toy.toml", "--data", "nowhere") == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "manifest.tsv" in error


STAGE = "[pretraining]\nsteps = 2\n[training]"
PRETRAINED = (
    CONFIG.replace("folds = [0, 1]", "folds = [0, 1]\nsimulated_hours = 1")
    .replace(
        "[training]", "simulated_share = 0.5\n[pretraining]\nsteps = 2\n[training]"
    )
    .format(validation="")
)


def test_teacher_and_student_by_one_command_each(toy: Path) -> None:
    """Pretraining, real recordings, distillation, and what is kept of the teacher."""
    (toy / "toy.toml").write_text(PRETRAINED)
    assert run("train", "toy.toml", "--data", "data", "--seed", "1") == 0
    pretraining = toy / "runs" / "toy-pretraining" / "best.safetensors"
    made = pretraining.stat().st_mtime_ns
    teacher = toy / "models" / "teacher"
    later = PRETRAINED.replace("onset_threshold = 0.4", "onset_threshold = 0.45")
    (toy / "toy.toml").write_text(later)  # chosen after the training
    kept = run(
        *("export", "toy.toml", teacher, "--run", "runs/toy-1", "--weights-only")
    )
    assert kept == 0
    assert sorted(path.name for path in teacher.iterdir()) == [
        "MODEL_CARD.md",
        "SHA256SUMS",
        "best.safetensors",
        "config.json",
        "facts.json",
    ]
    chosen = json.loads((teacher / "config.json").read_text())["detection"]
    assert chosen["onset_threshold"] == 0.45
    (toy / "student.toml").write_text(PRETRAINED.replace('"toy"', '"student"'))
    taught = ("train", "student.toml", "--data", "data", "--teacher", teacher)
    assert run(*taught) == 0
    assert run(*taught) == 0  # a finished run is left as it is
    said = list((toy / "runs" / "taught").rglob("*.safetensors"))
    assert len(said) == 4  # one file per step
    facts = json.loads((toy / "runs" / "student" / "facts.json").read_text())
    assert "--teacher" in facts["command"]
    assert str(toy) not in facts["command"]
    assert "| simulated | 1 | 1 | 1.00 |" in facts["data"]
    assert run("export", "student.toml", "model") == 0
    card = " ".join((toy / "model" / "MODEL_CARD.md").read_text().split())
    assert "First 2 steps on simulated recordings alone (1 h)" in card
    assert "Distilled from a teacher (sha256" in card
    assert pretraining.stat().st_mtime_ns == made


def test_an_altered_copy_of_a_teacher_is_refused(
    toy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("train", "toy.toml", "--data", "data", "--run", "r") == 0
    assert run("export", "toy.toml", "kept", "--run", "r", "--weights-only") == 0
    assert run("export", "toy.toml", "kept", "--run", "r", "--weights-only") == 2
    assert "--force" in capsys.readouterr().err
    facts = toy / "kept" / "facts.json"
    facts.write_text(facts.read_text() + " ")
    assert run("export", "toy.toml", "model", "--run", "kept") == 2
    error = capsys.readouterr().err
    assert "facts.json was altered" in error
    assert error.count("\n") == 1


def test_pretraining_on_nothing_is_one_line(
    toy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (toy / "toy.toml").write_text(PRETRAINED.replace("simulated_hours = 1\n", ""))
    assert run("train", "toy.toml", "--data", "data") == 2
    error = capsys.readouterr().err
    assert "simulated_hours" in error
    assert error.count("\n") == 1
