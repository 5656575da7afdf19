"""Recordings and seeds -> windows, comparisons, and the two files that say them.

`scores.json` holds everything, `scores.md` what a reader wants first. Both name the
folds, the seeds, the versions and a hash of what was simulated.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import numpy as np

from distilclip_eeg.config import SignalConfig
from distilclip_eeg.corpora.catalog import CorpusRecording
from distilclip_eeg.eeg.annotations import written_whole
from distilclip_eeg.errors import CorpusError
from distilclip_eeg.evaluation.realism.appearance import measure_windows
from distilclip_eeg.evaluation.realism.carry_over import Carried, carry_over
from distilclip_eeg.evaluation.realism.epochs import (
    Epoch,
    real_epochs,
    simulated_epochs,
    thinned,
)
from distilclip_eeg.evaluation.realism.telling_apart import (
    FOLDS,
    RESAMPLES,
    TREES,
    Area,
    Comparison,
    compare_all,
    pooled,
)

FIRST_SEED: Final = 20_000  # nothing is trained or tested on these
MOST_WINDOWS: Final = 24  # of a patient, or of a seed, and a kind
FILES: Final = ("scores.json", "scores.md")
_IN_TABLE: Final = 6  # telling features in the Markdown file
_PACKAGES: Final = ("distilclip-eeg", "numpy", "scipy", "scikit-learn")
_COLUMNS: Final = (
    *("kind", "a", "b", "windows", "groups", "leads"),
    *("all features", "without loudness", "transferred"),
)
_HOW_TO_READ: Final = (
    "Area under the ROC of a forest on windows of 10 s, no patient and no seed on both "
    "sides of a split; 0.5: cannot be told apart. In brackets the 95 % interval over "
    "patients and seeds. Transferred: learned on the other real data sets and other "
    "seeds, without loudness."
)


@dataclass(frozen=True, slots=True)
class Report:
    """What was compared, what came of it, and what it rests on."""

    epochs: list[Epoch]
    comparisons: list[Comparison]
    carried: list[Carried]
    facts: dict[str, Any]


def measure_realism(
    recordings: Sequence[CorpusRecording],
    folds: Sequence[int],
    seeds: Sequence[int],
    *,
    duration_s: float,
    signal: SignalConfig | None = None,
    chance: int = 0,
    on_step: Callable[[str], None] = lambda what: None,
) -> Report:
    """Cut, measure and compare.

    Parameters
    ----------
    recordings
        Real ones, of `folds` only.
    seeds
        Of the simulated recordings, each of `duration_s`.
    chance
        Seed of everything drawn here: windows, folds, forests, resamples.

    Raises
    ------
    CorpusError
        If no real recording can be read.
    """
    signal = signal or SignalConfig()
    skipped: dict[str, str] = {}
    on_step("cutting real recordings")
    real = thinned(real_epochs(recordings, signal, skipped), MOST_WINDOWS, chance)
    if not real:
        raise CorpusError(
            f"found no window in {len(recordings)} recordings of folds "
            f"{_listed(folds)}, expected seizures and background of "
            f"{signal.window_s} s or more; first problem: "
            f"{next(iter(skipped.values()), 'all are too short')}"
        )
    on_step("simulating")
    simulated, digest = simulated_epochs(
        seeds, duration_s, signal, most=MOST_WINDOWS, chance=chance
    )
    epochs = [*real, *simulated]
    on_step("measuring")
    windows = np.stack([epoch.leads for epoch in epochs])
    pool = pooled(epochs, measure_windows(windows, round(signal.sfreq)))
    comparisons = []
    for comparison in compare_all(pool, chance):
        on_step(f"{comparison.kind}: {comparison.a} against {comparison.b}")
        comparisons.append(comparison)
    on_step("learning from one, judging the other")
    carried = list(carry_over(pool, chance))
    facts = _facts(recordings, folds, signal, chance) | {
        "skipped": skipped,
        "simulated": {
            "seeds": list(seeds),
            "duration_s": duration_s,
            "samples_sha256": digest,
        },
    }
    return Report(epochs, comparisons, carried, facts)


def _facts(
    recordings: Sequence[CorpusRecording],
    folds: Sequence[int],
    signal: SignalConfig,
    chance: int,
) -> dict[str, Any]:
    """What the figures rest on, as far as it was chosen."""
    return {
        "versions": {name: version(name) for name in _PACKAGES},
        "folds": list(folds),
        "recordings": dict(Counter(r.dataset for r in recordings)),
        "windows": {
            "window_s": signal.window_s,
            "hop_s": signal.hop_s,
            "most_per_group_and_kind": MOST_WINDOWS,
        },
        "classifier": {
            "name": "sklearn.ensemble.ExtraTreesClassifier",
            "trees": TREES,
            "folds_over_patients_and_seeds": FOLDS,
            "resamples": RESAMPLES,
            "seed": chance,
        },
    }


def write_scores(report: Report, folder: Path) -> list[Path]:
    """Write `scores.json` and `scores.md`; either appears whole or never."""
    folder.mkdir(parents=True, exist_ok=True)
    content = {
        **report.facts,
        "comparisons": [comparison.as_json() for comparison in report.comparisons],
        "carried_over": [carried.as_json() for carried in report.carried],
    }
    texts = (json.dumps(content, indent=1) + "\n", as_markdown(report))
    paths = [folder / name for name in FILES]
    for path, text in zip(paths, texts, strict=True):
        with written_whole(path) as partial:
            partial.write_text(text, encoding="utf-8", newline="\n")
    return paths


def as_markdown(report: Report) -> str:
    """Return the table of areas and, below, what tells most."""
    lines = [
        "# Real against simulated",
        "",
        _origin(report.facts),
        "",
        _HOW_TO_READ,
        "",
        *_table(_COLUMNS, [_cells(comparison) for comparison in report.comparisons]),
        "",
        "## Seizure against background: learned from one, judged on the other",
        "",
        *_table(
            ("learned from", "judged on", "pooled", "mean over patients or seeds", "n"),
            [
                (
                    *(carried.learned_from, carried.judged_on),
                    *(f"{x:.3f}" for x in (carried.pooled, carried.by_group)),
                    f"{carried.n_groups}",
                )
                for carried in report.carried
            ],
        ),
    ]
    for comparison in report.comparisons:
        lines += [
            "",
            f"## {comparison.kind}: {comparison.a} against {comparison.b}",
            "",
            *_table(
                ("feature", "area by it alone", "median a", "median b"),
                [
                    (
                        t.feature,
                        *(f"{x:.2f}" for x in (t.auroc, t.median_a, t.median_b)),
                    )
                    for t in comparison.telling[:_IN_TABLE]
                ],
            ),
        ]
    return "\n".join(lines) + "\n"


def _origin(facts: dict[str, Any]) -> str:
    simulated = facts["simulated"]
    seeds, minutes = simulated["seeds"], simulated["duration_s"] / 60
    versions = ", ".join(f"{name} {v}" for name, v in facts["versions"].items())
    return (
        f"Written by `distilclip realism`. Real: folds {_listed(facts['folds'])}. "
        f"Simulated: seeds {seeds[0]} to {seeds[-1]}, {minutes:g} min each, samples "
        f"`{simulated['samples_sha256'][:12]}`. Drawn with seed "
        f"{facts['classifier']['seed']}; {versions}."
    )


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    lines = [columns, ["---"] * len(columns), *rows]
    return [f"| {' | '.join(cells)} |" for cells in lines]


def _cells(comparison: Comparison) -> tuple[str, ...]:
    moved = comparison.auroc_transferred
    return (
        comparison.kind,
        comparison.a,
        comparison.b,
        " / ".join(map(str, comparison.n_windows)),
        " / ".join(map(str, comparison.n_groups)),
        f"{comparison.n_leads}",
        _area(comparison.auroc),
        _area(comparison.auroc_without_loudness),
        "" if moved is None else f"{moved:.3f}",
    )


def _area(area: Area) -> str:
    return f"{area.value:.3f} [{area.low:.2f}, {area.high:.2f}]"


def _listed(folds: Sequence[int]) -> str:
    return ", ".join(map(str, folds))
