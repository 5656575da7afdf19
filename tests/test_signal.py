"""Any chunking gives the same bits; what passes, what does not, and what is flagged.

Oracles: scipy's `resample_poly`, and the band pass in double precision.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.signal import resample_poly, sosfilt

from conftest import ELECTRODES
from distilclip_eeg.config import SignalConfig
from distilclip_eeg.corpora.store import condition
from distilclip_eeg.eeg.files import open_recording
from distilclip_eeg.eeg.montage import LEADS, Montage, plan_montage
from distilclip_eeg.eeg.quality import FAULTS
from distilclip_eeg.eeg.signal import (
    Conditioned,
    Conditioner,
    Resampler,
    filter_sections,
)
from distilclip_eeg.errors import UnreadableRecordingError

SIGNAL = SignalConfig()
BIPOLAR = plan_montage(LEADS)  # a channel is a lead
REFERENTIAL = plan_montage(ELECTRODES)
RATES = (256.0, 500.0, 200.0, 1000.0, 173.61)
T7 = ELECTRODES.index("T3")
T7_LEADS = [LEADS.index("F7-T7"), LEADS.index("T7-P7")]

Samples = NDArray[np.floating]


def conditioned(
    x: Samples,
    sfreq: float = 256.0,
    montage: Montage = BIPOLAR,
    cuts: Sequence[int] = (),
) -> Conditioned:
    """Push `x` in pieces, close, and join what came out."""
    conditioner = Conditioner(montage, sfreq, SIGNAL)
    parts = [conditioner.push(piece) for piece in np.split(x, sorted(cuts), axis=1)]
    parts.append(conditioner.close())
    return Conditioned(
        np.concatenate([part.leads for part in parts], axis=1),
        np.concatenate([part.usable for part in parts], axis=1),
        {k: np.concatenate([p.faults[k] for p in parts], axis=1) for k in FAULTS},
    )


def noise(seconds: float, sfreq: float = 256.0, n_chans: int = 18) -> Samples:
    rng = np.random.default_rng(round(seconds * sfreq))
    return rng.normal(0, 40, (n_chans, round(seconds * sfreq)))


def sine(hz: float, sfreq: float, seconds: float = 20, uv: float = 100) -> Samples:
    times = np.arange(round(seconds * sfreq)) / sfreq
    return np.tile(uv * np.sin(2 * np.pi * hz * times), (18, 1))


def amplitude(x: Samples) -> float:
    return float(np.sqrt(2) * x.std())


def flagged(faults: dict[str, NDArray[np.bool_]], kind: str) -> set[tuple[int, int]]:
    """(lead, second) pairs."""
    return set(zip(*map(np.ndarray.tolist, faults[kind].nonzero()), strict=True))


# ---- any chunking


@st.composite
def recordings(draw: st.DrawFn, sfreq: float) -> tuple[Samples, list[int]]:
    """Channels with every kind of fault somewhere, and where to cut them."""
    n = draw(st.integers(1, round(4.3 * sfreq)))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    x = rng.normal(rng.normal(0, 5000, (18, 1)), 60, (18, n)).astype(np.float32)
    stretch = st.tuples(st.integers(0, 17), st.integers(0, n), st.integers(0, n))
    for channel, start, stop in draw(st.lists(stretch, max_size=4)):
        x[channel, start:stop] = draw(st.sampled_from([np.nan, np.inf, 7, 9000]))
    for channel, start, stop in draw(st.lists(stretch, max_size=2)):
        x[channel, start:stop] = x[channel, start:stop].clip(-20, 20)
    edges = st.integers(0, round(n / sfreq) + 1).map(lambda s: min(n, ceil(s * sfreq)))
    cuts = draw(st.lists(st.one_of(st.integers(0, n), edges), max_size=6))
    return x, sorted(cuts)


@pytest.mark.parametrize("sfreq", RATES)
def test_any_chunking_gives_the_same_bits(sfreq: float) -> None:
    n_examples = 15 if sfreq == 173.61 else 60  # its 512,001 taps cost time

    @settings(max_examples=n_examples, deadline=None, database=None)
    @given(recordings(sfreq))
    def law(drawn: tuple[Samples, list[int]]) -> None:
        x, cuts = drawn
        whole, pieces = conditioned(x, sfreq), conditioned(x, sfreq, cuts=cuts)
        # 521 samples at 173.61 Hz: the last one begins at 2.995 s.
        assert whole.n_seconds == int((x.shape[1] - 1) / sfreq) + 1
        assert np.isfinite(whole.leads).all()
        np.testing.assert_array_equal(whole.leads, pieces.leads)
        np.testing.assert_array_equal(whole.usable, pieces.usable)
        for kind in FAULTS:
            np.testing.assert_array_equal(whole.faults[kind], pieces.faults[kind], kind)

    law()


@pytest.mark.parametrize("sfreq", [256.0, 173.61])
def test_sample_by_sample(sfreq: float) -> None:
    x = noise(2.4, sfreq)
    pieces = conditioned(x, sfreq, cuts=range(1, x.shape[1]))
    np.testing.assert_array_equal(conditioned(x, sfreq).leads, pieces.leads)


def test_seconds_come_out_as_soon_as_they_are_complete() -> None:
    conditioner = Conditioner(BIPOLAR, 173.61, SIGNAL)
    came = [conditioner.push(noise(1, 1)).n_seconds for _ in range(522)]
    # The first sample at or after k seconds is number ceil(k * 173.61).
    assert [n + 1 for n, seconds in enumerate(came) if seconds] == [174, 348, 521]


def test_no_second_is_gained_or_lost_in_an_hour() -> None:
    sfreq, n = 173.61, round(173.61 * 3600)
    conditioner = Conditioner(BIPOLAR, sfreq, SIGNAL)
    quiet = np.zeros((18, n // 6), np.float32)
    assert sum(conditioner.push(quiet).n_seconds for _ in range(6)) == 3600


# ---- pass band and stop band


@pytest.mark.parametrize("sfreq", [128.0, *RATES])
@pytest.mark.parametrize("hz", [5.0, 12.0, 30.0])
def test_what_lies_in_the_band_keeps_its_amplitude(sfreq: float, hz: float) -> None:
    settled = conditioned(sine(hz, sfreq), sfreq).leads[:, 256 * 10 :]
    assert amplitude(settled) == pytest.approx(100, rel=0.015)


@pytest.mark.parametrize("sfreq", RATES)
@pytest.mark.parametrize("hz", [50.0, 60.0])
def test_hum_is_taken_away(sfreq: float, hz: float) -> None:
    settled = conditioned(sine(hz, sfreq), sfreq).leads[:, 256 * 10 :]
    assert amplitude(settled) < 100 * 10 ** (-30 / 20)


@pytest.mark.parametrize("sfreq", [500.0, 1000.0])
@pytest.mark.parametrize("hz", [160.0, 226.0, 246.0])
def test_nothing_is_folded_into_the_band(sfreq: float, hz: float) -> None:
    settled = conditioned(sine(hz, sfreq), sfreq).leads[:, 256 * 10 :]
    assert amplitude(settled) < 100 * 10 ** (-60 / 20)


@pytest.mark.parametrize("sfreq", RATES)
def test_an_offset_makes_no_transient(sfreq: float) -> None:
    x = np.full((18, round(5 * sfreq)), 10_000.0)
    assert np.abs(conditioned(x, sfreq).leads).max() < 1


def test_offsets_of_single_electrodes_make_no_transient() -> None:
    offsets = np.random.default_rng(0).normal(0, 10_000, (19, 1))
    x = np.broadcast_to(offsets, (19, 256 * 5))
    assert np.abs(conditioned(x, montage=REFERENTIAL).leads).max() < 1


def test_an_electrode_that_begins_late_brings_no_step() -> None:
    """Silent up to 1.7 s, then at its offset of 9 mV; the first second is flagged."""
    x = noise(6, n_chans=19) + 9000
    late = x.copy()
    late[T7, : round(1.7 * 256)] = np.nan
    rest = np.setdiff1d(np.arange(18), T7_LEADS)
    out, want = (conditioned(y, montage=REFERENTIAL) for y in (late, x))
    assert np.abs(out.leads).max() < 400
    np.testing.assert_array_equal(out.leads[rest], want.leads[rest])
    np.testing.assert_array_equal(out.usable[T7_LEADS[0]], [False] * 2 + [True] * 4)


# ---- oracles


@pytest.mark.parametrize(
    ("up", "down"), [(64, 125), (32, 25), (256, 1000), (25600, 17361), (2, 1)]
)
def test_the_resampler_is_resample_poly_with_a_delay(up: int, down: int) -> None:
    x = np.random.default_rng(0).normal(0, 50, (3, 3000)).astype(np.float32)
    n_out = x.shape[1] * up // down
    resampler = Resampler(up, down, len(x))
    pieces = [resampler.push(x[:, :1000], n_out // 3)]
    pieces.append(resampler.push(x[:, 1000:], n_out - n_out // 3))
    out = np.concatenate(pieces, axis=1)
    # The delay is 10 samples at the slower rate: whole at the input or at the output.
    delay_in, delay_out = (10, 0) if up > down else (0, 10)
    late = np.pad(x.astype(np.float64), ((0, 0), (delay_in, 0)))
    want = resample_poly(late, up, down, axis=1, window=("kaiser", 5.0))
    n = n_out - delay_out
    np.testing.assert_allclose(out[:, delay_out:], want[:, :n], atol=1e-3)


def in_double_precision(x: Samples) -> Samples:
    band, notch = filter_sections(SIGNAL)
    return np.asarray(sosfilt(notch, sosfilt(band, x - x[:, :1], axis=1), axis=1))


@pytest.mark.parametrize("offset_uv", [0, 10_000])
def test_single_precision_is_enough(offset_uv: float) -> None:
    x = (noise(120) + offset_uv).astype(np.float32)
    want = in_double_precision(x.astype(np.float64))
    np.testing.assert_allclose(conditioned(x).leads, want, rtol=0, atol=0.05)


def test_single_precision_is_enough_for_a_real_seizure(data_dir: Path) -> None:
    recording = open_recording(data_dir / "chbmit" / "chb01" / "chb01_03_1_eeg.edf")
    montage = plan_montage(recording.ch_names)
    x = recording.read(montage.picks, 0, 0, recording.segments[0].n_times)
    want = in_double_precision(montage.leads(x).astype(np.float64))
    out = conditioned(x, montage=montage).leads[:, : want.shape[1]]
    np.testing.assert_allclose(out, want, rtol=0, atol=0.05)


# ---- faults


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_samples_that_are_no_numbers_are_held(bad: float) -> None:
    """As if the channel had stood still: nothing is left of them afterwards."""
    x = noise(10)
    broken, held = x.copy(), x.copy()
    broken[4, 900:1400] = bad
    held[4, 900:1400] = x[4, 899]
    out, want = conditioned(broken, cuts=[1000, 1030]), conditioned(held)
    np.testing.assert_array_equal(out.leads, want.leads)
    assert flagged(out.faults, "not_a_number") == {(4, 3), (4, 4), (4, 5)}
    np.testing.assert_array_equal(out.usable, ~out.faults["not_a_number"])


def test_both_infinities_at_once() -> None:
    x = noise(3)
    x[4, 300], x[5, 301] = np.inf, -np.inf
    out = conditioned(x)
    assert flagged(out.faults, "not_a_number") == {(4, 1), (5, 1)}


def test_a_bad_electrode_spoils_its_leads_only() -> None:
    for kind, spoil in {
        "not_a_number": np.full(256, np.nan),
        "flat": np.full(256, -30.0),
        "clipped": np.clip(sine(3, 256, 1, 900)[0], -300, 300),
    }.items():
        x = noise(8, n_chans=19)
        x[T7, 3 * 256 : 4 * 256] = spoil
        out = conditioned(x, montage=REFERENTIAL)
        assert flagged(out.faults, kind) == {(lead, 3) for lead in T7_LEADS}, kind
        assert (~out.usable).sum() == 2, kind


def test_a_loose_electrode_hums() -> None:
    x = noise(14, n_chans=19)
    x[T7, 4 * 256 : 8 * 256] += sine(50, 256, 4, 3000)[0]
    out = conditioned(x, montage=REFERENTIAL)
    found = flagged(out.faults, "disconnected")
    assert {(lead, second) for lead in T7_LEADS for second in range(5, 8)} <= found
    assert {lead for lead, _ in found} == set(T7_LEADS)
    assert {second for _, second in found} <= {4, 5, 6, 7, 8}


def test_a_missing_lead_is_zero_unusable_and_without_fault() -> None:
    montage = plan_montage([e for e in ELECTRODES if e not in ("O1", "O2")])
    out = conditioned(noise(3, n_chans=17), montage=montage)
    missing = ~montage.present
    assert missing.sum() == 4
    assert not out.leads[missing].any()
    assert not out.usable[missing].any()
    assert out.usable[~missing].all()
    assert not any(flags.any() for flags in out.faults.values())


def test_real_clips_are_almost_free_of_faults(data_dir: Path) -> None:
    for name in (
        "chbmit/chb01/chb01_03_1_eeg.edf",
        "siena/PN00/PN00-1_start_eeg.edf",
        "eegmat/Subject00_2.edf",
    ):
        path = data_dir / name
        present = plan_montage(open_recording(path).ch_names).present
        usable = condition(open_recording(path), SIGNAL).usable
        usable = usable[present, :-1]  # the last may be partial
        assert usable.mean() > 0.99, name


# ---- ends and refusals


def test_the_last_second_is_completed_by_holding() -> None:
    x = noise(3.5)
    held = np.concatenate([x, np.repeat(x[:, -1:], 128, axis=1)], axis=1)
    out = conditioned(x)
    assert out.n_seconds == 4
    np.testing.assert_array_equal(out.leads, conditioned(held).leads)


@pytest.mark.parametrize("sfreq", RATES)
def test_whole_seconds_need_no_completion(sfreq: float) -> None:
    conditioner = Conditioner(BIPOLAR, sfreq, SIGNAL)
    first = conditioner.push(noise(1, sfreq)[:, : ceil(sfreq)])
    assert first.n_seconds == 1
    assert conditioner.close().n_seconds == 0


def test_nothing_in_nothing_out() -> None:
    conditioner = Conditioner(BIPOLAR, 256, SIGNAL)
    for out in (conditioner.push(np.zeros((18, 0))), conditioner.close()):
        assert out.n_seconds == 0
        assert out.leads.shape == (18, 0)
        assert set(out.faults) == set(FAULTS)


@pytest.mark.parametrize("sfreq", [99.9, 64, 0, -256, float("nan")])
def test_too_slow_a_rate_is_refused(sfreq: float) -> None:
    with pytest.raises(UnreadableRecordingError, match="at least 100 Hz is needed"):
        Conditioner(BIPOLAR, sfreq, SIGNAL)
