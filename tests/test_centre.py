"""The canonical optimum where optima are many: its laws over random draws, and its definition by another way."""

from contextlib import suppress

import numpy as np
import pandas as pd
import pytest
import scipy.optimize
import scipy.sparse as sp

from ladreg import (
    HuberLossRegressor,
    LADRegressor,
    LADRegressorCV,
    QuantileRegressor,
    QuantileRegressorCV,
    lad_path,
)
from ladreg._certificate import face_centre
from ladreg._certificate.polyhedron import Polyhedron
from ladreg._problem import Absolute, ElasticNet, Pinball
from tests.campaign import block_folds
from tests.campaign.centre import CLOSE, Centre
from tests.problems import AS_LARGE, make, solve

SOLVERS = ("auto", "linprog")
both_solvers = pytest.mark.parametrize("solver", SOLVERS)


def intercept_of(y, **options):
    weight = options.pop("sample_weight", None)
    model = QuantileRegressor(**options) if "quantile" in options else LADRegressor(**options)
    return model.fit(np.zeros((len(y), 1)), y, sample_weight=weight).intercept_


def middle_of_quantiles(y, weight, quantile):
    """The middle of all minimisers of the weighted loss, by integers: quantile is a multiple of 1/20."""
    loss = [
        np.sum(weight * np.where(y > b, round(20 * quantile) * (y - b), round(20 - 20 * quantile) * (b - y))) for b in y
    ]
    best = y[np.array(loss) == min(loss)]
    return (best.min() + best.max()) / 2


@both_solvers
def test_the_median_of_four_numbers(solver):
    assert intercept_of([1, 2, 10, 20], solver=solver) == pytest.approx(6.0, rel=1e-14)


@pytest.mark.parametrize("n_samples", [2, 4, 7, 20, 5000])
@both_solvers
def test_without_features_it_is_the_median_of_numpy(solver, n_samples):
    for seed in range(8 if n_samples < 100 else 1):
        rng = np.random.default_rng(seed)
        for y in (rng.standard_normal(n_samples), rng.integers(0, 9, n_samples).astype(float)):
            assert intercept_of(y, solver=solver) == pytest.approx(np.median(y), rel=1e-13, abs=1e-13)


@pytest.mark.parametrize("quantile", [0.25, 0.5, 0.75, 0.05])
@both_solvers
def test_without_features_it_is_the_middle_of_the_weighted_quantile(solver, quantile):
    several = 0
    for seed in range(40):
        rng = np.random.default_rng(seed)
        y, weight = rng.integers(0, 40, 8).astype(float), rng.integers(0, 4, 8)
        weight[0] += 1
        expected = middle_of_quantiles(y, weight, quantile)
        several += expected not in y
        found = intercept_of(y, sample_weight=weight, quantile=quantile, solver=solver)
        assert found == pytest.approx(expected, rel=1e-13, abs=1e-13), f"seed {seed}"
    assert several > 2 or quantile == 0.05


def test_faces_of_small_tables_need_no_interior_point_method():
    several = 0
    for seed in range(20):
        rng = np.random.default_rng(seed)
        X, y = np.column_stack([rng.standard_normal(60), rng.integers(0, 2, (60, 2))]), rng.standard_normal(60)
        problem = make(X, y, weight=np.bincount(rng.integers(0, 60, 60), minlength=60))
        small, large = solve(problem), solve(problem, tuning=AS_LARGE)
        assert small.stats["rung"] == 0
        assert small.stats["n_ip_iter"] == 0
        assert small.unique == large.unique
        assert small.objective == pytest.approx(large.objective, rel=1e-14, abs=0.0)
        assert small.coef == pytest.approx(large.coef, rel=1e-10, abs=1e-10)
        several += not small.unique
    assert several > 3


@pytest.mark.parametrize("n_groups", [4, 40])
@pytest.mark.parametrize("fit_intercept", [True, False])
@both_solvers
def test_with_dummies_it_is_the_median_of_each_group(solver, fit_intercept, n_groups):
    for seed in range(8):
        rng = np.random.default_rng(seed)
        group = rng.permutation(np.repeat(np.arange(n_groups), rng.integers(1, 5, n_groups) * 2))
        y = rng.integers(0, 50, group.size) / 20 + 10.0 ** rng.integers(-2, 3, group.size)
        X = (group[:, None] == np.arange(int(fit_intercept), n_groups)).astype(float)
        model = LADRegressor(fit_intercept=fit_intercept, solver=solver).fit(X, y)
        expected = pd.Series(y).groupby(group).median().to_numpy()
        found = model.predict((np.arange(n_groups)[:, None] == np.arange(int(fit_intercept), n_groups)).astype(float))
        np.testing.assert_allclose(found, expected, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("quantile", [0.25, 0.75])
def test_with_dummies_it_is_the_middle_of_each_groups_quantiles(quantile):
    rng = np.random.default_rng(0)
    group, y = np.repeat(np.arange(6), 8), rng.integers(0, 1000, 48).astype(float)
    weight = rng.integers(1, 4, 48)
    X = (group[:, None] == np.arange(6)).astype(float)
    model = QuantileRegressor(quantile=quantile, alpha=0.0, fit_intercept=False).fit(X, y, sample_weight=weight)
    expected = [middle_of_quantiles(y[group == k], weight[group == k], quantile) for k in range(6)]
    np.testing.assert_allclose(model.coef_, expected, rtol=1e-12)


def test_each_penalised_dummy_is_the_middle_of_its_own_interval():
    """Groups of six, a penalty of two rows: any number from the second smallest to the third one is optimal."""
    rng = np.random.default_rng(1)
    group, y = np.repeat(np.arange(5), 6), rng.integers(1, 1000, 30).astype(float)
    X = (group[:, None] == np.arange(5)).astype(float)
    model = LADRegressor(alpha=2 / 30, fit_intercept=False).fit(X, y)
    expected = [np.sort(y[group == k])[1:3].mean() for k in range(5)]
    np.testing.assert_allclose(model.coef_, expected, rtol=1e-12)


def test_hubers_loss_takes_the_middle_as_well():
    """Targets so far apart that those between the middle two have no curvature."""
    model = HuberLossRegressor(epsilon=1.0, scale=1.0)
    X = (np.repeat([0, 1], 4)[:, None] == np.arange(1, 2)).astype(float)
    y = np.array([1.0, 2.0, 10.0, 20.0, -300.0, 5.0, 20.0, 1e6])
    np.testing.assert_allclose(model.fit(X, y).predict(X[[0, 4]]), [6.0, 12.5], rtol=1e-12)


def paired(seed, n_pairs=6, n_features=2):
    """X, y, gap: rows in pairs, one above and one below a common prediction, whose `gap` the fit may cross.

    Any coefficients that keep between all pairs are optimal: a polyhedron of as many dimensions as there are columns.
    """
    rng = np.random.default_rng(seed)
    X = np.round(rng.standard_normal((n_pairs, n_features)), 1) + 0.1
    gap = rng.uniform(0.1, 2.0, (2, n_pairs))
    y = np.concatenate([gap[0], -gap[1]])
    return np.vstack([X, X]), y


def ranges_of(problem):
    """The oracle for a problem."""
    lower, upper = problem.loss.interval()
    return Centre(
        problem.design.rows(np.arange(problem.n_samples)),
        problem.y,
        problem.weight,
        upper,
        -lower,
        problem.penalty.strength,
        fit_intercept=problem.fit_intercept,
        bounds=problem.penalty.ends,
    )


def problems():
    for seed in range(16):
        rng = np.random.default_rng(seed)
        X, y = paired(seed, int(rng.integers(3, 8)), int(rng.integers(1, 5)))
        weight = np.tile(rng.integers(1, 4, y.size // 2), 2)
        yield f"pairs {seed}", make(X, y, weight=weight, fit_intercept=bool(seed % 2))
        yield f"penalised pairs {seed}", make(X, y, weight=weight, alpha=0.02, positive=seed % 5 == 0)
    for seed in range(24):
        rng = np.random.default_rng(seed)
        n_samples, n_features = rng.integers(4, 14), rng.integers(1, 6)
        X = rng.integers(-2, 3, (n_samples, n_features)).astype(float)
        y, weight = rng.integers(0, 4, n_samples), rng.integers(1, 4, n_samples)
        loss = Absolute() if seed % 2 else Pinball((0.25, 0.75)[seed // 2 % 2])
        yield f"integers {seed}", make(X, y, weight=weight, loss=loss, alpha=0.05 * (seed % 3 == 0))


@pytest.mark.parametrize(
    ("name", "problem"), list(problems()), ids=lambda value: value if isinstance(value, str) else ""
)
def test_it_is_what_the_definition_says(name, problem):
    """Ranges by linear programs, the centre by a quadratic one, which know nothing of duals and faces."""
    centre = ranges_of(problem)
    assert centre.coef is not None
    X = problem.design.rows(np.arange(problem.n_samples))
    for solver in SOLVERS:
        solution = solve(problem, solver=solver)
        assert solution.relative_gap < 1e-13 or solution.gap < 1e-14
        np.testing.assert_allclose(X @ solution.coef + solution.intercept, centre.prediction, atol=CLOSE / 5)
        np.testing.assert_allclose(solution.coef, centre.coef[: problem.n_features], atol=CLOSE)


@pytest.mark.parametrize("seed", [1, 2, 4])
def test_under_bounds_it_is_what_the_definition_says_in_all_units_and_with_limits_out_of_reach(seed):
    """Two factors and a column twice: the definition in ordinary units, the fits with sparse columns in any."""
    rng = np.random.default_rng(seed)
    first, second = rng.integers(0, 4, 16), rng.integers(0, 3, 16)
    X = np.column_stack([first[:, None] == np.arange(4), second[:, None] == np.arange(3), second == 0]).astype(float)
    y, p = rng.integers(0, 9, 16).astype(float), X.shape[1]
    lower, upper = rng.choice([-np.inf, -1.0, 0.0, 0.5], p), rng.choice([0.5, 2.0, np.inf], p)
    loss = Absolute() if seed % 2 else Pinball(0.25)
    posed = make(X, y, loss=loss)
    penalty = ElasticNet(np.zeros(p), False, np.zeros(p), lower, upper)
    centre = ranges_of(posed.with_penalty(penalty))
    assert np.ptp([centre.low, centre.high], axis=0).max() > 0.1
    unit = 10.0 ** rng.integers(-9, 9, p)
    far = np.where(np.isinf(lower), -1e100, lower), np.where(np.isinf(upper), 1e60, upper)
    for ends in ((lower, upper), far):
        for kind in (np.array, sp.csr_array, sp.csc_array):
            penalty = ElasticNet(np.zeros(p), False, np.zeros(p), ends[0] / unit, ends[1] / unit)
            solution = solve(make(kind(X * unit), y, loss=loss).with_penalty(penalty))
            assert not solution.unique
            found = X @ (unit * solution.coef) + solution.intercept
            np.testing.assert_allclose(found, centre.prediction, rtol=0, atol=CLOSE / 5)


def test_the_ranges_of_a_polyhedron_are_those_of_linear_programs(monkeypatch):
    blocks = []
    block = face_centre._block
    monkeypatch.setattr(face_centre, "_block", lambda one: blocks.append(one) or block(one))
    for seed in range(24):
        X, y = paired(seed, 12, 2 + seed % 4)
        solve(make(X, y, fit_intercept=False))
    assert len(blocks) >= 20
    enumerated = 0
    for directions in blocks:
        polyhedron = directions.polyhedron()
        vertex = polyhedron.vertex()
        found = polyhedron.support(directions.vector, vertex)
        corners = polyhedron.corners(vertex)
        enumerated += corners is not None
        by_corners = found if corners is None else (directions.vector @ corners.T).max(axis=1)
        for aim, value, other in zip(directions.vector, found, by_corners, strict=True):
            expected = scipy.optimize.linprog(-aim, A_ub=polyhedron.normal, b_ub=polyhedron.bound, bounds=(None, None))
            assert value == pytest.approx(-expected.fun, rel=1e-9, abs=1e-9)
            assert other == pytest.approx(-expected.fun, rel=1e-9, abs=1e-9)
    assert 0 < enumerated < len(blocks)


def counted_inverses(monkeypatch):
    """A list that grows by one for each vertex that is left: the inverse of its constraints is taken."""
    inverse, taken = np.linalg.inv, []
    monkeypatch.setattr(np.linalg, "inv", lambda matrix: taken.append(matrix) or inverse(matrix))
    return taken


@pytest.mark.parametrize("short", [1e-3, 1e-7, 1e-10])
def test_rounding_of_short_rows_is_no_direction(short):
    rng = np.random.default_rng(0)
    basis = np.linalg.qr(rng.standard_normal((3, 3)))[0]
    plane = np.array([[1, 0], [-1, 0], [0, 1], [0, -1], [1, 1], [-1, -1], [0, short], [0, -short]])
    ends = np.array([1, 0, 2, 0, 9, 9, 9 * short, 9 * short])  # plane @ z <= ends: 0 <= z0 <= 1, 0 <= z1 <= 2
    noise = np.where(np.abs(plane).max(axis=1) == short, 1e-15, 0.0)[:, None] * rng.standard_normal((8, 3))
    fit, goal = face_centre.equations(plane @ basis[:2] + noise, ends.astype(float), np.ones(8), np.ones(8))
    np.testing.assert_allclose(fit @ (basis[:2].T @ [0.5, 1.0]), goal, atol=1e-7)
    assert not (np.abs(fit @ basis[2]) > 1e-7).any()


def test_a_search_that_comes_to_a_vertex_again_ends_there(monkeypatch):
    """Nearly parallel constraints, where rounding takes searches round: they went on for thousands of vertices."""
    taken = counted_inverses(monkeypatch)
    for seed in range(200):
        rng = np.random.default_rng(seed)
        vector = rng.standard_normal((2, 3))[rng.integers(0, 2, 6)] + 1e-8 * rng.standard_normal((6, 3))
        vector /= np.linalg.norm(vector, axis=1)[:, None]
        low = -rng.integers(0, 3, 6).astype(float)
        polyhedron = Polyhedron.of(vector, low, low + rng.integers(0, 4, 6))
        vertex = polyhedron.vertex()
        if vertex is None:
            continue
        taken.clear()
        with suppress(np.linalg.LinAlgError):
            polyhedron.support(np.vstack([vector, -vector]), vertex)
        assert len(taken) <= 60


def test_a_bounding_box_is_not_sought_where_it_costs_more_than_it_saves(monkeypatch):
    taken = counted_inverses(monkeypatch)
    for n_dimensions, n_vectors, is_sought in ((20, 30, False), (12, 30, True)):
        rng = np.random.default_rng(0)
        vector = rng.standard_normal((n_vectors, n_dimensions))
        vector /= np.linalg.norm(vector, axis=1)[:, None]
        polyhedron = Polyhedron.of(vector, np.full(n_vectors, -1.0), rng.uniform(0.5, 2.0, n_vectors))
        vertex = polyhedron.vertex()
        taken.clear()
        polyhedron.without_far(vertex)
        assert bool(taken) == is_sought


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("alpha", [0.0, 0.02])
def test_targets_that_do_not_touch_the_optima_may_move_along_their_side(seed, alpha):
    X, y = paired(seed, 9, 1 + seed % 3)
    problem = make(X, y, alpha=alpha)
    expected, centre = solve(problem), ranges_of(problem)
    low, high = y - centre.high, y - centre.low
    moved, rng = y.copy(), np.random.default_rng(seed)
    far = 10.0 ** rng.integers(0, 7, y.size)
    moved[low > 1e-3] = np.where(rng.random(y.size) < 0.3, centre.high + 1e-3, y + far)[low > 1e-3]
    moved[high < -1e-3] = (y - far)[high < -1e-3]
    found = solve(make(X, moved, alpha=alpha))
    assert np.any(moved != y)
    np.testing.assert_allclose(found.coef, expected.coef, rtol=1e-8, atol=1e-9)
    assert found.intercept == pytest.approx(expected.intercept, rel=1e-8, abs=1e-9)


@pytest.mark.parametrize("seed", range(12))
@both_solvers
def test_it_moves_with_y_and_with_the_columns(solver, seed):
    rng = np.random.default_rng(seed)
    n_features = 1 + seed % 4
    X, y = paired(seed, 8, n_features)
    plain = solve(make(X, y), solver=solver)
    shift, A = rng.standard_normal(n_features), rng.standard_normal((n_features, n_features)) + 2 * np.eye(n_features)
    factor, constant = 10.0 ** rng.integers(-3, 4), rng.standard_normal()
    scaled = solve(make(X, -factor * y), solver=solver)
    moved = solve(make(X, y + X @ shift + constant), solver=solver)
    mixed = solve(make(X @ A, y), solver=solver)
    np.testing.assert_allclose(-scaled.coef / factor, plain.coef, rtol=1e-8, atol=1e-9)
    np.testing.assert_allclose(moved.coef - shift, plain.coef, rtol=1e-8, atol=1e-9)
    assert moved.intercept - constant == pytest.approx(plain.intercept, rel=1e-8, abs=1e-9)
    np.testing.assert_allclose(A @ mixed.coef, plain.coef, rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize("seed", range(12))
@both_solvers
def test_weights_are_repeats_in_any_order_and_rows_have_no_unit(solver, seed):
    """A row times t at a weight divided by t is the same term of the objective."""
    rng = np.random.default_rng(seed)
    X, y = paired(seed, 8, 1 + seed % 4)
    weight = np.tile(rng.integers(1, 4, 8), 2)
    expected = solve(make(X, y, weight=weight, fit_intercept=False), solver=solver)
    order = rng.permutation(np.repeat(np.arange(16), weight))
    repeated = solve(make(X[order], y[order], fit_intercept=False), solver=solver)
    unit = 2.0 ** rng.integers(-2, 3, 16)
    others = solve(make(X * unit[:, None], y * unit, weight=weight / unit, fit_intercept=False), solver=solver)
    np.testing.assert_allclose(repeated.coef, expected.coef, rtol=1e-8, atol=1e-9)
    np.testing.assert_allclose(others.coef, expected.coef, rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize("seed", range(12))
def test_optima_on_a_segment_have_their_middle(seed):
    """A slope through the origin: the middle of all optimal ones, whatever the lengths of the rows that bound it."""
    rng = np.random.default_rng(seed)
    x = rng.uniform(0.1, 5.0, 6)
    gap = rng.uniform(0.1, 2.0, (2, 6))
    solution = solve(make(np.append(x, x)[:, None], np.append(gap[0], -gap[1]), fit_intercept=False))
    assert solution.coef[0] == pytest.approx((np.min(gap[0] / x) - np.min(gap[1] / x)) / 2, rel=1e-12)


@pytest.mark.parametrize("seed", range(10))
def test_it_is_continuous_even_where_the_optima_lose_a_dimension(seed):
    X, y = paired(seed, 6, 3)
    y[[0, 6]] = 0.0  # one pair without a gap: the optima are flat there
    flat = solve(make(X, y, fit_intercept=False)).coef
    rng = np.random.default_rng(seed)
    toward = np.append(rng.uniform(0, 1, 6), -rng.uniform(0, 1, 6))
    apart = [np.abs(solve(make(X, y + e * toward, fit_intercept=False)).coef - flat).max() for e in (1e-2, 1e-4, 1e-6)]
    assert apart[1] <= 0.1 * apart[0] + 1e-9
    assert apart[2] <= 0.1 * apart[1] + 1e-9
    assert apart[2] < 1e-3


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("alpha", [0.0, 0.03])
@both_solvers
def test_a_column_that_is_there_twice_changes_no_prediction_and_is_shared(solver, alpha, seed):
    X, y = paired(seed, 7, 2)
    once = solve(make(X, y, alpha=alpha), solver=solver)
    twice = solve(make(np.column_stack([X, X[:, 1]]), y, alpha=alpha), solver=solver)
    np.testing.assert_allclose(twice.coef, once.coef[[0, 1, 1]] / [1, 2, 2], rtol=1e-7, atol=1e-8)
    assert twice.intercept == pytest.approx(once.intercept, rel=1e-7, abs=1e-8)


def test_paths_quantiles_and_choices_take_the_same_optimum():
    rng = np.random.default_rng(0)
    group = np.repeat(np.arange(4), 6)
    X, y = (group[:, None] == np.arange(4)).astype(float), rng.integers(1, 100, 24) / 8
    alphas, coefs, intercepts = lad_path(X, y, alphas=[1 / 4, 1 / 6, 1 / 12])[:3]
    for alpha, coef, intercept in zip(alphas, coefs.T, intercepts, strict=True):
        alone = LADRegressor(alpha=alpha).fit(X, y)
        np.testing.assert_allclose(coef, alone.coef_, rtol=1e-11, atol=1e-11)
        assert intercept == pytest.approx(alone.intercept_, rel=1e-11)
    several = QuantileRegressor(quantile=[0.25, 0.5, 0.75], alpha=0.0).fit(X, y)
    for k, quantile in enumerate(several.quantile):
        alone = QuantileRegressor(quantile=quantile, alpha=0.0).fit(X, y)
        np.testing.assert_allclose(several.coef_[k], alone.coef_, rtol=1e-11, atol=1e-11)
    for chosen in (
        LADRegressorCV(alphas=[0.01, 1e-3], cv=3),
        QuantileRegressorCV(quantile=0.25, alphas=[0.01, 1e-3], cv=3),
    ):
        chosen.fit(X, y)
        loss = {"quantile": 0.25} if isinstance(chosen, QuantileRegressorCV) else {}
        alone = (QuantileRegressor if loss else LADRegressor)(alpha=chosen.alpha_, **loss).fit(X, y)
        np.testing.assert_allclose(chosen.coef_, alone.coef_, rtol=1e-11, atol=1e-11)


def test_a_free_column_of_zeros_has_no_coefficient_where_optima_are_many():
    """It is one of the directions of the face, and the shortest coefficients were rounding."""
    model, case, *_ = block_folds.drawn(1000373)
    X, y = case.X[372:], case.y[372:]
    assert not X[:, 5].any()
    coef = LADRegressor(0.006384408602150659, penalty_weights=model.parameters["penalty_weights"]).fit(X, y).coef_
    assert coef[5] == 0
