"""Numbers that tune an engine decide how fast it is, not what it finds."""

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp

import ladreg
from ladreg._least_squares import LeastSquaresTuning
from ladreg._paths import solve_path
from ladreg._piecewise import PiecewiseTuning, solve_folds
from ladreg._presolve import PresolveTuning
from ladreg._problem import Absolute, Combined, ElasticNet, HalfSquared, Huber, Pinball, Settings
from ladreg._solvers import solve, solve_alphas, solve_quantiles
from tests.problems import make


def table(n, p, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, p))
    return X, X[:, :2] @ [2.0, -1.0] + rng.standard_t(2, n)


def solved(problems, settings):
    """Problems with coefficients and gaps."""
    return of_solutions(problems, [solve(problem, settings) for problem in problems])


def of_solutions(problems, solutions):
    assert all(one.stopped.good for one in solutions)
    return [(problem, one.coef, one.intercept, one.gap) for problem, one in zip(problems, solutions, strict=True)]


def large(settings):
    """Rows enough for a pilot, a reduced problem and rounds of it."""
    return solved([make(*table(3000, 4))], settings)


def small(settings):
    """All rows at once, by the interior point method; one problem has many penalised features."""
    X, y = table(60, 5)
    return solved([make(X, y), make(X, y, alpha=0.05), make(*table(80, 120), alpha=0.08)], settings)


def curved(settings):
    """A kink and a curvature."""
    return solved([make(*table(n, 4), loss=Combined(0.5, 0.25), alpha=0.01) for n in (50, 2500)], settings)


def repeated(settings):
    """Rows that repeat each other, and ties."""
    rng = np.random.default_rng(1)
    X = rng.integers(0, 3, (12_000, 3)).astype(float)
    return solved([make(X, X @ [1.0, 2.0, 0.0] + rng.integers(-2, 3, 12_000))], settings)


def fitted(settings):
    """Most rows can be fitted exactly."""
    X, y = table(3000, 4, seed=2)
    return solved([make(X, np.where(np.arange(3000) % 4, X @ [1.0, 2.0, 3.0, 4.0], y))], settings)


def huber(settings):
    """Newton's method, from a sample where it takes few rows to be many."""
    return solved([make(*table(n, 3), loss=Huber(0.7)) for n in (400, 4000)], settings)


def square(settings):
    """About as many free columns as rows, and linprog."""
    problem = make(*table(40, 25))
    return solved([problem], settings) + solved([problem], replace(settings, solver="linprog"))


def quantiles(settings):
    """A sequence over quantiles."""
    X, y = table(4000, 3)
    problems = [make(X, y, loss=Pinball(tau)) for tau in (0.2, 0.3, 0.4, 0.5)]
    penalised = make(*table(200, 4), loss=Pinball(0.2), alpha=0.05)
    walked = [penalised, replace(penalised, loss=Pinball(0.6))]
    return of_solutions(problems + walked, solve_quantiles(problems, settings) + solve_quantiles(walked, settings))


def alphas(settings):
    """A sequence over alpha."""
    problem, values = make(*table(4000, 3), loss=Absolute(), alpha=1.0), np.array([0.4, 0.3, 0.2, 0.1, 0.099, 0.098])
    problems = [problem.with_penalty(problem.penalty.times(alpha)) for alpha in values]
    return of_solutions(problems, list(solve_alphas(problem, values, settings)))


def vertices(settings):
    """A path from vertex to vertex, of many rows and of few."""
    found = []
    for n, p in ((240, 3), (60, 8)):
        problem, values = make(*table(n, p), alpha=1.0), np.array([0.4, 0.2, 0.05])
        problems = [problem.with_penalty(problem.penalty.times(alpha)) for alpha in values]
        found += of_solutions(problems, list(solve_alphas(problem, values, settings)))
    return found


def folds(settings):
    """A fold from the path of all rows, and alone where that is not proved."""
    X, y = table(4000, 5)
    problem, fold = make(X, y, alpha=1.0), np.flatnonzero(np.arange(4000) % 4)
    path = solve_path(problem, np.geomspace(0.3, 0.01, 4), settings)
    found = solve_folds(problem, path.alphas, path.coef, path.intercept, [fold], settings)
    part = make(X[fold], y[fold], alpha=1.0)
    answers = of_path(part, solve_path(part, path.alphas, settings))
    return [
        (alone[0], found.coef[0, k], float(found.intercept[0, k]), 0.0) if found.proved[0, k] else alone
        for k, alone in enumerate(answers)
    ]


def squares(n_samples, n_features, alpha, ridge=0.0, *, sparse=False):
    rng = np.random.default_rng(n_features)
    X = rng.standard_normal((n_samples, n_features)) + rng.standard_normal((n_samples, 1))
    if sparse:
        X = sp.csc_array(X * (rng.random(X.shape) < 0.2))
    y = X @ np.where(np.arange(n_features) < 6, 1.0, 0.0) + rng.standard_normal(n_samples)
    problem = make(X, y, loss=HalfSquared(), alpha=alpha)
    return problem.with_penalty(ElasticNet(problem.penalty.strength, ridge=np.full(n_features, ridge)))


def by_gram_matrices(settings):
    """By a Gram matrix of all features, and by working sets."""
    return solved([squares(60, 20, 0.05), squares(40, 300, 0.1), squares(80, 150, 0.02, 0.01, sparse=True)], settings)


def by_products(settings):
    """By products with the data, Newton steps and epochs, where no Gram matrix is large enough."""
    return solved([squares(60, 150, 0.05, 0.02)], settings)


def paths(settings):
    """From knot to knot; by working sets, where ridges forbid that, or columns are sparse; by one Gram matrix."""
    found = []
    for problem in (
        squares(30, 120, 1.0),
        squares(40, 120, 1.0, 0.1),
        squares(60, 90, 1.0, sparse=True),
        squares(50, 20, 1.0),
    ):
        found += of_path(problem, solve_path(problem, np.geomspace(1.0, 0.03, 12), settings))
    return found


def of_path(problem, path):
    """Problems of a path with coefficients and gaps."""
    assert all(reason.good for reason in path.stopped)
    return [
        (problem.with_penalty(problem.penalty.times(alpha)), *path.at(k), float(path.gap[k]))
        for k, alpha in enumerate(path.alphas)
    ]


@dataclass(frozen=True, eq=False)
class Tuned:
    """A record, the problems that reach its engine, and how near to each other two of their solutions are."""

    record: object
    problems: list[Callable]
    tol: float
    nearest: float
    rtol: float
    atol: float


RECORDS = [
    # Without these two, the tables are too small for a Newton step on a sample of rows and for a reduced problem.
    Tuned(
        PiecewiseTuning(huber_sample=1000, vertex_rows=2000),
        [large, small, curved, repeated, fitted, huber, square, quantiles, alphas, folds, vertices],
        *(1e-10, 1e-12, 1e-8, 1e-9),
    ),
    Tuned(PresolveTuning(), [small, repeated], 1e-10, 1e-12, 1e-8, 1e-9),
    Tuned(LeastSquaresTuning(), [by_gram_matrices, paths], 1e-14, 1e-11, 0.0, 1e-7),
    Tuned(LeastSquaresTuning(largest_gram=5), [by_products], 1e-14, 1e-11, 0.0, 1e-7),
]
# What none of these problems is hard or large enough for.
BEYOND = {"dear_part", "wider", "outweighed", "block_numbers"}
NUMBERS = [(tuned, field) for tuned in RECORDS for field in fields(tuned.record)]


@cache
def expected(problems, record, tol):
    """The answers with a record, and the names of the numbers that were read meanwhile."""
    read = set()

    class Watched(type(record)):
        def __getattribute__(self, name):
            read.add(name)
            return super().__getattribute__(name)

    watched = Watched(**{field.name: getattr(record, field.name) for field in fields(record)})
    return problems(Settings(tol, tuning=(watched,))), read


def named(one):
    return getattr(one, "name", "") or type(getattr(one, "record", one)).__name__


@pytest.mark.parametrize("factor", [0.25, 4.0], ids=str)
@pytest.mark.parametrize(("tuned", "field"), NUMBERS, ids=named)
def test_a_quarter_and_four_times_a_number_give_the_same_optimum(tuned, field, factor):
    least, most = field.metadata["least"], field.metadata["most"]
    assert least <= field.default <= most
    value = type(field.default)(min(max(getattr(tuned.record, field.name) * factor, least), most))
    changed = Settings(tuned.tol, tuning=(replace(tuned.record, **{field.name: value}),))
    for problems in tuned.problems:
        known, read = expected(problems, tuned.record, tuned.tol)
        if field.name not in read:
            continue
        for (problem, coef, intercept, gap), (_, there, at, _) in zip(problems(changed), known, strict=True):
            best = problem.objective(there, at)
            assert gap <= tuned.nearest * best
            assert problem.objective(coef, intercept) == pytest.approx(best, rel=tuned.nearest)
            # A ridge r gives r / 2 * |coef - there|^2 <= gap; without one the last steps are exact.
            ridge = float(np.min(problem.penalty.ridge, initial=np.inf))
            atol = np.sqrt(4e-11 * best / ridge) if 0.0 < ridge < np.inf else tuned.atol
            np.testing.assert_allclose(coef, there, rtol=tuned.rtol, atol=atol)


def test_every_number_is_read():
    read = {
        tuned: set().union(*(expected(one, tuned.record, tuned.tol)[1] for one in tuned.problems)) for tuned in RECORDS
    }
    for tuned in RECORDS:
        kind = type(tuned.record)
        alike = set().union(*(names for other, names in read.items() if type(other.record) is kind))
        assert {field.name for field in fields(kind)} - alike <= BEYOND
    code = "".join(path.read_text() for path in Path(ladreg.__file__).parent.rglob("*.py"))
    assert [name for name in BEYOND if f"tuning.{name}" not in code] == []
