"""Replicas of TUSZ and AUBMC with enough people of two types of seizures each."""

from __future__ import annotations

from pathlib import Path
from typing import Final, NamedTuple

from replica_signals import Seizure, old, recording, referential, title
from replica_tusz import LEFT_TEMPORAL, TCP_LEADS, tusz_csv, tusz_csv_bi

WHEN: Final = Seizure(8, 28)


class Patient(NamedTuple):
    """Who has one recording: part of the official split, TUSZ label or nothing."""

    name: str
    part: str
    label: str = ""


TUSZ_PATIENTS: Final = (
    Patient("aaaaaaac", "train", "cpsz"),
    Patient("aaaaaaad", "train", "gnsz"),
    Patient("aaaaaaae", "train", "absz"),  # of this type nobody else
    Patient("aaaaaaaf", "train"),
    Patient("aaaaaaag", "dev", "gnsz"),
    Patient("aaaaaaah", "eval", "cpsz"),
    Patient("aaaaaaai", "eval", "gnsz"),
    Patient("aaaaaaaj", "eval"),
)


def write_typed_tusz(root: Path) -> Path:
    """Complex partial and generalised seizures in train and eval, one absence."""
    channels = referential("EEG {}-REF", old)
    for patient in TUSZ_PATIENTS:
        stem = f"{patient.name}_s001_t000"
        folder = root / "edf" / patient.part / patient.name / "s001_2010" / "01_tcp_ar"
        seizures = [WHEN] if patient.label else []
        recording(folder / f"{stem}.edf", channels, seizures)
        leads = LEFT_TEMPORAL if patient.label == "cpsz" else TCP_LEADS
        text = tusz_csv(stem, leads if patient.label else (), patient.label, *WHEN)
        (folder / f"{stem}.csv").write_text(text)
        (folder / f"{stem}.csv_bi").write_text(tusz_csv_bi(stem, *seizures))
    return root


AUBMC_TYPES: Final = {
    "p10_Record1": "1",
    "p10_Record2": "normal",
    "p11_Record1": "1",
    "p12_Record1": "2",
    "p12_Record2": "3",
    "p13_Record1": "2",
    "p13_Record2": "3",
    "p14_Record1": "",
}


def write_typed_aubmc(root: Path) -> Path:
    """Four classes, two people of each; of those on video only the EEG shows nothing.

    One seizure has no type written down.
    """
    channels = referential("EEG {}-Ref", title)
    types, times = ["record\tstart\tclass"], []
    for stem, kind in AUBMC_TYPES.items():
        visible = [] if kind in ("3", "normal") else [WHEN]
        path = root / "Raw_EDF_Files" / f"{stem}.edf"
        recording(path, channels, visible, sfreq=500, time="07.36.38")
        if kind.isdecimal():
            types.append(f"{stem}\t07:36:46\t{kind}")
        patient, _, record = stem.partition("_Record")
        when = [] if kind == "normal" else [(7, 36, 46, 20)]
        times.append(f"seizures_{patient[1:]} = {{{record}: {when}}}")
    scripts = root / "Preprocessing_Scripts"
    scripts.mkdir()
    (scripts / "Seizure_times.py").write_text("\n".join(times) + "\n")
    (root / "Seizure_types.tsv").write_text("\n".join(types) + "\n")
    return root
