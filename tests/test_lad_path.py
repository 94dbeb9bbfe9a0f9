"""Paths of absolute and pinball losses: every alpha is what it is alone, and few are solved alone."""

import numpy as np
import pytest

from ladreg._certificate import prove
from ladreg._kernels import _simplex
from ladreg._paths import solve_path
from ladreg._piecewise import follow_folds, solve_folds, warm_simplex
from ladreg._presolve import moved_to_origin
from ladreg._problem import Absolute, Combined, Pinball, Settings
from ladreg._solvers import largest_alpha, solve, solve_alphas
from tests.faults import always
from tests.problems import make

N_SAMPLES = 4000


def tables():
    rng = np.random.default_rng(3)
    X = rng.standard_normal((N_SAMPLES, 5))
    y = X @ [3.0, -2.0, 1.0, 0.1, 0.0] + rng.standard_t(2, N_SAMPLES)
    weight = rng.exponential(1.0, N_SAMPLES)
    yield "normal", X, y, {}
    yield "weights", X, y, {"weight": weight}
    absent = weight * (rng.random(N_SAMPLES) < 0.8)
    yield "weights of zero", X, np.where(absent > 0, y, 1e200), {"weight": absent}
    yield "strengths", X, y, {"alpha": [1.0, 0.2, 5.0, 1.0, 1.0]}
    yield "free columns", X, y, {"alpha": [0.0, 1.0, 1.0, 0.0, 1.0]}
    yield "one penalised", X, y, {"alpha": [1.0, 0.0, 0.0, 0.0, 0.0]}
    yield "excluded", X, y, {"alpha": [1.0, np.inf, 1.0, 1.0, 1.0]}
    yield "positive", X, y, {"positive": True}
    yield "no intercept", X, y, {"fit_intercept": False}
    yield "one column", X[:, :1], y, {}
    yield "constant column", np.column_stack([X, np.full(N_SAMPLES, 0.1)]), y, {}
    yield "twin columns", np.column_stack([X, X[:, 0]]), y, {}
    yield "collinear", np.cumsum(X, axis=1), y, {}
    yield "far from zero", X + 1000.0, y + 1e4, {}
    yield "units", X * [1e-6, 1.0, 1e6, 1e3, 1.0], 1e-80 * y, {"alpha": [1e-6, 1.0, 1e6, 1e3, 1.0]}
    yield "leverage", X * np.exp(rng.standard_normal((N_SAMPLES, 1))), y, {}
    yield "by columns", np.asfortranarray(X), y, {}
    yield "integer y", X, np.round(y), {}
    yield "integers", np.round(X), np.round(y), {}
    yield "repeats", np.repeat(X[:1500], 2, axis=0), np.repeat(y[:1500], 2), {}
    yield "few rows", X[:100], y[:100], {}
    yield "more columns than rows", rng.standard_normal((20, 40)), y[:20], {}


def alphas_of(problem, smallest=1e-3, number=10):
    """Above the largest alpha, from it to a small one, and none."""
    return largest_alpha(problem) * np.append(np.append([3.0, 2.0], np.geomspace(1.0, smallest, number)), 0.0)


@pytest.mark.parametrize("loss", [Absolute(), Pinball(0.3)], ids=["absolute", "pinball"])
@pytest.mark.parametrize(("name", "X", "y", "more"), list(tables()), ids=lambda v: v if isinstance(v, str) else "")
def test_every_alpha_is_what_it_is_alone(name, X, y, more, loss):
    problem = make(X, y, loss=loss, **{"alpha": 1.0, **more})
    alphas = alphas_of(problem, number=6)
    found = list(solve_alphas(problem, alphas, Settings(1e-12)))
    assert len(found) == alphas.size
    for alpha, solution in zip(alphas, found, strict=True):
        single = problem.with_penalty(problem.penalty.times(alpha))
        alone = solve(single, Settings(1e-12))
        assert solution.stopped.good
        assert solution.relative_gap <= max(1e-12, 2 * alone.relative_gap)
        assert solution.objective == pytest.approx(
            alone.objective, rel=1e-12, abs=1e-14 * single.objective(0 * alone.coef, 0.0)
        )
        if "n_pivots" in solution.stats:
            moved = moved_to_origin(single)
            near, point = single, solution.coefficients
            if moved is not None:
                near, point = moved.problem, moved.start(point)
            again = prove(near, *point, solution.dual)
            assert again.relative_gap <= max(1e-12, 4 * solution.relative_gap)
        if solution.unique and alone.unique:
            np.testing.assert_allclose(solution.coef, alone.coef, rtol=1e-8, atol=1e-11 * np.abs(alone.coef).max())


@pytest.mark.parametrize(("name", "X", "y", "more"), list(tables())[:-2], ids=lambda v: v if isinstance(v, str) else "")
def test_what_is_proved_of_a_fold_from_all_rows_is_its_own_fit(name, X, y, more):
    problem = make(X, y, loss=Absolute() if len(name) % 2 else Pinball(0.3), **{"alpha": 1.0, **more})
    path = solve_path(problem, alphas_of(problem, number=6), Settings(1e-12))
    rng = np.random.default_rng(0)
    folds = [rng.permutation(y.size)[: 4 * y.size // 5], rng.integers(0, y.size, y.size), np.arange(y.size // 2)]
    found = solve_folds(problem, path.alphas, path.coef, path.intercept, folds, Settings(1e-12))
    if name in ("normal", "weights", "strengths", "no intercept", "leverage", "far from zero", "units", "by columns"):
        assert found.proved[:2, 3:].mean() > 0.8  # with larger alphas any value between two targets is optimal
    assert not found.proved[2].any()  # it leaves out half of the rows
    for fold, k in np.argwhere(found.proved)[::3]:
        weight = np.bincount(folds[fold], problem.weight[folds[fold]], minlength=y.size)
        single = make(X, y, **{"loss": problem.loss, **more, "weight": weight})
        single = single.with_penalty(problem.penalty.times(path.alphas[k]))
        alone = solve(single, Settings(1e-12))
        coef, intercept = found.coef[fold, k], float(found.intercept[fold, k])
        best = alone.objective
        assert single.objective(coef, intercept) <= best * (1 + 1e-12) + 1e-14 * single.objective(0 * coef, 0.0)
        if alone.relative_gap <= 1e-12:
            np.testing.assert_allclose(coef, alone.coef, rtol=1e-8, atol=1e-11 * np.abs(alone.coef).max())


@pytest.mark.parametrize(("name", "X", "y", "more"), list(tables())[:-2], ids=lambda v: v if isinstance(v, str) else "")
def test_all_rows_and_folds_that_are_followed_together_are_their_own_fits(name, X, y, more):
    problem = make(X, y, loss=Absolute() if len(name) % 2 else Pinball(0.3), **{"alpha": 1.0, **more})
    alphas = alphas_of(problem, number=6)[3] * np.geomspace(1.0, 0.5, 5)
    path = solve_path(problem, alphas, Settings(1e-12))
    folds = [np.flatnonzero(np.arange(y.size) % 5), np.arange(y.size // 2)]
    found, whole = follow_folds(problem, alphas, folds, Settings(1e-12), path.at(0))
    if name in ("normal", "weights", "strengths", "no intercept", "leverage", "far from zero", "units", "by columns"):
        assert whole.proved[0, 1:].sum() == 4
        assert found.proved[0, 1:].all()
    assert not found.proved[1].any()  # it leaves out half of the rows
    alone = solve_folds(problem, alphas, path.coef, path.intercept, folds, Settings(1e-12))
    for k in range(1, whole.proved.size):
        single = problem.with_penalty(problem.penalty.times(alphas[k]))
        rounding = 1e-14 * single.objective(0 * path.coef[:, k], 0.0)
        objective = single.objective(whole.coef[0, k], float(whole.intercept[0, k]))
        assert objective <= path.objective[k] * (1 + 1e-12) + rounding
        largest = np.abs(path.coef[:, k]).max()
        if path.relative_gap[k] <= 1e-12:
            np.testing.assert_allclose(whole.coef[0, k], path.coef[:, k], rtol=1e-8, atol=1e-11 * largest)
        if found.proved[0, k] and alone.proved[0, k]:
            np.testing.assert_allclose(found.coef[0, k], alone.coef[0, k], rtol=1e-8, atol=1e-11 * largest)


def test_a_reference_that_is_no_solution_is_as_good_for_the_proof():
    """Residuals are those of the points given, whatever they are: a worse one only moves more rows near."""
    problem = well_behaved(6000, 4)
    path = solve_path(problem, largest_alpha(problem) * np.geomspace(0.5, 1e-3, 5), Settings())
    fold = [np.arange(6000)[np.arange(6000) % 5 > 0]]
    near = solve_folds(problem, path.alphas, path.coef, path.intercept, fold, Settings())
    far = solve_folds(problem, path.alphas, path.coef + 0.01, path.intercept - 0.02, fold, Settings())
    assert near.proved.all()
    assert far.proved.any()
    np.testing.assert_allclose(far.coef[far.proved], near.coef[far.proved], rtol=1e-11)
    assert far.rows_read > near.rows_read


def test_optima_that_are_not_unique_are_canonical():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((N_SAMPLES, 4))
    problem = make(X, X @ [2.0, -1.0, 0.5, 0.0] + rng.standard_normal(N_SAMPLES), alpha=1.0)
    largest = largest_alpha(problem)
    (found,) = solve_alphas(problem, np.array([largest]), Settings())
    single = problem.with_penalty(problem.penalty.times(largest))
    alone = solve(single, Settings())
    assert "n_pivots" in found.stats
    assert not found.unique
    assert not alone.unique
    assert np.count_nonzero(found.coef) == 1
    np.testing.assert_allclose(found.coef, alone.coef, rtol=1e-9)


def well_behaved(n_samples=20_000, n_features=10):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n_samples, n_features))
    return make(X, X @ rng.standard_normal(n_features) + rng.standard_t(3, n_samples), alpha=1.0)


def test_most_alphas_are_solved_from_those_before():
    problem = well_behaved()
    alphas = largest_alpha(problem) * np.geomspace(1.0, 1e-3, 50)
    found = list(solve_alphas(problem, alphas, Settings()))
    between = [solution.stats for solution in found if "n_pivots" in solution.stats]
    assert len(between) >= 48
    assert sum(stats["n_checks"] for stats in between) <= 1.1 * len(between)
    assert np.mean([stats["rows_solved"] for stats in between]) < 0.02 * problem.n_samples
    assert np.mean([stats["n_pivots"] for stats in between]) < 40
    assert all(solution.relative_gap < 1e-13 for solution in found)
    assert sum(solution.unique for solution in found) >= 49


def test_folds_read_few_rows_one_by_one():
    problem = well_behaved()
    path = solve_path(problem, largest_alpha(problem) * np.geomspace(1.0, 1e-3, 50), Settings())
    folds = [np.flatnonzero(np.arange(problem.n_samples) % 5 != fold) for fold in range(5)]
    found = solve_folds(problem, path.alphas, path.coef, path.intercept, folds, Settings())
    assert found.proved.mean() > 0.97
    assert found.rows_read < 6 * problem.n_samples  # the paths of the folds read 5 * 50 * 0.8 times all rows
    together, whole = follow_folds(problem, path.alphas, folds, Settings(), path.at(0))
    assert whole.proved[0, 1:].all()
    assert whole.proved.size == path.alphas.size
    assert together.proved.mean() > 0.97
    assert together.rows_read < 7 * problem.n_samples
    np.testing.assert_allclose(whole.coef[0, 1:], path.coef[:, 1:].T, rtol=1e-9, atol=1e-12)


def test_a_row_on_the_wrong_side_is_found():
    """Rows are taken to be near enough though they are not: what is proved is right, the rest is solved again."""
    problem = well_behaved(6000)
    alphas = largest_alpha(problem) * np.geomspace(0.2, 1e-3, 20)
    with always(warm_simplex.ReducedRows, "reaches", lambda *_: True):
        found = list(solve_alphas(problem, alphas, Settings()))
    for alpha, solution in zip(alphas, found, strict=True):
        alone = solve(problem.with_penalty(problem.penalty.times(alpha)), Settings())
        assert solution.relative_gap <= 1e-12
        assert solution.objective == pytest.approx(alone.objective, rel=1e-13)


def test_a_path_may_begin_anywhere():
    problem = well_behaved(5000)
    alphas = largest_alpha(problem) * np.geomspace(1e-2, 1e-4, 12)
    found = list(solve_alphas(problem, np.repeat(alphas, 2), Settings()))
    assert sum("n_pivots" in solution.stats for solution in found) >= 20
    assert all(
        one.objective == pytest.approx(other.objective, rel=1e-15)
        for one, other in zip(found[::2], found[1::2], strict=True)
    )


def test_alphas_are_solved_one_by_one_where_a_vertex_cannot_be_proved():
    problem = well_behaved(5000)
    alphas = largest_alpha(problem) * np.geomspace(1.0, 0.1, 8)
    expected = [solution.objective for solution in solve_alphas(problem, alphas, Settings())]
    calls = []
    with always(_simplex, "pivot", lambda *_: calls.append(1) or -1):
        found = list(solve_alphas(problem, alphas, Settings()))
    assert not any("n_pivots" in solution.stats for solution in found)
    assert 0 < len(calls) <= 9  # three tries for each of three alphas, and no more afterwards
    assert [solution.objective for solution in found] == pytest.approx(expected, rel=1e-13)


def test_other_losses_go_one_by_one():
    problem = make(*well_behaved(3000).design.X.T[:2], loss=Combined(1.0, 0.5), alpha=1.0)
    alphas = largest_alpha(problem) * np.geomspace(1.0, 0.1, 4)
    for alpha, solution in zip(alphas, solve_alphas(problem, alphas, Settings()), strict=True):
        single = problem.with_penalty(problem.penalty.times(alpha))
        assert solution.objective == pytest.approx(solve(single, Settings()).objective, rel=1e-9)


def test_solutions_come_one_at_a_time():
    found = solve_alphas(well_behaved(3000), np.array([1.0, 0.1, -1.0]), Settings())
    assert next(found).coef.shape == (10,)
    assert next(found).objective > 0
