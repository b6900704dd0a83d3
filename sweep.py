"""python sweep.py -m runs a study; python sweep.py key=value runs one trial. See README.md."""

import hydra
from omegaconf import DictConfig

from terrasweep.cli.sweep_script import run_job, start
from terrasweep.results.trial_result import TrialResult


@hydra.main(config_path="pkg://terrasweep.conf", config_name="config")
def sweep(config: DictConfig) -> TrialResult:
    """Run the trial that Hydra composed."""
    return run_job(config)


if __name__ == "__main__":
    start(sweep, __file__)
