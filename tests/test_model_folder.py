"""A model folder is whole, unaltered and understood, or refused in one line."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from distilclip_eeg.config import SignalConfig
from distilclip_eeg.eeg.montage import LEADS
from distilclip_eeg.errors import ConfigError, ModelFolderError, OutputExistsError
from distilclip_eeg.model_folder import (
    CONFIG,
    HASHED,
    HASHES,
    FolderConfig,
    load_folder,
    write_folder,
)
from tiny_model import tiny_config, tiny_parts, write_tiny_folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_tiny_folder(tmp_path / "tiny").path


def sign_again(folder: Path) -> None:
    """Make the list of hashes fit whatever the files now hold."""
    lines = [
        f"{hashlib.sha256((folder / name).read_bytes()).hexdigest()}  {name}\n"
        for name in HASHED
    ]
    (folder / HASHES).write_text("".join(lines))


def change_config(folder: Path, **changes: Any) -> None:
    values = json.loads((folder / CONFIG).read_text()) | changes
    (folder / CONFIG).write_text(json.dumps(values))
    sign_again(folder)


def refusal(folder: Path) -> str:
    with pytest.raises(ModelFolderError) as caught:
        load_folder(folder)
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_what_was_written_is_read(folder: Path) -> None:
    model = load_folder(folder)
    assert model.config == tiny_config()
    assert model.signal == SignalConfig()
    assert (model.name, model.background) == ("tiny", 0)
    assert model.config.signal.leads == LEADS
    np.testing.assert_array_equal(model.prototypes, tiny_parts()["prototypes"])
    assert sorted(model.test_vector()) == [
        "eeg",
        "second_logits",
        "usable",
        "window_logits",
    ]
    assert model.onnx.read_bytes() == tiny_parts()["onnx"]


def test_identity_is_that_of_the_hashes(folder: Path) -> None:
    expected = hashlib.sha256((folder / HASHES).read_bytes()).hexdigest()
    assert load_folder(folder).sha256 == expected


def test_same_content_has_the_same_identity(tmp_path: Path) -> None:
    first = write_tiny_folder(tmp_path / "a")
    second = write_tiny_folder(tmp_path / "b")
    assert first.sha256 == second.sha256


def test_hashes_are_those_of_sha256sum(folder: Path) -> None:
    for line in (folder / HASHES).read_text().splitlines():
        digest, name = line.split("  ")
        assert digest == hashlib.sha256((folder / name).read_bytes()).hexdigest()


@pytest.mark.parametrize("name", [*HASHED, HASHES])
def test_missing_file_is_named(folder: Path, name: str) -> None:
    (folder / name).unlink()
    assert f"{name} is missing" in refusal(folder)


@pytest.mark.parametrize("name", [name for name in HASHED if name != CONFIG])
def test_altered_file_is_named(folder: Path, name: str) -> None:
    content = bytearray((folder / name).read_bytes())
    content[-1] ^= 1
    (folder / name).write_bytes(content)
    assert f"{name} was altered" in refusal(folder)


def test_altered_config_is_named(folder: Path) -> None:
    text = (folder / CONFIG).read_text()
    (folder / CONFIG).write_text(text.replace('"tiny"', '"huge"'))
    assert f"{CONFIG} was altered" in refusal(folder)


def test_unlisted_file_is_named(folder: Path) -> None:
    lines = (folder / HASHES).read_text().splitlines()
    (folder / HASHES).write_text("\n".join(lines[1:]))
    assert "does not list model.onnx" in refusal(folder)


def test_no_folder(tmp_path: Path) -> None:
    assert "no such model folder" in refusal(tmp_path / "nothing")


@pytest.mark.parametrize("content", ["", "[1]", "{", '"text"'])
def test_config_that_is_no_object(folder: Path, content: str) -> None:
    (folder / CONFIG).write_text(content)
    assert "not a JSON object" in refusal(folder)


def test_newer_format_says_update(folder: Path) -> None:
    change_config(folder, format_version=2)
    assert "format version 2, this package reads 1: update" in refusal(folder)


@pytest.mark.parametrize("version", [0, None, "1", 1.5])
def test_unknown_format_says_export(folder: Path, version: object) -> None:
    change_config(folder, format_version=version)
    assert "export" in refusal(folder)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"classes": ["background", "seizure", "artefact"]}, "(2, 4)"),
        ({"classes": ["one", "two"]}, "'background' and more needed"),
        ({"classes": ["background", "background"]}, "stands twice"),
        ({"embed_dim": 5}, "(2, 4)"),
        ({"logit_scale": float("nan")}, "logit_scale"),
        ({"surprise": 1}, "surprise"),
        ({"false_alarms_per_day": [{"per_day": 0, "onset_threshold": 1}]}, "per_day"),
    ],
)
def test_config_that_disagrees(
    folder: Path, changes: dict[str, Any], expected: str
) -> None:
    change_config(folder, **changes)
    assert expected in refusal(folder)


def test_other_leads_are_refused(folder: Path) -> None:
    signal = json.loads((folder / CONFIG).read_text())["signal"]
    change_config(folder, signal=signal | {"leads": [*LEADS[1:], LEADS[0]]})
    assert "leads are F7-T7" in refusal(folder)


@pytest.mark.parametrize("key", ["band", "notch"])
def test_other_filters_are_refused(folder: Path, key: str) -> None:
    signal = json.loads((folder / CONFIG).read_text())["signal"]
    signal["filter_sos"][key][0][0] *= 1.001
    change_config(folder, signal=signal)
    assert "filter_sos differs" in refusal(folder)


@pytest.mark.parametrize(
    "prototypes",
    [
        np.zeros((2, 4), np.float32),
        np.full((2, 4), np.nan, np.float32),
        np.eye(2, 4, dtype=np.float64),
        np.eye(3, 4, dtype=np.float32),
    ],
    ids=["zero", "nan", "float64", "three"],
)
def test_class_vectors_that_are_none(
    folder: Path, prototypes: np.ndarray[Any, Any]
) -> None:
    np.save(folder / "prototypes.npy", prototypes)
    sign_again(folder)
    assert "prototypes.npy" in refusal(folder)


def test_pickles_are_never_loaded(folder: Path) -> None:
    trap = np.array([{"any": "object"}], dtype=object)
    np.save(folder / "prototypes.npy", trap, allow_pickle=True)
    sign_again(folder)
    assert "prototypes.npy is no array" in refusal(folder)
    write_tiny_folder(folder.parent / "other")
    other = folder.parent / "other"
    np.savez(other / "test_vector.npz", eeg=trap)
    sign_again(other)
    assert "test_vector.npz is no .npz" in refusal(other)


def test_test_vector_that_lacks_a_part(folder: Path) -> None:
    np.savez(folder / "test_vector.npz", eeg=np.zeros(3))
    sign_again(folder)
    assert "test_vector.npz holds eeg" in refusal(folder)


def test_nan_in_the_test_vector(folder: Path) -> None:
    vector = load_folder(folder).test_vector()
    vector["window_logits"][0, 0] = np.nan
    np.savez(folder / "test_vector.npz", allow_pickle=False, **vector)
    sign_again(folder)
    assert "expected finite" in refusal(folder)


def test_nothing_is_overwritten_unasked(folder: Path) -> None:
    before = (folder / HASHES).read_bytes()
    with pytest.raises(OutputExistsError, match="--force"):
        write_tiny_folder(folder, name="other")
    assert (folder / HASHES).read_bytes() == before


def test_force_replaces_the_whole_folder(folder: Path) -> None:
    (folder / "left_over.txt").write_text("old")
    written = write_folder(folder, tiny_config(name="new"), **tiny_parts(), force=True)
    assert written.name == "new"
    assert not (folder / "left_over.txt").exists()
    assert [path.name for path in folder.parent.iterdir()] == ["tiny"]


def test_failure_leaves_the_old_folder_and_no_rest(folder: Path) -> None:
    parts = tiny_parts() | {"prototypes": np.zeros((2, 4))}
    with pytest.raises(ModelFolderError, match="expected 1"):
        write_folder(folder, tiny_config(name="bad"), **parts, force=True)
    assert load_folder(folder).name == "tiny"
    assert [path.name for path in folder.parent.iterdir()] == ["tiny"]


@pytest.mark.parametrize(
    ("rate", "threshold"),
    [(0.5, 0.9), (2.0, 0.7), (24.0, 0.5), (1.0, 0.8), (np.sqrt(2.0 * 24.0), 0.6)],
)
def test_threshold_by_false_alarms(folder: Path, rate: float, threshold: float) -> None:
    assert load_folder(folder).onset_threshold(rate) == pytest.approx(threshold)


@pytest.mark.parametrize("rate", [0.0, 0.49, 24.1, float("nan"), -1.0])
def test_rate_that_was_not_measured(folder: Path, rate: float) -> None:
    with pytest.raises(ConfigError, match=r"measured from 0\.5 to 24"):
        load_folder(folder).onset_threshold(rate)


def test_model_without_operating_points(tmp_path: Path) -> None:
    model = write_tiny_folder(tmp_path / "m", false_alarms_per_day=())
    with pytest.raises(ConfigError, match="never measured"):
        model.onset_threshold(1.0)


def test_config_survives_json() -> None:
    config = tiny_config()
    assert FolderConfig.model_validate_json(config.model_dump_json()) == config
