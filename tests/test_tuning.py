"""Numbers that tune an engine decide how fast it is, not what it finds."""

from dataclasses import fields, replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest

import ladreg
from ladreg._piecewise import PiecewiseTuning
from ladreg._presolve import PresolveTuning
from ladreg._problem import Absolute, Combined, Huber, Pinball, Settings
from ladreg._solvers import solve, solve_alphas, solve_quantiles
from tests.problems import make


def table(n, p, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, p))
    return X, X[:, :2] @ [2.0, -1.0] + rng.standard_t(2, n)


def large(settings):
    """Rows enough for a pilot, a reduced problem and rounds of it."""
    return [solve(make(*table(3000, 4)), settings)]


def small(settings):
    """All rows at once, by the interior point method; one problem has many penalised features."""
    X, y = table(60, 5)
    return [solve(make(X, y, alpha=alpha), settings) for alpha in (0.0, 0.05)] + [
        solve(make(*table(80, 120), alpha=0.08), settings)
    ]


def curved(settings):
    """A kink and a curvature."""
    return [solve(make(*table(n, 4), loss=Combined(0.5, 0.25), alpha=0.01), settings) for n in (50, 2500)]


def repeated(settings):
    """Rows that repeat each other, and ties."""
    rng = np.random.default_rng(1)
    X = rng.integers(0, 3, (6000, 3)).astype(float)
    return [solve(make(X, X @ [1.0, 2.0, 0.0] + rng.integers(-2, 3, 6000)), settings)]


def fitted(settings):
    """Most rows can be fitted exactly."""
    X, y = table(3000, 4, seed=2)
    return [solve(make(X, np.where(np.arange(3000) % 4, X @ [1.0, 2.0, 3.0, 4.0], y)), settings)]


def huber(settings):
    """Newton's method, from a sample where it takes few rows to be many."""
    return [solve(make(*table(n, 3), loss=Huber(0.7)), settings) for n in (400, 4000)]


def square(settings):
    """About as many free columns as rows, and linprog."""
    problem = make(*table(40, 25))
    return [solve(problem, settings), solve(problem, replace(settings, solver="linprog"))]


def quantiles(settings):
    """A sequence over quantiles."""
    X, y = table(4000, 3)
    return solve_quantiles([make(X, y, loss=Pinball(tau)) for tau in (0.2, 0.3, 0.4, 0.5)], settings)


def alphas(settings):
    """A sequence over alpha."""
    return list(
        solve_alphas(make(*table(4000, 3), loss=Absolute(), alpha=1.0), np.array([0.4, 0.3, 0.2, 0.1]), settings)
    )


# A record, and the problems that reach its engine.
RECORDS = {
    PiecewiseTuning: [large, small, curved, repeated, fitted, huber, square, quantiles, alphas],
    PresolveTuning: [small, repeated],
}
NUMBERS = [(kind, field) for kind in RECORDS for field in fields(kind)]


@cache
def expected(problems, record):
    return problems(Settings(1e-10, tuning=(record,)))


@pytest.mark.parametrize("factor", [0.25, 4.0])
@pytest.mark.parametrize(("kind", "field"), NUMBERS, ids=lambda one: getattr(one, "__name__", getattr(one, "name", "")))
def test_a_quarter_and_four_times_a_number_give_the_same_optimum(kind, field, factor):
    least, most = field.metadata["least"], field.metadata["most"]
    assert least <= field.default <= most
    value = min(max(field.default * factor, least), most)
    # A Newton step on a sample of rows is the only one that small tables do not reach.
    record = kind(huber_sample=1000) if kind is PiecewiseTuning else kind()
    changed = replace(record, **{field.name: type(field.default)(value)})
    for problems in RECORDS[kind]:
        found = problems(Settings(1e-10, tuning=(changed,)))
        for one, other in zip(found, expected(problems, record), strict=True):
            assert one.stopped.good
            assert one.relative_gap <= 1e-12
            assert one.objective == pytest.approx(other.objective, rel=1e-12)
            np.testing.assert_allclose(one.coef, other.coef, rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize(("kind", "field"), NUMBERS, ids=lambda one: getattr(one, "__name__", getattr(one, "name", "")))
def test_every_number_is_read(kind, field):
    wing = Path(ladreg.__file__).parent / kind.__module__.split(".")[1]
    code = "".join(path.read_text() for path in wing.glob("*.py"))
    assert f"tuning.{field.name}" in code or f"tuned({kind.__name__}).{field.name}" in code
