"""Text and elements -> HTML and SVG in which nothing is markup by accident.

Children that are plain `str` are escaped, so what a file says (a note, a channel
label) can never become part of the page. Knows no report.
"""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from typing import TypeAlias

Child: TypeAlias = "str | None"
Value: TypeAlias = "str | int | float | bool | None"

_VOID = frozenset({"br", "hr", "img", "input", "link", "meta"})


class Markup(str):
    """HTML that is already whole."""

    __slots__ = ()


def element(name: str, /, *children: Child, **attributes: Value) -> Markup:
    """One element with everything in it.

    Parameters
    ----------
    children
        `Markup` goes in as it is, plain text escaped, None not at all.
    attributes
        `class_` is `class`, `aria_label` is `aria-label`; None and False are left out,
        True stands without a value. Numbers keep three decimals.
    """
    opening = "".join([name, *map(_attribute, attributes, attributes.values())])
    if name in _VOID:
        return Markup(f"<{opening}>")
    return Markup(f"<{opening}>{joined(children)}</{name}>")


def joined(children: Iterable[Child]) -> Markup:
    """Elements and texts one after the other."""
    return Markup("".join(map(_safe, children)))


def number(value: float) -> str:
    """A length or position, as short as three decimals allow."""
    text = f"{value:.3f}".rstrip("0").rstrip(".")
    return "0" if text in ("", "-0") else text


def _safe(child: Child) -> str:
    if child is None:
        return ""
    return child if isinstance(child, Markup) else escape(child, quote=False)


def _attribute(name: str, value: Value) -> str:
    if value is None or value is False:
        return ""
    name = name.rstrip("_").replace("_", "-")
    if value is True:
        return f" {name}"
    text = number(value) if isinstance(value, float | int) else escape(value)
    return f' {name}="{text}"'
