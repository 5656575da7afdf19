"""How work is handed to Ray and taken back, beside a Ray whose every turn is chosen.

`test_scan_ray.py` does it with the real one; here is what that cannot time: who dies
when, in what order answers come, what the cluster holds at each moment.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from distilclip_eeg.archive import on_ray
from distilclip_eeg.archive import scan as scanning
from distilclip_eeg.archive.listing import list_archive
from distilclip_eeg.archive.scan import scan
from distilclip_eeg.archive.work import Order, Outcome, Recipe, recipe_for
from distilclip_eeg.detection.models import Model
from distilclip_eeg.errors import ArchiveError
from small_archive import Archive, check, rows_of, write_archive
from tiny_model import write_tiny_model


class RayError(Exception):
    pass


class WorkerCrashedError(RayError):
    pass


class OutOfMemoryError(RayError):
    pass


class NodeDiedError(RayError):
    pass


class ObjectLostError(RayError):
    pass


class RayTaskError(RayError):
    def __init__(self, cause: Exception) -> None:
        super().__init__(str(cause))
        self.cause = cause


@dataclass(eq=False)
class Task:
    """A reference: work that is done when somebody asks for it."""

    work: Callable[[], Any]


@dataclass
class ScriptedRay:
    """Does a task when it is waited for; `before` may kill it, `order` shuffles."""

    cores: int = 2
    before: Callable[[Order], None] = lambda order: None
    shuffle: random.Random = field(default_factory=lambda: random.Random(0))
    most_under_way: int = 0
    n_done: int = 0
    started: list[dict[str, Any]] = field(default_factory=list)
    cancelled: list[Task] = field(default_factory=list)
    is_up: bool = False

    def __post_init__(self) -> None:
        self.exceptions = SimpleNamespace(
            RayError=RayError,
            WorkerCrashedError=WorkerCrashedError,
            OutOfMemoryError=OutOfMemoryError,
            NodeDiedError=NodeDiedError,
            ObjectLostError=ObjectLostError,
            RayTaskError=RayTaskError,
        )

    def is_initialized(self) -> bool:
        return self.is_up

    def init(self, **options: Any) -> None:
        self.started.append(options)
        self.cores = options.get("num_cpus") or self.cores
        self.is_up = True

    def shutdown(self) -> None:
        self.is_up = False

    def cluster_resources(self) -> dict[str, float]:
        return {"CPU": float(self.cores)}

    def put(self, value: Any) -> Any:
        return value

    def remote(self, function: Callable[..., Any]) -> Any:
        def hand_out(parcel: Any, order: Order, recipe: Recipe) -> Task:
            def work() -> Any:
                self.before(order)
                return function(parcel, order, recipe)

            return Task(work)

        made = SimpleNamespace(remote=hand_out)
        made.options = lambda **_: made
        return made

    def wait(
        self, tasks: Sequence[Task], num_returns: int, timeout: float
    ) -> tuple[list[Task], list[Task]]:
        self.most_under_way = max(self.most_under_way, len(tasks))
        if not timeout:
            return [], list(tasks)
        chosen = self.shuffle.choice(tasks)
        return [chosen], [task for task in tasks if task is not chosen]

    def get(self, value: Any) -> Any:
        if not isinstance(value, Task):
            return value
        try:
            done = value.work()
        except RayError:
            raise
        except Exception as error:
            raise RayTaskError(error) from None
        self.n_done += 1
        return done

    def cancel(self, task: Task, force: bool) -> None:
        self.cancelled.append(task)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_model(tmp_path_factory.mktemp("model") / "tiny")


@pytest.fixture(scope="module")
def loaded(model: Path) -> tuple[Recipe, Model]:
    return recipe_for(model)


@pytest.fixture(scope="module")
def twelve(tmp_path_factory: pytest.TempPathFactory) -> Archive:
    return write_archive(tmp_path_factory.mktemp("twelve") / "archive", 12, 2)


@pytest.fixture(scope="module")
def six(tmp_path_factory: pytest.TempPathFactory) -> Archive:
    return write_archive(tmp_path_factory.mktemp("six") / "archive", 6, 1)


@pytest.fixture
def ray(monkeypatch: pytest.MonkeyPatch) -> Iterator[ScriptedRay]:
    scripted = ScriptedRay()
    stand_in: Any = ModuleType("ray")
    stand_in.get = scripted.get
    monkeypatch.setitem(sys.modules, "ray", stand_in)  # what a worker imports
    monkeypatch.setattr(on_ray, "_ray", lambda: scripted)
    on_ray._models.clear()
    yield scripted
    on_ray._models.clear()


def test_the_same_as_one_process(
    ray: ScriptedRay, twelve: Archive, model: Path, tmp_path: Path
) -> None:
    scan(twelve.root, tmp_path / "ray", model=model, workers=3)
    scan(twelve.root, tmp_path / "one", model=model, workers=1)
    for output in (tmp_path / "ray", tmp_path / "one"):
        check(output, twelve)
    for table in (tmp_path / "one").rglob("*.tsv"):
        other = tmp_path / "ray" / table.relative_to(tmp_path / "one")
        assert other.read_bytes() == table.read_bytes()
    (options,) = ray.started
    assert (options["address"], options["num_cpus"]) == ("local", 3)
    assert not ray.is_up


def test_no_more_is_handed_out_than_cores_can_take(
    ray: ScriptedRay, twelve: Archive, model: Path, tmp_path: Path
) -> None:
    scan(twelve.root, tmp_path / "local", model=model, workers=2)
    assert ray.most_under_way == 2 * on_ray.AHEAD
    ray.most_under_way, ray.cores = 0, 100
    scan(twelve.root, tmp_path / "far", model=model, workers=3, address="auto")
    assert ray.most_under_way == 3
    assert ray.started[-1]["address"] == "auto"
    assert "num_cpus" not in ray.started[-1]


@pytest.mark.parametrize("address", ["127.0.0.1:1", "ray://127.0.0.1:1"])
def test_no_such_cluster(
    address: str, ray: ScriptedRay, twelve: Archive, model: Path, tmp_path: Path
) -> None:
    with pytest.raises(ArchiveError, match="no Ray cluster listens on"):
        scan(twelve.root, tmp_path, model=model, address=address)
    assert not ray.started


def test_nothing_to_do_needs_no_ray(
    ray: ScriptedRay, model: Path, tmp_path: Path
) -> None:
    archive = write_archive(tmp_path / "archive", 2)
    scan(archive.root, tmp_path / "out", model=model, workers=2)
    scan(archive.root, tmp_path / "out", model=model, workers=2)
    assert len(ray.started) == 1


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (WorkerCrashedError, "the process that read it died, 4 times"),
        (NodeDiedError, "the process that read it died, 4 times"),
        (ObjectLostError, "the process that read it died, 4 times"),
        (OutOfMemoryError, "too little memory"),
    ],
)
def test_a_deadly_recording_is_a_failure_and_is_tried_again(
    error: type[Exception],
    reason: str,
    ray: ScriptedRay,
    twelve: Archive,
    model: Path,
    tmp_path: Path,
) -> None:
    deadly = min(twelve.events)

    def kill(order: Order) -> None:
        if order.source.name == deadly:
            raise error

    ray.before = kill
    assert scan(twelve.root, tmp_path, model=model, workers=2).n_failed == 3
    row = rows_of(tmp_path)[deadly]
    assert reason in row["failure"]
    assert (row["table"], row["n_events"]) == (None, None)
    ray.before = lambda order: None
    assert scan(twelve.root, tmp_path, model=model, workers=2).n_failed == 2
    check(tmp_path, twelve)


def test_a_machine_that_cannot_work_stops_the_scan(
    ray: ScriptedRay, twelve: Archive, model: Path, tmp_path: Path
) -> None:
    def spoil(order: Order) -> None:
        raise RayTaskError(ModuleNotFoundError("No module named 'distilclip_eeg'"))

    ray.before = spoil
    with pytest.raises(ArchiveError, match=r"same distilclip-eeg on all of them"):
        scan(twelve.root, tmp_path, model=model, workers=2)
    assert len(ray.cancelled) == 2 * on_ray.AHEAD - 1
    assert not ray.is_up


def test_another_version_stops_the_scan(
    ray: ScriptedRay,
    loaded: tuple[Recipe, Model],
    twelve: Archive,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    recipe, model = loaded
    orders = [Order(s, "a.tsv") for s in list_archive(str(twelve.root)).sources]
    monkeypatch.setattr(on_ray, "version", lambda _: "0.0.1")
    with pytest.raises(ArchiveError, match=r"found version 0\.0\.1"):
        list(on_ray.examine_on_ray(orders, recipe, model.folder.path, workers=2))


def test_ray_that_cannot_start_is_one_line(
    ray: ScriptedRay,
    twelve: Archive,
    model: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(**_: Any) -> None:
        raise Exception("The current node timed out\nduring startup.")

    monkeypatch.setattr(ray, "init", refuse)
    with pytest.raises(ArchiveError, match=r"on this machine: The current node timed"):
        scan(twelve.root, tmp_path, model=model, workers=2)


@settings(
    deadline=None,
    max_examples=10,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    seed=st.integers(0, 2**32),
    losses=st.lists(st.integers(0, 5), max_size=3),
    cores=st.integers(1, 6),
)
def test_whenever_the_head_is_lost_nothing_is_lost_or_doubled(
    seed: int,
    losses: list[int],
    cores: int,
    ray: ScriptedRay,
    six: Archive,
    loaded: tuple[Recipe, Model],
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Answers come in any order, the cluster goes after any; the rest is done later."""
    monkeypatch.setattr(scanning, "recipe_for", lambda *_: loaded)
    output = tmp_path_factory.mktemp("out")
    ray.shuffle, ray.cores, ray.n_done = random.Random(seed), cores, 0
    for n_before in losses:
        left = [n_before]

        def lose(order: Order, left: list[int] = left) -> None:
            left[0] -= 1
            if left[0] < 0:
                raise RayError("the head is gone")

        ray.before = lose
        with suppress(ArchiveError):  # or it was done before
            scan(six.root, output, address="auto", workers=None)
        ray.is_up = False
    ray.before = lambda order: None
    scan(six.root, output, address="auto", workers=None)
    check(output, six)
    n_tried_again = len(losses) * len(six.broken)
    assert ray.n_done <= len(six.names) + n_tried_again


def test_an_outcome_is_of_plain_values(
    loaded: tuple[Recipe, Model], model: Path, twelve: Archive
) -> None:
    recipe, _ = loaded
    source = list_archive(str(twelve.root)).sources[0]
    on_ray._models[recipe.model_sha256] = loaded[1]
    outcome = on_ray._examined([None], Order(source, "a.tsv"), recipe)
    on_ray._models.clear()
    assert isinstance(outcome, Outcome)
    assert outcome.row is not None
    assert outcome.row["failure"] is None
    assert set(map(type, outcome.row.values())) <= {
        *(str, int, float, list, dict, type(None)),
    }
