"""What docs/security.md promises: no code but ours runs, arrays alone are read and written, and within their bounds."""

import ast
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp
import skops.io
from sklearn.base import clone

import ladreg
from tests import public

PACKAGE = Path(ladreg.__file__).parent
MODULES = sorted(PACKAGE.rglob("*.py"))
IMPORTS = {
    "__future__", "abc", "bisect", "collections", "concurrent", "contextlib", "contextvars", "copy", "dataclasses",
    "enum", "functools", "html", "importlib", "inspect", "itertools", "joblib", "math", "numbers", "operator",
    "threading", "time", "typing", "warnings", "ladreg", "numpy", "scipy", "sklearn", "threadpoolctl",
}  # fmt: skip
# `ladreg.blocks` reads the files that it is given, and says which.
READERS = ("blocks.py", "_row_blocks/")
EXTRAS = {"dask", "distributed", "matplotlib", "onnx", "pandas", "pyarrow", "skl2onnx"}
OF_READERS = {"glob", "logging", "os", "uuid", "zlib"}
CALLS = {"eval", "exec", "compile", "__import__", "open", "input", "breakpoint", "globals"}
METHODS = {
    "load",
    "loads",
    "fromfile",
    "tofile",
    "save",
    "savez",
    "savetxt",
    "loadtxt",
    "genfromtxt",
    "memmap",
    "system",
}
METHODS |= {"popen", "Popen", "run_module", "write_text", "write_bytes", "read_text", "read_bytes", "urlopen", "dlopen"}
rng = np.random.default_rng(0)
X = np.where(rng.random((24, 4)) < 0.3, 0.0, rng.standard_normal((24, 4)))
y = X[:, 0] + 0.3 * rng.standard_normal(24)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_no_module_can_run_code_or_reach_files(path):
    reads = str(path.relative_to(PACKAGE)).startswith(READERS)
    imports, methods = IMPORTS | (OF_READERS if reads else set()), METHODS - ({"load", "memmap"} if reads else set())
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            assert {alias.name.split(".")[0] for alias in node.names} <= imports
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0
            assert node.module.split(".")[0] in imports
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id not in CALLS
        elif isinstance(node, ast.Attribute):
            assert node.attr not in methods


def test_modules_are_imported_by_names_of_our_own():
    """In the front door from a list, elsewhere by a name that is written there; never what was asked for."""
    calls = [
        (str(path.relative_to(PACKAGE)), node.args[0])
        for path in MODULES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") in ("import_module", "optional")
    ]
    assert {path for path, name in calls if not isinstance(name, ast.Constant)} == {"__init__.py", "_optional.py"}
    assert {name.value.split(".")[0] for _, name in calls if isinstance(name, ast.Constant)} <= EXTRAS
    assert all(name.isidentifier() for name in ladreg._LATER.values())
    with pytest.raises(AttributeError):
        ladreg.__getattr__("os")


WATCHED = """
import sys
import numpy as np
from sklearn.base import clone
from tests import public

rng = np.random.default_rng(0)
X, y = rng.standard_normal((24, 4)), rng.standard_normal(24)
def work():
    for model in public.ONE_EACH:
        fitted = clone(model).fit(X, y)
        if hasattr(fitted, "verify"):
            fitted.verify(X, y)
    for call in public.data_functions().values():
        call(X, y)

work()  # what is imported late is there now
watching, seen = [], set()
def hook(event, args):
    if watching and event.split(".")[0] in {"socket", "subprocess", "ctypes", "pickle", "marshal", "os", "shutil"}:
        seen.add(event)
    if watching and event in {"open", "import", "exec", "compile"}:
        seen.add(f"{event} {args[0]}")
sys.addaudithook(hook)
watching.append(True)
work()
watching.clear()
print(sorted(seen))
"""


def test_fits_touch_no_file_no_network_and_no_process():
    """Python tells an audit hook of each attempt."""
    result = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", WATCHED], capture_output=True, text=True, timeout=120, check=True
    )
    seen = ast.literal_eval(result.stdout)
    # NumPy and SciPy import names of modules that are loaded, from inside functions.
    assert [event for event in seen if not event.startswith("import ")] == []


@pytest.mark.parametrize("model", public.ESTIMATORS, ids=repr)
def test_a_saved_model_asks_to_trust_its_class_and_nothing_else(model):
    blob = skops.io.dumps(clone(model).fit(X, y))
    own = f"{type(model).__module__}.{type(model).__name__}"
    assert set(skops.io.get_untrusted_types(data=blob)) <= {own}
    copy = skops.io.loads(blob, trusted=[own])
    np.testing.assert_array_equal(public.slopes(copy), public.slopes(clone(model).fit(X, y)))


def spoiled(kind):
    """Sparse matrices that SciPy made, changed afterwards so that they name what is not there."""

    def changed(name, place, value):
        matrix = sp.coo_array(X).asformat(kind)
        values = getattr(matrix, name).copy()
        values[place] = value
        setattr(matrix, name, values)
        return matrix

    def shorter(name):
        matrix = sp.coo_array(X).asformat(kind)
        setattr(matrix, name, getattr(matrix, name)[:-3])
        return matrix

    if kind == "coo":
        for name, value in (("row", 24), ("row", -1), ("col", 4), ("col", -5), ("col", 2**31 - 1)):
            yield changed(name, 3, value)
        yield shorter("row")
        return
    many = 2**31 - 1
    for name, place, value in (
        ("indices", 3, many), ("indices", 3, 24), ("indices", -1, -1), ("indptr", -1, many), ("indptr", 1, many),
        ("indptr", 2, -1), ("indptr", 0, 1), ("indptr", 0, -4), ("indptr", 2, 0), ("indptr", -1, 0),
    ):  # fmt: skip
        yield changed(name, place, value)
    yield from (shorter("indptr"), shorter("indices"), shorter("data"))


@pytest.mark.parametrize("kind", ["csr", "csc", "bsr", "coo"])
@pytest.mark.parametrize("model", public.ONE_EACH, ids=lambda model: type(model).__name__)
def test_sparse_data_that_name_what_is_not_there_are_refused(model, kind):
    fitted = clone(model).fit(X, y)
    for wrong in spoiled(kind):
        with pytest.raises(ValueError, match=r"inconsistent indices"):
            clone(model).fit(wrong, y)
        if hasattr(fitted, "verify"):
            with pytest.raises(ValueError, match="inconsistent indices"):
                fitted.predict(wrong)
            with pytest.raises(ValueError, match="inconsistent indices"):
                fitted.verify(wrong, y)


@pytest.mark.parametrize("name", public.data_functions())
def test_functions_refuse_them_too(name):
    for kind in ("csr", "csc", "bsr", "coo"):
        for wrong in spoiled(kind):
            with pytest.raises(ValueError, match="inconsistent indices"):
                public.data_functions()[name](wrong, y)


@pytest.mark.parametrize("kind", ["csr", "csc", "bsr", "coo", "lil", "dok", "dia"])
@pytest.mark.parametrize("index", [np.int32, np.int64])
def test_sound_sparse_data_are_taken_in_any_form(kind, index):
    matrix = sp.coo_array(X)
    matrix.coords = tuple(axis.astype(index) for axis in matrix.coords)
    expected = ladreg.LADRegressor().fit(X, y)
    fitted = ladreg.LADRegressor().fit(matrix.asformat(kind), y)
    np.testing.assert_allclose(fitted.coef_, expected.coef_, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(fitted.predict(matrix.asformat(kind)), expected.predict(X), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("model", public.ONE_EACH, ids=lambda model: type(model).__name__)
def test_fields_of_packed_records_are_fitted_as_their_copies(model):
    """Their numbers lie at any byte, which compiled code must not be handed."""
    records = np.zeros(24, dtype=[("flag", "u1"), ("X", "f8", 4), ("y", "f8"), ("weight", "f8")])
    records["X"], records["y"], records["weight"] = X, y, 1.0 + (np.arange(24) % 3)
    assert not records["X"].flags.aligned
    parts = records["X"], records["y"], records["weight"]
    fitted = clone(model).fit(*parts[:2], sample_weight=parts[2])
    expected = clone(model).fit(*(part.copy() for part in parts[:2]), sample_weight=parts[2].copy())
    np.testing.assert_allclose(public.slopes(fitted), public.slopes(expected), rtol=1e-12, atol=1e-15)
    sparse = sp.csr_array(X)
    for name in ("data", "indices", "indptr"):
        values = getattr(sparse, name)
        memory = np.zeros(values.nbytes + 1, dtype=np.uint8)[1:].view(values.dtype)
        memory[...] = values
        setattr(sparse, name, memory)
    expected = clone(model).fit(sp.csr_array(X), y)
    np.testing.assert_allclose(public.slopes(clone(model).fit(sparse, y)), public.slopes(expected), rtol=1e-12)
