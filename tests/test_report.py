"""The report is one file that needs nothing else, names nobody, and can be read."""

from __future__ import annotations

import re
import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from browser import browser_page, serious_findings
from distilclip_eeg.cli import main
from distilclip_eeg.detection.detector import detect
from distilclip_eeg.detection.models import Model, load_model
from distilclip_eeg.detection.result import Detection
from distilclip_eeg.eeg.annotations import Event
from distilclip_eeg.eeg.events import Place
from distilclip_eeg.review.report import event_pages, write
from distilclip_eeg.review.report.event_figure import Looked
from distilclip_eeg.review.report.page import html
from distilclip_eeg.review.report.write import gather, write_report
from report_recording import PATIENT, write_recording
from tiny_model import write_tiny_model

Run = Callable[..., int]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("report")


@pytest.fixture(scope="module")
def model(folder: Path) -> Model:
    return load_model(write_tiny_model(folder / "tiny"))


@pytest.fixture(scope="module")
def recording(folder: Path) -> Path:
    return write_recording(folder / "night.edf")


@pytest.fixture(scope="module")
def detection(recording: Path, model: Model) -> Detection:
    return detect(recording, model=model)


@pytest.fixture(scope="module")
def page(detection: Detection, recording: Path, model: Model, folder: Path) -> str:
    write_report(detection, recording, model, folder / "night.html")
    return (folder / "night.html").read_text(encoding="utf-8")


class Outline(HTMLParser):
    """What a browser and a screen reader make of the page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    def all(self, *tags: str) -> list[dict[str, str | None]]:
        return [attributes for tag, attributes in self.elements if tag in tags]

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


def test_says_what_was_found(page: str, detection: Detection) -> None:
    assert len(detection.events) == 2
    said = Outline(page).text
    for words in (
        "2 events detected",
        "2 March 2019, 23:59:50",
        "256 Hz",
        "18 of 18",
        f"tiny, SHA-256 {detection.model.sha256[:16]}",
        "about 24 false alarms per 24 hours",
        "Measured on made up",
        "not a medical device",
        "push button",
        "Event 1 of 2",
        "Event 2 of 2",
        "(+1 d)",  # the second event is after midnight
        f"{detection.events[0].confidence:.2f}",
    ):
        assert words in said, words


def test_needs_nothing_else(page: str) -> None:
    found = Outline(page)
    assert not found.all("script", "link", "iframe", "object", "base")
    sources = [
        source
        for _, attributes in found.elements
        for source in map(attributes.get, ("src", "href"))
        if source
    ]
    assert all(s.startswith(("#", "data:image/png;base64,")) for s in sources)
    assert "url(#" in page
    assert not re.search(r"url\((?!#)|@import|https?://", page)
    policy = [m["content"] for m in found.all("meta") if "http-equiv" in m]
    assert policy == ["default-src 'none'; style-src 'unsafe-inline'; img-src data:"]


def test_can_be_walked_through(page: str) -> None:
    found = Outline(page)
    assert found.all("html") == [{"lang": "en"}]
    levels = [int(tag[1]) for tag, _ in found.elements if re.fullmatch(r"h\d", tag)]
    assert levels.count(1) == 1
    assert all(b <= a + 1 for a, b in zip([0, *levels], levels, strict=False))
    assert {a.get("scope") for a in found.all("th")} == {"col", "row"}
    assert len(found.all("caption")) == len(found.all("table"))
    pictures = [a for a in found.all("svg") if a.get("aria-hidden") != "true"]
    assert len(pictures) == 3
    assert all(a["role"] == "img" and a["aria-label"] for a in pictures)
    labelled = {a["for"] for a in found.all("label")}
    assert labelled == {a["id"] for a in found.all("input")}


def test_every_link_and_reference_leads_somewhere(page: str) -> None:
    found = Outline(page)
    names = Counter(a["id"] for _, a in found.elements if "id" in a)
    assert max(names.values()) == 1
    wanted = {a["href"] for a in found.all("a")}
    wanted |= {f"#{a['aria-labelledby']}" for a in found.all("section")}
    wanted |= {f"#{name}" for name in re.findall(r"url\(#([\w-]+)\)", page)}
    assert wanted <= {f"#{name}" for name in names}


def test_hostile_notes_stay_text(page: str) -> None:
    assert "<script" not in page
    assert "<script>alert(1)</script>" in Outline(page).text


def test_names_nobody(page: str) -> None:
    for word in ("Haagse", "Harriet", "1951", "MCH-0234567"):
        assert word.casefold() not in page.casefold(), word
    assert "more\" of [withheld]'s" in Outline(page).text


def test_names_the_patient_when_asked(
    detection: Detection, recording: Path, model: Model
) -> None:
    said = Outline(html(gather(detection, recording, model, identify=True))).text
    for words in ("Haagse Harriet", "MCH-0234567", "02-MAY-1951", "of Harriet's"):
        assert words in said, words


@pytest.mark.parametrize(
    ("stem", "patient", "shown"),
    [
        ("harriet_2019", PATIENT, False),
        ("HAAGSE-1", PATIENT, False),
        ("harriet", "Harriet Haagse", False),  # plain EDF: the whole field
        ("night-7", PATIENT, True),
        ("night-7", "X X X X", True),
        ("xxxx", "X X X X", True),
        ("night-7", "", True),
    ],
)
def test_a_file_name_that_holds_the_patient_is_withheld(
    tmp_path: Path, model: Model, stem: str, patient: str, shown: bool
) -> None:
    source = write_recording(tmp_path / f"{stem}.edf", 12, (), patient=patient)
    text = html(gather(detect(source, model=model), source, model))
    assert (f"<h1>{stem}.edf</h1>" in text) == shown
    assert ("file name withheld" in text) != shown
    assert (stem in text) == shown


def test_missing_leads_and_no_events(tmp_path: Path, model: Model) -> None:
    labels = [f"EEG {name}" for name in ("Fp1", "F7", "T3", "T5", "F3", "C3", "P3")]
    source = write_recording(tmp_path / "few.edf", 20, (), labels=labels)
    found = detect(source, model=model)
    said = Outline(html(gather(found, source, model))).text
    for words in (
        "No seizure detected.",
        "6 of 18, missing: P7–O1",
        "not in this recording",
        "No event reached the threshold.",
        "only 6 of the 18 leads",
    ):
        assert words in said, words
    assert "Pages of EEG" not in said


def test_gaps_are_said_and_drawn(gap_edf: Path, model: Model) -> None:
    text = html(gather(detect(gap_edf, model=model), gap_edf, model))
    assert "1, together 1 min 40 s" in Outline(text).text
    assert text.count('fill="url(#gap)"') == 1


PLACE = Place("left", 0.9, "temporal", 0.8)


def with_events(detection: Detection, *spans: tuple[float, float]) -> Detection:
    sure = np.linspace(0.5, 0.9, len(spans)).tolist()
    events = [
        Event(onset, lasts, confidence=c, channels=("F7-T7",), place=PLACE)
        for (onset, lasts), c in zip(spans, sure, strict=True)
    ]
    return replace(detection, events=tuple(events))


def test_only_the_most_certain_have_a_page(
    detection: Detection, recording: Path, model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_pages, "looked_at", _nothing)
    many = with_events(detection, *((float(k), 0.5) for k in range(55)))
    text = html(gather(many, recording, model))
    assert len(re.findall(r'<section id="event-\d+" class="event"', text)) == 50
    assert 'id="event-5"' not in text  # the five least certain come first
    assert 'id="event-6"' in text
    assert "for the 50 most certain; 5 are listed without one" in Outline(text).text
    said = Outline(text).text
    assert "left temporal" in said  # in the list
    assert "left (0.90), temporal (0.80)" in said  # on the page of an event


def _nothing(*_: Any) -> Looked:
    nothing = np.zeros((18, event_pages.PAGE_S))
    return Looked(nothing, nothing[:, 0], "masked")


def test_status_epilepticus_is_flagged(
    detection: Detection, recording: Path, model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_pages, "looked_at", _nothing)
    long = with_events(replace(detection, duration_s=1000.0), (0.0, 640.0))
    said = Outline(html(gather(long, recording, model))).text
    assert (
        "Possible electrographic status epilepticus: one event of 10 min 40 s" in said
    )
    assert "are met by these events" in said
    short = Outline(html(gather(detection, recording, model))).text
    assert "Possible electrographic status" not in short
    assert "are not met by these events" in short


def test_written_whole_or_not_at_all(
    detection: Detection,
    recording: Path,
    model: Model,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken(_: object) -> str:
        raise OSError("disk full")

    monkeypatch.setattr(write, "html", broken)
    with pytest.raises(OSError, match="disk full"):
        write_report(detection, recording, model, tmp_path / "out.html")
    assert not list(tmp_path.iterdir())


@pytest.fixture
def run(folder: Path, model: Model) -> Run:
    def called(*args: str | Path) -> int:
        with pytest.raises(SystemExit) as done:
            main(["detect", "--model", str(folder / "tiny"), *map(str, args)])
        return int(done.value.code or 0)

    return called


def test_command_writes_it_beside_the_table(
    run: Run, recording: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, table = tmp_path / "pages" / "out.html", tmp_path / "out.tsv"
    assert run(recording, table, "--report", out) == 0
    assert capsys.readouterr() == ("", "")
    assert [table.exists(), out.read_text().startswith("<!doctype html>")] == [True] * 2
    assert run(recording, "--report", out) == 2  # never over another file
    assert "--force" in capsys.readouterr().err
    assert run(recording, "--report", out, "--identify", "--force") == 0
    assert "Haagse Harriet" in out.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["--report", "out.pdf"], "use one of .html"),
        (["--identify"], "add --report"),
        (["in", "--report", "out.html", "--output", "out"], "name that file alone"),
    ],
)
def test_mistake_is_one_line(
    run: Run,
    recording: Path,
    args: list[str],
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in").mkdir()
    shutil.copy(recording, tmp_path / "in" / "other.edf")
    assert run(recording, *args) == 2
    err = capsys.readouterr().err
    assert said in err
    assert len(err.splitlines()) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["in"]


@pytest.mark.browser
def test_passes_axe(page: str, folder: Path) -> None:
    with browser_page(1280) as opened:
        opened.goto((folder / "night.html").as_uri())
        assert serious_findings(opened) == []


@pytest.mark.browser
def test_opens_without_network_and_prints(page: str, folder: Path) -> None:
    with browser_page(1280) as opened:
        opened.context.set_offline(True)
        complaints: list[str] = []
        opened.on("console", lambda message: complaints.append(message.text))
        opened.on("requestfailed", lambda request: complaints.append(request.url))
        opened.goto((folder / "night.html").as_uri())
        assert opened.evaluate("document.documentElement.scrollWidth") <= 1280
        looked = opened.locator("#event-1 .looked").first
        assert looked.is_visible()
        opened.get_by_label("Show where the model looked").first.uncheck()
        assert not looked.is_visible()
        assert complaints == []
        pdf = opened.pdf(prefer_css_page_size=True)
    # Facts with the trend, one or two pages of tables, one for each event.
    assert len(re.findall(rb"/Type\s*/Page\b", pdf)) in (4, 5)
