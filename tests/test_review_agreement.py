"""How well two agree: against scikit-learn, and by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score

from distilclip_eeg.review.agreement import agreement, all_pairs, kappa, seconds

YES_NO = st.lists(st.tuples(st.booleans(), st.booleans()), min_size=2, max_size=60)


@given(YES_NO)
def test_kappa_is_that_of_scikit_learn(pairs: list[tuple[bool, bool]]) -> None:
    a, b = (np.array(column) for column in zip(*pairs, strict=True))
    assume(len({*a.tolist(), *b.tolist()}) == 2)
    ours = kappa(a, b)
    assert ours == pytest.approx(cohen_kappa_score(a, b), abs=1e-12)
    assert ours == kappa(b, a)


def test_where_nobody_marks_anything_chance_explains_all() -> None:
    pair = agreement(("me", []), ("you", []), 60.0)
    assert (pair.kappa, pair.f1, pair.n_first, pair.n_second) == (None, None, 0, 0)
    assert kappa(np.zeros(0, bool), np.zeros(0, bool)) is None


def test_by_hand() -> None:
    pair = agreement(("me", [(0, 10), (50, 60)]), ("model", [(5, 15)]), 100.0)
    assert (pair.n_first, pair.n_second, pair.n_both) == (2, 1, 1)
    assert pair.f1 == pytest.approx(2 / 3)
    observed, chance = 0.8, 0.2 * 0.1 + 0.8 * 0.9
    assert pair.kappa == pytest.approx((observed - chance) / (1 - chance))


def test_everybody_with_the_model_and_with_each_other() -> None:
    people = {"a": [(0.0, 5.0)], "b": [(0.0, 5.0)], "c": []}
    names = [(p.first, p.second) for p in all_pairs(("m", []), people, 9.0)]
    assert names == [("a", "m"), ("b", "m"), ("c", "m"), *PAIRS]
    assert len(all_pairs(None, people, 9.0)) == 3


PAIRS = [("a", "b"), ("a", "c"), ("b", "c")]


def test_seconds_by_their_middle() -> None:
    assert seconds([(0.4, 2.4)], 3.2).tolist() == [True, True, False, False]
