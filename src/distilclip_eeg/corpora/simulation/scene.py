"""What every maker of activity is given: chance, a head, a person, a sampling rate."""

from __future__ import annotations

from dataclasses import dataclass

from numpy.random import Generator

from distilclip_eeg.corpora.simulation.head import Head, head
from distilclip_eeg.corpora.simulation.person import Person, draw_person


@dataclass(frozen=True, slots=True)
class Scene:
    """One recording in the making.

    Attributes
    ----------
    rng
        The one source of chance: the order of draws is part of the result.
    sfreq
        Hz.
    """

    rng: Generator
    head: Head
    person: Person
    sfreq: float


def draw_scene(rng: Generator, sfreq: float, generalised_share: float) -> Scene:
    """Put somebody under the electrodes."""
    model = head()
    return Scene(rng, model, draw_person(rng, model, generalised_share), sfreq)
