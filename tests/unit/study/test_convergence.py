"""When nothing is left to gain, and whom that can be asked of."""

import optuna
import pytest

from terrasweep.config.schema import StudyConfig
from terrasweep.results.errors import InvalidConfig
from terrasweep.results.states import State
from terrasweep.results.trial_result import TrialResult
from terrasweep.study.convergence import check_has_models, has_converged
from terrasweep.study.factored.candidates import split_by
from terrasweep.study.factored.sampler import FactoredSampler


def trials(*left):
    """Trials with a share left each; None: no model proposed it."""
    proposed = [{} if one is None else {"left": one / 2, "hypervolume": 0.5} for one in left]
    return [TrialResult(number=n, state=State.COMPLETE, proposed=p) for n, p in enumerate(proposed)]


@pytest.mark.parametrize(
    ("left", "proposals", "converged"),
    [
        ((0.2, 0.01, 0.01), 2, True),
        ((0.2, 0.01, 0.01), 3, False),
        ((0.005, 0.005, 0.02), 1, False),
        ((0.01, None, 0.005), 2, True),
        ((None, None), 1, False),
        ((), 1, False),
        ((0.0,), 1, True),
    ],
)
def test_so_many_proposals_in_a_row_have_no_more_to_promise(left, proposals, converged):
    assert has_converged(trials(*left), 0.01, proposals) is converged


def test_a_sampler_without_models_is_refused_in_one_line():
    asked = StudyConfig(name="s", stop_when="converged")
    with pytest.raises(InvalidConfig) as refused:
        check_has_models(optuna.samplers.RandomSampler(), asked, "random")
    assert str(refused.value) == (
        "study.stop_when=converged with hydra/sweeper/sampler=random: it has no model that could promise anything; "
        "use hydra/sweeper/sampler=factored, or study.budget_hours"
    )
    with pytest.raises(InvalidConfig, match=r"^study.learn_from=\[a,b\] with hydra/sweeper/sampler=random: it has no"):
        check_has_models(optuna.samplers.RandomSampler(), StudyConfig(name="s", learn_from=["a", "b"]), "random")
    check_has_models(optuna.samplers.RandomSampler(), StudyConfig(name="s"), "random")
    check_has_models(FactoredSampler({}, [], keys=split_by("", "")), asked, "factored")
