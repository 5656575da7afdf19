"""Siena: lists typed by hand, each spelling that is known on a replica."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from distilclip_eeg.config import SignalConfig
from distilclip_eeg.corpora.catalog import Catalog
from distilclip_eeg.corpora.clock import DAY_S, after, clock_text, times_of_day
from distilclip_eeg.corpora.siena import (
    leads_of,
    meant_file,
    read_siena,
    read_subjects,
)
from distilclip_eeg.corpora.siena_lists import read_seizure_list
from distilclip_eeg.corpora.store import prepare
from distilclip_eeg.eeg.findings import Lobe, Side, place_of_leads
from distilclip_eeg.errors import CorpusError
from replica_siena import SIENA_FILES, SIENA_HEAD, write_siena

FIRST = SIENA_HEAD.count("\n") + 1
BLOCK = """Seizure n 1
File name: PN00-1.edf
Registration start time: 19.39.33
Registration end time:  19.40.03
Seizure start time: 19.39.43
Seizure end time: 19.39.55
"""


@pytest.fixture(scope="module")
def replica(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_siena(tmp_path_factory.mktemp("siena"))


@pytest.fixture(scope="module")
def catalog(replica: Path) -> Catalog:
    return read_siena(replica)


@pytest.fixture
def copy(replica: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(replica, tmp_path / "copy"))


def told(catalog: Catalog, patient: str = "PN") -> list[str]:
    problems = [p for p in catalog.problems if p.where.startswith(patient)]
    return [str(p).partition(".txt:")[2] or str(p) for p in problems]


def spans(catalog: Catalog) -> dict[str, list[tuple[float, float]]]:
    return {
        r.name.partition("/")[2].removesuffix(".edf"): [
            (e.onset, e.onset + e.duration) for e in r.events
        ]
        for r in catalog.recordings
    }


def test_every_spelling_gives_the_planted_seizures(catalog: Catalog) -> None:
    assert spans(catalog) == {stem: list(s) for stem, (_, s) in SIENA_FILES.items()}
    assert len(catalog.patients) == 7
    assert not catalog.notes


def test_decisions_are_listed(catalog: Catalog) -> None:
    """Nothing about a list is repaired without a line that says so."""
    assert {p.kind for p in catalog.problems} == {"contradiction"}
    assert told(catalog, "PN00") == [
        (
            f"{FIRST + 11}: found a seizure that ends at 3618 s, after the 30 s of the "
            "file, and fits one hour earlier: 18 s believed"
        )
    ]
    names = [t for t in told(catalog) if "found the name" in t]
    assert [t.partition("found the name ")[2] for t in names] == [
        "PN01.edf, taken for PN01-1.edf",
        "PN01.edf, taken for PN01-1.edf",
        "PNO6-1.edf, taken for PN06-1.edf",
        "PN11-.edf, taken for PN11-1.edf",
    ]
    assert told(catalog, "PN10") == [
        f"{FIRST + 5}: found two times, 11:40:20 and 11:40:18: 11:40:20 taken",
        f"{FIRST + 11}: found two times, 15:43:53 and 15:43:59: 15:43:59 taken",
    ]
    assert told(catalog, "PN14") == [
        (
            f"{FIRST + 4}: found a registration start of 16:17:45, the header of "
            "PN14-3.edf says 19:17:45: 19:17:45 believed"
        )
    ]
    assert not told(catalog, "PN12")
    assert len(catalog.problems) == 8


def test_type_side_and_lobe_come_from_the_subjects(catalog: Catalog) -> None:
    of = {r.patient: r.events[0] for r in catalog.recordings}
    assert of["PN00"].event_type == "sz_foc_ia"
    assert of["PN14"].event_type == "sz_foc_a"
    assert of["PN10"].event_type == "sz_foc_f2b"
    assert place_of_leads(of["PN00"].channels) == ("right", "temporal")
    assert place_of_leads(of["PN01"].channels) == ("left", "temporal")
    assert place_of_leads(of["PN10"].channels) == ("bilateral", "frontal")


@pytest.mark.parametrize("side", ["left", "right", "bilateral"])
@pytest.mark.parametrize(
    "lobe", ["frontal", "temporal", "central", "parietal", "occipital", "unknown"]
)
def test_leads_of_a_place_give_it_back(side: Side, lobe: Lobe) -> None:
    assert place_of_leads(leads_of(side, lobe)) == (side, lobe)


def test_no_side_no_leads() -> None:
    assert leads_of("unknown", "temporal") == ()


def test_recordings_can_be_prepared(catalog: Catalog, tmp_path: Path) -> None:
    """29 electrodes and signals with names such as `1`, at 512 Hz."""
    chosen = [r for r in catalog.recordings if r.patient in ("PN00", "PN12")]
    store = prepare(chosen, tmp_path / "store", SignalConfig())
    assert not store.skipped
    for stored in store.recordings:
        assert stored.crop(5, 20).usable.all()
        onset_s = round(stored.seizures[0].onset_s)
        ictal = stored.crop(onset_s, 5).eeg[0].std()
        assert ictal > 2 * stored.crop(0, onset_s - 1).eeg[0].std()


# Deciding ----------------------------------------------------------------------------


def test_midnight_on_either_side(copy: Path) -> None:
    text = """File name: PN01-1.edf
Registration start time: 23.59.50
Seizure n 1
Start time: 23.59.58
End time: 00.00.10
"""
    (copy / "PN01" / "Seizures-list-PN01.txt").write_text(text)
    assert spans(read_siena(copy))["PN01-1"] == [(8, 20)]


def test_the_header_decides_where_the_list_has_no_start(copy: Path) -> None:
    path = copy / "PN14" / "Seizures-list-PN14.txt"
    path.write_text(path.read_text().replace("Registration start time: 16.17.45\n", ""))
    catalog = read_siena(copy)
    assert spans(catalog)["PN14-3"] == [(8, 20)]
    assert not told(catalog, "PN14")


def test_the_list_decides_where_the_header_has_no_start(copy: Path) -> None:
    blank_start(copy / "PN00" / "PN00-1.edf")
    assert spans(read_siena(copy))["PN00-1"] == [(10, 22)]


def test_the_list_decides_where_the_header_was_made_anonymous(copy: Path) -> None:
    path = copy / "PN00" / "PN00-1.edf"
    data = bytearray(path.read_bytes())
    data[176:184] = b"00.00.00"
    path.write_bytes(data)
    catalog = read_siena(copy)
    assert spans(catalog)["PN00-1"] == [(10, 22)]
    assert "PN00-1.edf says 00:00:00: 19:39:33 believed" in told(catalog, "PN00")[0]


def test_neither_has_a_start(copy: Path) -> None:
    path = copy / "PN14" / "Seizures-list-PN14.txt"
    path.write_text(path.read_text().replace("Registration start time: 16.17.45\n", ""))
    blank_start(copy / "PN14" / "PN14-3.edf")
    catalog = read_siena(copy)
    assert "PN14-3" not in spans(catalog)
    assert "found no start of PN14-3.edf" in told(catalog, "PN14")[0]


def blank_start(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[168:184] = b" " * 16
    path.write_bytes(data)


def test_a_seizure_that_lies_nowhere(copy: Path) -> None:
    path = copy / "PN00" / "Seizures-list-PN00.txt"
    path.write_text(path.read_text().replace("19.39.43", "22.39.43"))
    catalog = read_siena(copy)
    assert "PN00-1" not in spans(catalog)
    (problem,) = [p for p in catalog.problems if p.kind == "past_end"]
    assert "from 22:39:43 to 19:39:55, expected it in PN00-1.edf" in problem.text


# What is not as it should be ---------------------------------------------------------


def test_missing_and_unlisted_files(copy: Path) -> None:
    folder = copy / "PN00"
    (folder / "PN00-1.edf").rename(folder / "PN00-7.edf")
    (copy / "PN06" / "Seizures-list-PN06.txt").unlink()
    catalog = read_siena(copy)
    kinds = {p.where: p.kind for p in catalog.problems if p.kind != "contradiction"}
    assert kinds == {
        f"PN00/Seizures-list-PN00.txt:{FIRST + 4}": "missing",
        "PN00/PN00-7.edf": "unannotated",
        "PN06/Seizures-list-PN06.txt": "missing",
        "PN06/PN06-1.edf": "unannotated",
    }


def test_another_number_of_seizures_than_the_subjects_say(copy: Path) -> None:
    path = copy / "subject_info.csv"
    path.write_text(path.read_text().replace("T, R, 29, 2", "T, R, 29, 5"))
    assert str(read_siena(copy).problems[0]) == (
        "PN00/Seizures-list-PN00.txt: found 2 seizures, expected 5 as in "
        "subject_info.csv: the list believed"
    )


def test_without_subjects(copy: Path) -> None:
    (copy / "subject_info.csv").unlink()
    catalog = read_siena(copy)
    assert {(e.event_type, e.channels) for e in catalog.seizures} == {("sz", ())}
    assert catalog.notes == ("no subject_info.csv: types of seizures unknown",)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", ":1: no column 'patient_id'; expected patient_id seizure"),
        ("patient_id, seizure\n", ":1: no column 'localization'; expected"),
        (
            "patient_id, seizure, localization, lateralization\nPN00, XYZ, T, R\n",
            ":2: found seizure 'XYZ', expected one of IAS WIAS FBTC",
        ),
    ],
)
def test_wrong_subjects(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "subject_info.csv"
    path.write_text(text)
    with pytest.raises(CorpusError) as raised:
        read_subjects(path)
    assert f"{path}{said}" in str(raised.value)


def test_nothing_there(tmp_path: Path) -> None:
    with pytest.raises(
        CorpusError, match="found no folder of a patient, expected PN00"
    ):
        read_siena(tmp_path)


# Lists -------------------------------------------------------------------------------


def listed(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "Seizures-list-PN00.txt"
    path.write_text(SIENA_HEAD + text, encoding="latin-1")
    return path


@pytest.mark.parametrize(
    ("old", "new", "line", "said"),
    [
        ("19.39.43", "soon", 4, "'Seizure start time: soon', expected a time such as"),
        ("19.39.43", "19.39", 4, "expected a time such as 19.58.36"),
        ("19.39.43", "29.39.43", 4, "expected a time"),
        ("19.39.43", "19.39.43 19.39.44", 4, "expected a time"),
        ("Seizure end", "Seizure over", 5, "found 'Seizure over time"),
        ("Seizure end time: 19.39.55\n", "", 4, "a seizure, expected its end"),
        ("Seizure start time: 19.39.43\n", "", 4, "the start of the seizure before"),
        ("File name: PN00-1.edf\n", "", 3, "expected 'File name:' before it"),
        ("PN00-1.edf", "", 1, "expected the name of a recording"),
        ("Registration start", "Registrations", 2, "found 'Registrations time"),
    ],
)
def test_a_line_that_is_not_understood(
    tmp_path: Path, old: str, new: str, line: int, said: str
) -> None:
    assert old in BLOCK
    path = listed(tmp_path, BLOCK.replace(old, new))
    with pytest.raises(CorpusError) as raised:
        read_seizure_list(path)
    assert str(raised.value).startswith(f"{path}:{FIRST + line}: found")
    assert said in str(raised.value)
    assert "\n" not in str(raised.value)


def test_accents_and_bare_words_do_no_harm(tmp_path: Path) -> None:
    text = BLOCK.replace("Seizure n 1", "Seizure n 1 (perché, in sleep):")
    (seizure,) = read_seizure_list(listed(tmp_path, text + "\nNote: così\n"))
    assert clock_text(seizure.start_s) == "19:39:43"
    assert clock_text(seizure.registered_s or 0) == "19:39:33"


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("PN06-1.edf", "PN06-1"),
        ("PNO6-2.edf", "PN06-2"),
        ("pn06-2.edf", "PN06-2"),
        ("PN06-2", "PN06-2"),
        ("PN06-9.edf", None),
        ("PN06.edf", None),
        ("PN06-.edf", None),
    ],
)
def test_names_of_files(name: str, meant: str | None) -> None:
    paths = [Path("PN06-1.edf"), Path("PN06-2.edf")]
    found = meant_file(name, paths)
    assert (found and found.stem) == meant


@pytest.mark.parametrize("name", ["PN11-.edf", "PN11.edf"])
def test_the_only_file(name: str) -> None:
    only = Path("PN11-1.edf")
    assert meant_file(name, [only]) == only
    assert meant_file("PN11-2.edf", [only]) is None
    assert meant_file(name, []) is None


# Times of day ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        *("19.58.36", "19:58:36", "19:58.36", "19.58:36", ":19.58.36", "1 9.58.36"),
        *("  19.58.36  ", "19.58.36 (ELECTRIC ONSET)", "at 19.58.36;"),
    ],
)
def test_spellings_of_a_time(text: str) -> None:
    assert times_of_day(text) == [19 * 3600 + 58 * 60 + 36]


def test_no_time() -> None:
    for text in ("", "19.58", "24.00.00", "19.60.00", "19.58.60", "1119.58.36"):
        assert times_of_day(text) == []


@settings(deadline=None)
@given(st.integers(0, DAY_S - 1), st.integers(0, DAY_S - 1))
def test_times_go_round(start_s: int, length_s: int) -> None:
    (later,) = times_of_day(clock_text(start_s + length_s))
    assert after(later, start_s) == length_s
