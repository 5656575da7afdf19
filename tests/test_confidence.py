"""Confidence becomes a probability: learned, the same everywhere, held to truth."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit, logit
from sklearn.linear_model import LogisticRegression

from distilclip_eeg import Event, StreamDetector, Update, detect, load_model
from distilclip_eeg.config import DetectionConfig
from distilclip_eeg.corpora.store import Marked
from distilclip_eeg.detection.alarms import AlarmState
from distilclip_eeg.detection.models import Model
from distilclip_eeg.eeg.montage import LEADS
from distilclip_eeg.errors import ConfigError, ModelFolderError
from distilclip_eeg.evaluation.confidence import (
    JudgedEvent,
    confidence_scores,
    error_of,
    fit_confidence,
    fit_events,
    judged,
    reliability,
    rows_of,
)
from distilclip_eeg.evaluation.predictions import Prediction, Stretch
from distilclip_eeg.evaluation.windows import calibration_error
from distilclip_eeg.explain.reliability import draw_reliability, write_reliability
from distilclip_eeg.model_folder import CONFIG, ConfidenceScale
from distilclip_eeg.review.outputs_beside import read_found
from test_model_folder import change_config, sign_again
from tiny_model import write_tiny_model

SFREQ = 256
SCALE = ConfidenceScale(slope=0.7, intercept=-0.8, measured_on="made up")
SETTINGS = DetectionConfig(onset_threshold=0.6, offset_threshold=0.3)
Probability = st.floats(0, 1)
Slope = st.floats(0.05, 10)
Intercept = st.floats(-10, 10)


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Model:
    folder = tmp_path_factory.mktemp("models") / "plain"
    return load_model(write_tiny_model(folder), "f32", threads=1)


@pytest.fixture(scope="module")
def scaled(tmp_path_factory: pytest.TempPathFactory) -> Model:
    folder = tmp_path_factory.mktemp("models") / "scaled"
    return load_model(write_tiny_model(folder, confidence=SCALE), "f32", threads=1)


def loud_parts(seed: int = 0, n_seconds: int = 90) -> np.ndarray:
    """Noise (18, T) in which three stretches are loud, ever more so."""
    loud = np.full(n_seconds, 3.0)
    loud[10:25], loud[40:55], loud[70:85] = 42.0, 50.0, 70.0
    rng = np.random.default_rng(seed)
    x = rng.normal(0, 1, (18, n_seconds * SFREQ)) * np.repeat(loud, SFREQ)
    return np.asarray(x, np.float32)


@given(a=Probability, b=Probability, slope=Slope, intercept=Intercept)
def test_surer_means_are_never_less_sure(
    a: float, b: float, slope: float, intercept: float
) -> None:
    scale = ConfidenceScale(slope=slope, intercept=intercept)
    low, high = sorted([a, b])
    assert 0 <= scale.of(low) <= scale.of(high) <= 1


@given(Probability)
def test_nothing_changes_by_default(mean: float) -> None:
    assert ConfidenceScale().of(mean) == pytest.approx(mean, abs=2e-6)


@given(st.floats(1e-4, 1 - 1e-4), st.floats(0.1, 3), st.floats(-3, 3))
def test_it_is_a_logistic_map_of_log_odds(mean: float, a: float, b: float) -> None:
    found = ConfidenceScale(slope=a, intercept=b).of(mean)
    assert found == pytest.approx(expit(a * logit(mean) + b), abs=1e-12)


@pytest.mark.parametrize(("mean", "sure"), [(0.0, 0.001), (1.0, 0.999)])
def test_a_mean_of_0_or_1_is_not_certain(mean: float, sure: float) -> None:
    assert ConfidenceScale(slope=0.5).of(mean) == pytest.approx(sure, abs=1e-6)


def test_numbers_of_any_size_stay_probabilities() -> None:
    steep = ConfidenceScale(slope=1e308, intercept=-1e308)
    assert [steep.of(mean) for mean in (0.0, 0.5, 1.0)] == [0, 0, 1]


@pytest.mark.parametrize(
    "values", [{"slope": 0}, {"slope": -1}, {"intercept": float("inf")}, {"bias": 1}]
)
def test_a_folder_with_an_impossible_scale_is_refused(
    tmp_path: Path, values: dict[str, float]
) -> None:
    folder = write_tiny_model(tmp_path / "tiny")
    change_config(folder, confidence={"slope": 1.0, "intercept": 0.0} | values)
    with pytest.raises(ModelFolderError, match=r"confidence"):
        load_model(folder)


def test_folders_from_before_load(tmp_path: Path) -> None:
    folder = write_tiny_model(tmp_path / "tiny")
    older = json.loads((folder / CONFIG).read_text())
    assert older.pop("confidence") is None
    (folder / CONFIG).write_text(json.dumps(older))
    sign_again(folder)
    assert load_model(folder).confidence is None


def pushed(state: AlarmState, probabilities: Sequence[float]) -> list[Event]:
    seconds = enumerate(probabilities)
    return [e for s, p in seconds for e in state.push(float(s), p, s + 1.0)]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from([0.0, 0.31, 0.65, 0.9, 1.0]), max_size=60))
def test_a_scale_changes_confidence_alone(probabilities: list[float]) -> None:
    one, other = AlarmState(SETTINGS), AlarmState(SETTINGS, SCALE)
    events = pushed(one, probabilities) + one.close()
    scaled_events = pushed(other, probabilities) + other.close()
    assert len(events) == len(scaled_events)
    for event, calibrated in zip(events, scaled_events, strict=True):
        assert event.confidence is not None
        assert calibrated.confidence == pytest.approx(
            SCALE.of(event.confidence), abs=3e-4
        )
        same = (event.onset, event.duration, event.raised_s)
        assert same == (calibrated.onset, calibrated.duration, calibrated.raised_s)


def test_what_goes_on_is_as_sure_as_it_will_be() -> None:
    state = AlarmState(SETTINGS, SCALE)
    pushed(state, [0.9, 0.8, 0.9, 0.7, 0.9, 0.8])
    current = state.current
    restored = AlarmState(SETTINGS, SCALE)
    restored.restore(json.loads(json.dumps(state.state())))
    assert current is not None
    assert current.confidence == round(SCALE.of(5 / 6), 4)
    assert restored.current == current
    assert state.close() == restored.close() == [current]


def in_chunks(model: Model, x: np.ndarray, n_samples: int) -> list[Event | Update]:
    stream = StreamDetector(model, LEADS, SFREQ)
    news = [
        one
        for start in range(0, x.shape[1], n_samples)
        for one in stream.push(x[:, start : start + n_samples])
    ]
    return news + stream.close()


def test_file_and_stream_are_equally_sure(scaled: Model, plain: Model) -> None:
    x = loud_parts()
    whole = detect(x, sfreq=SFREQ, ch_names=LEADS, model=scaled)
    before = detect(x, sfreq=SFREQ, ch_names=LEADS, model=plain)
    assert len(whole.events) == 3
    for n_samples in (SFREQ, 1000):
        news = in_chunks(scaled, x, n_samples)
        assert [e for e in news if isinstance(e, Event)] == list(whole.events)
    for event, mean in zip(whole.events, before.events, strict=True):
        assert (event.onset, event.channels) == (mean.onset, mean.channels)
        assert mean.confidence is not None
        sure = SCALE.of(mean.confidence)
        assert event.confidence == pytest.approx(sure, abs=1e-4)
        assert sure < mean.confidence - 0.05


def test_the_last_update_is_as_sure_as_the_event(scaled: Model) -> None:
    news = in_chunks(scaled, loud_parts(), SFREQ)
    told = [n.event for n in news if isinstance(n, Update)]
    for event in (n for n in news if isinstance(n, Event)):
        updates = [u for u in told if u.onset == event.onset]
        assert updates
        if updates[-1].duration == event.duration:
            assert updates[-1].confidence == event.confidence
    assert len({u.confidence for u in told}) > 1


@pytest.mark.parametrize("cut_s", [15, 48, 77])
def test_saved_and_restored_is_as_sure(
    scaled: Model, tmp_path: Path, cut_s: int
) -> None:
    x = loud_parts()
    whole = detect(x, sfreq=SFREQ, ch_names=LEADS, model=scaled)
    stream = StreamDetector(scaled, LEADS, SFREQ)
    stream.push(x[:, : cut_s * SFREQ])
    stream.save(tmp_path / "state.npz")
    again = StreamDetector.load(tmp_path / "state.npz", scaled)
    assert again.current == stream.current
    again.push(x[:, cut_s * SFREQ :])
    again.close()
    assert again.result().events == whole.events
    assert again.result().confidence_scale == SCALE


def test_a_cut_at_another_threshold_is_as_sure(scaled: Model, tmp_path: Path) -> None:
    found = detect(loud_parts(), sfreq=SFREQ, ch_names=LEADS, model=scaled)
    path = tmp_path / "found.json"
    path.write_text(json.dumps(found.to_dict()))
    read = read_found(path, found.duration_s)
    assert read is not None
    again = read.at(read.settings.onset_threshold)
    sure = [event.confidence for event in found.events]
    assert [event.confidence for event in again] == pytest.approx(sure, abs=3e-4)


def prediction(
    patient: str, log_odds: Sequence[float], *seizures: tuple[float, float]
) -> Prediction:
    odds = np.array(log_odds, float)
    ictal = np.zeros(len(odds))
    for start, end in seizures:
        ictal[int(start) : int(end)] = 1
    return Prediction(
        name=f"{patient}.edf",
        dataset="toys",
        patient=patient,
        kind="seizure" if seizures else "background",
        log_odds=odds,
        ictal=ictal,
        labelled=np.ones(len(odds), bool),
        seizures=tuple(Marked(*span) for span in seizures),
    )


def bout(at: int, log_odds: float, n_seconds: int = 300) -> list[float]:
    """Twenty seconds of something in long silence."""
    return [-9.0] * at + [log_odds] * 20 + [-9.0] * (n_seconds - at - 20)


@pytest.mark.parametrize(
    ("at", "is_true"),
    [(100, True), (52, True), (51, False), (189, True), (190, False), (131, True)],
)
def test_true_is_what_szcore_calls_no_false_alarm(at: int, is_true: bool) -> None:
    """The seizure lasts from 101 s to 130 s; 30 s before and 60 s after count."""
    (event,) = judged([prediction("p", bout(at, 3.0), (101, 130))], SETTINGS)
    assert event == JudgedEvent("p", round(float(expit(3.0)), 4), is_true)


def test_where_no_expert_looked_nothing_is_judged() -> None:
    one = prediction("p", bout(10, 3.0))
    one.labelled[:30] = False
    assert judged([one], SETTINGS) == []
    one.labelled[29] = True
    assert len(judged([one], SETTINGS)) == 1


def drawn(
    n: int, slope: float, intercept: float, seed: int, n_patients: int = 20
) -> list[JudgedEvent]:
    """Events whose truth follows the map exactly."""
    rng = np.random.default_rng(seed)
    mean = rng.uniform(0.3, 0.95, n).round(4)
    true = rng.random(n) < expit(slope * logit(mean) + intercept)
    who = rng.integers(0, n_patients, n).tolist()
    rows = zip(who, mean.tolist(), true.tolist(), strict=True)
    return [JudgedEvent(f"p{k}", m, t) for k, m, t in rows]


@pytest.mark.parametrize(("slope", "intercept"), [(1, 0), (2.5, -1), (0.6, 1.5)])
def test_a_known_scale_is_found_again(slope: float, intercept: float) -> None:
    events = drawn(4000, slope, intercept, seed=1)
    fitted = fit_events([events])
    assert fitted.slope == pytest.approx(slope, abs=0.15)
    assert fitted.intercept == pytest.approx(intercept, abs=0.12)
    assert fitted.ece_after < 0.03
    assert (fitted.n_true, fitted.n_false) == (
        sum(e.is_true for e in events),
        sum(not e.is_true for e in events),
    )
    if (slope, intercept) != (1, 0):
        assert fitted.ece_before > 2 * fitted.ece_after


def test_it_agrees_with_logistic_regression() -> None:
    """With thousands of events Platt's targets are 0 and 1."""
    events = drawn(4000, 1.7, -0.4, seed=2)
    x = logit(np.array([[e.confidence] for e in events]))
    oracle = LogisticRegression(C=np.inf, tol=1e-9).fit(x, [e.is_true for e in events])
    fitted = fit_events([events])
    assert fitted.slope == pytest.approx(float(oracle.coef_[0, 0]), abs=0.01)
    assert fitted.intercept == pytest.approx(float(oracle.intercept_[0]), abs=0.01)


def test_few_false_ones_are_joined_by_lower_events_for_the_slope_alone() -> None:
    """Lower events are less often seizures; the share at the settings is what holds."""
    top = drawn(300, 1.0, 3.5, seed=3)
    assert 5 < sum(not e.is_true for e in top) < 10
    lower = top + drawn(2000, 1.0, -1.0, seed=4)
    fitted = fit_events([top, lower])
    sure = [fitted.scale("").of(e.confidence) for e in top]
    share = np.mean([e.is_true for e in top])
    assert np.mean(sure) == pytest.approx(share, abs=0.01)
    enough = fit_events([lower, lower + drawn(2000, 3.0, -9.0, seed=5)])
    assert enough == fit_events([lower])


def test_events_that_never_mix_give_a_finite_scale() -> None:
    apart = [
        JudgedEvent(f"p{k % 4}", 0.9 if k % 2 else 0.4, bool(k % 2)) for k in range(80)
    ]
    fitted = fit_events([apart])
    assert 0.5 < fitted.slope < 20
    assert fitted.ece_after < 0.1


@pytest.mark.parametrize(
    "events",
    [
        [],
        [JudgedEvent(f"p{k % 5}", 0.3 + k / 200, True) for k in range(100)],
        [JudgedEvent(f"p{k % 5}", 0.3 + k / 200, k > 3) for k in range(100)],
        [JudgedEvent("p", 0.3 + k / 200, k > 50) for k in range(100)],  # nobody else
        [JudgedEvent(f"p{k % 5}", 0.3 + k / 200, k < 50) for k in range(100)],
    ],
    ids=["none", "all true", "few false", "one patient", "the wrong way round"],
)
def test_too_little_is_refused_in_one_line(events: list[JudgedEvent]) -> None:
    with pytest.raises(ConfigError, match="expected 5 of each") as caught:
        fit_events([events, events])
    assert "\n" not in str(caught.value)


def test_no_event_at_the_settings_is_refused() -> None:
    with pytest.raises(ConfigError, match="no event at the model's own threshold"):
        fit_events([[], drawn(500, 1, 0, seed=6)])


def calm_and_ictal() -> list[Prediction]:
    """Forty people; surer bouts are more often seizures."""
    rng = np.random.default_rng(7)
    found = []
    for k in range(40):
        odds = float(rng.uniform(-0.3, 3.5))
        spans = [(101.0, 118.0)] if rng.random() < expit(2 * odds - 2) else []
        found.append(prediction(f"p{k}", bout(100, odds), *spans))
    return found


def test_predictions_become_a_scale() -> None:
    predictions = calm_and_ictal()
    fitted = fit_confidence(predictions, SETTINGS)
    given_, rows = judged(predictions, SETTINGS), reliability(predictions, SETTINGS)
    assert fitted.n_true + fitted.n_false == len(given_) > 20
    assert fitted.ece_before == pytest.approx(error_of(rows))
    after = reliability(predictions, SETTINGS, fitted.scale("toys"))
    assert error_of(after) < error_of(rows)
    assert json.loads(json.dumps(fitted.as_dict())) == fitted.as_dict()
    assert fitted.scale("toys") == ConfidenceScale(
        slope=fitted.slope, intercept=fitted.intercept, measured_on="toys"
    )


def test_lower_thresholds_leave_the_ends_of_events_alone() -> None:
    """Else the means behind the slope would not be those of the events one gets."""
    odds = bout(100, 0.0)
    odds[105:110] = [2.0] * 5
    one = prediction("p", odds, (101, 118))
    low = SETTINGS.model_copy(update={"onset_threshold": SETTINGS.offset_threshold})
    assert judged([one], SETTINGS) == judged([one], low) != []


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(Probability, st.booleans()), min_size=1, max_size=40))
def test_rows_tell_the_error_of_calibration(events: list[tuple[float, bool]]) -> None:
    rows = rows_of([JudgedEvent("p", p, true) for p, true in events])
    p, true = (np.array(part) for part in zip(*events, strict=True))
    assert error_of(rows) == pytest.approx(calibration_error(true.astype(bool), p))
    assert sum(row.n for row in rows) == len(events)
    for row in rows:
        assert row.low <= row.confidence <= row.high + 1e-12
        assert row.true_low - 1e-9 <= row.true <= row.true_high + 1e-9


def test_no_event_no_error() -> None:
    assert confidence_scores([]) == {"ece": None, "n_events": 0, "rows": []}
    assert np.isnan(error_of([]))


def test_intervals_are_wilsons() -> None:
    (row,) = rows_of([JudgedEvent("p", 0.85, k < 8) for k in range(10)])
    assert (row.n, row.true) == (10, 0.8)
    assert (row.true_low, row.true_high) == pytest.approx((0.4902, 0.9433), abs=1e-4)


def test_the_picture_shows_every_panel_alike(tmp_path: Path) -> None:
    few = rows_of(drawn(30, 1, 0, seed=8))
    many = rows_of(drawn(400, 1, 1, seed=9))
    figure = draw_reliability({"before": few, "after": many}, title="Toys")
    shares, counts = figure.axes[:2], figure.axes[2:]
    n_many = sum(row.n for row in many)
    said = f"after\n{n_many} events, calibration error {error_of(many):.2f}"
    assert shares[1].get_title() == said
    most = max(row.n for row in many)
    for axes in counts:  # one scale, in which the longest bar has room
        assert axes.get_ylim()[1] > most
    heights = [bar.get_height() for bar in counts[0].patches]  # type: ignore[attr-defined]
    assert heights == [row.n for row in few]
    assert write_reliability(tmp_path, {"x": few}, title="") == (
        tmp_path / "confidence.png"
    )
    assert write_reliability(tmp_path, {"x": []}, title="") is None
    assert list(tmp_path.iterdir()) == []


def test_judged_is_what_a_user_is_told() -> None:
    """Through a gap too: it has no probability, the seconds that were heard count."""
    one = prediction("p", bout(100, 2.0), (101, 118))
    first, second = Stretch.whole(one.log_odds[:115]), Stretch.whole(one.log_odds[117:])
    split = replace(one, stretches=(first, replace(second, onset_s=117.0)))
    (event,) = judged([split], SETTINGS, SCALE)
    assert event.confidence == round(SCALE.of(float(expit(2.0))), 4)
