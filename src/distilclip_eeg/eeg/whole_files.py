"""Files that appear whole or never, and outputs with one writer at a time.

What is written lies beside its place until it is complete, and is moved there then: a
reader never meets half of it, whatever happens to the writer. A claim keeps a second
process out of an output; the system lets go of it when its holder dies, however it
dies. Does not know what is written.
"""

from __future__ import annotations

import ctypes
import errno
import glob
import os
import re
import shutil
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, Final
from uuid import uuid4

from distilclip_eeg.errors import DistilClipError, InUseError

NO_LOCKS: Final = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)
"""What drives answer that have no locks, such as some of a network."""

LOCK: Final = ".lock"
ASK_AGAIN_S: Final = 0.2

_PARTIAL_END: Final = r"\.[0-9a-f]{32}\.part"
_HERE, _EXCHANGE = -100, 2  # AT_FDCWD and RENAME_EXCHANGE of renameat2(2)
_PROBE_BYTES: Final = 1 << 20  # more than any library keeps back in its buffers

Waiting = Callable[[str], None]


def silently(line: str) -> None:
    """Wait for another process without a word."""
    del line


@contextmanager
def written_whole(target: Path) -> Iterator[Path]:
    """Give a path beside `target` to write to; it becomes `target` on success.

    If the block raises, nothing is left and an older `target` stays as it was.

    Raises
    ------
    OSError
        If the disk takes no more, with `target` as its `filename`; also where a
        library told of it in some other way.
    """
    partial = partial_of(target)
    try:
        with _naming(target, partial):
            yield partial
            partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def made_whole(target: Path) -> Iterator[Path]:
    """Give a new folder beside `target` to fill; it becomes `target` on success.

    A folder that is there already is exchanged for it in one step, where the system
    can do that, and removed.

    Raises
    ------
    OSError
        As `written_whole` does.
    """
    partial = partial_of(target)
    try:
        with _naming(target, partial):
            partial.mkdir(parents=True)
            yield partial
            if not (target.exists() and _exchanged(partial, target)):
                _moved(partial, target)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


@contextmanager
def _naming(target: Path, partial: Path) -> Iterator[None]:
    """Say what the disk has against a place by the name that the user knows."""
    try:
        yield
    except Exception as error:
        named = _by_the_disk(error, partial)
        if named is None:
            raise
        named.filename = str(target)
        raise named from None


def _moved(partial: Path, target: Path) -> None:
    old = partial_of(target)
    if target.exists():
        target.rename(old)
    partial.rename(target)
    shutil.rmtree(old, ignore_errors=True)


def _exchanged(one: Path, other: Path) -> bool:
    """Let two names change places at once (Linux, renameat2); False if it cannot."""
    exchange = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if exchange is None:
        return False
    names = os.fsencode(one), os.fsencode(other)
    done: int = exchange(_HERE, names[0], _HERE, names[1], _EXCHANGE)
    return done == 0


def append_whole(file: BinaryIO, content: bytes) -> None:
    """Append to an unbuffered file; if the disk takes a part alone, that goes again."""
    end = file.seek(0, os.SEEK_END)
    rest = memoryview(content)
    try:
        while rest:
            rest = rest[file.write(rest) :]
    except OSError as error:
        file.truncate(end)
        error.filename = error.filename or file.name
        raise


def partial_of(target: Path) -> Path:
    """Name a place beside a file or folder where it can be made."""
    return target.with_name(f".{target.name}.{uuid4().hex}.part")


def remove_partial(folder: Path) -> None:
    """Remove what a kill left of `written_whole`, here and below.

    Only for a folder that nobody else is writing to.
    """
    for path in folder.rglob(".*.part"):
        if re.fullmatch(rf"\..+{_PARTIAL_END}", path.name, re.DOTALL):
            path.unlink(missing_ok=True)


@contextmanager
def claimed(*targets: Path, waiting: Waiting | None = None) -> Iterator[None]:
    """Keep other processes from writing these files, or folders made elsewhere.

    Folders in which they lie are made. What a writer that was killed left of them is
    removed. A process may claim again what it has claimed.

    Parameters
    ----------
    waiting
        Wait for the other process; it is told once what is waited for.

    Raises
    ------
    InUseError
        If another process has claimed one of them, without `waiting`.
    OSError
        If the place cannot be written to.
    """
    with ExitStack() as held:
        for target in targets:
            target.parent.mkdir(parents=True, exist_ok=True)
            lock = target.with_name(f".{target.name}{LOCK}")
            held.callback(_take(lock, target, waiting))
            _remove_partials_of(target)
        yield


@contextmanager
def claimed_folder(folder: Path, *, waiting: Waiting | None = None) -> Iterator[None]:
    """Make a folder and keep other processes out of it; as `claimed`."""
    with ExitStack() as held:
        held.callback(claim_folder(folder, waiting=waiting))
        yield


def claim_folder(folder: Path, *, waiting: Waiting | None = None) -> Callable[[], None]:
    """Do as `claimed_folder` does; returns what gives the folder free again."""
    is_new = not folder.exists()
    folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as undone:
        if is_new:
            undone.callback(_remove_empty, folder)
        undone.callback(_take(folder / LOCK, folder, waiting))
        return undone.pop_all().close


def _remove_empty(folder: Path) -> None:
    with suppress(OSError):  # it is not empty
        folder.rmdir()


class _Held:
    """Locks of this process: how often each was taken, and the number of its file."""

    def __init__(self) -> None:
        self.guard = threading.Lock()
        self.files: dict[Path, int] = {}
        self.times: dict[Path, int] = {}
        self.knows_forks = False

    def forget(self) -> None:
        """In a forked child: the lock is its parent's, and must end with it."""
        for file in self.files.values():
            os.close(file)
        self.guard = threading.Lock()  # a thread that is not here may have had it
        self.files.clear()
        self.times.clear()


_held = _Held()


def _take(lock: Path, target: Path, waiting: Waiting | None) -> Callable[[], None]:
    try:
        import fcntl  # noqa: F401
    except ModuleNotFoundError:  # a system without such locks
        return lambda: None
    lock = lock.parent.resolve() / lock.name
    try:
        while not _taken(lock):
            holder = _holder(lock)
            if waiting is None:
                raise InUseError(
                    f"{target}: another process is writing here ({holder}): wait for "
                    "it, or name another output"
                )
            waiting(f"{target}: waiting for another process ({holder})")
            waiting = silently
            time.sleep(ASK_AGAIN_S)
    except OSError as error:
        error.filename = str(target)
        raise
    return lambda: _let_go(lock)


def _taken(lock: Path) -> bool:
    with _held.guard:
        if lock not in _held.files:
            if not _held.knows_forks and hasattr(os, "register_at_fork"):
                os.register_at_fork(after_in_child=_held.forget)
                _held.knows_forks = True
            file = _locked(lock)
            if file is None:
                return False
            _held.files[lock], _held.times[lock] = file, 0
        _held.times[lock] += 1
        return True


def _let_go(lock: Path) -> None:
    with _held.guard:
        if lock not in _held.files:  # a forked child
            return
        _held.times[lock] -= 1
        if not _held.times[lock]:
            del _held.times[lock]
            lock.unlink(missing_ok=True)
            os.close(_held.files.pop(lock))


def _locked(lock: Path) -> int | None:
    """Give the number of the locked file; None if another process has it."""
    import fcntl

    while True:
        file = os.open(lock, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(file)
            return None
        except OSError as error:
            if error.errno not in NO_LOCKS:
                os.close(file)
                raise
        if _is_at(file, lock):
            return _signed(file, lock)
        os.close(file)  # its last holder has just removed it


def _is_at(file: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file), path.stat())
    except FileNotFoundError:
        return False


def _signed(file: int, lock: Path) -> int:
    now = f"{datetime.now():%Y-%m-%d %H:%M:%S}"
    text = f"process {os.getpid()} on {socket.gethostname()}, {now}"
    try:
        os.ftruncate(file, 0)
        os.write(file, text.encode())
    except OSError:
        lock.unlink(missing_ok=True)
        os.close(file)
        raise
    return file


def _holder(lock: Path) -> str:
    try:
        return lock.read_text(errors="replace")[:200] or "unknown"
    except OSError:  # it has just ended
        return "unknown"


def _remove_partials_of(target: Path) -> None:
    own = re.compile(rf"\.{re.escape(target.name)}{_PARTIAL_END}")
    for path in target.parent.glob(f".{glob.escape(target.name)}.*.part"):
        if not own.fullmatch(path.name):
            continue
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def _by_the_disk(error: Exception, partial: Path) -> OSError | None:
    """Find what the disk has against a place, if that is why writing there failed.

    Writers in C tell how much was written, or nothing at all: then the disk is asked.
    """
    if isinstance(error, OSError) and error.errno is not None:
        name = str(error.filename or partial)
        is_here = name == str(partial) or name.startswith(f"{partial}{os.sep}")
        return OSError(error.errno, os.strerror(error.errno)) if is_here else None
    if isinstance(error, (DistilClipError, ValueError, TypeError)):
        return None
    try:
        _fill(partial / "probe" if partial.is_dir() else partial)
    except OSError as found:
        return found
    return None


def _fill(path: Path) -> None:
    with path.open("ab", buffering=0) as file:
        written = 0
        while written < _PROBE_BYTES:
            written += file.write(bytes(_PROBE_BYTES - written)) or 0
        os.fsync(file.fileno())
