"""What is drawn follows the table, and the table follows the real seizures."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from distilclip_eeg.corpora.simulation.statistics import (
    FOCAL,
    GENERALISED,
    LOBES,
    SIDES,
    draw_duration_s,
    draw_epilepsy,
    draw_row,
    row_of,
)
from distilclip_eeg.eeg.findings import lobe_of, side_of

Table = list[dict[str, str]]


@pytest.fixture(scope="module")
def real(data_dir: Path) -> Table:
    """The real seizures with a known kind of onset."""
    with (data_dir / "seizeit2_seizures.tsv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    return [row for row in rows if row["eventType"].startswith("sz_foc")]


def test_table_counts_the_real_seizures(real: Table) -> None:
    counts = Counter(row["eventType"] for row in real)
    missing = {"sz_uo_m_hyperkinetic", "sz_uo_nm"}
    assert {row.event_type: row.count for row in FOCAL} == counts
    assert not missing & set(counts)


def test_sides_and_lobes_are_the_real_ones(real: Table) -> None:
    assert Counter(
        side_of(row["lateralization"])
        for row in real
        if side_of(row["lateralization"]) != "unknown"
    ) == pytest.approx(SIDES, abs=3)
    for side, lobes in LOBES.items():
        counts = Counter(
            lobe_of(row["localization"])
            for row in real
            if side_of(row["lateralization"]) == side
        )
        del counts["unknown"]
        assert counts == pytest.approx(lobes, abs=3)


def test_drawn_durations_are_those_of_real_seizures(real: Table) -> None:
    rng = np.random.default_rng(0)
    drawn = [draw_duration_s(rng, draw_row(rng, "focal")) for _ in range(4000)]
    lengths = [float(row["duration"]) for row in real]
    at = (5, 10, 25, 50, 75, 90, 95)
    np.testing.assert_allclose(
        np.percentile(drawn, at), np.percentile(lengths, at), rtol=0.2
    )
    assert min(drawn) >= 2
    assert max(drawn) <= 962


def test_drawn_types_and_sides_follow_the_table() -> None:
    rng = np.random.default_rng(1)
    n = 6000
    types = Counter(draw_row(rng, "focal").event_type for _ in range(n))
    total = sum(row.count for row in FOCAL)
    for row in FOCAL:
        assert types[row.event_type] / n == pytest.approx(row.count / total, abs=0.02)
    places = [draw_epilepsy(rng, 0.0) for _ in range(n)]
    sides = Counter(place.side for place in places)
    for side, count in SIDES.items():
        assert sides[side] / n == pytest.approx(count / sum(SIDES.values()), abs=0.02)
    left = Counter(place.lobe for place in places if place.side == "left")
    for lobe, count in LOBES["left"].items():
        share = count / sum(LOBES["left"].values())
        assert left[lobe] / sides["left"] == pytest.approx(share, abs=0.03)


def test_share_of_generalised_epilepsies() -> None:
    rng = np.random.default_rng(2)
    kinds = Counter(draw_epilepsy(rng, 0.3).kind for _ in range(3000))
    assert kinds["generalised"] / 3000 == pytest.approx(0.3, abs=0.03)
    assert draw_row(rng, "generalised") in GENERALISED


@pytest.mark.parametrize("row", [*FOCAL, *GENERALISED], ids=lambda row: row.event_type)
def test_rows_are_sound(row: object) -> None:
    assert row in (*FOCAL, *GENERALISED)
    for each in (*FOCAL, *GENERALISED):
        assert list(each.seconds) == sorted(each.seconds)
        assert 0 <= each.asleep <= 1


def test_an_unknown_type_gets_the_row_of_its_kind() -> None:
    assert row_of("sz_foc_f2b").event_type == "sz_foc_f2b"
    assert row_of("sz_gen_m_unheard").event_type == "sz_gen_nm"
    assert row_of("sz").event_type == FOCAL[0].event_type
