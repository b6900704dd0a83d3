"""What the report says in words: how it went, what to run again, what failed, and what each trial measured."""

import dataclasses
from collections import Counter

import pytest

from terrasweep.report.markdown import write_markdown
from terrasweep.report.page import write_page
from terrasweep.report.recommendations import choose
from terrasweep.report.recommended_configurations import write_recommendations
from terrasweep.report.study_outcome import summarize
from terrasweep.report.text_sections import failures, recommendations, summary, text_sections, trial_rows
from terrasweep.results.states import Reason, State
from terrasweep.results.trial_result import TrialResult
from terrasweep.results.wording import rounded
from tests.unit.report import sample_study as sample
from tests.unit.report.written_page import page_of

ACCURACY, THROUGHPUT, MEMORY = sample.OBJECTIVES
REACHED = {"accuracy": 0.5, "throughput_samples_per_s": 12.0, "peak_memory_mib": 3120.4, "accuracy_name": "mIoU"}


@pytest.mark.parametrize(
    ("objectives", "trials", "told"),
    [
        ([ACCURACY], [], "0 of 24 trials."),
        (
            [ACCURACY],
            [TrialResult(number=0, state=State.FAILED, reason=Reason.CRASHED, device="A10G")],
            "1 of 24 trials on A10G: 1 failed. None has completed, so there is nothing to recommend yet.",
        ),
        (
            [ACCURACY],
            [sample.complete(0, REACHED), sample.complete(1, REACHED | {"accuracy": 0.75})],
            "2 of 24 trials: 2 complete. Best accuracy (mIoU): 0.75 (trial 1).",
        ),
        (
            [MEMORY],
            [sample.complete(7, REACHED)],
            "1 of 24 trials: 1 complete. Best peak memory (MiB): 3,120 (trial 7).",
        ),
        (
            [ACCURACY, MEMORY],
            [sample.complete(0, REACHED)],
            "1 of 24 trials: 1 complete. Best accuracy (mIoU): 0.5 (trial 0); the best compromise, trial 0, reaches "
            "accuracy (mIoU) 0.5, peak memory 3,120 MiB.",
        ),
    ],
)
def test_the_summary_tells_how_it_went_and_what_the_best_ones_reach(objectives, trials, told):
    assert summary(summarize(sample.record(objectives=objectives), trials)) == told


def test_a_study_that_is_done_is_not_told_of_how_many():
    done = [sample.complete(i, REACHED) for i in range(2)]
    assert summary(summarize(sample.record(n_trials=2), done)).startswith("2 trials: ")
    assert summary(summarize(sample.record(n_trials=1), done[:1])).startswith("1 trial: ")


def test_the_least_is_the_best_of_what_is_minimised():
    values = [(300.0, 0.9), (100.0, 0.5), (200.0, 0.7)]
    trials = [sample.complete(i, {"peak_memory_mib": mib, "accuracy": it}) for i, (mib, it) in enumerate(values)]
    outcome = summarize(sample.record(objectives=[MEMORY, ACCURACY]), trials)
    assert outcome.front == trials
    assert "Best peak memory (MiB): 100 (trial 1);" in summary(outcome)


def test_failures_are_grouped_by_reason_the_most_frequent_first():
    def failed(number, reason):
        return TrialResult(number=number, state=reason.state, reason=reason, message=f"m{number}", violation=0.5)

    order = [Reason.CRASHED, Reason.TIMEOUT, Reason.OOM_DEVICE, Reason.TIMEOUT]
    trials = [failed(i, reason) for i, reason in enumerate(order)] + [sample.complete(4, {})]
    groups = failures(summarize(sample.record(), trials))
    assert {group["reason"]: len(group["trials"]) for group in groups} == Counter(map(str, order))
    assert (groups[0]["reason"], groups[0]["state"]) == ("timeout", "infeasible")
    assert groups[0]["trials"] == [
        {"number": number, "message": f"m{number}", "violation": "50.0 % over"} for number in (1, 3)
    ]


def test_a_card_per_role_says_what_its_trial_reached_and_how_to_run_it():
    outcome = summarize(*sample.study())
    cards = {role: card for card in recommendations(outcome) for role in card["roles"]}
    chosen = choose(outcome)
    assert list(cards) == list(chosen)
    for role, result in chosen.items():
        assert cards[role]["number"] == result.number
        assert dict(cards[role]["values"])["peak memory (MiB)"] == rounded(result.value("peak_memory_mib"))
        assert [key for key, _ in cards[role]["searched"]] == list(result.searched)
        assert cards[role]["command"].endswith(f"--config-name {cards[role]['roles'][0]}")


def test_four_recommendations_of_one_configuration_are_one_card(tmp_path):
    outcome = summarize(sample.record(), [sample.complete(0, REACHED), sample.complete(1, REACHED)])
    (card,) = recommendations(outcome)
    assert (card["title"], card["number"]) == ("Most accurate, smallest, fastest, knee", 0)
    write_recommendations(tmp_path, outcome)
    assert {file.stem for file in (tmp_path / "recommended").iterdir()} == set(card["roles"])
    assert len(card["roles"]) == 4
    write_markdown(tmp_path, outcome)
    assert "**Most accurate, smallest, fastest, knee**: trial 0" in (tmp_path / "report.md").read_text()


def uncertain():
    """Two trials as accurate as each other within the error, of which the second is faster; the third is reused."""
    keys = [{"quality_key": f"q{i}", "cost_key": f"c{i}"} for i in range(2)]
    slow, fast = (sample.complete(i, REACHED | {"accuracy": 0.5 + i / 100}) for i in range(2))
    faster = {**fast.measurements, "throughput_samples_per_s": 24.0, "peak_memory_mib": 4000.0}
    slow = dataclasses.replace(slow, **keys[0], probes=[{"throughput_samples_per_s": 12.1}])
    fast = dataclasses.replace(fast, **keys[1], measurements=faster)
    return [slow, fast, dataclasses.replace(slow, number=2, accuracy_from="0", cost_from="0", probes=[])]


def test_a_page_tells_errors_ties_sources_and_what_else_is_as_good(tmp_path):
    outcome = sample.with_seeds(sample.record(), uncertain(), {0: {1: {"accuracy": 0.48}, 2: {"accuracy": 0.52}}})
    assert [outcome.comparison.standing_text(place) for place in range(3)] == ["front", "front", "tied with 0"]
    write_markdown(tmp_path, outcome)
    write_page(tmp_path, outcome)
    write_recommendations(tmp_path, outcome)
    page, markdown = " ".join(" ".join(page_of(tmp_path).text).split()), (tmp_path / "report.md").read_text()
    rival = "As accurate as trial 0 within the error, which is 22.0 % smaller."
    yaml = " ".join((tmp_path / "recommended" / "most_accurate.yaml").read_text().split())
    for text in (page, markdown, yaml):
        assert rival in text
    for text in (page, markdown):
        assert "Trial 0 stands for trial 2: the same within the errors in every objective." in text
        assert "Told apart are differences of more than" in text
        assert "Trial 2 is the same configuration." in text
    assert "tied with 0" in page
    assert "↩ 0" in page
    assert "0.5 ± 0.0" in page


def test_without_errors_a_page_has_no_marks_of_them(tmp_path):
    write_page(tmp_path, summarize(*sample.study()))
    page = " ".join(page_of(tmp_path).text)
    for mark in ("±", "↩", "Told apart", "within the error", "stands for"):
        assert mark not in page


def test_a_test_accuracy_stands_beside_the_accuracy_with_what_it_is_and_chooses_nothing(tmp_path):
    record, results = sample.study()
    chosen = {role: result.number for role, result in choose(summarize(record, results)).items()}
    best = chosen["most_accurate"]
    tested = [
        dataclasses.replace(r, measurements={**r.measurements, "test_accuracy": 0.125 if r.number == best else None})
        for r in results
    ]
    outcome = summarize(record, tested)
    assert {role: result.number for role, result in choose(outcome).items()} == chosen
    cards = {role: dict(card["values"]) for card in recommendations(outcome) for role in card["roles"]}
    assert list(cards["most_accurate"])[:2] == ["accuracy (mIoU)", "test accuracy (mIoU)"]
    assert cards["most_accurate"]["test accuracy (mIoU)"] == "0.125"
    assert "test accuracy (mIoU)" not in cards["smallest"]
    write_markdown(tmp_path, outcome)
    write_page(tmp_path, outcome)
    write_recommendations(tmp_path, outcome)
    note = "The test split is asked once, after the search: no trial was chosen by it."
    assert note in (tmp_path / "report.md").read_text()
    assert note in " ".join(page_of(tmp_path).text)
    assert "test accuracy (mIoU): 0.125" in (tmp_path / "recommended" / "most_accurate.yaml").read_text()
    assert text_sections(summarize(record, results))["test_note"] == ""


def test_a_row_shows_objectives_of_complete_trials_alone_and_every_measurement_when_opened():
    outcome = summarize(*sample.study())
    rows = {row["number"]: row for row in trial_rows(outcome)}
    over_budget = next(result for result in outcome.trials if result.reason is Reason.OVER_BUDGET)
    assert rows[over_budget.number]["values"] == [("", "")] * 3
    measured = {name: exact for name, _, exact in rows[over_budget.number]["details"]["measurements"]}
    assert measured["peak memory (MiB)"] == "26567.0"
    for result in outcome.ranked:
        exact = [float(value) for _, value in rows[result.number]["values"]]
        assert exact == [result.value(objective.name) for objective in outcome.objectives]
    assert [number for number, row in rows.items() if row["knee"]] == [outcome.knee.number]
    assert [number for number, row in rows.items() if row["front"]] == [result.number for result in outcome.front]


def test_each_number_that_some_trial_has_is_defined_and_no_other():
    outcome = summarize(sample.record(), [sample.complete(0, REACHED)])
    names = [name for name, _ in text_sections(outcome)["definitions"]]
    assert names == ["accuracy (mIoU)", "throughput (samples/s)", "peak memory (MiB)"]


def test_urls_are_shown_without_their_password():
    setup = dict(text_sections(summarize(*sample.study()))["setup"])
    assert setup["storage"] == "postgresql://ada:***@db.example/optuna"
    assert setup["sampler"] == "TPESampler, seed 0"


def test_the_arithmetic_of_each_trial_and_of_the_study_is_told(tmp_path):
    record, (first, second, *others) = sample.study()
    exact, coarse = ({"float32_matmul_precision": precision} for precision in ("highest", "medium"))
    told = [dataclasses.replace(first, arithmetic=exact), dataclasses.replace(second, arithmetic=coarse), *others]
    outcome = summarize(record, told)
    write_markdown(tmp_path, outcome)
    write_page(tmp_path, outcome)
    both = "float32_matmul_precision=highest; float32_matmul_precision=medium"
    assert both in (tmp_path / "report.md").read_text().replace("\\", "")
    assert both in " ".join(page_of(tmp_path).text)


def test_a_search_that_ended_early_says_why_and_another_nothing():
    why = "study.budget_hours=8 is used up after 08:01:00"
    record, results = sample.study()
    early = dict(text_sections(summarize(dataclasses.replace(record, ended_early=why), results))["setup"])
    assert early["ended early"] == why
    assert "ended early" not in dict(text_sections(summarize(record, results))["setup"])
