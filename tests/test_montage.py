"""Labels of real recordings and every law of the montage."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from distilclip_eeg.eeg.montage import (
    ELECTRODES,
    LEADS,
    Montage,
    derivation,
    electrode,
    lead_name,
    plan_montage,
)
from distilclip_eeg.errors import TooFewLeadsError

SZCORE = [
    "Fp1", "F3", "C3", "P3", "O1", "F7", "T3", "T5", "Fz", "Cz", "Pz", "Fp2", "F4",
    "C4", "P4", "O2", "F8", "T4", "T6",
]  # fmt: skip
EMOTIV = [
    "AF3", "F7", "F3", "FC5", "T7", "P7", "O1", "O2", "P8", "T8", "FC6", "F4", "F8",
    "AF4",
]  # fmt: skip
OLD = {"T7": "T3", "T8": "T4", "P7": "T5", "P8": "T6"}
SPELLINGS = {
    "tusz": "EEG {}-REF", "tusz linked ears": "EEG {}-LE", "aubmc": "EEG {}-Ref",
    "siena": "EEG {}", "szcore": "{}-Avg", "bare": "{}", "dotted": "{}.",
    "physionet": "{}..", "pol": "POL {}", "dash": "EEG-{}", "cs2": "{}-CS2",
    "copy": "{}-0", "ear": "{}-A1", "mastoid": "{}:M2", "slash": "EEG {}/M1",
    "underscore": "EEG_{}_AR", "spaces": " EEG  {} - Ref ", "emotiv": "EEG.{}",
    "mean of ears": "{}-(A1+A2)/2", "no separator": "{}REF",
}  # fmt: skip
NOT_EEG = [
    "ECG EKG", "ECG", "EKG", "EKG1-CHIN", "EMG", "EOG", "EOG Left", "LOC-ROC",
    "LOC", "ROC", "VNS", "Status", "-", ".", "Resp", "SpO2", "PHOTIC-REF",
    "EEG EKG1-REF", "EDF Annotations", "Manual", "EEG 26-REF", "EEG C3P-REF",
    "DC01", "POL $A1", "BTEleft SD", "", "1", "EEG", "IBI", "Fp1-EKG", "EMG C3",
]  # fmt: skip

potentials = np.random.default_rng(0).normal(0, 50, (len(ELECTRODES), 64))
POTENTIAL = dict(zip(ELECTRODES, potentials, strict=True))


def expected_leads() -> NDArray[np.float64]:
    pairs = (lead.split("-") for lead in LEADS)
    return np.array([POTENTIAL[a] - POTENTIAL[b] for a, b in pairs])


def computed_leads(montage: Montage, x: NDArray[np.float64]) -> NDArray[np.float32]:
    return montage.leads(x[list(montage.picks)].astype(np.float32))


def labels_in_header(path: Path) -> list[str]:
    with path.open("rb") as file:
        n_signals = int(file.read(256)[252:])
        names = file.read(16 * n_signals).decode("latin-1")
    return [names[i : i + 16].strip() for i in range(0, len(names), 16)]


@pytest.mark.parametrize("spelling", SPELLINGS.values(), ids=SPELLINGS)
@pytest.mark.parametrize("change_case", [str.upper, str.lower, str.title])
def test_every_spelling_gives_all_leads(spelling: str, change_case: type[str]) -> None:
    names = [change_case(spelling.format(name)) for name in ELECTRODES]
    montage = plan_montage(["ECG", *names])
    x = np.vstack([np.full((1, 64), np.nan), potentials + 1e3])
    assert montage.missing_leads == ()
    assert montage.warnings() == ()
    np.testing.assert_allclose(computed_leads(montage, x), expected_leads(), atol=1e-3)


@given(
    order=st.permutations(list(ELECTRODES)),
    reference=st.sampled_from(["-REF", "-Cz", "-A1", "", "-Avg", "-P4"]),
    amplitude_uv=st.floats(-2000, 2000),
    old_names=st.booleans(),
    zero_for_o=st.booleans(),
    upper=st.booleans(),
)
def test_leads_do_not_depend_on_order_case_names_or_reference(
    order: list[str],
    reference: str,
    amplitude_uv: float,
    old_names: bool,
    zero_for_o: bool,
    upper: bool,
) -> None:
    common = amplitude_uv * np.sin(np.arange(64))
    at = reference[1:].upper()
    common = POTENTIAL.get(at, common)
    order = [name for name in order if name != at]
    names = [OLD.get(name, name) if old_names else name for name in order]
    if zero_for_o:
        names = [name.replace("O", "0") for name in names]
    names = [name + reference for name in names]
    names = [name.upper() if upper else name.lower() for name in names]
    montage = plan_montage(names)
    x = np.array([POTENTIAL[name] - common for name in order])
    assert montage.missing_leads == ()
    np.testing.assert_allclose(computed_leads(montage, x), expected_leads(), atol=5e-3)


@given(
    order=st.permutations(range(18)),
    flipped=st.lists(st.booleans(), min_size=18, max_size=18),
)
def test_stored_leads_are_found_in_either_direction(
    order: list[int], flipped: list[bool]
) -> None:
    leads = expected_leads()
    names, rows = [], []
    for i in order:
        plus, minus = LEADS[i].split("-")
        names.append(f"{minus}-{plus}" if flipped[i] else LEADS[i])
        rows.append(-leads[i] if flipped[i] else leads[i])
    montage = plan_montage(names)
    assert all(len(path) == 1 for path in montage.paths)
    np.testing.assert_array_equal(
        computed_leads(montage, np.array(rows)), leads.astype(np.float32)
    )


def test_lead_order_is_the_shared_one() -> None:
    assert len(LEADS) == 18
    assert LEADS[:5] == ("FP1-F7", "F7-T7", "T7-P7", "P7-O1", "FP1-F3")
    assert LEADS[8:11] == ("FZ-CZ", "CZ-PZ", "FP2-F4")
    assert LEADS[-1] == "P8-O2"
    assert len(ELECTRODES) == 19


@pytest.mark.parametrize(
    ("label", "points"),
    [
        ("EEG FP1-REF", ("FP1", "REF")),
        ("T8-P8-0", ("T8", "P8")),
        ("T8-P8-1", ("T8", "P8")),
        ("P7-01", ("P7", "O1")),
        ("EEG 01", ("O1", "")),
        ("EEG A2-A1", ("A2", "A1")),
        ("EEG T3-T5", ("T7", "P7")),
        ("C3A2", ("C3", "A2")),
        ("FP1F7", ("FP1", "F7")),
        ("Fp1–F7", ("FP1", "F7")),
        ("FT10-T8", ("FT10", "T8")),
    ],
)
def test_derivation(label: str, points: tuple[str, str]) -> None:
    assert derivation(label) == points
    assert electrode(label) == points[0]


@pytest.mark.parametrize("label", NOT_EEG)
def test_what_is_no_eeg_is_no_electrode(label: str) -> None:
    assert derivation(label) is None
    assert electrode(label) is None


def test_lead_name_knows_old_names_and_both_directions() -> None:
    assert lead_name("T3-T5") == "T7-P7"
    assert lead_name("EEG P7-T7") == "T7-P7"
    assert lead_name("FP1-F3") == "FP1-F3"
    assert lead_name("A1-T3") is None
    assert lead_name("TERM") is None


def test_non_eeg_channels_never_enter() -> None:
    names = [*NOT_EEG, *(f"EEG {name}-REF" for name in SZCORE), *NOT_EEG]
    montage = plan_montage(names)
    assert {names[pick] for pick in montage.picks} == {f"EEG {n}-REF" for n in SZCORE}


def test_other_derivations_offer_no_shortcut() -> None:
    # Without their own channels F7 and T7 could only meet over EKG and REF.
    names = ["EKG", "EKG-REF", "F7-EKG", "T7-REF", "EKG", "FT9-FT10", "T7-FT9"]
    stored = ["FP1-F3", "F3-C3", "C3-P3", "P3-O1"]
    assert not plan_montage(names + stored).present[1]


def test_first_of_duplicates_is_used() -> None:
    names = ["T8-P8-0", *LEADS[:16], "P8-O2", "T8-P8-1", "T8-P8"]
    montage = plan_montage(names)
    assert montage.picks[montage.paths[LEADS.index("T8-P8")][0][0]] == 0


def test_a_stored_lead_is_preferred_to_a_difference() -> None:
    names = [*(f"{name}-REF" for name in SZCORE), "F7-FP1"]
    montage = plan_montage(names)
    assert montage.paths[0] == ((montage.picks.index(19), -1),)
    assert all(len(path) == 2 for path in montage.paths[1:])


def test_a_chain_of_three_channels_makes_a_lead_and_four_do_not() -> None:
    stored = list(LEADS[4:])
    three = plan_montage([*stored, "FP1-AF7", "AF7-AF3", "F7-AF3"])
    four = plan_montage([*stored, "FP1-AF7", "AF7-AF3", "AF3-F5", "F5-F7"])
    assert [sign for _, sign in three.paths[0]] == [1, 1, -1]
    assert "FP1-F7" in four.missing_leads


def test_transverse_recording_gives_what_it_holds() -> None:
    names = ["F7-F3", "F3-FP1", "F3-Fz", "Fz-Cz", "Cz-C3", "C3-F3", "P3-Pz", "Pz-Cz"]
    montage = plan_montage(names)
    assert montage.paths[0] != ()
    assert montage.present.sum() == 6  # FP1-F7 FP1-F3 F3-C3 C3-P3 FZ-CZ CZ-PZ


def test_headset_gives_six_leads_and_a_warning() -> None:
    montage = plan_montage(EMOTIV)
    present = [name for name in LEADS if name not in montage.missing_leads]
    assert present == ["F7-T7", "T7-P7", "P7-O1", "F8-T8", "T8-P8", "P8-O2"]
    (warning,) = montage.warnings()
    assert "only 6 of the 18 leads" in warning
    assert "FP1-F7" in warning
    assert "\n" not in warning


def test_missing_leads_are_zero_and_bad_throughout() -> None:
    montage = plan_montage(EMOTIV)
    x = np.ones((len(montage.picks), 5), dtype=np.float32)
    leads = montage.leads(x)
    bad = montage.any_bad(np.zeros((len(montage.picks), 3), dtype=np.bool_))
    assert leads.shape == (18, 5)
    assert leads.dtype == np.float32
    assert not leads[~montage.present].any()
    np.testing.assert_array_equal(bad, np.repeat(~montage.present[:, None], 3, axis=1))


def test_a_bad_channel_spoils_its_leads_only() -> None:
    montage = plan_montage(SZCORE)
    bad = np.zeros((19, 2), dtype=np.bool_)
    bad[montage.picks.index(SZCORE.index("T3")), 1] = True
    spoilt = montage.any_bad(bad)
    assert not spoilt[:, 0].any()
    assert [LEADS[i] for i in np.flatnonzero(spoilt[:, 1])] == ["F7-T7", "T7-P7"]


def test_not_a_number_stays_in_its_leads() -> None:
    montage = plan_montage(SZCORE)
    x = np.zeros((19, 4), dtype=np.float32)
    x[montage.picks.index(SZCORE.index("Fz"))] = np.nan
    leads = montage.leads(x)
    touched = np.isnan(leads).all(axis=1)
    assert [LEADS[i] for i in np.flatnonzero(touched)] == ["FZ-CZ"]


@pytest.mark.parametrize(
    ("names", "found"),
    [
        ((), "electrodes found: none"),
        (("BTEleft SD", "CROSStop SD"), "labels in the recording: BTEleft SD, CROSS"),
        (("Fp1", "F7", "T3", "EKG"), "(FP1-F7 F7-T7), 4 are needed"),
        (tuple(f"EEG {i}" for i in range(300)), "EEG 23, ..."),
        (("a\nb",), "a b"),
    ],
)
def test_too_few_leads_is_one_line_that_lists_them(
    names: Sequence[str], found: str
) -> None:
    with pytest.raises(TooFewLeadsError) as error:
        plan_montage(names)
    message = str(error.value)
    assert found in message
    assert "of the 18 leads" in message
    assert "FP1-F7 F7-T7 T7-P7 P7-O1" in message
    assert "\n" not in message


@given(st.lists(st.text(max_size=16), max_size=40))
def test_any_text_is_refused_or_planned_alike_twice(names: list[str]) -> None:
    try:
        montage = plan_montage(names)
    except TooFewLeadsError:
        return
    assert montage == plan_montage(names)


def test_every_real_label_set(data_dir: Path) -> None:
    expected = {"siena": 14}
    paths = sorted(data_dir.rglob("*.edf"))
    assert paths
    for path in paths:
        montage = plan_montage(labels_in_header(path))
        corpus = path.relative_to(data_dir).parts[0]
        assert montage.present.sum() == expected.get(corpus, 18), path.name
        differences = {len(way) for way in montage.paths if way}
        assert differences in ({1}, {2}), path.name
        if corpus == "siena":
            assert all("O1" in name or "O2" in name for name in montage.missing_leads)
