"""A short cut that is planted is seen; one that is not there is not."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from distilclip_eeg.cli import main
from distilclip_eeg.config import DetectionConfig
from distilclip_eeg.corpora.store import Marked
from distilclip_eeg.eeg.montage import LEADS
from distilclip_eeg.eeg.signal import Conditioned
from distilclip_eeg.errors import CorpusError
from distilclip_eeg.evaluation.clip_figures import (
    Patient,
    Row,
    difference,
    group_of,
    matched_threshold,
    patients_of,
)
from distilclip_eeg.evaluation.controls import probes as probes_module
from distilclip_eeg.evaluation.controls.cues import (
    against,
    at_equal_time,
    by_clock,
    cues,
    cuts,
    without_first_window,
)
from distilclip_eeg.evaluation.controls.hearing import (
    AS_IT_IS,
    AS_LOUD,
    NO_OCCIPITAL,
    Heard,
    Windows,
    gains_of,
    hear,
    without_occipital,
)
from distilclip_eeg.evaluation.controls.probes import Probe, probes, within_patients
from distilclip_eeg.evaluation.controls.report import (
    age_group,
    controls_of,
    markdown,
    read_ages,
)
from distilclip_eeg.evaluation.evaluate import Models, evaluate
from distilclip_eeg.evaluation.material import Data
from distilclip_eeg.evaluation.predictions import Prediction
from distilclip_eeg.training import borrowed
from small_corpus import write_corpus
from tiny_model import write_tiny_model


@pytest.fixture(scope="module", autouse=True)
def few_draws() -> Iterator[None]:
    patch = pytest.MonkeyPatch()
    patch.setattr(probes_module, "DRAWS", 20)
    yield
    patch.undo()


# ---- probes


def heard_of(embeddings: dict[int | None, np.ndarray], windows: Windows) -> Heard:
    return Heard(Data("made up", ()), windows, embeddings, {}, {}, "", {})


def made_up_windows(seed: int = 0) -> Windows:
    """Two data sets of 4 patients, 3 recordings each, 8 windows, a third ictal."""
    rows = [
        (f"{d}{p}/{r}", f"{d}{p}", d, p % 2, 5 * k, float(k % 3 == 0))
        for d in ("north", "south")
        for p in range(4)
        for r in range(3)
        for k in range(8)
    ]
    recording, patient, dataset, fold, start, ictal = zip(*rows, strict=True)
    rng = np.random.default_rng(seed)
    return Windows(
        np.array(recording),
        np.array(patient),
        np.array(dataset),
        np.array(fold, np.intp),
        np.array(start, np.intp),
        np.array(ictal),
        rng.uniform(10, 20, len(rows)),
        rng.normal(0, 1, (len(rows), 27)).astype("f4"),
    )


def asked(found: list[Probe], what: str, of: str) -> Probe:
    return next(p for p in found if (p.asked, p.of) == (what, of))


def planted(windows: Windows, what: np.ndarray, seed: int = 1) -> np.ndarray:
    """Noise, and in its first numbers what an embedding should not say."""
    names = sorted(set(what.tolist()))
    rng = np.random.default_rng(seed)
    code = rng.normal(0, 1, (len(names), 6))
    space = rng.normal(0, 0.3, (len(windows), 6))
    space += code[[names.index(x) for x in what.tolist()]]
    return space.astype("f4")


def test_a_planted_data_set_is_told_and_noise_tells_nothing() -> None:
    windows = made_up_windows()
    found = list(probes(heard_of({None: planted(windows, windows.dataset)}, windows)))
    probe = asked(found, "data set", "without a seizure")
    assert probe.embeddings.value > 0.95
    assert abs(probe.signal.value - 0.5) < 0.2
    assert probe.chance == 0.5
    assert probe.n_patients == 8
    who = asked(found, "patient", "without a seizure")
    assert who.embeddings.value < 0.5  # told only apart by data set
    assert who.chance == 0.25


def test_a_planted_patient_is_told_in_other_recordings() -> None:
    windows = made_up_windows()
    found = list(probes(heard_of({None: planted(windows, windows.patient)}, windows)))
    assert asked(found, "patient", "without a seizure").embeddings.value > 0.9
    assert asked(found, "patient", "ictal").embeddings.value > 0.9


def test_shuffled_labels_teach_nothing() -> None:
    windows = made_up_windows()
    space = planted(windows, windows.ictal_share.astype(str))
    found = list(probes(heard_of({None: space}, windows)))
    assert asked(found, "seizure", "all").embeddings.value > 0.95
    name = "seizure, learned from labels shuffled within patients"
    shuffled = asked(found, name, "all")
    assert shuffled.embeddings.value < asked(found, "seizure", "all").embeddings.value
    true = windows.ictal_share > 0
    kept = np.ones(len(windows), bool)
    labels = within_patients(true, windows.patient, kept)
    for patient in set(windows.patient.tolist()):
        own = windows.patient == patient
        assert labels[own].sum() == true[own].sum()
    assert (labels != true).any()


def test_models_by_fold_are_judged_in_a_space_of_their_own() -> None:
    windows = made_up_windows()
    spaces: dict[int | None, np.ndarray] = {
        k: planted(windows, windows.dataset, seed=k) for k in (0, 1)
    }
    found = list(probes(heard_of(spaces, windows)))
    probe = asked(found, "data set", "without a seizure")
    assert probe.embeddings.value > 0.95
    turned = spaces[0] * np.where(windows.fold == 1, -1, 1)[:, None]
    mixed: dict[int | None, np.ndarray] = {0: spaces[0], 1: turned}
    wrong = list(probes(heard_of(mixed, windows)))
    lost = asked(wrong, "data set", "without a seizure").embeddings.value
    assert lost < 0.75  # its own fold turned round: the probe must not have learned it


# ---- cues


def prediction(
    name: str, odds: np.ndarray, ictal: tuple[int, int] | None, patient: str = "p"
) -> Prediction:
    n = len(odds)
    inside = np.zeros(n)
    if ictal:
        inside[slice(*ictal)] = 1
    return Prediction(
        name,
        "north",
        patient,
        "seizure" if ictal else "background",
        odds.astype(float),
        inside,
        np.ones(n, bool),
        (Marked(float(ictal[0]), float(ictal[1])),) if ictal else (),
    )


def clips() -> list[Prediction]:
    """Three patients whose seizures begin with the clip, one clip after each."""
    made = []
    for k, patient in enumerate("abc"):
        rng = np.random.default_rng(k)
        odds = np.where(np.arange(40) < 20, 2.0, -2.0) + rng.normal(0, 0.1, 40)
        made.append(prediction(f"{patient}/1", odds, (0, 20), patient))
        quiet = rng.normal(-2, 0.1, 40)
        made.append(prediction(f"{patient}/1_after", quiet, None, patient))
    return made


def test_the_clock_is_heard_where_seizures_begin_with_the_clip() -> None:
    made = clips()
    groups = {p.name: group_of(p) for p in made}
    found = {cue.name: cue.value for cue in cues(made, groups)}
    assert found["model"].value == 1
    assert found["clock"].value > 0.7
    assert found["equal time"].value == 1
    assert found["after against within"].value == 1
    assert abs(found["labels shuffled, by patient"].value - 0.5) < 0.2
    patients = cuts(made, groups)
    scores = by_clock(patients, "a")
    assert len(scores) == len(patients["a"].ictal)
    start_s = patients["a"].start_s
    assert scores[start_s == 0].min() > scores[start_s >= 20].max()


def test_at_equal_time_by_hand() -> None:
    made = clips()[:2]
    cut = cuts(made, {p.name: group_of(p) for p in made})["a"]
    turned = replace(cut, score=cut.start_s.astype(float))  # nothing but the clock
    assert at_equal_time(turned) == 0.5
    assert np.isnan(at_equal_time(replace(cut, ictal=np.zeros_like(cut.ictal))))


def test_without_the_first_window_its_seconds_do_not_count() -> None:
    first, after = without_first_window(clips()[:2])
    assert not first.labelled[:10].any()
    assert first.labelled[10:].all()
    assert first.labelled_s == (10.0, 40.0)
    figures = patients_of([first, after], DetectionConfig())["a"]
    assert figures.shares["found"].tolist() == [1, 1]


def test_ictal_windows_stand_against_all_of_another_data_set() -> None:
    made = clips()
    loud = [prediction("x", np.full(30, 5.0), None)]
    assert against(made, [p for p in made if not p.seizures]) == 1
    assert against(made, loud) == 0


# ---- figures of clips


def test_groups_are_told_by_kind_and_name() -> None:
    with_seizure, after = clips()[:2]
    assert group_of(with_seizure) == "seizure"
    assert group_of(after) == "post-ictal"
    assert group_of(replace(after, name="a/2")) == "ordinary"
    assert group_of(replace(after, kind="hard_negative")) == "hard negative"


def test_a_mean_over_patients_and_a_paired_difference_by_hand() -> None:
    def seed(*areas: float) -> dict[str, Patient]:
        return {f"p{k}": Patient(x) for k, x in enumerate(areas)}

    a = Row([seed(0.9, 0.7, float("nan")), seed(0.7, 0.5, float("nan"))])
    b = Row([seed(0.6, 0.5)])
    assert a.intervals(10)["auroc"].value == pytest.approx(0.7)
    assert a.each_seed()["auroc"] == pytest.approx([0.8, 0.6])
    gap = difference(a, b, 50)["auroc"]
    assert gap.value == pytest.approx((0.2 + 0.1) / 2)
    assert 0.1 - 1e-9 <= gap.low <= gap.high <= 0.2 + 1e-9


def test_the_matched_threshold_lets_few_clips_alarm() -> None:
    loud = [prediction(f"q{k}", np.full(60, 1.5), None) for k in range(2)]
    still = [prediction(f"r{k}", np.full(60, -9.0), None) for k in range(8)]
    settings = DetectionConfig(onset_threshold=0.5, offset_threshold=0.25)
    at = matched_threshold([*loud, *still], settings)
    assert at.onset_threshold == 0.9  # sigmoid(1.5) is 0.82, and 2 of 10 are too many
    assert at.offset_threshold == pytest.approx(0.45)
    assert matched_threshold(still, settings).onset_threshold == 0.02


# ---- guises


def test_leads_on_o1_and_o2_are_masked_and_no_others() -> None:
    usable = np.ones((18, 3), bool)
    masked = without_occipital(Conditioned(np.zeros((18, 768), "f4"), usable, {}))
    gone = [
        lead for lead, row in zip(LEADS, masked.usable, strict=True) if not row.any()
    ]
    assert gone == ["P7-O1", "P3-O1", "P4-O2", "P8-O2"]


def test_gains_bring_the_quiet_to_the_loudness_of_those_with_seizures() -> None:
    windows = made_up_windows()
    loud = np.where(windows.dataset == "north", 40.0, 10.0)
    windows = replace(windows, loudness_uv=loud)
    made = [replace(p, patient=f"north{k}") for k, p in enumerate(clips()[::2])]
    gains, loud_as = gains_of(windows, made)
    assert (gains, loud_as) == ({"south": 4.0}, "north")
    assert gains_of(windows, clips()[1::2]) == ({}, "")


# ---- from files


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("data")
    write_corpus(root / "corpus")
    (root / "corpus" / "patients.tsv").write_text(
        "patient\tage_years\nn1\t3.5\nn2\t70\ns1\tn/a\n"
    )
    for name in ("tiny", "fold0", "fold1"):
        write_tiny_model(root / name, name=name)
    return root


@pytest.fixture(scope="module")
def heard(root: Path) -> Heard:
    return hear(Models(str(root / "tiny"), threads=1), str(root / "corpus"))


def test_what_is_heard_as_recorded_is_what_evaluate_hears(
    root: Path, heard: Heard
) -> None:
    models = Models(str(root / "tiny"), threads=1)
    plain = evaluate(models, str(root / "corpus")).predictions
    for ours, theirs in zip(heard.predictions[AS_IT_IS], plain, strict=True):
        assert ours.name == theirs.name
        np.testing.assert_allclose(ours.log_odds, theirs.log_odds, atol=1e-4)


def test_guises_change_what_they_should(heard: Heard) -> None:
    plain = {p.name: p for p in heard.predictions[AS_IT_IS]}
    (loud,) = heard.predictions[AS_LOUD]
    assert loud.dataset == "calm"
    assert heard.loud_as == "north"
    assert set(heard.gains) == {"calm"}
    louder = np.nanmean(loud.log_odds) - np.nanmean(plain[loud.name].log_odds)
    assert np.sign(louder) == np.sign(np.log(heard.gains["calm"]))
    for p in heard.predictions[NO_OCCIPITAL]:
        same = np.array_equal(p.log_odds, plain[p.name].log_odds)
        assert same == (p.dataset == "south")  # which has no O1 and O2


def test_windows_are_those_that_experts_looked_at(heard: Heard) -> None:
    windows = heard.windows
    calm = windows.dataset == "calm"
    assert windows.start_s[calm].tolist() == [12]  # labelled from 12 to 22
    assert len(windows) == len(heard.embeddings[None])
    assert (windows.fold[calm] == -1).all()
    assert np.isfinite(windows.loudness_uv).all()


def test_the_report_names_every_control(root: Path, heard: Heard) -> None:
    models = Models(str(root / "tiny"), threads=1)
    models.first()
    found = controls_of(heard, models, ages=read_ages(root / "corpus"))
    json.dumps(found, allow_nan=False)
    assert list(found["by_age"]) == ["0 to 6 years", "60 years and more", "unknown"]
    assert set(found["by_dataset"]) == {"calm", "north", "south"}
    (loud,) = found["loudness"]
    assert loud[AS_IT_IS]["clips"] == 1
    text = markdown(found)
    for words in ("O1 and O2 masked", "first window left out", "clock:", "By age"):
        assert words in text
    widths: dict[str, set[int]] = {}
    title = ""
    for line in text.splitlines():
        title = line if line.startswith("#") else title
        if line.startswith("|"):
            widths.setdefault(title, set()).add(line.count("|"))
    assert all(len(each) == 1 for each in widths.values())


def test_ages_are_grouped() -> None:
    assert age_group(None) == "unknown"
    assert age_group(0) == "0 to 6 years"
    assert age_group(6) == "6 to 12 years"
    assert age_group(59.9) == "18 to 60 years"
    assert age_group(99) == "60 years and more"


def test_ages_need_their_columns(tmp_path: Path) -> None:
    assert read_ages(tmp_path) == {}
    (tmp_path / "patients.tsv").write_text("patient\tyears\n")
    with pytest.raises(CorpusError, match="no column 'age_years'"):
        read_ages(tmp_path)


def test_the_command_takes_models_by_fold(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    args = ["controls", str(root / "fold{fold}"), str(root / "corpus")]
    args += ["--folds", "0-1", "--output", str(tmp_path), "--threads", "1"]
    with pytest.raises(SystemExit) as exit_:
        main(args)
    assert not exit_.value.code
    found = json.loads((tmp_path / "controls.json").read_text())
    assert [m["fold"] for m in found["models"]] == [0, 1]
    assert (tmp_path / "controls.md").read_text() == capsys.readouterr().out
    with pytest.raises(SystemExit) as exit_:
        main(args)
    assert exit_.value.code == 2
    assert "--force writes over it" in capsys.readouterr().err


# ---- runs


def test_runs_become_folders_for_a_while(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for fold in (0, 2):
        (tmp_path / f"run{fold}").mkdir()
        (tmp_path / f"run{fold}" / "best.safetensors").touch()
    written: list[Path] = []

    def export(run: Path, folder: Path, **_: Any) -> None:
        assert run.name[-1] == folder.name[-1]
        folder.mkdir()
        written.append(folder)

    monkeypatch.setattr(borrowed, "export", export)
    monkeypatch.setattr(borrowed, "load_run", lambda run: (None, {}))
    monkeypatch.setattr(borrowed, "example_windows", lambda config: None)
    given = str(tmp_path / "run{fold}")
    assert borrowed.is_run(given)
    assert not borrowed.is_run(str(tmp_path / "model{fold}"))
    with borrowed.model_folders(given, None, lambda line: None) as folders:
        assert Path(folders.replace("{fold}", "2")).is_dir()
        assert len(written) == 2
    assert not written[0].exists()
    (tmp_path / "run0" / "model.onnx").touch()
    assert not borrowed.is_run(given, [0])
