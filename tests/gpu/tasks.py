"""Tasks for a child process on a CUDA device."""

import multiprocessing


def use_cuda(report):
    import torch

    ones = torch.ones(4, device="cuda")
    forked = "terrasweep.trial.preload" in __import__("sys").modules
    report(metrics={"sum": float(ones.sum()), "forked": float(forked)}, device=multiprocessing.current_process().name)
