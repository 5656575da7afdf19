"""A recording, what was found in it and by which model -> the report as a file.

Reads the recording a second time for its course, and once more around each event.
"""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

from distilclip_eeg.detection.models import Model
from distilclip_eeg.detection.result import Detection
from distilclip_eeg.eeg.annotations import written_whole
from distilclip_eeg.eeg.edf_notes import Note, read_notes
from distilclip_eeg.eeg.files import open_recording
from distilclip_eeg.eeg.recording import Recording
from distilclip_eeg.review.report import trend_figure
from distilclip_eeg.review.report.burden import hours, status
from distilclip_eeg.review.report.clocks import Clock, lasting
from distilclip_eeg.review.report.event_pages import Pages, most_certain
from distilclip_eeg.review.report.facts import (
    gap_spans,
    model_facts,
    operating_words,
    quality_rows,
    recorded_spans,
    recording_facts,
)
from distilclip_eeg.review.report.identity import WITHHELD, Patient, read_patient
from distilclip_eeg.review.report.markup import Markup
from distilclip_eeg.review.report.page import Content, html, verdict
from distilclip_eeg.review.report.trends import trend_of

SUFFIXES = (".html",)


def write_report(
    detection: Detection,
    source: Path,
    model: Model,
    output: Path,
    *,
    identify: bool = False,
) -> None:
    """Write the report of one recording; the file appears whole or never.

    Parameters
    ----------
    detection
        What `model` found in `source`.
    identify
        Say what the header says of the patient. Otherwise its words are taken out of
        the name of the file and of its notes.

    Raises
    ------
    UnreadableRecordingError
        If the recording changed since it was searched.
    """
    text = html(gather(detection, source, model, identify=identify))
    output.parent.mkdir(parents=True, exist_ok=True)
    with written_whole(output) as partial:
        partial.write_text(text, encoding="utf-8", newline="\n")


def gather(
    detection: Detection, source: Path, model: Model, *, identify: bool = False
) -> Content:
    """Compute everything that the report of a recording says."""
    recording = open_recording(source)
    patient = read_patient(source)
    shown = Patient(patient.facts) if identify else Patient((), patient.names)
    when = Clock.of(detection.start_time)
    name = _name(source, shown)
    notes = tuple(
        Note(note.onset_s, note.duration_s, shown.without_names(note.text))
        for note in read_notes(source)
    )
    pages = Pages(recording, detection, model, notes, when)
    return Content(
        name=name,
        detection=detection,
        clock=when,
        patient=list(shown.facts),
        recording=recording_facts(recording, detection, when),
        model=model_facts(detection, model.folder),
        trend=_trend(recording, detection, notes, when),
        hours=hours(detection.events, recorded_spans(recording), detection.duration_s),
        status=status(detection.events),
        quality=quality_rows(detection, recording),
        notes=notes,
        pages={
            place: pages.section(place, event)
            for place, event in most_certain(detection.events)
        },
        operating=operating_words(detection, model.folder),
        version=version("distilclip-eeg"),
    )


def _name(source: Path, patient: Patient) -> str:
    name = patient.without_names(source.name)
    return name if WITHHELD not in name else "file name withheld"


def _trend(
    recording: Recording, detection: Detection, notes: tuple[Note, ...], when: Clock
) -> Markup:
    course = trend_figure.Course(
        recording.duration_s,
        trend_of(recording),
        detection.events,
        notes,
        detection.seizure_probability,
        detection.settings.onset_threshold,
        gap_spans(recording),
        when,
    )
    described = (
        f"{lasting(recording.duration_s)} of EEG from left to right. "
        f"{verdict(detection)} The tables below say the same in words."
    )
    return trend_figure.draw(course, "Course of the whole recording", described)
