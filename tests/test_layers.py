"""The tower holds: imports point down only, pass through doors, and bring no dependency that a wing may not have."""

import ast
import importlib
import re
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

import ladreg

PACKAGE = Path(ladreg.__file__).parent

# From the bottom to the top: rooms of one floor do not import each other.
TOWER = [
    {"_version", "_kernels", "_tolerances", "_optional", "_cached", "_warn", "_blas"},
    {"_arrays"},
    {"_design", "_row_blocks"},
    {"_problem"},
    {"_certificate"},
    {"_presolve"},
    {"_least_squares"},
    {"_piecewise"},
    {"_solvers"},
    {"_paths"},
    {"_from_blocks"},
    {"_estimators"},
    {"lad", "quantile", "combined", "huber", "lasso", "metrics", "blocks"},
    {"_tuning"},
    {"path", "model_selection", "information", "many"},
    {"stability", "conformal", "_inference"},
    {"lasso_inference", "onnx"},
    {"inference"},
    {"_display"},
    {"display"},
    {"__init__"},
]
FLOOR = {room: floor for floor, rooms in enumerate(TOWER) for room in rooms}
WINGS = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
# scikit-learn is known from the estimators up; threadpoolctl, which it needs, knows the threads of BLAS.
ALLOWED = [
    {"numpy", "scipy"}
    | ({"threadpoolctl"} if floor == FLOOR["_blas"] else set())
    | ({"sklearn"} if floor >= FLOOR["_estimators"] else set())
    for floor in range(len(TOWER))
]
MODULES = sorted(PACKAGE.rglob("*.py"))


def room(path):
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


@cache
def read(path):
    """Modules that a file imports, each with the names that it takes from there, and its strings."""
    imported, strings = [], []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            imported.append((node.module, [alias.name for alias in node.names]))
        elif isinstance(node, ast.Import):
            imported += [(alias.name, []) for alias in node.names]
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            strings.append(node.value)
    return imported, strings


def imports(path):
    return read(path)[0]


IMPORTS = [(path, name, names) for path in MODULES for name, names in imports(path)]


def test_imports_point_down():
    for path, name, _ in IMPORTS:
        own, (package, _, rest) = room(path), name.partition(".")
        if package == "ladreg":
            other = rest.partition(".")[0]
            assert other == own or FLOOR[other] < FLOOR[own], f"{path} imports {name}, which is not below it"
        elif package not in sys.stdlib_module_names:
            assert package in ALLOWED[FLOOR[own]], f"{path} imports {name}"


def test_wings_are_entered_by_their_doors():
    for path, name, names in IMPORTS:
        _, _, rest = name.partition("ladreg.")
        wing, _, module = rest.partition(".")
        if wing in WINGS and wing != room(path):
            assert not module, f"{path} imports {name}, past the door of {wing}"
            door = importlib.import_module(name)
            assert wing == "_kernels" or set(names) <= set(door.__all__), f"{wing} has no {names} at its door"


TESTS = sorted(Path(__file__).parent.rglob("*.py"))
# Tests that look behind the door of a wing, and why they have to.
BEHIND_DOORS = {
    "faults.py": "faults that no input brings about are put in where they would occur",
    "problem.py": "every second problem of the campaign is solved as if it were large",
    "test_block_structure.py": "a Newton step, by blocks and dense, to be compared",
    "test_campaign.py": "a Newton step on columns equal but for rounding, and a wrong constant that is to be noticed",
    "test_centre.py": "ranges over the polyhedra that the centre meets are compared with linear programs",
    "test_conjugate_gradients.py": "one step is compared with the optimum; sizes at which Gram matrices are given up",
    "test_design.py": "a table of 40 rows is read in several blocks",
    "test_homotopy.py": "drafts are compared with their NumPy twin, spoiled and left out",
    "test_injection.py": "small tables take the ways of large ones",
    "test_knots.py": "few knots are too many",
    "test_lad_path.py": "rows near the fit are taken to be enough where they are not",
    "test_lasso_solver.py": "formulas that stand in for the certificate; the limit of an iteration",
    "test_model_selection.py": "products of a fold are compared with those of its rows; a point is not proved",
    "test_path_certificates.py": "proofs of many answers are told from those of single ones",
    "test_pivotal.py": "simulated duals are held in several blocks",
    "test_rare_columns.py": "an interior point program without a feasible dual",
    "test_preprocessing.py": "an infeasible program, which no reduced problem of the tests is",
}


def behind_doors(path):
    """Names that a file of tests takes from a wing other than through its door."""
    for name, names in imports(path):
        package, _, rest = name.partition(".")
        wing, _, module = rest.partition(".")
        if package == "ladreg" and wing in WINGS - {"_kernels"}:
            yield from names if module else set(names) - set(importlib.import_module(name).__all__)
    yield from (one for one in read(path)[1] if re.match(r"ladreg\._(?!kernels)\w+\.", one))  # targets of patches


def test_tests_enter_wings_by_their_doors():
    assert {path.name for path in TESTS if list(behind_doors(path))} == set(BEHIND_DOORS)


def test_every_room_has_a_floor():
    assert {room(path) for path in MODULES} == set(FLOOR)


def test_every_room_and_every_file_of_a_wing_is_in_the_tower_of_the_architecture_page():
    tower = (Path(__file__).parents[1] / "docs" / "house.md").read_text().split("```")[1]
    files = {path.stem for path in MODULES if path.parent != PACKAGE and room(path) != "_kernels"} - {"__init__"}
    assert {name for name in files | set(FLOOR) if not re.search(rf"(?<!\w){name}(?!\w)", tower)} == set()


@pytest.mark.parametrize("wing", sorted(WINGS - {"_kernels"}))
def test_a_door_has_only_what_others_take(wing):
    """Names that neither another wing nor a test asks for stay inside."""
    others = [path for path in MODULES if room(path) != wing] + TESTS
    taken = {one for path in others for name, names in imports(path) if name == f"ladreg.{wing}" for one in names}
    assert set(importlib.import_module(f"ladreg.{wing}").__all__) <= taken


def test_sources_without_compiled_loops_say_what_to_do(tmp_path):
    shutil.copytree(PACKAGE, tmp_path / "ladreg", ignore=shutil.ignore_patterns("*.so", "*.pyd", "__pycache__"))
    found = subprocess.run([sys.executable, "-c", "import ladreg"], cwd=tmp_path, capture_output=True, text=True)
    assert found.returncode != 0
    assert "python -m pip install -e ." in found.stderr.splitlines()[-1]


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
