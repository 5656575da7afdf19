"""A forest that hears loudness and rhythm does not find the simulated seizures."""

from __future__ import annotations

import numpy as np
import pytest

from distilclip_eeg.corpora.simulate import simulate
from forest import balanced, sensitivity_at, train, windows_of

HOURS = 24


@pytest.mark.slow
def test_the_simulation_is_hard() -> None:
    learned = [windows_of(simulate(seed)) for seed in range(HOURS)]
    unseen = [windows_of(simulate(seed)) for seed in range(10_000, 10_000 + HOURS)]
    forest = train(learned)
    features, ictal = balanced(unseen, np.random.default_rng(0))
    assert np.mean(forest.predict(features) == ictal) <= 0.9
    assert sensitivity_at(1.0, forest, unseen) <= 0.6
