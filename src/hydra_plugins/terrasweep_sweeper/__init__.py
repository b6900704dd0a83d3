"""hydra-optuna-sweeper, extended: a total budget, resuming, reasons, constraints, conditional keys and tracking."""
