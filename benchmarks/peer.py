"""The peers of overhead.py: the same task without terrasweep's process, tracking and files around it."""

from __future__ import annotations

import os
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

os.environ.setdefault("TERRASWEEP_HOME", str(Path(__file__).resolve().parents[1]))

import hydra
from omegaconf import DictConfig, OmegaConf

from terrasweep.config.compose import composed_trial, register_schema
from terrasweep.config.schema import TrialConfig

INNER = ("open_data_seconds", "build_seconds", "fit_seconds", "evaluate_seconds")
OBJECTIVES = ("accuracy", "throughput_samples_per_s", "peak_memory_mib")

register_schema()


@hydra.main(config_path="pkg://terrasweep.conf", config_name="config")
def peer(config: DictConfig) -> list[float] | None:
    mode = config.peer
    trial = composed_trial(OmegaConf.masked_copy(config, [str(key) for key in config if key != "peer"]))
    if mode == "bare":
        bare(trial)
        return None
    from terrasweep.trial.measure_in_child import measure

    found: dict[str, Any] = {}
    with TemporaryDirectory() as folder:
        measure(lambda **content: found.update(content.get("measurements", {})), trial, Path(folder))
    print(f"INNER {sum(found[key] for key in INNER)}")
    return [found[name] for name in OBJECTIVES]


def bare(trial: TrialConfig) -> None:
    """The same model, data, optimizer and Trainer; only the end of the warm-up and of the training are noted."""
    import lightning.pytorch as pl
    import torch
    from lightning.pytorch.callbacks import Callback

    from terrasweep.data.open.folders import open_data
    from terrasweep.models.assemble import build_model
    from terrasweep.training.tasks import build_task
    from terrasweep.training.trainer import build_trainer

    class Stopwatch(Callback):
        ends: list[float] = []  # noqa: RUF012 - made anew by each call

        def on_train_batch_end(self, *_: Any) -> None:
            self.ends.append(time.perf_counter())

    pl.seed_everything(trial.train.seed, workers=True, verbose=False)
    data = open_data(trial)
    model = build_model(trial, data.num_classes, torch.device("cpu"))
    build_trainer(trial, torch.device("cpu"), [Stopwatch()], model, data, Path()).fit(
        build_task(trial, model, data), datamodule=data.module
    )
    print(f"TRAIN {Stopwatch.ends[-1] - Stopwatch.ends[trial.train.untimed_steps - 1]}")


if __name__ == "__main__":
    peer()
