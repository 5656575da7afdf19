"""What a stream knows, JSON values and arrays <-> one file.

The file is an `.npz` of plain arrays, one of them the JSON text of all that is no
array, one the hash of all others. Nothing is unpickled, what was changed is refused,
numbers come back to the bit, and the file appears whole or never. A state of another
model or montage is refused by name; what else the values mean is not known here.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from distilclip_eeg.detection.result import ModelIdentity
from distilclip_eeg.eeg.annotations import written_whole
from distilclip_eeg.eeg.arrays import NotArraysError, content_sha256, read_arrays
from distilclip_eeg.errors import StateError

State: TypeAlias = dict[str, Any]
"""Nested dicts and lists of JSON values and arrays."""

TEXT: Final = "json"  # the entry with all that is no array
HASH: Final = "sha256"  # the entry with the hash of all others
_ARRAY: Final = "array"  # {"array": name of an entry} stands for the array


def write_state(path: Path, state: State, *, durable: bool = False) -> None:
    """Write the file, in place of an older one.

    Parameters
    ----------
    durable
        Wait until the disk has it, so that it outlives a power cut too and not only
        the death of this process.
    """
    arrays: dict[str, NDArray[Any]] = {}
    text = json.dumps(_without_arrays(state, arrays), allow_nan=False)
    arrays[TEXT] = np.frombuffer(text.encode(), np.uint8)
    arrays[HASH] = np.frombuffer(bytes.fromhex(content_sha256(arrays)), np.uint8)
    with written_whole(path) as partial, partial.open("wb") as file:
        np.savez(file, allow_pickle=False, **arrays)
        if durable:
            file.flush()
            os.fsync(file.fileno())


def read_state(path: Path) -> State:
    """Read what `write_state` wrote.

    Raises
    ------
    StateError
        If there is no such file, or it is damaged or something else.
    """
    try:
        arrays = read_arrays(path)
        kept = arrays.pop(HASH).tobytes().hex()
        if kept != content_sha256(arrays):
            raise NotArraysError("it was changed after it was saved")
        values = json.loads(arrays.pop(TEXT).tobytes())
        state = _with_arrays(values, arrays)
    except FileNotFoundError:
        raise StateError(f"{path}: no such state") from None
    except (KeyError, OSError, RecursionError, ValueError) as error:
        reason = " ".join(str(error).split())[:120] or type(error).__name__
        raise StateError(
            f"{path}: not the saved state of a stream, or damaged ({reason}); remove "
            "it to begin anew"
        ) from None
    if not isinstance(state, dict):
        raise StateError(f"{path}: not the saved state of a stream; name another file")
    return state


def check_state(
    state: State,
    version: int,
    model: ModelIdentity,
    ch_names: Sequence[str] | None = None,
    sfreq: float | None = None,
) -> None:
    """Refuse the state of a stream that is not of this model, montage and version.

    Raises
    ------
    StateError
        With what was found and what was expected.
    """
    if (found := state.get("version")) != version:
        raise StateError(
            f"a state of version {found}, expected {version}; remove it to begin anew"
        )
    saved = state["model"]
    if saved["sha256"] != model.sha256:
        raise StateError(
            f"saved with the model {saved['name']} ({saved['sha256'][:12]}), expected "
            f"{model.name} ({model.sha256[:12]}); use that model, or remove the state"
        )
    if ch_names is not None and list(state["ch_names"]) != list(ch_names):
        raise StateError(_other_channels(state["ch_names"], ch_names))
    if sfreq is not None and state["sfreq"] != sfreq:
        raise StateError(
            f"saved for {state['sfreq']:g} Hz, expected {sfreq:g} Hz; use that rate, "
            "or remove the state"
        )


def _other_channels(saved: Sequence[str], mine: Sequence[str]) -> str:
    differs = [f"{a} not {b}" for a, b in zip(saved, mine, strict=False) if a != b]
    first = f", the first that differs {differs[0]}" if differs else ""
    return (
        f"saved for {len(saved)} channels, expected the {len(mine)} of this montage"
        f"{first}; use that montage, or remove the state"
    )


def _without_arrays(value: Any, arrays: dict[str, NDArray[Any]]) -> Any:
    match value:
        case np.ndarray() | np.generic():
            name = str(len(arrays))
            arrays[name] = np.asarray(value)
            return {_ARRAY: name}
        case dict():
            return {key: _without_arrays(v, arrays) for key, v in value.items()}
        case list() | tuple():
            return [_without_arrays(v, arrays) for v in value]
    return value


def _with_arrays(value: Any, arrays: dict[str, NDArray[Any]]) -> Any:
    match value:
        case {"array": str(name), **rest} if not rest:
            return arrays[name]
        case dict():
            return {key: _with_arrays(v, arrays) for key, v in value.items()}
        case list():
            return [_with_arrays(v, arrays) for v in value]
    return value
