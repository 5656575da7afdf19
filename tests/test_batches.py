"""A batch depends on seed and number alone, is balanced, and its labels tell the truth.

The store is that of `small_corpus`: seizures of n1, n2 and s1, background of n1, s1 and
c1, of which only seconds 12 to 22 are labelled.
"""

from __future__ import annotations

from itertools import islice

import numpy as np
import pytest
import torch

from distilclip_eeg.config import SignalConfig
from distilclip_eeg.corpora.store import Crop, Store
from distilclip_eeg.errors import CorpusError
from distilclip_eeg.training import batches as module
from distilclip_eeg.training.batches import (
    MIN_SEEN_S,
    Batch,
    Batches,
    collate,
    splice,
    windows_of,
)
from small_corpus import SIGNAL, small_store


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return small_store(tmp_path_factory.mktemp("data") / "store")


def batches(
    store: Store, seed: int = 0, size: int = 8, *, augmented: bool = True
) -> Batches:
    return Batches(
        store.recordings, SIGNAL, seed=seed, batch_size=size, augmented=augmented
    )


@pytest.fixture
def bare(store: Store, monkeypatch: pytest.MonkeyPatch) -> Batches:
    """Windows as they were cut: nothing glued, added or changed."""
    monkeypatch.setattr(module, "SPLICE_SHARE", 0)
    monkeypatch.setattr(module, "BLEND_SHARE", 0)
    return batches(store, size=32, augmented=False)


def assert_equal(a: Batch, b: Batch) -> None:
    assert a["captions"] == b["captions"]
    for key in ("eeg", "usable", "window_labels", "second_labels", "second_valid"):
        assert torch.equal(a[key], b[key]), key


# ---- the same again


def test_a_number_means_a_batch(store: Store) -> None:
    one, other = batches(store), batches(store)
    for number in (0, 3, 1):
        other.batch(number)
    assert_equal(one.batch(3), other.batch(3))


def test_another_number_or_seed_is_another_batch(store: Store) -> None:
    eeg = batches(store).batch(3)["eeg"]
    assert not torch.equal(eeg, batches(store).batch(4)["eeg"])
    assert not torch.equal(eeg, batches(store, seed=1).batch(3)["eeg"])


def test_following_goes_on_from_anywhere(store: Store) -> None:
    made = batches(store, size=2)
    for number, batch in enumerate(islice(made.follow(5), 3), start=5):
        assert_equal(batch, made.batch(number))


# ---- shapes and labels


def test_shapes_and_ranges(store: Store) -> None:
    batch = batches(store).batch(0)
    assert batch["eeg"].shape == (8, 18, 2560)
    assert batch["usable"].shape == (8, 18, 10)
    assert batch["window_labels"].shape == (8, 2)
    assert batch["second_labels"].shape == (8, 10, 2)
    assert batch["second_valid"].shape == (8, 10)
    assert len(batch["captions"]) == 8
    assert {batch["eeg"].dtype, batch["window_labels"].dtype} == {torch.float32}
    assert batch["second_valid"].dtype == torch.bool
    assert batch["eeg"].isfinite().all()
    assert ((batch["usable"] == 0) | (batch["usable"] == 1)).all()


def test_labels_are_shares_of_two_classes(store: Store) -> None:
    made = batches(store)
    for batch in (made.batch(number) for number in range(6)):
        for labels in (batch["window_labels"], batch["second_labels"]):
            assert labels.min() >= 0
            torch.testing.assert_close(labels.sum(-1), torch.ones(labels.shape[:-1]))
        valid = batch["second_valid"].float()
        seconds = (batch["second_labels"][..., 1] * valid).sum(1)
        share = seconds / valid.sum(1).clamp(min=1)
        torch.testing.assert_close(batch["window_labels"][:, 1], share)


def test_half_of_the_windows_were_drawn_for_a_seizure(bare: Batches) -> None:
    for number in range(4):
        seconds = bare.batch(number)["second_labels"].sum(1)  # (B, K)
        assert (seconds[:16, 1] >= MIN_SEEN_S - 1e-3).all()
        assert (seconds[16:, 0] >= MIN_SEEN_S - 1e-3).all()


def test_onsets_fall_anywhere_in_a_window(bare: Batches) -> None:
    """Else time since the start of a window would tell the class."""
    ictal = torch.cat([bare.batch(n)["second_labels"][:16, :, 1] for n in range(20)])
    share = ictal.mean(0)
    assert (share > 0.4).all()
    assert (share < 1).all()
    onset = (ictal[:, 0] == 0).float().mean()
    assert 0.1 < onset < 0.6


def test_every_patient_and_data_set_is_drawn(
    store: Store, bare: Batches, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[tuple[str, bool]] = []

    def noted(self: object, recording: object, rng: object, *, ictal: bool) -> Crop:
        drawn.append((recording.patient, ictal))  # type: ignore[attr-defined]
        return store.recordings[0].crop(0, 10)

    monkeypatch.setattr(Batches, "_cut", noted)
    for number in range(30):
        bare.batch(number)
    counts = {pair: drawn.count(pair) / len(drawn) for pair in set(drawn)}
    assert {p for p, ictal in counts if ictal} == {"n1", "n2", "s1"}
    # Before, between and after seizures there is background too.
    assert {p for p, ictal in counts if not ictal} == {"n1", "n2", "s1", "c1"}
    assert min(counts.values()) > 0.05


def test_a_caption_says_what_the_window_shows(store: Store) -> None:
    made = batches(store)
    for batch in (made.batch(number) for number in range(6)):
        mostly = batch["second_labels"][..., 1].mean(1) >= 0.5
        assert [("seizure" in text) for text in batch["captions"]] == mostly.tolist()
        assert [("background" in t) for t in batch["captions"]] == (~mostly).tolist()


def test_augmenting_can_be_switched_off(bare: Batches, store: Store) -> None:
    """A window is then found in its recording, to the bit."""
    eeg = bare.batch(0)["eeg"][0].numpy()
    rows = [r.crop(0, r.n_seconds).eeg[4] for r in store.recordings]
    assert any(
        np.array_equal(row[at : at + 2560], eeg[4])
        for row in rows
        for at in np.flatnonzero(row[:-2559] == eeg[4, 0])
    )


# ---- what does not count


def test_seconds_nobody_looked_at_are_not_valid(store: Store) -> None:
    calm = next(r for r in store.recordings if r.dataset == "calm")
    batch = windows_of(calm, SIGNAL)  # windows at 0, 5, 10, 15 and 20 s
    looked_at = [
        [12 <= start + second < 22 for second in range(10)]
        for start in (0, 5, 10, 15, 20)
    ]
    assert batch["second_valid"].tolist() == looked_at


def crop_of(value: float, ictal: float, seconds: int = 10) -> Crop:
    rng = np.random.default_rng(round(value))
    return Crop(
        eeg=rng.normal(0, value, (18, seconds * 256)).astype(np.float32),
        usable=np.ones((18, seconds), bool),
        ictal=np.full(seconds, ictal, np.float32),
        labelled=np.ones(seconds, bool),
    )


def test_seconds_without_a_usable_lead_are_not_valid() -> None:
    crop = crop_of(30, 1)
    crop.usable[:, 3] = False
    crop.usable[1:, 4] = False
    valid = collate([crop], [""])["second_valid"]
    assert valid[0].tolist() == [True] * 3 + [False] + [True] * 6


def test_a_window_counts_its_valid_seconds_only() -> None:
    crop = crop_of(30, 0)
    crop.ictal[:4] = 1
    crop.labelled[2:6] = False
    labels = collate([crop], [""])["window_labels"]
    torch.testing.assert_close(labels, torch.tensor([[4 / 6, 2 / 6]]))


def test_a_window_without_a_valid_second_is_finite() -> None:
    crop = crop_of(30, 1)
    crop.labelled[:] = False
    batch = collate([crop], [""])
    assert batch["window_labels"].isfinite().all()
    assert not batch["second_valid"].any()


# ---- glued windows


@pytest.mark.parametrize("seed", range(20))
def test_a_spliced_window_begins_quiet(seed: int) -> None:
    late, quiet = crop_of(90, 1), crop_of(30, 0)
    quiet.usable[3, 0] = quiet.usable[3, 9] = late.usable[5, 0] = False
    quiet.labelled[0] = quiet.labelled[9] = False
    out = splice(late, quiet, np.random.default_rng(seed), 256)
    at_s = 10 - float(out.ictal.sum())  # where the seizure begins
    assert 1 <= at_s <= 8
    first = int(at_s)
    want = np.clip(np.arange(10) + 1 - at_s, 0, 1)
    np.testing.assert_allclose(out.ictal, want, atol=1e-5)
    after = round((at_s + 0.25) * 256) + 1
    np.testing.assert_array_equal(out.eeg[:, after:], late.eeg[:, after:])
    before = round(at_s * 256) - 1
    level = out.eeg[0, 0] / quiet.eeg[0, 0]
    assert 0.99 < level < 2.51  # towards the level of what follows
    np.testing.assert_allclose(
        out.eeg[:, :before], level * quiet.eeg[:, :before], rtol=1e-3
    )
    # Before: both must be usable. After: only what is heard there.
    assert not out.usable[3, 0]
    assert not out.usable[5, 0]
    assert out.usable[3, 9]
    assert not out.labelled[0]
    assert out.labelled[9]
    assert out.labelled[first + 1]
    assert out.eeg.dtype == np.float32
    assert out.ictal.dtype == np.float32


def test_a_background_window_stays_background_when_spliced() -> None:
    out = splice(crop_of(90, 0), crop_of(30, 0), np.random.default_rng(0), 256)
    assert not out.ictal.any()


# ---- whole recordings, refusals


@pytest.mark.parametrize(
    ("seconds", "starts"), [(30, [0, 5, 10, 15, 20]), (24, [0, 5, 10, 14])]
)
def test_the_windows_of_a_recording(
    store: Store, seconds: int, starts: list[int]
) -> None:
    recording = next(r for r in store.recordings if r.n_seconds == seconds)
    batch = windows_of(recording, SIGNAL)
    whole = recording.crop(0, seconds).eeg
    assert len(batch["eeg"]) == len(starts)
    for eeg, start in zip(batch["eeg"].numpy(), starts, strict=True):
        np.testing.assert_array_equal(eeg, whole[:, start * 256 : (start + 10) * 256])


def test_a_recording_shorter_than_a_window(store: Store) -> None:
    recording = next(r for r in store.recordings if r.n_seconds == 24)
    batch = windows_of(recording, SignalConfig(window_s=30))
    assert batch["eeg"].shape == (1, 18, 30 * 256)
    assert batch["second_valid"][0].tolist() == [True] * 24 + [False] * 6


def test_both_classes_are_needed(store: Store) -> None:
    quiet = [r for r in store.recordings if not r.seizures]
    with pytest.raises(CorpusError, match="0 data sets of seizures and 3"):
        Batches(quiet, SIGNAL, seed=0, batch_size=2)
