"""A model is found by name or folder, and knows which settings it can be asked for."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

import distilclip_eeg
from distilclip_eeg.detection.models import Model, bundled_models, load_model
from distilclip_eeg.errors import ConfigError, ModelFolderError
from tiny_model import write_tiny_folder


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    path = tmp_path_factory.mktemp("models") / "tiny"
    return load_model(write_tiny_folder(path).path, threads=1)


def test_folder_is_found_by_path(tmp_path: Path) -> None:
    folder = write_tiny_folder(tmp_path / "m")
    for path in (folder.path, str(folder.path)):
        loaded = load_model(path, "f32")
        assert (loaded.name, loaded.identity.sha256) == ("tiny", folder.sha256)


def test_threshold_takes_the_offset_along(model: Model) -> None:
    chosen = model.settings(threshold=0.8)
    assert chosen.onset_threshold == 0.8
    assert chosen.offset_threshold == pytest.approx(0.48)
    assert chosen.min_gap_s == model.folder.detection.min_gap_s


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"threshold": 0.5, "false_alarms_per_day": 1}, "not both"),
        ({"threshold": 0.0}, "above 0"),
        ({"threshold": 1.1}, "up to 1"),
        ({"threshold": math.nan}, "up to 1"),
        ({"false_alarms_per_day": 100}, "measured from"),
    ],
)
def test_impossible_choices(
    model: Model, arguments: dict[str, float], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        model.settings(**arguments)


def test_unknown_model_names_the_known() -> None:
    with pytest.raises(ModelFolderError, match="bundled are:"):
        load_model("no_such_model")


@pytest.mark.parametrize("name", bundled_models())
def test_bundled_models_load_and_meet_their_test_vector(name: str) -> None:
    bundled = load_model(name, "f32")
    vector = bundled.folder.test_vector()
    scores = bundled.runtime.run(vector["eeg"], vector["usable"])
    np.testing.assert_allclose(scores.second_logits, vector["second_logits"], atol=2e-3)


def test_front_door_offers_what_it_names() -> None:
    for name in distilclip_eeg.__all__:
        assert getattr(distilclip_eeg, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        distilclip_eeg.nothing  # noqa: B018
