"""A file -> what its header says of the patient, and how to keep that to oneself.

The rest of the package never reads this field. The report reads it to leave it out:
file names and notes repeat it. Only when asked for it is shown.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from distilclip_eeg.eeg.edf_header import is_edf

WITHHELD: Final = "[withheld]"

_FIELD = slice(8, 88)  # local patient identification
_EDF_PLUS = re.compile(r"(\S+) ([FMX]) (X|\d\d-[A-Z]{3}-\d{4}) (\S+)(?: .*)?")
_SHORTEST = 3  # letters of a name that is looked for elsewhere
_WORD = re.compile(rf"[^\W_]{{{_SHORTEST},}}")


@dataclass(frozen=True, slots=True)
class Patient:
    """Who was recorded, by the header; empty where it does not say.

    Attributes
    ----------
    facts
        What to call it and what it says.
    names
        Words, case folded, that must not be shown unless the patient may be named.
    """

    facts: tuple[tuple[str, str], ...] = ()
    names: frozenset[str] = frozenset()

    def without_names(self, text: str) -> str:
        """The text with every word of the patient's name taken out."""
        for name in sorted(self.names, key=len, reverse=True):
            text = re.sub(re.escape(name), WITHHELD, text, flags=re.IGNORECASE)
        return text


def read_patient(path: Path) -> Patient:
    """Read the patient field of an EDF or BDF file; of other formats nothing."""
    with path.open("rb") as file:
        header = file.read(_FIELD.stop)
    if not is_edf(header):
        return Patient()
    text = " ".join(header[_FIELD].decode("latin-1").split())
    if match := _EDF_PLUS.fullmatch(text):
        code, sex, born, name = match.groups()
        titles = ("Name", "Code", "Sex", "Born")
        facts = zip(titles, (name.replace("_", " "), code, sex, born), strict=True)
        said = tuple((title, value) for title, value in facts if value != "X")
        return Patient(said, _names([name]))
    return Patient(
        (("Patient field of the header", text),) if text else (), _names(text.split())
    )


def _names(words: Iterable[str]) -> frozenset[str]:
    return frozenset(
        found.casefold() for word in words for found in _WORD.findall(word)
    )
