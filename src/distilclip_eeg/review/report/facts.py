"""A detection, its recording and its model -> the rows of the tables of a report.

Everything is words here, and no patient is named. Knows neither markup nor pictures.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Final

from distilclip_eeg.detection.result import Detection
from distilclip_eeg.eeg.annotations import Event
from distilclip_eeg.eeg.events import Place
from distilclip_eeg.eeg.findings import kind_of, semiology_of
from distilclip_eeg.eeg.montage import LEADS, derivation
from distilclip_eeg.eeg.recording import Recording
from distilclip_eeg.explain.drawing import clock
from distilclip_eeg.model_folder import ModelFolder
from distilclip_eeg.review.report.clocks import Clock, lasting
from distilclip_eeg.review.report.event_figure import lead_words

Facts = list[tuple[str, str]]

NOT_KNOWN: Final = "not known"
HASH_DIGITS: Final = 16


def recording_facts(recording: Recording, detection: Detection, when: Clock) -> Facts:
    """What was recorded: when, how long, with which channels."""
    n_eeg = sum(derivation(label) is not None for label in recording.ch_names)
    gaps = gap_spans(recording)
    lost_s = sum(stop - start for start, stop in gaps)
    n_leads = len(LEADS) - len(detection.missing_leads)
    missing = ", ".join(map(lead_words, detection.missing_leads))
    leads = f"{n_leads} of {len(LEADS)}"
    return [
        ("Start", _start(when)),
        (
            "Duration",
            f"{lasting(detection.duration_s)} ({clock(detection.duration_s)})",
        ),
        ("Gaps", f"{len(gaps)}, together {lasting(lost_s)}" if gaps else "none"),
        ("Sampling rate", f"{recording.sfreq:g} Hz"),
        ("Channels", f"{len(recording.ch_names)}, of which EEG: {n_eeg}"),
        ("Leads", f"{leads}, missing: {missing}" if missing else leads),
    ]


def model_facts(detection: Detection, folder: ModelFolder) -> Facts:
    """Which model it was, and by what settings it decided."""
    settings, signal = detection.settings, folder.signal
    notches = " and ".join(f"{hz:g}" for hz in signal.notch_hz)
    events = (
        f"begin at a probability of {settings.onset_threshold:.2f}, last while it is "
        f"at least {settings.offset_threshold:.2f}, and for at least "
        f"{settings.min_duration_s:g} s; closer than {settings.min_gap_s:g} s are one"
    )
    band = f"{signal.highpass_hz:g} to {signal.lowpass_hz:g} Hz, notch {notches} Hz"
    digits = detection.model.sha256[:HASH_DIGITS]
    return [
        ("Model", f"{detection.model.name}, SHA-256 {digits}…"),
        ("Events", events),
        ("Signal", f"{band}, longitudinal bipolar"),
    ]


def operating_words(detection: Detection, folder: ModelFolder) -> str:
    """What the model card says of false alarms at the threshold that was used."""
    points = folder.operating_points
    if not points:
        return f"How often model {folder.name} alarms falsely was never measured."
    threshold = detection.settings.onset_threshold
    rates = [(point.onset_threshold, point.per_day) for point in points]
    if threshold > max(t for t, _ in rates):
        rate = f"fewer than {min(r for _, r in rates):g}"
    elif threshold < min(t for t, _ in rates):
        rate = f"more than {max(r for _, r in rates):g}"
    else:
        rate = f"about {_rate_at(threshold, sorted(rates)):.0f}"
    measured = (
        f" Measured on {folder.config.measured_on}."
        if folder.config.measured_on
        else ""
    )
    return (
        f"At a threshold of {threshold:.2f} model {folder.name} gave {rate} false "
        f"alarms per 24 hours.{measured}"
    )


def _rate_at(threshold: float, rates: Sequence[tuple[float, float]]) -> float:
    """Linear in the logarithm of the rate, as thresholds are chosen."""
    for (low, rate_low), (high, rate_high) in pairwise(rates):
        if low <= threshold <= high:
            share = (threshold - low) / (high - low) if high > low else 0.0
            return math.exp(
                (1 - share) * math.log(rate_low) + share * math.log(rate_high)
            )
    return rates[0][1]


def quality_rows(
    detection: Detection, recording: Recording
) -> list[tuple[str, float | None, str]]:
    """Each lead, the share of it that could be used or None, and what was wrong."""
    total_s = sum(
        math.ceil(segment.n_times / recording.sfreq - 1e-6)
        for segment in recording.segments
    )
    rows: list[tuple[str, float | None, str]] = []
    for lead in LEADS:
        entry = detection.quality.get(lead)
        if lead in detection.missing_leads:
            rows.append((lead_words(lead), None, "not in this recording"))
        elif entry is None or not total_s:
            rows.append((lead_words(lead), 1.0, ""))
        else:
            wrong = ", ".join(
                f"{kind.replace('_', ' ')} {lasting(seconds)}"
                for kind, seconds in sorted(entry["faults_s"].items())
            )
            rows.append((lead_words(lead), entry["usable_s"] / total_s, wrong))
    return rows


def type_words(event_type: str) -> str:
    """A HED-SCORE type in words: `seizure`, `focal seizure, tonic`."""
    kind, sign = kind_of(event_type), semiology_of(event_type)
    words = "seizure" if kind == "unknown" else f"{kind} seizure"
    return words if sign == "unknown" else f"{words}, {sign}"


def place_words(event: Event) -> str:
    """Where the event begins, if it is known."""
    return str(event.place or "") or NOT_KNOWN


def sure_words(event: Event) -> str:
    """Side and lobe of an event, each with how sure it is."""
    place = event.place or Place()
    told = (
        (place.side, place.side_confidence),
        (place.lobe, place.lobe_confidence),
    )
    words = [f"{name} ({sure:.2f})" for name, sure in told if name and sure is not None]
    return ", ".join(words) or NOT_KNOWN


def leads_words(event: Event) -> str:
    """The leads that the event names, the strongest first."""
    return ", ".join(map(lead_words, event.channels)) or "none named"


def confidence_words(event: Event) -> str:
    """The confidence of an event, or that there is none."""
    return NOT_KNOWN if event.confidence is None else f"{event.confidence:.2f}"


def recorded_spans(recording: Recording) -> list[tuple[float, float]]:
    """Start and stop in seconds of each stretch without a gap."""
    return [
        (s.onset_s, s.onset_s + s.n_times / recording.sfreq) for s in recording.segments
    ]


def gap_spans(recording: Recording) -> list[tuple[float, float]]:
    """Start and stop in seconds of what was not recorded."""
    spans = recorded_spans(recording)
    starts = [0.0, *(stop for _, stop in spans)]
    stops = [*(start for start, _ in spans), recording.duration_s]
    least = 1.5 / recording.sfreq
    return [(a, b) for a, b in zip(starts, stops, strict=True) if b - a > least]


def _start(when: Clock) -> str:
    if when.start is None:
        return "time of day not known"
    day = f"{when.start.day} {when.start:%B %Y}, " if when.is_dated else ""
    return f"{day}{when.start:%H:%M:%S}"
