"""A store gives back the conditioned signal, the marks to the second, and its gaps."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from conftest import ELECTRODES, LABELS
from distilclip_eeg.config import SignalConfig
from distilclip_eeg.corpora.catalog import CorpusRecording
from distilclip_eeg.corpora.index import INDEX
from distilclip_eeg.corpora.manifest import read_manifest
from distilclip_eeg.corpora.store import (
    UV_PER_STEP,
    Marked,
    Store,
    StoredRecording,
    condition,
    overlap_per_second,
    prepare,
)
from distilclip_eeg.eeg.files import open_recording
from distilclip_eeg.eeg.montage import LEADS, plan_montage
from distilclip_eeg.eeg.signal import Conditioner
from distilclip_eeg.errors import CorpusError
from edf_writer import Signal, write_edf
from small_corpus import CLIPS, SIGNAL, small_store, write_corpus


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data") / "store"
    small_store(folder)
    return folder


@pytest.fixture(scope="module")
def corpus(folder: Path) -> list[CorpusRecording]:
    return read_manifest(folder.with_name("store_corpus"))


@pytest.fixture(scope="module")
def store(folder: Path) -> Store:
    return Store(folder, SIGNAL)


@pytest.fixture
def first(store: Store) -> StoredRecording:
    """40 s, a seizure from 15.25 to 30.75 s."""
    return store.recordings[0]


# ---- the signal


def test_a_crop_is_the_conditioned_signal(
    store: Store, corpus: list[CorpusRecording]
) -> None:
    for stored, recording in zip(store.recordings, corpus, strict=True):
        want = condition(open_recording(recording.path), SIGNAL)
        assert stored.n_seconds == want.n_seconds
        crop = stored.crop(0, stored.n_seconds)
        assert crop.eeg.dtype == np.float32
        np.testing.assert_allclose(
            crop.eeg, want.leads, rtol=1e-6, atol=UV_PER_STEP / 2 + 1e-4
        )
        np.testing.assert_array_equal(crop.usable, want.usable)


def test_a_crop_from_the_middle_is_the_middle(first: StoredRecording) -> None:
    whole, crop = first.crop(0, 40), first.crop(7, 10)
    np.testing.assert_array_equal(crop.eeg, whole.eeg[:, 7 * 256 : 17 * 256])
    np.testing.assert_array_equal(crop.usable, whole.usable[:, 7:17])
    np.testing.assert_array_equal(crop.ictal, whole.ictal[7:17])


def test_a_crop_may_start_within_a_second(first: StoredRecording) -> None:
    whole, crop = first.crop(0, 40), first.crop(7.25, 4)
    np.testing.assert_array_equal(crop.eeg, whole.eeg[:, 29 * 64 : 45 * 64])


def test_past_the_ends_nothing_is_usable(first: StoredRecording) -> None:
    whole = first.crop(0, 40)
    before, after = first.crop(-3, 10), first.crop(35, 10)
    assert not before.eeg[:, : 3 * 256].any()
    assert not before.usable[:, :3].any()
    assert not before.labelled[:3].any()
    np.testing.assert_array_equal(before.eeg[:, 3 * 256 :], whole.eeg[:, : 7 * 256])
    np.testing.assert_array_equal(before.usable[:, 3:], whole.usable[:, :7])
    assert not after.eeg[:, 5 * 256 :].any()
    assert not after.usable[:, 5:].any()
    assert not after.labelled[5:].any()
    np.testing.assert_array_equal(after.eeg[:, : 5 * 256], whole.eeg[:, 35 * 256 :])


@pytest.mark.parametrize("start_s", [-50, 60, -10, 40])
def test_wholly_outside(first: StoredRecording, start_s: float) -> None:
    crop = first.crop(start_s, 10)
    assert crop.eeg.shape == (18, 2560)
    assert not crop.eeg.any()
    assert not crop.usable.any()
    assert not crop.labelled.any()


def test_within_a_second_both_halves_must_be_usable(tmp_path: Path) -> None:
    """Second 3 of T7 is flat: whatever touches it cannot be used."""
    rng = np.random.default_rng(0)
    numbers = [rng.normal(0, 300, 8 * 256) for _ in LABELS]
    numbers[ELECTRODES.index("T3")][3 * 256 : 4 * 256] = 0
    signals = [Signal(*pair) for pair in zip(LABELS, numbers, strict=True)]
    path = write_edf(tmp_path / "a.edf", signals, n_records=8)
    recording = CorpusRecording("a", path, "x", "p", "background", None, ())
    (stored,) = prepare([recording], tmp_path / "store", SIGNAL).recordings
    lead = LEADS.index("F7-T7")
    assert stored.crop(0, 8).usable[lead].tolist() == [True] * 3 + [False] + [True] * 4
    assert stored.crop(0.5, 7).usable[lead].tolist() == [
        *(True, True, False, False, True, True, True)
    ]


def test_missing_leads_stay_missing(store: Store) -> None:
    south = next(r for r in store.recordings if r.dataset == "south")
    usable = south.crop(0, 10).usable
    missing = [i for i, lead in enumerate(LEADS) if "O" in lead]
    assert not usable[missing].any()
    assert usable.any(axis=1).sum() == 14


def test_gaps_are_unusable_seconds(gap_edf: Path) -> None:
    """12 s, 100 s of nothing, 8 s: each stretch conditioned on its own."""
    out = condition(open_recording(gap_edf), SIGNAL)
    assert out.n_seconds == 120
    assert not out.usable[:, 12:112].any()
    assert not out.leads[:, 12 * 256 : 112 * 256].any()
    assert out.usable[:, :12].all()
    assert out.usable[:, 112:].all()
    recording = open_recording(gap_edf)
    montage = plan_montage(recording.ch_names)
    second = recording.read(montage.picks, 1, 0, 8 * 256)
    want = Conditioner(montage, 256, SIGNAL).push(second)
    np.testing.assert_array_equal(out.leads[:, 112 * 256 :], want.leads)


def test_gaps_of_months_take_no_memory(tmp_path: Path) -> None:
    """A wrong clock in the middle of a file: 20 days at 18 leads are 32 GB."""
    signals = [Signal(label, np.ones(4 * 256)) for label in LABELS]
    later = 20 * 86_400
    onsets_s = [0, 1, later, later + 1]
    path = write_edf(
        tmp_path / "far.edf", signals, n_records=4, onsets_s=onsets_s, kind="EDF+D"
    )
    with pytest.raises(CorpusError, match=r"0\.0 h of EEG spread over 20 days"):
        condition(open_recording(path), SIGNAL)


def test_what_an_int16_cannot_hold_is_cut_not_wrapped(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    wave = 20_000 * np.sin(2 * np.pi * 5 * np.arange(10 * 256) / 256)  # 4 mV in a lead
    signals = [Signal(label, rng.normal(0, 100, 2560)) for label in LABELS]
    signals[0] = Signal(LABELS[0], wave)
    signals[1] = Signal(LABELS[1], -wave)
    path = write_edf(tmp_path / "a.edf", signals, n_records=10)
    recording = CorpusRecording("a", path, "x", "p", "background", None, ())
    (stored,) = prepare([recording], tmp_path / "store", SIGNAL).recordings
    crop, want = (
        stored.crop(0, 10).eeg[0],
        condition(open_recording(path), SIGNAL).leads[0],
    )
    limit = 32767 * UV_PER_STEP
    assert np.abs(want).max() > limit
    np.testing.assert_allclose(crop, want.clip(-limit, limit), atol=0.051)


# ---- the marks


def test_ictal_shares_are_exact(first: StoredRecording) -> None:
    ictal = first.crop(0, 40).ictal
    assert ictal.dtype == np.float32
    assert ictal[14:17].tolist() == [0, 0.75, 1]
    assert ictal[29:32].tolist() == [1, 0.75, 0]
    assert ictal.sum() == 15.5
    assert first.crop(14.5, 2).ictal.tolist() == [0.25, 1]


def test_seizures_keep_their_type(first: StoredRecording) -> None:
    assert first.seizures == [Marked(15.25, 30.75, "sz_foc")]


def test_only_what_experts_looked_at_is_labelled(store: Store) -> None:
    calm = next(r for r in store.recordings if r.dataset == "calm")
    assert calm.crop(0, 30).labelled.nonzero()[0].tolist() == [*range(12, 22)]
    assert calm.crop(11.5, 12).labelled.nonzero()[0].tolist() == [*range(1, 10)]
    assert store.recordings[0].crop(0, 40).labelled.all()


spans = st.lists(
    st.tuples(st.integers(-40, 120), st.integers(1, 60)), max_size=5
)  # (onset, length) in tenths of seconds


@settings(max_examples=200, deadline=None)
@given(spans, st.integers(-30, 60))
def test_overlap_is_counted_sample_by_sample(
    drawn: list[tuple[int, int]], start: int
) -> None:
    """Oracle: a comb of ten points a second; marks may overlap, in any order."""
    seizures = [(on / 10, (on + length) / 10) for on, length in drawn]
    seconds = start / 10 + np.arange(6)
    points = start + np.arange(60)
    inside = np.zeros(60, bool)
    for on, length in drawn:
        inside |= (points >= on) & (points < on + length)
    want = inside.reshape(6, 10).mean(axis=1)
    got = overlap_per_second(seconds, seizures)
    np.testing.assert_allclose(got, want, atol=1e-6)


# ---- the folder


def test_the_catalog_is_kept(store: Store) -> None:
    assert store.skipped == {}
    for stored, clip in zip(store.recordings, CLIPS, strict=True):
        assert stored.name == f"{clip.name}.edf"
        assert (stored.patient, stored.dataset) == (clip.patient, clip.dataset)
        assert (stored.kind, stored.n_seconds) == (clip.kind, clip.seconds)
        assert stored.fold == (int(clip.fold) if clip.fold else None)


def test_preparing_again_gives_the_same(
    folder: Path, corpus: list[CorpusRecording], tmp_path: Path
) -> None:
    def content(of: Path) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in sorted(of.iterdir())}

    prepare(corpus, tmp_path / "b", SIGNAL, workers=2)
    assert content(tmp_path / "b") == content(folder)
    prepare(corpus, tmp_path / "b", SIGNAL)
    assert content(tmp_path / "b") == content(folder)


def test_progress_is_told_in_order(
    corpus: list[CorpusRecording], tmp_path: Path
) -> None:
    told: list[str] = []
    prepare(corpus[:3], tmp_path / "store", SIGNAL, on_done=told.append)
    assert told == [recording.name for recording in corpus[:3]]


def test_what_cannot_be_read_is_listed(
    corpus: list[CorpusRecording], tmp_path: Path
) -> None:
    (tmp_path / "torn.edf").write_bytes(corpus[0].path.read_bytes()[:700])
    three = [Signal(label, np.arange(256)) for label in LABELS[:3]]
    write_edf(tmp_path / "three.edf", three, n_records=1)
    bad = [
        replace(corpus[0], name=name, path=tmp_path / name)
        for name in ("torn.edf", "three.edf", "gone.edf")
    ]
    store = prepare([*bad, corpus[1]], tmp_path / "store", SIGNAL)
    assert [r.name for r in store.recordings] == [corpus[1].name]
    assert list(store.skipped) == ["torn.edf", "three.edf", "gone.edf"]
    assert "of the 18 leads can be computed" in store.skipped["three.edf"]
    assert all(reason and "\n" not in reason for reason in store.skipped.values())
    assert Store(tmp_path / "store", SIGNAL).skipped == store.skipped


def test_other_signal_settings_are_refused(folder: Path) -> None:
    other = SignalConfig(notch_hz=(50.0,))
    with pytest.raises(CorpusError, match="other signal settings") as raised:
        Store(folder, other)
    assert str(folder) in str(raised.value)
    assert "prepare it again" in str(raised.value)


def test_windows_are_cut_later(folder: Path) -> None:
    """Length and hop of windows do not make a store stale."""
    store = Store(folder, SignalConfig(window_s=4, hop_s=1))
    assert len(store.recordings) == len(CLIPS)


def test_another_format_is_refused(folder: Path, tmp_path: Path) -> None:
    table = parquet.read_table(folder / INDEX)
    about = json.dumps({"format_version": 99})
    table = table.replace_schema_metadata({"distilclip_eeg": about})
    parquet.write_table(table, tmp_path / INDEX)
    with pytest.raises(CorpusError, match=r"format version 99.*prepare"):
        Store(tmp_path, SIGNAL)


def test_what_is_no_parquet_is_one_line(tmp_path: Path) -> None:
    (tmp_path / INDEX).write_bytes(b"PAR1 but not really")
    with pytest.raises(CorpusError, match="not a Parquet file"):
        Store(tmp_path, SIGNAL)


def test_the_index_can_be_asked_by_others(folder: Path) -> None:
    rows = parquet.read_table(folder / INDEX).to_pylist()
    assert [row["name"] for row in rows] == [f"{clip.name}.edf" for clip in CLIPS]
    assert [len(row["seizures"]) for row in rows] == [len(c.seizures) for c in CLIPS]
    assert rows[0]["seizures"][0]["onset_s"] == 15.25


def test_no_store(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"no index\.parquet"):
        Store(tmp_path, SIGNAL)


def test_half_a_store_is_no_store(tmp_path: Path) -> None:
    """Killed while other settings replaced the signals, the old index must not stay."""
    corpus = read_manifest(write_corpus(tmp_path / "corpus"))[:2]
    prepare(corpus, tmp_path / "store", SIGNAL)
    other = SignalConfig(notch_hz=(50.0,))

    class KilledError(Exception):
        pass

    def kill(name: str) -> None:
        raise KilledError(name)

    with pytest.raises(KilledError):
        prepare(corpus, tmp_path / "store", other, on_done=kill)
    with pytest.raises(CorpusError, match=r"no index\.parquet"):
        Store(tmp_path / "store", SIGNAL)


# ---- going on


def test_what_is_done_is_not_done_again(
    corpus: list[CorpusRecording], tmp_path: Path
) -> None:
    prepare(corpus, tmp_path / "store", SIGNAL)
    signals = sorted((tmp_path / "store").glob("*.signal.npy"))
    before = [path.stat().st_mtime_ns for path in signals]
    (tmp_path / "store" / INDEX).unlink()  # as a kill leaves it
    os.utime(corpus[1].path)
    prepare(corpus, tmp_path / "store", SIGNAL)
    after = [path.stat().st_mtime_ns for path in signals]
    assert [a != b for a, b in zip(after, before, strict=True)].count(True) == 1
    changed = SIGNAL.model_copy(update={"lowpass_hz": 40.0})
    prepare(corpus, tmp_path / "store", changed)
    assert all(p.stat().st_mtime_ns not in after for p in signals)
