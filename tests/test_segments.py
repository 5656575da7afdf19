"""Batches hold the training segments, all of them, and not a sample of another."""

from __future__ import annotations

from collections import Counter
from itertools import islice

import numpy as np
import pytest
import torch

from distilclip_eeg.config import SignalConfig
from distilclip_eeg.corpora.store import Store
from distilclip_eeg.errors import CorpusError
from distilclip_eeg.evaluation.experiment.protocols import (
    Segment,
    random_trial,
    segments,
)
from distilclip_eeg.evaluation.experiment.seizure_classes import second_shares
from distilclip_eeg.training.segments import SegmentBatches
from small_corpus import SIGNAL, small_store


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return small_store(tmp_path_factory.mktemp("data") / "store")


@pytest.fixture(scope="module")
def training(store: Store) -> tuple[Segment, ...]:
    return random_trial(store.recordings, 0).train


def made(
    training: tuple[Segment, ...], seed: int = 0, *, augmented: bool = False
) -> SegmentBatches:
    return SegmentBatches(
        training, SIGNAL, seed=seed, batch_size=4, augmented=augmented
    )


def test_windows_are_training_segments_and_no_others(
    training: tuple[Segment, ...],
) -> None:
    whole = [s.recording.crop(s.start_s, 10) for s in training]
    batches = made(training)
    for number in range(10):
        for window in batches.batch(number)["eeg"].numpy():
            assert sum(np.array_equal(window, crop.eeg) for crop in whole) == 1


def test_classes_are_balanced_and_every_segment_has_its_turn(
    training: tuple[Segment, ...],
) -> None:
    batches = made(training)
    n_ictal = sum(s.ictal for s in training)
    n_quiet = len(training) - n_ictal
    seen: Counter[str] = Counter()
    for number in range(n_ictal * n_quiet):  # both classes come round
        chosen = batches.segments(number)
        assert [s.ictal for s in chosen] == [True, True, False, False]
        seen.update(s.name for s in chosen)
    for segment in training:
        turns = 2 * (n_quiet if segment.ictal else n_ictal)
        assert seen[segment.name] == turns


def test_a_batch_depends_on_seed_and_number_alone(
    training: tuple[Segment, ...],
) -> None:
    batches = made(training, augmented=True)
    third = batches.batch(3)
    again = next(islice(batches.follow(2), 1, None))
    assert torch.equal(again["eeg"], third["eeg"])
    assert again["captions"] == third["captions"]
    other = made(training, seed=1, augmented=True).batch(3)
    assert not torch.equal(other["eeg"], third["eeg"])


def test_labels_and_captions_speak_of_the_segment(
    training: tuple[Segment, ...],
) -> None:
    batch = made(training).batch(0)
    assert batch["eeg"].shape == (4, 18, 2560)
    assert batch["window_labels"].tolist() == [[0, 1], [0, 1], [1, 0], [1, 0]]
    assert all("seizure" in text.lower() for text in batch["captions"][:2])


def test_augmentation_leaves_half_as_they_were(
    training: tuple[Segment, ...],
) -> None:
    plain, changed = made(training), made(training, augmented=True)
    same = [
        torch.equal(a, b)
        for n in range(12)
        for a, b in zip(plain.batch(n)["eeg"], changed.batch(n)["eeg"], strict=True)
    ]
    assert 0.25 < np.mean(same) < 0.75


def test_seconds_are_hidden_in_place(training: tuple[Segment, ...]) -> None:
    """In half of the windows, at most half of them; EEG and labels stay."""
    batches = SegmentBatches(
        training, SIGNAL, seed=0, batch_size=4, augmented=False, lose_seconds=0.5
    )
    plain, n_hidden = made(training), []
    for number in range(12):
        ours, whole = batches.batch(number), plain.batch(number)
        assert torch.equal(ours["eeg"], whole["eeg"])
        assert torch.equal(ours["window_labels"], whole["window_labels"])
        assert ours["captions"] == whole["captions"]
        gone = whole["second_valid"] & ~ours["second_valid"]
        assert torch.equal(gone, (whole["usable"] > ours["usable"]).any(1))
        n_hidden += gone.sum(1).tolist()
    assert set(n_hidden) <= {0, 2, 3, 4, 5}
    assert 0.3 < np.mean(np.array(n_hidden) > 0) < 0.7


def test_names_name_the_windows(training: tuple[Segment, ...]) -> None:
    assert made(training).names == [s.name for s in training]


def test_types_of_seizures_take_turns(training: tuple[Segment, ...]) -> None:
    """The small corpus has one type, so every second seizure is called another."""
    names = ("background", "focal non-specific seizure", "absence seizure")
    ictal = [s for s in training if s.ictal]
    typed = [s._replace(label=names[1 + k % 2]) for k, s in enumerate(ictal)]
    typed += [s for s in training if not s.ictal]
    batches = SegmentBatches(
        typed, SIGNAL, seed=0, batch_size=6, augmented=False, classes=names
    )
    seen: Counter[str] = Counter()
    for number in range(2 * len(ictal)):
        chosen = batches.segments(number)
        assert [s.ictal for s in chosen] == [True] * 3 + [False] * 3
        seen.update(s.label for s in chosen)
    assert seen[names[1]] == seen[names[2]]
    batch = batches.batch(0)
    assert batch["window_labels"].shape == (6, 3)
    assert batch["second_labels"].shape == (6, 10, 3)
    torch.testing.assert_close(batch["window_labels"].sum(1), torch.ones(6))
    called = [names.index(s.label) for s in batches.segments(0)]
    assert batch["window_labels"].argmax(1).tolist() == called
    for segment, labels in zip(
        batches.segments(0), batch["second_labels"].numpy(), strict=True
    ):
        expected = second_shares(segment.recording, segment.start_s, 10, names)
        np.testing.assert_array_equal(labels, expected)
    with pytest.raises(CorpusError, match="found 0 tonic seizure and"):
        SegmentBatches(
            typed, SIGNAL, seed=0, batch_size=6, classes=(*names, "tonic seizure")
        )


def test_both_classes_and_windows_of_ten_seconds_are_needed(
    store: Store,
) -> None:
    quiet = [s for s in segments(store.recordings) if not s.ictal]
    with pytest.raises(CorpusError, match="found 0 seizure and"):
        SegmentBatches(quiet, SIGNAL, seed=0, batch_size=4)
    found = segments(store.recordings)
    signal = SignalConfig(window_s=4, hop_s=2)
    with pytest.raises(CorpusError, match=r"found signal\.window_s 4"):
        SegmentBatches(found, signal, seed=0, batch_size=4)
