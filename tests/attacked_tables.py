"""What experts, data sets and detectors write about recordings, to be attacked."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import numpy as np

from attack_target import Target
from corpus_replicas import AUBMC_TIMES, CHB_HEAD, CHB_SUMMARIES, bids_events, bids_name
from distilclip_eeg.archive.listing import list_archive
from distilclip_eeg.config import load_config
from distilclip_eeg.corpora.aubmc import read_aubmc
from distilclip_eeg.corpora.aubmc_segments import read_segments
from distilclip_eeg.corpora.bids import read_bids
from distilclip_eeg.corpora.chbmit import read_chbmit
from distilclip_eeg.corpora.download import read_sums
from distilclip_eeg.corpora.manifest import read_manifest_catalog
from distilclip_eeg.corpora.siena import read_siena
from distilclip_eeg.corpora.splits import read_split
from distilclip_eeg.corpora.tusz import read_tusz
from distilclip_eeg.eeg.annotations import read_tsv
from distilclip_eeg.evaluation.predictions import COLUMNS as PREDICTION_COLUMNS
from distilclip_eeg.evaluation.predictions import read_predictions
from distilclip_eeg.evaluation.trees import match_trees
from edf_writer import Signal, write_edf
from replica_siena import SIENA_HEAD, SIENA_LISTS, SIENA_SUBJECTS
from replica_tusz import LEFT_TEMPORAL, tusz_csv, tusz_csv_bi, tusz_tse

_SUMMARIES = Path(__file__).resolve().parents[2] / "shared/data/chbmit_annotations"
_STEM = "edf/dev/aaaaaajy/s001_2003/02_tcp_le/aaaaaajy_s001_t000"
_OLD = "edf/train/01_tcp_ar/002/aaaaaabc/s002_2009_01_01/aaaaaabc_s002_t001"
_BIDS = bids_name("01")
_MANIFEST = (
    "recording\tevents\tkind\tlabelled\tsource\tpatient\tfold\n"
    "a.edf\ta.tsv\tseizure\t\tnorth\tn1\t0\nb.edf\t\thard_negative\t2-9\tsouth\ts1\t1\n"
)
_SPLIT = "# name: two\n# tested: eval\npatient\tpart\nn1\ttrain\nn2\ttrain\nn3\teval\n"
_CONFIG = Path(__file__).parents[1] / "configs" / "edge.toml"
_SUMS = f"{'0' * 64}  chb01/chb01_01.edf\n{'a' * 64} *RECORDS\n"


def recording(path: Path) -> None:
    """Write 40 s of five leads, as small as a catalog takes."""
    leads = ("FP1-F7", "F7-T7", "T7-P7", "P7-O1", "FP1-F3")
    nothing = np.zeros(40)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_edf(
        path,
        [Signal(lead, nothing) for lead in leads],
        n_records=40,
        main={"date": "01.01.16", "time": "19.39.33"},
    )


def _files(
    texts: Mapping[str, str], recordings: tuple[str, ...] = ()
) -> Callable[[Path], object]:
    def write(root: Path) -> None:
        for name, text in texts.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(text, encoding="utf-8")
        for name in recordings:
            recording(root / name)

    return write


def _table(
    name: str,
    texts: Mapping[str, str],
    read: Callable[[Path], object],
    recordings: tuple[str, ...] = (),
) -> Target:
    return Target(name, tuple(texts), _files(texts, recordings), read)


def _one(name: str, file: str, text: str, read: Callable[[Path], object]) -> Target:
    return _table(name, {file: text}, lambda root: read(root / file))


def _write_aubmc(root: Path) -> None:
    _files(_AUBMC, ("Raw_EDF_Files/p10_Record1.edf",))(root)
    for part, n in (("train", 4), ("test", 2)):
        np.save(root / f"x_{part}.npy", np.zeros((n, 19, 500), np.float16))
        np.save(root / f"y_{part}.npy", np.arange(n) % 4)


def _read_aubmc(root: Path) -> None:
    read_aubmc(root)
    for part in read_segments(root):
        assert np.isfinite(part.eeg).shape == part.eeg.shape


_AUBMC = {
    "Preprocessing_Scripts/Seizure_times.py": AUBMC_TIMES,
    "Seizure_types.tsv": "record\tstart\tclass\np10_Record1\t07:36:46\t1\n",
}
_PREDICTIONS = (
    "\t".join(PREDICTION_COLUMNS)
    + "\n"
    + "".join(
        f"a.edf\tnorth\tn1\t{second}\t{0.5 * (second > 2):.2f}\t1\t{second - 3:.3f}\n"
        for second in range(6)
    )
)
_SIENA = {
    f"{patient}/Seizures-list-{patient}.txt": SIENA_HEAD + SIENA_LISTS[patient]
    for patient in ("PN00", "PN10")
}

TABLES: Final = (
    _one("tsv", "a.tsv", bids_events((5, 12, "sz_foc_ia"), (20, 9, "sz")), read_tsv),
    _table(
        "tusz",
        {
            f"{_STEM}.csv_bi": tusz_csv_bi("aaaaaajy_s001_t000", (6, 19)),
            f"{_STEM}.csv": tusz_csv("aaaaaajy", LEFT_TEMPORAL, "fnsz", 6, 19),
            f"{_OLD}.tse": tusz_tse((0, 8, "bckg"), (8, 20, "gnsz"), (20, 30, "bckg")),
            "AAREADME.txt": "Version: v2.0.3\n",
        },
        read_tusz,
        (f"{_STEM}.edf", f"{_OLD}.edf"),
    ),
    _table(
        "chbmit",
        {
            "chb04/chb04-summary.txt": CHB_HEAD + CHB_SUMMARIES["chb04"],
            "chb24/chb24-summary.txt": CHB_HEAD + CHB_SUMMARIES["chb24"],
            "RECORDS": "chb04/chb04_05.edf\nchb24/chb24_01.edf\n",
            "RECORDS-WITH-SEIZURES": "chb04/chb04_05.edf\n",
        },
        read_chbmit,
        ("chb04/chb04_05.edf", "chb24/chb24_01.edf"),
    ),
    Target(
        "aubmc",
        (*_AUBMC, "x_train.npy", "y_train.npy", "y_test.npy"),
        _write_aubmc,
        _read_aubmc,
    ),
    _table(
        "siena",
        {**_SIENA, "subject_info.csv": SIENA_SUBJECTS},
        read_siena,
        ("PN00/PN00-1.edf", "PN10/PN10-2.edf"),
    ),
    _table(
        "manifest",
        {"manifest.tsv": _MANIFEST, "a.tsv": "onset\tduration\teventType\n3\t9\tsz\n"},
        read_manifest_catalog,
        ("a.edf", "b.edf"),
    ),
    _table(
        "bids",
        {
            f"{_BIDS}_events.tsv": bids_events((5, 12, "sz_foc_ia")),
            f"{_BIDS}_eeg.json": json.dumps({"RecordingDuration": 40.0}),
            "dataset_description.json": json.dumps({"Name": "A", "BIDSVersion": "1"}),
        },
        read_bids,
        (f"{_BIDS}_eeg.edf",),
    ),
    _one("split", "split.tsv", _SPLIT, read_split),
    _one("config", "a.toml", _CONFIG.read_text(encoding="utf-8"), load_config),
    _one(
        "sums",
        "SHA256SUMS.txt",
        _SUMS,
        lambda path: read_sums(
            path.read_text(encoding="utf-8", errors="replace"), "SHA256SUMS.txt"
        ),
    ),
    _table(
        "archive_list",
        {"list.txt": "# some\na.edf\nsub folder/b.edf\n\nfile:///nowhere/c.edf\n"},
        lambda root: list_archive(str(root / "list.txt")),
        ("a.edf",),
    ),
    _one("predictions", "a.tsv", _PREDICTIONS, read_predictions),
    _table(
        "event_tables",
        {
            "experts/a_events.tsv": bids_events((5, 12, "sz_foc_ia")),
            "found/a.tsv": bids_events((6, 8, "sz")),
        },
        lambda root: match_trees(root / "experts", root / "found"),
    ),
)
REAL: Final = tuple(
    _table(
        f"real_{case}_summary",
        {f"{case}/{case}-summary.txt": path.read_text(encoding="utf-8")},
        read_chbmit,
    )
    for case in ("chb01", "chb04", "chb24")
    if (path := _SUMMARIES / f"{case}-summary.txt").is_file()
)
"""Annotations of data sets, where they are at hand."""
