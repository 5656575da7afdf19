"""Scans on real Ray clusters of this machine, of which parts are killed.

Every process here is real and every kill a SIGKILL. What is counted afterwards is the
same as for a scan that nobody disturbed.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from distilclip_eeg.archive import on_ray
from distilclip_eeg.archive.scan import scan
from distilclip_eeg.errors import MissingExtraError
from small_archive import Archive, check, n_lines, rows_of, write_archive
from tiny_model import write_tiny_model

WORKER = "ray::distilclip"  # what Ray calls a process while it does a task of ours
GIVE_UP_S = 300.0


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_model(tmp_path_factory.mktemp("model") / "tiny")


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Archive:
    return write_archive(tmp_path_factory.mktemp("many") / "archive", 120, 10)


@pytest.fixture
def cluster() -> Iterator[Any]:
    """Three nodes of one core each; the scan runs on the first."""
    from ray.cluster_utils import Cluster

    made = Cluster(
        initialize_head=True,
        head_node_args={"num_cpus": 1, "include_dashboard": False},
    )
    try:
        for _ in range(2):
            made.add_node(wait=False, num_cpus=1)
        made.wait_for_nodes(timeout=GIVE_UP_S)
        yield made
    finally:
        made.shutdown()


def started(archive: Archive, output: Path, model: Path, *args: str) -> Any:
    command = [sys.executable, "-m", "distilclip_eeg.cli", "scan", str(archive.root)]
    command += ["--output", str(output), "--model", str(model), *args]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True)


def ended(process: Any) -> tuple[int, str]:
    """Exit status and what was said, at the latest after `GIVE_UP_S`."""
    try:
        _, said = process.communicate(timeout=GIVE_UP_S)
    finally:
        process.kill()
    return process.returncode, said


def wait_for(condition: Callable[[], object], process: Any) -> None:
    until = time.monotonic() + GIVE_UP_S
    while not condition():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < until
        time.sleep(0.02)


def test_ray_missing_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, model: Path, tmp_path: Path
) -> None:
    archive = write_archive(tmp_path / "archive", 1)
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingExtraError, match="--workers 1"):
        scan(archive.root, tmp_path / "out", model=model, workers=2)


def test_model_travels_whole(model: Path) -> None:
    packed = on_ray._packed(model)
    assert packed.keys() == {path.name for path in model.iterdir()}
    assert packed["model.onnx"] == (model / "model.onnx").read_bytes()


@pytest.mark.slow
class TestThisMachine:
    def test_two_workers_find_what_one_finds(self, model: Path, tmp_path: Path) -> None:
        archive = write_archive(tmp_path / "archive", 40, 10)
        status, said = ended(
            started(archive, tmp_path / "two", model, "--workers", "2")
        )
        assert status == 1, said
        assert len(said.splitlines()) == 10, said
        check(tmp_path / "two", archive)
        scan(archive.root, tmp_path / "one", model=model, workers=1)
        assert told(tmp_path / "one") == told(tmp_path / "two")
        for table in (tmp_path / "one").rglob("*.tsv"):
            other = tmp_path / "two" / table.relative_to(tmp_path / "one")
            assert other.read_bytes() == table.read_bytes()

    def test_a_worker_is_killed(
        self, many: Archive, model: Path, tmp_path: Path
    ) -> None:
        process = started(many, tmp_path, model, "--workers", "2")
        wait_for(lambda: n_lines(tmp_path) > 20, process)
        killed = kill_one_worker(process.pid)
        status, said = ended(process)
        assert status == 1, said
        assert killed
        check(tmp_path, many)

    def test_a_recording_that_kills_its_process_is_a_failure(
        self, model: Path, tmp_path: Path
    ) -> None:
        archive = write_archive(tmp_path / "archive", 12)
        deadly = archive.root / "deadly.edf"
        deadly.write_bytes((archive.root / min(archive.events)).read_bytes())
        archive.broken["deadly.edf"] = "the process that read it died, 4 times"
        spoiled = tmp_path / "spoiled"
        spoiled.mkdir()
        (spoiled / "sitecustomize.py").write_text(DEADLY)
        environment = {**os.environ, "PYTHONPATH": str(spoiled)}
        done = subprocess.run(
            [
                *(sys.executable, "-m", "distilclip_eeg.cli", "scan"),
                *(str(archive.root), "--output", str(tmp_path / "out")),
                *("--model", str(model), "--workers", "2"),
            ],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=GIVE_UP_S,
        )
        assert done.returncode == 1, done.stderr
        check(tmp_path / "out", archive)

    def test_the_whole_machine_stops(
        self, many: Archive, model: Path, tmp_path: Path
    ) -> None:
        process = started(many, tmp_path, model, "--workers", "2")
        wait_for(lambda: n_lines(tmp_path) > 20, process)
        family = psutil.Process(process.pid).children(recursive=True)
        process.kill()
        process.communicate()
        for member in family:
            kill(member)
        done = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.tsv")}
        status, said = ended(started(many, tmp_path, model, "--workers", "2"))
        assert status == 1, said
        check(tmp_path, many)
        assert not [path for path, at in done.items() if path.stat().st_mtime_ns != at]

    def test_nothing_of_ray_outlives_a_killed_scan(
        self, many: Archive, model: Path, tmp_path: Path
    ) -> None:
        process = started(many, tmp_path, model, "--workers", "2")
        wait_for(lambda: n_lines(tmp_path) > 20, process)
        family = psutil.Process(process.pid).children(recursive=True)
        assert family
        process.kill()
        process.communicate()
        _, alive = psutil.wait_procs(family, timeout=60)
        for member in alive:
            kill(member)
        assert not alive


@pytest.mark.slow
class TestCluster:
    def test_a_node_is_killed(
        self, cluster: Any, many: Archive, model: Path, tmp_path: Path
    ) -> None:
        process = started(many, tmp_path, model, "--address", cluster.address)
        wait_for(lambda: n_lines(tmp_path) > 20, process)
        cluster.remove_node(cluster.worker_nodes.copy().pop(), allow_graceful=False)
        n_then = n_lines(tmp_path)
        status, said = ended(process)
        assert n_then < len(many.names), "it was done before the node was killed"
        assert status == 1, said
        check(tmp_path, many)

    def test_the_head_is_killed(
        self, many: Archive, model: Path, tmp_path: Path
    ) -> None:
        from ray.cluster_utils import Cluster

        head = {"num_cpus": 2, "include_dashboard": False}
        first = Cluster(initialize_head=True, head_node_args=head)
        try:
            process = started(many, tmp_path, model, "--address", first.address)
            wait_for(lambda: n_lines(tmp_path) > 20, process)
            first.head_node.kill_gcs_server(check_alive=False)
            first.head_node.kill_raylet(check_alive=False)
            status, said = ended(process)
            assert status != 0, said
        finally:
            first.shutdown()
        second = Cluster(initialize_head=True, head_node_args=head)
        try:
            again = started(many, tmp_path, model, "--address", second.address)
            status, said = ended(again)
        finally:
            second.shutdown()
        assert status == 1, said
        check(tmp_path, many)


DEADLY = """
import os, signal
from pathlib import Path
import distilclip_eeg.archive.work as work

detect = work.detect

def deadly(source, **options):
    if Path(source).name == "deadly.edf":
        os.kill(os.getpid(), signal.SIGKILL)
    return detect(source, **options)

work.detect = deadly
"""


def told(output: Path) -> dict[str, tuple[Any, ...]]:
    """What an index says that does not depend on when and where it was found."""
    return {
        name: (row["sha256"], row["events"], row["quality"], row["failure"])
        for name, row in rows_of(output).items()
    }


def kill_one_worker(parent: int) -> bool:
    """Kill a process of Ray that is doing a recording right now."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        for member in psutil.Process(parent).children(recursive=True):
            if WORKER in named(member):
                kill(member)
                return True
    return False


def named(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


def kill(process: psutil.Process) -> None:
    with contextlib.suppress(psutil.NoSuchProcess):
        process.send_signal(signal.SIGKILL)
