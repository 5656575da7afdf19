"""The table of the paper's experiment -> Markdown, the warnings on top.

Computes nothing: what stands here stands in `table.json`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from distilclip_eeg.evaluation.experiment.class_figures import RECALL
from distilclip_eeg.evaluation.experiment.protocol_table import PUBLISHED, sections
from distilclip_eeg.evaluation.experiment.protocols import LEAKY
from distilclip_eeg.evaluation.intervals import DRAWS

SEGMENTS: Final = (
    "Segments of 10 s, hop 5 s (10 s under `paper_disjoint`), those less than half "
    "ictal left out; called a seizure from even odds on."
)
SEGMENTS_OF_TYPES: Final = (
    "Segments of 10 s, hop 5 s (10 s under `paper_disjoint`), those less than half "
    "ictal left out, and those that touch a seizure of a type left out; called what is "
    "likeliest. Each class counts alike in balanced accuracy, macro F1 and AUROC (one "
    "against the rest)."
)
MEAN: Final = "the mean over patients with"
POOLED: Final = "all patients together, since few have every class, with"


def markdown(table: Mapping[str, Any], title: str) -> str:
    """Write a table for people, the warnings on top."""
    several = "classes" in table
    lines = [f"# {title}", ""]
    for warning in (table["warning"], *table.get("alarms", ())):
        lines += [f"> **{warning}**", ""] if warning else []
    f1 = "F1 (macro)" if several else "F1 (seizure)"
    names = ("accuracy", f1, "AUROC", "balanced accuracy", "seeds")
    lines += _head("protocol", "model", names)
    for section in sections(table):
        if section == "paper":
            cells = (PUBLISHED["accuracy"], PUBLISHED["f1"], "–", "–", "–")
            lines.append(_line("paper", "*as published, teacher and student*", *cells))
        for model, row in table[section].items():
            key = "f1_macro" if several else "f1"
            figures = ("accuracy", key, "auroc", "balanced_accuracy")
            shown = [_cell(row[k], several) for k in figures]
            shown.append(str(len(row["seeds"])))
            lines.append(_line(_marked(section), model, *shown))
    lines.append("")
    if several:
        lines += [*_recalls(table), *_confusions(table)]
    lines += [*_losses(table), *_notes(table)]
    return "\n".join(lines) + "\n"


def _recalls(table: Mapping[str, Any]) -> Iterator[str]:
    """Say how much of each class is found."""
    classes = table["classes"]
    yield "Found of each class (recall):"
    yield ""
    yield from _head("protocol", "model", classes)
    for section in sections(table):
        for model, row in table[section].items():
            cells = [_cell(row[f"{RECALL}{name}"], True) for name in classes]
            yield _line(_marked(section), model, *cells)
    yield ""


def _confusions(table: Mapping[str, Any]) -> Iterator[str]:
    """Show what is called what, in segments of all seeds."""
    classes = table["classes"]
    yield "What segments are, and what they are called; those of all seeds are counted:"
    yield ""
    columns = [f"called {name}" for name in classes]
    for section in sections(table):
        for model, row in table[section].items():
            yield from _head(_marked(section), f"`{model}`: is", columns)
            for name, counts in zip(classes, row["confusion"], strict=True):
                yield _line("", name, *map(str, counts))
            yield ""


def _head(first: str, second: str, names: Sequence[str]) -> tuple[str, str]:
    rule = _line("---", "---", *("---:" for _ in names))
    return _line(first, second, *names), rule


def _line(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def _marked(section: str) -> str:
    return f"{section} (leaky)" if section in LEAKY else section


def _cell(figure: Mapping[str, Any], together: bool = False) -> str:
    """Write a figure with its bounds, of all patients together where that is asked."""
    names = ("mean", "low", "high")
    if together and "pooled" in figure:
        names = ("pooled", "pooled_low", "pooled_high")
    value, low, high = (figure.get(name) for name in names)
    if value is None:
        return "–"
    return f"{value:.3f}" + ("" if low is None else f" [{low:.3f}, {high:.3f}]")


def _losses(table: Mapping[str, Any]) -> Iterator[str]:
    """Say what is left of the leaky figures when patients are new."""
    leaky, honest = table.get("paper", {}), table.get("patient", {})
    for model in (name for name in leaky if name in honest):
        before, after = leaky[model]["accuracy"], honest[model]["accuracy"]
        yield (
            f"`{model}`: accuracy {before['mean']:.3f} on people it knows, "
            f"{after['pooled']:.3f} on people it never saw (all segments together)."
        )
        yield ""


def _notes(table: Mapping[str, Any]) -> Iterator[str]:
    level = f"{100 * table['level']:g} %"
    of = table["about"]
    several = "classes" in table
    said = of.get("segments") or (SEGMENTS_OF_TYPES if several else SEGMENTS)
    yield (
        f"{said} In brackets: under "
        f"`paper` and `paper_disjoint` Student's {level} interval over seeds, else "
        f"{POOLED if several else MEAN} {level} of {DRAWS} draws of patients."
    )
    for each in of.get("left_out", ()):
        yield ""
        yield f"Not a class: {each}."
    for each in of.get("experiments", (of,)):
        if "recordings" in each:
            yield ""
            yield _ground(each)


def _ground(of: Mapping[str, Any]) -> str:
    """Say what figures rest on."""
    which = ", ".join(f"`{name}`" for name in of.get("protocols", ()))
    return (
        f"{which + ' rests' if which else 'Rests'} on {of['recordings']} recordings of "
        f"{of['patients']} patients ({of['datasets']}), {of['hours']} h. Split by "
        f"patient: {of['split']}."
    )
