"""A scan as a user meets it: files, index, exit status; changes, kills, full disks."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import duckdb
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from distilclip_eeg import archive as archive_room
from distilclip_eeg.archive import scan as scanning
from distilclip_eeg.archive.journal import Journal
from distilclip_eeg.archive.scan import Progress, scan
from distilclip_eeg.archive.work import Recipe, recipe_for
from distilclip_eeg.cli import main
from distilclip_eeg.detection.models import Model
from distilclip_eeg.errors import ArchiveError, OutputExistsError
from edf_writer import Signal, write_edf
from small_archive import (
    LABELS,
    Archive,
    check,
    n_lines,
    rows_of,
    write_archive,
    write_recording,
)
from tiny_model import write_tiny_model

COMMAND = [sys.executable, "-m", "distilclip_eeg.cli", "scan"]

BEFORE = b"a table of an earlier scan\n"

Scan = Callable[..., Progress]
Run = Callable[..., int]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_model(tmp_path_factory.mktemp("model") / "tiny")


@pytest.fixture(scope="module")
def loaded(model: Path) -> tuple[Recipe, Model]:
    return recipe_for(model)


@pytest.fixture
def quick(
    model: Path, loaded: tuple[Recipe, Model], monkeypatch: pytest.MonkeyPatch
) -> Scan:
    """Scan in this process, with a model that is loaded once."""
    monkeypatch.setattr(scanning, "recipe_for", lambda *_: loaded)
    return scan


@pytest.fixture
def run(model: Path) -> Run:
    """Run `distilclip scan` in this process; gives the exit status."""

    def call(*args: str | Path) -> int:
        fixed = ["scan", "--model", str(model), "--workers", "1"]
        with pytest.raises(SystemExit) as done:
            main([*fixed, *map(str, args)])
        return int(done.value.code or 0)

    return call


@pytest.fixture(scope="module")
def sixty(tmp_path_factory: pytest.TempPathFactory) -> Archive:
    return write_archive(tmp_path_factory.mktemp("sixty") / "archive", 60, 10)


@pytest.fixture
def few(tmp_path: Path) -> Archive:
    return write_archive(tmp_path / "archive", 4)


class TestWhole:
    def test_sixty_of_which_ten_are_broken(
        self,
        run: Run,
        sixty: Archive,
        tmp_path: Path,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        out = tmp_path / "out"
        assert run(sixty.root, "--output", out) == 1
        check(out, sixty)
        told, failures = capsys.readouterr()
        assert "60 recordings\t50 scanned\t0 unchanged\t10 failed" in told
        for name in sixty.broken:
            assert f"distilclip: {name}: " in failures
        assert len(failures.splitlines()) == 10

    def test_exit_status(self, run: Run, few: Archive, tmp_path: Path) -> None:
        assert run(few.root, "--output", tmp_path / "out") == 0
        assert run(few.root, "--output", tmp_path / "out") == 0
        (few.root / "bad.edf").write_bytes(b"")
        assert run(few.root, "--output", tmp_path / "out") == 1
        assert run(tmp_path / "nowhere", "--output", tmp_path / "out") == 2
        (tmp_path / "bare").mkdir()
        assert run(tmp_path / "bare", "--output", tmp_path / "out") == 2
        assert run(few.root, "--output", few.root / "bad.edf") == 2

    def test_duckdb_opens_the_index(
        self, quick: Scan, few: Archive, tmp_path: Path
    ) -> None:
        (few.root / "bad.edf").write_bytes(b"")
        quick(few.root, tmp_path)
        index = str(tmp_path / "index.parquet")
        found = duckdb.execute(
            "select recording, e.onset from (select recording, unnest(events) as e "
            f"from '{index}') order by all"
        ).fetchall()
        assert [name for name, _ in found] == [
            name for name, n in sorted(few.events.items()) for _ in range(n)
        ]
        failed = duckdb.execute(
            f"select recording, failure from '{index}' where failure is not null"
        ).fetchall()
        assert [name for name, _ in failed] == ["bad.edf"]
        settings_found = duckdb.execute(
            "select distinct settings.onset_threshold, settings.precision "
            f"from '{index}'"
        ).fetchall()
        assert settings_found == [(0.5, "auto")]

    def test_quality_tells_what_was_wrong_with_leads(
        self, quick: Scan, tmp_path: Path
    ) -> None:
        noise = np.random.default_rng(0).normal(0, 20, (len(LABELS), 20 * 256))
        noise[0] = 0
        signals = [Signal(a, b) for a, b in zip(LABELS, noise, strict=True)]
        write_edf(tmp_path / "flat.edf", signals, n_records=20)
        quick(tmp_path, tmp_path / "out")
        row = rows_of(tmp_path / "out")["flat.edf"]
        quality = {entry["lead"]: entry for entry in row["quality"]}
        assert dict(quality["FP1-F7"]["faults_s"])["flat"] == 20
        assert quality["FP2-F8"]["missing_s"] == 20
        assert any("flat" in warning for warning in row["warnings"])

    def test_nothing_of_the_patient_is_kept(
        self,
        run: Run,
        tmp_path: Path,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        who = "MCH-0234567 F 02-MAY-1951 Haagse_Harry"
        for name in ("good.edf", "bad.edf"):
            write_recording(tmp_path / "archive" / name, 1, patient=who)
        os.truncate(tmp_path / "archive" / "bad.edf", 900)
        assert run(tmp_path / "archive", "--output", tmp_path / "out") == 1
        kept = "".join(
            path.read_bytes().decode("latin-1")
            for path in (tmp_path / "out").rglob("*")
            if path.is_file()
        )
        kept += repr(rows_of(tmp_path / "out")) + "".join(capsys.readouterr())
        assert "good" in kept
        assert not [word for word in ("0234567", "1951", "Haagse") if word in kept]

    def test_names_may_hold_anything(self, quick: Scan, tmp_path: Path) -> None:
        root = tmp_path / "archive"
        names = ("a\nb.edf", "tab\there.edf", " space .edf", "é.edf", "-rf.edf")
        for name in names:
            write_recording(root / name, 1)
        no_utf8 = os.fsdecode(b"m\xfcller.edf")
        write_recording(root / no_utf8, 1)
        quick(root, tmp_path / "out")
        rows = rows_of(tmp_path / "out")
        assert rows.keys() == {*names, "m\\udcfcller.edf"}
        assert (tmp_path / "out" / os.fsdecode(b"m\xfcller.tsv")).is_file()
        assert quick(root, tmp_path / "out").n_to_do == 0

    def test_missing_pyarrow_costs_the_index_only(
        self,
        run: Run,
        few: Archive,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        monkeypatch.setitem(sys.modules, "pyarrow", None)
        assert run(few.root, "--output", tmp_path / "out") == 0
        assert "distilclip-eeg[archive]" in capsys.readouterr().err
        assert not (tmp_path / "out" / "index.parquet").exists()
        monkeypatch.undo()
        assert run(few.root, "--output", tmp_path / "out") == 0
        check(tmp_path / "out", few)


class TestAgain:
    def test_only_what_changed_is_done(
        self, quick: Scan, few: Archive, tmp_path: Path
    ) -> None:
        out = tmp_path / "out"
        quick(few.root, out)
        before = rows_of(out)
        changed, touched, lost, same = sorted(few.events)
        write_recording(few.root / changed, 2, seed=99)
        os.utime(few.root / touched, (1, 1))
        (out / before[lost]["table"]).unlink()
        few.events[changed] = 2
        assert quick(few.root, out).n_to_do == 3
        check(out, few)
        after = rows_of(out)
        again = {n for n in after if after[n]["scanned_at"] != before[n]["scanned_at"]}
        assert again == {changed, lost}  # the bytes of `touched` are those known
        assert quick(few.root, out).n_to_do == 0
        assert same not in again

    def test_another_model_or_setting(
        self, few: Archive, model: Path, tmp_path: Path
    ) -> None:
        out = tmp_path / "out"
        other = write_tiny_model(tmp_path / "other", name="other")
        for choice, n_to_do in (
            ({"model": model}, 4),
            ({"model": other}, 4),
            ({"model": other}, 0),
            ({"model": other, "threshold": 0.9}, 4),
            ({"model": other, "precision": "f32", "threshold": 0.9}, 4),
        ):
            assert scan(few.root, out, **choice).n_to_do == n_to_do
        check(out, few)
        row = rows_of(out)[min(few.events)]
        assert row["model"] == "other"
        assert row["settings"]["onset_threshold"] == 0.9
        assert row["settings"]["precision"] == "f32"

    def test_failures_are_tried_again(
        self, quick: Scan, few: Archive, tmp_path: Path
    ) -> None:
        name = min(few.events)
        shutil.copy(few.root / name, tmp_path / "whole.edf")
        os.truncate(few.root / name, 10)
        assert quick(few.root, tmp_path / "out").n_failed == 1
        shutil.copy(tmp_path / "whole.edf", few.root / name)
        assert quick(few.root, tmp_path / "out").n_to_do == 1
        check(tmp_path / "out", few)

    def test_a_table_goes_when_its_recording_breaks(
        self, quick: Scan, few: Archive, tmp_path: Path
    ) -> None:
        quick(few.root, tmp_path / "out")
        name = min(few.events)
        os.truncate(few.root / name, 0)
        del few.events[name]
        few.broken[name] = "empty"
        assert quick(few.root, tmp_path / "out").n_failed == 1
        check(tmp_path / "out", few)

    def test_what_is_gone_keeps_its_results(
        self, quick: Scan, few: Archive, tmp_path: Path
    ) -> None:
        out, name = tmp_path / "out", min(few.events)
        quick(few.root, out)
        (few.root / name).rename(tmp_path / "elsewhere.edf")
        end = quick(few.root, out)
        assert (end.n_gone, end.n_to_do) == (1, 0)
        row = rows_of(out)[name]
        assert not row["present"]
        assert (out / row["table"]).is_file()
        (tmp_path / "elsewhere.edf").rename(few.root / name)
        assert quick(few.root, out).n_to_do == 0
        check(out, few)

    def test_a_second_of_the_same_stem_changes_the_tables_name(
        self, quick: Scan, tmp_path: Path
    ) -> None:
        out, archive = tmp_path / "out", Archive(tmp_path / "archive")
        for name, n in (("a.edf", 1), ("a.bdf", 2), ("a.edf.bdf", 0)):
            archive.events[name] = n
            write_recording(archive.root / name, n)
            quick(archive.root, out)
            check(out, archive)
        (archive.root / "a.edf").unlink()
        quick(archive.root, out)
        rows = rows_of(out)
        owners = [row["table"] for row in rows.values() if row["table"]]
        assert len(owners) == len(set(owners))
        assert rows["a.bdf"]["table"] == "a.tsv"

    def test_verify_reads_where_the_stamp_lies(
        self, quick: Scan, few: Archive, tmp_path: Path
    ) -> None:
        path = few.root / min(few.events)
        before = path.stat()
        quick(few.root, tmp_path / "out")
        write_recording(path, 2, seed=1)
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
        assert quick(few.root, tmp_path / "out").n_to_do == 0
        quick(few.root, tmp_path / "out", verify=True)
        few.events[min(few.events)] = 2
        check(tmp_path / "out", few)


class TestOthersFiles:
    def test_tables_of_others_are_not_written_over(
        self, quick: Scan, few: Archive, tmp_path: Path
    ) -> None:
        experts = (few.root / min(few.events)).with_suffix(".tsv")
        experts.write_text("what experts marked\n")
        with pytest.raises(OutputExistsError, match="--force"):
            quick(few.root, few.root)
        assert experts.read_text() == "what experts marked\n"
        quick(few.root, few.root, force=True)
        check(few.root, few)

    def test_a_table_changed_by_hand_is_kept(
        self, quick: Scan, few: Archive, tmp_path: Path
    ) -> None:
        out, name = tmp_path / "out", min(few.events)
        quick(few.root, out)
        table = out / rows_of(out)[name]["table"]
        table.write_text("corrected\n")
        assert quick(few.root, out).n_to_do == 0
        write_recording(few.root / name, 2, seed=5)
        with pytest.raises(OutputExistsError):
            quick(few.root, out)
        assert table.read_text() == "corrected\n"

    def test_results_of_two_archives_do_not_mix(
        self, quick: Scan, few: Archive, tmp_path: Path
    ) -> None:
        quick(few.root, tmp_path / "out")
        moved = few.root.rename(tmp_path / "moved")
        with pytest.raises(ArchiveError, match="another --output"):
            quick(moved, tmp_path / "out")
        assert quick(moved, tmp_path / "out", force=True).n_to_do == 0
        assert quick(moved, tmp_path / "out").n_to_do == 0

    def test_two_scans_do_not_mix(
        self,
        run: Run,
        few: Archive,
        tmp_path: Path,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        out = tmp_path / "out"
        with Journal(out, "elsewhere"):
            assert run(few.root, "--output", out) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert f"another scan is writing here (process {os.getpid()} on " in line
        assert not list(out.rglob("*.tsv"))


class TestKilled:
    @pytest.mark.parametrize("n_before", [1, 20])
    def test_goes_on_after_a_real_kill(
        self, n_before: int, run: Run, sixty: Archive, model: Path, tmp_path: Path
    ) -> None:
        out = tmp_path / "out"
        kill_in_the_middle(sixty, model, out, n_before)
        done = {path: path.stat().st_mtime_ns for path in out.rglob("*.tsv")}
        assert (out / ".scan" / "lock").is_file()  # stale, and no hindrance
        assert run(sixty.root, "--output", out) == 1
        check(out, sixty)
        again = [path for path, at in done.items() if path.stat().st_mtime_ns != at]
        assert not again

    @settings(
        deadline=None,
        max_examples=12,
        suppress_health_check=[HealthCheck.function_scoped_fixture],
    )
    @given(data=st.data())
    def test_any_loss_is_made_good(
        self, data: st.DataObject, quick: Scan, few: Archive, tmp_path: Path
    ) -> None:
        """Whatever a kill or a loss of power leaves, the next scan makes it whole.

        A row is on disk before its table: lines that are lost were followed by
        nothing, and of the others any table may be missing or be the one before.
        """
        out = tmp_path / "out"
        shutil.rmtree(out, ignore_errors=True)
        quick(few.root, out)
        journal = out / ".scan" / "journal.jsonl"
        lines = journal.read_bytes().splitlines(keepends=True)
        n_kept = data.draw(st.integers(0, len(lines)), "whole lines")
        torn = lines[n_kept][:-1] if n_kept < len(lines) else b""
        share = data.draw(st.floats(0, 1), "of the next line")
        for i, line in enumerate(lines[1:], start=1):
            table = out / json.loads(line)["table"]
            if i >= n_kept or data.draw(st.booleans(), "its table is missing"):
                table.unlink()
            elif data.draw(st.booleans(), "its table is the one before"):
                table.write_bytes(BEFORE)
                older = json.loads(line)
                older["table_sha256"] = hashlib.sha256(BEFORE).hexdigest()
                lines[i] = json.dumps(older).encode() + b"\n" + line
        journal.write_bytes(b"".join(lines[:n_kept]) + torn[: int(share * len(torn))])
        quick(few.root, out)
        check(out, few)
        assert quick(few.root, out).n_to_do == 0

    @pytest.mark.slow
    def test_ten_kills_in_a_row(self, run: Run, model: Path, tmp_path: Path) -> None:
        archive = write_archive(tmp_path / "archive", 300, 10)
        out = tmp_path / "out"
        for i in range(1, 11):
            kill_in_the_middle(archive, model, out, n_lines(out) + 3 * i)
        assert run(archive.root, "--output", out) == 1
        check(out, archive)


class TestFullDisk:
    def test_a_full_disk(
        self,
        run: Run,
        sixty: Archive,
        tmp_path: Path,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        disk = tmp_path / "disk"
        disk.mkdir()
        if not mount("-t", "tmpfs", "-o", "size=96k", "tmpfs", str(disk)):
            pytest.skip("only root can mount a small disk")
        try:
            assert run(sixty.root, "--output", disk / "out") == 2
            last = capsys.readouterr().err.splitlines()[-1]
            assert "No space left on device" in last
            assert "start the same scan again" in last
            assert 0 < len(tables(disk / "out")) < 50
            assert not list(disk.rglob("*.part"))
            assert mount("-o", "remount,size=8m", str(disk))
            assert run(sixty.root, "--output", disk / "out") == 1
            check(disk / "out", sixty)
        finally:
            subprocess.run(["umount", str(disk)], check=True)

    def test_a_file_that_may_not_grow(
        self, run: Run, sixty: Archive, model: Path, tmp_path: Path
    ) -> None:
        out = tmp_path / "out"
        args = [*COMMAND, str(sixty.root), "--output", str(out)]
        args += ["--model", str(model), "--workers", "1"]
        done = subprocess.run(
            ["bash", "-c", 'ulimit -f 16; exec "$@"', "bash", *args],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 2, done.stderr
        assert "File too large" in done.stderr.splitlines()[-1]
        assert "Traceback" not in done.stderr
        assert run(sixty.root, "--output", out) == 1
        check(out, sixty)


@pytest.mark.slow
def test_a_thousand_of_which_fifty_are_broken(run: Run, tmp_path: Path) -> None:
    archive = write_archive(tmp_path / "archive", 1000, 50)
    assert run(archive.root, "--output", tmp_path / "out") == 1
    check(tmp_path / "out", archive)


def test_room_is_importable_without_ray() -> None:
    code = "import sys; sys.modules['ray'] = None; import distilclip_eeg.archive.scan"
    subprocess.run([sys.executable, "-c", code], check=True)
    assert archive_room.__doc__


def kill_in_the_middle(
    archive: Archive, model: Path, output: Path, n_before: int
) -> None:
    """Start a scan of its own process; kill it once so many lines are written."""
    args = [*COMMAND, str(archive.root), "--output", str(output)]
    process = subprocess.Popen(
        [*args, "--model", str(model), "--workers", "1"], stderr=subprocess.DEVNULL
    )
    try:
        while n_lines(output) <= n_before:
            assert process.poll() is None, "it was done before it could be killed"
            time.sleep(0.005)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()


def tables(output: Path) -> list[Path]:
    return sorted(output.rglob("*.tsv"))


def mount(*args: str) -> bool:
    if os.geteuid() != 0 or shutil.which("mount") is None:
        return False
    done = subprocess.run(["mount", *args], capture_output=True, check=False)
    return done.returncode == 0
