"""Tasks for a child process on a CUDA device."""

import multiprocessing


def use_cuda(report):
    import torch

    ones = torch.ones(4, device="cuda")
    forked = "terrasweep.trial.preload" in __import__("sys").modules
    report(metrics={"sum": float(ones.sum()), "forked": float(forked)}, device=multiprocessing.current_process().name)


def record_allocations(report, home, config, folder):
    """A trial, of which ``allocations.json`` tells what torch's allocator was asked for and what it took."""
    import json
    import os

    os.environ["TERRASWEEP_HOME"] = home
    import torch

    from terrasweep.data.stored import complete
    from terrasweep.trial import measure_in_child

    torch.cuda.memory._record_memory_history(context=None, max_entries=10_000_000)
    measure_in_child.measure(report, complete(config), folder)
    recorded = torch.cuda.memory._snapshot()["device_traces"][0]
    events = [(event["action"], event["addr"], event["size"]) for event in recorded]
    (folder / "allocations.json").write_text(json.dumps(events))
