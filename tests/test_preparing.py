"""Every data set becomes a store by one command, and nothing is dropped in silence."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from corpus_replicas import write_bids, write_chbmit, write_siena, write_tusz
from distilclip_eeg.cli import main
from distilclip_eeg.config import SignalConfig
from distilclip_eeg.corpora.datasets import open_catalog
from distilclip_eeg.corpora.store import Store


def run(*args: str | Path) -> int:
    with pytest.raises(SystemExit) as stopped:
        main([str(arg) for arg in args])
    return int(stopped.value.code or 0)


@pytest.mark.parametrize(
    ("dataset", "write"),
    [
        ("chbmit", write_chbmit),
        ("tusz", write_tusz),
        ("siena", write_siena),
        ("bids", write_bids),
    ],
)
def test_a_replica_becomes_a_store(
    dataset: str,
    write: Callable[[Path], object],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    write(tmp_path / "root")
    found = open_catalog(dataset, tmp_path / "root")
    status = run(
        "prepare", dataset, tmp_path / "root", tmp_path / "s", "--workers", "1"
    )
    out, err = capsys.readouterr()
    store = Store(tmp_path / "s", SignalConfig())
    kept = {r.name: r for r in store.recordings}
    assert set(kept) | set(store.skipped) == {r.name for r in found.recordings}
    assert status == (1 if store.skipped else 0)
    for problem in found.problems:
        assert str(problem) in err
    for name in store.skipped:
        assert name in err
    assert f"{len(kept)} recordings" in out
    for recording in found.recordings:
        if recording.name in kept:
            stored = kept[recording.name]
            assert len(stored.seizures) == len(recording.events)
            assert (stored.patient, stored.split) == (
                recording.patient,
                recording.split,
            )
    if dataset == "tusz":  # lead-wise labels say where
        sides = {s.side for r in store.recordings for s in r.seizures}
        assert sides & {"left", "right"}


def test_what_is_no_data_set_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("prepare", "chbmit", tmp_path / "nowhere", tmp_path / "s") == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert not (tmp_path / "s").exists()
