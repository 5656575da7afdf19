"""A replica of TUSZ: names, folders and labels of both generations of its layout."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from replica_signals import SECONDS, Seizure, old, recording, referential

TCP_LEADS = (
    *("FP1-F7", "F7-T3", "T3-T5", "T5-O1", "FP2-F8", "F8-T4", "T4-T6", "T6-O2"),
    *("A1-T3", "T3-C3", "C3-CZ", "CZ-C4", "C4-T4", "T4-A2"),
    *("FP1-F3", "F3-C3", "C3-P3", "P3-O1", "FP2-F4", "F4-C4", "C4-P4", "P4-O2"),
)
LEFT_TEMPORAL = ("F7-T3", "T3-T5", "A1-T3")


def tusz_head(stem: str, duration_s: float = SECONDS) -> str:
    return f"""# version = csv_v1.0.0
# bname = {stem}
# duration = {duration_s:.2f} secs
# montage_file = $NEDC_NFC/lib/nedc_eas_default_montage.txt
#
channel,start_time,stop_time,label,confidence
"""


def tusz_csv(
    stem: str, leads: Sequence[str], label: str, start_s: float, stop_s: float
) -> str:
    """Rows lead by lead: background, the event on `leads`, background."""
    rows = []
    for lead in TCP_LEADS:
        spans = [(0.0, float(SECONDS), "bckg")]
        if lead in leads:
            spans = [(0.0, start_s, "bckg"), (start_s, stop_s, label)]
            spans.append((stop_s, float(SECONDS), "bckg"))
        rows += [f"{lead},{a:.4f},{b:.4f},{what},1.0000\n" for a, b, what in spans]
    return tusz_head(stem) + "".join(rows)


def tusz_csv_bi(stem: str, *spans: tuple[float, float]) -> str:
    """Rows of the whole recording: what is not in `spans` is background."""
    rows, at_s = [], 0.0
    for start_s, stop_s in spans:
        rows.append((at_s, start_s, "bckg"))
        rows.append((start_s, stop_s, "seiz"))
        at_s = stop_s
    rows.append((at_s, float(SECONDS), "bckg"))
    lines = [f"TERM,{a:.4f},{b:.4f},{what},1.0000\n" for a, b, what in rows]
    return tusz_head(stem) + "".join(lines)


def tusz_tse(*rows: tuple[float, float, str]) -> str:
    lines = [f"{a:.4f} {b:.4f} {what} 1.0000\n" for a, b, what in rows]
    return "version = tse_v1.0.0\n\n" + "".join(lines)


def write_tusz(root: Path) -> Path:
    """Four patients in three parts: all montages, all annotations, a date of 1:1:85."""
    edf = root / "edf"
    extra = ("EEG EKG1-REF", "PHOTIC-REF", "IBI")
    folder = edf / "train" / "aaaaaaac" / "s001_2002" / "02_tcp_le"
    stem = "aaaaaaac_s001_t000"
    channels = referential("EEG {}-LE", old, extra=("EEG A1-LE", "EEG A2-LE"))
    recording(folder / f"{stem}.edf", channels, [Seizure(10, 22)], sfreq=250)
    text = tusz_csv(stem, LEFT_TEMPORAL, "cpsz", 10, 22)
    (folder / f"{stem}.csv").write_text(text)
    (folder / f"{stem}.csv_bi").write_text(tusz_csv_bi(stem, (10, 22)))

    folder = edf / "train" / "aaaaaaac" / "s004_2006" / "01_tcp_ar"
    stem = "aaaaaaac_s004_t000"
    channels = referential("EEG {}-REF", old, extra=("EEG A1-REF", *extra))
    recording(folder / f"{stem}.edf", channels, sfreq=256, date="01:01:85")
    (folder / f"{stem}.csv").write_text(tusz_csv(stem, (), "bckg", 0, 0))
    (folder / f"{stem}.csv_bi").write_text(tusz_csv_bi(stem))

    folder = edf / "dev" / "aaaaaajy" / "s002_2003" / "03_tcp_ar_a"
    stem = "aaaaaajy_s002_t001"
    channels = referential("EEG {}-REF", old, without=("FZ", "PZ"), extra=extra)
    recording(folder / f"{stem}.edf", channels, [Seizure(6, 18)], sfreq=1000)
    (folder / f"{stem}.csv").write_text(tusz_csv(stem, TCP_LEADS, "gnsz", 6, 18))
    (folder / f"{stem}.csv_bi").write_text(tusz_csv_bi(stem, (6, 18)))

    folder = edf / "eval" / "aaaaaaaq" / "s006_2014" / "04_tcp_le_a"
    stem = "aaaaaaaq_s006_t000"
    channels = referential("EEG {}-LE", old)
    recording(folder / f"{stem}.edf", channels, [Seizure(4, 16)], sfreq=512)
    (folder / f"{stem}.csv_bi").write_text(tusz_csv_bi(stem, (4, 16)))

    folder = edf / "train" / "01_tcp_ar" / "002" / "00000258" / "s002_2003_07_21"
    stem = "00000258_s002_t000"
    channels = referential("EEG {}-REF", old)
    recording(folder / f"{stem}.edf", channels, [Seizure(7, 19)], sfreq=250)
    rows = ((0.0, 7.0, "bckg"), (7.0, 19.0, "tcsz"), (19.0, 30.0, "bckg"))
    (folder / f"{stem}.tse").write_text(tusz_tse(*rows))
    (root / "AAREADME.txt").write_text(
        "File: AAREADME.txt\nDatabase: TUH EEG Seizure Corpus (TUSZ)\nVersion: 2.0.3\n"
    )
    return root
