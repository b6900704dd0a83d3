"""What our own lines cause fails a test; what libraries say of each other does not."""

import warnings
from types import SimpleNamespace

import pytest

from terrasweep.results import observations

USUAL = (DeprecationWarning, FutureWarning, PendingDeprecationWarning, UserWarning)


@pytest.mark.parametrize("category", USUAL)
def test_a_warning_about_our_own_call_is_an_error(monkeypatch, category):
    def outdated(value):
        warnings.warn("use another function", category, stacklevel=2)
        return True

    monkeypatch.setattr(observations, "math", SimpleNamespace(isfinite=outdated))
    with pytest.raises(category, match="use another"):
        observations.finite(1.0)


@pytest.mark.parametrize(
    ("module", "fails"),
    [
        ("terrasweep", True),
        ("terrasweep.study.loop", True),
        ("hydra_plugins.terrasweep_sweeper.sweeper", True),
        ("tests.conftest", True),
        ("terrasweeper.of_others", False),
        ("lightning.pytorch.trainer", False),
        ("hydra_plugins.hydra_optuna_sweeper", False),
    ],
)
def test_it_goes_by_the_module_of_the_line_that_is_warned_of(module, fails):
    try:
        for category in USUAL:
            warnings.warn_explicit("old", category, "file.py", 1, module=module)
    except DeprecationWarning:
        assert fails
    else:
        assert not fails
