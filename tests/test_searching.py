"""Moments asked for in words: what is kept, what is ranked, and whether it is right."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import average_precision_score
from typer.testing import CliRunner

from distilclip_eeg.cli import app
from distilclip_eeg.corpora.store import condition
from distilclip_eeg.detection.embeddings import (
    SUFFIX,
    WindowEmbeddings,
    kept_embeddings,
)
from distilclip_eeg.detection.models import Model, load_model
from distilclip_eeg.errors import ConfigError, DistilClipError, ModelFolderError
from distilclip_eeg.review.searching import Moment, embeddings_below, nearest, table
from distilclip_eeg.training.asking import ask, load_text_tower
from seizure_gallery import CELLS, WINDOW_S, seizure_of
from tiny_model import write_tiny_model

EXAMPLE = Path(__file__).parent.parent / "examples" / "chb01_03_1_eeg.edf"
CHANCE = 1 / len(CELLS)
GALLERY_SEED, PER_CELL = 41_000, 4


@pytest.fixture(scope="module")
def model() -> Model:
    return load_model("student", "f32")


def unit(*values: float) -> np.ndarray:
    row = np.array(values, np.float32)
    return np.asarray(row / np.linalg.norm(row))


def test_best_first_and_none_that_overlap_a_better_one() -> None:
    rows = np.stack([unit(1, 0), unit(1, 0.1), unit(1, 2), unit(0, 1)])
    every = {
        "a.edf": WindowEmbeddings(np.array([0.0, 7.0, 14.0, 21.0]), rows),
        "b.edf": WindowEmbeddings(np.array([0.0]), np.full((1, 2), np.nan)),
    }
    moments = nearest(every, unit(1, 0), 10.0, top=5)
    assert [(m.recording, m.onset_s) for m in moments] == [("a.edf", 0), ("a.edf", 14)]
    assert moments[0].score == pytest.approx(1)
    assert len(nearest(every, unit(1, 0), 10.0, top=1)) == 1


def test_moments_as_a_table() -> None:
    text = table([Moment("sub/a.edf", 14.0, 10.0, 0.25)])
    assert text == "recording\tonset\tduration\tscore\nsub/a.edf\t14\t10\t0.2500\n"


def test_embeddings_are_made_once(tmp_path: Path, model: Model) -> None:
    recording, kept = tmp_path / "a.edf", tmp_path / f"a.edf{SUFFIX}"
    shutil.copy(EXAMPLE, recording)
    made = kept_embeddings(recording, kept, model)
    stamp = kept.stat().st_mtime_ns
    read = kept_embeddings(recording, kept, model)
    assert kept.stat().st_mtime_ns == stamp
    np.testing.assert_array_equal(read.onset_s, made.onset_s)
    np.testing.assert_allclose(read.embedding, made.embedding, atol=1e-3)
    os.utime(recording, ns=(0, 1))  # another recording under the name
    kept_embeddings(recording, kept, model)
    assert kept.stat().st_mtime_ns != stamp


def test_another_model_embeds_anew(tmp_path: Path, model: Model) -> None:
    kept = tmp_path / f"a{SUFFIX}"
    kept_embeddings(EXAMPLE, kept, model)
    tiny = load_model(write_tiny_model(tmp_path / "tiny"))
    assert kept_embeddings(EXAMPLE, kept, tiny).embedding.shape[1] == 4


def test_damaged_embeddings_are_made_anew(tmp_path: Path, model: Model) -> None:
    kept = tmp_path / f"a{SUFFIX}"
    kept.write_bytes(b"PAR1 not really")
    assert len(kept_embeddings(EXAMPLE, kept, model).onset_s)


def test_what_cannot_be_read_is_told_and_left_out(tmp_path: Path, model: Model) -> None:
    shutil.copy(EXAMPLE, tmp_path / "good.edf")
    (tmp_path / "bad.edf").write_bytes(b"0" * 100)
    told: list[str] = []
    index = tmp_path / "index"
    found = embeddings_below(tmp_path, model, index, told.append)
    assert list(found) == ["good.edf"]
    assert (index / f"good.edf{SUFFIX}").is_file()
    assert len(told) == 1
    (tmp_path / "good.edf").unlink()
    with pytest.raises(DistilClipError, match="no recording that can be read"):
        embeddings_below(tmp_path, model, index, told.append)


def test_the_tower_of_the_folder_says_what_the_classes_say(model: Model) -> None:
    """Prototypes were written at export: the rebuilt tower gives them again."""
    from distilclip_eeg.model.captions import class_prompts

    tower = load_text_tower(model.folder)
    for wordings, prototype in zip(
        class_prompts(model.folder.classes), model.folder.prototypes, strict=True
    ):
        mean = tower(wordings).detach().numpy().mean(axis=0)
        assert unit(*mean) @ prototype == pytest.approx(1, abs=1e-3)


def test_a_folder_without_a_text_tower(tmp_path: Path, model: Model) -> None:
    from safetensors.numpy import save_file

    from distilclip_eeg.model_folder import load_folder, write_folder
    from tiny_model import tiny_config, tiny_parts

    save_file({"eeg.x": np.zeros(1, np.float32)}, tmp_path / "w")
    parts = tiny_parts() | {"weights": (tmp_path / "w").read_bytes()}
    write_folder(tmp_path / "model", tiny_config(), **parts)
    with pytest.raises(ModelFolderError, match="no text tower"):
        load_text_tower(load_folder(tmp_path / "model"))


@pytest.mark.parametrize("broken", ["no safetensors", "prompts of another shape"])
def test_broken_weights_that_are_rightly_hashed(
    tmp_path: Path, model: Model, broken: str
) -> None:
    """Somebody wrote the folder so: no accident, which hashes would tell."""
    from safetensors.numpy import save_file

    from distilclip_eeg.model_folder import load_folder, write_folder
    from tiny_model import tiny_config, tiny_parts

    flat = {name: np.zeros(3, np.float32) for name in ("projection.weight", "prompts")}
    save_file({f"text.{name}": v for name, v in flat.items()}, tmp_path / "w")
    whole = (tmp_path / "w").read_bytes()
    given = whole[: len(whole) // 2] if broken == "no safetensors" else whole
    write_folder(
        tmp_path / "model", tiny_config(), **(tiny_parts() | {"weights": given})
    )
    with pytest.raises(ModelFolderError, match="export the model again"):
        load_text_tower(load_folder(tmp_path / "model"))


def test_no_words(model: Model) -> None:
    with pytest.raises(ConfigError, match="empty query"):
        ask(load_text_tower(model.folder), " . ")


def test_the_command_finds_the_seizure_of_the_example(tmp_path: Path) -> None:
    shutil.copy(EXAMPLE, tmp_path / "a.edf")
    words = "a focal seizure, rhythmic activity of high amplitude"
    done = CliRunner().invoke(app, ["search", str(tmp_path), words, "--top", "1"])
    assert done.exit_code == 0, done.output
    header, row = done.stdout.splitlines()
    assert header.split("\t") == ["recording", "onset", "duration", "score"]
    onset_s = float(row.split("\t")[1])
    seizure = EXAMPLE.with_name("chb01_03_1_events.tsv").read_text().splitlines()[1]
    begins_s, lasts_s = (float(cell) for cell in seizure.split("\t")[:2])
    assert begins_s - 5 <= onset_s <= begins_s + lasts_s


@pytest.mark.slow
def test_words_find_side_lobe_and_type(model: Model) -> None:
    """A balanced gallery: macro-averaged average precision three times chance."""
    tower = load_text_tower(model.folder)
    cells = np.repeat(np.arange(len(CELLS)), PER_CELL)
    seconds = [
        condition(seizure_of(CELLS[cell], GALLERY_SEED + k), model.signal)
        for k, cell in enumerate(cells)
    ]
    n = WINDOW_S * round(model.signal.sfreq)
    windows = model.runtime.run(
        np.stack([s.leads[:, -n:] for s in seconds]),
        np.stack([s.usable[:, -WINDOW_S:] for s in seconds]),
    ).window_embedding
    precision = [
        average_precision_score(cells == k, windows @ ask(tower, cell.words))
        for k, cell in enumerate(CELLS)
    ]
    print(f"mean average precision {np.mean(precision):.3f}, chance {CHANCE:.3f}")
    assert np.mean(precision) >= 3 * CHANCE
