"""The front over several seeds: mean accuracies with their intervals, and which trials differ by more than seeds do."""

from __future__ import annotations

from typing import Any

from terrasweep.measure.accuracy import ACCURACY
from terrasweep.report.labels import label
from terrasweep.report.study_outcome import StudyOutcome
from terrasweep.results.seed_statistics import CONFIDENCE, PairTest, SeedMean, compare_pairs, seed_mean
from terrasweep.results.wording import counted, rounded, significant, with_decimals


def repeats_section(outcome: StudyOutcome) -> dict[str, Any] | None:
    """A row per trial that was trained again, and what can be told apart; None where none was."""
    if not outcome.other_seeds:
        return None
    own = {result.number: outcome.own(result).value(ACCURACY.name) for result in outcome.trials}
    tests = compare_pairs(outcome.other_seeds)
    means = {number: seed_mean(list(by_seed.values())) for number, by_seed in outcome.other_seeds.items()}
    order = sorted(means, key=lambda number: -means[number].mean)
    return {
        "label": label(ACCURACY.name, outcome.accuracy_name),
        "confidence": f"{with_decimals(100 * CONFIDENCE, 0)} %",
        "rows": [_row(number, means[number], own.get(number), tests) for number in order],
        "verdict": verdict(tests),
        "told_apart": [pair_text(test) for test in tests if test.told_apart],
    }


def verdict(tests: list[PairTest]) -> str:
    """How many pairs can be told apart, and by which test."""
    if not tests:
        return "No two of these trials share two seeds, so that none can be compared."
    apart = sum(test.told_apart for test in tests)
    if len(tests) == 1:
        return f"The two trials {'can' if apart else 'can not'} be told apart (a paired t test over the seeds, 5 %)."
    found = "None" if not apart else "All" if apart == len(tests) else str(apart)
    return (
        f"{found} of {counted(len(tests), 'pair')} can be told apart (paired t tests over the seeds, Holm's correction "
        "for all pairs together, 5 %)."
    )


def pair_text(test: PairTest) -> str:
    """``trial 3 is more accurate than trial 7 by 0.9 points (p = 0.012)``."""
    better, worse = (test.first, test.second) if test.difference > 0 else (test.second, test.first)
    p = f"p = {significant(test.adjusted, 2)}" if test.adjusted >= 0.001 else "p < 0.001"
    points = significant(100 * abs(test.difference), 2)
    return f"trial {better} is more accurate than trial {worse} by {points} points ({p})"


def _row(number: int, found: SeedMean, own: float | None, tests: list[PairTest]) -> dict[str, Any]:
    interval = "" if found.low is None else f"{rounded(found.low)} to {rounded(found.high)}"
    pairs = [test for test in tests if number in (test.first, test.second) and not test.told_apart]
    alike = [test.second if test.first == number else test.first for test in pairs]
    return {
        "number": number,
        "own": rounded(own),
        "seeds": found.seeds,
        "mean": rounded(found.mean),
        "interval": interval,
        "alike": ", ".join(map(str, sorted(alike))),
    }
