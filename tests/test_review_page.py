"""The page in a browser: a person decides, the server is killed, nothing is lost."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from browser import browser_page, serious_findings
from distilclip_eeg.detection.detector import detect
from distilclip_eeg.detection.models import load_model
from distilclip_eeg.detection.outputs import write_detection
from review_folder import write_folder
from review_server import Server
from tiny_model import write_tiny_model

EXAMPLE = Path(__file__).parent.parent / "examples" / "chb01_03_1_eeg.edf"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The real recording of the examples, and what the tiny model finds in it."""
    root = tmp_path_factory.mktemp("folder")
    recording = Path(shutil.copy(EXAMPLE, root / "rec.edf"))
    model = load_model(write_tiny_model(root.parent / "tiny"))
    write_detection(detect(recording, model=model), recording, root / "rec.json")
    return root


def open_recording(page: Any, url: str, reviewer: str) -> None:
    page.goto(url)
    page.fill("#reviewer", reviewer)
    page.keyboard.press("Tab")
    page.click("#rows button")
    page.wait_for_selector("#events button")
    page.wait_for_selector("#montage option", state="attached")


def shown_start(page: Any) -> str:
    return str(page.inner_text("#span")).partition(" ")[0]


def stored(page: Any, n_decisions: int) -> None:
    """Wait until so many decisions are stored and shown."""
    page.wait_for_selector(f"#stored[data-decisions='{n_decisions}']", state="attached")


def ask(page: Any, path: str) -> Any:
    script = "path => fetch('/api/recordings/' + location.hash.slice(1) + path)"
    return page.evaluate(f"{script}.then(r => r.json())", path)


def mine(page: Any, reviewer: str) -> Any:
    reviews = ask(page, "/reviews")["reviews"]
    return next(r for r in reviews if r["reviewer"] == reviewer)


@pytest.mark.browser
def test_scroll_montage_move_kill_restart_find(folder: Path) -> None:
    with browser_page() as page:
        with Server(folder, "--no-detect") as server:
            open_recording(page, server.url, "Dr Example")
            page.keyboard.press("Home")
            start = shown_start(page)
            page.mouse.move(600, 500)
            page.mouse.wheel(0, 400)
            page.wait_for_timeout(300)
            assert shown_start(page) != start
            page.keyboard.press("m")
            assert page.input_value("#montage") == "transverse"
            page.keyboard.press("n")
            page.keyboard.press("y")
            stored(page, 1)
            before = mine(page, "Dr Example")["events"][0]
            drag_onset(page, by_s=2.0)
            stored(page, 2)
            after = mine(page, "Dr Example")["events"][0]
            assert after["onset"] == pytest.approx(before["onset"] + 2, abs=0.2)
            end = before["onset"] + before["duration"]
            assert after["onset"] + after["duration"] == pytest.approx(end, abs=0.01)
            port = server.port
            server.kill()
            page.keyboard.press("]")  # decided while nobody listens
            page.wait_for_selector("text=the server does not answer")
        with Server(folder, "--no-detect", port=port):
            stored(page, 3)
            assert not page.is_visible("#trouble")
            page.reload()
            page.wait_for_selector("#events .seizure")
            found = mine(page, "Dr Example")["events"][0]
            assert found["onset"] == pytest.approx(after["onset"] + 1, abs=0.01)
            assert page.inner_text("#progress").startswith("1 of ")


def drag_onset(page: Any, by_s: float) -> None:
    """Take the left edge of the chosen event and pull it to the right."""
    page.click("#events .seizure button")
    box = page.locator("#traces").bounding_box()
    onset = mine(page, "Dr Example")["events"][0]["onset"]
    start, width_s = page.evaluate(
        "import('/static/state.js').then(m => [m.state.start, m.state.width])"
    )
    px = (box["width"] - 78) / width_s
    x, y = box["x"] + 78 + (onset - start) * px, box["y"] + 200
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + by_s * px / 2, y)
    page.mouse.move(x + by_s * px, y)
    page.mouse.up()


KEYS_AND_WHAT_HOLDS: list[tuple[str, dict[str, Any]]] = [
    ("x", {"undo": "reject", "redo": False}),
    ("u", {"undo": None, "redo": True}),
    ("r", {"undo": "reject", "redo": False}),
    ("f", {"undo": "finish", "is_finished": True}),
]


@pytest.mark.browser
def test_everything_by_keyboard(folder: Path) -> None:
    with Server(folder, "--no-detect") as server, browser_page() as page:
        open_recording(page, server.url, "Keys")
        for key, control, values in [
            ("m", "#montage", ["transverse", "average", "as recorded", "longitudinal"]),
            ("ArrowDown", "#sensitivity", ["10", "15"]),
            ("ArrowUp", "#sensitivity", ["10", "7"]),
            ("h", "#highpass", ["1", "1.6"]),
            ("l", "#lowpass", ["0", "15"]),
            ("k", "#notch", ["50", "60", "0"]),
        ]:
            for value in values:
                page.keyboard.press(key)
                assert page.input_value(control) == value
        page.keyboard.press("p")
        assert not page.is_checked("#negative-up")
        threshold = float(page.input_value("#threshold"))
        page.keyboard.press("t")
        assert float(page.input_value("#threshold")) == pytest.approx(threshold + 0.01)
        page.keyboard.press("g")
        page.keyboard.press("n")
        for n, (key, holds) in enumerate(KEYS_AND_WHAT_HOLDS, start=1):
            page.keyboard.press(key)
            stored(page, n)
            review = mine(page, "Keys")
            assert {name: review[name] for name in holds} == holds
        page.keyboard.press("c")
        page.fill("#comment-text", "artefact")
        page.click("#comment-save")
        stored(page, 5)
        assert json.dumps(mine(page, "Keys")["events"]).count("artefact") == 1
        page.keyboard.press("?")
        assert page.is_visible("#help")
        page.keyboard.press("Escape")
        page.keyboard.press("Escape")
        page.keyboard.press("Escape")
        page.wait_for_selector("#rows button")


@pytest.mark.browser
def test_threshold_recuts_at_once(tmp_path: Path) -> None:
    root = write_folder(tmp_path)  # one event of 0.9, one of 0.7
    with Server(root, "--no-detect") as server, browser_page() as page:
        open_recording(page, server.url, "Slider")
        for threshold, says in [
            ("0.8", "1 event "),
            ("0.95", "0 events "),
            ("0.6", "2"),
        ]:
            page.fill("#threshold", threshold)
            page.wait_for_selector(f"#threshold-says:has-text('{says}')")
        page.wait_for_selector("#events li:nth-child(2)")
        assert page.locator("#events li").count() == 2


@pytest.mark.browser
def test_without_a_name_nothing_is_stored(folder: Path) -> None:
    with Server(folder, "--no-detect") as server, browser_page() as page:
        open_recording(page, server.url, "")
        page.keyboard.press("n")
        page.keyboard.press("y")
        page.wait_for_selector("text=Say who you are")
        assert page.evaluate("document.activeElement.id") == "reviewer"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.browser
def test_axe_finds_nothing_serious(folder: Path, scheme: str) -> None:
    with Server(folder, "--no-detect") as server, browser_page() as page:
        page.emulate_media(color_scheme=scheme)
        page.goto(server.url)
        page.wait_for_selector("#rows button")
        assert serious_findings(page) == []
        open_recording(page, server.url, f"Axe {scheme}")
        for panel in ("#agreement-panel", "#patient-panel"):
            page.click(f"{panel} summary")
        page.keyboard.press("x")
        stored(page, 1)
        assert serious_findings(page) == []
        page.keyboard.press("?")
        assert serious_findings(page) == []
