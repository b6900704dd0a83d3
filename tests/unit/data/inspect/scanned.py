"""A split in memory, looked at."""

from terrasweep.data.inspect.scan import scan_split


def scanned(samples, task="segmentation", ignore=-1, limit=None):
    return scan_split(samples.__getitem__, [f"s{i}" for i in range(len(samples))], task, ignore, limit)
