"""Why the search proposed a trial, in a line of its details."""

from __future__ import annotations

from collections.abc import Iterator

from terrasweep.report.labels import label
from terrasweep.results.proposed import expected, share_left
from terrasweep.results.trial_result import TrialResult
from terrasweep.results.wording import duration, percent, rounded, with_error

_AS = {"filling": "to fill the space", "training": "as a training", "probe": "as a probe"}


def why_proposed(result: TrialResult, accuracy_name: str | None = None) -> str:
    """What was expected of a trial, and what it promised; empty where the sampler did not say.

    Args:
        result: The trial as it was measured.
        accuracy_name: The metric behind ``accuracy``.
    """
    return "; ".join(_parts(result, accuracy_name))


def _parts(result: TrialResult, accuracy_name: str | None) -> Iterator[str]:
    proposed = result.proposed
    if not proposed:
        return
    kind = str(proposed.get("as", ""))
    yield _AS.get(kind, kind)
    shown = [f"{label(name, accuracy_name)} {with_error(*values)}" for name, values in expected(proposed).items()]
    if shown:
        yield f"expected {', '.join(shown)}"
    if proposed.get("promise") is not None:
        yield f"promised {_gain(proposed['promise'], proposed.get('hypervolume'))} for {duration(proposed['seconds'])}"
    if (left := share_left(proposed)) is not None:
        yield f"at most {percent(left)} left to gain beyond the errors"


def _gain(promise: float, had: float | None) -> str:
    return f"{percent(promise / had)} more hypervolume" if had else f"{rounded(promise)} of hypervolume"
