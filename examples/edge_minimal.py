"""The edge detector with numpy and onnxruntime alone: microvolts in, seizures out.

Call it with a MODEL_FOLDER and a RECORDING.npz: `eeg` (n, T) in microvolts at 256 Hz,
and `names`, electrodes (FP1) or leads (FP1-F7). Every stage is a generator and takes a
second at a time, as on a device; the folder says the rest. No medical device.
"""

import json
import sys
from collections import defaultdict, deque
from itertools import chain, islice, repeat
from pathlib import Path

import numpy as np
import onnxruntime

RATE = 256  # Hz; a device with another rate resamples before


def load(folder, file="model_int8.onnx"):
    """Settings, the network, and how far it is from the folder's test vector."""
    settings = json.loads(Path(folder, "config.json").read_text("utf-8"))
    run = onnxruntime.InferenceSession(str(Path(folder, file))).run
    want = np.load(Path(folder, "test_vector.npz"))
    (found,) = run(["second_logits"], {"eeg": want["eeg"], "usable": want["usable"]})
    return settings, run, np.abs(found - want["second_logits"]).max()


def filtered(x, sections, states):
    """Second-order sections, direct form II transposed; the states are carried."""
    for (b0, b1, b2, _, a1, a2), z in zip(sections, states, strict=True):
        u, x = x, np.empty_like(x)
        for t in range(x.shape[1]):
            x[:, t] = b0 * u[:, t] + z[0]
            z[:] = b1 * u[:, t] - a1 * x[:, t] + z[1], b2 * u[:, t] - a2 * x[:, t]
    return x


def conditioned(blocks, names, signal):
    """Seconds of channels (n, 256) -> leads (18, 256) and whether each is usable."""
    montage = np.zeros((len(signal["leads"]), len(names)))
    for row, lead in zip(montage, signal["leads"], strict=True):
        way = [lead] if lead in names else lead.split("-")  # stored, or a difference
        if set(way) <= set(names):
            row[[names.index(point) for point in way]] = [1, -1][: len(way)]
    band, notch = signal["filter_sos"]["band"], signal["filter_sos"]["notch"]
    first, states = None, [np.zeros((len(s), 2, len(montage))) for s in (band, notch)]
    for block in blocks:
        x = np.nan_to_num(block)
        rail = (x == x.max(1, keepdims=True)) | (x == x.min(1, keepdims=True))
        runs = rail[:, 3:] & rail[:, 2:-1] & rail[:, 1:-2] & rail[:, :-3]
        bad = ~np.isfinite(block).all(1) | (np.ptp(x, axis=1) < 0.5)
        bad |= (runs.sum(1) > 0.05 * RATE) & (np.ptp(x, axis=1) > 50)
        x = montage @ x
        first = x[:, :1] if first is None else first  # else its step would ring
        with_hum = filtered(x - first, band, states[0])
        eeg = filtered(with_hum, notch, states[1])
        rms, hum = (np.sqrt((y * y).mean(1)) for y in (eeg, with_hum - eeg))
        bad = (np.abs(montage) @ bad > 0) | (np.ptp(eeg, axis=1) < 0.5)
        bad |= (hum > 100) & (hum > 5 * rms) | (np.abs(eeg).max(1) > 5000)
        yield eeg.astype("f4"), (montage.any(1) & ~bad)[:, None].astype("f4")


def log_odds(seconds, run, signal):
    """Of a seizure, per second: mean over the windows that hold it; NaN if unseen."""
    length, hop, n, done = signal["window_s"], signal["hop_s"], 0, 0
    recent, odds = deque(maxlen=length), defaultdict(list)

    def look(start):
        parts = zip(*recent, strict=True)
        eeg, usable = (np.concatenate(part, axis=1)[None] for part in parts)
        *_, window, each = run(None, {"eeg": eeg, "usable": usable})
        for i, (no, yes) in enumerate((window + each[0]) / 2):
            odds[start + i].append(yes - no if usable[0, :, i].any() else np.nan)

    for n, second in enumerate(seconds, 1):
        recent.append(second)
        if n >= length and (n - length) % hop == 0:
            look(n - length)
            yield from (np.mean(odds.pop(s)) for s in range(done, done + hop))
            done += hop
    if n < length or (n - length) % hop:  # the last window ends with the recording
        recent.extend([(0 * second[0], 0 * second[1])] * (length - n))
        look(max(0, n - length))
    yield from (np.mean(odds.pop(s)) for s in range(done, n))


def events(odds, rules, slope=1, intercept=0, **_):
    """Running mean, hysteresis -> (onset, end, confidence), each once it is over."""
    event, run, start, kept, ahead = None, None, 0, [], rules["smoothing_s"] // 2
    odds = chain(odds, repeat(np.nan, ahead + 1 + int(rules["min_gap_s"])))
    recent = deque(islice(odds, ahead), rules["smoothing_s"])
    for end, value in enumerate(odds, 1):
        recent.append(value)
        seen = not np.isnan(recent[-1 - ahead])
        kept.append(1 / (1 + np.exp(-np.nanmean(recent))) if seen else np.nan)
        if kept[-1] >= rules["offset_threshold"]:
            run = end - 1 if run is None else run
            if max(kept[run - start :]) >= rules["onset_threshold"]:
                event = (event or (run,))[0], end  # near the last one: the same
            continue
        run, over = None, event and end - event[1] >= rules["min_gap_s"]
        if over and event[1] - event[0] >= rules["min_duration_s"]:
            during = kept[event[0] - start : event[1] - start]
            p = np.nanmean(during).clip(1e-6, 1 - 1e-6)
            yield *event, 1 / (1 + np.exp(-intercept) * (1 / p - 1) ** slope)
        if over or not event:
            event, start, kept = None, end, []  # probabilities from `start` on


if __name__ == "__main__":
    settings, run, error = load(sys.argv[1])
    print(f"# test vector: logits are at most {error:.3f} from f32")
    data, signal = np.load(sys.argv[2]), settings["signal"]
    eeg = np.pad(data["eeg"], ((0, 0), (0, -data["eeg"].shape[1] % RATE)), "edge")
    blocks = np.split(eeg, eeg.shape[1] // RATE, axis=1)
    odds = log_odds(conditioned(blocks, list(data["names"]), signal), run, signal)
    for each in events(odds, settings["detection"], **settings.get("confidence") or {}):
        print("{} s to {} s, confidence {:.3f}".format(*each))
