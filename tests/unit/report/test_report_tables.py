"""``trials.csv``, ``pareto.csv`` and the recommended configurations: the contract in DESIGN.md."""

from __future__ import annotations

import csv
import dataclasses
from pathlib import Path
from typing import Any

import pytest
import yaml

from terrasweep.measure.catalog import MEASUREMENTS
from terrasweep.report import recommend, recommended_yaml, write_tables
from terrasweep.report.recommendations import choose, write_recommendations
from terrasweep.report.study_outcome import summarize
from terrasweep.results.measurements import Measurements
from terrasweep.results.states import Reason, State
from terrasweep.results.study_record import Objective, StudyRecord
from terrasweep.results.trial_result import TrialResult
from tests.unit.report import sample_study as sample

ACCURACY = Objective(name="accuracy", direction="maximize")
THROUGHPUT = Objective(name="throughput_samples_per_s", direction="maximize")
MEMORY = Objective(name="peak_memory_mib", direction="minimize")


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
    assert list(rows[0]) == [*first, *others, *sample.SPACE]
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
    assert list(rows[0])[-2:] == ["val/F1, water", "train.lr"]
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


def test_a_study_without_trials_has_headers(tmp_path: Path) -> None:
    write_tables(tmp_path, sample.record(), [])
    header = (tmp_path / "trials.csv").read_text()
    assert header.startswith("number,state,reason,accuracy,")
    assert (tmp_path / "pareto.csv").read_text() == header
    assert header.count("\n") == 1


def test_nothing_is_left_beside_the_tables(tmp_path: Path) -> None:
    write_tables(tmp_path, *sample.study())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["pareto.csv", "trials.csv"]


def test_roles_take_the_extremes_of_the_front() -> None:
    chosen = choose(summarize(*sample.study()))
    complete = [result for result in sample.results() if result.state is State.COMPLETE]
    assert chosen["most_accurate"].value("accuracy") == max(r.value("accuracy") or 0 for r in complete)
    assert chosen["smallest"].value("peak_memory_mib") == min(r.value("peak_memory_mib") or 0 for r in complete)
    assert chosen["fastest"].value("throughput_samples_per_s") == max(
        r.value("throughput_samples_per_s") or 0 for r in complete
    )
    assert list(chosen) == ["most_accurate", "smallest", "fastest", "knee"]


def test_ties_are_broken_by_the_other_objectives_then_by_number() -> None:
    first = sample.complete(0, {"accuracy": 0.7, "peak_memory_mib": 500.0, "throughput_samples_per_s": 10.0})
    faster = sample.complete(1, {"accuracy": 0.6, "peak_memory_mib": 500.0, "throughput_samples_per_s": 20.0})
    same = sample.complete(2, {"accuracy": 0.7, "peak_memory_mib": 500.0, "throughput_samples_per_s": 10.0})
    chosen = choose(summarize(sample.record(), [same, faster, first]))
    assert chosen["smallest"].number == 0
    assert chosen["most_accurate"].number == 0


def test_a_measurement_that_is_no_objective_is_looked_up_over_all_complete_trials() -> None:
    small = sample.complete(0, {"accuracy": 0.5, "peak_memory_mib": 100.0})
    good = sample.complete(1, {"accuracy": 0.9, "peak_memory_mib": 900.0})
    chosen = choose(summarize(sample.record(objectives=[ACCURACY]), [small, good]))
    assert {role: result.number for role, result in chosen.items()} == {"most_accurate": 1, "smallest": 0, "knee": 1}


def test_a_file_whose_role_nobody_fills_any_more_goes(tmp_path: Path) -> None:
    record, results = sample.study()
    write_recommendations(tmp_path, summarize(record, results))
    assert len(list((tmp_path / "recommended").iterdir())) == 4
    write_recommendations(tmp_path, summarize(record, []))
    assert list((tmp_path / "recommended").iterdir()) == []


def test_the_yaml_is_the_trials_configuration(tmp_path: Path) -> None:
    record, results = sample.study()
    write_recommendations(tmp_path, summarize(record, results))
    chosen = choose(summarize(record, results))
    for role, result in chosen.items():
        text = (tmp_path / "recommended" / f"{role}.yaml").read_text()
        loaded = yaml.safe_load(text)
        assert loaded.pop("defaults") == ["base", "_self_"]
        assert loaded == {key: value for key, value in result.config.items() if key != "trial"}
        assert list(loaded) == [key for key in result.config if key != "trial"]
        assert f"python sweep.py --config-dir results/prithvi-floods/recommended --config-name {role}" in text


def test_nothing_in_a_result_escapes_the_yamls_comment() -> None:
    record = sample.record(name="two\nlines")
    result = dataclasses.replace(sample.complete(0, {"accuracy": 0.5}, key="a\nb: c"), device="x\nevil: true")
    assert set(yaml.safe_load(recommended_yaml(record, result, "run"))) == {"defaults", "train"}


NO_LIMITS: dict[str, float | None] = {"memory_gib": None, "min_throughput": None, "min_accuracy": None}


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        ({}, 0),
        ({"memory_gib": 2.0}, 1),
        ({"memory_gib": 1.0}, 2),
        ({"memory_gib": 0.5}, None),
        ({"min_throughput": 15.0}, 1),
        ({"min_throughput": 15.0, "memory_gib": 1.0}, None),
        ({"min_accuracy": 0.85, "memory_gib": 2.0}, None),
        ({"min_accuracy": 0.9}, 0),
    ],
)
def test_recommend_takes_the_most_accurate_within_limits(limits: dict[str, float], expected: int | None) -> None:
    def trial(number: int, accuracy: float, speed: float, peak: float, build: float | None) -> TrialResult:
        measured = Measurements(
            accuracy=accuracy, throughput_samples_per_s=speed, peak_memory_mib=peak, peak_build_mib=build
        )
        return TrialResult(number=number, state=State.COMPLETE, measurements=measured)

    results = [
        trial(0, 0.9, 10.0, 1000.0, 4000.0),  # only its build is large
        trial(1, 0.8, 20.0, 2048.0, 2048.0),  # exactly two GiB
        trial(2, 0.7, 12.0, 900.0, None),
        TrialResult(number=3, state=State.COMPLETE, measurements=Measurements(accuracy=0.6)),
        TrialResult(
            number=4,
            state=State.INFEASIBLE,
            reason=Reason.TIMEOUT,
            measurements=Measurements(accuracy=0.99, throughput_samples_per_s=99.0, peak_memory_mib=1.0),
        ),
    ]
    best = recommend(sample.record(), results, **{**NO_LIMITS, **limits})
    assert (best and best.number) == expected


def test_recommend_prefers_the_smaller_of_equally_accurate_trials() -> None:
    record = sample.record(objectives=[ACCURACY])
    large = sample.complete(0, {"accuracy": 0.9, "peak_memory_mib": 900.0})
    small = sample.complete(1, {"accuracy": 0.9, "peak_memory_mib": 300.0})
    best = recommend(record, [large, small], memory_gib=None, min_throughput=None, min_accuracy=None)
    assert best is small
