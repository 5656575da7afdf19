"""A model folder -> what detection with it costs: time, memory, size of the files.

Time and memory are taken in a fresh process that loads the model and listens to noise,
so that nothing else counts: not the scores, not the recordings they are made of.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from distilclip_eeg.detection.footprint import folder_footprint
from distilclip_eeg.detection.models import Model, load_model
from distilclip_eeg.detection.runtime import Engine, Precision
from distilclip_eeg.detection.stream import BLOCK_S, StreamDetector
from distilclip_eeg.eeg.montage import ELECTRODES, LEADS
from distilclip_eeg.errors import ModelFolderError

LENGTH_S: Final = 1200.0  # of the noise: ten blocks, after which memory is level
SFREQ_HZ: Final = 256.0
NOISE_UV: Final = 20.0
N_WINDOWS: Final = 32  # scored at once to take the network's time alone
N_TIMES: Final = 5
PERCENTILES: Final = (50, 95, 99)


def cost_of(
    folder: Path,
    precision: Precision = "auto",
    threads: int | None = None,
    length_s: float | None = None,
    *,
    engine: Engine | None = None,
    live_s: float = 0.0,
) -> dict[str, Any]:
    """Measure a model.

    Parameters
    ----------
    length_s
        Of the noise; 20 minutes if not given.
    engine
        See `load_model`.
    live_s
        If not 0: so many seconds are also pushed one by one, as from an amplifier.

    Returns
    -------
    dict
        `seconds_per_hour` of EEG on the clock and `cpu_seconds_per_hour`, conditioning
        included; `peak_memory_bytes` of the process, `loaded_memory_bytes` before it
        heard anything; `load_seconds`; `threads` (None: all cores);
        `windows_per_second` of the network alone; and what `detection.footprint`
        counts. With `live_s` also `live`: milliseconds, on the clock and of processor,
        that a second takes in which a window falls due, and any second, by percentile.

    Raises
    ------
    ModelFolderError
        If the process fails; the message ends with what it said.
    """
    asked = json.dumps(
        [str(folder), precision, threads, length_s or LENGTH_S, engine, live_s]
    )
    code = "from distilclip_eeg.evaluation import cost; cost.report()"
    done = subprocess.run(
        [sys.executable, "-c", code, asked], capture_output=True, text=True, check=False
    )
    if done.returncode:
        said = (done.stderr.strip() or f"status {done.returncode}").splitlines()[-1]
        raise ModelFolderError(f"{folder}: its cost cannot be measured: {said}")
    measured: dict[str, Any] = json.loads(done.stdout)
    return measured


def report() -> None:
    """Measure in this process what the first argument asks for; JSON on stdout."""
    folder, precision, threads, length_s, engine, live_s = json.loads(sys.argv[1])
    began = time.perf_counter()
    model = load_model(folder, precision, threads, engine)
    loaded_s = time.perf_counter() - began
    measured = {
        "loaded_memory_bytes": peak_memory_bytes(),
        **_listen(model, length_s),
        "peak_memory_bytes": peak_memory_bytes(),
        "load_seconds": round(loaded_s, 3),
        "threads": threads,
        "engine": model.runtime.engine,
        "precision": precision,
        "windows_per_second": windows_per_second(model),
        **({"live": latency(model, live_s)} if live_s else {}),
        **folder_footprint(model.folder).as_dict(),
    }
    sys.stdout.write(json.dumps(measured))


def _listen(model: Model, length_s: float) -> dict[str, float]:
    stream = StreamDetector(model, ELECTRODES, SFREQ_HZ)
    picked = _noise(len(ELECTRODES), BLOCK_S)[list(stream.montage.picks)]
    wall_s, cpu_s = time.perf_counter(), time.process_time()
    stream.feed(picked for _ in range(max(1, round(length_s / BLOCK_S))))
    stream.close()
    per_hour = 3600 / stream.time_s
    return {
        "seconds_per_hour": round((time.perf_counter() - wall_s) * per_hour, 2),
        "cpu_seconds_per_hour": round((time.process_time() - cpu_s) * per_hour, 2),
    }


def windows_per_second(model: Model) -> float:
    """Let the network alone score windows, several times; the best time counts."""
    signal = model.signal
    wide = _noise(len(LEADS), N_WINDOWS * signal.window_s)
    eeg = wide.reshape(len(LEADS), N_WINDOWS, -1).swapaxes(0, 1)
    usable = np.ones((N_WINDOWS, len(LEADS), signal.window_s), bool)
    times = []
    for _ in range(N_TIMES):
        began = time.perf_counter()
        model.runtime.run(eeg, usable)
        times.append(time.perf_counter() - began)
    return round(N_WINDOWS / min(times), 1)


def latency(model: Model, live_s: float) -> dict[str, dict[str, float]]:
    """Push noise a second at a time; milliseconds by percentile, see `cost_of`."""
    signal = model.signal
    stream = StreamDetector(model, ELECTRODES, SFREQ_HZ)
    noise = _noise(len(ELECTRODES), 10.0)
    second, n = round(SFREQ_HZ), signal.window_s + round(live_s)
    taken = np.zeros((n, 2))
    for i in range(n):
        at = i % 10 * second
        began = time.perf_counter(), time.process_time()
        stream.push(noise[:, at : at + second])
        taken[i] = time.perf_counter() - began[0], time.process_time() - began[1]
    ends = np.arange(1, n + 1)
    is_due = (ends >= signal.window_s) & ((ends - signal.window_s) % signal.hop_s == 0)
    is_due[: signal.window_s] = False  # the first window pays for what is set up once
    return {
        f"{which}_{clock}": {
            f"p{p}": round(1e3 * float(np.percentile(taken[rows, column], p)), 2)
            for p in PERCENTILES
        }
        for which, rows in (("due", is_due), ("any", ends > signal.window_s))
        for column, clock in enumerate(("ms", "cpu_ms"))
    }


def _noise(n_rows: int, length_s: float) -> NDArray[np.float32]:
    rng = np.random.default_rng(0)
    n = round(length_s * SFREQ_HZ)
    return rng.normal(0, NOISE_UV, (n_rows, n)).astype(np.float32)


def peak_memory_bytes() -> int:
    """Return the most memory that this process has held."""
    status = Path("/proc/self/status")
    if status.is_file():  # getrusage would start from what the parent process held
        lines = status.read_text().splitlines()
        (peak,) = [line.split()[1] for line in lines if line.startswith("VmHWM")]
        return int(peak) * 1024
    import resource  # not on every system

    peak_rss = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak_rss if sys.platform == "darwin" else peak_rss * 1024
