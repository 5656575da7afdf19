"""The server as a process: killed in a burst of decisions, interrupted, misused."""

from __future__ import annotations

import http.client
import json
import threading
from collections import defaultdict
from pathlib import Path

import pytest

from distilclip_eeg.cli import main
from distilclip_eeg.review.recordings import STATE_FOLDER
from distilclip_eeg.review.store import DATABASE, Store
from review_folder import write_folder
from review_server import Server

REVIEWERS = ("one", "two", "three")
ENOUGH = 40


def request(port: int, method: str, path: str, body: object = None) -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    headers = {"Content-Type": "application/json"} if body is not None else {}
    text = None if body is None else json.dumps(body)
    try:
        connection.request(method, path, text, headers)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def listed_id(port: int) -> str:
    status, text = request(port, "GET", "/api/recordings")
    assert status == 200
    return str(json.loads(text)["recordings"][0]["id"])


def test_nothing_acknowledged_is_lost_when_killed(tmp_path: Path) -> None:
    folder = write_folder(tmp_path)
    acknowledged: dict[str, list[str]] = defaultdict(list)
    with Server(folder, "--no-detect") as server:
        recording = listed_id(server.port)
        path = f"/api/recordings/{recording}/decisions"
        enough = threading.Event()

        def decide(reviewer: str) -> None:
            for number in range(10_000):
                text = f"{reviewer} {number}"
                body = {
                    "key": f"key-{reviewer}-{number}",
                    "reviewer": reviewer,
                    "action": "comment",
                    "text": text,
                }
                try:
                    status, _ = request(server.port, "POST", path, body)
                except (OSError, http.client.HTTPException):
                    return  # it was killed
                assert status == 201
                acknowledged[reviewer].append(text)
                if sum(map(len, acknowledged.values())) >= ENOUGH:
                    enough.set()

        people = [threading.Thread(target=decide, args=(r,)) for r in REVIEWERS]
        for person in people:
            person.start()
        assert enough.wait(30)
        server.kill()
        for person in people:
            person.join()
    store = Store(folder / STATE_FOLDER / DATABASE)
    kept = store.decisions(recording)
    store.close()
    for reviewer in REVIEWERS:
        texts = [d.details["text"] for d in kept[reviewer]]
        assert texts[: len(acknowledged[reviewer])] == acknowledged[reviewer]
        assert len(texts) - len(acknowledged[reviewer]) in (0, 1)  # on its way
    with Server(folder, "--no-detect") as server:
        _, text = request(server.port, "GET", f"/api/recordings/{recording}/reviews")
        comments = {r["reviewer"]: r["comment"] for r in json.loads(text)["reviews"]}
    assert comments == {r: kept[r][-1].details["text"] for r in REVIEWERS}


def test_interrupted_it_ends_quietly(tmp_path: Path) -> None:
    folder = write_folder(tmp_path)
    with Server(folder, "--no-detect") as server:
        assert server.answers()
        said = server.end()
    assert "Traceback" not in said


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["gone"], "found no folder"),
        (["empty"], "no recordings"),
        (["full", "--model", "nothing"], "bundled"),
        (["full", "--host", "192.0.2.1"], "--port"),
        (["full", "--host", "no such host"], "--host"),
    ],
)
def test_mistake_is_one_line(
    tmp_path: Path,
    args: list[str],
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    write_folder(tmp_path / "full")
    with pytest.raises(SystemExit) as done:
        main(["review", *args])
    assert done.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert said in line


def test_a_port_in_use_is_said(tmp_path: Path) -> None:
    folder = write_folder(tmp_path)
    with (
        Server(folder, "--no-detect") as server,
        pytest.raises(AssertionError, match="choose another --port"),
    ):
        Server(folder, "--no-detect", port=server.port)
