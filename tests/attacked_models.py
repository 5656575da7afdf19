"""What the package writes for itself and somebody may have changed, to be attacked.

Model folders, saved streams, stores, embeddings, journals and detections beside a
recording. Hashes are put right after a change: whoever forges a file does so too.
"""

from __future__ import annotations

import hashlib
import json
from functools import cache
from pathlib import Path
from typing import Final

import numpy as np

from attack_target import Target
from distilclip_eeg.archive.journal import Journal
from distilclip_eeg.config import SignalConfig
from distilclip_eeg.corpora.index import Index, write_index
from distilclip_eeg.corpora.store import Store, settings_of, store_signal
from distilclip_eeg.detection.embeddings import kept_embeddings, read_embeddings
from distilclip_eeg.detection.models import Model, load_model
from distilclip_eeg.detection.stream import StreamDetector
from distilclip_eeg.detection.stream_state import HASH
from distilclip_eeg.eeg.arrays import content_sha256
from distilclip_eeg.eeg.montage import LEADS
from distilclip_eeg.eeg.signal import Conditioned
from distilclip_eeg.model_folder import HASHED, HASHES
from distilclip_eeg.review.outputs_beside import read_found
from edf_writer import Signal, write_edf
from review_folder import detection_json, probabilities
from tiny_model import write_tiny_folder

_SEED = 0
_RATE = 256


def _write_model(root: Path) -> None:
    folder = write_tiny_folder(root / "model").path
    with np.load(folder / "test_vector.npz") as vector:
        small = {name: np.zeros_like(vector[name]) for name in vector.files}
    np.savez_compressed(folder / "test_vector.npz", **small)  # what is kept stays small
    _sign(root, "model/test_vector.npz")


def _sign(root: Path, name: str) -> None:
    """Write the hash of a changed file into the list of hashes."""
    folder, changed = root / "model", Path(name).name
    if changed == HASHES:
        return
    lines = [
        f"{hashlib.sha256((folder / name).read_bytes()).hexdigest()}  {name}\n"
        for name in HASHED
    ]
    (folder / HASHES).write_text("".join(lines))


def _read_model(root: Path) -> None:
    model = load_model(root / "model", threads=1)
    model.settings(threshold=0.5)
    model.folder.test_vector()


@cache
def _model(folder: Path) -> Model:
    return load_model(folder, threads=1)


def _signal(n_s: int) -> np.ndarray:
    return np.random.default_rng(_SEED).normal(0, 40, (len(LEADS), n_s * _RATE))


def _write_state(root: Path) -> None:
    write_tiny_folder(root / "model")
    stream = StreamDetector(_model(root / "model"), LEADS, 250.0)
    stream.push(_signal(11)[:, :-77])
    stream.save(root / "state.npz")
    with np.load(root / "state.npz") as entries:
        (root / "state.json").write_bytes(entries["json"].tobytes())


def _pack(root: Path, name: str) -> None:
    """Put changed text into a state whose checksums are right."""
    if name != "state.json":
        return
    with np.load(root / "state.npz") as entries:
        arrays = {entry: entries[entry] for entry in entries.files}
    arrays["json"] = np.frombuffer((root / name).read_bytes(), np.uint8)
    del arrays[HASH]
    arrays[HASH] = np.frombuffer(bytes.fromhex(content_sha256(arrays)), np.uint8)
    np.savez(root / "state.npz", allow_pickle=False, **arrays)


def _read_state(root: Path) -> None:
    StreamDetector.load(root / "state.npz", _model(root / "model"))


def _write_store(root: Path) -> None:
    seconds = Conditioned(
        np.zeros((len(LEADS), 4 * _RATE), np.float32),
        np.ones((len(LEADS), 4), bool),
        {},
    )
    (root / "store").mkdir()
    entry = {
        **store_signal(root / "store", 0, seconds),
        "name": "a.edf",
        "dataset": "north",
        "patient": "n1",
        "session": "",
        "kind": "seizure",
        "fold": 0,
        "split": None,
        "labelled_s": [0.0, 4.0],
        "seizures": [_SEIZURE],
        "patterns": [{"onset_s": 0.0, "end_s": 1.0, "name": "periodic"}],
    }
    write_index(root / "store", Index(settings_of(SignalConfig()), [entry], {}))


_SEIZURE: Final = {"onset_s": 1.0, "end_s": 3.0, "event_type": "sz"} | {
    "side": "left",
    "lobe": "temporal",
}


def _read_store(root: Path) -> None:
    for stored in Store(root / "store", SignalConfig()).recordings:
        stored.crop(0, 10)


def _write_journal(root: Path) -> None:
    with Journal(root / "out", "/archive") as journal:
        for number in range(3):
            journal.append(_row(f"{number}.edf"))  # type: ignore[arg-type]


def _row(name: str) -> dict[str, object]:
    return {"recording": name, "table": f"{name}.tsv", "table_sha256": "0" * 64}


def _read_journal(root: Path) -> None:
    with Journal(root / "out", "/archive") as journal:
        for row in journal.rows.values():
            journal.is_settled(row)
        journal.orphans()


def _write_found(root: Path) -> None:
    (root / "a.json").write_text(json.dumps(detection_json(probabilities())))


def _read_found(root: Path) -> None:
    found = read_found(root / "a.json", 120.0)
    if found is not None:
        found.at(0.4)


def _write_embeddings(root: Path) -> None:
    write_tiny_folder(root / "model")
    noise = np.random.default_rng(_SEED).normal(0, 300, (len(LEADS), 12 * 128))
    signals = [Signal(lead, row) for lead, row in zip(LEADS, noise, strict=True)]
    write_edf(root / "a.edf", signals, n_records=12)
    kept_embeddings(root / "a.edf", root / "a.parquet", _model(root / "model"))


def _read_embeddings(root: Path) -> None:
    read_embeddings(root / "a.edf", root / "a.parquet", _model(root / "model"))


MODELS: Final = (
    Target(
        "model_folder",
        tuple(
            f"model/{name}"
            for name in ("config.json", "prototypes.npy", "test_vector.npz", HASHES)
        ),
        _write_model,
        _read_model,
        _sign,
    ),
    Target("model_network", ("model/model.onnx",), _write_model, _read_model, _sign),
    Target(
        "stream_state", ("state.npz", "state.json"), _write_state, _read_state, _pack
    ),
    Target(
        "store",
        ("store/index.parquet", "store/000000.signal.npy", "store/000000.usable.npy"),
        _write_store,
        _read_store,
    ),
    Target("embeddings", ("a.parquet",), _write_embeddings, _read_embeddings),
    Target("journal", ("out/.scan/journal.jsonl",), _write_journal, _read_journal),
    Target("detection_json", ("a.json",), _write_found, _read_found),
)
