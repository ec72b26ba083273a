"""Docstrings are written to be read in a terminal; here they become reStructuredText."""

import re
from typing import Any


def setup(app: Any) -> dict[str, Any]:
    """Rewrite docstrings before napoleon sees their sections."""
    app.connect("autodoc-process-docstring", _rewrite, priority=400)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def _rewrite(app: Any, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    """Indented formulas become literal blocks, and a norm |Θ| is no name of a substitution."""
    written: list[str] = []
    literal = False
    before = ""  # the last line that is not empty
    for line in lines:
        if line.strip():
            indented = line.startswith("    ")
            if indented and written and not written[-1] and before and not before.startswith(" "):
                written += ["::", ""]
                literal = True
            literal = literal and indented
            before = line
        written.append(line if literal else _escaped(line))
    lines[:] = written


def _escaped(line: str) -> str:
    """The line with a backslash before each bar that is not within ``code``."""
    parts = re.split(r"(``.*?``)", line)
    return "".join(part if part.startswith("``") else part.replace("|", r"\|") for part in parts)
