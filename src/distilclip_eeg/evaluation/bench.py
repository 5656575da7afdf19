"""Model folders -> how fast they run on this machine, by engine and precision.

Each way is measured by `evaluation.cost` in a process of its own. Also the whole of
`detect` on one file: beside MNE, which only reads, filters and resamples it, and over
recordings of growing length. Knows no scores.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path
from typing import Any, Final, get_args

import numpy as np

from distilclip_eeg.detection.detector import detect
from distilclip_eeg.detection.models import load_model
from distilclip_eeg.detection.outputs import write_detection
from distilclip_eeg.detection.runtime import Engine, Precision
from distilclip_eeg.eeg.montage import ELECTRODES
from distilclip_eeg.errors import DistilClipError
from distilclip_eeg.evaluation.cost import cost_of, peak_memory_bytes
from distilclip_eeg.model_folder import ModelFolder

ROUNDS: Final = 2  # the better one counts: what else runs only ever costs time
PIECE_S: Final = 60  # of noise, repeated over the hours
MNE_BAND_HZ: Final = (0.5, 60.0)
MNE_NOTCH_HZ: Final = 50.0
MNE_SFREQ_HZ: Final = 200.0
MEBIBYTE: Final = 2**20
WAYS_HEADER: Final = (
    *("model", "engine", "precision", "windows/s", "s per h", "cpu s per h", "MiB"),
    *("due p50 ms", "p95", "p99"),
)


@dataclass(frozen=True, slots=True)
class Way:
    """One way to run a model folder."""

    folder: ModelFolder
    engine: Engine
    precision: Precision


def ways(folders: Iterable[ModelFolder]) -> Iterator[Way]:
    """Every engine that is installed, in every precision that makes a difference."""
    for folder in folders:
        for engine in get_args(Engine):
            if find_spec(engine) is None:
                continue
            for precision in get_args(Precision):
                if precision == "int8" and folder.config.int8 is None:
                    continue
                if precision == "auto" and engine != "openvino":
                    continue  # f32 there
                yield Way(folder, engine, precision)


def measure(
    way: Way,
    threads: int | None = None,
    length_s: float | None = None,
    live_s: float = 600.0,
) -> dict[str, Any]:
    """Measure one way; see `cost_of`.

    Raises
    ------
    ModelFolderError
        If it cannot be run.
    """
    return cost_of(
        way.folder.path,
        way.precision,
        threads,
        length_s,
        engine=way.engine,
        live_s=live_s,
    )


def ways_table(rows: Sequence[dict[str, Any]]) -> str:
    """Lay out what `measure` gave, a way a line."""
    lines: list[Sequence[str]] = [WAYS_HEADER]
    for row in rows:
        due = row["live"]["due_ms"]
        lines.append(
            (
                row["name"],
                row["engine"],
                row["precision"],
                f"{row['windows_per_second']:.0f}",
                f"{row['seconds_per_hour']:.2f}",
                f"{row['cpu_seconds_per_hour']:.2f}",
                f"{row['peak_memory_bytes'] / MEBIBYTE:.0f}",
                *(f"{due[key]:.1f}" for key in ("p50", "p95", "p99")),
            )
        )
    return _aligned(lines, n_left=3)


def against_mne(
    recording: Path,
    model: str,
    precision: Precision = "auto",
    threads: int | None = None,
    rounds: int = ROUNDS,
) -> dict[str, Any]:
    """Detect in a file, and let MNE read, filter and resample it, in turn.

    Returns
    -------
    dict
        `detect` and `mne`, each with `seconds` and `cpu_seconds` of the better round,
        start of the interpreter included, and `peak_memory_bytes`; `ratio` of the
        seconds and `cpu_ratio`.

    Raises
    ------
    DistilClipError
        If one of them fails; the message ends with what it said.
    """
    asked = [str(recording), model, precision, threads]
    taken: dict[str, list[dict[str, float]]] = {"detect": [], "mne": []}
    for _ in range(rounds):
        for what, found in taken.items():
            found.append(_in_process(f"report_{what}", asked))
    out: dict[str, Any] = {what: _best(found) for what, found in taken.items()}
    ours, theirs = out["detect"], out["mne"]
    out["ratio"] = round(ours["seconds"] / theirs["seconds"], 3)
    out["cpu_ratio"] = round(ours["cpu_seconds"] / theirs["cpu_seconds"], 3)
    return {"model": model, "precision": precision, "threads": threads, **out}


def mne_table(found: dict[str, Any]) -> str:
    """Lay out what `against_mne` gave."""
    lines: list[Sequence[str]] = [("", "seconds", "cpu seconds", "MiB")]
    for what, name in (("detect", f"detect, {found['model']}"), ("mne", "MNE alone")):
        row = found[what]
        seconds = (f"{row[key]:.2f}" for key in ("seconds", "cpu_seconds"))
        lines.append((name, *seconds, f"{row['peak_memory_bytes'] / MEBIBYTE:.0f}"))
    lines.append(("ratio", f"{found['ratio']:.2f}", f"{found['cpu_ratio']:.2f}", ""))
    return _aligned(lines, n_left=1)


def growth(
    hours: Sequence[float],
    model: str,
    precision: Precision = "auto",
    threads: int | None = None,
    on_done: Callable[[dict[str, Any]], None] = lambda row: None,
) -> list[dict[str, Any]]:
    """Detect in recordings of noise, 19 electrodes at 256 Hz, of so many hours each.

    Returns
    -------
    list of dict
        `hours`, and the figures that `against_mne` gives of `detect`.
    """
    rows = []
    with tempfile.TemporaryDirectory() as work:
        for n_hours in hours:
            path = Path(work) / "noise.edf"
            write_noise(path, n_hours)
            asked = [str(path), model, precision, threads]
            rows.append({"hours": n_hours, **_in_process("report_detect", asked)})
            on_done(rows[-1])
    return rows


def growth_table(rows: Sequence[dict[str, Any]]) -> str:
    """Lay out what `growth` gave."""
    header = ("hours", "seconds", "cpu seconds", "s / h EEG", "MiB")
    lines: list[Sequence[str]] = [header]
    for row in rows:
        seconds = row["seconds"], row["cpu_seconds"], row["seconds"] / row["hours"]
        memory = f"{row['peak_memory_bytes'] / MEBIBYTE:.0f}"
        lines.append((f"{row['hours']:g}", *(f"{s:.2f}" for s in seconds), memory))
    return _aligned(lines, n_left=0)


def write_noise(path: Path, hours: float) -> None:
    """Write an EDF of noise, a minute of it over and over: no hours in memory."""
    import edfio

    rng = np.random.default_rng(0)
    signals = [
        edfio.EdfSignal(
            np.clip(rng.normal(0, 20, PIECE_S * 256), -500, 500),
            256,
            label=f"EEG {name}-REF",
            physical_dimension="uV",
            physical_range=(-500, 500),
        )
        for name in ELECTRODES
    ]
    whole = BytesIO()
    edfio.Edf(signals).write(whole)
    content, n_header = whole.getvalue(), 256 * (len(signals) + 1)
    n_pieces = max(1, round(hours * 3600 / PIECE_S))
    n_records = f"{int(content[236:244]) * n_pieces:<8d}".encode()
    with path.open("wb") as file:
        file.write(content[:236] + n_records + content[244:n_header])
        for _ in range(n_pieces):
            file.write(content[n_header:])


def report_detect() -> None:
    """Do in this process what `distilclip detect FILE OUT.tsv` does."""
    recording, model, precision, threads = json.loads(sys.argv[1])
    found = detect(Path(recording), model=load_model(model, precision, threads))
    with tempfile.TemporaryDirectory() as work:
        write_detection(found, Path(recording), Path(work) / "events.tsv")
    _report()


def report_mne() -> None:
    """Read, filter, notch and resample with MNE in this process."""
    import warnings

    import mne

    warnings.simplefilter("ignore")  # about headers of the recording
    mne.set_log_level("ERROR")
    raw = mne.io.read_raw(json.loads(sys.argv[1])[0], preload=True)
    raw.filter(*MNE_BAND_HZ).notch_filter(MNE_NOTCH_HZ).resample(MNE_SFREQ_HZ)
    _report()


def _report() -> None:
    own = {
        "cpu_seconds": round(time.process_time(), 3),
        "peak_memory_bytes": peak_memory_bytes(),
    }
    sys.stdout.write(json.dumps(own))


def _in_process(function: str, asked: Sequence[Any]) -> dict[str, float]:
    code = f"from distilclip_eeg.evaluation import bench; bench.{function}()"
    began = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", code, json.dumps(asked)],
        capture_output=True,
        text=True,
        check=False,
    )
    seconds = time.perf_counter() - began
    if done.returncode:
        said = (done.stderr.strip() or f"status {done.returncode}").splitlines()[-1]
        raise DistilClipError(f"{asked[0]}: cannot be measured: {said}")
    return {"seconds": round(seconds, 3), **json.loads(done.stdout)}


def _best(found: Sequence[dict[str, float]]) -> dict[str, float]:
    return {key: min(round_[key] for round_ in found) for key in found[0]}


def _aligned(lines: Sequence[Sequence[str]], n_left: int) -> str:
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    out = []
    for line in lines:
        cells = [
            f"{cell:<{width}}" if i < n_left else f"{cell:>{width}}"
            for i, (cell, width) in enumerate(zip(line, widths, strict=True))
        ]
        out.append("  ".join(cells).rstrip())
    return "\n".join(out) + "\n"
