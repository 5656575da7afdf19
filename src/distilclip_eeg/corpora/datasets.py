"""The name of a data set -> its catalog."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

from distilclip_eeg.corpora.aubmc import read_aubmc
from distilclip_eeg.corpora.bids import read_bids
from distilclip_eeg.corpora.catalog import Catalog
from distilclip_eeg.corpora.chbmit import read_chbmit
from distilclip_eeg.corpora.manifest import read_manifest_catalog
from distilclip_eeg.corpora.siena import read_siena
from distilclip_eeg.corpora.tusz import read_tusz
from distilclip_eeg.errors import CorpusError

CATALOGS: Final[dict[str, Callable[[Path], Catalog]]] = {
    "chbmit": read_chbmit,
    "tusz": read_tusz,
    "aubmc": read_aubmc,
    "siena": read_siena,
    "bids": read_bids,
    "manifest": read_manifest_catalog,
}
"""Data sets by the name under which commands know them."""


def open_catalog(dataset: str, root: Path) -> Catalog:
    """Read what a copy of a data set holds; of recordings only the headers.

    Parameters
    ----------
    dataset
        One of `CATALOGS`.
    root
        The folder that the data set was unpacked to.

    Raises
    ------
    CorpusError
        If the name is unknown, there is no such folder, or it is laid out otherwise;
        with file and line where an annotation cannot be understood.
    """
    if dataset not in CATALOGS:
        raise CorpusError(
            f"found data set {dataset!r}, expected one of {', '.join(CATALOGS)}"
        )
    if not root.is_dir():
        raise CorpusError(f"{root}: found no such folder, expected {dataset} in it")
    return CATALOGS[dataset](root)
