"""Imports point downwards only, and what is not a runtime dependency of a layer is not imported there."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import ladreg

PACKAGE = Path(ladreg.__file__).parent

LAYERS = {
    "_kernels": 0,
    "_arrays": 0,
    "_version": 0,
    "_certificate": 2,
    "_design": 1,
    "_problem": 1,
    "_least_squares": 3,
    "_piecewise": 3,
    "_presolve": 3,
    "_solvers": 3,
    "_paths": 4,
    "_estimators": 5,
    "combined": 5,
    "huber": 5,
    "lad": 5,
    "quantile": 5,
    "lasso": 5,
    "_tuning": 6,
    "path": 6,
    "model_selection": 6,
    "information": 6,
    "stability": 6,
    "metrics": 5,
    "__init__": 7,
}
ALLOWED = {
    0: {"numpy"},
    1: {"numpy", "scipy"},
    2: {"numpy", "scipy"},
    3: {"numpy", "scipy"},
    4: {"numpy", "scipy"},
    5: {"numpy", "scipy", "sklearn"},
    6: {"numpy", "scipy", "sklearn"},
}
MODULES = sorted(PACKAGE.rglob("*.py"))


def room(parts):
    return parts[0] if parts else "__init__"


def imports(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
            yield from names if node.module == "ladreg" else [node.module]
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_point_downwards(path):
    layer = LAYERS[room(path.relative_to(PACKAGE).with_suffix("").parts)]
    for name in imports(path):
        parts = name.split(".")
        if parts[0] == "ladreg":
            below = LAYERS[room(parts[1:])]
            assert below <= layer, f"{path.name} (layer {layer}) imports {name} (layer {below})"
        elif parts[0] not in sys.stdlib_module_names and layer in ALLOWED:
            assert parts[0] in ALLOWED[layer], f"{path.name} (layer {layer}) imports {name}"


def test_every_module_has_a_layer():
    assert {room(path.relative_to(PACKAGE).with_suffix("").parts) for path in MODULES} == set(LAYERS)


def test_import_adds_little_to_scikit_learn():
    """Counted, not timed: after sklearn.linear_model only our own modules and a handful of scipy's are new."""
    code = (
        "import sys, sklearn.linear_model; before = set(sys.modules); import ladreg;"
        "print('\\n'.join(sorted(m for m in set(sys.modules) - before if not m.startswith('ladreg'))))"
    )
    new = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    heavy = (
        {name.split(".")[0] for name in new} - sys.stdlib_module_names - {"scipy", "cython_runtime", "_cython_3_3_1"}
    )
    assert not {name for name in heavy if not name.startswith("_cython")}, heavy
    assert len(new) < 15, new
