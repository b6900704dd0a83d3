"""Who works on something that outlives a process, and whether they still do.

A process is known by where it runs, the boot of that machine's kernel, its number and the ticks from the boot to its
start: none of these follows a clock that is set, or a host that is renamed.
"""

from __future__ import annotations

import functools
import hashlib
import os
import re
import socket
from pathlib import Path

import psutil

_INITIAL_PID_NAMESPACE = 0xEFFFFFFC
"""Of a process in no container: the kernel's PROC_PID_INIT_INO."""
_OWNER = re.compile(r"(?P<place>[0-9a-f]{8})-(?P<boot>[0-9a-f]{8})-(?P<pid>\d+)-(?P<ticks>\d+)(@(?P<host>.*))?")


def this_process() -> str:
    """A name for this process that no later one gets: place, boot, pid and start, and the host's name for a person."""
    return f"{short_name()}@{socket.gethostname()}"


def short_name() -> str:
    """The same without the host's name, fit for a file's name; :func:`is_alive` reads it too."""
    return f"{_place()}-{_boot()}-{os.getpid()}-{_start_ticks(os.getpid())}"


def is_alive(owner: str) -> bool:
    """Whether an owner may still be at work; where nobody here can tell, it counts as alive."""
    return liveness(owner) is not False


def liveness(owner: str) -> bool | None:
    """Whether an owner is at work; None for one whose processes can't be seen from here.

    Args:
        owner: From :func:`this_process` or :func:`short_name`, or ``host:pid:time`` of an earlier version.
    """
    if not owner:
        return False
    known = _OWNER.fullmatch(owner)
    if known is None:
        return _liveness_by_time(owner)
    if known["place"] != _place():
        return None
    return known["boot"] == _boot() and _start_ticks(int(known["pid"])) == int(known["ticks"])


def is_owner(text: str) -> bool:
    """Whether a text is a process's name at all, of this version or an earlier one."""
    return bool(_OWNER.fullmatch(text)) or text.count(":") == 2


def host_of(owner: str) -> str:
    """The name that an owner's machine had, for a message."""
    known = _OWNER.fullmatch(owner)
    return (known["host"] or "another machine") if known else owner.rsplit(":", 2)[0]


@functools.cache
def _place() -> str:
    """A machine, whatever it is called; in a container, which may share the machine's id with others, that container.

    Two containers of one machine don't see each other's processes.
    """
    machine = _read("/etc/machine-id") or _read("/var/lib/dbus/machine-id") or socket.gethostname()
    try:
        namespace = Path("/proc/self/ns/pid").stat().st_ino
    except OSError:
        namespace = 0
    if namespace != _INITIAL_PID_NAMESPACE:
        machine = f"{machine} {socket.gethostname()} {namespace}"
    return _hash(machine)


@functools.cache
def _boot() -> str:
    return _hash(_read("/proc/sys/kernel/random/boot_id"))


def _start_ticks(pid: int) -> int | None:
    """Clock ticks between the machine's boot and a process's start (proc(5), field 22); None once it has ended."""
    # The second field is the program's name in parentheses, which may hold anything.
    fields = _read(f"/proc/{pid}/stat").rpartition(")")[2].split()
    return int(fields[19]) if fields and fields[0] not in ("Z", "X") else None


def _liveness_by_time(owner: str) -> bool | None:
    """Of an owner as versions before wrote it; its time moves with the clock."""
    host, pid, created = (["", "", *owner.rsplit(":", 2)])[-3:]
    if host != socket.gethostname() or not pid.isdigit():
        return None
    try:
        process = psutil.Process(int(pid))
        return f"{process.create_time():.2f}" == created and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _read(file: str) -> str:
    try:
        return Path(file).read_text(errors="replace").strip()
    except OSError:
        return ""


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:8]
