"""Whatever a kernel is handed, it does what it says or raises: it never touches memory that is not its own.

Each call is made twice, with arrays of their own, which AddressSanitizer watches, and inside fences that show writes
beyond them without it.
"""

import faulthandler
import importlib
from pathlib import Path
from types import BuiltinFunctionType

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ladreg import _kernels
from tests.kernel_calls import CALLS, MODULES, P, some

REFUSED = (ValueError, TypeError, OverflowError, BufferError)
FENCE = 256
every = pytest.mark.parametrize("call", CALLS, ids=[f"{call.name}{k}" for k, call in enumerate(CALLS)])


@pytest.fixture(autouse=True)
def _limit():
    faulthandler.dump_traceback_later(120, exit=True)
    yield
    faulthandler.cancel_dump_traceback_later()


def other_shapes(a):
    """Arrays of the same type that are shorter, longer, empty, turned, or of other dimensions."""
    yield from (np.array(a.flat[0]), a.flat[0], a[None].copy(), a[..., None].copy())
    for axis, size in enumerate(a.shape):
        for count in (0, 1, size - 1, size + 1, 2 * size, 1000):
            yield np.take(a, np.arange(count) % size, axis=axis).copy()
    if a.ndim == 2:
        yield a.ravel().copy()
        if a.shape[0] != a.shape[1]:
            yield a.T.copy()


def other_layouts(a):
    """The same numbers, stored in another way."""
    yield np.repeat(a, 2, axis=-1)[..., ::2]
    yield np.repeat(a, 3, axis=0)[::3]
    yield np.ascontiguousarray(a[::-1])[::-1]
    yield np.asfortranarray(a)
    yield a.astype(a.dtype.newbyteorder())
    shifted = np.zeros(a.nbytes + 1, dtype=np.uint8)[1:].view(a.dtype).reshape(a.shape)
    shifted[...] = a
    yield shifted
    packed = np.zeros(a.shape[0], dtype=[("gap", "u1", 4), ("row", a.dtype, a.shape[1:])])
    packed["row"] = a
    yield packed["row"]
    locked = a.copy()
    locked.flags.writeable = False
    yield locked


def other_types(a):
    """Numbers of another type, and no array at all."""
    for dtype in (np.float32, np.float64, np.int32, np.int64, np.uint64, np.int8, bool, complex, object, "S8"):
        if dtype != a.dtype:
            yield a.astype(dtype)
    yield from (a.tolist(), "text", b"bytes", 3, object(), memoryview(a.tobytes()), {})


def other_contents(a):
    """Numbers that nobody asked for, in one place and in all."""
    if a.dtype.kind == "f":
        values = (np.nan, np.inf, -np.inf, 1e308, -1e308, 0.0, 5e-324, -1.0)
    elif a.dtype == bool:
        values = (False, True)
    else:
        values = (-1, np.iinfo(a.dtype).max, np.iinfo(a.dtype).min, 1000)
    for value in values:
        for place in (0, a.size - 1, slice(None)):
            spoiled = a.copy()
            spoiled.reshape(-1)[place] = value
            yield spoiled


def others(value, limit):
    """Numbers in the place of a number."""
    if isinstance(value, float):
        return [np.nan, np.inf, -np.inf, 1e308, 0.0, -1.0, "a", None]
    return [-1, 0, 1.5, "a", None, 10**30, -(10**30), -(2**63), *([limit, 1000] if limit else [])]


def fenced(a):
    """A copy between two fences, and a function that says whether they stand."""
    memory = np.full(a.nbytes + 2 * FENCE, 0xA5, dtype=np.uint8)
    inner = memory[FENCE : FENCE + a.nbytes].view(a.dtype).reshape(a.shape)
    inner[...] = a
    return inner, lambda: bool((memory[:FENCE] == 0xA5).all() and (memory[FENCE + a.nbytes :] == 0xA5).all())


def is_plain(value):
    return isinstance(value, np.ndarray) and value.flags.carray and value.dtype.kind in "fiu" and value.dtype.isnative


def attempt(call, changes):
    """What comes back, and what was written; the error where the call is refused."""
    results = []
    for inside in (False, True):
        arguments, fences = {**call.make(), **changes}, []
        for name, value in arguments.items():
            if not is_plain(value):
                continue
            arguments[name], stands = fenced(value) if inside else (value.copy(), lambda: True)
            fences.append(stands)
        try:
            result = call.function(*arguments.values())
            results.append((result, {name: np.array(arguments[name]) for name in call.written}))
        except REFUSED as error:
            results.append(error)
        assert all(stands() for stands in fences), "written beyond an array"
    assert isinstance(results[0], REFUSED) == isinstance(results[1], REFUSED)
    return results[0]


def arrays(call):
    return {name: value for name, value in call.make().items() if isinstance(value, np.ndarray) and value.size}


def same(one, other):
    np.testing.assert_allclose(np.asarray(one[0], float), np.asarray(other[0], float), rtol=1e-9)
    for name, written in one[1].items():
        np.testing.assert_allclose(written, other[1][name], rtol=1e-9, atol=1e-12)


def test_every_kernel_is_here():
    found = {
        (module.__name__, name)
        for module in MODULES
        for name, value in vars(module).items()
        if not name.startswith("__") and (isinstance(value, BuiltinFunctionType) or hasattr(value, "__code__"))
    }
    assert found == {(call.function.__module__, call.name) for call in CALLS}


def test_every_kernel_has_a_twin_in_numpy():
    folder = Path(_kernels.__file__).parent
    assert {path.stem for path in folder.glob("*.pyx")} == {module.__name__.rpartition(".")[2] for module in MODULES}
    twins = [importlib.import_module(f"ladreg._kernels.{path.stem}") for path in folder.glob("reference*.py")]
    assert [call.name for call in CALLS if not any(hasattr(twin, call.name) for twin in twins)] == []


@every
def test_valid_calls_are_taken(call):
    result = attempt(call, {})
    assert not isinstance(result, REFUSED), result


@every
def test_other_shapes_are_refused(call):
    for name, value in arrays(call).items():
        for other in other_shapes(value):
            taken = name in call.free and other.ndim == value.ndim and other.shape[1:] == value.shape[1:]
            result = attempt(call, {name: other})
            assert taken or other.shape == value.shape or isinstance(result, REFUSED), (name, other.shape)


@every
def test_other_layouts_are_refused_or_the_same(call):
    expected = attempt(call, {})
    for name, value in arrays(call).items():
        for other in other_layouts(value):
            result = attempt(call, {name: other})
            if name in call.written and not other.flags.writeable:
                assert isinstance(result, REFUSED), name
            if not other.flags.aligned:
                assert isinstance(result, REFUSED), name
            if not isinstance(result, REFUSED):
                same(result, expected)


@every
def test_other_types_are_refused_or_the_same(call):
    expected = attempt(call, {})
    for name, value in arrays(call).items():
        for other in other_types(value):
            result = attempt(call, {name: other})
            if not isinstance(result, REFUSED):
                assert name in ("X", "data", "known", "uncertain", "above"), (name, getattr(other, "dtype", other))
                same(result, expected)
        if name not in call.optional and name != "features":
            assert isinstance(attempt(call, {name: None}), REFUSED), name
    attempt(call, dict.fromkeys(arrays(call)))


@every
def test_indices_that_are_not_there_are_refused(call):
    for name in call.listed:
        for other in other_contents(call.make()[name]):
            assert isinstance(attempt(call, {name: other}), REFUSED), (name, other)


@every
def test_other_contents_do_no_harm(call):
    for name, value in arrays(call).items():
        for other in other_contents(value):
            attempt(call, {name: other})


@every
def test_other_numbers_do_no_harm(call):
    for name, value in call.make().items():
        if isinstance(value, float | int) and not isinstance(value, bool):
            for other in others(value, call.limits.get(name)):
                attempt(call, {name: other})


@every
def test_nothing_is_nothing(call):
    attempt(call, {name: value[:0, :0] if value.ndim == 2 else value[:0] for name, value in arrays(call).items()})


@pytest.mark.parametrize("index", [np.int32, np.int64])
@pytest.mark.parametrize("descending", [[0, 4, 2, 13], [0, 13, 2, 13], [5, 4, 9, 13]])
def test_columns_that_run_backwards_are_refused(index, descending):
    call = next(call for call in CALLS if call.name == "sparse_burst" and call.make()["indptr"].dtype == index)
    assert isinstance(attempt(call, {"indptr": np.array(descending, dtype=index)}), REFUSED)


def test_a_support_that_names_a_feature_twice_is_refused():
    call = next(call for call in CALLS if call.name == "settle")
    support = np.zeros(P, dtype=np.intp)
    for size in range(2, P + 1):
        assert isinstance(attempt(call, {"support": support, "size": size, "coef": some(P)}), REFUSED)


@st.composite
def spoiled_calls(draw):
    call = draw(st.sampled_from(CALLS))
    arguments, changes = call.make(), {}
    for name in draw(st.lists(st.sampled_from(list(arguments)), min_size=1, max_size=3, unique=True)):
        value = arguments[name]
        if not isinstance(value, np.ndarray):
            changes[name] = draw(st.sampled_from(others(value, None)))
            continue
        make = draw(st.sampled_from([other_shapes, other_layouts, other_types, other_contents]))
        changes[name] = draw(st.sampled_from(list(make(value))))
    return call, changes


@given(spoiled_calls())
def test_several_wrong_arguments_do_no_harm(spoiled):
    attempt(*spoiled)
