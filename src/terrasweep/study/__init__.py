"""A study: its search space, Optuna, the loop, its folder, MLflow, the terminal."""
