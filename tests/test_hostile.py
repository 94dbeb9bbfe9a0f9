"""Data that are hard: degenerate, of extreme size, denormal, shifted, read-only. Every estimator, and the functions."""

import importlib
import pickle
import re
import warnings
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.base import clone

from ladreg import ConformalQuantileRegressor, ElasticNetCD, LassoCD, LassoCDCV, LassoCDIC, StabilitySelection
from ladreg._estimators import training_data
from tests.public import (
    CRITERIA,
    CROSS_VALIDATED,
    ESTIMATORS,
    PLAIN,
    REGRESSORS,
    answers,
    data_functions,
    rescaled,
    slopes,
)

every = pytest.mark.parametrize("model", ESTIMATORS, ids=repr)
every_regressor = pytest.mark.parametrize("model", REGRESSORS, ids=repr)
rng = np.random.default_rng(0)
X = rng.standard_normal((24, 4))
# Multiples of 2^-16, which stay what they are beside 1e9.
y = np.round((X @ [2.0, -1.0, 0.0, 0.5] + rng.standard_normal(24)) * 2**16) / 2**16
line = np.arange(12.0)


@cache
def plain(model):
    """The fit to X and y, which most laws compare another fit with."""
    return clone(model).fit(X, y)


def same(found, wanted, factor=1.0):
    """Coefficients are `factor` times the wanted ones, or a selector's shares are the same."""
    if isinstance(found, StabilitySelection):
        np.testing.assert_array_equal(found.stability_paths_, wanted.stability_paths_)
        return
    large = np.abs(wanted.coef_ * factor).max()
    np.testing.assert_allclose(found.coef_, wanted.coef_ * factor, rtol=1e-9, atol=1e-9 * large)


HARD = {
    "constant column": (np.column_stack([np.ones(12), line**2]), line),
    "zero table": (np.zeros((12, 2)), line),
    "duplicate": (np.repeat(line[:, None], 3, axis=1), line**2),
    "collinear": (np.column_stack([line, 2 * line + 1, 3 - line]), line**2),
    "equal rows": (np.tile([[1.0, 2.0]], (12, 1)), line),
    "equal rows and y": (np.tile([[1.0, 2.0]], (12, 1)), np.full(12, 3.0)),
    "constant y": (X[:12], np.full(12, 7.0)),
    "zero y": (X[:12], np.zeros(12)),
    "two rows": (np.array([[1.0, 2.0], [3.0, 5.0]]), np.array([3.0, 4.0])),
    "n = 1": (np.array([[1.0, 2.0]]), np.array([3.0])),
    "p > n": (rng.standard_normal((6, 30)), np.arange(6.0)),
    "even n, integers, repeated rows": (np.repeat(np.round(X[:6]), 2, axis=0), np.round(line % 4)),
}


@every
def test_degenerate_data_have_a_finite_certified_answer(model):
    divides = isinstance(model, StabilitySelection | ConformalQuantileRegressor) or model in CROSS_VALIDATED
    for kind, (hard_X, hard_y) in HARD.items():
        if kind == "n = 1" and divides:
            with pytest.raises(ValueError, match=r"n_samples=1|minimum of 2 is required"):
                clone(model).fit(hard_X, hard_y)
            continue
        fitted = clone(model).fit(hard_X, hard_y)
        for name, values in answers(fitted).items():
            assert np.isfinite(values).all(), (kind, name)
        if hasattr(fitted, "certificate_"):
            proofs = fitted.certificate_
            assert all(one.relative_gap < 1e-9 for one in (proofs if isinstance(proofs, list) else [proofs])), kind
        if kind in ("equal rows", "equal rows and y", "zero table", "constant y", "zero y"):
            assert not np.any(slopes(fitted)), kind


@every
def test_equal_columns_have_equal_coefficients(model):
    fitted = clone(model).fit(np.column_stack([X[:, 0], X[:, 1], X[:, 0]]), y)
    found = slopes(fitted)
    columns = found if isinstance(model, StabilitySelection) else np.atleast_2d(found).T
    assert columns[0].any()
    np.testing.assert_allclose(columns[0], columns[2], rtol=1e-9)


@every
def test_constant_and_zero_columns_get_no_coefficient(model):
    wide = np.column_stack([X, np.full(24, 0.1), np.zeros(24)])
    found, without = slopes(clone(model).fit(wide, y)), slopes(plain(model))
    if isinstance(model, StabilitySelection):
        found, without = found.T, without.T
    assert not found[..., -2:].any()
    np.testing.assert_allclose(found[..., :-2], without, rtol=1e-9, atol=1e-12)


@every_regressor
def test_the_answer_does_not_depend_on_the_order_of_rows(model):
    table, target = np.repeat(np.round(X[:10]), 2, axis=0), np.repeat(np.round(y[:10]), 2) + np.tile([0.0, 1.0], 10)
    order = np.random.default_rng(1).permutation(20)
    one, other = clone(model), clone(model)
    if model in CROSS_VALIDATED:
        place, folds = np.argsort(order), [(np.arange(10), np.arange(10, 20)), (np.arange(10, 20), np.arange(10))]
        one.set_params(cv=folds)
        other.set_params(cv=[(np.sort(place[train]), np.sort(place[test])) for train, test in folds])
    same(other.fit(table[order], target[order]), one.fit(table, target))


@pytest.mark.parametrize("seed", [0, 3, 4])
def test_rows_of_weight_zero_change_no_bit_of_the_other_weights(seed):
    """Sums of other lengths round otherwise, and a last bit decides between optima that are tied."""
    rng = np.random.default_rng(seed)
    present = rng.random(200) > 0.2
    weight = np.where(present, rng.exponential(size=200), 0.0)
    table, target = rng.standard_normal((200, 2)), rng.standard_normal(200)
    found = training_data(LassoCD(), table, target, weight)
    wanted = training_data(LassoCD(), table[present], target[present], weight[present])
    assert found.weight.tobytes() == wanted.weight.tobytes()


@every
def test_rows_of_weight_zero_are_as_if_absent(model):
    weight = np.tile([0.0, 1.0], 12)
    wild = np.where(weight > 0, y, 1e200)
    one, other = clone(model), clone(model)
    if model in CROSS_VALIDATED:
        one.set_params(cv=[(np.arange(12), np.arange(12, 24)), (np.arange(12, 24), np.arange(12))])
    same(one.fit(X, wild, sample_weight=weight), other.fit(X[1::2], y[1::2]))


SIZES = [1e-150, 1e-9, 1e150]


@every
@pytest.mark.parametrize("size", SIZES)
def test_units_do_not_matter(model, size):
    for x_unit, y_unit in ((1.0, size), (size, 1.0), (size, size), (1.0 / size, size)):
        twin = rescaled(model, x_unit, y_unit)
        if twin is not None:
            same(twin.fit(X * x_unit, y * y_unit), plain(model), y_unit / x_unit)


def test_every_model_has_a_twin_in_small_units():
    assert all(rescaled(model, 1.0, 1e-150) is not None for model in ESTIMATORS)


@every
@pytest.mark.parametrize("units", [[1e-9, 1, 1, 1], [1, 1e9, 1, 1], [1e-9, 1, 1e9, 1], [1e-150, 1, 1, 1e150]])
def test_units_of_single_columns_do_not_matter(model, units):
    units, twin, given = np.array(units), clone(model), model.get_params()
    is_standardized, is_combined = given.get("standardize", False), "penalty_l1_ratio" in given
    if given.get("l1_ratio", 1.0) != 1.0 and not (is_standardized or is_combined):
        pytest.skip("one weight for both terms of a penalty does not undo units")
    if given.get("bounds") is not None:
        twin.set_params(bounds=tuple(np.outer(given["bounds"], 1.0 / units)))
    if isinstance(model, StabilitySelection):
        twin.set_params(estimator=LassoCD(penalty_weights=units))
    elif not model.get_params().get("standardize"):
        twin.set_params(penalty_weights=units)
    same(twin.fit(X * units, y), plain(model), 1.0 / units)


@every
def test_the_scale_of_weights_does_not_matter(model):
    weight = np.random.default_rng(2).exponential(size=24)
    wanted = clone(model).fit(X, y, sample_weight=weight)
    for factor in (1e-300, 1e12, 1e308 / weight.max()):  # the sum of the last is infinite
        same(clone(model).fit(X, y, sample_weight=weight * factor), wanted)


# Where the scale is estimated, held-out losses are of a loss that depends on the weights of all rows.
GIVEN_LOSS = [model for model in CROSS_VALIDATED if model.get_params().get("scale") != "mad"]


@pytest.mark.parametrize("model", GIVEN_LOSS, ids=repr)
@pytest.mark.parametrize("n_others", [0, 30])
def test_a_training_row_that_is_named_twice_counts_twice(model, n_others):
    table = np.column_stack([X, 0.1 * np.random.default_rng(3).standard_normal((24, n_others))])
    train, test = np.arange(12), np.arange(12, 24)
    twice, weight = np.append(train, train[:6]), np.repeat([2.0, 1.0], [6, 18])
    name = type(model)._losses_name
    one = clone(model).set_params(cv=[(twice, test)], alphas=[0.3, 0.1]).fit(table, y)
    other = clone(model).set_params(cv=[(train, test)], alphas=[0.3, 0.1]).fit(table, y, sample_weight=weight)
    np.testing.assert_allclose(getattr(one, name), getattr(other, name), rtol=1e-9)


@every
@pytest.mark.parametrize("shift", [1e9, -1e9])
def test_a_shift_of_y_changes_no_slope(model, shift):
    with warnings.catch_warnings():
        # Beside 1e9 an intercept has no digits below 1e-7, which is in the gap, and is said.
        warnings.filterwarnings("ignore", message=".*did not reach tol=1e-09.*Rounding")
        moved = clone(model).fit(X, y + shift)
    same(moved, plain(model))
    if hasattr(moved, "intercept_"):
        there = plain(model).intercept_
        np.testing.assert_allclose(moved.intercept_ - shift, there, atol=np.spacing(abs(shift)), rtol=1e-9)


@pytest.mark.parametrize(
    "name", ["lasso_path", "lad_path", "quantile_path", "quantile_grid", "alpha_max", "pivotal_alpha"]
)
@pytest.mark.parametrize("size", SIZES)
def test_units_do_not_matter_to_functions(name, size):
    call = data_functions()[name]
    wanted, scaled = (call(X * unit, y * unit) for unit in (1.0, size))
    if name == "pivotal_alpha":
        assert scaled == pytest.approx(wanted, rel=1e-9)
    elif name == "alpha_max":
        assert scaled / size / size == pytest.approx(wanted, rel=1e-9)
    else:
        np.testing.assert_allclose(scaled[1], wanted[1], rtol=1e-9, atol=1e-12)
        grid = {"lasso_path": size * size, "lad_path": size, "quantile_path": size}.get(name, 1.0)
        np.testing.assert_allclose(scaled[0] / grid, wanted[0], rtol=1e-9)


@pytest.mark.parametrize("name", ["lasso_path", "enet_path", "lad_path", "quantile_path", "quantile_grid", "alpha_max"])
def test_a_shift_of_y_changes_no_path(name):
    call = data_functions()[name]
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*did not reach tol=1e-09")
        wanted, moved = call(X, y), call(X, y + 1e9)
    pairs = [(wanted, moved)] if name == "alpha_max" else list(zip(wanted[:2], moved[:2], strict=True))
    for one, other in pairs:
        np.testing.assert_allclose(other, one, rtol=1e-9, atol=1e-12)


def test_the_standard_error_of_huge_and_tiny_losses():
    model = LassoCDCV(alphas=20, cv=4, selection="1se").fit(X, y)
    assert model.alpha_min_ < model.alpha_ < model.alphas_[0]
    for size in (1e-150, 1e-90, 1e90, 1e150):
        scaled = clone(model).fit(X, y * size)
        assert scaled.alpha_ / size == pytest.approx(model.alpha_, rel=1e-9)


@pytest.mark.parametrize("size", [1e-155, 1e-162, 1e-300])
def test_squares_that_underflow_are_an_error(size):
    for model in PLAIN + CROSS_VALIDATED + CRITERIA:
        twin = rescaled(model, 1.0, size)
        if type(model).__name__.startswith(("LAD", "Quantile")):
            same(twin.fit(X, y * size), plain(model), size)
        else:
            with pytest.raises(OverflowError, match=r"underflows float64: y is too small|leave float64"):
                twin.fit(X, y * size)


@pytest.mark.parametrize("size", [1e-200, 1e-160, 1e160, 1e200])
def test_squares_of_standardised_columns_that_leave_float64_are_an_error(size):
    with pytest.raises(OverflowError, match="columns' standard deviations overflow or underflow float64"):
        ElasticNetCD(alpha=0.1, standardize=True).fit(X * size, y)
    same(
        LassoCD(alpha=0.1, standardize=True).fit(X * size, y), LassoCD(alpha=0.1, standardize=True).fit(X, y), 1 / size
    )


@pytest.mark.parametrize("size", [1e-155, 1e-158, 1e-160, 1e-200])
@pytest.mark.parametrize("model", [LassoCDCV(alphas=5, eps=0.01, cv=2), LassoCDIC(alphas=5, eps=0.01)], ids=repr)
def test_a_tiny_column_does_not_spoil_the_sums_of_the_others(model, size):
    found = clone(model).fit(np.column_stack([X, X[:, 0] * size]), y)
    np.testing.assert_allclose(found.coef_[:4], plain(model).coef_, rtol=1e-9)
    assert found.coef_[4] == 0


DENORMAL = [1e-310, 5e-324]


@every
@pytest.mark.parametrize("size", DENORMAL)
def test_columns_of_denormal_numbers_are_zero_and_told(model, size):
    wanted = clone(model).fit(np.column_stack([X, np.zeros(24)]), y)
    small = np.column_stack([X, np.where(X[:, 0] > 0, size, 0.0)])
    for table in (small, sp.csr_array(small) if size == DENORMAL[0] else sp.csc_array(small)):
        with pytest.warns(UserWarning, match="X has denormal numbers.*treated as zero"):
            same(clone(model).fit(table, y), wanted)


@every
@pytest.mark.parametrize("size", DENORMAL)
def test_targets_that_are_all_denormal_are_zero_and_told(model, size):
    with pytest.warns(UserWarning, match="y has denormal numbers.*treated as zero"):
        fitted = clone(model).fit(X, np.where(y > 0, size, -size))
    assert not slopes(fitted).any()


@every
@pytest.mark.parametrize("size", DENORMAL)
def test_denormal_weights_are_zero_and_told(model, size):
    weight = np.tile([1.0, size], 12)
    one, wanted = clone(model), clone(model)
    if model in CROSS_VALIDATED:
        for each in (one, wanted):
            each.set_params(cv=[(np.arange(12), np.arange(12, 24)), (np.arange(12, 24), np.arange(12))])
    with pytest.warns(UserWarning, match="sample_weight has denormal numbers.*treated as zero"):
        one.fit(X, y, sample_weight=weight)
    same(one, wanted.fit(X, y, sample_weight=np.tile([1.0, 0.0], 12)))


@every
@pytest.mark.parametrize("size", DENORMAL)
def test_denormal_numbers_among_others_do_no_harm(model, size):
    few, target = X.copy(), y.copy()
    few[3, 1] = target[5] = size
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", "alpha=.* is the smallest that was tried")
        found = clone(model).fit(few, target)
        few[3, 1] = target[5] = 0.0
        same(found, clone(model).fit(few, target))
        if model not in CRITERIA:  # which count samples by their weights
            same(clone(model).fit(X, y, sample_weight=np.full(24, size)), plain(model))


def contents(array):
    parts = (array.data, array.indices, array.indptr) if sp.issparse(array) else (array,)
    return [part.tobytes() for part in parts]


def read_only(array):
    for part in (array.data, array.indices, array.indptr) if sp.issparse(array) else (array,):
        part.flags.writeable = False
    return array


@every
@pytest.mark.parametrize("form", [np.array, np.float32, sp.csr_array, sp.csc_matrix])
def test_a_second_fit_is_the_first_and_input_is_left_alone(model, form):
    given = [read_only(form(X.copy())), read_only(y.copy()), read_only(1.0 + np.arange(24.0))]
    before = [contents(each) for each in given]
    fitted = clone(model).fit(given[0], given[1], sample_weight=given[2])
    first = answers(fitted)
    fitted.fit(given[0], given[1], sample_weight=given[2])
    for name, values in answers(fitted).items():
        np.testing.assert_array_equal(values, first[name], err_msg=name)
    assert [contents(each) for each in given] == before


@pytest.mark.parametrize("name", data_functions())
def test_functions_leave_their_input_alone(name):
    given = [read_only(X.copy()), read_only(y.copy()), read_only(1.0 + np.arange(24.0))]
    before = [contents(each) for each in given]
    first, second = (data_functions()[name](given[0], given[1], sample_weight=given[2]) for _ in range(2))
    assert pickle.dumps(first) == pickle.dumps(second)
    assert [contents(each) for each in given] == before


@every
def test_a_failed_fit_leaves_the_estimator_as_it_was(model):
    fitted = clone(model).fit(X, y)
    before = pickle.dumps(vars(fitted))
    wide, nan = np.column_stack([X, X]), np.where(y > 0, y, np.nan)
    wrong = [
        (wide, nan, None),
        (wide[:-1], y, None),
        (wide, y, -np.ones(24)),
        (np.where(wide > 0, wide, np.inf), y, None),
    ]
    for bad_X, bad_y, weight in wrong:
        with pytest.raises(ValueError, match=r"NaN|infinity|inconsistent|Negative"):
            fitted.fit(bad_X, bad_y, sample_weight=weight)
        assert pickle.dumps(vars(fitted)) == before
    fresh = clone(model)
    with pytest.raises(ValueError, match="NaN"):
        fresh.fit(X, nan)
    assert pickle.dumps(vars(fresh)) == pickle.dumps(vars(clone(model)))


TESTS = Path(__file__).parent
PAGE = (TESTS.parent / "docs/faults_tests.rst").read_text()
GUIDE = (TESTS.parent / "docs/user_guide/faults.rst").read_text()


def rows_of(page, end):
    """Rows of the first table of a page, without its header."""
    return page[page.index(".. list-table::") : page.index(end)].split("\n   * - ")[2:]


def test_the_guide_has_the_rows_of_the_page():
    cases = [
        [row.split("\n     - ")[0] for row in rows_of(*page)] for page in ((PAGE, "Random"), (GUIDE, "Where units"))
    ]
    assert cases[0] == cases[1]


def test_every_row_of_the_page_names_tests_that_exist():
    rows = [re.findall(r"``(test_\w+\.py)(?:::(\w+))?``", row) for row in rows_of(PAGE, "Random problems")]
    assert len(rows) > 20
    assert all(rows), "a row without a test"
    for file, name in {test for row in rows for test in row}:
        module = importlib.import_module(f"tests.{file.removesuffix('.py')}")
        assert not name or callable(getattr(module, name, None)), f"{file}::{name}"


def test_every_test_of_bad_and_hard_data_is_on_the_page():
    for file in ("test_faults.py", "test_hostile.py"):
        names = re.findall(r"^def (test_\w+)", (TESTS / file).read_text(), flags=re.MULTILINE)
        missing = {name for name in names if f"{file}::{name}``" not in PAGE}
        assert missing <= UNNAMED, missing


# Tests that hold no row of the table: of the lists, of the page, and of messages that go without saying.
UNNAMED = {
    "test_no_public_name_is_forgotten",
    "test_every_model_has_a_twin_in_small_units",
    "test_the_guide_has_the_rows_of_the_page",
    "test_every_row_of_the_page_names_tests_that_exist",
    "test_every_test_of_bad_and_hard_data_is_on_the_page",
    "test_several_quantiles_of_several_targets_are_refused",
    "test_several_targets_warn_once_and_name_the_worst",
    "test_not_fitted",
    "test_wrong_number_of_features",
}


@pytest.mark.parametrize("model", REGRESSORS, ids=str)
@pytest.mark.parametrize(("unit", "middle"), [(1.0, 0.0), (1.0, 3e7), (1e-50, 0.0), (1e39, 0.0)])
@pytest.mark.filterwarnings("error:overflow", "error:underflow", "error:invalid value")
def test_coefficients_are_float32_only_where_that_holds_them(model, unit, middle):
    rng = np.random.default_rng(8)
    X = rng.standard_normal((50, 10)).astype(np.float32)
    y = (X[:, 0] + rng.standard_normal(50) + middle) * unit
    model = rescaled(model, 1.0, unit)
    if model is None:
        pytest.skip("no parameters say it in these units")
    wide, narrow = clone(model).fit(X.astype(np.float64), y), clone(model).fit(X, y)
    assert narrow.coef_.dtype == (np.float32 if unit == 1.0 and middle == 0.0 else np.float64)
    np.testing.assert_array_equal(narrow.coef_ != 0, wide.coef_ != 0)
    np.testing.assert_allclose(narrow.predict(X) / unit, wide.predict(X) / unit, rtol=1e-12, atol=1e-4)
    if hasattr(wide, "coef_path_"):
        np.testing.assert_allclose(narrow.coef_path_ / unit, wide.coef_path_ / unit, atol=1e-5)
        np.testing.assert_allclose(narrow.intercept_path_ / unit, wide.intercept_path_ / unit, rtol=1e-12, atol=1e-5)
