"""What is taken away from a recipe, one thing at a time, as data.

A variant says which settings of a configuration it changes, and whether it learns from
a teacher. Knows no recordings and trains nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from distilclip_eeg.config import Config
from distilclip_eeg.errors import ConfigError

FULL: Final = "full"
TAUGHT: Final = "taught"


@dataclass(frozen=True)
class Variant:
    """One row of the table.

    Attributes
    ----------
    said
        What it is, for whoever reads the table.
    changes
        Setting, as in `model.text.prompts` -> its value here.
    taught
        Whether it learns from a teacher, too.
    against
        The variants that it is held against.
    config
        Name of the configuration that is changed; the first one if empty.
    """

    name: str
    said: str
    changes: Mapping[str, Any] = field(default_factory=dict)
    taught: bool = False
    against: tuple[str, ...] = (FULL,)
    config: str = ""


_WITHOUT_AUGMENTATION: Final = {
    "training.augment": False,
    "pretraining.augment": False,
}
_OF_TAUGHT: Final = (FULL, TAUGHT)

VARIANTS: Final[tuple[Variant, ...]] = (
    Variant(FULL, "the recipe, without a teacher", against=()),
    Variant(
        "fixed_prompts",
        "prompt vectors stay as they begin",
        {"model.text.prompts": "fixed"},
    ),
    Variant("no_prompts", "no prompt vectors", {"model.text.prompts": "none"}),
    Variant(
        "no_contrastive",
        "no contrastive term",
        {"training.contrastive_weight": 0.0, "pretraining.contrastive_weight": 0.0},
    ),
    Variant(
        "class_names",
        "captions and prompts are the names of the classes",
        {"model.text.captions": "class_names"},
    ),
    Variant(
        "no_second_loss",
        "no loss of seconds; a window speaks for all of its seconds",
        {"training.second_weight": 0.0, "pretraining.second_weight": 0.0},
    ),
    Variant(
        "no_lead_mask",
        "the tower is not told which leads are missing",
        {"model.tower.lead_mask": False},
    ),
    Variant(
        "no_lost_leads",
        "no lead is masked for training alone",
        {"training.lose_leads": False, "pretraining.lose_leads": False},
    ),
    Variant(
        "no_augmentation", "no window is changed or roughened", _WITHOUT_AUGMENTATION
    ),
    Variant(
        "pretrained",
        "1,500 steps on simulated EEG alone before the others",
        {"pretraining.steps": 1500},
    ),
    Variant(
        "no_simulated",
        "real EEG alone",
        {
            "pretraining.steps": 0,
            "data.simulated_hours": 0,
            "data.simulated_share": 0.0,
        },
    ),
    Variant(TAUGHT, "with a teacher, all terms", taught=True),
    *(
        Variant(
            f"taught_no_{term}",
            f"with a teacher, without the term of {said}",
            {f"distillation.{term}_weight": 0.0},
            taught=True,
            against=_OF_TAUGHT,
        )
        for term, said in (
            ("window", "class probabilities of windows"),
            ("second", "class probabilities of seconds"),
            ("embedding", "embeddings"),
            ("pattern", "similarities to captions"),
        )
    ),
)
"""Of one configuration, in the order of the queue. A loss, a mask or prompts that are
off are off in the pretraining as well, which is one of its own then."""


def variants_of(config: str) -> tuple[Variant, Variant]:
    """Give the rows of a further configuration: by itself, and with a teacher."""
    taught = f"{config}_{TAUGHT}"
    return (
        Variant(config, f"the recipe of {config}, without a teacher", config=config),
        Variant(
            taught,
            f"{config} with a teacher, all terms",
            taught=True,
            against=(FULL, config),
            config=config,
        ),
    )


def chosen(
    only: Sequence[str] | None, further: Sequence[str], has_teacher: bool
) -> tuple[list[Variant], list[Variant]]:
    """Choose rows.

    Parameters
    ----------
    only
        Names; None for all that can be had.
    further
        Names of configurations beside the first one.

    Returns
    -------
    tuple
        Those to be done, in the order of the queue, and those that lack a teacher.

    Raises
    ------
    ConfigError
        If a name is unknown, or a row asked for by name lacks a teacher.
    """
    known = [*VARIANTS, *(v for name in further for v in variants_of(name))]
    names = [variant.name for variant in known]
    if unknown := [name for name in only or () if name not in names]:
        raise ConfigError(
            f"found variant {unknown[0]!r}, expected some of {', '.join(names)}"
        )
    wanted = known if only is None else [v for v in known if v.name in only]
    lacking = [] if has_teacher else [v for v in wanted if v.taught]
    if lacking and only is not None:
        raise ConfigError(
            f"{lacking[0].name} learns from a teacher; name its runs with --teacher"
        )
    return [v for v in wanted if v not in lacking], lacking


def changed(config: Config, changes: Mapping[str, Any]) -> Config:
    """Return a configuration with other settings.

    Raises
    ------
    ConfigError
        If there is no such setting.
    """
    content = config.model_dump()
    for path, value in changes.items():
        *rooms, last = path.split(".")
        place: Any = content
        for room in rooms:
            place = place.get(room, {})
        if last not in place:
            raise ConfigError(f"found setting {path!r}, expected one of `Config`")
        place[last] = value
    return Config.model_validate(content)
