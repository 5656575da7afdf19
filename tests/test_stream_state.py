"""A stream that was cut, saved and restored tells what an unbroken one tells."""

from __future__ import annotations

import json
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from distilclip_eeg import Event, StreamDetector, Update
from distilclip_eeg.config import DetectionConfig
from distilclip_eeg.detection.models import Model, load_model
from distilclip_eeg.detection.stream_state import TEXT, read_state, write_state
from distilclip_eeg.eeg.montage import LEADS
from distilclip_eeg.errors import StateError
from tiny_model import write_tiny_folder

SMOOTHED = DetectionConfig(smoothing_s=3)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    path = tmp_path_factory.mktemp("models") / "tiny"
    return load_model(write_tiny_folder(path).path, threads=1)


def signal(n_times: int = 256 * 97 + 77) -> NDArray[np.float32]:
    """Seizures that last, touch and run over the end; steps, NaN and a flat lead."""
    x = np.random.default_rng(0).normal(0, 8, (18, n_times)).astype(np.float32)
    t = np.arange(n_times) / 256
    for onset, end in ((8, 31), (36, 39), (60, 200)):
        ictal = (t >= onset) & (t < end)
        x[:4] += (500 * np.sin(2 * np.pi * 4 * t) * ictal).astype(np.float32)
    x[:, 5000:9000] += 3000
    x[3:7, :300] = np.nan
    x[3:7, 15000:16111] = np.nan
    x[9, 4000:8000] = 0
    return x


X = signal()
RATES = (256.0, 200.0, 173.61, 512.0)
WHOLE: dict[tuple[float, int], tuple[list[Any], dict[str, Any]]] = {}


def listened(
    model: Model, cuts: list[int], sfreq: float, gap_at: int, saved: Path | None
) -> tuple[list[Any], dict[str, Any]]:
    """All news and the result; saved and restored at every cut if `saved` is given."""
    stream = StreamDetector(model, LEADS, sfreq, SMOOTHED)
    news: list[Event | Update] = []
    at = 0
    for stop in sorted({*cuts, gap_at, X.shape[1]}):
        news += stream.push(X[:, at:stop])
        if stop == gap_at:
            news += stream.gap(3.217)
        if saved is not None:
            stream.save(saved)
            stream = StreamDetector.load(saved, model, LEADS, sfreq)
        at = stop
    news += stream.close()
    return news, stream.result().to_dict()


@given(
    cuts=st.lists(st.integers(0, X.shape[1]), max_size=6),
    sfreq=st.sampled_from(RATES),
    gap_at=st.sampled_from([5000, 9999]),
)
@settings(max_examples=20, deadline=None)
def test_cut_anywhere_saved_and_restored_is_the_same(
    model: Model,
    tmp_path_factory: pytest.TempPathFactory,
    cuts: list[int],
    sfreq: float,
    gap_at: int,
) -> None:
    if (sfreq, gap_at) not in WHOLE:
        WHOLE[sfreq, gap_at] = listened(model, [], sfreq, gap_at, None)
    whole_news, whole = WHOLE[sfreq, gap_at]
    assert whole["events"]
    path = tmp_path_factory.getbasetemp() / "state.npz"
    news, found = listened(model, cuts, sfreq, gap_at, path)
    assert found == whole
    assert news == whole_news


CONTINUE = """
import json, sys
from pathlib import Path
import numpy as np
from distilclip_eeg import Event, StreamDetector, load_model
folder, state, signal, start, stop = sys.argv[1:]
model, x = load_model(folder, threads=1), np.load(signal)
stream = StreamDetector.load(Path(state), model)
over = [n for n in stream.push(x[:, int(start) : int(stop)]) if isinstance(n, Event)]
stream.save(Path(state))
print(json.dumps([event.to_dict() for event in over]))
"""


def test_fresh_processes_go_on(model: Model, tmp_path: Path) -> None:
    state, x = tmp_path / "state.npz", tmp_path / "x.npy"
    np.save(x, X)
    whole, begun = (StreamDetector(model, LEADS, 200.0) for _ in range(2))
    want = [item for item in whole.push(X) if isinstance(item, Event)]
    events = [item for item in begun.push(X[:, :2777]) if isinstance(item, Event)]
    begun.save(state)
    cuts = [2777, 9001, X.shape[1]]  # the first within a seizure
    for start, stop in pairwise(cuts):
        argv = [str(model.folder.path), str(state), str(x), str(start), str(stop)]
        done = subprocess.run(
            [sys.executable, "-c", CONTINUE, *argv],
            check=True,
            capture_output=True,
            text=True,
        )
        events += [Event.from_dict(values) for values in json.loads(done.stdout)]
    stream = StreamDetector.load(state, model)
    assert events == want
    assert stream.close() == whole.close()
    assert stream.result().to_dict() == whole.result().to_dict()


def test_news_are_the_same_for_any_chunking(model: Model) -> None:
    def told(step: int) -> list[Event | Update]:
        stream = StreamDetector(model, LEADS, 256.0)
        news: list[Event | Update] = []
        for start in range(0, X.shape[1], step):
            news += stream.push(X[:, start : start + step])
        return news + stream.close()

    news = told(X.shape[1])
    assert told(97) == told(256) == news
    kinds = [item.kind if isinstance(item, Update) else "over" for item in news]
    assert kinds[0] == "raise"
    assert kinds.count("raise") == kinds.count("over") == 2
    assert kinds.index("over") > kinds.index("update")
    raised = [item for item in news if isinstance(item, Update)]
    assert all(item.time_s >= item.event.onset + 5 for item in raised)


def test_without_history_the_state_stays_small(model: Model, tmp_path: Path) -> None:
    stream = StreamDetector(model, LEADS, 256.0)
    path = tmp_path / "state.npz"
    sizes = []
    stream.push(X)  # until all that is remembered of the past is there
    for _ in range(3):
        stream.push(X)
        write_state(path, stream.state(history=False))
        sizes.append(path.stat().st_size)
    assert max(sizes) - min(sizes) < 64 * 1024  # a few seconds more or less pending
    again = StreamDetector.from_state(read_state(path), model)
    assert again.push(X) == stream.push(X)
    assert again.close() == stream.close()
    begun = 4 * 97 + 10
    np.testing.assert_array_equal(
        again.probability_since(begun), stream.probability_since(begun)
    )
    assert np.isnan(again.probability_since(0)[:250]).all()


def test_defaults_are_the_leads_at_the_models_rate(model: Model) -> None:
    plain, spelled = StreamDetector(model), StreamDetector(model, LEADS, 256.0)
    assert plain.push(X) == spelled.push(X)
    assert plain.close() == spelled.close()


def test_reset_begins_anew(model: Model) -> None:
    stream, fresh = StreamDetector(model), StreamDetector(model)
    stream.push(X[:, 3000:12000])
    stream.reset()
    assert stream.push(X) == fresh.push(X)
    assert stream.close() == fresh.close()
    stream.reset()  # also after the end
    assert stream.time_s == 0
    assert stream.close() == []


def test_a_closed_stream_stays_closed(model: Model, tmp_path: Path) -> None:
    stream = StreamDetector(model)
    stream.push(X[:, :9000])
    stream.close()
    stream.save(tmp_path / "s.npz")
    again = StreamDetector.load(tmp_path / "s.npz", model)
    assert again.close() == []
    with pytest.raises(ValueError, match="closed"):
        again.push(X)


def test_another_model_is_refused_by_name(model: Model, tmp_path: Path) -> None:
    path = tmp_path / "s.npz"
    StreamDetector(model).save(path)
    other = load_model(write_tiny_folder(tmp_path / "other", name="other").path)
    with pytest.raises(StateError, match=r"s\.npz: saved with the model tiny .* other"):
        StreamDetector.load(path, other)


@pytest.mark.parametrize(
    ("ch_names", "sfreq", "said"),
    [
        (LEADS[::-1], None, "18 channels.*differs FP1-F7 not P8-O2"),
        (LEADS[:9], None, "expected the 9 of this montage; use"),
        (LEADS, 200.0, "saved for 256 Hz, expected 200 Hz"),
    ],
)
def test_another_montage_is_refused(
    model: Model, tmp_path: Path, ch_names: Any, sfreq: float | None, said: str
) -> None:
    StreamDetector(model).save(tmp_path / "s.npz")
    with pytest.raises(StateError, match=said):
        StreamDetector.load(tmp_path / "s.npz", model, ch_names, sfreq)


@pytest.mark.parametrize("what", ["gone", "text", "cut", "flipped", "npy", "foreign"])
def test_a_damaged_state_is_refused(model: Model, tmp_path: Path, what: str) -> None:
    path = tmp_path / "s.npz"
    stream = StreamDetector(model)
    stream.push(X[:, :9000])
    stream.save(path)
    whole = path.read_bytes()
    match what:
        case "gone":
            path.unlink()
        case "text":
            path.write_text("no state")
        case "cut":
            path.write_bytes(whole[: len(whole) // 2])
        case "flipped":
            middle = len(whole) // 2
            odd = bytes([whole[middle] ^ 1])
            path.write_bytes(whole[:middle] + odd + whole[middle + 1 :])
        case "npy":
            with path.open("wb") as file:
                np.save(file, X[:, :9])
        case "foreign":
            with path.open("wb") as file:
                np.savez(file, x=X[:, :9])
    with pytest.raises(StateError, match=r"s\.npz: "):
        StreamDetector.load(path, model)


def test_another_version_is_refused(model: Model, tmp_path: Path) -> None:
    state = StreamDetector(model).state()
    with pytest.raises(StateError, match="version 99, expected 1"):
        StreamDetector.from_state({**state, "version": 99}, model)


def test_an_older_state_survives_a_failed_save(model: Model, tmp_path: Path) -> None:
    path = tmp_path / "s.npz"
    write_state(path, {"a": 1, "b": np.arange(3)}, durable=True)
    with pytest.raises(TypeError):
        write_state(path, {"a": object()})
    kept = read_state(path)
    assert kept["a"] == 1
    np.testing.assert_array_equal(kept["b"], np.arange(3))
    assert [p.name for p in tmp_path.iterdir()] == ["s.npz"]
    with np.load(path, allow_pickle=False) as entries:  # others can read it too
        assert json.loads(entries[TEXT].tobytes())["a"] == 1
