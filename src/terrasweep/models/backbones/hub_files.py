"""Some tensors out of a released model, by its id on the Hub or in a local folder, without running its code."""

from __future__ import annotations

import contextlib
import json
import pickle
import re
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from huggingface_hub import constants, get_session, hf_hub_download
from huggingface_hub.errors import EntryNotFoundError, HfHubHTTPError, HFValidationError, LocalEntryNotFoundError
from safetensors import SafetensorError, safe_open
from torch import Tensor

from terrasweep.results.errors import InvalidConfig, first_line, raise_out_of_memory

INDEXES = ("model.safetensors.index.json", "pytorch_model.bin.index.json")
SINGLE_FILES = ("model.safetensors", "pytorch_model.bin")


@contextlib.contextmanager
def asking_the_hub_once(timeout_s: float = 5.0) -> Iterator[None]:
    """Within it, a Hub that does not answer costs seconds: libraries then look into their caches alone.

    They would ask for every file, and try each half a minute long.
    """
    usual = constants.HF_HUB_OFFLINE
    try:
        get_session().head(constants.ENDPOINT, timeout=timeout_s)
    except Exception as error:  # noqa: BLE001 - whatever the HTTP library of this version raises
        print(f"the Hub does not answer: {error}")
        constants.HF_HUB_OFFLINE = True
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE = usual


def open_release(source: str, file: str) -> Path:
    """Where a file of a release lies on this machine, after a download where it is an id.

    Raises:
        InvalidConfig: There is no such file, no such id, or no way to the Hub.
    """
    path = find_release(source, file)
    if path is None:
        raise InvalidConfig(f"backbone.source={source}: it has no {file}; give an id on the Hub, or a folder as there")
    return path


def find_release(source: str, file: str) -> Path | None:
    """As :func:`open_release`, but None where the release has no such file."""
    if Path(source).is_dir():
        path = Path(source) / file
        return path if path.is_file() else None
    try:
        return Path(hf_hub_download(source, file))
    except LocalEntryNotFoundError as error:  # A subclass of the next one, but it means that the Hub was not asked.
        raise unreachable(source, error) from error
    except EntryNotFoundError:
        return None
    except (HFValidationError, HfHubHTTPError, OSError, ValueError) as error:
        raise unreachable(source, error) from error


def unreachable(source: str, error: Exception) -> InvalidConfig:
    """One line for a source that neither this machine nor the Hub gives.

    Raises:
        DeviceOutOfMemory, HostOutOfMemory: It is no fault of the source.
    """
    raise_out_of_memory(error)
    return InvalidConfig(
        f"backbone.source={source}: it is no folder here, and the Hub doesn't give it ({first_line(error)}); "
        "check the id and the network, or download it and give its folder"
    )


def read_tensors(source: str, part: str) -> dict[str, Tensor]:
    """The tensors of one part of a model, by their names inside it.

    The index, where there is one, says which shards hold them. No other shard is downloaded or opened, and no other
    tensor is read.

    Args:
        source: An id on the Hub, or a local folder.
        part: The part's name and a dot, as ``vision_model.``; it may lie inside another, as in ``model.vision_model.``.

    Raises:
        InvalidConfig: A file is missing or can't be read, or there is no such part.
    """
    for index in INDEXES:
        if (path := find_release(source, index)) is not None:
            shards: dict[str, list[str]] = defaultdict(list)
            for name, shard in json.loads(path.read_text())["weight_map"].items():
                shards[shard].append(name)
            wanted = [shard for shard, names in shards.items() if any(_inside(name, part) for name in names)]
            break
    else:
        wanted = [file for file in SINGLE_FILES if find_release(source, file) is not None][:1]
        if not wanted:
            raise InvalidConfig(f"backbone.source={source}: it has no {SINGLE_FILES[0]} and no {INDEXES[0]}")
    tensors: dict[str, Tensor] = {}
    for shard in wanted:
        tensors |= _read(source, shard, lambda name: _inside(name, part))
    if not tensors:
        raise InvalidConfig(f"backbone.source={source}: it has no tensors {part}*; give a model in EarthMind's layout")
    return tensors


def _inside(name: str, part: str) -> str | None:
    found = re.search(rf"(?:^|\.){re.escape(part)}(.+)$", name)
    return found[1] if found else None


def _read(source: str, shard: str, inside: Callable[[str], str | None]) -> dict[str, Tensor]:
    path = open_release(source, shard)
    try:
        if path.suffix == ".safetensors":
            with safe_open(path, framework="pt") as tensors:
                names = list(tensors.keys())
                return {short: tensors.get_tensor(name) for name in names if (short := inside(name))}
        state = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
        return {short: tensor for name, tensor in state.items() if (short := inside(name))}
    except (SafetensorError, pickle.UnpicklingError, RuntimeError, EOFError, OSError) as error:
        raise_out_of_memory(error)
        raise InvalidConfig(
            f"backbone.source={source}: {shard} is truncated or no file of tensors ({first_line(error)}); "
            "download it again"
        ) from error
