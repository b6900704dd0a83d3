"""What the kernel lets this process's control groups have of the host, and whom it ended for want of memory.

Slurm, systemd and containers nest groups, and each level may have a limit (cgroups(7); versions 1 and 2, also mixed).
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import Path

ROOT = Path("/")
_MOUNTS = ("sys/fs/cgroup", "sys/fs/cgroup/unified")
"""Where version 2 keeps its groups; version 1 has a folder per controller."""
_UNLIMITED = 2**60
"""Version 1 says so with a number near 2^63."""


@dataclass(frozen=True, kw_only=True)
class _Version:
    """How a version names its files."""

    limit: str
    used: str
    cache: tuple[str, ...]
    events: str


_ONE = _Version(
    limit="memory.limit_in_bytes",
    used="memory.usage_in_bytes",
    cache=("total_inactive_file", "total_active_file"),
    events="memory.oom_control",
)
_TWO = _Version(
    limit="memory.max",
    used="memory.current",
    cache=("inactive_file", "active_file"),
    events="memory.events",
)


def limit_bytes(root: Path = ROOT) -> int | None:
    """The least limit of the groups that this process is in; None without one.

    Args:
        root: Of the file system with ``proc`` and ``sys``.
    """
    return min((limit for _, limit in _limits(root)), default=None)


def available_bytes(root: Path = ROOT) -> int | None:
    """What the groups may still take, whoever took the rest; pages of files don't count, as they can be dropped.

    Returns:
        None where no group has a limit.
    """
    return min((limit - _used(folder) for folder, limit in _limits(root)), default=None)


def out_of_memory_kills(root: Path = ROOT) -> int:
    """How many processes the kernel has ended for want of memory: of this process's own group, or of the machine.

    The machine's count is taken where the group has none of its own. A count that has grown says that a SIGKILL was the
    kernel's.
    """
    for folder in _groups(root):
        for version in (_TWO, _ONE):
            if (count := _fields(folder / version.events).get("oom_kill")) is not None:
                return count
    return _fields(root / "proc/vmstat").get("oom_kill", 0)


def processors(root: Path = ROOT) -> float | None:
    """Processors' time that the groups may use, in processors: quota by period; None where no group has a limit."""
    allowed = []
    for folder in _groups(root, "cpu"):
        quota, period, *_ = [*_read(folder / "cpu.max").split(), "", ""]
        if not quota:
            quota, period = (_read(folder / f"cpu.cfs_{name}_us").strip() for name in ("quota", "period"))
        if quota.isdigit() and period.isdigit() and int(period):  # Neither "max" nor -1.
            allowed.append(int(quota) / int(period))
    return min(allowed, default=None)


def pressure_seconds(resource: str, root: Path = ROOT) -> float | None:
    """How long, all in all, some task has waited for a resource (pressure-stall information).

    Args:
        resource: ``cpu``, ``memory`` or ``io``.
        root: Of the file system with ``proc`` and ``sys``.

    Returns:
        Of this process's own group, else of the machine; None where the kernel doesn't tell.
    """
    for file in (*(group / f"{resource}.pressure" for group in _groups(root)), root / f"proc/pressure/{resource}"):
        for line in _read(file).splitlines():
            kind, *fields = line.split()
            total = dict(field.split("=") for field in fields).get("total", "")
            if kind == "some" and total.isdigit():
                return int(total) / 1e6
    return None


def _limits(root: Path) -> list[tuple[Path, int]]:
    found = []
    for folder in _groups(root):
        for name in (_TWO.limit, _ONE.limit):
            text = _read(folder / name).strip()
            if text.isdigit() and int(text) < _UNLIMITED:
                found.append((folder, int(text)))
    return found


def _used(folder: Path) -> int:
    version = _TWO if (folder / _TWO.used).is_file() else _ONE
    stat = _fields(folder / "memory.stat")
    used = _read(folder / version.used).strip()
    return int(used or 0) - sum(stat.get(name, 0) for name in version.cache)


def _groups(root: Path, controller: str = "memory") -> list[Path]:
    """The folders of the groups that govern what this process has of the memory or the processors, its own first.

    Within a container the names may be those outside of it: levels that are not there are left out.
    """
    found = []
    for line in _read(root / "proc/self/cgroup").splitlines():
        number, controllers, name = line.split(":", 2)
        if number != "0" and controller not in controllers.split(","):
            continue
        for mount in _MOUNTS if number == "0" else (f"sys/fs/cgroup/{controller}",):
            top = root / mount
            own = top / name.lstrip("/")
            levels = [own, *own.parents]
            found += [level for level in levels[: levels.index(top) + 1] if level.is_dir()]
    return found


def _fields(file: Path) -> dict[str, int]:
    """Lines of a name and a number."""
    pairs = (line.split() for line in _read(file).splitlines())
    return {pair[0]: int(pair[1]) for pair in pairs if len(pair) == 2 and pair[1].isdigit()}


def _read(file: Path) -> str:
    with contextlib.suppress(OSError):
        return file.read_text()
    return ""
