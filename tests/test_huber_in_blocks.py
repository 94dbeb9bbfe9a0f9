"""Huber's loss from rows in blocks: Newton's method by passes, the proof from sums, and the scale of all rows."""

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning

from ladreg import HuberLossRegressor, HuberLossRegressorCV, blocks
from ladreg._certificate import Curved, SquareSums, prove, prove_from_sums
from ladreg._design import as_design
from ladreg._from_blocks import Distance, LeastKeys, n_distinct_rows, row_keys, selected, survey, together
from ladreg._problem import Absolute, Coefficients, ElasticNet, Huber, Problem, Settings
from ladreg._row_blocks import Passes, Rows
from ladreg._solvers import solve

N = 20_000


def table(seed=0, n=N):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, 4)) * [1, 10, 0.1, 1] + [0, 3, 0, 1000]
    return X, X @ [1, 0.2, 0, 0.5] + rng.standard_t(2, n), rng.uniform(0.5, 2, n)


def assert_same(model, X, y, w=None, *, held=4000, n_passes=10):
    there = clone(model).fit(blocks.arrays(X, y, w, rows=3000).holding(held))
    here = clone(model).fit(X, y, w)
    assert there.scale_ == pytest.approx(here.scale_, rel=1e-12)
    assert there.objective_ == pytest.approx(here.objective_, rel=1e-12)
    reach = np.append(np.abs(X).max(axis=0).toarray() if sp.issparse(X) else np.abs(X).max(axis=0), 1.0)
    found, known = (np.append(one.coef_, one.intercept_) * reach for one in (there, here))
    np.testing.assert_allclose(found, known, rtol=0, atol=1e-9 * (np.abs(known).max() + here.scale_))
    assert there.certificate_.relative_gap <= 1e-12
    assert there.certificate_.unique == here.certificate_.unique
    assert there.n_passes_ <= n_passes
    return there


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"alpha": 0.05},
        {"positive": True, "penalty_weights": [1, 0, np.inf, 1], "alpha": 0.1},
        {"bounds": ([-1, 0.1, 0, -1], [0.5, 1, 1, 2])},
        {"alpha": 0.1, "l1_ratio": 0.3},
        {"fit_intercept": False},
    ],
)
def test_the_fit_is_that_of_memory(parameters):
    X, y, w = table()
    assert_same(HuberLossRegressor(**parameters), X, y)
    assert_same(HuberLossRegressor(scale=1.0, **parameters), X, y, w, n_passes=5)


def test_narrow_and_wide_pieces():
    X, y, w = table(1)
    assert_same(HuberLossRegressor(epsilon=0.01), X, y, w, n_passes=20)
    assert_same(HuberLossRegressor(epsilon=1e3), X, y, w, n_passes=9)
    assert_same(HuberLossRegressor(epsilon=1e-12), X, y, n_passes=12)


@pytest.mark.parametrize("scale", [1e-9, 1e-5])
@pytest.mark.parametrize("kind", ["plain", "lasso", "exact", "offset", "outliers", "ridges"])
def test_narrow_pieces_are_proved_to_rounding(kind, scale):
    """Few rows are on the curved piece: Newton's steps go on from the fit by absolute values."""
    X, y, w = table(5, 1500)
    if kind == "exact":
        y = np.where(np.arange(y.size) % 8 > 2, X @ [1, 0.2, 0, 0.5], y)
    X = X if kind == "offset" else X * [1, 1, 1, 0.001]
    y = np.where(np.arange(y.size) % 100 == 0, 1e9, y) if kind == "outliers" else y
    others = {"lasso": {"alpha": 0.05}, "ridges": {"alpha": 1e-3, "l1_ratio": 0.5, "positive": True}}.get(kind, {})
    model = HuberLossRegressor(scale=scale, **others)
    data = blocks.arrays(X, y, w, rows=500).holding(600)
    there, here = clone(model).fit(data), clone(model).fit(X, y, w)
    assert there.objective_ == pytest.approx(here.objective_, rel=1e-13, abs=0)
    assert there.certificate_.relative_gap <= 1e-13
    assert there.verify(data).relative_gap <= 1e-13
    assert there.n_passes_ <= 12


def test_the_bound_of_a_narrow_piece_is_below_better_coefficients():
    """Rows that are fitted exactly pull the optimum off them, by parts of the piece."""
    X = np.ones((400, 1))
    y = np.where(np.arange(400) % 4 == 3, 1.0, 0.0)
    data, delta = blocks.arrays(X, y, rows=100).holding(100), 1e-9
    model = HuberLossRegressor(epsilon=2.0, scale=delta / 2, fit_intercept=False).fit(data)
    assert model.coef_[0] == pytest.approx(delta / 3, rel=1e-12, abs=0)
    assert model.certificate_.gap <= 1e-12 * delta**2
    model.coef_ = np.zeros(1)
    # At zero the gap is that of the squares: 3/4 (delta / 3)^2 / 2.
    assert model.verify(data).gap == pytest.approx(delta**2 / 24, rel=1e-6, abs=0)


def test_tables_of_other_kinds():
    X, y, _ = table(2)
    rng = np.random.default_rng(3)
    dummies = np.eye(6)[rng.integers(0, 6, N)]
    assert_same(HuberLossRegressor(), dummies[:, 1:], rng.poisson(3, N) * 1.0)
    assert_same(
        HuberLossRegressor(), sp.csr_array(dummies[:, 1:]), y, rng.integers(0, 3, N) * 1.0, held=1000, n_passes=11
    )
    assert_same(HuberLossRegressor(), X, np.where(rng.random(N) < 0.01, 1e12, y), held=1000, n_passes=11)
    assert_same(HuberLossRegressor(), X, np.round(y))
    assert_same(HuberLossRegressor(), np.column_stack([X, X[:, 0] + X[:, 1]]), y, n_passes=10)
    exact = HuberLossRegressor().fit(blocks.arrays(X, X @ np.ones(4), rows=3000).holding(4000))
    np.testing.assert_allclose(exact.coef_, 1.0, rtol=1e-12)
    assert exact.scale_ < 1e-15


def test_a_scale_from_a_fit_that_is_not_proved_is_said():
    rng = np.random.default_rng(3)
    X = rng.standard_normal((N, 4))
    y = rng.poisson(np.exp(0.3 * X[:, 0])).astype(float)
    with pytest.warns(
        ConvergenceWarning, match="the fit by absolute values, from which the scale is estimated, is proved"
    ):
        HuberLossRegressor().fit(blocks.arrays(X, y, rows=3000).holding(100))


def test_the_scale_has_its_digits_far_from_the_origin():
    """An intercept of 2e9 rounds residuals by 2e-7: they are those of rows that are moved."""
    rng = np.random.default_rng(0)
    X = rng.integers(-500, 500, (900, 3)) + np.array([0.0, 0.0, 2.0**31])
    y = X @ [1, -2, 1] + rng.standard_normal(900)
    there, here = (HuberLossRegressor().fit(*data) for data in ([blocks.arrays(X, y, rows=300).holding(300)], [X, y]))
    assert there.scale_ == pytest.approx(here.scale_, rel=1e-12)


def test_coefficients_have_their_digits_far_from_the_origin():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((900, 3))
    y = np.round(2.0**20 * (X @ [1, -2, 1] + rng.standard_normal(900))) / 2.0**20  # 2^31 more leave no digit out
    near, far = (
        HuberLossRegressor(scale=1.0).fit(blocks.arrays(X, y + d, rows=300).holding(300)) for d in (0, 2.0**31)
    )
    np.testing.assert_allclose(far.coef_, near.coef_, rtol=0, atol=1e-13)


@pytest.mark.parametrize("seed", range(3))
def test_the_scale_of_few_rows_is_that_of_memory_where_fits_are_several(seed):
    rng = np.random.default_rng(seed)
    groups, y = rng.integers(0, 9, (300, 2)), rng.standard_normal(300)
    X = np.hstack([np.eye(9)[groups[:, 0]], np.eye(9)[groups[:, 1]]])
    there, here = (HuberLossRegressor().fit(*data) for data in ([blocks.arrays(X, y, rows=100).holding(150)], [X, y]))
    assert there.scale_ == pytest.approx(here.scale_, rel=1e-12)


def test_given_coefficients_are_proved():
    X, y, w = table(4)
    data = blocks.arrays(X, y, w, rows=3000).holding(4000)
    model = HuberLossRegressor(alpha=0.01).fit(X, y, w)
    assert model.verify(data).relative_gap < 1e-12
    model.coef_ = model.coef_ + 1e-3
    there, here = model.verify(data), model.verify(X, y, w)
    assert there.objective == pytest.approx(here.objective, rel=1e-13)
    best = HuberLossRegressor(scale=model.scale_, alpha=0.01).fit(X, y, w).objective_
    assert there.bound <= best * (1 + 1e-12)
    assert there.gap <= here.gap * 10
    assert not there.unique


def far_groups():
    """Three groups, the last with half of its rows near 1 and half near 11: all constants between are optimal."""
    rng = np.random.default_rng(0)
    group, x = np.repeat(np.arange(3), 50), rng.standard_normal(150)
    y = x + group + 0.3 * rng.standard_normal(150)
    y[100:] = np.where(np.arange(50) % 2, 1.0 - rng.random(50), 11.0 + rng.random(50))
    return np.column_stack([np.eye(3)[group], x]), y


def test_of_several_optima_blocks_of_few_rows_have_that_of_memory():
    X, y = far_groups()
    model = HuberLossRegressor(alpha=0.0, scale=1.0, fit_intercept=False)
    here = clone(model).fit(X, y)
    there = clone(model).fit(blocks.arrays(X, y, rows=50).holding(40))
    assert not here.certificate_.unique
    assert not there.certificate_.unique
    np.testing.assert_allclose(there.coef_, here.coef_, rtol=0, atol=1e-12)


def test_of_several_optima_folds_of_few_rows_have_those_of_memory():
    X, y = far_groups()
    order = np.random.default_rng(1).permutation(y.size)
    X, y = X[order], y[order]
    model = HuberLossRegressorCV(alphas=[0.01], cv=2, scale=1.0, fit_intercept=False, post_selection=0.0)
    here = clone(model).fit(X, y)
    there = clone(model).fit(blocks.arrays(X, y, rows=50).holding(40))
    np.testing.assert_allclose(there.huber_path_, here.huber_path_, rtol=1e-11)
    np.testing.assert_allclose(there.coef_, here.coef_, rtol=0, atol=1e-11)


@pytest.mark.parametrize("seed", range(6))
def test_sums_prove_no_more_than_rows(seed):
    """The bound of the sums is below the optimum, wherever the coefficients are."""
    rng = np.random.default_rng(seed)
    n, p, delta = 60, 3, 0.8
    X, w = rng.standard_normal((n, p)), rng.uniform(0.5, 2.0, n)
    w /= w.sum()
    y = X @ np.ones(p) + rng.standard_t(2, n)
    penalty = ElasticNet(np.full(p, 0.1 * (seed % 3)), positive=seed % 2 == 0)
    problem = Problem(as_design(X), y, w, Huber(delta), penalty, fit_intercept=False)
    best = solve(problem, Settings())
    for size, lean in zip((0.0, 1e-9, 1e-4, 0.1, 10.0, 0.1, 1e-4), (0, 0, 0, 0, 0, 1e-3, 0.3), strict=True):
        coef = penalty.within(best.coef + size * rng.standard_normal(p))
        residual = y - X @ coef
        leant = residual - X @ (lean * rng.standard_normal(p))
        clipped = np.clip(leant, -delta, delta)
        inside = np.where(np.abs(leant) <= 0.999 * delta, w, 0.0)
        off = inside * (residual - clipped)
        curved = Curved(
            loss=float(w @ Huber(delta).value(residual)),
            mass=float(inside.sum()),
            slope=X.T @ (inside * clipped),
            total=float(inside @ clipped),
            off_slope=X.T @ off,
            off_total=float(off.sum()),
            reach=np.abs(X).max(axis=0),
            inner=0.999 * delta,
            end=delta,
            beyond=float(w @ (clipped * (residual - clipped))),
            apart=float(w @ Huber(delta).fenchel_young(residual, clipped)),
        )
        sums = SquareSums(
            squares=float(w @ clipped**2),
            slope=X.T @ (w * clipped),
            total=float(w @ clipped),
            gram=X.T @ (inside[:, None] * X),
            column_squares=w @ X**2,
            y_square=2.0 * float(w @ Huber(delta).value(y)),
            fit_intercept=False,
            curved=curved,
        )
        proof = prove_from_sums(penalty, coef, sums)
        assert proof.objective == pytest.approx(problem.objective(coef, 0.0), rel=1e-13)
        assert proof.objective - proof.gap <= best.objective * (1 + 1e-13)
        if size <= 1e-9:
            other = prove(problem, coef, 0.0, w * clipped)
            assert proof.gap <= max(2.0 * other.gap, 1e-12 * proof.objective)


@pytest.mark.parametrize("kind", ["plain", "ties", "even", "weights", "zeros", "two values"])
def test_the_median_of_residuals_is_exact(kind):
    """Also where just over half of them are zero, and where half of them have one size and half another."""
    rng = np.random.default_rng(5)
    n = 12_000 if kind in ("even", "two values") else 12_001
    X, y = rng.standard_normal((n, 2)), rng.standard_t(2, n)
    y = np.round(y, 1) if kind == "ties" else y
    if kind == "zeros":
        y[rng.permutation(n)[:6050]] = 0.25
    elif kind == "two values":
        y = 0.25 + np.resize([1e-9, -3e9], n)
    w = rng.integers(0, 4, n) * 1.0 if kind == "weights" else None
    point = Coefficients(np.zeros(2), 0.25)
    size = np.repeat(np.abs(y - 0.25), 1 if w is None else w.astype(int))
    passes = Passes(blocks.arrays(X, y, w, rows=1000).source)
    seen = survey(passes, 4000, None)
    for held in (4000, 3):
        (found,) = together(passes, [selected(seen, Distance(point), 0.5 * seen.mass, 0.5 * seen.mass, held)])
        assert Absolute().location(found.values, found.weight) == pytest.approx(np.median(size), rel=1e-14)
        assert found.values.size < 4000
    (number,) = together(passes, [n_distinct_rows(seen)])
    assert number == (n if w is None else np.count_nonzero(w))


@pytest.mark.parametrize("weighted", [False, True])
def test_sampled_rows_weigh_as_much_as_all_rows(weighted):
    rng = np.random.default_rng(8)
    X, y = rng.standard_normal((12_000, 3)), rng.standard_normal(12_000)
    X[:, 2] *= rng.random(12_000) < 0.001
    w = rng.integers(0, 4, 12_000) * 1.0 if weighted else None
    seen = survey(Passes(blocks.arrays(X, y, w, rows=1000).source), 4000, None)
    assert seen.n_random < seen.sample.y.size < 6000
    assert seen.sample.weight.sum() == pytest.approx(12_000 if w is None else w.sum(), rel=1e-12)


def test_distinct_rows_are_counted():
    rng = np.random.default_rng(6)
    few = np.column_stack([rng.integers(0, 20, (50_000, 2)), rng.integers(0, 20, 50_000)]).astype(float)

    def counted(values, parts=7, sparse=False):
        total = None
        for part in np.array_split(values, parts):
            X = sp.csr_array(part[:, :-1]) if sparse else part[:, :-1]
            keys = LeastKeys.of(row_keys(Rows(X, part[:, -1], None)), np.ones(len(part)))
            total = keys if total is None else total + keys
        return total

    known = len(np.unique(few, axis=0))
    assert counted(few).n_distinct(50_000) == known
    assert counted(few, sparse=True).n_distinct(50_000) == known
    assert counted(-few + 0.0).n_distinct(50_000) == known
    plain = rng.standard_normal((40_000, 2))
    assert counted(plain).n_distinct(40_000) == 40_000
    twice = counted(np.concatenate([plain, plain]))
    assert twice.n_distinct(80_000) == pytest.approx(40_000, rel=0.05)
    np.testing.assert_array_equal(twice.keys, counted(np.concatenate([plain, plain]), parts=3).keys)
