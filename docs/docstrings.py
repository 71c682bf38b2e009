"""Sphinx extension: this project's docstrings, which are plain text, as reStructuredText.

In them `code` stands between single backticks, what is indented is an equation or a list to be kept
as it is, and a line like "w: the guidance weight" begins the words on an argument.
"""

import re
import sys

CODE = re.compile(r"`+([^`]+)`+")
ARGUMENT = re.compile(r"[*a-z_][\w, *]*(\([^)]*\))?:( |$)")


def setup(app):
    app.connect("autodoc-process-docstring", _convert)
    return {"parallel_read_safe": True}


def _convert(app, what, name, obj, options, lines):
    module = getattr(obj, "__module__", None) or name
    lines[:] = as_rst(lines, vars(sys.modules.get(module, object)))


def as_rst(lines: list[str], names: dict | None = None) -> list[str]:
    """The lines of a docstring as reStructuredText. names: of the module, to link to."""
    out, kept = [], False  # whether we are among lines that are kept as they are
    for line in lines:
        if line.startswith(" "):
            if not kept:
                out += ["", ".. code-block:: text", ""]
            kept = True
            out.append(f"   {line}")
            continue
        if line and (kept or ARGUMENT.match(line)):
            out.append("")
        kept = kept and not line
        out.append(_inline(line, names or {}))
    return [*out, ""]


def _inline(text: str, names: dict) -> str:
    parts = CODE.split(text)
    parts[::2] = [re.sub(r"([\\*_|])", r"\\\1", part) for part in parts[::2]]
    parts[1::2] = [_code(part, names) for part in parts[1::2]]
    return "".join(parts)


def _code(text: str, names: dict) -> str:
    target = names.get(text)
    module = getattr(target, "__module__", None)
    if isinstance(module, str) and module.startswith("flowerdiff."):
        return rf"\ :py:obj:`~{module}.{target.__qualname__}`\ "
    return rf"\ ``{text}``\ "
