"""A model card of a training that never was."""

from __future__ import annotations

from distilclip_eeg.config import Config
from distilclip_eeg.training.alarm_rates import AlarmRates
from distilclip_eeg.training.card import model_card


def card_of(
    config: Config, rates: AlarmRates | None = None, n_averaged: int = 0
) -> str:
    """Give its text with every run of white space as one space."""
    made = model_card(
        config,
        command="distilclip train",
        seconds=60,
        machine="a machine",
        n_parameters={"total": 1},
        data="",
        figures="",
        rates=rates or AlarmRates(),
        n_averaged=n_averaged,
    )
    assert max(len(line) for line in made.splitlines() if line[:1] != "|") <= 88
    return " ".join(made.split())
