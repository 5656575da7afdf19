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
