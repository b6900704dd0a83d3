"""What is said of a name that matches none of a backbone's linear layers."""

from __future__ import annotations

import difflib
from collections.abc import Iterator

_EXAMPLES = 4


def no_match(linears: list[str], name: str = "", *, within: bool = False) -> str:
    """Reason and way out: a name that is near, some of the layers that are there, or that there is none.

    Args:
        linears: Dotted names of the backbone's linear layers.
        name: Dotted parts of a name, as given; empty for what is no name, like a preset.
        within: Whether what a layer lies in can be named, too.
    """
    if not linears:
        return "the backbone has no linear layer at all; use tuning=full or frozen, and quantization=none"
    more = " ..." if len(linears) > _EXAMPLES else ""
    near = difflib.get_close_matches(name, dict.fromkeys(_endings(linears, name.count(".") + 1, within)), n=1)
    way_out = f"did you mean {near[0]}?" if near else "name others"
    return f"no linear layer of the backbone matches (it has {', '.join(linears[:_EXAMPLES])}{more}); {way_out}"


def _endings(linears: list[str], parts: int, within: bool) -> Iterator[str]:
    for linear in linears:
        of_name = linear.split(".")
        for end in range(len(of_name), parts - 1 if within else len(of_name) - 1, -1):
            if end >= parts:
                yield ".".join(of_name[end - parts : end])
