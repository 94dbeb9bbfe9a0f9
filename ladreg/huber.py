"""Huber's loss with the L1 penalty, as a scikit-learn estimator."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ladreg._face import tied_rows
from ladreg._losses import Absolute, Huber, Loss
from ladreg._penalised import L1Regressor
from ladreg._penalties import ElasticNet
from ladreg._problem import Problem, Solution
from ladreg._validation import Data, check_real
from ladreg.solvers import choose_solver
from ladreg.solvers.scaling import typical

Array = NDArray[np.float64]

# The median of |r| times this estimates the standard deviation of normal errors.
_MEDIAN = 1.4826022185056018


class HuberLossRegressor(L1Regressor):
    r"""Linear regression by Huber's loss, exact and certified, with an optional L1 penalty.

    Minimises

    .. math:: \frac{1}{\sum_i w_i} \sum_i w_i \, h(y_i - x_i^\top b - b_0) + \alpha \sum_j v_j |b_j|, \qquad
        h(r) = \begin{cases} r^2 / 2 & |r| \le \delta \\ \delta \, (|r| - \delta / 2) & |r| > \delta \end{cases}

    with :math:`\delta` for ``epsilon * scale_`` and :math:`v` for `penalty_weights`: small residuals cost what they do
    in least squares, large ones only in proportion to their size. Where several coefficients are optimal, the result
    is the one with the smallest weighted sum of squared residuals, then the smallest in Euclidean norm.

    Parameters
    ----------
    epsilon : float, default=1.35
        Where the squares end, in units of the scale: with 1.35, estimates of normal data are 95 % as efficient as least
        squares. Large values are least squares (with a penalty `LassoCD`), small ones tend to `LADRegressor` (at
        ``alpha / delta``); far below 1e-7 they are that, up to rounding.
    scale : float or "mad", default="mad"
        Scale of the errors, in units of y. "mad" estimates it before the fit: the (weighted) median of the absolute
        residuals of least absolute deviations, divided by 0.6745. Rows that it fits exactly, as many as there are
        columns, are left out of the median. Where there are more than half as many columns as rows, the residuals are
        those of the best constant.
    alpha : float, default=0.0
        Strength of the L1 penalty, in units of y times units of X; 0 is none.
    fit_intercept : bool, default=True
        Whether to fit an intercept, which is not penalised.
    positive : bool, default=False
        Whether to restrict coefficients to be >= 0.
    penalty_weights : array-like of shape (n_features,), default=None
        Factors :math:`v_j \ge 0` of the penalty, one a feature: 0 leaves it unpenalised, infinity excludes it.
    tol : float, default=1e-9
        Largest relative gap between objective and proved bound that is accepted without a ConvergenceWarning.
    max_iter : int, default=None
        Limit of Newton steps; None for 200.
    warm_start : bool, default=False
        Whether to start from the coefficients of the previous fit.

    Attributes
    ----------
    coef_ : ndarray of shape (n_features,) or (n_targets, n_features)
        Coefficients, exactly zero where the penalty makes them so.
    intercept_ : float or ndarray of shape (n_targets,)
        Intercept; 0 if `fit_intercept` is False.
    scale_ : float or ndarray of shape (n_targets,)
        The scale used.
    n_iter_ : int or ndarray of shape (n_targets,)
        Newton steps, at least 1.
    objective_ : float or ndarray of shape (n_targets,)
        Objective at the solution.
    dual_gap_ : float or ndarray of shape (n_targets,)
        Proved bound of ``objective_ - optimum``.
    certificate_ : Certificate or list of Certificate
        The proof in full, for the scale used.
    n_features_in_ : int
        Number of features seen during fit.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of features seen during fit, if they are all strings.

    See Also
    --------
    LADRegressor : The limit of small `epsilon`: the most robust, without a scale.
    sklearn.linear_model.HuberRegressor : An L2 penalty, and the scale estimated together with the coefficients.
    ladreg.metrics.huber_loss : The loss of given predictions.

    References
    ----------
    Huber, P. J. (1964). Robust estimation of a location parameter. Annals of Mathematical Statistics 35(1), 73-101.
    doi:10.1214/aoms/1177703732

    Madsen, K. and Nielsen, H. B. (1990). Finite algorithms for robust linear regression. BIT 30, 682-699.

    Examples
    --------
    >>> import numpy as np
    >>> from ladreg import HuberLossRegressor
    >>> rng = np.random.default_rng(0)
    >>> X = rng.standard_normal((200, 3))
    >>> y = X @ [1.0, 2.0, 0.0] + 0.1 * rng.standard_normal(200)
    >>> y[:20] = 50
    >>> model = HuberLossRegressor(alpha=0.005).fit(X, y)
    >>> model.coef_.round(1), model.certificate_.relative_gap < 1e-12
    (array([1., 2., 0.]), True)
    """

    def __init__(
        self,
        epsilon: float = 1.35,
        *,
        scale: float | Literal["mad"] = "mad",
        alpha: float = 0.0,
        fit_intercept: bool = True,
        positive: bool = False,
        penalty_weights: ArrayLike | None = None,
        tol: float = 1e-9,
        max_iter: int | None = None,
        warm_start: bool = False,
    ) -> None:
        self.epsilon = epsilon
        self.scale = scale
        self.alpha = alpha
        self.fit_intercept = fit_intercept
        self.positive = positive
        self.penalty_weights = penalty_weights
        self.tol = tol
        self.max_iter = max_iter
        self.warm_start = warm_start

    def _check_loss(self) -> None:
        largest = np.finfo(float).max
        check_real("epsilon", self.epsilon, low=0.0, high=largest, open_ends=True)
        if isinstance(self.scale, str):
            if self.scale != "mad":
                raise ValueError(f"scale must be a number > 0 or 'mad', got {self.scale!r}.")
        else:
            check_real("scale", self.scale, low=0.0, high=largest, open_ends=True)

    def _loss(self) -> Loss:
        return Huber(1.0)  # of each target its own, in `_problems`

    def _problems(self, data: Data, penalty: ElasticNet) -> list[Problem]:
        problems = super()._problems(data, penalty)
        return self._scaled(problems, [self._scale_of(problem) for problem in problems])

    def _problems_again(self, data: Data, penalty: ElasticNet) -> list[Problem]:
        return self._scaled(super()._problems(data, penalty), list(np.atleast_1d(self.scale_)))

    def _scaled(self, problems: list[Problem], scales: list[float]) -> list[Problem]:
        ends = [float(np.clip(self.epsilon * scale, 1e-300, 1e300)) for scale in scales]
        if len(ends) != len(problems):
            return problems  # which `verify` refuses
        return [replace(problem, loss=Huber(end)) for problem, end in zip(problems, ends, strict=True)]

    def _scale_of(self, problem: Problem) -> float:
        """The scale that is given, or a robust estimate for one target."""
        if self.scale != "mad":
            return float(self.scale)
        # Without the penalty, but without the features that it excludes.
        strength = np.where(np.isinf(problem.penalty.strength), np.inf, 0.0)
        y = problem.y - typical(problem.y) if problem.fit_intercept else problem.y
        absolute = replace(problem, y=y, loss=Absolute(), penalty=ElasticNet(strength, bool(self.positive)))
        if 2 * problem.n_features > problem.n_samples:
            coef, intercept = np.zeros(problem.n_features), absolute.null_intercept()
        else:
            found = choose_solver(absolute)(absolute, tol=self.tol, max_iter=None)
            coef, intercept = found.coef, found.intercept
        others = np.ones(problem.n_samples, dtype=bool)
        others[tied_rows(absolute, coef, intercept)] = False
        if not others.any():
            return 1.0  # all rows are fitted, at any scale
        size = np.abs(absolute.residual(coef, intercept))[others]
        return _MEDIAN * Absolute().location(size, problem.weight[others])

    def _store(self, data: Data, problems: list[Problem], solutions: list[Solution]) -> None:
        super()._store(data, problems, solutions)
        scales = np.array([problem.loss.interval()[1] / self.epsilon for problem in problems])
        self.scale_ = scales[0].item() if self._is_single(data) else scales
