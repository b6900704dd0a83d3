"""One process per trial: the parent's side and the child's."""

from terrasweep.process.parent import Limits, Outcome, run, warm_up

__all__ = ["Limits", "Outcome", "run", "warm_up"]
