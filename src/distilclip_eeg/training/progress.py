"""Steps of a loop -> a bar with time left on a terminal, else a line now and then."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from distilclip_eeg.training.fit import OnStep
from distilclip_eeg.training.run_folder import LoopState

LINE_EVERY: Final = 50  # steps, where stderr is a file


def told(line: str) -> None:
    """Say a line to the person who trains."""
    print(line, file=sys.stderr)  # noqa: T201


@contextmanager
def shown(title: str, n_steps: int) -> Iterator[OnStep]:
    """Yield what to call after each step."""
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[figures]}"),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task(title, total=n_steps, figures="")

        def on_step(state: LoopState, noted: dict[str, float]) -> None:
            figures = " ".join(f"{k} {v:.3f}" for k, v in noted.items())
            bar.update(task, completed=state.step, figures=figures)
            talks = state.step % LINE_EVERY == 0 or state.step == n_steps
            if not console.is_terminal and talks:
                told(f"{title} {state.step}/{n_steps} {figures}")

        yield on_step
