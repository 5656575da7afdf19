"""Captions say what was found, in few words, and nothing else."""

import dataclasses
import itertools
import re
from collections.abc import Iterator
from typing import Any, get_args

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

from distilclip_eeg.eeg import findings as words
from distilclip_eeg.eeg.findings import Findings, Measured
from distilclip_eeg.evaluation.experiment.seizure_classes import CLASSES, TYPES
from distilclip_eeg.model.captions import caption, class_prompts

THETA = Measured(
    rhythm="theta",
    frequency_hz=5.5,
    rhythmicity=0.6,
    amplitude="high",
    amplitude_uv=140.0,
    side="left",
    region="temporal",
)
FOCAL = Findings("seizure", "focal", "left", "temporal", "onset", measured=THETA)

measurements = st.builds(
    Measured,
    rhythm=st.sampled_from(get_args(words.Rhythm)),
    amplitude=st.sampled_from(get_args(words.Amplitude)),
    side=st.sampled_from(get_args(words.StrongSide)),
    region=st.sampled_from(get_args(words.StrongRegion)),
)
segments = st.builds(
    Findings,
    state=st.sampled_from(get_args(words.State)),
    kind=st.sampled_from(get_args(words.Kind)),
    side=st.sampled_from(get_args(words.Side)),
    lobe=st.sampled_from(get_args(words.Lobe)),
    course=st.sampled_from(get_args(words.Course)),
    semiology=st.sampled_from(get_args(words.Semiology)),
    measured=measurements,
)


def words_of(measured: Measured) -> tuple[str, ...]:
    return measured.rhythm, measured.amplitude, measured.side, measured.region


def every_measurement() -> Iterator[Measured]:
    sets = (words.Rhythm, words.Amplitude, words.StrongSide, words.StrongRegion)
    for rhythm, amplitude, side, region in itertools.product(*map(get_args, sets)):
        yield Measured(rhythm=rhythm, amplitude=amplitude, side=side, region=region)


def mirrored(findings: Findings) -> Findings:
    swap: dict[Any, Any] = {"left": "right", "right": "left"}
    side = findings.measured.side
    measured = dataclasses.replace(findings.measured, side=swap.get(side, side))
    return dataclasses.replace(
        findings, side=swap.get(findings.side, findings.side), measured=measured
    )


@pytest.mark.parametrize(
    ("findings", "expected"),
    [
        (
            FOCAL,
            (
                "EEG with a focal seizure, left temporal, beginning: rhythmic theta "
                "activity of high amplitude, strongest left temporal."
            ),
        ),
        (
            Findings("seizure", "generalised", "bilateral", course="middle"),
            "EEG with a generalised seizure, on both sides, under way.",
        ),
        (
            Findings(
                "background",
                measured=Measured(
                    "alpha", 10.0, 0.7, "low", 30.0, "diffuse", "occipital"
                ),
            ),
            (
                "EEG with background activity: rhythmic alpha activity of low "
                "amplitude, strongest occipital."
            ),
        ),
        (
            Findings(
                "background",
                measured=Measured(
                    "irregular", None, 0.1, "medium", 70.0, "diffuse", "diffuse"
                ),
            ),
            (
                "EEG with background activity: irregular activity of medium amplitude, "
                "diffuse."
            ),
        ),
        (
            Findings("seizure", measured=Measured(amplitude="low", side="right")),
            "EEG with a seizure: activity of low amplitude, strongest on the right.",
        ),
        (Findings("seizure", lobe="frontal"), "EEG with a seizure, frontal."),
        (
            Findings("seizure", "generalised", semiology="non-motor"),
            "EEG with a generalised non-motor seizure.",
        ),
        (
            Findings("seizure", "focal", semiology="to bilateral tonic-clonic"),
            "EEG with a focal to bilateral tonic-clonic seizure.",
        ),
        (Findings("seizure", semiology="atonic"), "EEG with an atonic seizure."),
        (Findings("seizure"), "EEG with a seizure."),
        (Findings("background"), "EEG with background activity."),
    ],
)
def test_reads_as_a_sentence(findings: Findings, expected: str) -> None:
    assert caption(findings) == expected


class TestCaption:
    @given(findings=segments, seed=st.none() | st.integers(0, 99))
    def test_is_clean(self, findings: Findings, seed: int | None) -> None:
        rng = None if seed is None else np.random.default_rng(seed)
        text = caption(findings, rng=rng)
        assert text.endswith(".")
        assert re.fullmatch(r"[a-zA-Z ,:-]+\.", text)
        for wrong in ("unknown", "None", "  ", " ,", ",,", ",.", ":."):
            assert wrong not in text

    @given(findings=segments)
    def test_a_mirrored_segment_has_a_mirrored_caption(
        self, findings: Findings
    ) -> None:
        swapped = caption(findings).replace("left", "#").replace("right", "left")
        assert caption(mirrored(findings)) == swapped.replace("#", "right")

    def test_numbers_do_not_split_captions(self) -> None:
        other = dataclasses.replace(THETA, frequency_hz=6.5, amplitude_uv=180.0)
        assert caption(dataclasses.replace(FOCAL, measured=other)) == caption(FOCAL)

    def test_nothing_but_findings_can_enter(self) -> None:
        """A new field must be weighed: does it tell the patient or the data set?"""
        fields = {field.name for field in dataclasses.fields(Findings)}
        assert fields == {
            "state", "kind", "side", "lobe", "course", "semiology", "measured",
        }  # fmt: skip

    def test_words_are_few(self) -> None:
        """A batch of 64 repeats captions only if there are not too many of them."""
        known = [m for m in every_measurement() if "unknown" not in words_of(m)]
        said = {caption(Findings("background", measured=m)) for m in known}
        rhythms = {m.rhythm for m in known}
        assert len(said) == len(rhythms) * 3 * 19  # amplitudes, places

    def test_what_is_measured_apart_counts(self) -> None:
        assert caption(Findings("seizure"), THETA) == caption(
            Findings("seizure", measured=THETA)
        )

    def test_background_has_neither_kind_nor_place(self) -> None:
        marked = Findings("background", "focal", "left", "temporal", "end")
        assert caption(marked) == caption(Findings("background"))


class TestForms:
    def test_a_generator_varies_the_form_and_keeps_the_facts(self) -> None:
        rng = np.random.default_rng(0)
        forms = {caption(FOCAL, rng=rng) for _ in range(50)}
        assert len(forms) == 3
        facts = (
            "a focal seizure, left temporal, beginning",
            "rhythmic theta activity of high amplitude, strongest left temporal",
        )
        assert all(fact in form for form in forms for fact in facts)

    def test_a_seed_fixes_the_form(self) -> None:
        first, same = (
            [caption(FOCAL, rng=rng) for _ in range(9)]
            for rng in (np.random.default_rng(3), np.random.default_rng(3))
        )
        assert first == same


class TestClassPrompts:
    def test_several_wordings_none_shared(self) -> None:
        background, seizure = class_prompts(["background", "seizure"])
        assert len({*background, *seizure}) == len(background) + len(seizure) == 8

    @pytest.mark.parametrize("state", get_args(words.State))
    def test_plainest_caption_is_a_wording(self, state: words.State) -> None:
        """So that captions pull the class vectors to where they are asked for."""
        assert caption(Findings(state)) in class_prompts([state])[0]

    def test_every_type_of_seizure_has_wordings_of_its_own(self) -> None:
        classes = (*CLASSES, *TYPES.values())
        wordings = class_prompts(classes)
        said = [text for group in wordings for text in group]
        assert len(set(said)) == len(said) >= 3 * len(classes)
        assert not any(text.startswith("Scalp EEG: ") for text in said)

    @pytest.mark.parametrize("event_type", TYPES)
    def test_plainest_caption_is_a_wording_of_one_type(self, event_type: str) -> None:
        """Or of a wider one, where captions have no word for it."""
        said = Findings(
            "seizure",
            kind=words.kind_of(event_type),
            semiology=words.semiology_of(event_type),
        )
        groups = [
            g for g in class_prompts((*CLASSES, *TYPES.values())) if caption(said) in g
        ]
        assert len(groups) == 1

    def test_an_unforeseen_class_gets_general_wordings(self) -> None:
        ((first, *rest),) = class_prompts(["a focal seizure"])
        assert first == "EEG with a focal seizure."
        assert rest
        assert all("a focal seizure" in text for text in rest)

    def test_names_only(self) -> None:
        names = ["background", "seizure"]
        assert class_prompts(names, class_names_only=True) == [[n] for n in names]
