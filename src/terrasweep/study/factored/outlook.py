"""What is left to gain: what the best candidate promises beyond the errors, and what an hour of trials does."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from terrasweep.results import pareto
from terrasweep.study.factored.candidates import Candidate

if TYPE_CHECKING:
    from terrasweep.study.factored.proposal import Compared, Proposal, Ranking

HOUR_S = 3600.0
_ASKED = 3
"""Members of a group of which it is asked whether they may be proposed: rules mostly forbid all or none."""
BEYOND = 2.0
"""Standard deviations of the noise by which a candidate has to exceed what is had."""


@dataclass(frozen=True, kw_only=True)
class Outlook:
    """What a search can still gain, as its models see it at one moment."""

    hypervolume: float
    """Of what is measured, from the study's reference."""
    left: float
    """The most hypervolume that any candidate, with all that share its quality, promises beyond the errors."""
    next_hour: float
    """Expected gain of hypervolume of the candidates that an hour has time for, one after the other."""


def look_ahead(
    ranking: Ranking, candidates: Iterable[Candidate], points: int, allowed: Callable[[Candidate], bool]
) -> Outlook:
    """What is left to gain.

    Args:
        ranking: Of the moment.
        candidates: The best ones, with all that share their quality.
        points: How finely gains are told apart.
        allowed: Whether a candidate may be proposed; asked of few.
    """
    candidates = list(candidates)
    compared = ranking.compare(candidates, points)
    beyond = ranking.compare(candidates, points, beyond=BEYOND)
    return Outlook(
        hypervolume=pareto.hypervolume(ranking.measured, ranking.maximize, ranking.reference),
        left=0.0 if beyond is None else most_promised(beyond, allowed),
        next_hour=0.0 if compared is None else gain_within(HOUR_S, compared, ranking.proposals(compared)),
    )


def most_promised(compared: Compared, allowed: Callable[[Candidate], bool]) -> float:
    """The most that any group gains of which one of the first members may be proposed."""
    for place in np.argsort(-compared.gains, kind="stable"):
        members = np.flatnonzero(compared.groups == place)[:_ASKED]
        if any(allowed(compared.ordered[member]) for member in members):
            return float(compared.gains[place])
    return 0.0


def gain_within(seconds: float, compared: Compared, proposals: list[Proposal]) -> float:
    """Expected gain of the proposals that there is time for, the best per second first; of the last one a part.

    What several promise is not their sum: each point of objective space is gained once.

    Args:
        seconds: How much time there is.
        compared: The candidates.
        proposals: One for each of its groups, in their order.
    """
    remaining = np.ones(len(compared.chances))
    left, gained = seconds, 0.0
    for place in np.argsort([-proposal.rate for proposal in proposals], kind="stable"):
        chances: NDArray[np.float32] = compared.chances[:, place]
        takes = proposals[place].seconds or 1.0
        gained += min(1.0, left / takes) * float((remaining * chances).sum()) * compared.volume_each
        remaining *= 1.0 - chances
        left -= takes
        if left <= 0:
            break
    return gained
