"""Settings come from TOML or JSON, are checked, and say in one line what is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from distilclip_eeg.config import Config, DetectionConfig, SignalConfig, load_config
from distilclip_eeg.errors import ConfigError

CONFIGS = Path(__file__).parent.parent / "configs"


def written(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_a_name_is_enough(tmp_path: Path) -> None:
    config = load_config(written(tmp_path / "a.toml", 'name = "a"'))
    assert config == Config(name="a")


def test_toml_reaches_every_level(tmp_path: Path) -> None:
    text = """
    name = "Zürich"
    [signal]
    notch_hz = [50.0]
    [model]
    classes = ["background", "seizure"]
    [model.tower]
    dim = 96
    [model.text]
    layers = 1
    [training]
    steps = 7
    """
    config = load_config(written(tmp_path / "a.toml", text))
    assert config.name == "Zürich"
    assert config.signal.notch_hz == (50.0,)
    assert (config.model.tower.dim, config.model.text.layers) == (96, 1)
    assert config.training.steps == 7


def test_json_gives_the_same_back() -> None:
    config = Config(name="a", signal=SignalConfig(window_s=4, hop_s=2))
    assert Config.model_validate_json(config.model_dump_json()) == config


def test_every_shipped_file_is_valid() -> None:
    for path in sorted(CONFIGS.glob("*.toml")):
        assert load_config(path).name == path.stem


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name =", "not a TOML file"),
        ("", "name: Field required"),
        ('name = "a"\nsize = 3', "size: Extra inputs"),
        ('name = "a"\n[model.tower]\nwidth = 3', "model.tower.width: Extra inputs"),
        ('name = "a"\n[signal]\nhop_s = 11', "hop_s 11 is longer than window_s 10"),
        ('name = "a"\n[signal]\nhighpass_hz = 0', "signal.highpass_hz"),
        ('name = "a"\n[signal]\nhighpass_hz = 70', "highpass_hz 70.0, lowpass_hz"),
        ('name = "a"\n[signal]\nlowpass_hz = 128', "half of sfreq 128.0 do not rise"),
        ('name = "a"\n[signal]\nnotch_hz = []', "signal.notch_hz"),
        ('name = "a"\n[signal]\nnotch_hz = [150]', "notch_hz (150.0,)"),
        ('name = "a"\n[training]\nema_decay = 1.0', "training.ema_decay"),
        ('name = "a"\n[training]\nprecision = "16"', "training.precision"),
        ('name = "a"\n[detection]\nonset_threshold = 0.2', "offset_threshold 0.3"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(
    tmp_path: Path, text: str, said: str
) -> None:
    path = written(tmp_path / "a.toml", text)
    with pytest.raises(ConfigError) as raised:
        load_config(path)
    message = str(raised.value)
    assert message.startswith(f"{path}: ")
    assert said in message
    assert "\n" not in message


def test_absent_and_binary_files(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"b\.toml: no such config file"):
        load_config(tmp_path / "b.toml")
    (tmp_path / "c.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="not a TOML file"):
        load_config(tmp_path / "c.toml")


def test_settings_do_not_change() -> None:
    settings = SignalConfig()
    with pytest.raises(ValidationError, match="frozen"):
        settings.hop_s = 3  # type: ignore[misc]


def test_a_window_in_samples() -> None:
    assert SignalConfig().window_samples == 2560
    assert SignalConfig(window_s=4, hop_s=4).window_samples == 1024


def test_thresholds_may_be_equal() -> None:
    both = DetectionConfig(onset_threshold=0.4, offset_threshold=0.4)
    assert both.onset_threshold == both.offset_threshold
