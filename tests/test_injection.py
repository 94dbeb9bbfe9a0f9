"""Faults put into linear algebra and kernels at each call in turn: the answer is right, or a warning tells."""

import warnings
from contextlib import ExitStack

import numpy as np
import pytest
import scipy.linalg
import scipy.optimize
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning

from ladreg import LADRegressorCV, LADRegressorIC, LassoCDCV, LassoCDIC
from ladreg._kernels import (
    _cd,
    _dual_norms,
    _gram,
    _hash_groups,
    _homotopy,
    _interior_point,
    _line_search,
    _rows,
    _simplex,
)
from ladreg._least_squares import LeastSquaresTuning
from ladreg._paths import Folds, SquaredFolds
from ladreg._piecewise import PiecewiseTuning
from ladreg._problem import Settings
from tests.faults import CASES, SMALL, faulty, gives_up, numbers, proved

cases = pytest.mark.parametrize("case", CASES)
DECOMPOSITIONS = [(np.linalg, name) for name in ("cholesky", "inv", "pinv", "solve", "lstsq", "qr", "svd")]
RAISING = [*DECOMPOSITIONS, *((scipy.linalg, name) for name in ("qr", "solve_triangular", "cho_factor"))]
KERNELS = [
    (module, name)
    for module in (_cd, _gram, _hash_groups, _homotopy, _interior_point, _rows, _line_search, _simplex, _dual_norms)
    for name in dir(module)
    if not name.startswith("_") and callable(getattr(module, name))
]
# See `test_the_ways_of_large_tables`; `sides` lists rows, and writes no number that could be NaN.
OF_LARGE_TABLES = {
    "group",
    "crossed",
    "dense_burst",
    "sparse_burst",
    "pivot",
    "magnitudes",
    "vertices",
    "sides",
    "near_vertices",
}


def fit_with(case, fault):
    """The fit, or the exception that it ends with, and whether it warned."""
    model, (X, y) = CASES[case]
    model, error = clone(model), None
    with warnings.catch_warnings(record=True) as caught, fault as calls:
        warnings.simplefilter("always")
        try:
            model.fit(X, y)
        except Exception as problem:
            error = problem
    return model, error, any(issubclass(one.category, ConvergenceWarning) for one in caught), calls


def judge(case, model, warned):
    """The law: right, as it is without the fault, or a warning."""
    X, y = CASES[case][1]
    if not hasattr(model, "coef_"):
        assert np.isfinite(model.selection_probabilities_).all()
        return
    assert np.isfinite(model.coef_).all()
    assert np.isfinite(model.intercept_).all()
    if np.array_equal(model.coef_, REFERENCE[case].coef_):
        return  # proved before
    assert proved(model, X, y) or warned
    if hasattr(model, "alpha_") and not warned:
        # The same of the grid, whose first alpha may be rounded otherwise.
        np.testing.assert_allclose(model.alpha_, REFERENCE[case].alpha_, rtol=1e-12)


@pytest.fixture(scope="module", autouse=True)
def reference():
    REFERENCE.update({case: clone(model).fit(*data) for case, (model, data) in CASES.items()})
    for case, model in REFERENCE.items():
        assert case == "stability" or proved(model, *CASES[case][1])


REFERENCE = {}


def reached(case):
    """The functions that a fit calls, of all that are broken here."""
    model, data = CASES[case]
    with ExitStack() as stack:
        counted = {one: stack.enter_context(faulty(*one, 0, None)) for one in [*KERNELS, *RAISING]}
        clone(model).fit(*data)
    return [one for one, calls in counted.items() if calls]


@cases
def test_linear_algebra_that_gives_up_is_answered_or_told(case):
    for module, name in set(RAISING) & set(reached(case)):
        for number in numbers():
            model, error, warned, calls = fit_with(case, faulty(module, name, number, gives_up))
            if len(calls) < number:
                break
            assert error is None, (name, number, error)
            judge(case, model, warned)


def test_non_negative_least_squares_that_does_not_end_is_answered():
    def endless(*_, **__):
        raise RuntimeError("Maximum number of iterations reached.")

    for number in numbers():
        model, error, warned, calls = fit_with("lad, many optima", faulty(scipy.optimize, "nnls", number, endless))
        if len(calls) < number:
            break
        assert error is None
        judge("lad, many optima", model, warned)
    assert number > 1


def spoiled(real, *args, **kwargs):
    """The result with NaN from its middle on: arrays that come back, numbers, and arrays that were changed."""
    arrays = [one for one in args if isinstance(one, np.ndarray) and one.dtype.kind == "f" and one.flags.writeable]
    before = [one.copy() for one in arrays]
    result = real(*args, **kwargs)
    for one, old in zip(arrays, before, strict=True):
        if not np.array_equal(one, old, equal_nan=True):
            one.flat[one.size // 2 :] = np.nan
    return _with_nan(result)


def _with_nan(result):
    if isinstance(result, float):
        return np.nan
    if isinstance(result, np.ndarray) and result.dtype.kind == "f" and result.size:
        result = result.copy()
        result.flat[result.size // 2 :] = np.nan
    if isinstance(result, tuple):
        parts = [_with_nan(one) for one in result]
        return type(result)(*parts) if hasattr(result, "_fields") else tuple(parts)
    return result


@cases
def test_nan_from_a_kernel_or_a_decomposition_is_never_silent(case):
    for module, name in {*KERNELS, *DECOMPOSITIONS} & set(reached(case)):
        for number in (1, 2, 5, 12):
            model, error, warned, calls = fit_with(case, faulty(module, name, number, spoiled))
            if len(calls) < number:
                break
            if error is None:
                judge(case, model, warned)
            else:
                assert isinstance(error, (OverflowError, ValueError)), (name, number, error)


def test_the_faults_above_reach_every_kernel_and_every_decomposition():
    names = {name for case in CASES for _, name in reached(case)}
    named = {name for _, name in [*KERNELS, *RAISING]}
    assert named - names <= OF_LARGE_TABLES


@pytest.mark.parametrize(
    ("case", "module", "name"),
    [
        ("lad", scipy.linalg, "cho_solve"),
        ("least squares", _cd, "dense_burst"),
        ("lasso", _cd, "dense_burst"),
        ("lasso by residuals", _cd, "sparse_burst"),
    ],
)
def test_the_ways_of_large_tables(monkeypatch, case, module, name):
    monkeypatch.setattr("ladreg._arrays.SMALL", 1)
    squares, piecewise = LeastSquaresTuning(largest_gram=0, small_rows=1), PiecewiseTuning(vertex_rows=1)
    tuned = {LeastSquaresTuning: squares, PiecewiseTuning: piecewise}
    monkeypatch.setattr(Settings, "tuned", lambda _, kind: tuned.get(kind) or kind())
    monkeypatch.setattr("ladreg._certificate.dual_projection._QR_ENTRIES", 0)
    for fault in (gives_up, spoiled) if module is np.linalg else (spoiled,):
        for number in (1, 2, 3, 5, 9):
            model, error, warned, calls = fit_with(case, faulty(module, name, number, fault))
            if len(calls) < number:
                break
            if error is None:
                judge(case, model, warned)
            else:
                assert fault is spoiled
                assert isinstance(error, (OverflowError, ValueError))
        assert number > 1


def test_a_choice_among_nan_is_an_error(monkeypatch):
    """Without the guard argmin would choose the NaN."""

    def first_is_nan(real):
        def function(*args):
            found = real(*args)
            found[0] = np.nan
            return found

        return function

    for model, owner, name in (
        (LassoCDCV(alphas=4, cv=2), SquaredFolds, "losses"),
        (LADRegressorCV(alphas=2, cv=2), Folds, "losses"),
        (LassoCDIC(alphas=4), LassoCDIC, "_deviance"),
        (LADRegressorIC(alphas=2), LADRegressorIC, "_deviance"),
    ):
        monkeypatch.setattr(owner, name, first_is_nan(getattr(owner, name)))
        with pytest.raises(OverflowError, match="overflows"):
            model.fit(*SMALL)
        assert vars(model) == vars(clone(model))
