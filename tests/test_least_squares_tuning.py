"""Numbers that tune the engines of the squared loss decide how fast they are, not what they find."""

from dataclasses import fields, replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp

import ladreg
from ladreg._least_squares import LeastSquaresTuning
from ladreg._paths import solve_path
from ladreg._problem import ElasticNet, HalfSquared, Settings
from ladreg._solvers import solve
from tests.problems import make


def table(n_samples, n_features, alpha, ridge=0.0, *, sparse=False):
    rng = np.random.default_rng(n_features)
    X = rng.standard_normal((n_samples, n_features)) + rng.standard_normal((n_samples, 1))
    if sparse:
        X = sp.csc_array(X * (rng.random(X.shape) < 0.2))
    y = X @ np.where(np.arange(n_features) < 6, 1.0, 0.0) + rng.standard_normal(n_samples)
    problem = make(X, y, loss=HalfSquared(), alpha=alpha)
    return problem.with_penalty(ElasticNet(problem.penalty.strength, ridge=np.full(n_features, ridge)))


def fits(settings):
    """By a Gram matrix of all features, and by working sets."""
    problems = table(60, 20, 0.05), table(40, 300, 0.1), table(80, 150, 0.02, 0.01, sparse=True)
    return [(problem, solve(problem, settings)) for problem in problems]


def on_data(settings):
    """By products with the data, Newton steps and epochs, since no Gram matrix is large enough."""
    tuning = replace(settings.tuned(LeastSquaresTuning), largest_gram=5)
    problem = table(60, 150, 0.05, 0.02)
    return [(problem, solve(problem, replace(settings, tuning=(tuning,))))]


def paths(settings):
    """From knot to knot; by working sets, where ridges forbid that, or columns are sparse; by one Gram matrix."""
    for problem in (table(30, 120, 1.0), table(40, 120, 1.0, 0.1), table(60, 90, 1.0, sparse=True), table(50, 20, 1.0)):
        path = solve_path(problem, np.geomspace(1.0, 0.03, 12), settings)
        assert all(reason.good for reason in path.stopped)
        for k, alpha in enumerate(path.alphas):
            yield problem.with_penalty(problem.penalty.times(alpha)), path.at(k), float(path.gap[k])


def answers(settings):
    """Problems, coefficients and relative gaps."""
    found = fits(settings) + on_data(settings)
    assert all(one.stopped.good for _, one in found)
    single = [(problem, one.coef, one.intercept, one.gap) for problem, one in found]
    return single + [(problem, *point, gap) for problem, point, gap in paths(settings)]


@cache
def expected():
    return answers(Settings(1e-14))


@pytest.mark.parametrize("factor", [0.25, 4.0])
@pytest.mark.parametrize("field", fields(LeastSquaresTuning), ids=lambda field: field.name)
def test_a_quarter_and_four_times_a_number_give_the_same_optimum(field, factor):
    least, most = field.metadata["least"], field.metadata["most"]
    assert least <= field.default <= most
    value = type(field.default)(min(max(field.default * factor, least), most))
    changed = replace(LeastSquaresTuning(), **{field.name: value})
    for one, other in zip(answers(Settings(1e-14, tuning=(changed,))), expected(), strict=True):
        (problem, coef, intercept, gap), (_, known, at, _) = one, other
        best = problem.objective(known, at)
        assert gap <= 1e-11 * best
        assert problem.objective(coef, intercept) == pytest.approx(best, rel=1e-11)
        # A ridge r gives r / 2 * |coef - known|^2 <= gap; without one the last steps are exact.
        ridge = float(problem.penalty.ridge.min())
        apart = np.sqrt(4e-11 * best / ridge) if ridge else 1e-7
        np.testing.assert_allclose(coef, known, rtol=0, atol=apart)


@pytest.mark.parametrize("field", fields(LeastSquaresTuning), ids=lambda field: field.name)
def test_every_number_is_read(field):
    wing = Path(ladreg.__file__).parent / "_least_squares"
    code = "".join(path.read_text() for path in wing.glob("*.py"))
    assert f"tuning.{field.name}" in code or f"tuned(LeastSquaresTuning).{field.name}" in code
