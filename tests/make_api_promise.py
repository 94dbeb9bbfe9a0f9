"""``python -m tests.make_api_promise``: docs/api_promise.rst, which lists what is public and what is promised of it."""

import dataclasses
import inspect
import re
import textwrap
from importlib import import_module
from pathlib import Path

DOCS = Path(__file__).parents[1] / "docs"
PAGE = DOCS / "api_promise.rst"

# Names, or the modules that they are in, with the reason for promising less of them; all others are stable.
PROVISIONAL = {
    "blocks": "protocols for data in blocks are to be tried by other sources than those that are there",
    "onnx": "what it registers follows skl2onnx",
    "infer": "methods of inference may be added, and their parameters be sorted anew",
    "Inference": "as `infer`",
    "LassoInference": "as `infer`",
    "inference": "as `infer`",
    "fit_many": "more kinds of data sets may be added",
    "ManyFits": "as `fit_many`",
    "ConformalQuantileRegressor": "scikit-learn has no convention for intervals yet",
    "quantile_process": "several targets and penalties may be added",
    "Display": "how pictures look, and the attributes that hold their parts",
}

HEADER = """\
.. Made by ``python -m tests.make_api_promise``; tests/test_api_promise.py fails where it is not up to date.

Stability
=========

This page lists every public name of this version: its parameters in their order with their defaults, its attributes and
its methods. What is not here may change at any time: names that begin with an underscore, and modules and attributes
that are not listed.

**Stable** names keep what is listed. A program that runs without a FutureWarning of ladreg runs with the next minor
version, and means the same. Results keep their mathematical definition. Digits within the proved gap, numbers of
iterations, names of solvers in certificates, texts of messages and run times may change; defects are mended at once.

**Provisional** names may change in a minor version without a FutureWarning; the :doc:`changelog` says so.

.. _deprecation:

Deprecation
-----------

What is stable is removed, renamed, or given another default or meaning in these steps only:

1. A minor version deprecates it. What ran before still runs and means the same; a FutureWarning names the new form, and
   the version in which the old one ends. The changelog and the docstring say so as well.
2. It works for at least two minor versions: what 0.3 deprecates works in 0.3 and 0.4, and is removed in 0.5 or later.
3. The version that removes it raises an error that names the new form.

A new parameter is passed by name only, and its default changes nothing. Versions of Python, NumPy, SciPy and
scikit-learn are dropped in minor versions.

Saved models
------------

A model that was saved by pickle, joblib or skops can be loaded by at least the next two minor versions, with a warning
that names both versions. Its coefficients, intercepts and parameters are as they were saved, and its predictions the
same up to the rounding of a sum. Models saved by each released version are among the tests, which load them.

From scikit-learn
-----------------

Estimators also have what scikit-learn's base classes give them (`get_params`, `set_params`, `score`, metadata routing,
`transform` and its output), which follows the version of scikit-learn.
"""


def public_names():
    """The names of the reference, as they are imported from ladreg, by the titles of their groups."""
    module, title, groups, lines = "", "", {}, (DOCS / "api.rst").read_text().splitlines()
    for line, below in zip(lines, [*lines[1:], ""], strict=True):
        if line.startswith(".. currentmodule:: "):
            module = line.removeprefix(".. currentmodule:: ladreg").lstrip(".")
        elif re.fullmatch("-+", below):
            title = line
        elif re.fullmatch(r"   [a-zA-Z]\w*(\.\w+)?", line):
            groups.setdefault(title, []).append(f"{module}.{line.strip()}" if module else line.strip())
    return groups


def found(name):
    """The object of that name."""
    module, _, attribute = name.rpartition(".")
    return getattr(import_module(f"ladreg.{module}" if module else "ladreg"), attribute)


def promise(name):
    """What is promised of a name."""
    for part, reason in PROVISIONAL.items():
        if name == part or name.startswith(f"{part}.") or (part == "Display" and name.endswith(part)):
            return f"provisional: {reason}"
    return "stable"


def parameters(call):
    """The parameters of a call as they are written, without annotations; names after ``*`` are passed by name."""
    texts, by_name = [], False
    for one in inspect.signature(call).parameters.values():
        if one.name == "self" and one.default is one.empty:
            continue
        if one.kind is one.KEYWORD_ONLY and not by_name:
            texts.append("*")
            by_name = True
        prefix = {one.VAR_POSITIONAL: "*", one.VAR_KEYWORD: "**"}.get(one.kind, "")
        default = "" if one.default is one.empty else "=..." if callable(one.default) else f"={one.default!r}"
        by_name |= one.kind is one.VAR_POSITIONAL
        texts.append(f"{prefix}{one.name}{default}")
    return texts


def attributes(value):
    """What the docstring says that a fitted or plotted object has, and properties."""
    parts = re.split(r"\nAttributes\n-+\n", inspect.getdoc(value) or "")
    section = re.split(r"\n\n?[A-Z][A-Za-z ]+\n-+\n", parts[1])[0] if len(parts) > 1 else ""
    names = [name for line in re.findall(r"^(\w[\w, ]*) : ", section, flags=re.M) for name in line.split(", ")]
    own = [name for name, one in members(value) if isinstance(one, property) and name not in names]
    return names + own


def members(value):
    """Public members of a class that are ladreg's own."""
    kinds = [kind for kind in value.__mro__ if kind.__module__.startswith("ladreg")]
    names = sorted({name for kind in kinds for name in vars(kind) if not name.startswith("_")})
    own = [(name, inspect.getattr_static(value, name)) for name in names]
    if dataclasses.is_dataclass(value) or hasattr(value, "_fields"):
        fields = getattr(value, "_fields", None) or [field.name for field in dataclasses.fields(value)]
        own = [(name, one) for name, one in own if name not in fields]
    return own


def methods(value):
    """The methods of a class, with their parameters."""
    calls = [name for name, one in members(value) if inspect.isfunction(one) or isinstance(one, classmethod)]
    return [f"{name}({', '.join(parameters(getattr(value, name)))})" for name in calls]


def wrapped(line):
    """A field in lines of at most 120 characters."""
    return textwrap.fill(line, 120, subsequent_indent=" " * 6, break_long_words=False, break_on_hyphens=False)


def entry(name):
    """What the page says of one name."""
    value = found(name)
    lines = {"Promise": promise(name)}
    literals = {}
    if inspect.isclass(value):
        if issubclass(value, Exception):
            lines["Kind"] = f"an exception, a {value.__bases__[0].__name__}"
        else:
            literals["Parameters"] = parameters(value)
            literals["Attributes"] = attributes(value)
            literals["Methods"] = methods(value)
    else:
        literals["Parameters"] = parameters(value)
    for title, texts in literals.items():
        if texts:
            lines[title] = ", ".join(f"``{text}``" for text in texts)
    role = "class" if inspect.isclass(value) else "func"
    body = "\n".join(wrapped(f"   :{title}: {text}") for title, text in lines.items())
    return f":{role}:`~ladreg.{name}` (``ladreg.{name}``)\n\n{body}\n"


def page():
    """The whole page."""
    parts = [HEADER]
    for title, names in public_names().items():
        parts.append(f"{title}\n{'-' * len(title)}\n")
        parts += [entry(name) for name in names]
    return "\n".join(parts)


if __name__ == "__main__":
    PAGE.write_text(page())
