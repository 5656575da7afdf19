"""Types written down beside AUBMC's times reach the seizures of the raw recordings."""

from __future__ import annotations

from pathlib import Path

import pytest

from corpus_replicas import write_aubmc
from distilclip_eeg.corpora.aubmc import read_aubmc
from distilclip_eeg.corpora.aubmc_types import read_seizure_types
from distilclip_eeg.errors import CorpusError


def test_types_by_record_and_time_of_day(tmp_path: Path) -> None:
    root = write_aubmc(tmp_path)
    (root / "Seizure_types.tsv").write_text(
        "record\tstart\tclass\n"
        "p10_Record1\t07:36:46\t1\n"
        "p11_Record1\t23:59:58\t2\n"
        "p11_record1\t0.0.10\t3\n"
        "# not known: p12\n"
        "p10_Record2\t09:10:11\t1\n"
    )
    catalog = read_aubmc(root)
    assert [e.event_type for r in catalog.recordings for e in r.events] == [
        "sz_foc_ia",
        "sz_electrographic",
        "sz_video",
        "sz",
    ]
    told = [str(p) for p in catalog.problems if p.kind == "contradiction"]
    (line,) = told
    assert line == (
        "Seizure_types.tsv:6: found the type of a seizure of p10_record2 at 09:10:11 "
        "that Seizure_times.py does not know: left out"
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("p10_Record1 07:36:46 1", ":1: found 'p10_Record1 07:36:46 1', expected"),
        ("\np10_Record1\t07:36\t1", ":2: found"),
        ("p10_Record1\t07:36:46\t4", "1 complex partial seizure; 2 electrographic"),
        ("p10_Record1\t07:36:46\t0", "expected record start class apart by tabs"),
        (
            "p10_Record1\t07:36:46\t1\np10_Record1\t07.36.46\t2",
            ":2: found class 2 for a seizure that line 1 puts elsewhere",
        ),
    ],
)
def test_what_is_said_of_wrong_types(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "Seizure_types.tsv"
    path.write_text(text + "\n")
    with pytest.raises(CorpusError) as raised:
        read_seizure_types(path)
    assert str(raised.value).startswith(f"{path}:")
    assert said in str(raised.value)
