"""Broken files -> every reader, case by case: what else than its own errors came out?

`python tests/attack.py edf tsv --cases 500` attacks in this process, under a limit of
memory and of time for each case, and prints one line of JSON for each target. A case is
its number: the same number breaks the same file in the same way, so a run goes on with
`--first`. What fails is written to `tests/regressions/TARGET/` and replayed from there
by `test_regressions.py` for ever.
"""

from __future__ import annotations

import argparse
import gc
import json
import resource
import signal
import subprocess
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from random import Random
from types import FrameType
from typing import Final

from attacked import TARGETS, Target
from distilclip_eeg.errors import DistilClipError
from mutations import broken

REGRESSIONS: Final = Path(__file__).parent / "regressions"
CPU_LIMIT_S: Final = 5.0  # of a case; the slowest well-formed one takes 0.1
WALL_LIMIT_S: Final = 60.0  # waiting for ever takes no processor time
MEMORY_BYTES: Final = 768 * 2**20  # of address space, beyond what libraries took
RESIDENT_BYTES: Final = 128 * 2**20  # that one case may add to the highest so far
MAX_MESSAGE: Final = 2000  # characters
MAX_KEPT_BYTES: Final = 64 * 1024


class TooSlowError(BaseException):
    """Not an Exception: a reader that catches everything must not catch this."""


@dataclass
class Report:
    """What came of the cases of one target."""

    target: str
    first: int
    cases: int = 0
    refused: int = 0
    cpu_s: float = 0.0
    failures: list[str] = field(default_factory=list)

    @property
    def read(self) -> int:
        """Cases that were still read."""
        return self.cases - self.refused - len(self.failures)


@dataclass(frozen=True)
class Laid:
    """The well-formed files of a target in a folder of their own."""

    target: Target
    root: Path
    files: dict[str, bytes]

    def attempt(self, name: str, data: bytes) -> str | None:
        """Read with one file broken; None if that was fine, else what was wrong.

        Raises
        ------
        DistilClipError
            What a reader should say.
        """
        path = self.root / name
        path.write_bytes(data)
        self.target.seal(self.root, name)
        before = _highest_bytes()
        try:
            with _limited():
                self.target.read(self.root)
        except DistilClipError as error:
            return _about_message(str(error)) or _refused(error)
        except TooSlowError:
            return f"took longer than {CPU_LIMIT_S:g} s"
        except Exception as error:  # the very thing that is looked for
            return _said(error)
        finally:
            path.write_bytes(self.files[name])
            self.target.seal(self.root, name)
        more = _highest_bytes() - before
        return f"took {more >> 20} MiB" if more > RESIDENT_BYTES else None


_REFUSED: Final = "refused: "


def _refused(error: DistilClipError) -> str:
    return f"{_REFUSED}{error}"


@contextmanager
def laid(target: Target) -> Iterator[Laid]:
    """Write the files of a target, and make sure that whole they can be read."""
    with tempfile.TemporaryDirectory(prefix="attack-") as folder:
        root = Path(folder)
        target.write(root)
        files = {name: (root / name).read_bytes() for name in target.attacked}
        target.read(root)
        yield Laid(target, root, files)


def case(of: Laid, number: int) -> tuple[str, bytes]:
    """Give the file that a case breaks, and its bytes."""
    random = Random(f"{of.target.name} {number}")
    name = random.choice(list(of.files))
    return name, broken(of.files[name], of.target.kinds(name), random)


def attack(
    target: Target, numbers: Sequence[int], keep: Path | None, seconds: float
) -> Report:
    """Try cases until they, or the seconds, are over."""
    report, kept = Report(target.name, numbers[0] if numbers else 0), set[str]()
    began, until = time.process_time(), time.monotonic() + seconds
    with laid(target) as files:
        for number in numbers:
            if time.monotonic() > until:
                break
            name, data = case(files, number)
            _note_case(target.name, number)
            outcome = files.attempt(name, data)
            report.cases += 1
            if outcome is None:
                continue
            if outcome.startswith(_REFUSED):
                report.refused += 1
                continue
            report.failures.append(f"case {number}, {name}: {outcome}")
            kind = outcome.partition(": ")[0]  # what came out, and where
            if keep is not None and kind not in kept:
                kept.add(kind)
                keep_case(keep, target.name, number, name, data)
    report.cpu_s = round(time.process_time() - began, 2)
    return report


def keep_case(folder: Path, target: str, number: int, name: str, data: bytes) -> None:
    """Write a case that failed, to be replayed by whoever mends it."""
    if len(data) > MAX_KEPT_BYTES:
        return  # the number brings it back
    path = folder / target / f"{number}@{name.replace('/', '__')}"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def kept_cases(folder: Path = REGRESSIONS) -> list[tuple[str, Path]]:
    """Target and file of every case that failed once."""
    paths = sorted(path for path in folder.glob("*/*@*") if path.is_file())
    return [(path.parent.name, path) for path in paths]


def replay(of: Laid, kept: Path) -> str | None:
    """Try a kept case again; None if it is read or refused as it should be."""
    name = kept.name.partition("@")[2].replace("__", "/")
    outcome = of.attempt(name, kept.read_bytes())
    return None if outcome is None or outcome.startswith(_REFUSED) else outcome


def attacked_in_child(
    targets: Sequence[str], cases: int, *, first: int = 0, timeout_s: float = 600
) -> list[Report]:
    """Attack in a process of its own, so that neither a crash nor a limit is ours."""
    command = [sys.executable, __file__, *targets, "--cases", str(cases)]
    done = subprocess.run(
        [*command, "--first", str(first)],
        capture_output=True,
        text=True,
        errors="replace",  # engines write what they read
        timeout=timeout_s,
        check=False,
    )
    reports = [Report(**json.loads(line)) for line in done.stdout.splitlines()]
    assert done.returncode in (0, 1), f"died ({done.returncode}): {done.stderr[-2000:]}"
    return reports


def limit_memory() -> None:
    """Let this process take no more address space than so much more than now."""
    status = Path("/proc/self/statm")
    if not status.exists():
        return  # no Linux: the resident size is watched all the same
    now = int(status.read_text().split()[0]) * resource.getpagesize()
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (now + MEMORY_BYTES, hard))


@contextmanager
def _limited() -> Iterator[None]:
    def stop(_: int, __: FrameType | None) -> None:
        raise TooSlowError

    kinds = (
        (signal.ITIMER_VIRTUAL, signal.SIGVTALRM, CPU_LIMIT_S),
        (signal.ITIMER_REAL, signal.SIGALRM, WALL_LIMIT_S),
    )
    for timer, number, seconds in kinds:
        signal.signal(number, stop)
        signal.setitimer(timer, seconds)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # a user would see them
            yield
    finally:
        for timer, _, _ in kinds:
            signal.setitimer(timer, 0)


def _highest_bytes() -> int:
    scale = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * scale


def _about_message(text: str) -> str | None:
    if not text.isprintable() or not text.strip():
        return f"said something that is not one readable line: {text[:200]!r}"
    return f"said {len(text)} characters" if len(text) > MAX_MESSAGE else None


def _said(error: Exception) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if "distilclip_eeg" in frame.filename]
    where = own[-1] if own else frames[-1]
    place = f"{Path(where.filename).name}:{where.lineno}"
    return f"{type(error).__name__} at {place}: {' '.join(str(error).split())[:160]}"


def _note_case(target: str, number: int) -> None:
    """Say on stderr what is tried, so that a crash names its case."""
    sys.stderr.write(f"\r{target} {number}   ")
    sys.stderr.flush()


def main() -> int:
    parser = argparse.ArgumentParser(description="attack the readers of the package")
    parser.add_argument("targets", nargs="*", help=f"of {' '.join(TARGETS)}")
    parser.add_argument("--cases", type=int, default=100, help="for each target")
    parser.add_argument("--first", type=int, default=0, help="number of the first case")
    parser.add_argument("--seconds", type=float, default=1e9, help="for each target")
    parser.add_argument("--keep", action="store_true", help="write what fails to disk")
    asked = parser.parse_args()
    numbers = range(asked.first, asked.first + asked.cases)
    chosen = [TARGETS[name] for name in asked.targets or TARGETS]
    for target in chosen:  # whatever is imported is imported before the limit
        with laid(target):
            pass
    gc.collect()
    limit_memory()
    any_failed = False
    for target in chosen:
        keep = REGRESSIONS if asked.keep else None
        report = attack(target, numbers, keep, asked.seconds)
        any_failed = any_failed or bool(report.failures)
        sys.stdout.write(f"{json.dumps(asdict(report))}\n")
        sys.stdout.flush()
    return int(any_failed)


if __name__ == "__main__":
    sys.exit(main())
