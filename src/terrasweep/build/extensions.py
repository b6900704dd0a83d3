"""What DeepSpeed compiles: where it is kept, whether it is there, and what compiling needs. Imports no torch.

A trial is one process, so DeepSpeed's shared-memory collectives have nobody to talk to, and the optimizer is torch's
own. Asynchronous I/O, for NVMe, is all that is ever compiled.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import sys
import time
from ctypes.util import find_library
from importlib.metadata import version
from pathlib import Path

from terrasweep.environment import gpu_names
from terrasweep.records import write_atomically

FOLDER_VARIABLE = "TORCH_EXTENSIONS_DIR"
_COMPLETE = "terrasweep-complete"
_QUIET_S = 60
"""A folder that another program compiles into is written to more often than that."""


def extensions_folder() -> Path:
    """``TORCH_EXTENSIONS_DIR``, else a folder of the user's cache for these versions of Python, torch and DeepSpeed."""
    return Path(os.environ.get(FOLDER_VARIABLE) or _own_folder())


def _own_folder() -> Path:
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    python = f"py{sys.version_info.major}{sys.version_info.minor}"
    for_what = "cuda" if gpu_names() else "cpu"
    name = f"{python}-torch{version('torch')}-deepspeed{version('deepspeed')}-{for_what}"
    return cache / "terrasweep" / "extensions" / name


def are_compiled() -> bool:
    """Whether everything that NVMe needs was compiled to its end."""
    return (extensions_folder() / _COMPLETE).is_file()


def mark_compiled() -> None:
    """Note that compiling came to its end; a process that was killed in between leaves no such note."""
    write_atomically(extensions_folder() / _COMPLETE, "asynchronous I/O\n")


def missing_for_nvme() -> str:
    """What this machine lacks to compile asynchronous I/O; empty where nothing is missing, or it is compiled."""
    if are_compiled():
        return ""
    if not any(shutil.which(compiler) for compiler in (os.environ.get("CXX", "c++"), "c++", "g++", "clang++")):
        return "a C++ compiler"
    header = any(Path(folder, "libaio.h").is_file() for folder in ("/usr/include", "/usr/local/include"))
    return "" if header and find_library("aio") else "libaio (on Debian and Ubuntu: apt install libaio-dev)"


def remove_stale_locks() -> list[Path]:
    """Remove the locks of builds that were killed; torch before 2.15 would wait for them for ever.

    To be called under terrasweep's own lock. A lock that a process holds, or whose folder was written to within the
    last minute by some other program, stays.

    Returns:
        The removed files.
    """
    removed = []
    shared = extensions_folder() != _own_folder()
    for lock in extensions_folder().glob("*/lock"):
        newest = max(file.stat().st_mtime for file in lock.parent.iterdir())
        if _is_held(lock) or (shared and time.time() - newest < _QUIET_S):
            continue
        lock.unlink()
        removed.append(lock)
    return removed


def _is_held(lock: Path) -> bool:
    """Whether a process holds the lock as torch 2.15 does (flock(2)); an older torch's is a file, and no more."""
    with lock.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False
