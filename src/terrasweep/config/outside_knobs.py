"""Knobs that other packages declare, by an entry point of the group ``terrasweep.knobs``. Imports no torch."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from terrasweep.config.knobs import KNOBS
from terrasweep.config.knobs.knob import EVERYTHING, Knob, Stage, undeclared
from terrasweep.config.schema import TrialConfig
from terrasweep.results.errors import InvalidConfig

ENTRY_POINTS = "terrasweep.knobs"
_TAKEN = {field.name for field in dataclasses.fields(TrialConfig)} | {"hydra", "sweeps", "search_spaces", "schema"}


def every_knob() -> tuple[Knob, ...]:
    """Terrasweep's own knobs, then those from outside.

    Raises:
        InvalidConfig: A package declares a knob that can't be used.
    """
    return (*KNOBS, *outside_knobs())


@cache
def outside_knobs() -> tuple[Knob, ...]:
    """The knobs of other packages, by the name of their groups; looked for once.

    Raises:
        InvalidConfig: One can't be imported, or its declaration is broken, with one line per package.
    """
    knobs: dict[str, Knob] = {}
    lines: list[str] = []
    for entry in sorted(entry_points(group=ENTRY_POINTS), key=lambda found: found.name):
        try:
            knob = entry.load()
            reason = "; ".join(_mistakes(knob, knobs))
        except Exception as error:  # noqa: BLE001 - whatever another package does while it is imported
            reason = " ".join(f"{type(error).__name__}: {error}".split())
        if reason:
            lines.append(f"{_package(entry)}: its knob {entry.name} ({entry.value}) can't be used: {reason}")
        else:
            knobs[knob.group] = knob
    if lines:
        raise InvalidConfig("\n".join(f"{line}; mend or uninstall the package" for line in lines))
    return tuple(knobs[group] for group in sorted(knobs))


def _package(entry: EntryPoint) -> str:
    return f"package {entry.dist.name}" if entry.dist else f"entry point {entry.name}"


def _mistakes(knob: Any, known: dict[str, Knob]) -> Iterator[str]:
    """What is wrong with a declaration; the first mistake hides those that follow from it."""
    if not isinstance(knob, Knob):
        yield f"it is no Knob but a {type(knob).__name__}"
    elif not str(knob.group).isidentifier() or knob.group in _TAKEN or knob.group in known:
        yield f"group={knob.group}: it is taken, or no name"
    elif not (
        dataclasses.is_dataclass(knob.settings) and {"name"} <= {f.name for f in dataclasses.fields(knob.settings)}
    ):
        yield "settings is no dataclass with a field `name`"
    else:
        yield from _mistakes_of_options(knob)
        yield from _mistakes_of_declarations(knob)


def _mistakes_of_options(knob: Knob) -> Iterator[str]:
    names = [getattr(option, "name", None) for option in knob.options]
    if not names or not all(isinstance(option, knob.settings) for option in knob.options):
        yield f"options={names}: give the settings of each option, the default first"
    elif len(set(names)) < len(names) or not all(isinstance(name, str) and name.isidentifier() for name in names):
        yield f"options={names}: each needs a name of its own, of letters, digits and underscores"
    elif knob.off != names[0]:
        yield f"off={knob.off}: the first option, {names[0]}, is the default and has to be off"
    else:
        try:
            for option in knob.options:
                OmegaConf.structured(option)
                # They are called with every configuration; one that fails on its own option is found here.
                list(knob.find_bad_values(option))
                list(knob.find_absent_files(option))
        except OmegaConfBaseException as error:
            yield f"settings: {str(error).splitlines()[0]}"


def _mistakes_of_declarations(knob: Knob) -> Iterator[str]:
    if keys := sorted(undeclared(knob)):
        yield f"bears_on: {', '.join(keys)} is missing, or no field of the settings"
    if any(not set(numbers) <= EVERYTHING for numbers in knob.bears_on.values()):
        yield f"bears_on: only {', '.join(sorted(EVERYTHING))} are known"
    for stage, target in knob.transforms.items():
        module, _, function = str(target).partition(":")
        if stage not in list(Stage) or not (module and function):
            yield f"transforms: {stage!r}: {target}: give a Stage and module:function"
    sections: dict[str, Any] = {field.name: field.default_factory for field in dataclasses.fields(TrialConfig)}
    sections[knob.group] = knob.settings
    for key in (key for exclusion in knob.exclusions for key, _ in exclusion.knobs):
        group, _, name = key.partition(".")
        known = group in sections and name in {field.name for field in dataclasses.fields(sections[group])}
        if key != "device" and not known:
            yield f"exclusions: there is no key {key}"
