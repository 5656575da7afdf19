"""Everything that is attacked, by name."""

from __future__ import annotations

from typing import Final

import attacked_models
import attacked_recordings
import attacked_tables
from attack_target import Target

__all__ = ["TARGETS", "Target"]

TARGETS: Final[dict[str, Target]] = {
    target.name: target
    for target in (
        *attacked_recordings.RECORDINGS,
        *attacked_tables.TABLES,
        *attacked_models.MODELS,
        *attacked_recordings.REAL,
        *attacked_tables.REAL,
    )
}
