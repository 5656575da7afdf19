"""TUSZ: both generations of its layout, its annotation files, its official split."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from distilclip_eeg.config import SignalConfig
from distilclip_eeg.corpora.catalog import Catalog, CorpusRecording
from distilclip_eeg.corpora.splits import official
from distilclip_eeg.corpora.store import prepare
from distilclip_eeg.corpora.tusz import read_tusz
from distilclip_eeg.corpora.tusz_annotations import (
    EVENT_TYPES,
    Annotation,
    Row,
    read_csv,
    read_tse,
    seizures_of,
)
from distilclip_eeg.eeg.annotations import Event
from distilclip_eeg.eeg.findings import place_of_leads
from distilclip_eeg.eeg.montage import LEADS
from distilclip_eeg.errors import CorpusError
from replica_signals import SECONDS
from replica_tusz import (
    LEFT_TEMPORAL,
    TCP_LEADS,
    tusz_csv,
    tusz_csv_bi,
    tusz_head,
    tusz_tse,
    write_tusz,
)

LEFT = Path("edf/train/aaaaaaac/s001_2002/02_tcp_le/aaaaaaac_s001_t000.edf")
EVAL = Path("edf/eval/aaaaaaaq/s006_2014/04_tcp_le_a/aaaaaaaq_s006_t000.edf")


@pytest.fixture(scope="module")
def replica(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tusz(tmp_path_factory.mktemp("tusz"))


@pytest.fixture(scope="module")
def catalog(replica: Path) -> Catalog:
    return read_tusz(replica)


@pytest.fixture
def copy(replica: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(replica, tmp_path / "copy"))


def named(catalog: Catalog, stem: str) -> CorpusRecording:
    (found,) = [r for r in catalog.recordings if r.path.stem == stem]
    return found


def told(catalog: Catalog) -> list[str]:
    return [str(problem) for problem in catalog.problems]


def test_recordings_patients_sessions_parts(catalog: Catalog) -> None:
    assert not catalog.problems
    assert catalog.version == "2.0.3"
    assert [(r.patient, r.session, r.split) for r in catalog.recordings] == [
        ("aaaaaajy", "s002_2003", "dev"),
        ("aaaaaaaq", "s006_2014", "eval"),
        ("00000258", "s002_2003_07_21", "train"),
        ("aaaaaaac", "s001_2002", "train"),
        ("aaaaaaac", "s004_2006", "train"),
    ]
    assert [len(r.events) for r in catalog.recordings] == [1, 1, 1, 1, 0]


def test_leads_tell_side_and_lobe(catalog: Catalog) -> None:
    (event,) = named(catalog, "aaaaaaac_s001_t000").events
    assert (event.onset, event.duration, event.event_type) == (10, 12, "sz_foc_ia")
    assert event.channels == ("F7-T7", "T7-P7", "A1-T3")
    assert place_of_leads(event.channels) == ("left", "temporal")
    (event,) = named(catalog, "aaaaaajy_s002_t001").events
    assert event.event_type == "sz_gen"
    assert set(event.channels) >= set(LEADS) - {"FZ-CZ", "CZ-PZ"}
    assert place_of_leads(event.channels)[0] == "bilateral"


def test_binary_annotation_alone(catalog: Catalog) -> None:
    (event,) = named(catalog, "aaaaaaaq_s006_t000").events
    assert event == Event(4, 12, "sz")


def test_an_older_release_with_tse(catalog: Catalog) -> None:
    (event,) = named(catalog, "00000258_s002_t000").events
    assert event == Event(7, 12, "sz_gen_m_tonicClonic")


def test_every_montage_and_rate_can_be_prepared(
    catalog: Catalog, tmp_path: Path
) -> None:
    """LE and AR, with and without A1, A2, Fz and Pz, 250 to 1000 Hz, an odd date."""
    store = prepare(catalog.recordings, tmp_path / "store", SignalConfig())
    assert not store.skipped
    for stored in store.recordings:
        usable = [bool(row.all()) for row in stored.crop(5, 20).usable]
        missing = {lead for lead, ok in zip(LEADS, usable, strict=True) if not ok}
        no_midline = "aaaaaajy" in stored.name
        assert missing == ({"FZ-CZ", "CZ-PZ"} if no_midline else set())
        for seizure in stored.seizures:
            ictal = stored.crop(seizure.onset_s, 10).eeg[0].std()
            assert ictal > 2 * stored.crop(0, 3).eeg[0].std()


def test_the_official_split_is_kept(catalog: Catalog) -> None:
    split = official(catalog.recordings)
    assert split.patients("train") == ("00000258", "aaaaaaac")
    (only,) = split.rounds()
    assert only == (("train",), "eval", ("dev",))


def test_a_patient_in_two_parts_is_refused(copy: Path) -> None:
    source = (copy / LEFT).parent
    shutil.copytree(source, copy / "edf/eval/aaaaaaac/s001_2002/02_tcp_le")
    catalog = read_tusz(copy)
    assert told(catalog) == [
        (
            "aaaaaaac: found the patient in eval and train, expected one part: the "
            "official split cannot be used"
        )
    ]
    with pytest.raises(CorpusError, match="found patient aaaaaaac in part"):
        official(catalog.recordings)


@pytest.mark.parametrize("inner", ["edf", "edf/train", "edf/train/aaaaaaac"])
def test_a_part_of_the_copy(replica: Path, inner: str) -> None:
    catalog = read_tusz(replica / inner)
    expected = {"edf": 5, "edf/train": 3, "edf/train/aaaaaaac": 2}
    assert len(catalog.recordings) == expected[inner]
    assert named(catalog, "aaaaaaac_s001_t000").split == (
        None if inner.endswith("c") else "train"
    )
    assert catalog.version == ("2.0.3" if inner == "edf" else "")


def test_version_by_the_name_of_the_folder(copy: Path) -> None:
    (copy / "AAREADME.txt").unlink()
    assert read_tusz(copy).notes == ("release unknown",)
    renamed = copy.rename(copy.with_name("v1.5.2"))
    assert read_tusz(renamed).version == "1.5.2"


# What is not as it should be ---------------------------------------------------------


def test_files_without_annotation_and_annotation_without_file(copy: Path) -> None:
    (copy / EVAL).with_suffix(".csv_bi").unlink()
    (copy / LEFT).unlink()
    (copy / "seizure_types.csv").touch()  # a table of the documentation
    catalog = read_tusz(copy)
    assert len(catalog.recordings) == 3
    assert told(catalog) == [
        (
            f"{EVAL}: expected one of aaaaaaaq_s006_t000.csv_bi aaaaaaaq_s006_t000.csv "
            "aaaaaaaq_s006_t000.tse beside it"
        ),
        f"{LEFT.with_suffix('.csv')}: no aaaaaaac_s001_t000.edf beside it",
        f"{LEFT.with_suffix('.csv_bi')}: no aaaaaaac_s001_t000.edf beside it",
    ]
    assert catalog.count() == {"unannotated": 1, "orphan": 2}


def test_an_annotation_that_is_not_understood_costs_its_own_file(copy: Path) -> None:
    path = (copy / LEFT).with_suffix(".csv_bi")
    path.write_text(path.read_text().replace("22.0000,seiz", "22.0000,fits"))
    catalog = read_tusz(copy)
    assert len(catalog.recordings) == 4
    assert told(catalog) == [
        (
            f"{LEFT.with_suffix('.csv_bi')}:8: found label 'fits', expected one of "
            f"{' '.join(EVENT_TYPES)}; aaaaaaac_s001_t000.edf is left out"
        )
    ]


def test_the_same_recording_under_two_montages(copy: Path) -> None:
    old, new = (copy / LEFT).parent, (copy / LEFT).parents[1] / "04_tcp_le_a"
    shutil.copytree(old, new)
    catalog = read_tusz(copy)
    assert len(catalog.recordings) == 5
    assert named(catalog, "aaaaaaac_s001_t000").path.parent == new
    assert [p.kind for p in catalog.problems] == ["duplicate"]


def test_a_seizure_past_the_end(copy: Path) -> None:
    """Releases before 2.0.1 had boundaries past the end of the file."""
    path = (copy / EVAL).with_suffix(".csv_bi")
    rows = "TERM,0.0000,20.0000,bckg,1.0000\nTERM,20.0000,34.0000,seiz,1.0000\n"
    path.write_text(tusz_head(path.stem) + rows)
    catalog = read_tusz(copy)
    (event,) = named(catalog, path.stem).events
    assert (event.onset, event.duration) == (20, 10)
    assert told(catalog) == [
        (
            f"{EVAL.with_suffix('.csv_bi')}:8: found a seizure that ends at 34 s, "
            f"expected it within the 30 s of {EVAL}: cut there"
        )
    ]


def test_files_that_disagree(copy: Path) -> None:
    csv_bi = (copy / LEFT).with_suffix(".csv_bi")
    text = tusz_csv_bi(csv_bi.stem, (1, 4)).replace("30.00 secs", "50.00 secs")
    csv_bi.write_text(text)
    catalog = read_tusz(copy)
    (event,) = named(catalog, "aaaaaaac_s001_t000").events
    assert event == Event(1, 3, "sz")
    name = LEFT.with_suffix("").as_posix()
    assert [t.removeprefix(name) for t in told(catalog)] == [
        (
            ".csv:9: found a seizure at 10 s that aaaaaaac_s001_t000.csv_bi does not "
            "know: aaaaaaac_s001_t000.csv_bi believed"
        ),
        (
            ".csv_bi: found a duration of 50 s, expected the 30 s of "
            "aaaaaaac_s001_t000.edf: recording believed"
        ),
        (
            ".csv_bi:8: found a seizure at 1 s that aaaaaaac_s001_t000.csv does not "
            "know: aaaaaaac_s001_t000.csv_bi believed"
        ),
    ]


def test_events_that_are_not_epileptic_are_not_counted(copy: Path) -> None:
    csv = (copy / LEFT).with_suffix(".csv")
    csv.write_text(tusz_csv(csv.stem, LEFT_TEMPORAL, "nesz", 10, 22))
    catalog = read_tusz(copy)
    assert named(catalog, csv.stem).kind == "background"
    assert [p.kind for p in catalog.problems] == ["not_counted"]
    assert "non-epileptic event at 10 s" in told(catalog)[0]


def test_other_names_are_listed(copy: Path) -> None:
    shutil.copy(copy / LEFT, copy / "edf" / "mine.edf")
    (problem,) = read_tusz(copy).problems
    assert (problem.kind, problem.where) == ("unannotated", "edf/mine.edf")
    assert "expected <patient>_sNNN_tNNN.edf" in problem.text


def test_nothing_there(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"found no \.edf in it, expected edf/train"):
        read_tusz(tmp_path)


# Annotation files --------------------------------------------------------------------


def test_labels_as_hed_score() -> None:
    assert EVENT_TYPES["tnsz"] == "sz_gen_m_tonic"
    assert EVENT_TYPES["cnsz"] == "sz_gen_m_clonic"
    assert EVENT_TYPES["mysz"] == "sz_gen_nm_myoclonic"
    assert EVENT_TYPES["absz"] == "sz_gen_nm"
    assert EVENT_TYPES["nesz"] == EVENT_TYPES["bckg"] == "bckg"
    assert len(EVENT_TYPES) == 13
    assert all("-" not in kind for kind in EVENT_TYPES.values())


def test_csv(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(tusz_csv("a", LEFT_TEMPORAL, "fnsz", 10, 22))
    annotation = read_csv(path)
    assert annotation.duration_s == SECONDS
    assert len(annotation.rows) == len(TCP_LEADS) + 2 * len(LEFT_TEMPORAL)
    assert {row.channel for row in annotation.seizures} == set(LEFT_TEMPORAL)
    assert {row.line for row in annotation.seizures} == {9, 12, 20}


def test_tse(tmp_path: Path) -> None:
    path = tmp_path / "a.tse"
    path.write_text(tusz_tse((0, 36.8868, "bckg"), (36.8868, 183.3055, "GNSZ")))
    assert read_tse(path).seizures == [Row("TERM", 36.8868, 183.3055, "gnsz", 4)]


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.csv", "", ":1: found no table, expected channel,start_time"),
        ("a.csv", "# x\nlead,a,b\n", ":2: found 'lead,a,b', expected channel,"),
        ("a.csv", tusz_head("a") + "TERM,0,1,bckg\n", ":7: found 4 fields"),
        ("a.csv", tusz_head("a") + "TERM,x,1,bckg,1\n", ":7: found x to 1 s"),
        ("a.csv", tusz_head("a") + "TERM,5,1,bckg,1\n", "5 to 1 s, expected a start"),
        ("a.csv", tusz_head("a") + "TERM,0,1,eyem,1\n", ":7: found label 'eyem'"),
        ("a.tse", "0 1 bckg 1\n", ":1: found '0 1 bckg 1', expected 'version = tse"),
        ("a.tse", "", ":1: found 'nothing'"),
        ("a.tse", "version = tse_v1.0.0\n0 1 bckg\n", ":2: found '0 1 bckg'"),
        ("a.tse", "version = tse_v1.0.0\n\n0 nan seiz 1\n", ":3: found 0 to nan s"),
    ],
)
def test_what_is_said_of_a_wrong_file(
    tmp_path: Path, name: str, text: str, said: str
) -> None:
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(CorpusError) as raised:
        (read_csv if name.endswith("csv") else read_tse)(path)
    assert str(raised.value).startswith(f"{path}:")
    assert said in str(raised.value)
    assert "expected" in str(raised.value)


def annotation(*rows: tuple[str, float, float, str]) -> Annotation:
    return Annotation(Path("a"), tuple(Row(*r, i) for i, r in enumerate(rows)))


def test_leads_come_in_the_order_in_which_they_join() -> None:
    marked = annotation(
        ("FP2-F8", 14, 30, "fnsz"),
        ("T3-T5", 12, 30, "fnsz"),
        ("F7-T3", 12, 30, "fnsz"),
        ("FP1-F7", 10, 30, "fnsz"),
    )
    (seizure,) = seizures_of(marked, marked)
    assert seizure.event.onset == 10
    assert seizure.event.channels == ("FP1-F7", "F7-T7", "T7-P7", "FP2-F8")


def test_the_longest_special_type_wins() -> None:
    marked = annotation(
        ("F7-T3", 0, 50, "seiz"),
        ("F7-T3", 10, 15, "gnsz"),
        ("T3-T5", 10, 30, "cpsz"),
    )
    (seizure,) = seizures_of(marked, marked)
    assert (seizure.event.onset, seizure.event.duration) == (0, 50)
    assert seizure.event.event_type == "sz_foc_ia"


ROW = st.tuples(
    st.sampled_from(TCP_LEADS),
    st.integers(0, 50),
    st.integers(1, 20),
    st.sampled_from([label for label in EVENT_TYPES if label != "nesz"]),
)


@settings(deadline=None)
@given(st.lists(ROW, max_size=12))
def test_joined_seizures_cover_the_marked_seconds(
    rows: list[tuple[str, int, int, str]],
) -> None:
    marked = annotation(*((lead, a, a + n, label) for lead, a, n, label in rows))
    found = [marked.event for marked in seizures_of(marked, marked)]
    covered = {
        second
        for row in marked.seizures
        for second in range(round(row.start_s), round(row.stop_s))
    }
    assert covered == {
        second
        for event in found
        for second in range(round(event.onset), round(event.onset + event.duration))
    }
    ends = [event.onset + event.duration for event in found]
    assert all(a < b.onset for a, b in zip(ends, found[1:], strict=False))
    assert all(event.is_seizure and event.channels for event in found)
