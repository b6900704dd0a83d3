"""Tasks for a child process that end in every way there is."""

import os
import signal
import sys
import time


def answer(report, value):
    report(measurements={"accuracy": value})
    report(measurements={"train_loss": 1.0}, metrics={"m": 2.0})


def kill_itself(report):
    report(measurements={"peak_build_mib": 5.0})
    os.kill(os.getpid(), signal.SIGKILL)


def leave(report):
    os._exit(3)


def leave_another_behind(report):
    """The process below holds the pipe to the parent open."""
    below = os.fork()
    while below == 0:
        time.sleep(60)
    report(below=below)
    os._exit(3)


def hang(report):
    report(measurements={"peak_build_mib": 5.0})
    while True:
        time.sleep(60)


def raise_wrapped(report, kind):
    import torch

    try:
        if kind == "device":
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB")
        if kind == "host":
            torch.empty(2**60)
        if kind == "plain":
            raise KeyError("no such layer")
    except (RuntimeError, KeyError) as error:
        raise Exception("Inference on testing failed") if kind != "plain" else error  # noqa: B904 - as TerraTorch


def grow(report):
    import numpy as np

    kept = []
    while True:
        kept.append(np.ones(2**22))  # 32 MiB, touched
        time.sleep(0.01)


def print_and_fork(report):
    print("heard on stdout")
    print("heard on stderr", file=sys.stderr)
    below = os.fork()
    while below == 0:
        time.sleep(60)
    report(below=below)


def say_cuda_state(report):
    import torch

    report(device=str(torch.cuda.is_available()), metrics={"pid": float(os.getpid())})


def hang_with_others(report):
    """A worker in the child's group and one in a group of its own, as a library may start it."""
    import subprocess

    idle = [sys.executable, "-c", "import time; time.sleep(600)"]
    subprocess.Popen(idle)
    subprocess.Popen(idle, start_new_session=True)
    hang(report)


class Parents:
    """A data set whose samples are the pid above the process that reads them."""

    def __len__(self):
        return 4

    def __getitem__(self, index):
        return os.getppid()


class LargeBlock:
    """A data set that holds some MiB, all of which each sample is read from."""

    def __init__(self, mib):
        import numpy as np

        self.block = np.ones(mib * 2**20 // 8)

    def __len__(self):
        return 6

    def __getitem__(self, index):
        return float(self.block[::512].sum())


def measure_growth_with_workers(report, mib):
    """What the watch would read while all workers of a loader have read the same pages."""
    from torch.utils.data import DataLoader

    from terrasweep.process.host_memory import HostMemoryGrowth

    growth = HostMemoryGrowth(os.getpid())
    batches = iter(DataLoader(LargeBlock(mib), num_workers=3, persistent_workers=True))
    seen = {float(batch) for batch in batches}
    report(metrics={"seen": sorted(seen), "grown": growth.exact(), "bound": growth.bytes(allowed=2**62)})


def read_by_workers(report):
    from torch.utils.data import DataLoader

    loader = DataLoader(Parents(), num_workers=2)
    report(metrics={"pid": os.getpid(), "above": sorted({int(pid) for pid in loader})})
