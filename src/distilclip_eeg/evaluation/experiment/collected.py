"""Several experiments -> one folder of predictions, and one table of all of them.

For protocols that were run with settings of their own. What each rests on is noted
with it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from distilclip_eeg.eeg.annotations import written_whole
from distilclip_eeg.errors import ConfigError
from distilclip_eeg.evaluation.experiment.protocol_table import Numbers, table_of
from distilclip_eeg.evaluation.experiment.scored_segments import PREDICTIONS, SETTINGS


def collect(experiments: Sequence[Path], folder: Path) -> Numbers:
    """Copy the predictions of experiments into a folder and compute their table.

    Returns
    -------
    What `protocol_table.table_of` gives; `about` says for each experiment its
    `protocols` and its settings.

    Raises
    ------
    ConfigError
        If one is no experiment, or two hold other predictions under one name. Then
        nothing is copied.
    CorpusError
        If predictions cannot be read.
    """
    about: list[dict[str, Any]] = []
    sources: dict[Path, Path] = {}
    for experiment in experiments:
        found = sorted((experiment / PREDICTIONS).glob("*/*/*.tsv"))
        if not found or not (experiment / SETTINGS).is_file():
            raise ConfigError(
                f"{experiment}: found no {PREDICTIONS} with {SETTINGS}, expected the "
                "output of distilclip reproduce"
            )
        for path in found:
            name = path.relative_to(experiment)
            other = sources.setdefault(name, path)
            if other.read_bytes() != path.read_bytes():
                raise ConfigError(
                    f"{path}: found other predictions than in {other}; collect one of "
                    "the two experiments"
                )
        protocols = sorted({path.parent.parent.name for path in found})
        settings = json.loads((experiment / SETTINGS).read_text(encoding="utf-8"))
        about.append({"protocols": protocols, **settings})
    for name, path in sources.items():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        with written_whole(target) as partial:
            partial.write_bytes(path.read_bytes())
    return table_of(folder, {"experiments": about})
