"""The review page is asked what its own description allows, and what it does not.

schemathesis draws requests from the OpenAPI of the application: parameters and bodies
that fit it, and such that break it. Nothing but an answer may come: below 500, and a
refusal in one readable line.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from starlette.testclient import TestClient

from distilclip_eeg.review.app import create_app
from distilclip_eeg.review.desk import open_desk
from distilclip_eeg.review.guard import access_for
from review_folder import write_folder
from tiny_model import write_tiny_model

schemathesis = pytest.importorskip("schemathesis", reason="needs schemathesis")

from schemathesis import GenerationMode  # noqa: E402 - after the check that it is there

PORT = 8420
BASE = f"http://127.0.0.1:{PORT}"
IN_CI, AT_NIGHT = 8, 250  # requests of each kind, to each of the routes
METHODS = ("GET", "POST")
HEAVY = "/api/search"  # loads torch, and a text tower that is damaged here
Operation = Any


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    root = tmp_path_factory.mktemp("review")
    model = write_tiny_model(root / "model")
    folder = write_folder(root / "folder", ["a.edf", "b.edf"])
    desk = open_desk(folder, model=str(model), detects=False)
    app = create_app(desk, access_for("127.0.0.1", PORT))
    with TestClient(app, base_url=BASE) as opened:
        yield opened


def operations(client: TestClient) -> list[Operation]:
    app: Any = client.app
    schema = schemathesis.openapi.from_dict(app.openapi())
    return [result.ok() for result in schema.get_all_operations()]


def ask(client: TestClient, case: Any, known: str) -> None:
    """Send what was drawn, half of it to a recording that exists."""
    names = dict(case.path_parameters or {})
    if "recording" in names and len(str(names["recording"])) % 2:
        names["recording"] = known
    path = case.operation.path
    for name, value in names.items():
        path = path.replace(f"{{{name}}}", quoted(value))
    options: dict[str, Any] = {"params": dict(case.query or {})}
    if case.method == "POST":
        options["content"] = as_json(case.body)
        options["headers"] = {"content-type": "application/json"}
    answer = client.request(case.method, f"{BASE}{path}", **options)
    assert answer.status_code < 500, answer.text
    if answer.status_code >= 400:
        said = answer.json()["detail"]
        assert isinstance(said, str)
        assert said.isprintable(), said


def quoted(value: object) -> str:
    from urllib.parse import quote

    return quote(str(value).encode("utf-8", "replace"), safe="") or "none"


def as_json(body: object) -> bytes:
    import json

    try:
        return json.dumps(body).encode("utf-8", "replace")
    except (TypeError, ValueError):  # no body was drawn
        return b""


def attack(client: TestClient, asked: list[Operation], n_examples: int) -> int:
    """Ask routes in every way; give how many requests were sent."""
    known = client.get("/api/recordings").json()["recordings"][0]["id"]
    n_sent = 0
    for operation in asked:
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):

            @settings(
                max_examples=n_examples,
                derandomize=True,
                deadline=None,
                database=None,
                phases=[Phase.generate],
                suppress_health_check=list(HealthCheck),
            )
            @given(case=operation.as_strategy(generation_mode=mode))
            def one(case: Any) -> None:
                nonlocal n_sent
                n_sent += 1
                ask(client, case, known)

            try:
                one()
            except Unsatisfiable:  # nothing is wrong where nothing is asked
                assert mode is GenerationMode.NEGATIVE
    return n_sent


def test_every_route_is_described(client: TestClient) -> None:
    labels = {operation.label for operation in operations(client)}
    assert "POST /api/recordings/{recording}/decisions" in labels
    assert {label.split()[0] for label in labels} == set(METHODS)


def test_nothing_but_answers(client: TestClient) -> None:
    light = [one for one in operations(client) if one.path != HEAVY]
    assert attack(client, light, IN_CI) >= IN_CI * len(light) > 100


@pytest.mark.slow
def test_nothing_but_answers_all_night(client: TestClient) -> None:
    everything = operations(client)
    assert attack(client, everything, AT_NIGHT) >= AT_NIGHT * len(everything)
