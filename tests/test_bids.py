"""BIDS-EEG trees as SzCORE lays them out, and SeizeIT2 with too few leads."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from corpus_replicas import bids_events, bids_name, write_bids, write_seizeit2
from distilclip_eeg.config import SignalConfig
from distilclip_eeg.corpora.bids import read_bids
from distilclip_eeg.corpora.catalog import Catalog
from distilclip_eeg.corpora.splits import leave_one_out
from distilclip_eeg.corpora.store import prepare
from distilclip_eeg.eeg.annotations import Event
from distilclip_eeg.eeg.montage import LEADS
from distilclip_eeg.errors import CorpusError
from mne_writers import LABELS, SFREQ, write_brainvision

NAME = "bids-replica-scalp-eeg"


@pytest.fixture(scope="module")
def replica(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_bids(tmp_path_factory.mktemp("bids"))


@pytest.fixture(scope="module")
def catalog(replica: Path) -> Catalog:
    return read_bids(replica)


@pytest.fixture
def copy(replica: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(replica, tmp_path / "copy"))


def told(catalog: Catalog) -> list[tuple[str, str]]:
    return [(problem.kind, str(problem)) for problem in catalog.problems]


def test_recordings_subjects_sessions(catalog: Catalog) -> None:
    assert not catalog.problems
    assert (catalog.dataset, catalog.version) == (NAME, "1.0.0")
    assert [(r.patient, r.session, len(r.events)) for r in catalog.recordings] == [
        (f"{NAME}:sub-00", "ses-01", 1),
        (f"{NAME}:sub-01", "ses-01", 1),
        (f"{NAME}:sub-01", "ses-02", 0),
        (f"{NAME}:sub-02", "ses-01", 0),
        (f"{NAME}:sub-02", "ses-01", 2),
    ]
    assert catalog.seizures[0] == Event(5, 12, "sz_foc_ia", None, ("all",))
    assert catalog.recordings[3].kind == "background"


def test_sessions_of_a_subject_stay_together(catalog: Catalog) -> None:
    split = leave_one_out(catalog.recordings)
    parts = {split.part(r) for r in catalog.recordings if "sub-01" in r.name}
    assert parts == {f"{NAME}:sub-01"}


def test_subjects_of_two_trees_are_two_people(catalog: Catalog, tmp_path: Path) -> None:
    other = read_bids(write_bids(tmp_path, name="Another"))
    assert not {*catalog.patients} & {*other.patients}


def test_recordings_can_be_prepared(catalog: Catalog, tmp_path: Path) -> None:
    store = prepare(catalog.recordings, tmp_path / "store", SignalConfig())
    assert not store.skipped
    assert all(r.crop(5, 20).usable.all() for r in store.recordings)


def test_without_sessions_and_of_another_format(tmp_path: Path) -> None:
    folder = tmp_path / "sub-7" / "eeg"
    folder.mkdir(parents=True)
    stem = "sub-7_task-rest"
    header = folder / f"{stem}_eeg.vhdr"
    write_brainvision(header, np.zeros((len(LABELS), 20 * SFREQ)))
    text = header.read_text(encoding="utf-8")
    for label, lead in zip(LABELS, LEADS, strict=False):
        text = text.replace(f"={label},", f"={lead},")
    header.write_text(text, encoding="utf-8")
    (folder / f"{stem}_events.tsv").write_text(bids_events((4, 5, "sz"), duration_s=20))
    catalog = read_bids(tmp_path)
    (recording,) = catalog.recordings
    assert (recording.patient, recording.session) == ("bids:sub-7", "")
    assert recording.duration_s == 20
    assert [kind for kind, _ in told(catalog)] == ["missing"]  # the side-car


def test_behind_the_ear_is_refused_clearly(tmp_path: Path) -> None:
    catalog = read_bids(write_seizeit2(tmp_path))
    assert not catalog.recordings
    ((kind, text),) = told(catalog)
    assert kind == "too_few_leads"
    assert "0 of the 18 leads can be computed" in text
    assert "labels in the recording: BTEleft SD, CROSStop SD" in text
    with pytest.raises(CorpusError) as raised:
        catalog.required()
    assert "found no recording of seizeit2 that can be used" in str(raised.value)
    assert "1 too few leads" in str(raised.value)
    assert "\n" not in str(raised.value)


# What is not as it should be ---------------------------------------------------------


def test_missing_parts(copy: Path) -> None:
    (copy / f"{bids_name('00')}_events.tsv").unlink()
    (copy / f"{bids_name('01')}_eeg.edf").unlink()
    (copy / f"{bids_name('02')}_eeg.json").unlink()
    catalog = read_bids(copy)
    assert len(catalog.recordings) == 3
    stem = bids_name("00")
    assert told(catalog) == [
        (
            "missing",
            (
                f"{bids_name('02')}_eeg.json: side-car of {Path(bids_name('02')).name}"
                "_eeg.edf: not needed"
            ),
        ),
        (
            "unannotated",
            f"{stem}_eeg.edf: no {Path(stem).name}_events.tsv, expected it beside it",
        ),
        ("orphan", f"{bids_name('01')}_events.tsv: no recording beside it"),
    ]


def test_a_table_without_rows_says_nothing(copy: Path) -> None:
    (copy / f"{bids_name('02')}_events.tsv").write_text(bids_events())
    ((kind, text),) = told(read_bids(copy))
    assert kind == "unannotated"
    assert "found no row, expected one that says bckg" in text


def test_a_table_that_is_not_understood_costs_its_own_file(copy: Path) -> None:
    path = copy / f"{bids_name('00')}_events.tsv"
    path.write_text(path.read_text().replace("12.00", "long"))
    catalog = read_bids(copy)
    assert len(catalog.recordings) == 4
    ((kind, text),) = told(catalog)
    assert kind == "unreadable"
    assert text.startswith(f"{bids_name('00')}_events.tsv, line 2: found duration")
    assert text.endswith("run-00_eeg.edf is left out")


def test_lengths_that_disagree(copy: Path) -> None:
    path = copy / f"{bids_name('00')}_events.tsv"
    path.write_text(bids_events((5, 12, "sz"), (25, 50, "sz"), duration_s=90))
    sidecar = copy / f"{bids_name('01')}_eeg.json"
    sidecar.write_text('{"RecordingDuration": 3600}')
    catalog = read_bids(copy)
    assert [kind for kind, _ in told(catalog)] == ["past_end", *["contradiction"] * 2]
    texts = [text for _, text in told(catalog)]
    assert f"{path.name}:3: found a seizure that ends at 75 s" in texts[0]
    assert "found a recording of 90 s, expected the 30 s of" in texts[1]
    assert "found a recording of 3600 s, expected the 30 s of" in texts[2]
    assert [e.duration for e in catalog.recordings[0].events] == [12, 5]


def test_other_events_are_listed_and_not_counted(copy: Path) -> None:
    path = copy / f"{bids_name('00')}_events.tsv"
    path.write_text(bids_events((5, 12, "sz"), (20, 5, "impd"), (25, 5, "bckg")))
    catalog = read_bids(copy)
    assert len(catalog.recordings[0].events) == 1
    (problem,) = catalog.problems
    assert (problem.kind, problem.text) == ("not_counted", "impd at 20 s")
    assert problem.where.endswith("_events.tsv:3")


@pytest.mark.parametrize("text", ["{", "[]", '{"Name": 3'])
def test_a_wrong_side_car_costs_nothing(copy: Path, text: str) -> None:
    (copy / f"{bids_name('00')}_eeg.json").write_text(text)
    catalog = read_bids(copy)
    assert len(catalog.recordings) == 5
    ((kind, said),) = told(catalog)
    assert kind == "unreadable"
    assert "_eeg.json:1: found" in said


def test_a_wrong_description_names_file_and_line(copy: Path) -> None:
    (copy / "dataset_description.json").write_text('{\n"Name": }')
    with pytest.raises(CorpusError, match=r"description\.json:2: found no JSON"):
        read_bids(copy)


def test_a_tree_without_name(copy: Path) -> None:
    (copy / "dataset_description.json").write_text(json.dumps({"Name": "--"}))
    assert read_bids(copy).dataset == "bids"


def test_nothing_there(tmp_path: Path) -> None:
    (tmp_path / "sub-01").mkdir()
    with pytest.raises(CorpusError, match=r"found no sub-\*/eeg"):
        read_bids(tmp_path)
