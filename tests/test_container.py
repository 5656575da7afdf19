"""The SzCORE container, as far as it can be tested without one.

The entry point runs as evaluators run it: as uid 10001 without a home, without network,
from a folder that it may not write to, into an empty file that it may.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from distilclip_eeg.eeg.annotations import TSV_COLUMNS, read_tsv
from edf_writer import Signal, write_edf

REPO = Path(__file__).parent.parent
CONTAINER = REPO / "container"
ENTRYPOINT = CONTAINER / "entrypoint.sh"
EXAMPLE = REPO / "examples" / "chb01_03_1_eeg.edf"
ELECTRODES = (  # in SzCORE's order
    *("Fp1", "F3", "C3", "P3", "O1", "F7", "T3", "T5", "Fz", "Cz", "Pz"),
    *("Fp2", "F4", "C4", "P4", "O2", "F8", "T4", "T6"),
)
UID = "10001"

# The image installs the package where everybody may read it; a developer's interpreter
# may lie in a home that others cannot enter. This right lets it be read, not written.
READS_ALL = ("--inh-caps=-all,+dac_read_search", "--ambient-caps=-all,+dac_read_search")
AS_USER = (
    *("unshare", "--net", "setpriv"),
    *(f"--reuid={UID}", f"--regid={UID}", "--clear-groups", "--no-new-privs"),
    *READS_ALL,
)

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="module")
def as_user() -> tuple[str, ...]:
    """What makes a command run as uid 10001 without network."""
    if os.geteuid():
        pytest.skip("only root can become uid 10001")
    if not all(map(shutil.which, ("unshare", "setpriv"))):
        pytest.skip("unshare and setpriv (util-linux) are not installed")
    tried = subprocess.run([*AS_USER, "true"], capture_output=True, check=False)
    if tried.returncode:
        pytest.skip(f"this machine does not allow it: {tried.stderr.decode()}")
    return AS_USER


@pytest.fixture
def folders() -> Iterator[tuple[Path, Path]]:
    """Give /data and /output as evaluators mount them; others may only read them."""
    with tempfile.TemporaryDirectory() as top:  # pytest's own folders hide from others
        Path(top).chmod(0o755)
        data, output = Path(top) / "data", Path(top) / "output"
        for folder in (data, output):
            folder.mkdir(mode=0o755)
        yield data, output


@pytest.fixture
def run(folders: tuple[Path, Path], as_user: tuple[str, ...]) -> Run:
    """Run the entry point with INPUT and OUTPUT."""

    def run(given: str, written: str) -> subprocess.CompletedProcess[str]:
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        env = {
            "PATH": path,
            "HOME": "/nonexistent",
            "INPUT": given,
            "OUTPUT": written,
            "DATA_FOLDER": str(folders[0]),
            "OUTPUT_FOLDER": str(folders[1]),
            "OMP_NUM_THREADS": "1",
        }
        call = [*as_user, "sh", str(ENTRYPOINT)]
        return subprocess.run(
            call, cwd="/", env=env, capture_output=True, text=True, check=False
        )

    return run


KIND = "(sz(_foc|_gen)?|bckg)"


def referential(path: Path, n_seconds: int) -> Path:
    """Write noise as SzCORE gives it: 19 electrodes, common average, 256 Hz."""
    rng = np.random.default_rng(0)
    signals = [
        Signal(f"{electrode}-Avg", rng.normal(0, 300, n_seconds * 256))
        for electrode in ELECTRODES
    ]
    return write_edf(path, signals, n_records=n_seconds)


def empty(path: Path) -> Path:
    """Give the file that SzCORE's evaluation makes before it starts a container."""
    path.touch()
    path.chmod(0o776)
    return path


def assert_table(path: Path, duration_s: float) -> None:
    header, *rows = path.read_text().splitlines()
    assert tuple(header.split("\t")) == TSV_COLUMNS
    assert rows
    for row in rows:
        assert re.fullmatch(rf"\d+\.\d\d\t\d+\.\d\d\t{KIND}\t\S+\t\S+\t.*\t.*", row)
        assert row.split("\t")[-1] == f"{duration_s:.2f}"


@pytest.mark.parametrize("n_seconds", [2, 90])
def test_writes_the_table_that_it_was_given(
    run: Run, folders: tuple[Path, Path], n_seconds: int
) -> None:
    data, output = folders
    referential(data / "unipolar.edf", n_seconds)
    table = empty(output / "tmp.tsv")
    done = run("unipolar.edf", "tmp.tsv")
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    assert_table(table, n_seconds)
    assert sorted(p.name for p in output.iterdir()) == ["tmp.tsv"]
    assert sorted(p.name for p in data.iterdir()) == ["unipolar.edf"]


def test_finds_a_seizure_and_makes_its_own_file(
    run: Run, folders: tuple[Path, Path]
) -> None:
    data, output = folders
    (data / "sub-01").mkdir()
    shutil.copy(EXAMPLE, data / "sub-01" / "one recording.edf")
    output.chmod(0o777)
    done = run("sub-01/one recording.edf", "sub-01/one recording.tsv")
    assert done.returncode == 0, done.stderr
    table = output / "sub-01" / "one recording.tsv"
    assert_table(table, 50)
    assert [event.is_seizure for event in read_tsv(table)] == [True]
    assert table.stat().st_uid == int(UID)


def test_what_cannot_be_read_leaves_the_table_alone(
    run: Run, folders: tuple[Path, Path]
) -> None:
    data, output = folders
    (data / "broken.edf").write_bytes(b"0       no recording")
    table = empty(output / "tmp.tsv")
    table.write_text("from before")
    done = run("broken.edf", "tmp.tsv")
    assert done.returncode == 2
    assert "broken.edf" in done.stderr
    assert "Traceback" not in done.stderr
    assert table.read_text() == "from before"


def test_folder_of_somebody_else_is_said(run: Run, folders: tuple[Path, Path]) -> None:
    """And it is so: what the other tests write, they write as uid 10001."""
    referential(folders[0] / "unipolar.edf", 2)
    done = run("unipolar.edf", "tmp.tsv")
    assert done.returncode
    assert "Permission denied" in done.stderr
    assert not list(folders[1].iterdir())


@pytest.mark.parametrize(("given", "written"), [("", "x.tsv"), ("x.edf", "")])
def test_names_what_is_missing(run: Run, given: str, written: str) -> None:
    done = run(given, written)
    assert done.returncode == 2
    assert ("OUTPUT" if given else "INPUT") in done.stderr


@pytest.mark.slow
def test_an_hour(run: Run, folders: tuple[Path, Path]) -> None:
    data, output = folders
    referential(data / "hour.edf", 3600)
    table = empty(output / "hour.tsv")
    done = run("hour.edf", "hour.tsv")
    assert done.returncode == 0, done.stderr
    assert_table(table, 3600)


def test_dockerfile_keeps_the_contract() -> None:
    lines = (CONTAINER / "Dockerfile").read_text(encoding="utf-8").splitlines()
    for line in (
        'VOLUME ["/data"]',
        'VOLUME ["/output"]',
        'ENV INPUT="" OUTPUT=""',
        f"USER {UID}:{UID}",
        'CMD ["szcore"]',
    ):
        assert line in lines
    assert lines.index(f"USER {UID}:{UID}") > lines.index(
        "COPY --chmod=755 container/entrypoint.sh /usr/local/bin/szcore"
    )
    assert os.access(ENTRYPOINT, os.X_OK)


def test_dockerfile_copies_what_is_there_and_let_in() -> None:
    text = (CONTAINER / "Dockerfile").read_text(encoding="utf-8")
    ignored = (CONTAINER / "Dockerfile.dockerignore").read_text(encoding="utf-8")
    copied = re.findall(r"^COPY (?:--\S+ )*(.+) \S+$", text, re.MULTILINE)
    for name in " ".join(copied).split():
        assert (REPO / name).exists()
        assert f"!{name}\n" in ignored


def test_entry_is_what_szcore_accepts() -> None:
    """Its `config/schema.json`: no other key, these required."""
    yaml = pytest.importorskip("yaml")
    (path,) = CONTAINER.glob("*.yaml")
    entry = yaml.safe_load(path.read_text(encoding="utf-8"))
    required = {"title", "short_title", "image", "authors", "license"}
    others = {"version", "abstract", "datasets", "repository", "date_released"}
    assert required <= entry.keys() <= required | others
    assert len(entry["short_title"]) <= 20
    assert re.fullmatch(r".+/.+:.+", entry["image"])
    person = {"given_names", "family_names", "affiliation", "email"}
    assert all(author.keys() <= person for author in entry["authors"])
    assert entry["license"] == "Apache-2.0"
    for name in ("Physionet CHB-MIT Scalp EEG dataset", "Physionet Siena Scalp EEG"):
        assert name in entry["datasets"]
