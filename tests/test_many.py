"""Many fits in one call are the fits one by one, with the same proof."""

import warnings
from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import Ridge

from ladreg import HuberLossRegressor, LADRegressor, LassoCD, QuantileRegressor, fit_many
from ladreg._certificate import VertexRows, prove_vertices
from ladreg._design import as_design
from ladreg._kernels import _simplex
from ladreg._piecewise import Family, FamilySolver, PiecewiseTuning
from ladreg._problem import Absolute, Pinball
from tests.faults import always

N = 600
rng = np.random.default_rng(0)
X = np.column_stack([rng.uniform(0, 4, N), 1e3 + rng.standard_normal(N), rng.integers(0, 2, N)])
y = X[:, 0] + (0.5 + 0.5 * X[:, 0]) * rng.standard_t(3, N)
GROUPS = rng.permutation(np.repeat(np.arange(12), N // 12))
WEIGHT = rng.exponential(size=N) * (rng.random(N) > 0.2)
TARGETS = np.column_stack([y, -y, np.roll(y, 1)])
MODELS = [LADRegressor(), QuantileRegressor(quantile=0.8, alpha=0), LADRegressor(fit_intercept=False)]


def same(found, place, one):
    assert found.objective[place] == pytest.approx(one.objective_, rel=1e-12)
    np.testing.assert_allclose(found.coef[place], one.coef_, rtol=1e-8, atol=1e-9)
    np.testing.assert_allclose(found.intercept[place], one.intercept_, rtol=1e-8, atol=1e-6)
    assert found.relative_gap[place] <= 1e-12
    assert found.unique[place] == one.certificate_.unique


@pytest.mark.parametrize("model", MODELS, ids=str)
@pytest.mark.parametrize("weight", [None, WEIGHT], ids=["equal", "weighted"])
def test_many_are_the_same_as_one_by_one(model, weight):
    def part(rows):
        return None if weight is None else weight[rows]

    found = fit_many(model, X, y, groups=GROUPS, sample_weight=weight)
    np.testing.assert_array_equal(found.keys, np.arange(12))
    assert found.n_single <= 1 + np.count_nonzero(~found.unique)
    for key in range(0, 12, 4):
        rows = key == GROUPS
        same(found, key, model.fit(X[rows], y[rows], part(rows)))
    found = fit_many(model, X, y, window=80, step=130, sample_weight=weight)
    assert found.keys.tolist() == [79, 209, 339, 469, 599]
    for place in (1, 4):
        rows = slice(found.keys[place] - 79, found.keys[place] + 1)
        same(found, place, model.fit(X[rows], y[rows], part(rows)))
    found = fit_many(model, X, TARGETS, sample_weight=weight)
    for k, target in enumerate(TARGETS.T):
        same(found, k, model.fit(X, target, weight))


@pytest.mark.parametrize("model", MODELS, ids=str)
def test_weights_of_replicates(model):
    weights = np.array([rng.multinomial(N, np.full(N, 1 / N)) for _ in range(8)])
    found = fit_many(model, X, y, sample_weight=weights)
    for k in (0, 5):
        same(found, k, model.fit(X, y, weights[k]))


@pytest.mark.parametrize("target", ["tied", "exact", "far", "many optima", "few rows"])
def test_what_is_not_ordinary_is_solved_on_its_own(target):
    table, values, groups = X[:, [0, 2]], y.copy(), GROUPS
    if target == "tied":
        values = np.round(values)
    elif target == "exact":
        values[groups == 3] = table[groups == 3] @ [1.0, 2.0]
    elif target == "far":
        values[groups == 3] *= 1e9
    elif target == "many optima":
        table = table[:, 1:]
    else:
        groups = np.where(np.cumsum(groups == 3) > 2, np.where(groups == 3, 4, groups), groups)
    found = fit_many(LADRegressor(), table, values, groups=groups)
    assert found.n_single < 12 or target in ("tied", "many optima")
    assert found.n_single > 0 or target in ("far", "tied")
    for key in range(0, 12, 3):
        rows = groups == key
        same(found, key, LADRegressor().fit(table[rows], values[rows]))


@pytest.mark.parametrize(
    "model",
    [LADRegressor(alpha=0.1), LADRegressor(positive=True), HuberLossRegressor(), LassoCD(alpha=0.1)],
    ids=str,
)
def test_other_models_are_fitted_one_by_one(model):
    table = X[:, [0, 2]]
    found = fit_many(model, table, y, groups=GROUPS % 3)
    assert found.n_single == 3
    rows = GROUPS % 3 == 1
    one = model.fit(table[rows], y[rows])
    assert found.objective[1] == pytest.approx(one.objective_, rel=1e-9)
    np.testing.assert_allclose(found.coef[1], one.coef_, rtol=1e-8, atol=1e-12)


def test_sparse_tables_are_fitted_one_by_one():
    found = fit_many(LADRegressor(), sp.csr_array(X), y, groups=GROUPS % 2)
    dense = fit_many(LADRegressor(), X, y, groups=GROUPS % 2)
    assert (found.n_single, dense.n_single) == (2, 0)
    np.testing.assert_allclose(found.objective, dense.objective, rtol=1e-12)


def test_fits_depend_on_neither_threads_nor_order():
    """Enough rows for two blocks."""
    n = 40_000
    labels = np.arange(n) % 100
    table, target = rng.standard_normal((n, 15)), rng.standard_normal(n)
    first = fit_many(LADRegressor(), table, target, groups=labels)
    other = fit_many(LADRegressor(), table, target, groups=labels, n_jobs=2)
    np.testing.assert_array_equal(first.coef, other.coef)
    np.testing.assert_array_equal(first.gap, other.gap)
    order = rng.permutation(n)
    moved = fit_many(LADRegressor(), table[order], target[order], groups=labels[order])
    np.testing.assert_allclose(moved.coef, first.coef, rtol=1e-8, atol=1e-10)


def test_rows_are_predicted_by_their_groups():
    names = np.array(list("abcdefghijkl"))[GROUPS]
    found = fit_many(LADRegressor(), X, y, groups=names)
    everything = found.predict(X)
    assert everything.shape == (N, 12)
    np.testing.assert_allclose(found.predict(X, groups=names), everything[np.arange(N), GROUPS])
    np.testing.assert_allclose(found.predict(sp.csr_array(X), groups=names), everything[np.arange(N), GROUPS])
    with pytest.raises(ValueError, match="there is no fit for group z"):
        found.predict(X[:1], groups=["z"])
    with pytest.raises(ValueError, match="X has 2 features, but the fits have 3 coefficients"):
        found.predict(X[:, :2])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "exactly one of groups"),
        ({"groups": GROUPS, "window": 30}, "exactly one of groups"),
        ({"window": N + 1}, "more than the 600 rows"),
        ({"window": 0}, "window must be"),
        ({"window": 30, "step": 0}, "step must be"),
        (
            {"groups": GROUPS, "sample_weight": np.where(GROUPS == 2, 0.0, 1.0)},
            "all weights of group .*2.* are zero",
        ),
        ({"window": 30, "sample_weight": np.where(np.arange(N) < 40, 0.0, 1.0)}, "the window that ends at row 29"),
        ({"sample_weight": -np.ones((2, N))}, "Negative values in sample_weight"),
        ({"groups": GROUPS[1:]}, "inconsistent numbers of samples"),
    ],
)
def test_what_makes_no_sense_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        fit_many(LADRegressor(), X, y, **options)


def test_other_estimators_are_refused():
    with pytest.raises(TypeError, match="fit_many takes one of ladreg's regressors, got Ridge"):
        fit_many(Ridge(), X, y, groups=GROUPS)
    with pytest.raises(ValueError, match="fit_many takes one quantile"):
        fit_many(QuantileRegressor(quantile=[0.2, 0.8], alpha=0), X, y, groups=GROUPS)


def test_one_warning_tells_of_all_that_did_not_converge():
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        fit_many(LassoCD(alpha=1e-3, max_iter=1, tol=1e-14), X, y, groups=GROUPS)
    assert [one.category for one in told].count(ConvergenceWarning) <= 1


@pytest.mark.parametrize("place", [12, 13, 14], ids=["point", "basis", "dual"])
def test_a_vertex_that_is_wrong_is_not_proved(place):
    def broken(real, *arguments):
        real(*arguments)
        arguments[place][...] = 0 if place == 13 else 1.001 * arguments[place]

    with always(_simplex, "vertices", broken):
        found = fit_many(QuantileRegressor(quantile=0.3, alpha=0), X, y, groups=GROUPS % 3)
    assert found.n_single == 3
    assert found.relative_gap.max() <= 1e-12


def test_a_dual_that_does_not_balance_a_column_proves_nothing():
    """A median of five rows: the sum of the duals is zero, or the bound is none."""
    rows = VertexRows(
        np.ones((5, 1)), np.array([0.0, 1.0, 2.0, 3.0, 10.0]), np.full(5, 0.2), np.array([0]), np.array([5])
    )
    for left, gap in [(0.0, 0.0), (1e-9, np.inf)]:
        dual = np.array([-0.2, -0.2, left, 0.2, 0.2])
        assert prove_vertices(Absolute(), rows, np.array([[2.0]]), dual, np.array([[2]])).gap == [gap]


@pytest.mark.parametrize("factor", [0.25, 4.0])
@pytest.mark.parametrize("name", ["descent_steps", "simplex_rows", "exchanges", "vertex_columns", "block_numbers"])
def test_numbers_of_the_tuning_do_not_change_the_optima(name, factor):
    default = PiecewiseTuning()
    value = getattr(default, name)
    first = np.arange(0, N, 60)
    places = np.full(10, 60), first, first, np.zeros(10, dtype=np.intp)
    family = Family(as_design(X), y, np.full(60, 1 / 60), Pinball(0.4), True, *places)
    expected = FamilySolver(family, default).solve(np.arange(10))
    tuning = replace(default, **{name: type(value)(value * factor)})
    found = FamilySolver(family, tuning).solve(np.arange(10))
    assert found.unique.sum() >= 9
    both = found.unique & expected.unique
    np.testing.assert_allclose(found.coef[both], expected.coef[both], rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize(("columns", "target", "most"), [(0.0, 1e6, 0), (1e5, 0.0, 0), (0.0, 1e9, 12)])
def test_the_origin_costs_no_single_fits_but_where_their_gap_is_warned_of(columns, target, most):
    near = np.round(X * 2**10) / 2**10  # exact where they are far
    goal = np.round(y * 2**10) / 2**10
    here = fit_many(LADRegressor(), near, goal, groups=GROUPS)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        there = fit_many(LADRegressor(), near + columns, goal + target, groups=GROUPS)
    assert there.n_single <= here.n_single + most
    assert [one.category for one in told] == [ConvergenceWarning] * bool(np.any(there.relative_gap > 1e-9))
    np.testing.assert_allclose(there.coef, here.coef, rtol=1e-9, atol=1e-12)
    assert np.all(there.gap <= 1e-12 + 1e-15 * (target + 1e2 * columns))
