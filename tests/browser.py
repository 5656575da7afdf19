"""A browser for tests, and a check of what it shows to people with other senses.

Debian's Chromium (`apt-get install chromium`) through Playwright; axe-core from npm,
where `make test` puts it. What a machine lacks skips a test with the reason.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

AXE = Path(__file__).parent.parent / ".venv/axe/node_modules/axe-core/axe.min.js"
PATIENCE_MS = 120_000  # on a machine that is busy with other things
SERIOUS = ("serious", "critical")


@contextmanager
def browser_page(width: int = 1440, height: int = 900) -> Iterator[Any]:
    """Open a window; fails on errors of the page's own scripts."""
    playwright = pytest.importorskip("playwright.sync_api")
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("no Chromium: apt-get install chromium")
    errors: list[str] = []
    with playwright.sync_playwright() as running:
        browser = running.chromium.launch(
            executable_path=chromium, args=["--no-sandbox"]
        )
        page = browser.new_page(viewport={"width": width, "height": height})
        page.set_default_timeout(PATIENCE_MS)
        page.on("pageerror", lambda error: errors.append(str(error)))
        yield page
        browser.close()
    assert not errors, "\n".join(errors)


def serious_findings(page: Any) -> list[str]:
    """Give what axe finds wrong with a page, serious or worse."""
    if not AXE.is_file():
        pytest.skip("no axe-core: make test fetches it with npm")
    page.evaluate(AXE.read_text(encoding="utf-8"))  # past the page's own policy
    found = page.evaluate("axe.run()")
    return [
        f"{v['id']}: {v['nodes'][0]['html'][:160]}"
        for v in found["violations"]
        if v["impact"] in SERIOUS
    ]
