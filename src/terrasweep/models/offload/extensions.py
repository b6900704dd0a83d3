"""What DeepSpeed compiles: where it is kept, whether it is there, and what compiling needs. Imports no torch.

A trial is one process, so DeepSpeed's shared-memory collectives have nobody to talk to, and the optimizer is torch's
own. Asynchronous I/O, for NVMe, is all that is ever compiled.
"""

from __future__ import annotations

import fcntl
import hashlib
import importlib.util
import os
import shutil
import sys
import time
from ctypes.util import find_library
from pathlib import Path

from terrasweep.machine.files import write_atomically
from terrasweep.machine.startup import EXTENSIONS, path_with_own_programs
from terrasweep.machine.versions import version

_COMPLETE = "terrasweep-complete"
_QUIET_S = 60
"""A folder that another program compiles into is written to more often than that."""
_COMPILER_S = 5
"""What compilers that are still at work in terrasweep's own folder write within."""


def extensions_folder(device: str) -> Path:
    """``TORCH_EXTENSIONS_DIR``, else a folder of the user's cache for this environment.

    Args:
        device: ``cpu`` or ``cuda``, which are compiled for differently.
    """
    return Path(os.environ.get(EXTENSIONS) or _own_folder(device))


def _own_folder(device: str) -> Path:
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    # Another environment's headers lie elsewhere, and would have everything compiled again.
    python = f"py{sys.version_info.major}{sys.version_info.minor}-{hashlib.sha256(sys.prefix.encode()).hexdigest()[:8]}"
    name = f"{python}-torch{version('torch')}-deepspeed{version('deepspeed')}-{device}"
    return cache / "terrasweep" / "extensions" / name


def are_compiled(device: str) -> bool:
    """Whether everything that NVMe needs was compiled to its end, from the headers that are installed now.

    An environment that is made anew in its old place has newer headers: ninja would compile all of it again, in the
    first trial and under its deadline.
    """
    complete = extensions_folder(device) / f"{_COMPLETE}-{device}"
    return complete.is_file() and complete.stat().st_mtime > max(map(_installed_at, ("torch", "deepspeed")))


def _installed_at(package: str) -> float:
    """When a package was installed, in seconds since 1970, without importing it; 0 where it is not."""
    found = importlib.util.find_spec(package)
    return Path(found.origin).stat().st_mtime if found is not None and found.origin else 0.0


def mark_compiled(device: str) -> None:
    """Note that compiling came to its end; a process that was killed in between leaves no such note."""
    write_atomically(extensions_folder(device) / f"{_COMPLETE}-{device}", "asynchronous I/O\n")


def missing_for_nvme(device: str) -> str:
    """What this machine lacks for asynchronous I/O; empty where nothing is missing."""
    if shutil.which("ninja", path=path_with_own_programs()) is None:
        return "ninja"  # torch asks for it even to load what is compiled.
    if are_compiled(device):
        return ""
    if not any(shutil.which(compiler) for compiler in (os.environ.get("CXX", "c++"), "c++", "g++", "clang++")):
        return "a C++ compiler"
    toolkit = os.environ.get("CUDA_HOME") or shutil.which("nvcc") or Path("/usr/local/cuda").exists()
    if device == "cuda" and not toolkit:
        return "the CUDA toolkit (CUDA_HOME)"
    header = any(Path(folder, "libaio.h").is_file() for folder in ("/usr/include", "/usr/local/include"))
    return "" if header and find_library("aio") else "libaio (on Debian and Ubuntu: apt install libaio-dev)"


def remove_stale_locks(device: str) -> list[Path]:
    """Remove the locks of builds that were killed; torch before 2.15 would wait for them for ever.

    To be called under terrasweep's own lock. A lock that a process holds stays, and so does one in a folder that is
    shared with other programs and was written to within the last minute. In terrasweep's own folder compilers that
    outlived a killed process are waited for.

    Returns:
        The removed files.
    """
    removed = []
    shared = extensions_folder(device) != _own_folder(device)
    for lock in extensions_folder(device).glob("*/lock"):
        while not shared and _quiet_for(lock.parent) < _COMPILER_S:
            time.sleep(0.5)
        if _is_held(lock) or (shared and _quiet_for(lock.parent) < _QUIET_S):
            continue
        lock.unlink()
        removed.append(lock)
    return removed


def _quiet_for(folder: Path) -> float:
    """Seconds since something in it was written."""
    return time.time() - max(file.stat().st_mtime for file in folder.iterdir())


def _is_held(lock: Path) -> bool:
    """Whether a process holds the lock as torch 2.15 does (flock(2)); an older torch's is a file, and no more."""
    with lock.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False
