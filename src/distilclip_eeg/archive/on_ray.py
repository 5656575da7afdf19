"""Orders -> outcomes, by the processes of a Ray cluster: this machine's or many.

A recording is one task, never split. Twice as many tasks are handed out as there are
cores, so that memory does not grow with the archive and no core waits. Ray starts a
task again whose process or machine died; only the one who asks writes anything, and
writes each answer once. The model travels with the tasks: machines need the same
package and a way to the recordings, no more.
"""

from __future__ import annotations

import logging
import os
import socket
import tempfile
import time
from collections.abc import Iterable, Iterator
from importlib.metadata import version
from itertools import islice
from pathlib import Path
from typing import Any, Final

from distilclip_eeg.archive.listing import reason_of
from distilclip_eeg.archive.work import Order, Outcome, Recipe, examine, failed
from distilclip_eeg.detection.models import Model, load_model
from distilclip_eeg.errors import ArchiveError, MissingExtraError

RETRIES: Final = 3  # machines may go; a recording that kills its process will again
AHEAD: Final = 2  # tasks per core
_TICK_S: Final = 5.0
_LISTENS_S: Final = 10.0
_STORE_BYTES: Final = 512 * 2**20  # the model and answers under way; none is large

_models: dict[str, Model] = {}  # of this worker process; one


def examine_on_ray(
    orders: Iterable[Order],
    recipe: Recipe,
    model: Path,
    *,
    workers: int | None = None,
    address: str | None = None,
) -> Iterator[tuple[Order, Outcome]]:
    """Do orders in parallel; outcomes come as they are ready.

    Parameters
    ----------
    model
        Folder of the recipe's model.
    workers
        Recordings at once; all cores if not given.
    address
        Of a cluster, as `ray.init` takes it; without, one is started on this machine.

    Raises
    ------
    ArchiveError
        If there is no such cluster, the connection to it is lost, or its machines
        cannot do the work.
    MissingExtraError
        If Ray is not installed.
    """
    ray = _ray()
    is_ours = not ray.is_initialized()
    try:
        if is_ours:
            _connect(ray, workers, address)
        yield from _drained(ray, iter(orders), recipe, model, workers, address)
    except (ray.exceptions.RayError, ConnectionError) as error:
        raise ArchiveError(
            f"the connection to Ray was lost ({reason_of(error)}); what was done is "
            "kept: start the same scan again when the cluster is back"
        ) from None
    finally:
        if is_ours:
            ray.shutdown()


def _drained(
    ray: Any,
    orders: Iterator[Order],
    recipe: Recipe,
    model: Path,
    workers: int | None,
    address: str | None,
) -> Iterator[tuple[Order, Outcome]]:
    parcel = ray.put(_packed(model))
    task = ray.remote(_examined).options(
        num_cpus=1, max_retries=RETRIES, retry_exceptions=False, name="distilclip scan"
    )
    waiting: dict[Any, Order] = {}
    room, asked_at = 0, -_TICK_S
    try:
        while True:
            if time.monotonic() - asked_at >= _TICK_S:  # machines come and go
                room, asked_at = _room(ray, workers, address), time.monotonic()
            for order in islice(orders, max(0, room - len(waiting))):
                # In a list: a bare reference would be copied into every single task.
                waiting[task.remote([parcel], order, recipe)] = order
            if not waiting:
                return
            for answer in _ready(ray, list(waiting)):
                order = waiting.pop(answer)
                yield order, _outcome(ray, answer, order, recipe)
    finally:
        for answer in waiting:
            ray.cancel(answer, force=True)


def _room(ray: Any, workers: int | None, address: str | None) -> int:
    if address and workers:
        return workers  # of a cluster that has more, use no more
    cores = workers or int(ray.cluster_resources().get("CPU", 0))
    return AHEAD * max(1, cores)


def _ready(ray: Any, waiting: list[Any]) -> list[Any]:
    ready, rest = ray.wait(waiting, num_returns=1, timeout=_TICK_S)
    if ready and rest:
        ready += ray.wait(rest, num_returns=len(rest), timeout=0)[0]
    return list(ready)


def _outcome(ray: Any, answer: Any, order: Order, recipe: Recipe) -> Outcome:
    failures = ray.exceptions
    try:
        outcome: Outcome = ray.get(answer)
    except failures.OutOfMemoryError:
        reason = "the machine has too little memory for it"
    except (
        failures.WorkerCrashedError,
        failures.NodeDiedError,
        failures.ObjectLostError,
    ):
        reason = f"the process that read it died, {RETRIES + 1} times"
    except failures.RayTaskError as error:
        raise ArchiveError(
            f"a machine of the cluster cannot do the work ({reason_of(error.cause)}); "
            "install the same distilclip-eeg on all of them"
        ) from None
    else:
        return outcome
    return failed(order, recipe, reason)


def _connect(ray: Any, workers: int | None, address: str | None) -> None:
    options: dict[str, Any] = {
        "log_to_driver": False,
        "logging_level": logging.ERROR,
    }
    if address is None:
        options |= {
            "address": "local",
            "num_cpus": workers,
            "include_dashboard": False,
            "object_store_memory": _STORE_BYTES,
        }
    else:
        options["address"] = address
        _check_somebody_listens(address)
    try:
        ray.init(**options)
    except Exception as error:  # Ray raises anything here, also a bare Exception
        where = address or "this machine"
        raise ArchiveError(
            f"Ray cannot be reached or started on {where}: {reason_of(error)}"
        ) from None


def _check_somebody_listens(address: str) -> None:
    # Ray itself tries for minutes.
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not port.isdigit():  # "auto"
        return
    try:
        socket.create_connection((host, int(port)), _LISTENS_S).close()
    except (OSError, OverflowError) as error:
        raise ArchiveError(
            f"no Ray cluster listens on {address} ({reason_of(error)}); give the "
            "address that `ray start --head` printed"
        ) from None


def _ray() -> Any:
    # Nothing about a hospital's cluster is sent to Ray's makers.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray
        import ray.exceptions
    except ModuleNotFoundError as error:
        raise MissingExtraError(
            f"{error.name} is not installed; several recordings at once need it: "
            'pip install "distilclip-eeg[archive]", or do with --workers 1'
        ) from None
    return ray


def _packed(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def _examined(parcel: list[Any], order: Order, recipe: Recipe) -> Outcome:
    """Run on a worker: everything that a recording can do wrong is in the outcome."""
    if version("distilclip-eeg") != recipe.package_version:
        raise ArchiveError(
            f"found version {version('distilclip-eeg')}, the scan was started with "
            f"{recipe.package_version}"
        )
    if recipe.model_sha256 not in _models:
        _models.clear()
        _models[recipe.model_sha256] = _unpacked(parcel[0], recipe)
    return examine(order, recipe, _models[recipe.model_sha256])


def _unpacked(parcel: Any, recipe: Recipe) -> Model:
    import ray

    with tempfile.TemporaryDirectory(prefix="distilclip-model-") as folder:
        for name, content in ray.get(parcel).items():
            (Path(folder) / name).write_bytes(content)
        return load_model(folder, recipe.precision, threads=1)
