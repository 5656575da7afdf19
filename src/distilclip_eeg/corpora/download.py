"""An open data set on PhysioNet -> the same files in a folder, each verified.

What the publisher signed in SHA256SUMS.txt is what is fetched. Does not know what the
files hold nor how they travel, and asks nobody: the caller shows the plan and decides.
"""

from __future__ import annotations

import errno
import os
import re
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, NamedTuple, TypeAlias
from urllib.parse import quote, urlsplit

from distilclip_eeg.corpora.fetch import (
    OnBytes,
    UnreachableError,
    fetch_small,
    fetch_verified,
    has_hash,
    part_of,
    size_at,
    size_of,
)
from distilclip_eeg.eeg.annotations import written_whole
from distilclip_eeg.errors import CorpusError, DownloadError

Dataset: TypeAlias = Literal["chbmit", "siena"]
OnFile: TypeAlias = Callable[[str], None]

SUMS: Final = "SHA256SUMS.txt"
RECORDS: Final = "RECORDS"
_NO_LOCKS: Final = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)  # network drives
N_ASKING: Final = 8  # sizes asked for at once: 700 of them take seconds, not minutes
N_UNREACHABLE: Final = 3  # files in a row, then the server is taken to be gone

_LINE = re.compile(r"([0-9a-fA-F]{64}) [ *]?(\S.*)")


class Source(NamedTuple):
    """A data set as its publisher offers it."""

    title: str
    licence: str
    url: str


SOURCES: Final[dict[Dataset, Source]] = {
    "chbmit": Source(
        "CHB-MIT Scalp EEG Database 1.0.0",
        "ODC-By 1.0",
        "https://physionet.org/files/chbmit/1.0.0/",
    ),
    "siena": Source(
        "Siena Scalp EEG Database 1.0.0",
        "CC BY 4.0",
        "https://physionet.org/files/siena-scalp-eeg/1.0.0/",
    ),
}


class RemoteFile(NamedTuple):
    """A file to be fetched; `size` in bytes is None where the server does not say."""

    name: str
    sha256: str
    size: int | None
    n_there: int  # bytes that an earlier run left in the .part file

    @property
    def n_to_come(self) -> int:
        return max(0, (self.size or 0) - self.n_there)


@dataclass(frozen=True, slots=True)
class Plan:
    """What a download will do, to be shown before it starts.

    `differing` are files that are there with other content; they are replaced.
    `unverifiable` are recordings that the data set names without giving their hash.
    """

    url: str
    folder: Path
    sums: bytes
    files: tuple[RemoteFile, ...]
    n_right: int
    differing: tuple[str, ...]
    unverifiable: tuple[str, ...]

    @property
    def n_bytes(self) -> int:
        """Bytes still to come, of the files whose size is known."""
        return sum(file.n_to_come for file in self.files)

    @property
    def n_unknown(self) -> int:
        """Files of unknown size."""
        return sum(file.size is None for file in self.files)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a plan: `failed` holds (name, reason) pairs.

    `stopped` says why the last `n_untried` files were not tried, None if all were.
    """

    n_fetched: int
    failed: tuple[tuple[str, str], ...]
    stopped: str | None
    n_untried: int


def plan_download(
    dataset: Dataset,
    folder: Path,
    *,
    url: str | None = None,
    patients: Sequence[str] = (),
) -> Plan:
    """Settle what has to be fetched; nothing is written.

    Parameters
    ----------
    dataset, folder
        What is fetched, and where it goes. Files that are there already are hashed.
    url
        A mirror with the same tree.
    patients
        Folders of the data set (chb01, PN00), all if empty. Files outside of such
        folders, which say something of all patients, always come too.

    Raises
    ------
    CorpusError
        If SHA256SUMS.txt is not as expected or names a path outside of the folder, or
        if there is no such patient.
    DownloadError
        If the server cannot be reached, or the folder is none or too small.
    """
    base = _base_url(url or SOURCES[dataset].url)
    if folder.exists() and not folder.is_dir():
        raise DownloadError(f"{folder} is a file, expected a folder")
    sums = fetch_small(base + SUMS)
    listed = read_sums(sums.decode("utf-8", errors="replace"), base + SUMS)
    folders = _folders(listed, patients)

    def wanted(names: Iterable[str]) -> list[str]:
        return [name for name in names if not patients or _patient(name) in folders]

    chosen = wanted(listed)
    missing = [name for name in chosen if not has_hash(folder / name, listed[name])]
    with ThreadPoolExecutor(N_ASKING) as pool:
        sizes = list(pool.map(lambda name: size_at(_address(base, name)), missing))
    files = tuple(
        RemoteFile(name, listed[name], size, size_of(part_of(folder / name)))
        for name, size in zip(missing, sizes, strict=True)
    )
    plan = Plan(
        url=base,
        folder=folder,
        sums=sums,
        files=files,
        n_right=len(chosen) - len(missing),
        differing=tuple(name for name in missing if (folder / name).exists()),
        unverifiable=tuple(wanted(_unlisted(base, listed))),
    )
    _check_space(plan)
    return plan


def free_bytes(folder: Path) -> int:
    """Say how much the disk of a folder, which need not exist yet, can still take."""
    there = folder.absolute()
    while not there.exists():
        there = there.parent
    return shutil.disk_usage(there).free


def download(
    plan: Plan,
    *,
    on_file: OnFile = lambda name: None,
    on_bytes: OnBytes = lambda n: None,
) -> Outcome:
    """Fetch the files of a plan, one after the other.

    Parameters
    ----------
    plan
        From `plan_download`.
    on_file, on_bytes
        Told the name of each file as it begins, and the number of bytes as they come
        (negative for bytes that were of no use).

    Raises
    ------
    DownloadError
        If another download is writing to the same folder.
    OSError
        If the folder cannot be written at all.
    """
    plan.folder.mkdir(parents=True, exist_ok=True)
    n_tried = n_fetched = n_lost = 0
    stopped = None
    failed = [(name, f"not in {SUMS}: not fetched") for name in plan.unverifiable]
    with _alone(plan.folder):
        _keep(plan.folder / SUMS, plan.sums)
        for file in plan.files:
            on_file(file.name)
            address, target = _address(plan.url, file.name), plan.folder / file.name
            try:
                fetch_verified(address, target, file.sha256, on_bytes)
            except OSError as error:  # the disk: the next file would fail as well
                stopped = f"{error.filename}: {error.strerror}"
                break
            except DownloadError as error:
                failed.append((file.name, str(error)))
                n_lost = n_lost + 1 if isinstance(error, UnreachableError) else 0
            else:
                n_lost, n_fetched = 0, n_fetched + 1
            n_tried += 1
            if n_lost == N_UNREACHABLE:
                stopped = f"{plan.url} cannot be reached"
                break
    n_untried = len(plan.files) - n_tried
    return Outcome(n_fetched, tuple(failed), stopped if n_untried else None, n_untried)


def _keep(path: Path, content: bytes) -> None:
    if path.is_file() and path.read_bytes() == content:
        return  # a whole copy on a drive that is read-only can be verified
    with written_whole(path) as partial:
        partial.write_bytes(content)


def read_sums(text: str, where: str) -> dict[str, str]:
    """Read `sha256sum` lines into names, relative to the data set, and hashes.

    Raises
    ------
    CorpusError
        With the line, if one is no such line, leads out of the folder or contradicts
        another, or if there is none.
    """
    sums: dict[str, str] = {}
    for n, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        match = _LINE.fullmatch(line)
        if match is None:
            raise CorpusError(
                f"{where}:{n}: {line[:60]!r}; expected 64 digits and a file name"
            )
        name, digest = match[2].removeprefix("./"), match[1].lower()
        if not _stays_inside(name):
            raise CorpusError(
                f"{where}:{n}: {name!r}; expected a plain path inside of the data "
                "set; do not use this server"
            )
        if sums.setdefault(name, digest) != digest:
            raise CorpusError(f"{where}:{n}: {name!r} stands here with two hashes")
    sums.pop(SUMS, None)
    if not sums:
        raise CorpusError(f"{where}: no files in it; expected one per line")
    return sums


def _stays_inside(name: str) -> bool:
    odd = any(ord(c) < 32 for c in name) or set(name) & set('\\:*?"<>|')
    parts = name.split("/")
    return not odd and not {"", ".", ".."} & set(parts)


def _folders(names: Iterable[str], patients: Sequence[str]) -> set[str]:
    """Folders to be fetched; the empty one holds what is said of all patients."""
    there = {_patient(name) for name in names} - {""}
    by_name = {folder.casefold(): folder for folder in there}
    for patient in patients:
        if patient.casefold() not in by_name:
            raise CorpusError(
                f"no patient {patient!r} here; there are {' '.join(sorted(there))}"
            )
    return {"", *(by_name[patient.casefold()] for patient in patients)}


def _patient(name: str) -> str:
    return name.rpartition("/")[0].partition("/")[0]


def _unlisted(base: str, listed: dict[str, str]) -> list[str]:
    """Recordings that the data set names, but gives no hash for."""
    try:
        text = fetch_small(base + RECORDS).decode("utf-8", errors="replace")
    except UnreachableError:
        raise
    except DownloadError:
        return []  # not every mirror has the list
    names = [line.strip() for line in text.splitlines() if line.strip()]
    unlisted = [n for n in names if n not in listed and f"{n}.edf" not in listed]
    return [n if n.isprintable() else repr(n) for n in unlisted]


def _base_url(url: str) -> str:
    try:
        parts = urlsplit(url)
    except ValueError:
        parts = urlsplit("")
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise DownloadError(
            f"{url}: expected an address that begins with http:// or https://"
        )
    return url.rstrip("/") + "/"


def _address(base: str, name: str) -> str:
    return base + quote(name)


def _check_space(plan: Plan) -> None:
    free = free_bytes(plan.folder)
    if plan.n_bytes > free:
        raise DownloadError(
            f"{plan.folder}: {plan.n_bytes / 1e9:.2f} GB to come, {free / 1e9:.2f} GB "
            "free; choose another folder, or fewer patients with --patients"
        )


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Keep a second download out: both would append to the same files."""
    try:
        import fcntl
    except ModuleNotFoundError:  # Windows refuses the second writer by itself
        yield
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        raise DownloadError(f"{folder}: another download is writing there") from None
    except OSError as error:
        if error.errno not in _NO_LOCKS:  # without them the hashes still hold
            os.close(handle)
            raise
    try:
        yield
    finally:
        os.close(handle)
