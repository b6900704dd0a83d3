"""Limits of nested groups, of both versions, by trees of files such as the kernel shows."""

import pytest

from terrasweep.machine import control_groups
from terrasweep.machine.control_groups import (
    available_bytes,
    limit_bytes,
    out_of_memory_kills,
    pressure_seconds,
    processors,
)

GIB = 2**30


def write(root, files):
    for name, content in files.items():
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"{content}\n")
    return root


def slurm_two(root):
    """The limit is the job's, two levels above the step that the process is in."""
    top = "sys/fs/cgroup/system.slice"
    return write(
        root,
        {
            "proc/self/cgroup": "0::/system.slice/job_7/step_0/task_1",
            "sys/fs/cgroup/cgroup.controllers": "memory",
            f"{top}/memory.max": "max",
            f"{top}/job_7/memory.max": 8 * GIB,
            f"{top}/job_7/memory.current": 6 * GIB,
            f"{top}/job_7/memory.stat": f"file {3 * GIB}\ninactive_file {2 * GIB}\nactive_file {GIB // 2}",
            f"{top}/job_7/step_0/memory.max": 16 * GIB,
            f"{top}/job_7/step_0/memory.current": GIB,
            f"{top}/job_7/step_0/task_1/memory.max": "max",
            f"{top}/job_7/step_0/task_1/memory.events": "low 0\nmax 9\noom 1\noom_kill 1",
            "proc/vmstat": "nr_free_pages 5\noom_kill 44",
        },
    )


def container_one(root):
    """Version 1 within a container: the name is that outside of it, and the mount shows the container's own group."""
    top = "sys/fs/cgroup/memory"
    return write(
        root,
        {
            "proc/self/cgroup": "5:cpu:/docker/abc\n4:memory:/docker/abc\n0::/docker/abc",
            f"{top}/memory.limit_in_bytes": 4 * GIB,
            f"{top}/memory.usage_in_bytes": 3 * GIB,
            f"{top}/memory.stat": f"inactive_file 1\ntotal_inactive_file {GIB}\ntotal_active_file 0",
            f"{top}/memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 3",
        },
    )


def unlimited_one(root):
    return write(
        root,
        {
            "proc/self/cgroup": "4:memory:/user",
            "sys/fs/cgroup/memory/user/memory.limit_in_bytes": 9223372036854771712,
            "proc/vmstat": "oom_kill 2",
        },
    )


@pytest.mark.parametrize(
    ("tree", "limit", "available", "kills"),
    [
        (slurm_two, 8 * GIB, 4 * GIB + GIB // 2, 1),
        (container_one, 4 * GIB, 2 * GIB, 3),
        (unlimited_one, None, None, 2),
        (lambda root: root, None, None, 0),
    ],
)
def test_the_tightest_level_counts(tmp_path, tree, limit, available, kills):
    root = tree(tmp_path)
    assert (limit_bytes(root), available_bytes(root), out_of_memory_kills(root)) == (limit, available, kills)


@pytest.mark.parametrize(
    ("files", "allowed"),
    [
        ({"proc/self/cgroup": "0::/a/b", "sys/fs/cgroup/a/cpu.max": "150000 100000"}, 1.5),
        ({"proc/self/cgroup": "0::/a", "sys/fs/cgroup/a/cpu.max": "max 100000"}, None),
        (
            {
                "proc/self/cgroup": "5:cpu,cpuacct:/a\n0::/",
                "sys/fs/cgroup/cpu/a/cpu.cfs_quota_us": 400000,
                "sys/fs/cgroup/cpu/a/cpu.cfs_period_us": 100000,
            },
            4.0,
        ),
        (
            {
                "proc/self/cgroup": "5:cpu:/a",
                "sys/fs/cgroup/cpu/a/cpu.cfs_quota_us": -1,
                "sys/fs/cgroup/cpu/a/cpu.cfs_period_us": 100000,
            },
            None,
        ),
        ({}, None),
    ],
)
def test_a_quota_of_processors_time_is_read_in_both_versions(tmp_path, files, allowed):
    for name in files:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    assert processors(write(tmp_path, files)) == allowed


def test_on_this_machine_the_files_are_read():
    limit = limit_bytes()
    assert limit is None or limit >= (available_bytes() or 0) > 0
    assert out_of_memory_kills() >= 0
    assert control_groups._groups(control_groups.ROOT) is not None


def test_pressure_is_that_of_the_nearest_group_that_tells_else_of_the_machine(tmp_path):
    machine = write(tmp_path / "a", {"proc/pressure/io": "some avg10=0.00 total=7000000\nfull avg10=0.00 total=1"})
    assert pressure_seconds("io", machine) == 7.0
    assert pressure_seconds("memory", machine) is None
    group = write(
        tmp_path / "b",
        {
            "proc/self/cgroup": "0::/job/task",
            "sys/fs/cgroup/job/task/cgroup.procs": "",
            "sys/fs/cgroup/job/cpu.pressure": "some avg10=1.00 avg60=0.50 avg300=0.10 total=1500000",
            "proc/pressure/cpu": "some total=99000000",
        },
    )
    assert pressure_seconds("cpu", group) == 1.5
