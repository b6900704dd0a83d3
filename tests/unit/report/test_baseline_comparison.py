"""A trial beside a baseline in words: what it gains, and what for."""

import dataclasses

import pytest

from terrasweep.report.baseline_comparison import (
    ON_ANOTHER_DEVICE,
    baseline_lines,
    baseline_rows,
    beside_baselines,
    compare,
    lines_beside,
    why_not,
)
from terrasweep.report.markdown import write_markdown
from terrasweep.report.page import write_page
from terrasweep.report.recommended_configurations import write_recommendations
from terrasweep.report.study_outcome import summarize
from terrasweep.report.write import write_report
from terrasweep.results.states import Reason, State
from terrasweep.results.study_record import Objective
from terrasweep.results.trial_result import TrialResult
from tests.unit.report import sample_study as sample

BASELINE = {"accuracy": 0.7, "throughput_samples_per_s": 100.0, "peak_memory_mib": 1000.0}
INFEASIBLE = TrialResult(
    number=None, state=State.INFEASIBLE, reason=Reason.OVER_BUDGET, message="30.2 GiB of\n24 GiB", started="2026-1"
)


def measured(device="", metrics=None, **changes):
    return TrialResult(
        number=7, state=State.COMPLETE, measurements=BASELINE | changes, metrics=metrics or {}, device=device
    )


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        (
            {"peak_memory_mib": 380.0, "accuracy": 0.704, "throughput_samples_per_s": 91.0},
            "62 % less memory and 0.4 points of accuracy for 9 % of the speed",
        ),
        (
            {"peak_memory_mib": 380.0, "accuracy": 0.69, "throughput_samples_per_s": 91.0},
            "62 % less memory for 1 point of accuracy and 9 % of the speed",
        ),
        (
            {"peak_memory_mib": 900.0, "accuracy": 0.8, "throughput_samples_per_s": 312.0},
            "10 % less memory, 10 points of accuracy and 212 % more speed at no cost",
        ),
        (
            {"peak_memory_mib": 996.0, "accuracy": 0.6992},
            "0.4 % less memory for 0.08 points of accuracy, with the same speed",
        ),
        (
            {"peak_memory_mib": 2500.0, "throughput_samples_per_s": 50.0},
            "nothing for 150 % more memory and 50 % of the speed, with the same accuracy",
        ),
        ({}, "the same memory, accuracy and speed"),
        ({"accuracy": None, "peak_memory_mib": None, "throughput_samples_per_s": None}, ""),
        ({"accuracy": None, "throughput_samples_per_s": 110.0}, "10 % more speed at no cost, with the same memory"),
    ],
)
def test_gains_and_costs_make_a_sentence(changes, told):
    assert compare(measured(**changes), measured()) == told


def test_what_is_the_same_within_the_error_is_neither_gain_nor_cost():
    def alike(name, own, other):
        return abs(own - other) <= {"accuracy": 0.01, "peak_memory_mib": 5.0, "throughput_samples_per_s": 10.0}[name]

    trial = measured(accuracy=0.695, peak_memory_mib=500.0, throughput_samples_per_s=91.0)
    assert compare(trial, measured(), (), alike) == (
        "50 % less memory at no cost, with the same accuracy and speed within the error"
    )
    assert compare(measured(accuracy=0.709), measured(), (), alike) == (
        "the same memory, accuracy and speed within the error"
    )


def test_other_objectives_are_compared_too_and_what_was_nothing_has_no_share():
    objectives = [
        Objective(name="val/IoU", direction="maximize"),
        Objective(name="energy_joules", direction="minimize"),
        Objective(name="train_loss", direction="minimize"),
    ]
    trial = measured(metrics={"val/IoU": 0.5}, energy_joules=30.0, train_loss=0.5)
    other = measured(metrics={"val/IoU": 0.4}, energy_joules=0.0, train_loss=1.0)
    told = compare(trial, other, objectives)
    assert told == (
        "25 % more val/IoU and 50 % less train loss for 30 J more energy, with the same memory, accuracy and speed"
    )


def test_memory_and_speed_of_another_device_are_not_compared():
    here, there = measured("A10G", accuracy=0.8, peak_memory_mib=1.0), measured("H100")
    assert compare(here, there) == f"10 points of accuracy at no cost, {ON_ANOTHER_DEVICE}"


def test_swapped_roles_swap_gains_and_costs():
    one, other = measured(peak_memory_mib=380.0, throughput_samples_per_s=91.0), measured()
    assert compare(one, other).startswith("62 % less memory for 9 % of the speed")
    assert compare(other, one).startswith("9.9 % more speed for 163 % more memory")


def test_a_baseline_that_did_not_fit_says_so_and_is_compared_with_nothing():
    baselines = {"full": INFEASIBLE, "lora": measured()}
    trial = measured(peak_memory_mib=500.0)
    assert beside_baselines(trial, baselines, []) == [
        ("lora", "50 % less memory at no cost, with the same accuracy and speed")
    ]
    assert lines_beside(trial, baselines, []) == [
        "Beside the baseline lora: 50 % less memory at no cost, with the same accuracy and speed."
    ]
    assert why_not(INFEASIBLE) == "infeasible (over_budget): 30.2 GiB of 24 GiB"
    assert why_not(trial) == ""


def test_a_table_has_the_numbers_of_what_completed_and_the_reason_of_what_did_not():
    lora = TrialResult(
        number=None, state=State.COMPLETE, measurements=BASELINE, searched={"tuning": "lora", "tuning.rank": 16}
    )
    full, other = baseline_rows(
        dataclasses.replace(summarize(sample.record(), []), baselines={"full": INFEASIBLE, "lora": lora})
    )
    assert (full["state"], full["reason"], full["values"]) == ("infeasible", "over_budget", [])
    assert (other["settings"], other["reason"]) == ("tuning=lora tuning.rank=16", "")
    assert [value for _, value in other["values"]] == ["0.7", "100", "1,000"]


@pytest.fixture
def study(tmp_path):
    """A study's folder with two baselines and a trial of the front that was trained again."""
    for name, result in {
        "baselines/full": INFEASIBLE,
        "baselines/lora": measured(device=sample.DEVICE),
        **{f"repeats/{number}-seed{seed}": repeat(number, seed) for number in (0, 1) for seed in (1, 2, 3)},
    }.items():
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "result.json").write_text(result.to_json())
    return tmp_path


def repeat(number, seed):
    config = next(r.config for r in sample.results() if r.number == number)
    measurements = {"accuracy": 0.5 + 0.1 * number + 0.001 * seed}
    return TrialResult(number=None, state=State.COMPLETE, measurements=measurements, config=config)


def test_report_recommendations_and_terminal_say_it(study):
    record, results = sample.record(), sample.results()
    outcome = summarize(record, results, study)
    write_page(study, outcome)
    write_markdown(study, outcome)
    write_recommendations(study, outcome, lambda trial: lines_beside(trial, outcome.baselines, outcome.objectives))
    page, markdown = (study / "report.html").read_text(), (study / "report.md").read_text()
    best = outcome.knee
    (said,) = [said for _, said in beside_baselines(best, outcome.baselines, outcome.objectives)]
    for shown in (page, markdown):
        assert said in shown
        assert "30.2 GiB of" in shown
        assert "can be told apart" in shown
    assert f"# Beside the baseline lora: {said}." in (study / "recommended" / "knee.yaml").read_text()
    lines = baseline_lines(study, record, results)
    assert lines[0] == "baseline full: infeasible (over_budget): 30.2 GiB of 24 GiB"
    assert not any("left out" in text for text in (page, markdown, *lines))
    assert any(line.startswith(f"trial {best.number} (") and line.endswith(said) for line in lines)


def test_one_that_was_left_out_says_why_and_one_that_was_measured_earlier_stands_there_with_its_numbers(study):
    why = {"wide": "tuning.targets=mlp: the backbone has no\nsuch layer; name its layers", "lora": "not today"}
    record, results = sample.record(left_out=why), sample.results()
    assert "baseline wide: left out: tuning.targets=mlp: the backbone has no such layer; name its layers" in (
        baseline_lines(study, record, results)
    )
    outcome = summarize(record, results, study)
    *measured, row = baseline_rows(outcome)
    assert {each["name"]: each["state"] for each in measured} == {"full": "infeasible", "lora": "complete"}
    assert (row["name"], row["state"], row["values"]) == ("wide", "left out", [])
    write_page(study, outcome)
    write_markdown(study, outcome)
    for name in ("report.html", "report.md"):
        text = (study / name).read_text()
        assert "left out" in text
        assert "such layer; name its layers" in text
        assert "not today" not in text


def test_a_study_without_them_says_nothing_of_them(tmp_path):
    write_report(tmp_path, sample.record(), sample.results())
    assert baseline_lines(tmp_path, sample.record(), sample.results()) == []
    for name in ("report.html", "report.md"):
        text = (tmp_path / name).read_text()
        assert "Beside the baseline" not in text
        assert "Other seeds" not in text
