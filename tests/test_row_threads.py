"""Large dense tables are read by several threads, whose number changes no bit; not inside other threads."""

import threading
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from ladreg import HuberLossRegressor, LADRegressor, LassoCD
from ladreg._design import as_design
from ladreg._kernels import _rows

MANY = 1 << 22


@cache
def table(order="C", dtype=float):
    rng = np.random.default_rng(0)
    X = np.asarray(rng.standard_normal((MANY // 20 + 1000, 20)), dtype=dtype, order=order)
    return X, X[:, 0] - X[:, 1] + rng.standard_t(3, len(X))


@pytest.fixture
def readers(monkeypatch):
    """The threads that read rows."""
    seen = set()

    def watched(real):
        def kernel(*args):
            seen.add(threading.current_thread())
            return real(*args)

        return kernel

    for name in ("forward", "backward", "sweep", "audit", "magnitudes", "curvatures", "column_stats", "products"):
        monkeypatch.setattr(_rows, name, watched(getattr(_rows, name)))
    return seen


def passes(X):
    design, rng = as_design(X), np.random.default_rng(1)
    coef, row = rng.standard_normal(design.n_features), rng.standard_normal(design.n_samples)
    weight, chosen = np.abs(row), np.arange(0, design.n_features, 3)
    yield design.matvec(coef)
    yield design.rmatvec(row)
    yield from design.sweep(coef, row, 0.5, weight, (-0.3, 0.7))
    yield from design.audit(coef, row, 0.5, weight, row, True)
    yield from design.gradient(coef, row, 0.5, weight)
    yield design.magnitudes(weight)
    yield design.curvatures(weight, coef)
    yield design.cross(weight, chosen, chosen)
    yield from design.extent(True)


@pytest.mark.parametrize(("order", "dtype"), [("C", float), ("F", float), ("C", np.float32)])
def test_passes_have_the_same_bits_with_any_number_of_threads(readers, order, dtype):
    found = {}
    for number in (1, 2, 3):
        readers.clear()
        with threadpool_limits(number, user_api="blas"):
            found[number] = [np.asarray(one).tobytes() for one in passes(table(order, dtype)[0])]
        assert (threading.main_thread() in readers) == (number == 1)
    assert found[1] == found[2] == found[3]


@pytest.mark.parametrize("model", [LADRegressor(), HuberLossRegressor(scale=1.0), LassoCD(alpha=0.1)], ids=str)
def test_fits_are_read_by_threads_and_off_inside_other_threads(readers, model):
    X, y = table()
    with threadpool_limits(2, user_api="blas"):
        threaded = model.fit(X, y).coef_.copy()
        assert any(thread.name.startswith("ladreg") for thread in readers)
        readers.clear()
        with ThreadPoolExecutor(1, thread_name_prefix="other") as pool:
            inside = pool.submit(lambda: model.fit(X, y).coef_.copy()).result()
        assert {thread.name.split("_")[0] for thread in readers} == {"other"}
    assert threaded.tobytes() == inside.tobytes()


def test_two_blocks_are_read_at_a_time(monkeypatch):
    both, real = threading.Barrier(2, timeout=60), _rows.backward
    calls = []

    def kernel(*args):
        calls.append(0)
        if len(calls) <= 2:
            both.wait()  # broken, and an error, if one block waits for the other
        return real(*args)

    monkeypatch.setattr(_rows, "backward", kernel)
    X, y = table()
    with threadpool_limits(2, user_api="blas"):
        as_design(X).rmatvec(y)
    assert len(calls) > 2


def test_an_error_in_a_thread_is_the_error_of_the_pass(monkeypatch):
    def kernel(*_):
        raise MemoryError("injected")

    monkeypatch.setattr(_rows, "backward", kernel)
    X, y = table()
    with threadpool_limits(2, user_api="blas"), pytest.raises(MemoryError, match="injected"):
        as_design(X).rmatvec(y)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("ladreg")]


def test_small_tables_are_read_by_the_thread_that_fits(readers):
    X, y = table()
    with threadpool_limits(2, user_api="blas"):
        LADRegressor().fit(X[: MANY // 25], y[: MANY // 25])
    assert readers == {threading.main_thread()}
