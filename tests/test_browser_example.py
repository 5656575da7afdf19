"""The browser example finds what the package finds, in node and in a page."""

from __future__ import annotations

import json
import shutil
import subprocess
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from browser import browser_page
from distilclip_eeg import Event, detect, load_model
from distilclip_eeg.corpora.manifest import read_manifest
from distilclip_eeg.detection.models import find_model
from distilclip_eeg.detection.runtime import Precision
from distilclip_eeg.eeg.files import open_recording
from distilclip_eeg.model_folder import ConfidenceScale
from tiny_model import write_tiny_model

REPO = Path(__file__).parent.parent
EXAMPLE = REPO / "examples" / "chb01_03_1_eeg.edf"
HERE = REPO / "examples" / "browser"
ORT = REPO / "node_modules" / "onnxruntime-web"
SAME_CONFIDENCE = 0.01  # another machine's arithmetic
TEST_FOLD = 4
RATE_HZ = 256

NODE = """
import { readFileSync } from "node:fs";
import * as ort from "onnxruntime-web";
import { EdgeDetector, readEdf, second } from "./edge_detector.js";
ort.env.wasm.numThreads = 1;
const [folder, file, ...recordings] = process.argv.slice(1);
const settings = JSON.parse(readFileSync(`${folder}/config.json`));
const network = readFileSync(`${folder}/${file}`);
const all = [];
for (const path of recordings) {
  const edf = new Uint8Array(readFileSync(path)).buffer;
  const { names, channels, seconds } = readEdf(edf);
  const detector = await EdgeDetector.load(ort, network, settings, names);
  const found = [];
  for (let s = 0; s < seconds; s++)
    found.push(...(await detector.push(second(channels, s))));
  found.push(...(await detector.close()));
  all.push(found.flatMap(({ event }) => (event ? [event] : [])));
}
console.log(JSON.stringify(all));
"""


@pytest.fixture(scope="module", autouse=True)
def installed() -> None:
    if not ORT.is_dir():
        pytest.skip("onnxruntime-web is not installed: see examples/browser/README.md")


def expected(
    recording: Path, model: Path | str = "edge", precision: Precision = "int8"
) -> tuple[Event, ...]:
    return detect(recording, model=load_model(model, precision)).events


def assert_same(found: list[dict[str, Any]], events: tuple[Event, ...]) -> None:
    spans = [(event["onset"], event["end"]) for event in found]
    assert spans == [(e.onset, e.onset + e.duration) for e in events]
    confidences = [event["confidence"] for event in found]
    wanted = [event.confidence for event in events]
    assert confidences == pytest.approx(wanted, abs=SAME_CONFIDENCE)


def by_node(
    *recordings: Path, folder: Path | None = None, file: str = "model_int8.onnx"
) -> list[list[dict[str, Any]]]:
    """Events of each recording, by the bundled model if not by that of a folder."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not installed")
    done = subprocess.run(
        [
            *(node, "--input-type=module", "-e", NODE, "--"),
            *(str(folder or find_model("edge")), file),
            *map(str, recordings),
        ],
        cwd=HERE,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: list[list[dict[str, Any]]] = json.loads(done.stdout)
    return found


def test_node_finds_the_same_events() -> None:
    (found,) = by_node(EXAMPLE)
    assert found
    assert_same(found, expected(EXAMPLE))


def test_node_calibrates_confidence(tmp_path: Path) -> None:
    scale = ConfidenceScale(slope=0.5, intercept=-2.0)
    plain = write_tiny_model(tmp_path / "plain")
    calibrated = write_tiny_model(tmp_path / "calibrated", confidence=scale)
    (found,) = by_node(EXAMPLE, folder=calibrated, file="model.onnx")
    assert found
    assert_same(found, expected(EXAMPLE, calibrated, "f32"))
    for event, before in zip(found, expected(EXAMPLE, plain, "f32"), strict=True):
        assert before.confidence is not None
        assert event["confidence"] < before.confidence - 0.2


def test_node_on_real_clips(data_dir: Path) -> None:
    clips = [r.path for r in read_manifest(data_dir) if r.fold != TEST_FOLD][::50]
    clips = [path for path in clips if open_recording(path).sfreq == RATE_HZ]
    found = by_node(*clips)
    assert any(found)
    for path, events in zip(clips, found, strict=True):
        assert_same(events, expected(path))


@pytest.fixture
def address() -> Iterator[str]:
    """The checkout, served on loopback."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """A request is no news."""

    handler = partial(Quiet, directory=str(REPO))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


@pytest.mark.browser
def test_the_page_finds_the_same_events(address: str) -> None:
    with browser_page() as page:
        page.goto(f"{address}/examples/browser/index.html?speed=0")
        page.wait_for_selector("body[data-state]", timeout=120_000)
        found = json.loads(page.evaluate("document.body.dataset.events ?? '[]'"))
        listed = page.locator("#events li").all_text_contents()
    assert_same(found, expected(EXAMPLE))
    assert len(listed) == len(found) == 1
    assert listed[0].startswith(f"Seizure from {found[0]['onset']} s to ")
