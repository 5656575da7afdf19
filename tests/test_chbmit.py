"""CHB-MIT: its 24 real summaries, and each trap of its layout on a replica."""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from corpus_replicas import CHB_FILES, CHB_HEAD, write_chbmit
from distilclip_eeg.config import SignalConfig
from distilclip_eeg.corpora.catalog import Catalog
from distilclip_eeg.corpora.chbmit import SummaryEntry, read_chbmit, read_summary
from distilclip_eeg.corpora.splits import leave_one_out
from distilclip_eeg.corpora.store import prepare
from distilclip_eeg.eeg.montage import LEADS, plan_montage
from distilclip_eeg.errors import CorpusError
from edf_writer import Signal, write_edf
from replica_signals import bipolar, recording

# Number of seizures and their seconds by case: Shoeb 2009, by the 24 summaries.
BY_CASE = {
    "chb01": (7, 442), "chb02": (3, 172), "chb03": (7, 402), "chb04": (4, 378),
    "chb05": (5, 558), "chb06": (10, 153), "chb07": (3, 325), "chb08": (5, 919),
    "chb09": (4, 276), "chb10": (7, 447), "chb11": (3, 806), "chb12": (40, 1475),
    "chb13": (12, 535), "chb14": (8, 169), "chb15": (20, 1992), "chb16": (10, 84),
    "chb17": (3, 293), "chb18": (6, 317), "chb19": (3, 236), "chb20": (8, 294),
    "chb21": (4, 199), "chb22": (3, 204), "chb23": (7, 424), "chb24": (16, 511),
}  # fmt: skip
BLOCK = """File Name: chb01_03.edf
File Start Time: 13:43:04
File End Time: 14:43:04
Number of Seizures in File: 1
Seizure 1 Start Time: 2996 seconds
Seizure 1 End Time: 3036 seconds
"""
FIRST = CHB_HEAD.count("\n") + 1  # line of a summary at which its blocks begin


@pytest.fixture(scope="module")
def replica(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_chbmit(tmp_path_factory.mktemp("chbmit"))


@pytest.fixture(scope="module")
def catalog(replica: Path) -> Catalog:
    return read_chbmit(replica)


def summary(folder: Path, text: str) -> Path:
    path = folder / "chb01-summary.txt"
    path.write_text(CHB_HEAD + text)
    return path


# The real summaries ------------------------------------------------------------------


@pytest.fixture(scope="module")
def real(data_dir: Path) -> dict[str, list[SummaryEntry]]:
    paths = sorted((data_dir / "chbmit_annotations").glob("chb*-summary.txt"))
    return {path.name[:5]: read_summary(path) for path in paths}


def test_all_real_seizures_are_read(real: dict[str, list[SummaryEntry]]) -> None:
    files = [entry for entries in real.values() for entry in entries]
    spans = [end - start for entry in files for start, end, _ in entry.seizures]
    assert len(files) == 676
    assert sum(bool(entry.seizures) for entry in files) == 141
    assert len(spans) == 198
    assert sum(spans) == 11_611
    assert (np.median(spans), min(spans), max(spans)) == (45.5, 6, 752)


def test_real_seizures_by_case(real: dict[str, list[SummaryEntry]]) -> None:
    found = {
        case: (
            sum(len(entry.seizures) for entry in entries),
            sum(end - start for entry in entries for start, end, _ in entry.seizures),
        )
        for case, entries in real.items()
    }
    assert found == BY_CASE


def test_real_seizures_end_before_their_file(
    real: dict[str, list[SummaryEntry]],
) -> None:
    """Hours of one digit and beyond 24 are understood, or lengths would be absurd."""
    for case, entries in real.items():
        for entry in entries:
            assert (entry.listed_s is None) == (case == "chb24")
            if entry.listed_s is not None:
                assert 60 <= entry.listed_s <= 4.1 * 3600
                ends = [end for _, end, _ in entry.seizures]
                assert max(ends, default=0) <= entry.listed_s


def test_a_whole_copy_with_the_real_summaries(
    data_dir: Path, real: dict[str, list[SummaryEntry]], tmp_path: Path
) -> None:
    """All 686 files as stubs: four leads, one sample in one record of right length."""
    source = data_dir / "chbmit_annotations"
    for name in ("RECORDS", "RECORDS-WITH-SEIZURES"):
        shutil.copy(source / name, tmp_path)
    for case in real:
        (tmp_path / case).mkdir()
        shutil.copy(source / f"{case}-summary.txt", tmp_path / case)
    lengths = {e.file: e.listed_s for entries in real.values() for e in entries}
    signals = [Signal(lead, [0]) for lead in LEADS[:4]]
    for name in (source / "RECORDS").read_text().split():
        record_s = lengths.get(Path(name).name) or 4000
        write_edf(tmp_path / name, signals, n_records=1, record_s=record_s)

    catalog = read_chbmit(tmp_path)
    assert len(catalog.recordings) == 676
    assert len(catalog.seizures) == 198
    assert sum(event.duration for event in catalog.seizures) == 11_611
    assert len(catalog.patients) == 23
    unlisted = [p for p in catalog.problems if p.kind == "unannotated"]
    assert len(unlisted) == 10
    assert all(problem.where.startswith("chb24/") for problem in unlisted)
    disagreements = [str(p) for p in catalog.problems if p.kind == "contradiction"]
    assert len(disagreements) == 2
    assert "chb07/chb07_18.edf" in disagreements[0]
    assert disagreements[1].startswith("chb07/chb07_19.edf: ")
    assert len(catalog.problems) == 12


# The replica -------------------------------------------------------------------------


def test_recordings_of_the_replica(catalog: Catalog) -> None:
    found = {
        r.path.stem: [(e.onset, e.onset + e.duration) for e in r.events]
        for r in catalog.recordings
    }
    listed = {k: list(v) for k, (_, v) in CHB_FILES.items() if k != "chb24_02"}
    assert found == listed
    assert {r.kind for r in catalog.recordings if r.events} == {"seizure"}
    assert {r.kind for r in catalog.recordings if not r.events} == {"background"}
    assert {r.duration_s for r in catalog.recordings} == {30.0}
    assert {e.event_type for e in catalog.seizures} == {"sz"}


def test_chb21_is_chb01(catalog: Catalog) -> None:
    later = [r for r in catalog.recordings if r.session == "chb21"]
    assert [r.name for r in later] == ["chb21/chb21_19.edf"]
    assert later[0].patient == "chb01"
    assert "chb21" not in catalog.patients
    split = leave_one_out(catalog.recordings)
    assert split.part(later[0]) == split.part(catalog.recordings[0]) == "chb01"


def test_files_that_no_summary_lists_are_not_seizure_free(catalog: Catalog) -> None:
    assert not [r for r in catalog.recordings if r.path.stem == "chb24_02"]
    (problem,) = [p for p in catalog.problems if p.kind == "unannotated"]
    assert str(problem) == (
        "chb24/chb24_02.edf: not in chb24-summary.txt, expected it there"
    )


def test_the_summary_knows_better_than_the_list_of_records(catalog: Catalog) -> None:
    seizures = {r.path.stem: r.events for r in catalog.recordings}
    assert not seizures["chb07_18"]
    assert len(seizures["chb07_19"]) == 1
    told = [str(p) for p in catalog.problems if p.kind == "contradiction"]
    assert [where.split(": ")[0] for where in told] == [
        "RECORDS-WITH-SEIZURES:4",
        "chb07/chb07_19.edf",
    ]


def test_every_file_is_a_recording_or_a_problem(replica: Path) -> None:
    catalog = read_chbmit(replica)
    named = {r.name for r in catalog.recordings} | {p.where for p in catalog.problems}
    files = {p.relative_to(replica).as_posix() for p in replica.rglob("*.edf")}
    assert files <= named


def test_channels_are_those_of_each_file(catalog: Catalog, tmp_path: Path) -> None:
    """Dummies, T8-P8 twice, CS2 references and 01 for O1 give the same 18 leads."""
    store = prepare(catalog.recordings, tmp_path / "store", SignalConfig())
    assert not store.skipped
    loud = {}
    for stored in store.recordings:
        if stored.name.startswith("chb12"):
            crop = stored.crop(10, 5)
            assert crop.usable.all()
            loud[stored.name] = crop.eeg.std(axis=1)
    assert len(loud) == 4
    first = loud["chb12/chb12_06.edf"]
    for spread in loud.values():
        np.testing.assert_allclose(spread, first, rtol=0.35)
    assert np.argmax(first) in [i for i, lead in enumerate(LEADS) if lead[-1] in "1357"]


def test_duplicates_and_dummies_leave_all_leads() -> None:
    labels = ["-", *LEADS, "T8-P8", ".", "-", "ECG"]
    assert not plan_montage(labels).missing_leads


# What is not as it should be ---------------------------------------------------------


def test_files_that_are_not_there(replica: Path, tmp_path: Path) -> None:
    root = shutil.copytree(replica, tmp_path / "copy")
    (root / "chb01" / "chb01_03.edf").unlink()
    (root / "chb24" / "chb24_02.edf").unlink()
    shutil.rmtree(root / "chb12")  # a case that was not fetched is no problem
    told = [str(p) for p in read_chbmit(root).problems if p.kind == "missing"]
    assert told == [
        "RECORDS:13: chb24/chb24_02.edf is not on disk",
        (
            f"chb01/chb01-summary.txt:{FIRST + 5}: chb01_03.edf is not on disk, "
            "seizures in it: 1"
        ),
    ]


def test_a_case_without_summary(replica: Path, tmp_path: Path) -> None:
    root = shutil.copytree(replica, tmp_path / "copy")
    (root / "chb04" / "chb04-summary.txt").unlink()
    catalog = read_chbmit(root)
    assert "chb04" not in catalog.patients
    kinds = Counter(p.kind for p in catalog.problems if p.where.startswith("chb04"))
    assert kinds == {"missing": 1, "unannotated": 2}


@pytest.mark.parametrize(
    ("end_s", "text", "left"),
    [
        (50, "ends at 50 s, expected it within the 30 s of chb01/a.edf: cut there", 22),
        (31, "", 22),
    ],
)
def test_a_seizure_that_ends_past_the_end_is_cut(
    tmp_path: Path, end_s: int, text: str, left: float
) -> None:
    root = one_file(tmp_path, 8, end_s)
    catalog = read_chbmit(root)
    (event,) = catalog.recordings[0].events
    assert (event.onset, event.duration) == (8, left)
    told = [str(p) for p in catalog.problems]
    assert [t.partition("seizure that ")[2] for t in told] == ([text] if text else [])


def test_a_seizure_past_the_end_makes_the_file_doubtful(tmp_path: Path) -> None:
    catalog = read_chbmit(one_file(tmp_path, 100, 120))
    assert not catalog.recordings
    assert [str(p) for p in catalog.problems] == [
        (
            f"chb01/chb01-summary.txt:{FIRST + 2}: found a seizure that begins at 100 "
            "s, expected it within the 30 s of chb01/a.edf: the file is left out"
        )
    ]
    with pytest.raises(CorpusError, match=r"no recording of chbmit .*: 1 past end"):
        catalog.required()


def one_file(root: Path, start_s: int, end_s: int) -> Path:
    recording(root / "chb01" / "a.edf", bipolar(LEADS[:4]), sfreq=32)
    lines = ("File Name: a.edf", "Number of Seizures in File: 1")
    times = (
        f"Seizure Start Time: {start_s} seconds\nSeizure End Time: {end_s} seconds\n"
    )
    summary(root / "chb01", "\n".join((*lines, times)))
    return root


def test_a_damaged_file_is_listed(tmp_path: Path) -> None:
    root = one_file(tmp_path, 8, 20)
    (root / "chb01" / "a.edf").write_bytes(b"0       and no more")
    catalog = read_chbmit(root)
    assert not catalog.recordings
    assert [(p.kind, p.where) for p in catalog.problems] == [
        ("unreadable", "chb01/a.edf")
    ]


@pytest.mark.parametrize(
    ("old", "new", "line", "said"),
    [
        ("Start Time: 2996", "Start: 2996", 4, "found 'Seizure 1 Start: 2996 seconds'"),
        ("3036 seconds", "later", 5, "found 'Seizure 1 End Time: later'"),
        ("13:43:04", "13.43.04", 1, "found 'File Start Time: 13.43.04'"),
        ("chb01_03.edf", "chb01_03", 0, "found 'File Name: chb01_03'"),
        ("File: 1", "File: 2", 3, "1 whole seizures of chb01_03.edf, expected 2"),
        ("3036", "2996", 5, "from 2996 to 2996 s, expected it to end after"),
        ("1 Start", "1 End", 4, "expected the start of a seizure"),
        ("1 End", "1 Start", 5, "expected the end of a seizure"),
        ("Number of Seizures in File: 1\n", "", 0, "expected their number"),
        ("Seizure 1 End Time: 3036 seconds\n", "", 3, "0 whole seizures"),
    ],
)
def test_a_line_that_is_not_understood(
    tmp_path: Path, old: str, new: str, line: int, said: str
) -> None:
    assert old in BLOCK
    path = summary(tmp_path, BLOCK.replace(old, new))
    with pytest.raises(CorpusError) as raised:
        read_summary(path)
    assert str(raised.value).startswith(f"{path}:{FIRST + line}: ")
    assert said in str(raised.value)
    assert "expected" in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_file_listed_twice(tmp_path: Path) -> None:
    path = summary(tmp_path, BLOCK + BLOCK)
    with pytest.raises(
        CorpusError, match=rf":{FIRST + 6}: found chb01_03.edf a second"
    ):
        read_summary(path)


def test_no_case_at_all(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="found no folder of a case, expected chb01"):
        read_chbmit(tmp_path)
