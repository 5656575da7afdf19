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

from distilclip_eeg.detection.footprint import folder_footprint
from distilclip_eeg.detection.models import Model, load_model
from distilclip_eeg.detection.runtime import Precision
from distilclip_eeg.detection.stream import BLOCK_S, StreamDetector
from distilclip_eeg.eeg.montage import ELECTRODES
from distilclip_eeg.errors import ModelFolderError

LENGTH_S: Final = 1200.0  # of the noise: ten blocks, after which memory is level
SFREQ_HZ: Final = 256.0
NOISE_UV: Final = 20.0


def cost_of(
    folder: Path,
    precision: Precision = "auto",
    threads: int | None = None,
    length_s: float | None = None,
) -> dict[str, Any]:
    """Measure a model.

    Parameters
    ----------
    length_s
        Of the noise; 20 minutes if not given.

    Returns
    -------
    dict
        `seconds_per_hour` of EEG on the clock and `cpu_seconds_per_hour`, conditioning
        included; `peak_memory_bytes` of the process, `loaded_memory_bytes` before it
        heard anything; `load_seconds`; `threads` (None: all cores); and what
        `detection.footprint` counts.

    Raises
    ------
    ModelFolderError
        If the process fails; the message ends with what it said.
    """
    asked = json.dumps([str(folder), precision, threads, length_s or LENGTH_S])
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
    folder, precision, threads, length_s = json.loads(sys.argv[1])
    began = time.perf_counter()
    model = load_model(folder, precision, threads)
    loaded_s = time.perf_counter() - began
    measured = {
        "loaded_memory_bytes": peak_memory_bytes(),
        **_listen(model, length_s),
        "peak_memory_bytes": peak_memory_bytes(),
        "load_seconds": round(loaded_s, 3),
        "threads": threads,
        "engine": model.runtime.engine,
        "precision": precision,
        **folder_footprint(model.folder).as_dict(),
    }
    sys.stdout.write(json.dumps(measured))


def _listen(model: Model, length_s: float) -> dict[str, float]:
    rng = np.random.default_rng(0)
    n = round(BLOCK_S * SFREQ_HZ)
    noise = rng.normal(0, NOISE_UV, (len(ELECTRODES), n)).astype(np.float32)
    stream = StreamDetector(model, ELECTRODES, SFREQ_HZ)
    picked = noise[list(stream.montage.picks)]
    wall_s, cpu_s = time.perf_counter(), time.process_time()
    stream.feed(picked for _ in range(max(1, round(length_s / BLOCK_S))))
    stream.close()
    per_hour = 3600 / stream.time_s
    return {
        "seconds_per_hour": round((time.perf_counter() - wall_s) * per_hour, 2),
        "cpu_seconds_per_hour": round((time.process_time() - cpu_s) * per_hour, 2),
    }


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
