"""File, array and stream agree to the bit; time, gaps and bad signal are told truly."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import mne
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from distilclip_eeg import Detection, Event, StreamDetector, Update, detect, encode_eeg
from distilclip_eeg.config import DetectionConfig
from distilclip_eeg.detection.models import Model, load_model
from distilclip_eeg.eeg.montage import LEADS
from distilclip_eeg.errors import TooFewLeadsError
from live_signals import signal as recording
from tiny_model import write_tiny_folder

SFREQ = 256.0


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    path = tmp_path_factory.mktemp("models") / "tiny"
    return load_model(write_tiny_folder(path).path, threads=1)


def streamed(
    model: Model,
    x: NDArray[np.float32],
    cuts: Sequence[int],
    sfreq: float = SFREQ,
    settings_: DetectionConfig | None = None,
) -> tuple[Detection, list[Event]]:
    stream = StreamDetector(model, LEADS, sfreq, settings_)
    news = []
    for chunk in np.split(x, sorted(cuts), axis=1):
        news += stream.push(chunk)
    news += stream.close()
    return stream.result(), over(news)


def over(news: Sequence[Event | Update]) -> list[Event]:
    return [item for item in news if isinstance(item, Event)]


def assert_same(a: Detection, b: Detection) -> None:
    assert a.events == b.events
    np.testing.assert_array_equal(a.seizure_probability, b.seizure_probability)
    assert a.to_dict() == b.to_dict()


def test_seizure_is_found_where_it_is(model: Model) -> None:
    found = detect(recording(120, [(40, 75)]), sfreq=SFREQ, ch_names=LEADS, model=model)
    (event,) = found.events
    assert event.onset == pytest.approx(40, abs=5)
    assert event.onset + event.duration == pytest.approx(75, abs=5)
    assert event.is_seizure
    assert event.confidence is not None
    assert event.confidence > 0.6
    assert event.raised_s is not None
    assert event.onset + 5 <= event.raised_s <= event.onset + 25
    assert set(event.channels) == set(LEADS[:4])
    assert found.warnings == ()
    assert found.quality == {}


X = recording(97.3, [(8, 31), (36, 39), (60, 97.3)])
X[:, 5000:9000] += 3000  # a step, so that filters and quality have something to do
X[3:7, 15000:16111] = np.nan
X[9, 4000:8000] = 0
WHOLE: dict[float, Detection] = {}


@given(
    cuts=st.lists(st.integers(0, X.shape[1]), max_size=30),
    sfreq=st.sampled_from([256.0, 200.0, 173.61, 512.0]),
)
@settings(max_examples=25, deadline=None)
def test_any_cutting_gives_the_same(
    model: Model, cuts: list[int], sfreq: float
) -> None:
    c = DetectionConfig(smoothing_s=3)
    if sfreq not in WHOLE:
        WHOLE[sfreq], _ = streamed(model, X, [], sfreq, c)
        assert WHOLE[sfreq].events
    found, events = streamed(model, X, cuts, sfreq, c)
    assert_same(found, WHOLE[sfreq])
    assert tuple(events) == found.events


@pytest.mark.parametrize("step", [1, 97, 256, 2560, 2561])
def test_even_steps_give_the_same(model: Model, step: int) -> None:
    x = X[:, : 256 * 45 + 17]
    whole, _ = streamed(model, x, [])
    found, _ = streamed(model, x, range(step, x.shape[1], step))
    assert_same(found, whole)


def test_array_edf_and_stream_agree(model: Model, gap_edf: Path) -> None:
    from distilclip_eeg.eeg.files import open_recording

    from_path = detect(gap_edf, model=model)
    assert_same(detect(str(gap_edf), model=model), from_path)
    edf = open_recording(gap_edf)
    assert_same(detect(edf, model=model), from_path)
    stream = StreamDetector(model, edf.ch_names, edf.sfreq, start_time=edf.start_time)
    everything = range(len(edf.ch_names))
    for chunk in edf.blocks(everything, 0, 0.7):
        stream.push(chunk)
    stream.gap(100.0)
    for chunk in edf.blocks(everything, 1, 3.1):
        stream.push(chunk)
    stream.close()
    assert stream.result().events == from_path.events
    np.testing.assert_array_equal(
        stream.result().seizure_probability, from_path.seizure_probability
    )


def test_gap_has_no_probability(model: Model, gap_edf: Path) -> None:
    found = detect(gap_edf, model=model)
    assert found.duration_s == 120
    observed = ~np.isnan(found.seizure_probability)
    expected = np.r_[np.full(12, True), np.full(100, False), np.full(8, True)]
    np.testing.assert_array_equal(observed, expected)


def test_mne_raw_gives_the_same_as_the_array(model: Model) -> None:
    x = recording(40, [(12, 30)])
    info = mne.create_info(list(LEADS), SFREQ, "eeg")
    raw = mne.io.RawArray(x * 1e-6, info, verbose=False)
    from_raw = detect(raw, model=model)
    from_array = detect(x, sfreq=SFREQ, ch_names=LEADS, model=model)
    assert len(from_raw.events) == len(from_array.events) == 1
    np.testing.assert_allclose(
        from_raw.seizure_probability, from_array.seizure_probability, atol=1e-4
    )
    annotated = raw.set_annotations(from_raw.to_annotations())
    kinds = [event.event_type for event in from_raw.events]
    assert annotated.annotations.description.tolist() == kinds
    assert annotated.annotations.onset[0] == from_raw.events[0].onset


@pytest.mark.parametrize("duration_s", [0.5, 1.0, 2.0, 2.4, 9.9])
def test_short_recordings(model: Model, duration_s: float) -> None:
    x = recording(duration_s, [(0, duration_s)])
    found = detect(x, sfreq=SFREQ, ch_names=LEADS, model=model)
    assert len(found.seizure_probability) == math.ceil(found.duration_s)
    assert not np.isnan(found.seizure_probability).any()
    assert any("less than the 10 s" in line for line in found.warnings)
    for event in found.events:
        assert event.onset + event.duration <= found.duration_s
        assert event.raised_s is not None
        assert event.raised_s <= found.duration_s


def test_short_healthy_recording_is_no_seizure(model: Model) -> None:
    found = detect(recording(6), sfreq=SFREQ, ch_names=LEADS, model=model)
    assert found.events == ()
    assert (found.seizure_probability < 0.1).all()


@pytest.mark.parametrize("duration_s", [10, 11, 14.5, 15, 19, 20, 21.25])
def test_no_second_is_left_out(model: Model, duration_s: float) -> None:
    found = detect(recording(duration_s), sfreq=SFREQ, ch_names=LEADS, model=model)
    assert len(found.seizure_probability) == math.ceil(duration_s)
    assert not np.isnan(found.seizure_probability).any()


def test_event_ends_with_the_recording(model: Model) -> None:
    x = recording(47.3, [(20, 60)])
    found = detect(x, sfreq=SFREQ, ch_names=LEADS, model=model)
    (event,) = found.events
    assert event.onset + event.duration == pytest.approx(found.duration_s)


def test_event_that_spans_a_short_gap_is_one(model: Model) -> None:
    stream = StreamDetector(model, LEADS, SFREQ)
    news = stream.push(recording(30, [(10, 30)]))
    news += stream.gap(2.5)
    news += stream.push(recording(40, [(0, 20)]))
    news += stream.close()
    (event,) = over(news)
    assert event.onset == pytest.approx(10, abs=5)
    assert event.onset + event.duration == pytest.approx(52.5, abs=5)
    assert (event.onset + event.duration) % 1 == 0.5
    assert stream.result().duration_s == 72.5


def test_unusable_seconds_have_no_probability(model: Model) -> None:
    x = recording(60)
    x[:, 20 * 256 : 30 * 256] = np.nan
    found = detect(x, sfreq=SFREQ, ch_names=LEADS, model=model)
    np.testing.assert_array_equal(
        np.flatnonzero(np.isnan(found.seizure_probability)), np.arange(20, 30)
    )
    assert "no lead can be used for 10 s of 60 s" in found.warnings[-1]
    assert found.to_dict()["seizure_probability"][25] is None
    assert found.quality["F7-T7"]["faults_s"]["not_a_number"] == 10


def test_nothing_usable_at_all(model: Model) -> None:
    found = detect(np.zeros((18, 256 * 30)), sfreq=SFREQ, ch_names=LEADS, model=model)
    assert found.events == ()
    assert np.isnan(found.seizure_probability).all()


def test_flat_lead_is_reported(model: Model) -> None:
    x = recording(60)
    x[2, 25 * 256 :] = 0
    found = detect(x, sfreq=SFREQ, ch_names=LEADS, model=model)
    (entry,) = found.quality.items()
    assert entry[0] == "T7-P7"
    assert 33 <= entry[1]["faults_s"]["flat"] <= 36
    assert entry[1]["usable_s"] == 60 - entry[1]["faults_s"]["flat"]
    seconds = entry[1]["faults_s"]["flat"]
    assert found.warnings == (f"T7-P7 flat for {seconds} s of 60 s",)


def test_missing_leads_are_named(model: Model) -> None:
    x = recording(20)
    found = detect(x[:9], sfreq=SFREQ, ch_names=LEADS[:9], model=model)
    assert found.missing_leads == LEADS[9:]
    assert found.quality["FP2-F8"] == {"usable_s": 0, "missing_s": 20, "faults_s": {}}
    assert any("only 9 of the 18 leads" in line for line in found.warnings)


def test_too_few_leads_are_refused(model: Model) -> None:
    with pytest.raises(TooFewLeadsError):
        detect(np.zeros((1, 999)), sfreq=SFREQ, ch_names=["ECG"], model=model)


def test_dict_is_json_and_complete(model: Model) -> None:
    found = detect(recording(40, [(10, 30)]), sfreq=SFREQ, ch_names=LEADS, model=model)
    values = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert list(values) == [
        "duration_s",
        "start_time",
        "missing_leads",
        "warnings",
        "quality",
        "seizure_probability",
        "events",
        "model",
        "settings",
        "confidence_scale",
    ]
    assert list(values["events"][0]) == [
        "onset",
        "duration",
        "eventType",
        "confidence",
        "channels",
        "raised_s",
        "type_confidence",
        "side",
        "side_confidence",
        "lobe",
        "lobe_confidence",
    ]
    assert values["model"] == {"name": "tiny", "sha256": model.folder.sha256}
    assert values["settings"]["onset_threshold"] == 0.5
    assert len(values["seizure_probability"]) == 40
    (row,) = found.to_table()
    assert row["onset"] == found.events[0].onset
    assert set(row["channels"].split(",")) == set(LEADS[:4])


def test_threshold_changes_what_is_found(model: Model) -> None:
    x = recording(60, [(20, 40)])
    arguments: dict[str, Any] = {"sfreq": SFREQ, "ch_names": LEADS, "model": model}
    usual = detect(x, **arguments)
    highest = float(np.nanmax(usual.seizure_probability))
    assert len(detect(x, threshold=highest - 1e-3, **arguments).events) == 1
    assert detect(x, threshold=1.0, **arguments).events == ()


def test_false_alarms_per_day_choose_the_threshold(model: Model) -> None:
    chosen = model.settings(false_alarms_per_day=1.0)
    assert chosen.onset_threshold == pytest.approx(0.8)
    found = detect(
        recording(20), sfreq=SFREQ, ch_names=LEADS, model=model, false_alarms_per_day=1
    )
    assert found.settings == chosen


def test_array_needs_names_and_rate(model: Model, small_edf: Path) -> None:
    with pytest.raises(ValueError, match="needs sfreq and ch_names"):
        detect(np.zeros((18, 99)), model=model)
    with pytest.raises(ValueError, match="array only"):
        detect(small_edf, sfreq=256.0, model=model)


def test_chunk_of_other_channels(model: Model) -> None:
    stream = StreamDetector(model, LEADS, SFREQ)
    with pytest.raises(ValueError, match=r"expected \(18, n\)"):
        stream.push(np.zeros((17, 100)))


def test_closed_is_closed(model: Model) -> None:
    stream = StreamDetector(model, LEADS, SFREQ)
    stream.push(recording(3))
    stream.close()
    assert stream.close() == []
    with pytest.raises(ValueError, match="closed"):
        stream.push(recording(1))


def test_nothing_pushed(model: Model) -> None:
    stream = StreamDetector(model, LEADS, SFREQ)
    assert stream.close() == []
    assert stream.result().duration_s == 0
    assert stream.result().seizure_probability.shape == (0,)


def test_running_event_can_be_seen(model: Model) -> None:
    stream = StreamDetector(model, LEADS, SFREQ)
    x = recording(60, [(10, 60)])
    seen, news = [], []
    for chunk in np.split(x, 60, axis=1):
        news += stream.push(chunk)
        seen.append(stream.current)
    raised = next(event for event in seen if event)
    assert raised.raised_s is not None
    assert seen.index(raised) + 1 == math.ceil(raised.raised_s)
    (event,) = over(stream.close())
    assert (event.onset, event.raised_s) == (raised.onset, raised.raised_s)
    assert news[0] == Update("raise", raised, raised.raised_s)
    assert {type(item) for item in news} == {Update}


def test_memory_does_not_grow_with_the_stream(model: Model) -> None:
    stream = StreamDetector(model, LEADS, SFREQ)
    x = recording(130, [(0, 130)])

    def held() -> int:
        seen: set[int] = set()
        return size_of(stream, seen, skip=model)

    for _ in range(2):
        stream.push(x)
    before = held()
    for _ in range(6):
        stream.push(x)
    # One float per second; an `array` asks for up to a quarter more than it holds.
    assert held() - before < 6 * 130 * 4 * 1.5 + 2000


def size_of(thing: Any, seen: set[int], skip: Any) -> int:
    """Bytes of arrays that an object holds, however deep."""
    if id(thing) in seen or thing is skip:
        return 0
    seen.add(id(thing))
    if isinstance(thing, np.ndarray):
        root = thing if thing.base is None else thing.base
        return size_of(root, seen, skip) if root is not thing else thing.nbytes
    if hasattr(thing, "buffer_info"):
        return int(thing.buffer_info()[1] * thing.itemsize)
    if isinstance(thing, dict):
        children = list(thing.values())
    elif isinstance(thing, list | tuple):
        children = list(thing)
    else:
        names = getattr(type(thing), "__slots__", ())
        children = [getattr(thing, n) for n in names if isinstance(n, str)]
        children += list(getattr(thing, "__dict__", {}).values())
    return sum(size_of(child, seen, skip) for child in children)


def test_leads_are_those_of_the_strongest_window(model: Model) -> None:
    x = recording(90, [(20, 70)])
    x[10:12, 40 * 256 : 52 * 256] *= 200
    found = detect(x, sfreq=SFREQ, ch_names=LEADS, model=model)
    (event,) = found.events
    assert set(event.channels) == set(LEADS[10:12])


def test_leads_of_a_dropped_event_are_forgotten(model: Model) -> None:
    x = recording(120, [(70, 90)])
    x[10:12, 20 * 256 : 30 * 256] *= 200
    usual, _ = streamed(model, x, [])
    assert len(usual.events) == 2
    longer = model.folder.detection.model_copy(update={"min_duration_s": 17.0})
    (event,) = streamed(model, x, [], settings_=longer)[1]
    assert event.onset > 60
    assert set(event.channels) == set(LEADS[:4])


def test_event_in_the_last_seconds_has_leads(model: Model) -> None:
    found, _ = streamed(model, recording(30, [(25.0, 30)]), [])
    (event,) = found.events
    assert event.onset == 25
    assert set(event.channels) == set(LEADS[:4])


def test_leads_of_one_event_are_not_those_of_another(model: Model) -> None:
    x = recording(120, [(70, 90)])
    x[10:12, 20 * 256 : 40 * 256] *= 200
    found = detect(x, sfreq=SFREQ, ch_names=LEADS, model=model)
    first, second = found.events
    assert set(first.channels) == set(LEADS[10:12])
    assert set(second.channels) == set(LEADS[:4])


def test_embeddings_of_windows(model: Model) -> None:
    x = recording(33, [(10, 20)])
    x[:, : 10 * 256] = 0
    embeddings, onsets_s = encode_eeg(x, model, sfreq=SFREQ, ch_names=LEADS)
    assert onsets_s.tolist() == [0, 5, 10, 15, 20, 23]
    assert embeddings.shape == (6, 4)
    assert np.isnan(embeddings[0]).all()
    np.testing.assert_allclose(np.linalg.norm(embeddings[1:], axis=1), 1, atol=1e-5)


def test_embeddings_count_from_the_recording(model: Model, gap_edf: Path) -> None:
    _, onsets_s = encode_eeg(gap_edf, model)
    assert onsets_s.tolist() == [0, 2, 112]


def test_real_recording_gives_the_same_as_its_stream(
    model: Model, data_dir: Path
) -> None:
    path = min((data_dir / "chbmit").glob("**/*_eeg.edf"))
    found = detect(path, model=model)
    raw = mne.io.read_raw_edf(path, preload=True, verbose="error")
    stream = StreamDetector(
        model, raw.ch_names, raw.info["sfreq"], start_time=found.start_time
    )
    for start in range(0, raw.n_times, 300):
        stop = min(start + 300, raw.n_times)
        stream.push(raw.get_data(start=start, stop=stop) * 1e6)
    stream.close()
    assert len(found.seizure_probability) == math.ceil(found.duration_s)
    np.testing.assert_allclose(
        stream.result().seizure_probability, found.seizure_probability, atol=1e-3
    )
