"""What the page asks and is told, over HTTP and without a browser."""

from __future__ import annotations

import json
import os
import struct
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import edfio
import numpy as np
import pytest
from starlette.testclient import TestClient

from distilclip_eeg.corpora.tusz_annotations import read_csv
from distilclip_eeg.eeg.annotations import read_tsv
from distilclip_eeg.review.app import create_app
from distilclip_eeg.review.desk import open_desk
from distilclip_eeg.review.guard import access_for
from distilclip_eeg.review.tiles import BINS_PER_TILE
from review_folder import (
    NAME,
    SECONDS,
    detection_json,
    probabilities,
    write_folder,
    write_recording,
)
from tiny_model import write_tiny_model

PORT = 8420
BASE = f"http://127.0.0.1:{PORT}"


class Page:
    """A reviewer's page on one recording."""

    def __init__(self, client: TestClient, number: int = 0, who: str = "me") -> None:
        self.client, self.who = client, who
        listed = client.get("/api/recordings").json()["recordings"]
        self.id = listed[number]["id"]
        self._keys = count()

    def get(self, what: str, **query: Any) -> Any:
        path = f"/api/recordings/{self.id}/{what}"
        return self.client.get(path, params=query)

    def json(self, what: str, **query: Any) -> Any:
        answer = self.get(what, **query)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def send(self, action: str, **fields: Any) -> Any:
        key = f"key-{self.id}-{self.who}-{next(self._keys)}"
        body = {"key": key, "reviewer": self.who, "action": action} | fields
        return self.client.post(f"/api/recordings/{self.id}/decisions", json=body)

    def decide(self, action: str, **fields: Any) -> dict[str, Any]:
        answer = self.send(action, **fields)
        assert answer.status_code == 201, answer.text
        review: dict[str, Any] = answer.json()
        return review

    def accept(self, event: str, onset: float, duration: float) -> dict[str, Any]:
        span = [onset, onset + duration]
        return self.decide(
            "accept", event=event, onset=onset, duration=duration, model_span=span
        )


def values(data: bytes) -> tuple[dict[str, Any], np.ndarray]:
    (size,) = struct.unpack("<I", data[:4])
    about = json.loads(data[4 : 4 + size])
    return about, np.frombuffer(data[4 + size :], "<f4").reshape(about["shape"])


def opened(folder: Path, **options: Any) -> TestClient:
    desk = open_desk(folder, **({"detects": False} | options))
    return TestClient(create_app(desk, access_for("127.0.0.1", PORT)), base_url=BASE)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_folder(tmp_path / "folder", ["a.edf", "b.edf"])


@pytest.fixture
def client(folder: Path) -> Iterator[TestClient]:
    with opened(folder) as client:
        yield client


@pytest.fixture
def page(client: TestClient) -> Page:
    return Page(client)


def test_list_and_facts(client: TestClient, page: Page) -> None:
    listed = client.get("/api/recordings").json()
    first, second = listed["recordings"]
    assert (first["name"], first["duration_s"]) == ("a.edf", SECONDS)
    assert first["detection"] == {"state": "done", "why": ""}
    assert (first["n_events"], first["reviews"]) == (2, [])
    assert first["patient"] == second["patient"] == 1
    about = page.json("about")
    assert about["threshold"] == 0.6
    assert about["has_probability"]
    names = [m["name"] for m in about["montages"]]
    assert names == ["longitudinal", "transverse", "average", "as recorded"]


def test_tiles_of_every_montage_and_level(page: Page) -> None:
    for montage in page.json("about")["montages"]:
        for level in range(6):
            answer = page.get("tile", montage=montage["name"], level=level, index=0)
            about, rows = values(answer.content)
            assert rows.shape[0] == len(montage["traces"])
            assert rows.shape[1] <= 2 * BINS_PER_TILE + 1 or level == 0
            assert about["start_s"] == 0
    assert page.get("tile", montage="none", level=0, index=0).status_code == 404
    assert page.get("tile", montage="average", level=0, index=99).status_code == 404
    assert page.get("tile", montage="average", level=9, index=0).status_code == 422


def test_filters_off_the_list_are_refused(page: Page) -> None:
    query = {"montage": "average", "level": 0, "index": 0}
    assert page.get("tile", **query, highpass=0.7).status_code == 422
    assert page.get("tile", **query, highpass="nan").status_code == 422
    plain = page.get("tile", **query, highpass=0, lowpass=0, notch=0)
    soft = page.get("tile", **query, highpass=0, lowpass=15, notch=50)
    assert values(soft.content)[1].std() < 0.6 * values(plain.content)[1].std()


def test_probability_and_spectrogram(page: Page, folder: Path) -> None:
    _, probability = values(page.get("probability").content)
    assert probability.shape == (1, SECONDS)
    assert probability.max() == pytest.approx(0.9)
    about, first = values(page.get("spectrogram").content)
    assert first.shape[0] == 2
    assert about["step_hz"] == 0.5
    _, again = values(page.get("spectrogram").content)  # from disk
    np.testing.assert_array_equal(first, again)
    assert list((folder / "distilclip-review" / "overviews").glob("*.npz"))


def test_threshold_cuts_events_anew(page: Page) -> None:
    def onsets(**query: Any) -> list[float]:
        return [e["onset"] for e in page.json("candidates", **query)["events"]]

    assert onsets() == [20.0, 70.0]
    assert onsets(threshold=0.8) == [20.0]
    assert onsets(threshold=0.95) == []
    assert page.get("candidates", threshold=0).status_code == 422
    assert page.get("candidates", threshold="nan").status_code == 422


def test_a_day_of_deciding(page: Page) -> None:
    page.accept("e1", 20.0, 20.0)
    review = page.decide("move", event="e1", onset=18.5, duration=22.0)
    assert (review["events"][0]["onset"], review["undo"]) == (18.5, "move")
    page.decide("reject", event="e2", onset=70.0, duration=20.0)
    page.decide("add", event="e3", onset=100.0, duration=12.5)
    page.decide("comment", event="e3", text="  subtle\nbut clear ")
    page.decide("comment", text="restless night")
    review = page.decide("finish")
    assert [e["is_seizure"] for e in review["events"]] == [True, False, True]
    assert review["events"][2]["comment"] == "subtle\nbut clear"
    assert (review["comment"], review["is_finished"]) == ("restless night", True)
    open_ones = page.json("candidates", reviewer="me")["events"]
    assert [e["is_decided"] for e in open_ones] == [True, True]
    record = page.json("decisions")["decisions"]
    assert [line["action"] for line in record] == [
        *("accept", "move", "reject", "add", "comment", "comment", "finish")
    ]
    assert all(line["reviewer"] == "me" and line["made_at"] for line in record)


def test_undo_and_redo(page: Page) -> None:
    assert page.send("undo").status_code == 409
    page.accept("e1", 20.0, 20.0)
    page.decide("move", event="e1", onset=25.0, duration=10.0)
    assert page.decide("undo")["events"][0]["onset"] == 20.0
    assert page.decide("undo")["events"] == []
    review = page.decide("redo")
    assert (review["events"][0]["onset"], review["redo"]) == (20.0, True)
    assert page.decide("redo")["events"][0]["onset"] == 25.0
    assert page.send("redo").status_code == 409
    assert len(page.json("decisions")["decisions"]) == 6


def test_what_makes_no_sense_is_refused(page: Page) -> None:
    refused: list[tuple[str, dict[str, Any], int]] = [
        ("move", {"event": "e1", "onset": 1.0, "duration": 2.0}, 409),
        ("add", {"event": "e1"}, 422),
        ("add", {"onset": 1.0, "duration": 2.0}, 422),
        ("add", {"event": "e1", "onset": 119.0, "duration": 2.0}, 422),
        ("add", {"event": "e1", "onset": -1.0, "duration": 2.0}, 422),
        ("add", {"event": "e1", "onset": 1.0, "duration": 0.0}, 422),
        ("add", {"event": "e/1", "onset": 1.0, "duration": 2.0}, 422),
        ("add", {"event": "e", "onset": 1, "duration": 2, "event_type": "x"}, 422),
        ("comment", {"event": "e1", "text": "?"}, 409),
        ("comment", {"text": "x" * 2001}, 422),
        ("comment", {"text": "a\u0007"}, 422),
        ("redo", {}, 409),
    ]
    for action, fields, status in refused:
        assert page.send(action, **fields).status_code == status, (action, fields)
    assert page.json("decisions")["decisions"] == []


def test_sent_again_is_kept_once(page: Page, client: TestClient) -> None:
    body = {
        "key": "the-same-key", "reviewer": "me", "action": "add",
        "event": "e", "onset": 3.0, "duration": 5.0,
    }  # fmt: skip
    path = f"/api/recordings/{page.id}/decisions"
    assert [client.post(path, json=body).status_code for _ in range(3)] == [201] * 3
    undo = {"key": "undo-once", "reviewer": "me", "action": "undo"}
    assert [client.post(path, json=undo).status_code for _ in range(2)] == [201] * 2
    assert len(page.json("decisions")["decisions"]) == 2


def test_reviewers_do_not_see_each_others_undo(client: TestClient) -> None:
    me, you = Page(client), Page(client, who="you")
    me.accept("e1", 20.0, 20.0)
    you.decide("add", event="e1", onset=25.0, duration=10.0)
    assert you.decide("undo")["events"] == []
    reviews = {r["reviewer"]: r for r in me.json("reviews")["reviews"]}
    assert len(reviews["me"]["events"]) == 1
    you.decide("redo")
    pairs = me.json("agreement")["pairs"]
    assert [(p["first"], p["second"]) for p in pairs] == [
        ("me", "model"), ("you", "model"), ("me", "you"),
    ]  # fmt: skip
    assert pairs[2]["f1"] == 1.0
    assert 0 < pairs[2]["kappa"] < 1
    listed = client.get("/api/recordings").json()
    assert listed["reviewers"] == ["me", "you"]
    assert [r["n_seizures"] for r in listed["recordings"][0]["reviews"]] == [1, 1]


def test_decisions_outlive_the_server(folder: Path) -> None:
    with opened(folder) as client:
        Page(client).accept("e1", 20.0, 20.0)
    with opened(folder) as client:
        (review,) = Page(client).json("reviews")["reviews"]
    assert review["events"][0]["onset"] == 20.0


def test_threshold_of_a_patient_is_offered_for_the_next_recording(
    client: TestClient,
) -> None:
    first, second = Page(client, 0), Page(client, 1)
    path = f"/api/recordings/{first.id}/patient-threshold"
    first.accept("e1", 20.0, 20.0)
    first.decide("reject", event="e2", onset=70.0, duration=20.0)
    proposal = first.json("patient-threshold", reviewer="me")["proposal"]
    assert proposal["default"]["n_false"] == 1
    assert proposal["best"] == {
        "threshold": 0.71, "n_found": 1, "n_missed": 0, "n_false": 0,
    }  # fmt: skip
    kept = client.post(path, json={"reviewer": "me", "threshold": 0.71})
    assert kept.status_code == 201
    offered = second.json("patient-threshold", reviewer="me")["kept"]
    assert (offered["threshold"], offered["reviewer"]) == (0.71, "me")
    assert offered["details"]["then"]["n_false"] == 0
    assert offered["details"]["before"]["n_false"] == 1


def test_nobody_knows_whose_recording_it_is(tmp_path: Path) -> None:
    write_recording(tmp_path / "a.edf", patient="X X X X")
    with opened(tmp_path) as client:
        page = Page(client)
        path = f"/api/recordings/{page.id}/patient-threshold"
        body = {"reviewer": "me", "threshold": 0.5}
        assert client.post(path, json=body).status_code == 409
        assert page.json("patient-threshold", reviewer="me")["kept"] is None


def test_exports(page: Page, tmp_path: Path, folder: Path) -> None:
    assert page.get("export", reviewer="me", kind="tsv").status_code == 404
    page.accept("e1", 20.0, 20.0)
    page.decide("add", event="e3", onset=100.0, duration=12.5)
    page.decide("reject", event="e2", onset=70.0, duration=20.0)
    paths = {}
    for kind in ("tsv", "edf", "csv_bi"):
        answer = page.get("export", reviewer="me", kind=kind)
        assert f'filename="a_reviewed.{kind}"' in answer.headers["content-disposition"]
        paths[kind] = tmp_path / f"out.{kind}"
        paths[kind].write_bytes(answer.content)
    spans = [(20.0, 20.0), (100.0, 12.5)]
    assert [(e.onset, e.duration) for e in read_tsv(paths["tsv"])] == spans
    marked = read_csv(paths["csv_bi"])
    assert [(r.start_s, r.stop_s - r.start_s) for r in marked.seizures] == spans
    assert marked.duration_s == SECONDS
    assert sum(r.stop_s - r.start_s for r in marked.rows) == SECONDS
    copy = edfio.read_edf(paths["edf"])
    assert [(a.onset, a.duration, a.text) for a in copy.annotations] == [
        (20.0, 20.0, "sz"),
        (100.0, 12.5, "sz"),
    ]
    source = edfio.read_edf(folder / "a.edf")
    np.testing.assert_array_equal(copy.signals[3].digital, source.signals[3].digital)
    assert NAME in source.local_patient_identification
    assert NAME not in paths["edf"].read_bytes().decode("latin-1")
    assert page.get("export", reviewer="me", kind="exe").status_code == 422


def test_detection_is_run_where_none_is(tmp_path: Path) -> None:
    model = write_tiny_model(tmp_path / "model")
    write_recording(tmp_path / "folder" / "a.edf", seconds=30)
    (tmp_path / "folder" / "bad.edf").write_bytes(b"0       " + b"x" * 300)
    with opened(tmp_path / "folder", model=str(model), detects=True) as client:
        until = time.monotonic() + 60
        while True:
            good, bad = client.get("/api/recordings").json()["recordings"]
            if good["detection"]["state"] == "done" or time.monotonic() > until:
                break
            time.sleep(0.05)
        assert good["detection"]["state"] == "done"
        assert bad["duration_s"] is None
        assert bad["detection"]["state"] == "failed"
        assert str(tmp_path) not in bad["detection"]["why"]
        page = Page(client)
        assert page.json("about")["model"] == "tiny"
        found = page.json("map", at=15)
        assert (found["start_s"], len(found["leads"])) == (10, 18)
        assert np.array(found["values"], float).shape == (18, 10)
        assert page.get("map", at=31).status_code == 404
    kept = list((tmp_path / "folder" / "distilclip-review" / "detections").iterdir())
    assert len(kept) == 1


def test_detector_output_that_does_not_fit_is_said(folder: Path) -> None:
    (folder / "a.json").write_text('{"seizure_probability": [], "events": []}')
    with opened(folder) as client:
        first, second = client.get("/api/recordings").json()["recordings"]
        assert first["detection"]["state"] == "failed"
        assert "a.json" in first["detection"]["why"]
        assert second["detection"]["state"] == "done"
        assert Page(client).json("about")["detection"]["state"] == "failed"


def test_what_was_detected_anew_is_taken(page: Page, folder: Path) -> None:
    assert len(page.json("candidates")["events"]) == 2
    text = json.dumps(detection_json(probabilities([(30, 50, 0.9)])))
    written = folder / "a.json"
    written.write_text(text)
    os.utime(written, ns=(1, 1))  # whatever the clock of this machine resolves
    (event,) = page.json("candidates")["events"]
    assert event["onset"] == 30.0
