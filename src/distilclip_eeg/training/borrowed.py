"""Training runs -> model folders that last as long as somebody looks at them.

So that what needs no torch can judge a run that nobody has exported.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from distilclip_eeg.evaluation.evaluate import FOLD, MOST_FOLDS
from distilclip_eeg.model_folder import ONNX
from distilclip_eeg.training.export import export
from distilclip_eeg.training.run_folder import WEIGHTS, load_run
from distilclip_eeg.training.shipping import example_windows


def is_run(given: str, folds: Sequence[int] | None = None) -> bool:
    """Say whether a path, perhaps with `{fold}` in it, means runs: not folders."""
    return bool(_runs(given, folds))


@contextmanager
def model_folders(
    given: str, folds: Sequence[int] | None, say: Callable[[str], None]
) -> Iterator[str]:
    """Export runs; yield the path of their folders, with `{fold}` where it was given.

    Raises
    ------
    ConfigError
        If a run is not finished.
    """
    with TemporaryDirectory() as room:
        for fold, run in _runs(given, folds).items():
            say(f"{run}: a run, exported for a while")
            config, _ = load_run(run)
            export(
                run,
                Path(room) / f"model{fold}",
                card="Exported for a while.\n",
                example=example_windows(config),
            )
        yield str(Path(room) / f"model{FOLD if FOLD in given else ''}")


def _runs(given: str, folds: Sequence[int] | None) -> dict[str, Path]:
    """Fold, or nothing -> the run; none of what is a model folder."""
    numbers = range(MOST_FOLDS) if folds is None else folds
    keys = [str(number) for number in numbers] if FOLD in given else [""]
    paths = {key: Path(given.replace(FOLD, key)) for key in keys}
    return {
        key: path
        for key, path in paths.items()
        if (path / WEIGHTS).is_file() and not (path / ONNX).is_file()
    }
