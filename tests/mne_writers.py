"""Small files of the formats that MNE reads, written from their descriptions.

Each takes (n_chans, n_times) µV and 10-20 labels and returns the file to open.
"""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import scipy.io
from numpy.typing import NDArray

LABELS = ("FP1", "FP2", "F3", "F4")
SFREQ = 200


def write_fif(path: Path, data: NDArray[np.float64], first_samp: int = 0) -> Path:
    from mne import create_info
    from mne.io import RawArray

    info = create_info(list(LABELS), SFREQ, "eeg", verbose="ERROR")
    raw = RawArray(data * 1e-6, info, first_samp=first_samp, verbose="ERROR")
    raw.save(path, fmt="double", verbose="ERROR")
    return path


def write_brainvision(path: Path, data: NDArray[np.float64]) -> Path:
    names = "\n".join(f"Ch{i}={n},,0.1,µV" for i, n in enumerate(LABELS, 1))
    path.write_text(
        "Brain Vision Data Exchange Header File Version 1.0\n\n[Common Infos]\n"
        f"DataFile={path.stem}.eeg\nMarkerFile={path.stem}.vmrk\n"
        "DataFormat=BINARY\nDataOrientation=MULTIPLEXED\n"
        f"NumberOfChannels={len(LABELS)}\nSamplingInterval={1e6 / SFREQ}\n\n"
        f"[Binary Infos]\nBinaryFormat=INT_16\n\n[Channel Infos]\n{names}\n",
        encoding="utf-8",
    )
    path.with_suffix(".vmrk").write_text(
        "Brain Vision Data Exchange Marker File, Version 1.0\n\n[Common Infos]\n"
        f"DataFile={path.stem}.eeg\n\n[Marker Infos]\n"
        "Mk1=New Segment,,1,1,0,20200102030405000000\n"
    )
    path.with_suffix(".eeg").write_bytes(_tenths(data).T.tobytes())
    return path


def write_eeglab(path: Path, data: NDArray[np.float64]) -> Path:
    nothing = np.array([])
    eeg = {
        "setname": "x",
        "nbchan": float(len(LABELS)),
        "trials": 1.0,
        "pnts": float(data.shape[1]),
        "srate": float(SFREQ),
        "xmin": 0.0,
        "xmax": data.shape[1] / SFREQ,
        "data": f"{path.stem}.fdt",
        "chanlocs": np.array([(n,) for n in LABELS], dtype=[("labels", "O")]),
        "event": nothing,
        "epoch": nothing,
        "icawinv": nothing,
        "icaweights": nothing,
        "icasphere": nothing,
    }
    scipy.io.savemat(path, {"EEG": eeg}, appendmat=False)
    path.with_suffix(".fdt").write_bytes(data.T.astype("<f4").tobytes())
    return path


def write_persyst(path: Path, data: NDArray[np.float64]) -> Path:
    names = "\n".join(f"{n}-Ref={i}" for i, n in enumerate(LABELS, 1))
    path.write_text(
        f"[FileInfo]\nFile={path.stem}.dat\nFileType=Interleaved\n"
        f"SamplingRate={SFREQ}\nHeaderLength=0\nCalibration=0.1\n"
        f"WaveformCount={len(LABELS)}\nDataType=0\n[Patient]\nFirst=Jane\nLast=Doe\n"
        "Sex=Female\nHand=Right\nID=1\nBirthDate=01/02/70\nTestDate=01/02/2020\n"
        f"TestTime=03:04:05\n[ChannelMap]\n{names}\n[Comments]\n"
    )
    path.with_suffix(".dat").write_bytes(_tenths(data).T.tobytes())
    return path


def write_gdf(path: Path, data: NDArray[np.float64]) -> Path:
    """GDF 1.25, one record per second, int16."""
    n, n_records = len(LABELS), data.shape[1] // SFREQ
    header = b"GDF 1.25".ljust(168) + b"2020010203040500"
    header += struct.pack("<q", 256 * (n + 1)) + bytes(24 + 20)
    header += struct.pack("<qIII", n_records, 1, 1, n)
    header += b"".join(name.encode().ljust(16) for name in LABELS) + b" " * 80 * n
    header += b"uV      " * n
    header += struct.pack(f"<{n}d", *[-3276.8] * n) + struct.pack(
        f"<{n}d", *[3276.7] * n
    )
    header += struct.pack(f"<{n}q", *[-32768] * n) + struct.pack(f"<{n}q", *[32767] * n)
    header += b" " * 80 * n + struct.pack(f"<{n}i", *[SFREQ] * n)
    header += struct.pack(f"<{n}i", *[3] * n) + b" " * 32 * n
    records = _tenths(data).reshape(n, n_records, SFREQ).transpose(1, 0, 2)
    path.write_bytes(header + records.tobytes() + bytes(8))
    return path


def write_nihon_kohden(path: Path, data: NDArray[np.float64]) -> Path:
    """EEG-1100A with one control block and one data block."""
    version, control, block = b"EEG-1100A V01.00", 0x400, 0x1800
    head = bytearray(block + 0x27 + 10 * len(LABELS))
    head[0:16] = head[0x81:0x91] = version
    head[0x91] = 1
    struct.pack_into("<I", head, 0x92, control)
    head[control + 17] = 1
    struct.pack_into("<I", head, control + 18, block)
    head[0x17FE] = 1
    struct.pack_into("<H", head, block + 0x1A, SFREQ | 0xC000)
    struct.pack_into("<I", head, block + 0x1C, data.shape[1] * 10 // SFREQ)
    head[block + 0x26] = len(LABELS)
    for i in range(len(LABELS)):  # the first labels of its fixed list
        head[block + 0x27 + 10 * i] = i
    # One step is 3200/32768 µV, stored as unsigned around 2 ** 15; then a mark channel.
    steps = np.round(data / (3200 / 32768)) + 2**15
    marks = np.zeros((1, data.shape[1]))
    stored = np.vstack([steps, marks]).astype("<u2")
    path.write_bytes(bytes(head) + stored.T.tobytes())
    return path


def _tenths(data: NDArray[np.float64]) -> NDArray[np.int16]:
    return np.round(data * 10).astype("<i2")
