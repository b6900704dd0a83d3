"""``trials.csv`` and ``pareto.csv``: names, order and exactness that users' scripts rely on."""

from __future__ import annotations

import csv
import dataclasses
from pathlib import Path
from typing import Any

import pytest

from terrasweep.measure.catalog import MEASUREMENTS
from terrasweep.report.tables import write_tables
from terrasweep.results.measurements import Measurements
from terrasweep.results.states import Reason, State
from terrasweep.results.study_record import Objective, StudyRecord
from terrasweep.results.trial_result import TrialResult
from tests.unit.report import sample_study as sample

FIRST = ["number", "state", "reason", *MEASUREMENTS]
COMPARED = [
    *("front", "accuracy_from", "cost_from", "accuracy_pooled", "accuracy_low", "accuracy_high"),
    *(f"throughput_samples_per_s_{what}" for what in ("pooled", "low", "high")),
    *(f"peak_memory_mib_{what}" for what in ("pooled", "low", "high")),
]
ACCURACY = Objective(name="accuracy", direction="maximize")


def read(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def tables(
    folder: Path, record: StudyRecord, results: list[TrialResult]
) -> tuple[list[dict[str, str]], list[dict[str, str]]]:
    write_tables(folder, record, results)
    return read(folder / "trials.csv"), read(folder / "pareto.csv")


def test_columns_are_those_of_the_contract(tmp_path: Path) -> None:
    rows, front = tables(tmp_path, *sample.study())
    first = ["number", "state", "reason", "accuracy", "throughput_samples_per_s", "peak_memory_mib"]
    others = [name for name in MEASUREMENTS if name not in first]
    assert list(rows[0]) == [*first, *others, *COMPARED, *sample.SPACE]
    assert list(front[0]) == list(rows[0])


def test_one_row_per_trial_in_order_whatever_order_they_come_in(tmp_path: Path) -> None:
    record, results = sample.study()
    rows, _ = tables(tmp_path, record, results[::-1])
    assert [row["number"] for row in rows] == [str(number) for number in range(24)]
    assert {row["number"]: row["reason"] for row in rows if row["state"] != "complete"} == {
        str(number): str(reason) for number, (reason, _, _) in sample.UNFINISHED.items()
    }


def test_every_digit_stays(tmp_path: Path) -> None:
    record, results = sample.study()
    rows, _ = tables(tmp_path, record, results)
    for row, result in zip(rows, results, strict=True):
        if result.state is State.COMPLETE:
            assert float(row["accuracy"]) == result.measurements["accuracy"]
            assert float(row["peak_memory_mib"]) == result.measurements["peak_memory_mib"]
            assert row["total_parameters"] == "304812033"


def test_absent_is_empty_and_never_zero(tmp_path: Path) -> None:
    rows, _ = tables(tmp_path, *sample.study())
    assert {row["energy_joules"] for row in rows} == {""}
    crashed = rows[17]
    assert [name for name in MEASUREMENTS if crashed[name]] == ["peak_build_mib", "wall_seconds"]
    frozen = [row for row in rows if row["tuning"] == "frozen"]
    assert frozen
    assert all(row["tuning.rank"] == "" for row in frozen)


def test_a_measured_zero_is_no_absence(tmp_path: Path) -> None:
    rows, _ = tables(tmp_path, sample.record(), [sample.complete(0, {"accuracy": 0.0, "allocator_retries": 0})])
    assert (rows[0]["accuracy"], rows[0]["allocator_retries"]) == ("0.0", "0")


def test_objectives_are_shown_of_complete_trials_alone_other_measurements_of_all(tmp_path: Path) -> None:
    record, results = sample.study()
    over_budget = 6
    assert results[over_budget].measurements["peak_memory_mib"] == 26567.0
    rows, _ = tables(tmp_path, record, results)
    assert [rows[over_budget][objective.name] for objective in record.objectives] == ["", "", ""]
    assert rows[over_budget]["train_seconds"] == "60.2"
    without = sample.record(objectives=[ACCURACY])
    assert tables(tmp_path, without, results)[0][over_budget]["peak_memory_mib"] == "26567.0"


def test_an_objective_that_is_a_metric_has_its_column_before_the_searched_keys(tmp_path: Path) -> None:
    record = sample.record(
        objectives=[Objective(name="val/F1, water", direction="maximize")], space={"train.lr": "..."}
    )
    trials = [sample.complete(0, {"val/F1, water": 0.25}, **{"train.lr": 1e-05}), sample.complete(1, {"accuracy": 0.5})]
    rows, front = tables(tmp_path, record, trials)
    metric = [f"val/F1, water_{what}" for what in ("pooled", "low", "high")]
    assert list(rows[0]) == [*FIRST, "val/F1, water", *COMPARED, *metric, "train.lr"]
    assert [row["val/F1, water"] for row in rows] == ["0.25", ""]
    assert rows[0]["train.lr"] == "1e-05"
    assert [row["number"] for row in front] == ["0"]


def test_searched_values_read_as_overrides_do(tmp_path: Path) -> None:
    searched: dict[str, Any] = {"a.flag": True, "a.names": ["q", "v"], "a.limit": None, "a.count": 3, "a.word": "x, y"}
    record = sample.record(space={**dict.fromkeys(searched, ""), "a.missing": ""})
    rows, _ = tables(tmp_path, record, [sample.complete(0, {}, **searched)])
    assert [rows[0][key] for key in record.space] == ["true", '["q", "v"]', "null", "3", "x, y", ""]


def test_pareto_csv_holds_the_rows_that_nothing_dominates(tmp_path: Path) -> None:
    rows, front = tables(tmp_path, *sample.study())

    def point(row: dict[str, str]) -> tuple[float, float, float]:
        return float(row["accuracy"]), float(row["throughput_samples_per_s"]), -float(row["peak_memory_mib"])

    complete = [row for row in rows if row["state"] == "complete"]
    expected = [
        row
        for row in complete
        if not any(
            point(o) != point(row) and all(a >= b for a, b in zip(point(o), point(row), strict=True)) for o in complete
        )
    ]
    assert front == expected
    assert 0 < len(front) < len(complete)


def known_twice() -> list[TrialResult]:
    """Two trials of one configuration, a slower one, and one that did not complete."""
    values = {"accuracy": 0.7, "throughput_samples_per_s": 100.0, "peak_memory_mib": 900.0}
    keys = {"quality_key": "q", "cost_key": "c"}
    own = dataclasses.replace(sample.complete(0, values), **keys)  # type: ignore[arg-type]
    probe: Measurements = {"throughput_samples_per_s": 121.0}
    reused = dataclasses.replace(own, number=1, accuracy_from="0", cost_from="0", probes=[probe])
    slower = sample.complete(2, values | {"throughput_samples_per_s": 1.0})
    failed = dataclasses.replace(slower, number=3, state=State.INFEASIBLE, reason=Reason.OVER_BUDGET)
    return [own, reused, dataclasses.replace(slower, quality_key="q2", cost_key="c2"), failed]


def test_each_trial_says_where_it_stands_where_its_numbers_are_from_and_how_sure_they_are(tmp_path: Path) -> None:
    rows, front = tables(tmp_path, sample.record(), known_twice())
    assert [row["front"] for row in rows] == ["front", "tied with 0", "beaten by 0", ""]
    assert [row["number"] for row in front] == ["0"]
    assert [(row["accuracy_from"], row["cost_from"]) for row in rows] == [("", ""), ("0", "0"), ("", ""), ("", "")]
    assert [row["throughput_samples_per_s"] for row in rows] == ["100.0", "100.0", "1.0", ""], "as each measured it"
    pooled = [row["throughput_samples_per_s_pooled"] for row in rows]
    assert [float(text) for text in pooled[:3]] == pytest.approx([110.0, 110.0, 1.0])
    low, high = (float(rows[0][f"throughput_samples_per_s_{end}"]) for end in ("low", "high"))
    assert low * high == pytest.approx(110.0**2)
    assert low < 100.0 < 121.0 < high
    assert [row["accuracy_low"] for row in rows] == [""] * 4, "no other seed was trained"
    assert [rows[3][column] for column in COMPARED] == [""] * len(COMPARED)


def test_a_study_without_trials_has_headers(tmp_path: Path) -> None:
    write_tables(tmp_path, sample.record(), [])
    header = (tmp_path / "trials.csv").read_text()
    assert header.startswith("number,state,reason,accuracy,")
    assert (tmp_path / "pareto.csv").read_text() == header
    assert header.count("\n") == 1


def test_nothing_is_left_beside_the_tables(tmp_path: Path) -> None:
    write_tables(tmp_path, *sample.study())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["pareto.csv", "trials.csv"]
