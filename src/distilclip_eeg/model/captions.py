"""Findings of a segment, or names of classes -> sentences for the text tower.

Everything is said in coarse words, so that many segments of a batch share a caption to
the last letter: those are each other's positives. What is unknown is left out, not
called unknown. A caption holds what `Findings` holds and nothing else, so it cannot
tell patient or data set.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from numpy.random import Generator

from distilclip_eeg.eeg.findings import Findings, Measured

_TEMPLATES: Final = (
    ("EEG with {what}.", "EEG with {what}: {activity}."),
    ("The segment shows {what}.", "The segment shows {what}, with {activity}."),
    ("Scalp EEG read as {what}.", "Scalp EEG with {activity}, read as {what}."),
)  # without, with something measured; the first pair is the canonical one

_WORDINGS: Final = {
    "background": (
        "EEG with background activity.",
        "The segment shows background activity.",
        "Interictal EEG: ordinary background activity of the brain.",
        "Scalp EEG of a patient between seizures.",
    ),
    "seizure": (
        "EEG with a seizure.",
        "The segment shows a seizure.",
        "Ictal EEG: rhythmic activity that evolves, an epileptic seizure.",
        "Scalp EEG of a patient during a seizure.",
    ),
    "focal non-specific seizure": (
        "EEG with a focal seizure.",
        "The segment shows a seizure of focal onset, of no more special kind.",
        "Ictal EEG: rhythmic activity that evolves over one region of the brain.",
    ),
    "simple partial seizure": (
        "EEG with a focal aware seizure.",
        "The segment shows a simple partial seizure: consciousness is kept.",
        "Ictal EEG: a seizure that stays in a small part of one hemisphere.",
    ),
    "complex partial seizure": (
        "EEG with a focal seizure with impaired awareness.",
        "The segment shows a complex partial seizure: consciousness is impaired.",
        "Ictal EEG: rhythmic activity over a temporal or frontal lobe that spreads.",
    ),
    "focal to bilateral tonic-clonic seizure": (
        "EEG with a focal to bilateral tonic-clonic seizure.",
        "The segment shows a seizure that begins in one region and becomes convulsive.",
        "Ictal EEG: focal rhythmic activity that spreads to both hemispheres.",
    ),
    "generalised non-specific seizure": (
        "EEG with a generalised seizure.",
        "The segment shows a seizure of generalised onset, of no more special kind.",
        "Ictal EEG: discharges that begin over both hemispheres at once.",
    ),
    "absence seizure": (
        "EEG with a generalised non-motor seizure.",
        "The segment shows an absence seizure.",
        "Ictal EEG: regular generalised spikes and waves at three per second.",
    ),
    "tonic seizure": (
        "EEG with a generalised tonic seizure.",
        "The segment shows a tonic seizure: the body stiffens.",
        "Ictal EEG: generalised fast activity of low amplitude that grows.",
    ),
    "clonic seizure": (
        "EEG with a generalised clonic seizure.",
        "The segment shows a clonic seizure: limbs jerk rhythmically.",
        "Ictal EEG: rhythmic bursts in step with jerks.",
    ),
    "tonic-clonic seizure": (
        "EEG with a generalised tonic-clonic seizure.",
        "The segment shows a tonic-clonic seizure, a convulsion.",
        "Ictal EEG: fast activity, then bursts that slow down, hidden by muscle.",
    ),
    "atonic seizure": (
        "EEG with a generalised atonic seizure.",
        "The segment shows an atonic seizure: muscles suddenly go slack.",
        "Ictal EEG: a short generalised discharge, then flattening.",
    ),
    "myoclonic seizure": (
        "EEG with a generalised myoclonic seizure.",
        "The segment shows a myoclonic seizure: sudden short jerks.",
        "Ictal EEG: short bursts of generalised polyspikes and waves.",
    ),
    "electrographic seizure": (
        "EEG with an electrographic seizure.",
        "The segment shows a seizure on EEG of which nothing is seen in the patient.",
        "Ictal EEG: rhythmic activity that evolves, without clinical signs.",
    ),
    "video-detected seizure without visible change": (
        "EEG during a seizure that is seen on video only.",
        "The segment shows no visible change while the video shows a seizure.",
        "Scalp EEG of a patient with clinical signs of a seizure and none on EEG.",
    ),
}
_GENERAL: Final = ("EEG with {}.", "The segment shows {}.", "Scalp EEG: {}.")

_KINDS: Final = {"focal": "focal ", "generalised": "generalised "}
_SEMIOLOGIES: Final = {
    "to bilateral tonic-clonic": "to bilateral tonic-clonic seizure",
    "automatisms": "seizure with automatisms",
    "behaviour arrest": "seizure with behaviour arrest",
    "unknown": "seizure",
}  # the others stand before the noun
_COURSES: Final = {"onset": ", beginning", "middle": ", under way", "end": ", ending"}
_AMPLITUDES: Final = {
    "very low": " of low amplitude",  # fewer words, more shared captions
    "low": " of low amplitude",
    "medium": " of medium amplitude",
    "high": " of high amplitude",
}


def caption(
    findings: Findings,
    measured: Measured | None = None,
    *,
    rng: Generator | None = None,
) -> str:
    """Say what was found, in one sentence.

    Parameters
    ----------
    findings
        What experts marked; of background only the state is said.
    measured
        What the signal shows, in place of `findings.measured`.
    rng
        Draws one of three forms of the sentence. Without it equal findings always give
        the same caption, which the contrastive loss needs to know its positives.
    """
    activity = _activity(findings.measured if measured is None else measured)
    form = 0 if rng is None else int(rng.integers(len(_TEMPLATES)))
    template = _TEMPLATES[form][bool(activity)]
    return template.format(what=_what(findings), activity=activity)


def class_prompts(
    classes: Sequence[str], *, class_names_only: bool = False
) -> list[list[str]]:
    """Several wordings per class, whose embeddings are averaged (a prompt ensemble).

    A class that has no wordings of its own gets general ones. `class_names_only` gives
    the bare name instead, for the ablation of hand-written words.
    """
    if class_names_only:
        return [[name] for name in classes]
    return [
        list(_WORDINGS.get(name) or [wording.format(name) for wording in _GENERAL])
        for name in classes
    ]


def _what(findings: Findings) -> str:
    if findings.state == "background":
        return "background activity"
    signs = findings.semiology
    noun = _SEMIOLOGIES.get(signs, f"{signs} seizure")
    kind = _KINDS.get(findings.kind, "") + noun
    kind = f"an {kind}" if kind[0] == "a" else f"a {kind}"
    place = _place(findings.side, findings.lobe)
    return kind + (place and f", {place}") + _COURSES.get(findings.course, "")


def _activity(measured: Measured) -> str:
    nouns = {"unknown": "activity", "irregular": "irregular activity"}
    noun = nouns.get(measured.rhythm, f"rhythmic {measured.rhythm} activity")
    amplitude = _AMPLITUDES.get(measured.amplitude, "")
    if measured.rhythm == "unknown" and not amplitude:
        return ""
    place = _strongest(measured)
    return noun + amplitude + (place and f", {place}")


def _strongest(measured: Measured) -> str:
    side, region = measured.side, measured.region
    if side in ("diffuse", "unknown") and region in ("diffuse", "unknown"):
        return "" if "unknown" in (side, region) else "diffuse"
    if side == "midline":
        return "strongest in the midline"
    return f"strongest {_place(side, region)}"


def _place(side: str, region: str) -> str:
    """Say `left temporal`, `on the left`, `temporal` or nothing."""
    sided = side not in ("unknown", "diffuse")
    if region not in ("unknown", "diffuse"):
        return f"{side} {region}" if sided else region
    if side == "bilateral":
        return "on both sides"
    return f"on the {side}" if sided else ""
