"""Recall and what chance would give, against counting by hand."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import roc_auc_score

from distilclip_eeg.evaluation.retrieval import (
    Queries,
    bootstrap_interval,
    class_known_chance,
    commonest_hits,
    ranking_auroc,
    recall_chance,
    recall_hits,
    recall_rows,
)

similarities = arrays(np.float64, (4, 6), elements=st.integers(0, 9).map(float))
answers = arrays(np.bool_, (4, 6)).filter(lambda right: bool(right.any(axis=1).all()))


@given(similarities, answers)
def test_hits_are_those_of_a_sorted_list(
    similarity: np.ndarray, right: np.ndarray
) -> None:
    hits = recall_hits(similarity, right, (1, 3))
    for row in range(len(right)):
        # At equal similarity the wrong answers stand first.
        order = sorted(
            range(right.shape[1]), key=lambda a: (-similarity[row, a], right[row, a])
        )
        for column, k in enumerate((1, 3)):
            assert hits[row, column] == right[row, order[:k]].any()


@given(similarities, answers)
def test_more_answers_looked_at_never_lose(
    similarity: np.ndarray, right: np.ndarray
) -> None:
    hits = recall_hits(similarity, right, (1, 2, 6))
    assert (hits[:, 1:] >= hits[:, :-1]).all()
    assert hits[:, -1].all()


@pytest.mark.parametrize(("n_right", "n"), [(1, 1), (1, 5), (2, 5), (4, 6), (6, 6)])
@pytest.mark.parametrize("k", [1, 2, 5, 10])
def test_chance_is_that_of_all_orders(n_right: int, n: int, k: int) -> None:
    orders = list(permutations(range(n)))
    found = sum(any(answer < n_right for answer in order[:k]) for order in orders)
    chance = recall_chance(np.array([n_right]), n, (k,))
    assert chance[0, 0] == pytest.approx(found / len(orders))


def test_an_answer_by_chance_is_found_as_often_as_chance_says() -> None:
    rng = np.random.default_rng(0)
    target = rng.integers(12, size=4000)
    right = target[:, None] == np.arange(12)
    hits = recall_hits(rng.normal(size=right.shape), right)
    chance = recall_chance(right.sum(axis=1), 12)
    assert hits.mean(axis=0) == pytest.approx(chance.mean(axis=0), abs=0.02)


def test_who_knows_the_class_does_better_than_chance() -> None:
    right = np.eye(6, dtype=bool)
    query_class = np.array([0, 0, 0, 0, 1, 1])
    known = class_known_chance(right, query_class, query_class, (1, 2))
    assert known[:4] == pytest.approx(np.array([[1 / 4, 1 / 2]] * 4))
    assert known[4:] == pytest.approx(np.array([[1 / 2, 1.0]] * 2))


def test_the_commonest_answers_come_first() -> None:
    right = np.array([0, 0, 0, 2, 2, 1])[:, None] == np.arange(3)
    hits = commonest_hits(right, (1, 2))
    assert hits[:, 0].tolist() == [True] * 3 + [False] * 3
    assert hits[:, 1].tolist() == [True] * 5 + [False]


def test_rows_of_a_perfect_space() -> None:
    right = np.eye(4, dtype=bool)
    seizure = np.array([False, True, True, True])
    queries = Queries.of(np.eye(4), right, seizure, ("a", "b", "b", "c"))
    rows = recall_rows("there", [queries, queries])
    assert {row["recall"] for row in rows} == {1.0}
    assert {row["interval"] for row in rows} == {(1.0, 1.0)}
    first = rows[0]
    assert (first["class"], first["k"], first["queries"]) == ("all", 1, 8)
    assert first["chance"] == pytest.approx(1 / 4)
    assert first["class_known"] == pytest.approx((1 + 3 * (1 / 3)) / 4)
    assert first["commonest"] is None  # each answer is right once


def test_a_class_without_queries_has_no_row() -> None:
    queries = Queries.of(np.eye(2), np.eye(2, dtype=bool), np.zeros(2, bool), ())
    assert {row["class"] for row in recall_rows("", [queries])} == {"all", "background"}
    assert {row["interval"] for row in recall_rows("", [queries])} == {None}


def test_interval_draws_groups_and_not_rows() -> None:
    values = np.array([1.0] * 50 + [0.0] * 50)
    people = ["a"] * 50 + ["b"] * 50
    low, high = bootstrap_interval(people, lambda rows: float(values[rows].mean()))
    assert (low, high) == (0.0, 1.0)
    alone = [str(i) for i in range(100)]
    low, high = bootstrap_interval(alone, lambda rows: float(values[rows].mean()))
    assert 0.35 < low < 0.5 < high < 0.65


def test_interval_of_what_can_never_be_said() -> None:
    assert np.isnan(bootstrap_interval(["a"], lambda rows: float("nan"))).all()


@given(arrays(np.float64, 12, elements=st.integers(0, 5).map(float)))
def test_auroc_is_scikit_learns(score: np.ndarray) -> None:
    positive = np.arange(12) % 3 == 0
    assert ranking_auroc(positive, score) == pytest.approx(
        roc_auc_score(positive, score)
    )


def test_auroc_of_one_class_cannot_be_said() -> None:
    assert np.isnan(ranking_auroc(np.zeros(3, bool), np.arange(3.0)))
    assert ranking_auroc(np.array([False, True]), np.array([0.0, 1.0])) == 1.0
