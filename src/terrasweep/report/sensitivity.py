"""Which layers suffer from quantization, as the trials with ``quantization.skip=auto`` measured it."""

from __future__ import annotations

from typing import Any

from terrasweep.report.study_outcome import StudyOutcome
from terrasweep.results.trial_result import TrialResult
from terrasweep.results.wording import percent

SHOWN = 20


def rankings(outcome: StudyOutcome) -> list[dict[str, Any]]:
    """A table per quantization: layers, the change of the output when a layer alone is quantized, who kept it.

    Trials of one quantization measure the same but for their batch and their way of splitting layers, so that the one
    with the most layers, and of these the first, stands for all.
    """
    by_option: dict[str, list[TrialResult]] = {}
    for result in outcome.trials:
        if result.sensitivity:
            by_option.setdefault(str(result.config["quantization"]["name"]), []).append(result)
    return [_ranking(option, results) for option, results in by_option.items()]


def _ranking(option: str, results: list[TrialResult]) -> dict[str, Any]:
    shown = max(results, key=lambda result: len(result.sensitivity))
    largest = max(shown.sensitivity.values()) or 1.0
    layers = [
        {
            "name": name,
            "change": percent(change),
            "share": round(100 * change / largest, 1),
            "kept": sum(name in kept_layers(result) for result in results),
        }
        for name, change in list(shown.sensitivity.items())[:SHOWN]
    ]
    return {
        "quantization": option,
        "trial": shown.number,
        "trials": len(results),
        "layers": layers,
        "more": len(shown.sensitivity) - len(layers),
    }


def kept_layers(result: TrialResult) -> list[str]:
    """The layers that a calibrated trial kept in full precision."""
    quantized = set(result.touched.get("quantized", ()))
    return [name for name in result.sensitivity if name not in quantized]
