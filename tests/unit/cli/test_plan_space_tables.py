"""What fits is printed for a person, and written for programs."""

import csv
import io

from rich.console import Console

from terrasweep.cli import plan_space_tables as module
from terrasweep.cli.plan_space_tables import as_csv, as_json, show_cards, show_space, write
from terrasweep.results.wording import ABSENT
from tests.unit.cli.plans import planned_row, space_of

ROWS = [
    *(planned_row(batch, gib, checkpointing="none") for batch, gib in ((2, 0.5), (4, 0.95), (8, 1.8))),
    *(planned_row(batch, gib, checkpointing="blocks") for batch, gib in ((2, 0.2), (4, 0.3), (8, None))),
]


def printed(show, plan, width=160, *, to_terminal=False):
    stream = io.StringIO()
    show(plan, Console(file=stream, width=width, highlight=False, force_terminal=to_terminal, color_system=None))
    return stream.getvalue()


def cells(text, first):
    return next(line.split() for line in text.splitlines() if line.split()[:1] == [first])


def test_a_space_has_a_row_per_group_and_a_verdict_per_batch():
    text = printed(show_space, space_of({"1 GiB": 1.0}, ROWS))
    assert cells(text, "none") == ["none", "0.50", "yes", "0.95", "yes?", "1.80", "no", "4"]
    assert cells(text, "blocks") == ["blocks", "0.20", "yes", "0.30", "yes", ABSENT, "18"]
    assert "1 GiB: 4 of 5 fit, 1 do not; of 1 the interval reaches over the limit." in text
    assert "A note on how." in text


def test_of_several_limits_the_smallest_that_fits_is_named():
    text = printed(show_space, space_of({"big": 8.0, "small": 1.0}, ROWS))
    assert cells(text, "none")[1:7] == ["0.50", "small", "0.95", "small", "1.80", "big"]
    assert "big (8 GiB): 5 of 5 fit, 0 do not" in text


def test_without_a_limit_peaks_stand_alone():
    assert cells(printed(show_space, space_of({}, ROWS)), "none") == ["none", "0.50", "0.95", "1.80"]


def test_a_batch_that_a_group_lacks_is_empty():
    assert cells(printed(show_space, space_of({}, ROWS[:4])), "blocks") == ["blocks", "0.20"]


def test_more_rows_than_a_person_reads_are_counted(monkeypatch):
    monkeypatch.setattr(module, "_MOST_ROWS", 1)
    text = printed(show_space, space_of({}, ROWS))
    assert "blocks" not in text
    assert "1 row more: --csv FILE has all." in text


def test_without_limits_no_card_is_judged():
    assert printed(show_cards, space_of({}, ROWS)) == ""


def test_a_configuration_has_its_largest_batch_and_parts_per_limit():
    rows = [planned_row(8, 1.6), planned_row(4, 0.8)]
    text = printed(show_cards, space_of({"small": 1.0, "tiny": 0.1}, rows))
    assert cells(text, "small") == ["small", "1.00", "no", "5", "2"]
    assert cells(text, "tiny") == ["tiny", "0.10", "no", "0", ABSENT]
    assert "for train.batch_size=8" in text


def test_on_a_narrow_terminal_no_peak_is_broken_and_keys_share_a_column():
    """Five searched keys and four batches are too wide for 80 columns."""
    keys = {"offload": "activations", "optimizer": "paged_adamw8bit", "tuning.rank": 64, "train.accumulate": 2}
    rows = [
        planned_row(batch, gib, **{"checkpointing": checkpointing, **keys})
        for checkpointing in ("none", "blocks")
        for batch, gib in ((4, 23.0), (8, 76.8), (16, 153.0), (32, 306.0))
    ]
    text = printed(show_space, space_of({"24 GiB": 24.0}, rows), width=80, to_terminal=True)
    assert max(map(len, text.splitlines())) <= 80
    (row,) = (line for line in text.splitlines() if line.split()[:1] == ["none,"])
    assert row.split()[-8:] == ["yes?", "76.8", "no", "153", "no", "306", "no", "4"]
    wide = printed(show_space, space_of({"24 GiB": 24.0}, rows), width=140, to_terminal=True)
    assert cells(wide, "none")[:5] == ["none", "activations", "paged_adamw8bit", "64", "2"]


def test_on_a_narrow_terminal_no_limit_is_broken():
    rows = [planned_row(8, 1.6), planned_row(4, 0.8)]
    text = printed(show_cards, space_of({"0.26 GiB": 0.26}, rows), width=80, to_terminal=True)
    assert cells(text, "0.26")[:3] == ["0.26", "GiB", "0.26"]


def test_json_and_csv_have_each_configuration():
    plan = space_of({"1 GiB": 1.0}, ROWS)
    numbers = as_json(plan)["configurations"]
    assert [row["fits"]["1 GiB"] for row in numbers] == ["yes", "yes?", "no", "yes", "yes", None]
    assert numbers[0]["values"] == {"checkpointing": "none", "train.batch_size": 2}
    read = list(csv.DictReader(io.StringIO(as_csv(plan))))
    assert [row["fits 1 GiB"] for row in read] == ["yes", "yes?", "no", "yes", "yes", ""]
    assert list(read[2].items()) == [
        *(("checkpointing", "none"), ("train.batch_size", "8"), ("predicted_peak_mib", "1843.2")),
        *(("expected_mib", "1843.2"), ("low_mib", "1658.9"), ("high_mib", "2027.5"), ("fits 1 GiB", "no")),
        *(("largest_batch 1 GiB", "4"), ("accumulate 1 GiB", "2"), ("note", "")),
    ]


def test_nothing_is_written_unless_a_file_is_given(tmp_path):
    write(space_of({}), None, None)
    write(None, tmp_path / "a.csv", tmp_path / "a.html")
    assert list(tmp_path.iterdir()) == []
