"""Whether a search has converged: no candidate promises more than a share of the hypervolume beyond the errors."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from optuna.samplers import BaseSampler

from terrasweep.config.schema import StudyConfig
from terrasweep.results.errors import InvalidConfig
from terrasweep.results.proposed import share_left
from terrasweep.results.trial_result import TrialResult
from terrasweep.study.factored.sampler import FactoredSampler

CONVERGED = "converged"
"""The value of ``study.stop_when``."""


def has_converged(results: Iterable[TrialResult], share: float, proposals: int) -> bool:
    """Whether so many proposals in a row had no more to promise, the last one among them.

    Trials that no model proposed (baselines, those that fill the space or run again) neither count nor interrupt.

    Args:
        results: The trials, by number.
        share: Of the hypervolume at that time.
        proposals: How many, at least 1.
    """
    shares = [found for result in results if (found := share_left(result.proposed)) is not None]
    return len(shares) >= proposals and all(found <= share for found in shares[-proposals:])


def check_has_models(sampler: BaseSampler, study: StudyConfig, name: str) -> None:
    """Refuse what a sampler without models can't do.

    Args:
        sampler: The study's.
        study: What is asked of it.
        name: The option of ``hydra/sweeper/sampler``.

    Raises:
        InvalidConfig: With one line for each.
    """
    if not isinstance(sampler, FactoredSampler) and (lines := list(_needs_models(study, name))):
        raise InvalidConfig("\n".join(lines))


def _needs_models(study: StudyConfig, name: str) -> Iterator[str]:
    way_out = "use hydra/sweeper/sampler=factored"
    if study.stop_when is not None:
        yield (
            f"study.stop_when={study.stop_when} with hydra/sweeper/sampler={name}: it has no model that could promise "
            f"anything; {way_out}, or study.budget_hours"
        )
    if study.learn_from:
        yield (
            f"study.learn_from=[{','.join(study.learn_from)}] with hydra/sweeper/sampler={name}: it has no model that "
            f"could be taught; {way_out}, or drop it"
        )
