"""Small replicas of public data sets: their layouts and their quirks, seconds long.

What stands in the files was written for these tests; only names, labels and forms of
lines are those of the data sets. Each writer returns the root.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from distilclip_eeg.eeg.montage import LEADS
from edf_writer import Signal
from replica_siena import write_siena
from replica_signals import (
    SECONDS,
    Potentials,
    Seizure,
    bipolar,
    potentials,
    recording,
    referential,
    signal,
    title,
)
from replica_tusz import write_tusz

__all__ = [
    "bids_events",
    "bids_name",
    "write_aubmc",
    "write_bids",
    "write_chbmit",
    "write_seizeit2",
    "write_siena",
    "write_tusz",
]

# CHB-MIT ------------------------------------------------------------------------------

CHB_CHANNELS = (*LEADS[:8], *LEADS[10:], *LEADS[8:10])
CHB_CHANNELS += ("P7-T7", "T7-FT9", "FT9-FT10", "FT10-T8", "T8-P8")
CHB_DUMMIES = (*LEADS[:4], "-", *LEADS[4:8], "-", *LEADS[8:10], "-", *LEADS[10:14], "-")
CHB_DUMMIES += (*LEADS[14:], ".", "T8-P8", "ECG", "VNS")

CHB_SUMMARIES = {
    "chb01": """File Name: chb01_01.edf
File Start Time: 11:42:54
File End Time: 12:42:54
Number of Seizures in File: 0

File Name: chb01_03.edf
File Start Time: 23:43:04
File End Time: 24:43:04
Number of Seizures in File: 1
Seizure Start Time: 8 seconds
Seizure End Time: 20 seconds
""",
    "chb04": """File Name: chb04_05.edf
File Start Time: 22:02:15
File End Time: 26:02:15
Number of Seizures in File: 1
Seizure Start Time: 5 seconds
Seizure End Time: 15 seconds

Channels changed:
Channels in EDF Files:
**********************
Channel 1: FP1-F7
Channel 2: F7-T7

File Name: chb04_28.edf
File Start Time: 02:02:23
File End Time: 6:02:23
Number of Seizures in File: 2
Seizure 1 Start Time: 2 seconds
Seizure 1 End Time:  9 seconds
Seizure 2 Start Time:   15 seconds
Seizure 2 End Time: 27 seconds
""",
    "chb07": """File Name: chb07_18.edf
File Start Time: 04:49:28
File End Time: 8:10:28
Number of Seizures in File: 0

File Name: chb07_19.edf
File Start Time: 08:12:32
File End Time: 12:12:43
Number of Seizures in File: 1
Seizure 1 Start Time: 10 seconds
Seizure 1 End Time: 22 seconds
""",
    "chb12": "\n".join(
        f"""File Name: chb12_{number}.edf
File Start Time: 00:46:38
File End Time: 1:46:38
Number of Seizures in File: 1
Seizure 1 Start Time: 6 seconds
Seizure 1 End Time: 18 seconds
"""
        for number in ("06", "27", "28", "29")
    ),
    "chb21": """File Name: chb21_19.edf
File Start Time: 11:42:54
File End Time: 12:42:54
Number of Seizures in File: 1
Seizure Start Time: 4 seconds
Seizure End Time: 16 seconds
""",
    "chb24": """File Name: chb24_01.edf
Number of Seizures in File: 1
Seizure Start Time: 9 seconds
Seizure End Time: 21 seconds
""",
}
CHB_HEAD = """Data Sampling Rate: 256 Hz
*************************

Channels in EDF Files:
**********************
Channel 1: FP1-F7
Channel 2: F7-T7

"""
CHB_FILES = {
    "chb01_01": (bipolar(CHB_CHANNELS), ()),
    "chb01_03": (bipolar(CHB_CHANNELS), (Seizure(8, 20),)),
    "chb04_05": (bipolar(CHB_CHANNELS), (Seizure(5, 15),)),
    "chb04_28": (bipolar(CHB_DUMMIES), (Seizure(2, 9), Seizure(15, 27))),
    "chb07_18": (bipolar(CHB_CHANNELS), ()),
    "chb07_19": (bipolar(CHB_CHANNELS), (Seizure(10, 22),)),
    "chb12_06": (bipolar(CHB_DUMMIES), (Seizure(6, 18),)),
    "chb12_27": (referential("{}-CS2"), (Seizure(6, 18),)),
    "chb12_28": (
        referential("{}", lambda e: e.replace("O1", "01").replace("O2", "02")),
        (Seizure(6, 18),),
    ),
    "chb12_29": (
        referential("{}", lambda e: e.replace("O1", "01").replace("O2", "02")),
        (Seizure(6, 18),),
    ),
    "chb21_19": (bipolar(CHB_CHANNELS), (Seizure(4, 16),)),
    "chb24_01": (bipolar(CHB_CHANNELS), (Seizure(9, 21),)),
    "chb24_02": (bipolar(CHB_CHANNELS), ()),
}
CHB_WITH_SEIZURES = (
    *("chb01_03", "chb04_05", "chb04_28", "chb07_18"),
    *("chb12_06", "chb12_27", "chb12_28", "chb12_29", "chb21_19", "chb24_01"),
)


def write_chbmit(root: Path) -> Path:
    """Six cases; chb24_02 is in no summary, chb07_18 wrongly among the seizures."""
    for stem, (channels, seizures) in CHB_FILES.items():
        recording(root / stem[:5] / f"{stem}.edf", channels, seizures)
    for case, text in CHB_SUMMARIES.items():
        (root / case / f"{case}-summary.txt").write_text(CHB_HEAD + text)
    names = [f"{stem[:5]}/{stem}.edf\n" for stem in CHB_FILES]
    (root / "RECORDS").write_text("".join(names))
    names = [f"{stem[:5]}/{stem}.edf\n" for stem in CHB_WITH_SEIZURES]
    (root / "RECORDS-WITH-SEIZURES").write_text("".join(names))
    return root


# AUBMC --------------------------------------------------------------------------------

AUBMC_TIMES = '''"""Start of each seizure (hour, minute, second) and its length."""
import os

seizures_10 = {1: [(7, 36, 46, 12)], 2: []}
seizures_11 = {
    1: [(23, 59, 58, 6),
        (0, 0, 10, 8)],
}
seizures_12 = {1: [(5, 50, 55, 11), (5, 50, 55, 11)]}  # replicates

if not os.path.exists("Raw_EDF_Files"):
    raise SystemExit("this file must never be run")
'''


def write_aubmc(root: Path, n_train: int = 40, n_test: int = 8) -> Path:
    """Three patients, one recording past midnight, and the shipped segments."""
    raw = root / "Raw_EDF_Files"
    extra = ("EEG A1-Ref", "EEG A2-Ref", "ECG EKG", "Manual")
    channels = referential("EEG {}-Ref", title, extra=extra)
    p10 = [Seizure(8, 20)]
    recording(raw / "p10_Record1.edf", channels, p10, sfreq=500, time="07.36.38")
    recording(raw / "p10_Record2.edf", channels, sfreq=500, time="09.10.11")
    p11 = [Seizure(4, 10), Seizure(16, 24)]
    recording(raw / "p11_Record1.edf", channels, p11, sfreq=500, time="23.59.54")
    p12 = [Seizure(5, 16)]
    recording(raw / "p12_Record1.edf", channels, p12, sfreq=500, time="05.50.50")
    scripts = root / "Preprocessing_Scripts"
    scripts.mkdir()
    (scripts / "Seizure_times.py").write_text(AUBMC_TIMES)
    length_s = max(n_train, n_test)
    uv = potentials((Seizure(0, length_s // 2),), 500, length_s, patient="p13")
    cut = np.stack([*uv.values()]).reshape(len(uv), length_s, 500).swapaxes(0, 1)
    for part, n in (("train", n_train), ("test", n_test)):
        classes = np.arange(n) % 4
        visible = (classes == 1) | (classes == 2)
        seconds = np.arange(n) // 2 + np.where(visible, 0, length_s // 2)
        np.save(root / f"x_{part}.npy", cut[seconds].astype(np.float32))
        np.save(root / f"y_{part}.npy", classes)
    return root


# BIDS ---------------------------------------------------------------------------------

BIDS_COLUMNS = (
    *("onset", "duration", "eventType", "confidence", "channels", "dateTime"),
    "recordingDuration",
)


def bids_name(subject: str, session: str = "01", run: str = "00") -> str:
    folder = f"sub-{subject}/ses-{session}/eeg"
    return f"{folder}/sub-{subject}_ses-{session}_task-szMonitoring_run-{run}"


def bids_events(*rows: tuple[float, float, str], duration_s: float = SECONDS) -> str:
    lines = ["\t".join(BIDS_COLUMNS)]
    for onset, duration, kind in rows:
        about = f"n/a\tall\t2016-11-06 13:43:04\t{duration_s:.2f}"
        lines.append(f"{onset:.2f}\t{duration:.2f}\t{kind}\t{about}")
    return "\n".join(lines) + "\n"


def write_bids(root: Path, name: str = "BIDS Replica Scalp EEG") -> Path:
    """Three subjects, one with two sessions; referential and bipolar."""
    unipolar = referential("{}-Avg", title, extra=("EKG",))
    runs = {
        bids_name("00"): (unipolar, [Seizure(5, 17)]),
        bids_name("01"): (bipolar(LEADS), [Seizure(9, 21)]),
        bids_name("01", "02"): (bipolar(LEADS), []),
        bids_name("02"): (unipolar, []),
        bids_name("02", run="01"): (unipolar, [Seizure(3, 8), Seizure(14, 25)]),
    }
    for stem, (channels, seizures) in runs.items():
        recording(root / f"{stem}_eeg.edf", channels, seizures)
        rows = [(a, b - a, "sz_foc_ia") for a, b in seizures]
        text = bids_events(*(rows or [(0, SECONDS, "bckg")]))
        (root / f"{stem}_events.tsv").write_text(text)
        sidecar = {"TaskName": "szMonitoring", "RecordingDuration": float(SECONDS)}
        (root / f"{stem}_eeg.json").write_text(json.dumps(sidecar))
    about = {"Name": name, "BIDSVersion": "1.8.0", "DatasetVersion": "1.0.0"}
    (root / "dataset_description.json").write_text(json.dumps(about))
    return root


def write_seizeit2(root: Path) -> Path:
    """Two behind-the-ear leads, and the folders of other signals beside them."""
    stem = bids_name("001", run="01")

    def ears(uv: Potentials) -> list[Signal]:
        labels = ("BTEleft SD", "CROSStop SD")
        return [
            signal(label, uv[e]) for label, e in zip(labels, ("T7", "T8"), strict=True)
        ]

    recording(root / f"{stem}_eeg.edf", ears, [Seizure(5, 17)], sfreq=250)
    text = bids_events((5, 12, "sz_foc_ia_nm"), (20, 5, "impd"))
    (root / f"{stem}_events.tsv").write_text(text)
    (root / f"{stem}_eeg.json").write_text('{"RecordingDuration": 30.0}')
    about = {"Name": "SeizeIT2", "BIDSVersion": "1.8.0"}
    (root / "dataset_description.json").write_text(json.dumps(about))
    return root
