"""What runs in the child of ``terrasweep plan``."""

from __future__ import annotations

from terrasweep.config.schema import TrialConfig
from terrasweep.machine import startup
from terrasweep.process.child import Report


def plan(report: Report, config: TrialConfig) -> None:
    """Count what a configuration needs, and report it as ``plan``.

    Raises:
        InvalidConfig: The model can't be built.
    """
    # No GPU is needed, so that none is touched: libraries ask for its properties when they are imported.
    startup.hide_gpus()

    from terrasweep.predict.count_states import count_planned
    from terrasweep.predict.memory_needs import Plan, optimizer_bytes
    from terrasweep.predict.zero_estimates import load_estimators, predict_zero

    counts, notes = count_planned(config)
    report(
        plan=Plan(
            counts=counts,
            optimizer_bytes=optimizer_bytes(counts.trainable_sizes, config.optimizer),
            zero=predict_zero(counts, load_estimators()),
            notes=notes,
        )
    )
