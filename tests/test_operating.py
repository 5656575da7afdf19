"""Thresholds by false alarms per day: counted, kept, and told with a model."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from distilclip_eeg.cli import main
from distilclip_eeg.config import Config, DetectionConfig
from distilclip_eeg.corpora.store import Marked, overlap_per_second
from distilclip_eeg.detection.models import load_model
from distilclip_eeg.errors import ConfigError, CorpusError
from distilclip_eeg.evaluation.alarming import probability_of
from distilclip_eeg.evaluation.confidence import FittedConfidence
from distilclip_eeg.evaluation.operating import (
    MIN_ALARMS,
    beside_at,
    find_thresholds,
    operating_points,
    own_point,
)
from distilclip_eeg.evaluation.operating_file import (
    Share,
    confidence_said,
    read_thresholds,
    shown_threshold,
    thresholds_table,
    write_thresholds,
)
from distilclip_eeg.evaluation.outcomes import outcome_of
from distilclip_eeg.evaluation.predictions import (
    Prediction,
    read_predictions,
    save_predictions,
)
from distilclip_eeg.evaluation.thresholds import at_threshold, sweep
from small_thresholds import counted
from tiny_model import write_tiny_folder

SETTINGS = DetectionConfig(onset_threshold=0.6, offset_threshold=0.24)
CONFIG = Config(name="toy", detection=SETTINGS)
TOML = """
name = "toy"
[detection]
onset_threshold = 0.6
offset_threshold = 0.24
"""
HOUR_S = 3600
QUIET = -6.0

Bump = tuple[int, float]  # where it begins, and log-odds of its 20 seconds


def prediction(
    name: str,
    bumps: list[Bump],
    seizures: list[tuple[float, float]] | None = None,
    *,
    dataset: str = "simulated",
    n_seconds: int = HOUR_S,
) -> Prediction:
    odds = np.full(n_seconds, QUIET)
    for at, height in bumps:
        odds[at : at + 20] = height
    marked = tuple(Marked(on, end) for on, end in seizures or [])
    return Prediction(
        name=name,
        dataset=dataset,
        patient=name.split("/")[0],
        kind="seizure" if marked else "background",
        log_odds=odds,
        ictal=overlap_per_second(np.arange(float(n_seconds)), [m[:2] for m in marked]),
        labelled=np.ones(n_seconds, bool),
        seizures=marked,
    )


def day() -> list[Prediction]:
    """24 h of 24 people: 20 false alarms, from 4.0 down by 0.2; three seizures."""
    made = [prediction(f"p{k:02}", [(1000, 4.0 - 0.2 * k)]) for k in range(20)]
    found = [(500, 3.5), (1500, 2.5), (2500, -1.0)]
    true = [(500.0, 530.0), (1500.0, 1510.0), (2500.0, 2530.0)]
    made.append(prediction("p20", found, true))
    return made + [prediction(f"p{k}", []) for k in (21, 22, 23)]


def clips() -> list[Prediction]:
    """Half a minute each: what a cross-validation leaves."""

    def clip(name: str, height: float, dataset: str = "chbmit") -> Prediction:
        return prediction(name, [(5, height)], dataset=dataset, n_seconds=30)

    def seizure(name: str, height: float) -> Prediction:
        whole = [(0.0, 30.0)]
        return prediction(name, [(5, height)], whole, dataset="siena", n_seconds=30)

    return [
        seizure("a/1", 4.0),
        seizure("b/1", 1.0),
        clip("a/1_after_eeg", 4.0),
        clip("a/2_after_eeg", QUIET),
        clip("b/1_start_eeg", QUIET, "siena"),
        clip("c/rest", QUIET, "eegmat"),
        clip("d/lpd", 4.0, "iiic"),
    ]


# ---- what is counted


def test_the_lowest_threshold_that_keeps_to_each_rate() -> None:
    three, ten = operating_points(day(), SETTINGS)
    assert (three.per_day, three.n_false) == (3, 3)
    assert (ten.per_day, ten.n_false) == (10, 10)
    # Between the last alarm that may be raised and the first that may not.
    assert probability_of(3.4) < three.onset_threshold <= probability_of(3.6)
    assert probability_of(2.0) < ten.onset_threshold <= probability_of(2.2)
    assert (three.found, three.found_long) == (
        Share(part=1, whole=3),
        Share(part=1, whole=2),
    )
    assert (ten.found, ten.found_long) == (
        Share(part=2, whole=3),
        Share(part=1, whole=2),
    )


def test_it_lies_closer_than_the_thresholds_of_a_sweep() -> None:
    """A little lower, by a sixteenth of the step, there are too many."""
    made, patients = day(), [f"p{k:02}" for k in range(24)]
    coarse = sweep(made, SETTINGS, patients)
    n = coarse.lowest(10)
    assert n is not None
    step = coarse.thresholds[n] - coarse.thresholds[n + 1]
    _, point = operating_points(made, SETTINGS)
    lower = point.onset_threshold - step / 16 - 1e-6
    assert sweep(made, SETTINGS, patients, [lower]).lowest(10) is None
    assert point.onset_threshold < coarse.thresholds[n]


@settings(max_examples=12, deadline=None)
@given(
    heights=st.lists(st.floats(-4, 8), min_size=4, max_size=16),
    rate=st.floats(20, 400),
    seed=st.integers(0, 99),
)
def test_the_rate_is_kept_and_the_counts_are_szcores(
    heights: list[float], rate: float, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    starts = 200 + 200 * rng.permutation(16)[: len(heights)]
    bumps = [(int(at), h) for at, h in zip(starts, heights, strict=True)]
    true = [(float(at), at + 25.0) for at, _ in bumps[::3]]
    made = [prediction("a", bumps[::2], true), prediction("b", bumps[1::2])]
    for point in operating_points(made, SETTINGS, [rate]):
        assert MIN_ALARMS <= point.n_false <= rate * 2 / 24 + 1e-9
        own = at_threshold(SETTINGS, point.onset_threshold)
        counts = [outcome_of(p, own).counts()["szcore_event"] for p in made]
        assert point.n_false == sum(c.fp for c in counts)
        assert point.found.part == sum(c.tp for c in counts)
        assert point.found.whole == sum(c.tp + c.fn for c in counts)


def test_what_a_model_costs_at_its_own_threshold() -> None:
    """All twenty heights from 4.0 down to 0.2 lie above even odds."""
    own = own_point(day(), SETTINGS.model_copy(update={"onset_threshold": 0.5}))
    assert (own.per_day, own.n_false) == (20, 20)
    assert own.found == Share(part=2, whole=3)
    none = own_point(day()[21:], SETTINGS)
    assert (none.per_day, none.n_false) == (0, 0)


def test_what_cannot_be_counted_is_not_given() -> None:
    assert operating_points(day()[:1], SETTINGS) == []
    blind = prediction("a", [])
    blind.log_odds[:] = np.nan
    assert operating_points([blind], SETTINGS) == []
    certain = [prediction(f"p{k}", [(k, 800.0)]) for k in range(9)]
    assert operating_points(certain, SETTINGS) == []  # even the highest is too low


def test_the_same_thresholds_on_clips() -> None:
    low, high = (beside_at(clips(), SETTINGS, p) for p in (0.6, 0.9))
    assert low == {
        "seizure": Share(part=2, whole=2),
        "post-ictal": Share(part=1, whole=2),
        "ordinary": Share(part=0, whole=2),
        "hard negative": Share(part=1, whole=1),
    }
    assert high == low | {"seizure": Share(part=1, whole=2)}
    only = beside_at(clips()[:1], SETTINGS, 0.6)
    assert str(only["ordinary"]) == "–"


def test_a_length_read_from_disk_is_rounded(tmp_path: Path) -> None:
    true = [(500.333, 520.334)]
    save_predictions(tmp_path / "p.tsv", [prediction("a", [(500, 4.0)], true)])
    (read,) = read_predictions(tmp_path / "p.tsv")
    onset, end = read.seizures[0][:2]
    assert end - onset == pytest.approx(20, abs=0.02)
    others = [prediction(f"p{k:02}", [(1000, 3.0)]) for k in range(3)]
    (point,) = operating_points([read, *others], SETTINGS, [24.0])
    assert point.found_long == Share(part=1, whole=1)


# ---- what is kept of it


def test_it_is_read_as_it_was_written(tmp_path: Path) -> None:
    fitted = FittedConfidence(1.5, -0.25, 90, 30, 0.2, 0.03)
    found = counted(confidence=fitted, not_fitted="")
    write_thresholds(tmp_path / "new" / "t.json", found)
    assert read_thresholds(tmp_path / "new" / "t.json", CONFIG) == found


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"smoothing_s": 9}, "smoothing_s 1, expected 9"),
        ({"min_duration_s": 6.0}, "min_duration_s 5, expected 6"),
        ({"min_gap_s": 0.0}, "min_gap_s 10, expected 0"),
        ({"offset_threshold": 0.3}, "offset_threshold / onset_threshold 0.4"),
    ],
)
def test_other_settings_are_refused(
    change: dict[str, float], said: str, tmp_path: Path
) -> None:
    write_thresholds(tmp_path / "t.json", counted())
    other = CONFIG.model_copy(update={"detection": SETTINGS.model_copy(update=change)})
    with pytest.raises(ConfigError, match=said):
        read_thresholds(tmp_path / "t.json", other)


def test_only_the_ratio_of_the_thresholds_counts(tmp_path: Path) -> None:
    write_thresholds(tmp_path / "t.json", counted())
    for onset in (0.3, 0.7, 0.9):
        changed = at_threshold(SETTINGS, onset)
        config = CONFIG.model_copy(update={"detection": changed})
        assert read_thresholds(tmp_path / "t.json", config) == counted()
    own = counted(own=counted().points[0])
    write_thresholds(tmp_path / "own.json", own)
    assert read_thresholds(tmp_path / "own.json", CONFIG) == own
    assert read_thresholds(tmp_path / "own.json", config) == counted()  # another's
    with pytest.raises(ConfigError, match="model toy, expected other"):
        read_thresholds(tmp_path / "t.json", Config(name="other", detection=SETTINGS))


@pytest.mark.parametrize("content", ["", "[]", "{}", "\udcff", '{"name": 1}'])
def test_what_is_no_such_file_is_one_line(content: str, tmp_path: Path) -> None:
    path = tmp_path / "t.json"
    path.write_bytes(content.encode("utf-8", "surrogateescape"))
    with pytest.raises(ConfigError, match="not what `distilclip thresholds` writes"):
        read_thresholds(path, CONFIG)
    with pytest.raises(ConfigError, match="no such file"):
        read_thresholds(tmp_path / "nowhere.json", CONFIG)


def test_a_table_that_can_be_read_alone() -> None:
    lines = thresholds_table(counted()).splitlines()
    assert lines[2] == "| 1 | 8 | 0.99925 | 3 of 4 | 3 of 4 |"
    assert "200.0 h of 600 simulated people with 1500 seizures" in " ".join(lines)
    few = " ".join(thresholds_table(counted(points=counted().points[2:])).split())
    assert "1 per day (takes 72 h), 3 per day (takes 24 h)." in few


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0.6, "0.600"), (0.99, "0.990"), (0.9987, "0.9987"), (0.99996, "0.999960")],
)
def test_no_threshold_is_shown_as_certainty(value: float, shown: str) -> None:
    assert shown_threshold(value) == shown


def test_any_rate_between_can_be_asked_for(tmp_path: Path) -> None:
    found = counted()
    folder = write_tiny_folder(
        tmp_path / "m",
        detection=SETTINGS,
        false_alarms_per_day=found.operating_points,
        measured_on=found.measured_on,
    )
    model = load_model(folder.path)
    rates = [1, 1.5, 2, 3, 5, 10]
    at = [model.settings(false_alarms_per_day=r).onset_threshold for r in rates]
    assert at == sorted(at, reverse=True)
    assert [at[0], at[3], at[5]] == [0.99925, 0.98, 0.9]
    for rate in (0.9, 11):
        with pytest.raises(ConfigError, match="measured from 1 to 10"):
            model.settings(false_alarms_per_day=rate)


# ---- the command


def run(*args: str | Path) -> int:
    with pytest.raises(SystemExit) as stopped:
        main([str(arg) for arg in args])
    return int(stopped.value.code or 0)


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    save_predictions(tmp_path / "predictions.tsv", day())
    save_predictions(tmp_path / "clips.tsv", clips())
    (tmp_path / "toy.toml").write_text(TOML)
    monkeypatch.chdir(tmp_path)
    return tmp_path


COMMAND = ("thresholds", "predictions.tsv", "--config", "toy.toml")


def test_the_command_writes_all_that_is_needed_to_count_again(
    files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = (*COMMAND, "--output", "out/t.json", "--beside", "clips.tsv")
    assert run(*command) == 0
    table = " ".join(capsys.readouterr().out.split())
    said = (files / "out" / "t.json").read_text()
    found = json.loads(said)
    digest = hashlib.sha256((files / "clips.tsv").read_bytes()).hexdigest()
    assert found["beside"]["sha256"] == digest
    assert found["measured"]["n_people"] == found["measured"]["hours"] == 24
    assert found["detection"]["offset_threshold"] == 0.24
    assert [p["per_day"] for p in found["points"]] == [3, 10]
    assert found["points"][1]["beside"]["post-ictal"] == {"part": 1, "whole": 2}
    assert "| 2 of 3 | 1 of 2 | 1 of 2 | 1 of 2 | 0 of 2 | 1 of 1 |" in table
    assert "1 per day (takes 72 h)" in table
    assert str(files) not in said + table
    config = Config(name="toy", detection=DetectionConfig(**found["detection"]))
    again = read_thresholds(files / "out" / "t.json", config)
    assert confidence_said(again) in table

    assert run(*command) == 2
    assert "--force" in capsys.readouterr().err
    assert run(*command, "--force") == 0
    assert (files / "out" / "t.json").read_text() == said


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (("nowhere.tsv", "--output", "t.json"), "nowhere.tsv"),
        (("toy.toml", "--output", "t.json"), "no column 'recording'"),
        (("unseen.tsv", "--output", "t.json"), "no second that experts looked at"),
        (("predictions.tsv", "--output", "t.txt"), "use one of .json"),
    ],
)
def test_a_mistake_is_one_line(
    changed: tuple[str, ...],
    said: str,
    files: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    unseen = replace(day()[0], labelled=np.zeros(HOUR_S, bool))
    save_predictions(files / "unseen.tsv", [unseen])
    assert run("thresholds", *changed, "--config", "toy.toml") == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1
    assert not (files / "t.json").exists()


def test_what_nobody_looked_at_is_refused(tmp_path: Path) -> None:
    (tmp_path / "p.tsv").write_text(
        "recording\tdataset\tpatient\tsecond\tictal\tlabelled\tlog_odds\n"
    )
    with pytest.raises(CorpusError, match="expected predictions of recordings"):
        find_thresholds(tmp_path / "p.tsv", CONFIG)
