"""Who works on something that outlives a process, and whether they still do."""

from __future__ import annotations

import socket

import psutil


def this_process() -> str:
    """A name for this process that no later one gets: host, pid and start time."""
    process = psutil.Process()
    return f"{socket.gethostname()}:{process.pid}:{process.create_time():.2f}"


def is_alive(owner: str) -> bool:
    """Whether an owner may still be at work; on another host nobody here can tell, so it counts as alive."""
    if not owner:
        return False
    host, pid, created = owner.rsplit(":", 2)
    if host != socket.gethostname():
        return True
    try:
        process = psutil.Process(int(pid))
        return f"{process.create_time():.2f}" == created and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
