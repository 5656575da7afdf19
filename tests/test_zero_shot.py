"""What is left out of training is out, and can still be asked for in words."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from distilclip_eeg.cli import main
from distilclip_eeg.config import Config, PretrainingConfig
from distilclip_eeg.corpora.store import Crop, Marked, Store, StoredRecording
from distilclip_eeg.eeg.findings import Findings
from distilclip_eeg.errors import ConfigError
from distilclip_eeg.training import commands
from distilclip_eeg.training import zero_shot as experiment
from distilclip_eeg.training.left_out import MARGIN_S, LeftOut, prompts, without
from distilclip_eeg.training.zero_shot import stage_config
from small_corpus import small_store

HOURS = ("--hours", "3")
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
[pretraining]
steps = 2
batch_size = 4
warmup_steps = 1
[training]
precision = "32-true"
"""


class Marks(StoredRecording):
    """A recording of marks alone: its signal counts its own seconds."""

    def __init__(self, n_seconds: int, seizures: Sequence[Marked]) -> None:
        self.name = self.patient = "someone"
        self.dataset, self.kind, self.fold = "simulated", "seizure", None
        self.n_seconds, self.labelled_s = n_seconds, (0.0, float(n_seconds))
        self.seizures = sorted(seizures)
        self.patterns = [(s.end_s + 20, s.end_s + 25, "lpd") for s in self.seizures]

    def crop(self, start_s: float, length_s: int) -> Crop:
        seconds = start_s + np.arange(length_s)
        eeg = np.tile(seconds.astype(np.float32), (18, 1))
        flags = np.ones(length_s, bool)
        ictal = np.zeros(length_s, np.float32)
        inside = [s for s in self.seizures if s.onset_s < seconds[-1] + 1]
        inside = [s for s in inside if s.end_s > start_s]
        usable = np.ones((18, length_s), bool)
        return Crop(eeg, usable, ictal, flags, start_s, inside[0] if inside else None)


@st.composite
def recordings(draw: st.DrawFn) -> Marks:
    """Seizures as far apart as simulated ones are, some of them left out."""
    at_s, seizures = 0.0, []
    for _ in range(draw(st.integers(1, 5))):
        onset_s = at_s + 10 + draw(st.floats(5, 60))
        at_s = onset_s + draw(st.floats(2, 40))
        event_type = draw(st.sampled_from(["sz_gen_nm", "sz_foc_ia_nm"]))
        seizures.append(Marked(onset_s, at_s, event_type))
    return Marks(int(at_s) + draw(st.integers(5, 60)), seizures)


@given(recordings())
def test_nothing_left_out_can_be_cut_from_what_is_kept(whole: Marks) -> None:
    left_out = LeftOut.parse("sz_gen_nm")
    gone = [s for s in whole.seizures if left_out.covers(s)]
    for kept in without([whole], left_out, 10):
        assert kept.n_seconds >= 10
        assert not any(left_out.covers(s) for s in kept.seizures)
        for start_s in np.linspace(0, kept.n_seconds - 10, 7):
            seconds = kept.crop(float(start_s), 10).eeg[0]  # of the whole recording
            for seizure in gone:
                apart = (seconds[-1] + 1 <= seizure.onset_s - MARGIN_S + 1e-3) | (
                    seconds[0] >= seizure.end_s + MARGIN_S - 1e-3
                )
                assert apart


@given(recordings())
def test_every_other_seizure_is_kept_where_it_was(whole: Marks) -> None:
    left_out = LeftOut.parse("sz_gen_nm")
    others = [s for s in whole.seizures if not left_out.covers(s)]
    found = []
    for kept in without([whole], left_out, 10):
        offset_s = float(kept.crop(0, 10).eeg[0, 0])
        found += [s.onset_s + offset_s for s in kept.seizures]
    near = [s.onset_s for s in others]
    assert len(found) <= len(near)
    for onset_s in found:
        assert min(abs(onset_s - other) for other in near) < 1e-3


def test_a_recording_without_it_stays_as_it_is() -> None:
    whole = Marks(60, [Marked(20, 30, "sz_foc_ia_nm")])
    assert without([whole], LeftOut.parse("sz_gen_nm"), 10) == [whole]


def test_an_excerpt_ends_where_it_ends() -> None:
    whole = Marks(100, [Marked(50, 55, "sz_gen_nm")])
    first, second = without([whole], LeftOut.parse("sz_gen_nm"), 10)
    assert (first.n_seconds, second.n_seconds) == (40, 35)
    with pytest.raises(ValueError, match="it has 40 s"):
        first.crop(31, 10)
    assert second.crop(25, 10).eeg[0, -1] == 99


def test_seizures_keep_their_place_in_a_crop() -> None:
    whole = Marks(200, [Marked(20, 25, "sz_gen_nm"), Marked(80, 95, "sz_foc_ia_nm")])
    kept = without([whole], LeftOut.parse("sz_gen_nm"), 10)[-1]
    crop = kept.crop(45, 10)
    assert crop.start_s == 45
    assert crop.seizure is not None
    assert crop.seizure.onset_s == kept.seizures[0].onset_s == 45
    assert kept.patterns == [(10, 15, "lpd"), (80, 85, "lpd")]


@pytest.mark.parametrize(
    ("asked", "covered"),
    [
        ("sz_gen_nm", {"sz_gen_nm", "sz_gen_nm_myoclonic"}),
        ("sz_gen", {"sz_gen", "sz_gen_nm", "sz_gen_nm_myoclonic"}),
        ("sz_foc_a", {"sz_foc_a_nm"}),
    ],
)
def test_a_type_covers_all_below_it(asked: str, covered: set[str]) -> None:
    types = ["sz", "sz_gen", "sz_gen_nm", "sz_gen_nm_myoclonic"]
    types += ["sz_foc_a_nm", "sz_foc_ia_nm"]
    left_out = LeftOut.parse(asked)
    assert {t for t in types if left_out.covers(Marked(0, 1, t))} == covered


def test_a_place_covers_what_lies_there() -> None:
    right_temporal = Marked(0, 1, "sz_foc", "right", "temporal")
    left_temporal = Marked(0, 1, "sz_foc", "left", "temporal")
    assert LeftOut.parse("right temporal").covers(right_temporal)
    assert not LeftOut.parse("right temporal").covers(left_temporal)
    assert LeftOut.parse("temporal").covers(left_temporal)
    assert not LeftOut.parse("right").covers(left_temporal)


def test_prompts_fit_what_captions_would_call_so() -> None:
    aware, impaired = Marked(0, 1, "sz_foc_a_nm"), Marked(0, 1, "sz_foc_ia_nm")
    left_out = LeftOut.parse("sz_foc_a")
    assert left_out.covers(aware)
    assert not left_out.covers(impaired)
    assert left_out.fits(impaired)  # captions have no word for awareness
    assert not LeftOut.parse("sz_gen_nm").fits(impaired)


@pytest.mark.parametrize("asked", ["", "absence", "right nowhere", "sz", "unknown"])
def test_what_names_nothing_is_refused(asked: str) -> None:
    with pytest.raises(ConfigError, match="neither a type"):
        LeftOut.parse(asked)


def test_prompts_say_what_is_asked_for_and_nothing_else_of_it() -> None:
    sentences = prompts(LeftOut.parse("sz_gen_nm").findings)
    assert len(set(sentences)) == len(sentences) == 40
    assert all("generalised non-motor seizure" in text for text in sentences)
    sentences = prompts(LeftOut.parse("right temporal").findings)
    assert all("right temporal" in text for text in sentences)
    assert not any("temporal" in text for text in prompts(Findings(state="seizure")))


def test_no_mirrored_window_shows_a_side_that_is_left_out() -> None:
    config = Config(name="x", pretraining=PretrainingConfig(steps=5, batch_size=7))
    for asked, augmented in (("right temporal", False), ("sz_gen_nm", True)):
        stage = stage_config(config, LeftOut.parse(asked), hours=3)
        assert stage.training.augment is augmented
        assert (stage.training.steps, stage.training.batch_size) == (5, 7)
        assert stage.data.simulated_share == 1
        assert asked in stage.name


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A TOML file; what would be simulated is the small corpus, marked by hand."""
    stores: dict[str, Store] = {}

    def prepare(seeds: Sequence[int], folder: Path, *_: Any, **__: Any) -> Store:
        name = "test" if seeds[0] >= 10_000 else "train"
        store = stores.setdefault(name, small_store(tmp_path / name))
        for recording in store.recordings:
            number = "sz_gen_nm" if recording.dataset == "south" else "sz_foc_ia_nm"
            recording.seizures = [
                s._replace(event_type=number) for s in recording.seizures
            ]
        return store

    monkeypatch.setattr(experiment, "prepare_simulated", prepare)
    monkeypatch.setattr(commands, "prepare_simulated", prepare)
    (tmp_path / "toy.toml").write_text(CONFIG)
    return tmp_path


def run(*args: str | Path) -> int:
    with pytest.raises(SystemExit) as stopped:
        main([str(arg) for arg in args])
    return int(stopped.value.code or 0)


def test_the_whole_experiment(toy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = toy / "runs" / "zs"
    asked = ("zero-shot", toy / "toy.toml", "--leave-out", "sz_gen_nm", "--run", folder)
    assert run(*asked, *HOURS) == 0
    report = json.loads((folder / "zero_shot.json").read_text())
    assert report["seizures_cut_out"] == 1
    assert report["hours"] == 3
    rows = report["left_out_of_training"]
    assert [row["against"] for row in rows] == ["other seizures", "all windows"] * 3
    for row in rows:
        assert 0 <= row["auroc"] <= 1
        assert 0 < row["windows_asked_for"] < row["windows"]
        assert row["people_with"] == 1
    assert "Chance is 0.5" in capsys.readouterr().out

    assert run(*asked, *HOURS, "--seen", folder) == 0  # trained: it only ranks
    again = json.loads((folder / "zero_shot.json").read_text())
    assert again["left_out_of_training"] == rows
    assert again["seen_in_training"] == rows


def test_a_run_folder_serves_one_question(
    toy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = toy / "zs"
    asked = ("zero-shot", toy / "toy.toml", "--run", folder, *HOURS, "--leave-out")
    assert run(*asked, "sz_gen_nm") == 0
    assert run(*asked, "sz_foc_ia") == 2
    assert "zs" in capsys.readouterr().err.splitlines()[-1]


def test_what_captions_cannot_tell_apart_is_refused(
    toy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ("zero-shot", toy / "toy.toml", "--run", toy / "zs", *HOURS, "--leave-out")
    assert run(*asked, "sz_foc_a") == 2
    assert "captions say the same of sz_foc_ia_nm" in capsys.readouterr().err


def test_nothing_to_leave_out_is_one_line(
    toy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ("zero-shot", toy / "toy.toml", "--run", toy / "zs", *HOURS, "--leave-out")
    assert run(*asked, "sz_gen_m_tonic") == 2
    assert "0 seizures of 'sz_gen_m_tonic'" in capsys.readouterr().err


def test_no_run_to_compare_with_is_told_before_training(
    toy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ("zero-shot", toy / "toy.toml", "--leave-out", "sz_gen_nm")
    assert run(*asked, "--run", toy / "zs", "--seen", toy / "nowhere") == 2
    assert "nowhere" in capsys.readouterr().err
    assert not (toy / "zs").exists()


def test_simulated_recordings_are_needed(
    toy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ("zero-shot", toy / "toy.toml", "--leave-out", "sz_gen_nm")
    assert run(*asked, "--run", toy / "zs") == 2
    assert "say how many with --hours" in capsys.readouterr().err
