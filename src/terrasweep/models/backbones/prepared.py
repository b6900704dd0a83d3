"""The backbones to choose from: the prepared groups, and the names in TerraTorch's registry. Imports no torch."""

from __future__ import annotations

import difflib
import json
import os
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from importlib import resources
from pathlib import Path

from terrasweep import process
from terrasweep.machine.files import write_atomically
from terrasweep.machine.paths import cache_folder
from terrasweep.machine.versions import version
from terrasweep.results.errors import Crashed, InvalidConfig, reworded

OWN = ("earthmind_v1", "hf_vision")
"""What terrasweep adds to TerraTorch's registry."""
_TASK = "terrasweep.models.backbones.registry:list_names"
_SIZES = re.compile(r"(?P<parameters>[\d.]+ M) parameters, (?P<blocks>\d+) blocks, width (?P<width>\d+)")


@dataclass(frozen=True, kw_only=True)
class Group:
    """A prepared backbone: an option of ``backbone=``."""

    name: str
    title: str
    """What it is, and the paper."""
    parameters: str = ""
    """Like ``86.6 M``; empty where it depends on what is named."""
    blocks: str = ""
    width: str = ""


def groups() -> list[Group]:
    """The prepared backbones, from the first comment of each file."""
    folder = resources.files("terrasweep.conf") / "backbone"
    files = sorted((file for file in folder.iterdir() if file.name.endswith(".yaml")), key=lambda file: file.name)
    return [_group(file.name.removesuffix(".yaml"), file.read_text(encoding="utf-8")) for file in files]


def registry_names() -> list[str]:
    """Every name that ``backbone=any backbone.name=NAME`` takes; made once per version of the libraries, in a child.

    Raises:
        TerrasweepError: The child failed.
    """
    return cached_names() or _list()


def cached_names() -> list[str] | None:
    """The names, where they were listed before."""
    try:
        names = json.loads(_file().read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return names if isinstance(names, list) and names else None


def find_unknown(name: str) -> Iterator[str]:
    """A line for a name that no registry knows; none where the names were never listed: then the build says it."""
    names = cached_names()
    if names is not None and not _is_known(name, set(names)):
        yield unknown(name, names)


def unknown(name: str, names: list[str]) -> str:
    """The line for a name that is not there, with those near it."""
    bare = {known.removeprefix("timm_"): known for known in names}
    near = difflib.get_close_matches(name.removeprefix("timm_"), bare, n=3, cutoff=0.6)
    hint = f"did you mean {' or '.join(bare[known] for known in near)}?" if near else "terrasweep models lists them"
    return f"backbone.name={name}: TerraTorch's registry has no such backbone; {hint}"


def listing(pattern: str | None) -> str:
    """The groups as a table, and the registry's names below it.

    Args:
        pattern: A glob like ``*dofa*``, or a part of a name; None: every group, and TerraTorch's own names.

    Raises:
        InvalidConfig: Nothing matches.
    """
    names = registry_names()
    shown = [group for group in groups() if _matches(group.name, pattern)]
    found = [name for name in names if _matches(name, pattern)]
    if pattern is None:
        found = [name for name in found if not name.startswith("timm_")]
    if not shown and not found:
        near = difflib.get_close_matches(pattern or "", [*names, *(group.name for group in groups())], n=3)
        hint = f"did you mean {' or '.join(dict.fromkeys(near))}?" if near else "use a part of a name, like vit"
        raise InvalidConfig(f"pattern {pattern}: no backbone matches; {hint}")
    parts = [_table(shown)] if shown else []
    if found:
        parts.append("\n".join(["Any of these with backbone=any backbone.name=NAME", *(f"  {name}" for name in found)]))
    if pattern is None:
        rest = len(names) - len(found)
        parts.append(f"And {rest} models of timm as timm_NAME: terrasweep models 'timm_*' lists them all.")
    return "\n\n".join(parts)


def _group(name: str, text: str) -> Group:
    lines = [line.removeprefix("#").strip() for line in text.splitlines() if line.startswith("#")]
    comment = lines[0] if lines else ""
    if not (sizes := _SIZES.search(comment)):
        return Group(name=name, title=comment.rstrip("."))
    return Group(name=name, title=comment[: sizes.start()].rstrip(": "), **sizes.groupdict())


def _matches(name: str, pattern: str | None) -> bool:
    return pattern is None or pattern.lower() in name.lower() or fnmatchcase(name.lower(), pattern.lower())


def _is_known(name: str, names: set[str]) -> bool:
    """By TerraTorch's rules: a prefix names the registry, and timm's names may end in the tag of their weights."""
    model = name.removeprefix("timm_").partition(".")[0]
    return {name, name.removeprefix("terratorch_"), f"timm_{model}"} & names != set() or name in OWN


def _table(shown: list[Group]) -> str:
    rows = [("backbone=", "parameters", "blocks", "width", "")]
    rows += [(group.name, group.parameters, group.blocks, group.width, group.title) for group in shown]
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    return "\n".join(
        "  ".join([row[0].ljust(widths[0]), *(row[i].rjust(widths[i]) for i in (1, 2, 3)), row[4]]).rstrip()
        for row in rows
    )


def _file() -> Path:
    return cache_folder() / f"backbones-{version('terratorch')}-{version('timm')}.json"


def _list() -> list[str]:
    print("Listing the backbones of TerraTorch and timm, once ...", file=sys.stderr, flush=True)
    log = cache_folder() / f"backbones-{os.getpid()}.log"
    # A forkserver would import more than this one child needs.
    outcome = process.run(_TASK, {}, log, process.Limits(), start_method="spawn")
    if outcome.error is not None:
        text = f"the backbones can't be listed: {outcome.error}; see {log}"
        raise reworded(outcome.error, text, Crashed) from outcome.error
    log.unlink(missing_ok=True)
    names: list[str] = outcome.reported["names"]
    write_atomically(_file(), json.dumps(names, indent=0) + "\n")
    return names
