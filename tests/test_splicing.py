"""Seizures after background: what is joined, whose it is, and that it can be scored."""

from __future__ import annotations

import math
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conftest import ELECTRODES
from distilclip_eeg import detect
from distilclip_eeg.config import SignalConfig
from distilclip_eeg.corpora.catalog import CorpusRecording, Kind
from distilclip_eeg.corpora.manifest import COLUMNS, read_manifest
from distilclip_eeg.corpora.spliced import (
    BACKGROUND_S,
    PHASE_S,
    backgrounds_of,
    spliced_clip,
)
from distilclip_eeg.corpora.splicing import (
    CROSSFADE_S,
    LEVELS,
    PIECE_S,
    Signal,
    Spliced,
    level_uv,
    splice,
)
from distilclip_eeg.eeg.annotations import Event
from distilclip_eeg.eeg.files import open_recording
from distilclip_eeg.eeg.montage import LEADS
from distilclip_eeg.errors import CorpusError
from distilclip_eeg.evaluation.evaluate import Models, evaluate, scores_of
from distilclip_eeg.evaluation.material import JOINS, open_data
from distilclip_eeg.evaluation.tables import scores_table
from edf_writer import Signal as EdfSignal
from edf_writer import write_edf
from tiny_model import write_tiny_model

SFREQ = 64.0
FADE = round(CROSSFADE_S * SFREQ)


def noise(rng: np.random.Generator, seconds: float, uv: float = 30.0) -> Signal:
    """Three rows at 64 Hz, each with an offset of its own as electrodes have it."""
    offset = rng.normal(0, 2000, (3, 1))
    x = rng.normal(0, uv, (3, round(seconds * SFREQ))) + offset
    return x.astype(np.float32)


def drawn(
    seed: int, seconds: list[float], background_s: float
) -> tuple[Spliced, Signal, list[Signal]]:
    rng = np.random.default_rng(seed)
    seizure = noise(rng, 20, uv=90)
    sources = [noise(rng, s, rng.uniform(5, 200)) for s in seconds]
    return splice(seizure, sources, SFREQ, rng, background_s), seizure, sources


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 2**31),
    seconds=st.lists(st.floats(5.3, 70), min_size=1, max_size=5),
    background_s=st.floats(1, 150),
)
def test_background_before_and_the_seizure_after(
    seed: int, seconds: list[float], background_s: float
) -> None:
    made, seizure, sources = drawn(seed, seconds, background_s)
    assert made.onset == round(background_s * SFREQ)
    whole = made.signal[:, made.onset + FADE :]
    np.testing.assert_array_equal(whole, seizure[:, FADE:])
    assert made.pieces[0].at == 0
    assert made.pieces[-1].stop == made.onset
    for number, piece in enumerate(made.pieces):
        assert LEVELS[0] <= piece.gain <= LEVELS[1]
        if number:
            assert piece.at == made.pieces[number - 1].stop == made.joins[number - 1]
        n = piece.stop - piece.at
        source = sources[piece.source][:, piece.start : piece.start + n]
        assert source.shape[1] == n <= PIECE_S[1] * SFREQ
        faded = FADE if number else 0
        moved = made.signal[:, piece.at : piece.stop] - np.float32(piece.gain) * source
        alone = moved[:, faded:]  # a constant for each row
        if alone.size:
            np.testing.assert_allclose(alone, alone[:, :1] + 0 * alone, atol=0.02)


def test_the_seizure_fades_in_from_the_very_sample() -> None:
    made, seizure, sources = drawn(3, [40.0], 60.0)
    last = made.pieces[-1]
    n = last.stop - last.at
    source = last.gain * sources[0][:, last.start : last.start + n + FADE]
    moved = source + (made.signal[:, last.stop - 1] - source[:, n - 1])[:, None]
    late = np.arange(FADE) / FADE
    expected = moved[:, n:] * (1 - late) + seizure[:, :FADE] * late
    got = made.signal[:, made.onset : made.onset + FADE]
    np.testing.assert_allclose(got, expected, atol=0.02)


def test_everything_is_heard_before_anything_is_heard_again() -> None:
    made, _, sources = drawn(8, [60.0, 50.0, 40.0], 120.0)
    heard = [np.zeros(s.shape[1], int) for s in sources]
    for piece in made.pieces:
        n = piece.stop - piece.at
        heard[piece.source][piece.start : piece.start + n] += 1
    assert max(times.max() for times in heard) == 1


def test_offsets_of_electrodes_make_no_step() -> None:
    rng = np.random.default_rng(1)
    seizure = rng.normal(0, 5, (2, 640)).astype(np.float32) + 3000
    sources = [
        rng.normal(0, 5, (2, 1280)).astype(np.float32) + x for x in (-9000, 0, 400)
    ]
    made = splice(seizure, sources, SFREQ, rng, 90.0)
    assert len(made.joins) >= 2
    assert np.abs(np.diff(made.signal, axis=1)).max() < 60


def test_levels_come_nearer_to_that_of_the_seizure() -> None:
    made, seizure, sources = drawn(5, [30.0, 30.0, 30.0], 80.0)
    wanted = level_uv(seizure, SFREQ)
    for piece in made.pieces:
        own = level_uv(sources[piece.source], SFREQ)
        assert (piece.gain >= 0.99) == (wanted > own)


def test_the_same_seed_gives_the_same() -> None:
    a, b, c = (drawn(seed, [40.0, 20.0], 70.0)[0] for seed in (4, 4, 5))
    np.testing.assert_array_equal(a.signal, b.signal)
    assert a.pieces == b.pieces != c.pieces


def test_a_row_that_is_no_number_spoils_no_other() -> None:
    rng = np.random.default_rng(2)
    seizure, source = noise(rng, 20), noise(rng, 30)
    seizure[1] = np.nan
    made = splice(seizure, [source], SFREQ, rng, 40.0)
    assert np.isfinite(made.signal[[0, 2]]).all()
    assert np.isfinite(made.signal[1, : made.onset]).all()


@pytest.mark.parametrize(
    ("rows", "seconds", "seizure_s"), [(2, 30, 20), (3, 5, 20), (3, 30, 0.1)]
)
def test_what_cannot_be_joined(rows: int, seconds: float, seizure_s: float) -> None:
    rng = np.random.default_rng(0)
    seizure, source = noise(rng, seizure_s), noise(rng, seconds)[:rows]
    with pytest.raises(CorpusError, match="expected the same rows"):
        splice(seizure, [source], SFREQ, rng, 40.0)


def recording(
    name: str, patient: str, fold: int, kind: Kind = "background", dataset: str = "d"
) -> CorpusRecording:
    events = (Event(0.0, 5.0),) if kind == "seizure" else ()
    return CorpusRecording(name, Path(name), dataset, patient, kind, fold, events)


def test_whose_background_may_come_before() -> None:
    clip = recording("p/a_1_eeg.edf", "a", 0, "seizure")
    others = [
        recording("p/a_2_after_eeg.edf", "a", 0),
        recording("p/a_10_after_eeg.edf", "a", 0),
        recording("p/a_1_after_eeg.edf", "a", 0),  # its own end
        recording("p/a_3_eeg.edf", "a", 0, "seizure"),
        recording("p/b_1_after_eeg.edf", "b", 0),
        recording("p/c_1_after_eeg.edf", "c", 1),  # another fold
        recording("q/e.edf", "e", 0, dataset="other"),
        recording("p/icu.edf", "f", 0, "hard_negative"),
    ]
    found = backgrounds_of(clip, [clip, *others])
    assert {whose: [r.name for r in of] for whose, of in found.items()} == {
        "own": ["p/a_10_after_eeg.edf", "p/a_2_after_eeg.edf"],
        "others": ["p/b_1_after_eeg.edf"],
    }


# name, patient, fold, kind, seconds, Hz, onset of the seizure
FILES = (
    ("n1/sz_eeg", "n1", 0, "seizure", 50, 256, 10.0),
    ("n1/one_eeg", "n1", 0, "background", 40, 256, None),
    ("n1/two_eeg", "n1", 0, "background", 20, 256, None),
    ("n2/sz_eeg", "n2", 0, "seizure", 40, 256, 0.0),
    ("n2/bg_eeg", "n2", 0, "background", 12, 256, None),
    ("n3/sz_eeg", "n3", 1, "seizure", 40, 256, 0.0),
    ("n3/bg_eeg", "n3", 1, "background", 60, 200, None),
)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """n1 has background of its own, n2 too little, n3 some at another rate."""
    root = tmp_path_factory.mktemp("data") / "clips"
    lines = ["\t".join(COLUMNS)]
    rng = np.random.default_rng(0)
    for name, patient, fold, kind, seconds, sfreq, onset in FILES:
        (root / patient).mkdir(parents=True, exist_ok=True)
        signals = [
            EdfSignal(f"EEG {e}-REF", np.rint(rng.normal(0, 200, seconds * sfreq)))
            for e in ELECTRODES
        ]
        write_edf(root / f"{name}.edf", signals, n_records=seconds)
        events = f"{name}.tsv" if onset is not None else ""
        if events:
            row = f"onset\tduration\teventType\n{onset}\t20.5\tsz_foc\n"
            (root / events).write_text(row)
        cells = (f"{name}.edf", events, kind, "", "north", patient, str(fold))
        lines.append("\t".join(cells))
    (root / "manifest.tsv").write_text("\n".join(lines) + "\n")
    return root


def test_a_clip_from_its_onset_after_background_of_its_own(corpus: Path) -> None:
    recordings = read_manifest(corpus)
    made = spliced_clip(recordings[0], recordings)
    (event,) = made.events
    assert made.background == "own"
    assert BACKGROUND_S <= event.onset <= BACKGROUND_S + PHASE_S
    assert (event.onset * 256).is_integer()
    assert event == Event(event.onset, 20.5, "sz_foc")
    assert made.recording.duration_s == made.labelled_s[1] == event.onset + 40
    assert made.recording.ch_names == tuple(f"EEG {e}-REF" for e in ELECTRODES)
    assert all(0 < join < event.onset for join in made.joins_s)
    again = spliced_clip(recordings[0], list(reversed(recordings)))
    np.testing.assert_array_equal(
        again.recording.read([0, 17], 0, 0, 9000),
        made.recording.read([0, 17], 0, 0, 9000),
    )


def test_the_onset_lies_on_the_sample(corpus: Path) -> None:
    recordings = read_manifest(corpus)
    made = spliced_clip(recordings[0], recordings)
    start = round(made.events[0].onset * 256) + 64
    got = made.recording.read(range(19), 0, start, start + 500)
    clip = open_recording(corpus / "n1/sz_eeg.edf")
    begin = 2560 + 64
    expected = clip.read(range(19), 0, begin, begin + 500)
    np.testing.assert_array_equal(got, expected)


def test_leads_where_channels_have_other_names(corpus: Path, tmp_path: Path) -> None:
    root = shutil.copytree(corpus, tmp_path / "clips")
    for name in ("n1/one_eeg", "n1/two_eeg"):
        whole = open_recording(corpus / f"{name}.edf")
        signals = [
            EdfSignal(
                f"EEG {e}-LE",
                np.rint(10 * whole.read([k], 0, 0, whole.segments[0].n_times)[0]),
            )
            for k, e in enumerate(ELECTRODES)
        ]
        n = round(whole.duration_s)
        write_edf(root / f"{name}.edf", signals, n_records=n)
    recordings = read_manifest(root)
    made = spliced_clip(recordings[0], recordings)
    assert (made.background, made.recording.ch_names) == ("own", LEADS)
    start = round(made.events[0].onset * 256) + 64
    got = made.recording.read([0], 0, start, start + 500)
    clip = open_recording(root / "n1/sz_eeg.edf").read([0, 1], 0, 2624, 3124)
    np.testing.assert_array_equal(got, clip[:1] - clip[1:])


def test_too_little_of_its_own_and_none_that_fits(corpus: Path) -> None:
    recordings = read_manifest(corpus)
    assert spliced_clip(recordings[3], recordings).background == "others"
    with pytest.raises(CorpusError, match=r"n3/sz_eeg\.edf: found under 30 s"):
        spliced_clip(recordings[5], recordings)


def test_what_experts_did_not_look_at_stays_out(corpus: Path) -> None:
    recordings = read_manifest(corpus)
    clip = replace(recordings[0], labelled_s=(0.0, 35.0))
    made = spliced_clip(clip, recordings)
    assert made.labelled_s == (0.0, made.events[0].onset + 25)


def test_an_event_past_the_end_is_told(corpus: Path) -> None:
    recordings = read_manifest(corpus)
    late = replace(recordings[0], events=(Event(70.0, 5.0),))
    with pytest.raises(CorpusError, match="past the end"):
        spliced_clip(late, recordings)


def test_spliced_is_data_that_a_model_can_be_scored_on(
    corpus: Path, tmp_path: Path
) -> None:
    data = open_data(f"spliced:{corpus}", SignalConfig(), [0])
    assert (data.given, data.spliced) == ("spliced:clips", True)
    assert [(t.name, t.fold) for t in data.tasks] == [
        ("n1/sz_eeg.edf", 0),
        ("n2/sz_eeg.edf", 0),
    ]
    material = data.tasks[1].load()
    assert {name for _, _, name in material.patterns} == {JOINS["others"]}
    assert material.n_seconds == math.ceil(material.seizures[0].onset_s + 40)
    write_tiny_model(tmp_path / "tiny")
    done = evaluate(Models(str(tmp_path / "tiny"), "f32", 1), f"spliced:{corpus}")
    assert list(done.skipped) == ["n3/sz_eeg.edf"]
    assert str(corpus) not in str(done.skipped)
    scores = scores_of(done, draws=5)
    assert [g["n"] for g in scores["onsets"]["groups"].values()] == [2, 1, 1]
    assert "## Onsets after real background" in scores_table(scores)


@pytest.mark.slow
def test_a_real_seizure_is_found_where_it_begins(data_dir: Path) -> None:
    recordings = read_manifest(data_dir)
    clip = next(r for r in recordings if r.name.endswith("chb01_03_1_eeg.edf"))
    made = spliced_clip(clip, recordings)
    onset_s = made.events[0].onset
    heard = made.recording
    picks = range(len(heard.ch_names))
    signal = heard.read(picks, 0, 0, heard.segments[0].n_times)
    found = detect(signal, sfreq=heard.sfreq, ch_names=heard.ch_names)
    raised = [e.raised_s for e in found.events if e.onset + e.duration > onset_s]
    assert len(raised) == 1
    assert raised[0] is not None
    assert 0 <= raised[0] - onset_s <= 20
