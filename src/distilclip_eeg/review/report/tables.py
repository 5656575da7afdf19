"""Rows of words -> tables and lists that a screen reader can walk through.

Every table has a caption and headers with a scope; bars repeat a number that is
written beside them. Knows no recording.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from distilclip_eeg.review.report.markup import Markup, element, joined, number


def table(
    caption: str,
    columns: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    class_: str | None = None,
) -> Markup:
    """A table whose first column names the row."""
    head = element("tr", *(element("th", name, scope="col") for name in columns))
    body = [
        element(
            "tr",
            element("th", row[0], scope="row"),
            *(element("td", cell) for cell in row[1:]),
        )
        for row in rows
    ]
    return element(
        "table",
        element("caption", caption),
        element("thead", head),
        element("tbody", *body),
        class_=class_,
    )


def facts(pairs: Iterable[tuple[str, str]], *, class_: str = "facts") -> Markup:
    """A list of terms and what is said of each."""
    return element(
        "dl",
        *(
            element("div", element("dt", term), element("dd", said))
            for term, said in pairs
        ),
        class_=class_,
    )


def share(value: float | None) -> Markup:
    """A share of one as a percentage with a bar."""
    if value is None:
        return Markup("–")
    width = number(100 * min(max(value, 0.0), 1.0))
    bar = element(
        "svg",
        element("rect", width=100, height=8, class_="rail"),
        element("rect", width=float(width), height=8, class_="share"),
        viewBox="0 0 100 8",
        preserveAspectRatio="none",
        aria_hidden="true",
        class_="bar",
    )
    return joined([bar, element("span", percent(value), class_="percent")])


def percent(value: float) -> str:
    """A percentage; some never reads as none, nor nearly all as all."""
    if 0 < value < 0.001:
        return "< 0.1\u00a0%"
    if 0 < value < 0.1:
        return f"{100 * value:.1f}\u00a0%"
    if 0.99 < value < 1:
        return "> 99\u00a0%"
    return f"{100 * value:.0f}\u00a0%"
