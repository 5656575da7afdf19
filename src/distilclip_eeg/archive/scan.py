"""An archive -> a table of events for each recording, and one index of them all.

Decides what has to be done (new, changed, failed before, another model), has it done by
this process or by Ray, and writes down what comes back: first the row in the journal,
then the table. It can be killed at any moment and started again. Knows neither formats
of recordings nor how seizures are found.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TypeAlias

from distilclip_eeg.archive.index import INDEX, Row, write_index
from distilclip_eeg.archive.journal import Journal, writing
from distilclip_eeg.archive.listing import Listing, list_archive
from distilclip_eeg.archive.on_ray import examine_on_ray
from distilclip_eeg.archive.work import Order, Outcome, Recipe, examine, recipe_for
from distilclip_eeg.detection.models import DEFAULT_MODEL, Model
from distilclip_eeg.detection.outputs import check_outputs, table_names
from distilclip_eeg.detection.runtime import Precision
from distilclip_eeg.eeg.annotations import written_whole
from distilclip_eeg.errors import ArchiveError

INDEX_EVERY_S: Final = 300.0  # so that an index can be asked while a scan goes on


@dataclass(slots=True)
class Progress:
    """How far a scan is.

    Attributes
    ----------
    n_recordings
        Below the root.
    n_kept
        Of those, as an earlier scan left them.
    n_to_do, n_done, n_failed
        Of the others; failed ones are done.
    bytes_to_do, bytes_done
        By which the time left is reckoned.
    n_gone
        Known from earlier scans and no longer there; their results stay.
    eeg_s
        Seconds of EEG examined.
    problems
        Folder -> why it could not be looked into.
    notes
        One line each, for a person.
    """

    n_recordings: int
    n_kept: int
    n_to_do: int
    bytes_to_do: int
    n_gone: int
    problems: Mapping[str, str]
    notes: tuple[str, ...] = ()
    n_done: int = 0
    n_failed: int = 0
    bytes_done: int = 0
    eeg_s: float = 0.0
    has_index: bool = False
    began: float = field(default_factory=time.monotonic)

    @property
    def elapsed_s(self) -> float:
        return time.monotonic() - self.began

    @property
    def left_s(self) -> float | None:
        """Seconds that the rest will take at the pace so far; None if not known yet."""
        if not self.bytes_done:
            return None
        rest = max(0, self.bytes_to_do - self.bytes_done)
        return rest * self.elapsed_s / self.bytes_done


Watch: TypeAlias = Callable[[Progress, Row | None], None]


def scan(
    root: str | os.PathLike[str],
    output: str | os.PathLike[str],
    *,
    model: str | os.PathLike[str] = DEFAULT_MODEL,
    threshold: float | None = None,
    false_alarms_per_day: float | None = None,
    precision: Precision = "auto",
    workers: int | None = 1,
    address: str | None = None,
    verify: bool = False,
    force: bool = False,
    watch: Watch | None = None,
) -> Progress:
    """Find the seizures in every recording of an archive.

    Parameters
    ----------
    root
        A folder, a list file, or a URL; see `list_archive`.
    output
        Folder for one table per recording, `index.parquet`, and the journal.
    model, threshold, false_alarms_per_day, precision
        As for `load_model` and `detect`.
    workers
        Recordings at once, each on one core; None means all cores. One without an
        address is done by this very process, without Ray.
    address
        Of a Ray cluster.
    verify
        Read every recording again, for archives whose time stamps say nothing.
    force
        Write over tables that no scan wrote, or that were changed since.
    watch
        Called at the beginning, without a row, and after each recording, with its own.

    Returns
    -------
    Progress
        As it was at the end.

    Raises
    ------
    DistilClipError
        ArchiveError, OutputExistsError, ModelFolderError, ConfigError or
        MissingExtraError: the message says what to do. A recording that fails does
        not raise; its row has the reason.
    """
    listing, folder = list_archive(os.fspath(root)), Path(output)
    recipe, loaded = recipe_for(model, threshold, false_alarms_per_day, precision)
    with Journal(folder, listing.root, force=force) as journal:
        plan = _planned(listing, recipe, journal, verify=verify)
        foreign = [o.table for o in plan.orders if not journal.is_own(o.table)]
        check_outputs([folder / table for table in foreign], force=force)
        state = _Scan(folder, journal, plan, _begun(listing, plan, journal))
        if address is None:
            workers = workers or _cores()
        if not plan.orders or (workers == 1 and address is None):
            done = _examined_here(plan.orders, recipe, loaded)
        else:
            done = examine_on_ray(
                plan.orders,
                recipe,
                loaded.folder.path,
                workers=workers,
                address=address,
            )
        state.run(done, watch or (lambda progress, row: None))
        return state.progress


@dataclass(frozen=True, slots=True)
class _Plan:
    """What is to be done, largest first, and the tables that all recordings have."""

    orders: list[Order]
    names: frozenset[str]
    tables: frozenset[str]


def _planned(
    listing: Listing, recipe: Recipe, journal: Journal, *, verify: bool
) -> _Plan:
    sources = listing.sources
    tables = [str(name) for name in table_names([Path(s.name) for s in sources])]
    orders = []
    for source, table in zip(sources, tables, strict=True):
        row = journal.rows.get(source.name)
        if row is None or not _still_holds(row, table, recipe, journal):
            orders.append(Order(source, table))
        elif verify or row["stamp"] != source.stamp:
            orders.append(Order(source, table, row["sha256"]))
    # A large one that comes last would keep one core busy and all others waiting.
    orders.sort(key=lambda order: -order.source.size_bytes)
    names = frozenset(source.name for source in sources)
    return _Plan(orders, names, frozenset(tables))


def _still_holds(row: Row, table: str, recipe: Recipe, journal: Journal) -> bool:
    return (
        row["failure"] is None
        and row["table"] == table
        and row["model_sha256"] == recipe.model_sha256
        and row["settings"] == recipe.settings
        and journal.is_settled(row)
    )


def _begun(listing: Listing, plan: _Plan, journal: Journal) -> Progress:
    notes = listing.notes
    if journal.n_damaged:
        notes += (f"{journal.n_damaged} damaged lines of the journal were left out",)
    return Progress(
        n_recordings=len(listing.sources),
        n_kept=len(listing.sources) - len(plan.orders),
        n_to_do=len(plan.orders),
        bytes_to_do=sum(order.source.size_bytes for order in plan.orders),
        n_gone=len(journal.rows.keys() - plan.names),
        problems=listing.problems,
        notes=notes,
    )


def _examined_here(
    orders: Iterable[Order], recipe: Recipe, model: Model
) -> Iterator[tuple[Order, Outcome]]:
    for order in orders:
        yield order, examine(order, recipe, model)


class _Scan:
    """Writes down what comes back."""

    def __init__(
        self, folder: Path, journal: Journal, plan: _Plan, progress: Progress
    ) -> None:
        self.progress = progress
        self._folder, self._journal, self._plan = folder, journal, plan
        self._indexed_at = time.monotonic()

    def run(self, done: Iterator[tuple[Order, Outcome]], watch: Watch) -> None:
        watch(self.progress, None)
        try:
            for order, outcome in done:
                row = self._keep(order, outcome)
                self._count(order, row)
                watch(self.progress, row)
                if time.monotonic() - self._indexed_at > INDEX_EVERY_S:
                    self._index()
        except (KeyboardInterrupt, ArchiveError):
            with suppress(ArchiveError):  # the reason for the first matters more
                self._index()
            raise
        finally:
            if isinstance(done, Generator):
                done.close()
        self._clear()
        self._journal.compact()
        self._index()

    def _keep(self, order: Order, outcome: Outcome) -> Row:
        old = self._journal.rows.get(order.source.name)
        if outcome.row is None:
            assert old is not None
            source = order.source
            row = Row(**{**old, "stamp": source.stamp})
            row["size_bytes"] = source.size_bytes
        else:
            row = outcome.row
        self._journal.append(row)
        if outcome.table is not None:
            self._write(row, outcome.table)
        return row

    def _write(self, row: Row, table: str) -> None:
        path = self._folder / str(row["table"])
        with writing(self._folder):
            path.parent.mkdir(parents=True, exist_ok=True)
            with written_whole(path) as partial, partial.open("wb") as file:
                file.write(table.encode())
                file.flush()
                os.fsync(file.fileno())  # else a loss of power leaves an empty table

    def _clear(self) -> None:
        """Take away tables that no recording has any more, if they are as written."""
        for table in self._journal.orphans():
            if self._journal.is_own(table):
                with writing(self._folder):
                    (self._folder / table).unlink(missing_ok=True)

    def _count(self, order: Order, row: Row) -> None:
        self.progress.n_done += 1
        self.progress.bytes_done += order.source.size_bytes
        self.progress.n_failed += row["failure"] is not None
        self.progress.eeg_s += row["duration_s"] or 0.0

    def _index(self) -> None:
        with writing(self._folder):
            try:
                write_index(self._folder / INDEX, self._rows(), self._plan.names)
                self.progress.has_index = True
            except ModuleNotFoundError:  # the journal holds all that the index would
                self.progress.has_index = False
        self._indexed_at = time.monotonic()

    def _rows(self) -> Iterator[Row]:
        for row in self._journal.rows.values():
            is_gone = row["recording"] not in self._plan.names
            if is_gone and row["table"] in self._plan.tables:  # another has it now
                row = Row(**{**row, "table": None})
            yield row


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
