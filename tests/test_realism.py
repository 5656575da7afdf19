"""Sides are told apart when they differ, by patients never seen, and only then."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from sklearn.metrics import roc_auc_score

from distilclip_eeg.cli import main
from distilclip_eeg.corpora.manifest import read_manifest
from distilclip_eeg.errors import CorpusError
from distilclip_eeg.evaluation.realism import report as realism_report
from distilclip_eeg.evaluation.realism import telling_apart
from distilclip_eeg.evaluation.realism.appearance import Measured, describe
from distilclip_eeg.evaluation.realism.carry_over import carry_over
from distilclip_eeg.evaluation.realism.epochs import SIMULATED, Epoch
from distilclip_eeg.evaluation.realism.report import measure_realism, write_scores
from distilclip_eeg.evaluation.realism.telling_apart import (
    Pool,
    common_leads,
    compare,
    compare_all,
)
from distilclip_eeg.explain.side_by_side import choose_rows, write_pages
from small_corpus import write_corpus

N_LEADS, N_LOUD, N_FREE = 18, 9, 23
REPO = Path(__file__).parent.parent
RESULTS = REPO / "docs" / "results" / "realism"


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(telling_apart, "TREES", 10)
    monkeypatch.setattr(telling_apart, "RESAMPLES", 50)
    monkeypatch.setattr(telling_apart, "FOLDS", 2)


def pool(
    *groups: tuple[str, str, str, float], n: int = 20, own: float = 0.0, seed: int = 0
) -> Pool:
    """Windows at random; each group is (data set, group, kind, shift of all features).

    `own` shifts each group by chance, as people differ.
    """
    rng = np.random.default_rng(seed)
    shifts = np.repeat([g[3] + own * rng.normal() for g in groups], n)

    def drawn(*shape: int) -> NDArray[np.float32]:
        values = rng.normal(0, 1, (len(shifts), *shape))
        values += shifts.reshape(-1, *(1 for _ in shape))
        return values.astype(np.float32)

    alike = np.tanh(drawn(2, N_LEADS, N_LEADS))
    measured = Measured(
        drawn(N_LEADS, N_LOUD),
        drawn(N_LEADS, N_FREE),
        alike + alike.swapaxes(2, 3),
        drawn(N_LEADS, 3),
    )
    dataset, group, kind = (np.repeat([g[k] for g in groups], n) for k in range(3))
    nothing = np.full(len(shifts), "")
    usable = np.ones((len(shifts), N_LEADS), bool)
    return Pool(measured, usable, dataset, group, kind, nothing, nothing)


def people(
    dataset: str, n: int, shift: float, kind: str = "seizure"
) -> list[tuple[str, str, str, float]]:
    return [(dataset, f"{dataset} {k}", kind, shift) for k in range(n)]


def test_the_made_up_windows_have_the_measured_shapes() -> None:
    values, names, loud = describe(pool(*people("a", 2, 0)).measured, range(N_LEADS))
    assert values.shape == (40, len(names))
    assert loud.sum() == N_LOUD


def test_sides_that_differ_are_told_apart_and_it_is_said_by_what() -> None:
    found = compared(0.6)
    assert found.auroc.value > 0.95
    assert found.auroc_without_loudness.value > 0.95
    assert found.auroc.low <= found.auroc.value <= found.auroc.high
    best = found.telling[0]
    assert abs(best.auroc - 0.5) == max(abs(t.auroc - 0.5) for t in found.telling)
    assert best.median_b > best.median_a


def test_sides_that_do_not_differ_are_not_told_apart() -> None:
    assert compared(0.0).auroc.value == pytest.approx(0.5, abs=0.12)


def test_a_person_seen_in_training_is_never_judged() -> None:
    """People differ much, sides not: a leak of people would give nearly 1."""
    sides = [*people("a", 6, 0.0), *people("b", 6, 0.0)]
    several = pool(*sides, own=0.5)
    found = [told(several, seed).auroc.value for seed in range(3)]
    assert np.mean(found) < 0.75


def compared(shift: float) -> telling_apart.Comparison:
    return told(pool(*people("a", 5, 0.0), *people("b", 5, shift)), 0)


def told(windows: Pool, seed: int) -> telling_apart.Comparison:
    sides = (windows.dataset == "a", windows.dataset == "b")
    return compare(windows, "seizure", "a", "b", *sides, seed)


def test_area_is_that_of_scikit_learn() -> None:
    rng = np.random.default_rng(0)
    y = rng.random(200) < 0.4
    scores = np.round(rng.normal(0, 1, 200) + y, 1)  # with ties
    groups = np.array([f"{side}{rng.integers(5)}" for side in y])
    area = telling_apart._area(y, scores, groups, rng)
    assert area.value == pytest.approx(roc_auc_score(y, scores))
    assert area.low < area.value < area.high


def test_area_by_a_feature_is_that_of_scikit_learn() -> None:
    rng = np.random.default_rng(1)
    y = rng.random(100) < 0.5
    x = rng.normal(0, 1, (100, 3)).round(1)
    x[:, 1] += y
    best = telling_apart._telling(x.astype(np.float32), y, ("p", "q", "r"))[0]
    assert best.feature == "q"
    assert best.auroc == pytest.approx(roc_auc_score(y, x[:, 1].astype(np.float32)))


def test_only_leads_that_both_sides_hold_are_compared() -> None:
    windows = pool(*people("a", 4, 0.0), *people("b", 4, 0.0))
    windows.usable[windows.dataset == "b", 3] = False
    windows.usable[::10, 5] = False  # seldom: the window goes, the lead stays
    leads = common_leads(windows, np.ones(len(windows.group), bool))
    assert leads == [row for row in range(N_LEADS) if row != 3]
    found = told(windows, 0)
    assert found.n_leads == N_LEADS - 1
    assert sum(found.n_windows) == 144


def test_every_pair_is_compared() -> None:
    windows = pool(
        *people("a", 4, 0.3), *people("b", 4, 0.0), *people(SIMULATED, 8, 0.0), n=6
    )
    found = {(c.a, c.b): c for c in compare_all(windows)}
    odd_and_even = (f"{SIMULATED}, even seeds", f"{SIMULATED}, odd seeds")
    assert list(found) == [
        ("real", SIMULATED),
        ("a", SIMULATED),
        ("b", SIMULATED),
        ("a", "b"),
        odd_and_even,
    ]
    # b looks simulated: it is not what a forest learned from a calls real.
    transferred = found["b", SIMULATED].auroc_transferred
    assert transferred is not None
    assert transferred < 0.75 < found["a", SIMULATED].auroc.value


def test_backgrounds_are_compared_in_the_same_state() -> None:
    windows = pool(
        *people("eegmat", 4, 0.0, "background"),
        *people("north", 4, 0.0, "background"),
        *people(SIMULATED, 4, 0.0, "background"),
        n=10,
    )
    simulated = windows.dataset == SIMULATED
    tenth = np.arange(len(simulated)) % 10
    windows = replace(
        windows,
        part=np.where(simulated & (tenth < 3), "after", ""),
        state=np.where(simulated, np.where(tenth < 6, "resting", "deep"), ""),
    )
    found = {c.a: c for c in compare_all(windows) if SIMULATED in c.b}
    assert found["eegmat"].b == f"{SIMULATED}, awake"
    assert found["eegmat"].n_windows == (40, 12)
    assert found["north"].b == f"{SIMULATED}, ordinary"
    assert found["north"].n_windows == (40, 28)


def test_too_few_people_are_not_compared() -> None:
    assert not list(compare_all(pool(*people("a", 3, 0), *people(SIMULATED, 8, 0))))


def test_what_is_learned_from_one_holds_for_the_other_if_it_is_the_same() -> None:
    same, other = (
        {
            (c.learned_from, c.judged_on): c
            for c in carry_over(
                pool(
                    *people("a", 4, 0.5),
                    *people("a", 4, 0.0, "background"),
                    *people(SIMULATED, 4, shift),
                    *people(SIMULATED, 4, 0.0, "background"),
                )
            )
        }
        for shift in (0.5, 0.0)
    )
    assert len(same) == len(other) == 4
    for carried in (same["real", "real"], same[SIMULATED, "real"]):
        assert carried.n_groups == 4
        assert carried.pooled > 0.8
        assert carried.by_group > 0.8
    assert other["real", "real"].pooled > 0.8
    # Where simulated seizures look like background there is nothing to learn.
    assert other[SIMULATED, "real"].pooled == pytest.approx(0.5, abs=0.25)
    assert other["real", SIMULATED].pooled == pytest.approx(0.5, abs=0.15)
    assert not list(carry_over(pool(*people("a", 4, 0), *people(SIMULATED, 4, 0))))


def test_a_report_names_what_it_rests_on(tmp_path: Path) -> None:
    recordings = read_manifest(write_corpus(tmp_path / "data"))
    seen: list[str] = []
    report = measure_realism(
        recordings, [0, 1], range(20_000, 20_003), duration_s=60, on_step=seen.append
    )
    json_file, markdown = write_scores(report, tmp_path / "out")
    content = json.loads(json_file.read_text())
    assert content["folds"] == [0, 1]
    assert content["simulated"]["seeds"] == [20_000, 20_001, 20_002]
    assert len(content["simulated"]["samples_sha256"]) == 64
    assert set(content["versions"]) >= {"distilclip-eeg", "scikit-learn"}
    text = markdown.read_text()
    assert content["simulated"]["samples_sha256"][:12] in text
    assert seen[:3] == ["cutting real recordings", "simulating", "measuring"]
    pages = write_pages(report.epochs, tmp_path / "out")
    assert {page.name for page in pages} <= {
        "backgrounds.png",
        "seizures.png",
        "patterns.png",
    }
    for page in pages:
        with Image.open(page) as picture:
            assert picture.width > 1000


def test_no_window_at_all_is_an_error(tmp_path: Path) -> None:
    recordings = read_manifest(write_corpus(tmp_path))
    for recording in recordings:
        recording.path.write_bytes(b"nothing")
    with pytest.raises(CorpusError, match="found no window in 6 recordings of folds 0"):
        measure_realism(recordings, [0], [20_000], duration_s=60)


def epoch(dataset: str, kind: str, part: str, loud: float) -> Epoch:
    rng = np.random.default_rng(0)
    leads = rng.normal(0, loud, (N_LEADS, 2560)).astype(np.float32)
    usable = np.ones(N_LEADS, bool)
    return Epoch(dataset, "x", kind, part, "deep", leads, usable, f"{dataset} {loud:g}")  # type: ignore[arg-type]


def test_a_page_shows_a_simulated_window_as_loud_as_the_real_one() -> None:
    epochs = [epoch("a", "seizure", part, 30) for part in ("onset", "middle", "end")]
    for loud in (3, 29, 300):
        epochs += [epoch(SIMULATED, "seizure", e.part, loud) for e in epochs[:3]]
    rows = choose_rows(epochs, "seizure", 0)
    assert [row.title for row in rows] == [
        "seizure, onset",
        "seizure, middle",
        "seizure, end",
    ]
    assert {row.simulated.where for row in rows} == {f"{SIMULATED} 29"}
    assert not choose_rows(epochs, "background", 0)


def test_the_page_about_it_quotes_the_scores() -> None:
    """Every figure of three decimals in the text stands in a file beside it."""
    files = [json.loads(path.read_text()) for path in RESULTS.glob("scores*.json")]
    known = {f"{x:.3f}" for content in files for x in numbers_in(content)}
    text = (RESULTS / "README.md").read_text()
    quoted = set(re.findall(r"\b[01]\.\d{3}\b", text))
    assert quoted
    assert not quoted - known
    for page in RESULTS.glob("*.png"):
        assert page.name in text
        assert page.stat().st_size < 400_000


def numbers_in(value: object) -> Iterator[float]:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            yield from numbers_in(item)
    elif isinstance(value, float):
        yield value


def test_the_command_does_not_write_over_files(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "scores.md").write_text("mine")
    with pytest.raises(SystemExit) as done:
        main(["realism", str(tmp_path), "--output", str(tmp_path)])
    assert done.value.code == 2
    assert "--force" in capsys.readouterr().err


def test_the_command_wants_numbers_of_folds(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as done:
        main(
            [
                "realism",
                str(tmp_path),
                "--folds",
                "all",
                "--output",
                str(tmp_path / "o"),
            ]
        )
    assert done.value.code == 2
    assert "expected numbers" in capsys.readouterr().err


def test_only_the_folds_asked_for_are_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []

    def stop(
        recordings: list[object], folds: list[int], *rest: object, **more: object
    ) -> None:
        opened.extend(getattr(r, "name", "") for r in recordings)
        raise CorpusError("enough")

    monkeypatch.setattr(realism_report, "measure_realism", stop)
    data = write_corpus(tmp_path / "data")
    with pytest.raises(SystemExit):
        main(["realism", str(data), "--folds", "1", "--output", str(tmp_path / "out")])
    assert opened == ["n2/sz.edf", "s1/sz.edf", "s1/bg.edf"]
