"""A replica of Siena: every spelling that its typed lists are known for."""

from __future__ import annotations

from pathlib import Path

from replica_signals import Seizure, recording, referential, title

SIENA_HEAD = """Data Sampling Rate: 512 Hz
********************************

Channels in EDF Files:
**********************
Channel 1: Fp1
Channel 5: 1

"""
SIENA_LISTS = {
    "PN00": """Seizure n 1
File name: PN00-1.edf
Registration start time: 19.39.33
Registration end time:  19.40.03
Seizure start time: 19.39.43
Seizure end time: 19.39.55

Seizure n 3
File name: PN00-3.edf
Registration start time: 18.15.44
Registration end time: 18.16.14
Seizure start time: 18.15.50
Seizure end time: 19.16.02
""",
    "PN01": """File name: PN01.edf
Registration start time: 23:59:50
Registration end time: 00:00:20

Seizure n1
Start time: 23:59:53
End time: 23:59:59

Seizure n2:
Start time: 0.00.05
End time: 0.00.16
""",
    "PN06": """Seizure n 1 (in sleep):
File name: PNO6-1.edf
Registration start time:14.18.30
Registration end time:14.19.00
Seizure start time:14.18.36
Seizure end time:14.18.48
""",
    "PN10": """Seizure n 2
File name: PN10-2.edf
Registration start time: 11.40.00
Registration end time: 11.40.30
Seizure start time: 11.40.06
Seizure end time: 11.40.20 opure 11.40.18

Seizure n 4 (seizure B3):
File name: PN10-4.5.6.edf
Registration start time:1 5.43.50
Registration end time: 15.44.20
Seizure start time: 15.43.53 (CLINICAL ONSET); 15.43.59 (ELECTRIC ONSET)
Seizure end time: 15.44.10
""",
    "PN11": """Seizure n 1
File name: PN11-.edf
Registration start time: 11.31.25
Registration end time: 11.31.55
Seizure start time: 11.31.32
Seizure end time: 11.31.44
""",
    "PN12": """Seizure n 1
File name: PN12-1.2.edf
Registration start time: 15.51.31
Registration end time: 15.52.01
Seizure start time: 15.51.35
Seizure end time: 15.51.41

Seizure n 2
File name: PN12-1.2.edf
Seizure start time: 15:51.47
Seizure end time: 15.51.58
""",
    "PN14": """Seizure n 3
File name: PN14-3.edf
Registration start time: 16.17.45
Registration end time: 19.18.15
Seizure start time: 19.17.53
Seizure end time: 19.18.05
""",
}
SIENA_FILES = {
    "PN00-1": ("19.39.33", [Seizure(10, 22)]),
    "PN00-3": ("18.15.44", [Seizure(6, 18)]),
    "PN01-1": ("23.59.50", [Seizure(3, 9), Seizure(15, 26)]),
    "PN06-1": ("14.18.30", [Seizure(6, 18)]),
    "PN10-2": ("11.40.00", [Seizure(6, 20)]),
    "PN10-4.5.6": ("15.43.50", [Seizure(9, 20)]),
    "PN11-1": ("11.31.25", [Seizure(7, 19)]),
    "PN12-1.2": ("15.51.31", [Seizure(4, 10), Seizure(16, 27)]),
    "PN14-3": ("19.17.45", [Seizure(8, 20)]),
}
SIENA_SUBJECTS = """\
patient_id, age_years, gender, seizure, localization, lateralization, eeg_channel, \
number_seizures, rec_time_minutes
PN00, 55, Male, IAS, T, R, 29, 2, 198
PN01, 46, Male, IAS, T, L, 29, 2, 809
PN06, 36, Male, IAS, T, L, 29, 1, 722
PN10, 25, Male, FBTC, F, Bilateral, 20, 2, 1002
PN11, 58, Female, IAS, T, R, 29, 1, 145
PN12, 71, Male, IAS, T, L, 29, 2, 246
PN14, 49, Male, WIAS, T, L, 29, 1, 1408
"""


def write_siena(root: Path) -> Path:
    """Seven patients with every spelling that the lists are known for."""
    extra = ("EEG Fc1", "EEG Cp5", "EKG EKG", "SPO2", "HR", "1", "2", "MK")
    channels = referential("EEG {}", title, extra=extra)
    for stem, (time, seizures) in SIENA_FILES.items():
        path = root / stem[:4] / f"{stem}.edf"
        recording(path, channels, seizures, sfreq=512, date="01.01.16", time=time)
    for patient, text in SIENA_LISTS.items():
        path = root / patient / f"Seizures-list-{patient}.txt"
        path.write_text(SIENA_HEAD + text)
    (root / "subject_info.csv").write_text(SIENA_SUBJECTS)
    return root
