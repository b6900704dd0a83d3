"""Tasks for a child process on a CUDA device."""

import multiprocessing


def use_cuda(report):
    import torch

    ones = torch.ones(4, device="cuda")
    forked = "terrasweep.trial.preload" in __import__("sys").modules
    report(metrics={"sum": float(ones.sum()), "forked": float(forked)}, device=multiprocessing.current_process().name)


def record_allocations(report, home, config, folder):
    """A trial, of which ``allocations.txt`` tells what torch's allocator was asked for and what it took."""
    import os

    os.environ["TERRASWEEP_HOME"] = home
    import torch

    from terrasweep.data.stored import complete
    from terrasweep.trial import measure_in_child
    from tests.recorded_allocations import recording

    torch.cuda.memory._record_memory_history(context=None, max_entries=10_000_000)
    measure_in_child.measure(report, complete(config), folder)
    (folder / "allocations.txt").write_text(recording(torch.cuda.memory._snapshot()["device_traces"][0]))
