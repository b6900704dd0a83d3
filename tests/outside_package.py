"""The package of docs/outside-knobs.md, installed in a folder as pip would do it."""

from __future__ import annotations

import os
import re
import tomllib
from pathlib import Path

from tests.composing import ROOT

_PAGE = ROOT / "docs" / "outside-knobs.md"


def example() -> dict[str, str]:
    """The page's files by name."""
    declaration, transformation, project = re.findall(r"```(?:python|toml)\n(.*?)```", _PAGE.read_text(), re.DOTALL)
    return {
        "freeze_norms.py": declaration,
        "freeze_norms_transform.py": transformation,
        "pyproject.toml": project,
    }


def install(folder: Path, *replacements: tuple[str, str]) -> Path:
    """Write the example with its ``.dist-info``; each replacement changes a text that has to be there."""
    files = example()
    for old, new in replacements:
        assert any(old in text for text in files.values()), old
        files = {name: text.replace(old, new) for name, text in files.items()}
    project = tomllib.loads(files.pop("pyproject.toml"))["project"]
    assert {f"{name}.py" for name in ("freeze_norms", "freeze_norms_transform")} == files.keys()
    information = folder / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
    information.mkdir(parents=True)
    (information / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"
    )
    declared = project["entry-points"]["terrasweep.knobs"]
    entries = "\n".join(f"{name} = {target}" for name, target in declared.items())
    (information / "entry_points.txt").write_text(f"[terrasweep.knobs]\n{entries}\n")
    for name, text in files.items():
        (folder / name).write_text(text)
    return folder


def python_path(folder: Path) -> dict[str, str]:
    """The environment variable by which Python finds the package."""
    return {"PYTHONPATH": os.pathsep.join(filter(None, (str(folder), os.environ.get("PYTHONPATH"))))}
