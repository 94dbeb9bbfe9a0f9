"""Huber's loss with the L1 penalty, as a scikit-learn estimator."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from ladreg._estimators import (
    BlockData,
    Bounds,
    Data,
    L1Regressor,
    ScaledProblem,
    check_real,
    estimated_scale,
    scales_of_blocks,
)
from ladreg._from_blocks import PartFits
from ladreg._problem import Coefficients, ElasticNet, Huber, Loss, Problem, Solution, StopReason

# What is warned of where less of it is proved than `tol`.
_PILOT = "the fit by absolute values, from which the scale is estimated,"


class HuberLossRegressor(L1Regressor):
    r"""Linear regression by Huber's loss, exact and certified, with an optional L1 penalty.

    Minimises

    .. math:: \frac{1}{\sum_i w_i} \sum_i w_i \, h(y_i - x_i^\top b - b_0) + \alpha \sum_j v_j |b_j|, \qquad
        h(r) = \begin{cases} r^2 / 2 & |r| \le \delta \\ \delta \, (|r| - \delta / 2) & |r| > \delta \end{cases}

    with :math:`\delta` for ``epsilon * scale_`` and :math:`v` for `penalty_weights`: small residuals are squared as in
    least squares, large ones count in proportion to their size. If the optimum is not unique, the result is the centre
    of all optima (see :ref:`canonical`), and of several such coefficients those of the smallest Euclidean norm.

    Parameters
    ----------
    epsilon : float, default=1.35
        Threshold between the squared and the absolute part, in units of the scale: 1.35 has 95 % of the efficiency of
        least squares for normal errors. Large values give least squares (with a penalty `LassoCD`); as `epsilon` goes
        to 0, the fit tends to that of `LADRegressor` at ``alpha / delta``, and far below 1e-7 it is that fit, up to
        rounding.
    scale : float or "mad", default="mad"
        Scale of the errors, in units of y. "mad" estimates it before the fit: the (weighted) median of the absolute
        residuals of least absolute deviations, divided by its value for normal errors of standard deviation 1 (see
        Notes).
    alpha : float, default=0.0
        Strength of the L1 penalty, in units of y times units of X; 0 is no penalty.
    fit_intercept : bool, default=True
        Whether to fit an intercept, which is not penalised.
    positive : bool, default=False
        Whether to restrict coefficients to be >= 0.
    bounds : tuple of two floats or array-likes, default=None
        Smallest and largest values of coefficients, ``(lower, upper)``: one number each, or one number per feature, in
        units of the coefficients; infinity means no bound. `positive` is short for ``(0, inf)``. If zero is not
        allowed, the penalty shrinks towards the bound nearest to zero.
    l1_ratio : float, default=1.0
        Share :math:`\rho` of the L1 penalty in :math:`\alpha \sum_j v_j (\rho \, |b_j| + (1 - \rho) \, b_j^2 / 2)`, as
        in `ElasticNetCD`: below 1 there is an L2 term, which spreads weight over correlated features; with 0 no
        coefficient is exactly zero.
    penalty_weights : array-like of shape (n_features,) or "adaptive", default=None
        Penalty factors :math:`v_j \ge 0`, one per feature: 0 leaves it unpenalised, infinity excludes it. "adaptive" is
        :math:`1 / |\tilde b_j|^\gamma` with a pilot fit :math:`\tilde b` (see Notes).
    gamma : float, default=1.0
        Exponent :math:`\gamma > 0` of the adaptive penalty factors; not used otherwise.
    tol : float, default=1e-9
        Largest relative gap between objective and proved bound that is accepted without a ConvergenceWarning.
    max_iter : int, default=None
        Limit of Newton steps; None for 200.
    warm_start : bool, default=False
        Whether to start from the coefficients of the previous fit.

    Attributes
    ----------
    coef_ : ndarray of shape (n_features,) or (n_targets, n_features)
        Coefficients; exactly zero for features that are not selected.
    intercept_ : float or ndarray of shape (n_targets,)
        Intercept; 0 if `fit_intercept` is False.
    scale_ : float or ndarray of shape (n_targets,)
        The scale used.
    n_iter_ : int or ndarray of shape (n_targets,)
        Newton steps, at least 1.
    objective_ : float or ndarray of shape (n_targets,)
        Objective at the solution.
    dual_gap_ : float or ndarray of shape (n_targets,)
        Proved upper bound of ``objective_ - optimum``.
    certificate_ : Certificate or list of Certificate
        The certificate, for the scale used.
    certificates_ : list of Certificate
        The same as a list, also of one target.
    penalty_weights_ : ndarray of shape (n_features,) or (n_targets, n_features)
        The adaptive penalty factors, only with ``penalty_weights="adaptive"``; `verify` uses them.
    n_features_in_ : int
        Number of features seen during fit.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of features seen during fit, if they are all strings.
    n_passes_ : int
        Number of passes over the rows; only for data in blocks of rows or from Dask.

    See Also
    --------
    HuberLossRegressorCV : Chooses alpha by cross-validation.
    LADRegressor : The limit for small `epsilon`: most robust, and needs no scale.
    sklearn.linear_model.HuberRegressor : Has an L2 penalty, and estimates the scale together with the coefficients.
    ladreg.metrics.huber_loss : The loss of given predictions.

    Notes
    -----
    Least absolute deviations with p linearly independent columns, including the intercept, fit p rows exactly. With s
    for p divided by the number of distinct rows (at most 1/3) the scale is

    .. math:: \hat\sigma = \operatorname{median} |r_i| \, / \, \Phi^{-1}\big(\tfrac{1 + u}{2}\big), \qquad
        u = \frac{1/2 - s}{1 - s},

    which is ``median(|r|) / 0.6745`` for s = 0. It is in units of y, does not depend on the units of X or on shifts of
    X and y, and is robust to gross errors in fewer than half of the rows. With fewer than two distinct rows per column,
    the residuals are those of the best constant.

    If least absolute deviations fit more than half of the rows exactly, the median is zero: `scale_` is then 1e-20
    times the median distance of y from its median, and the result is that of least absolute deviations. A penalty then
    counts as ``alpha / (epsilon * scale_)`` in `LADRegressor`, so that all penalised coefficients are zero; pass a
    `scale`.

    For data in blocks the scale is that of all rows. Only the number of distinct rows is estimated, to about 1 %, if
    some rows are repeated and more than 16,384 are distinct; and if least absolute deviations of more than 2,000 rows
    have several optima (two sets of dummy columns have), the residuals may be those of another one than in memory.

    ``penalty_weights="adaptive"`` divides the penalty of a feature by the absolute value of its coefficient in a pilot
    fit, to the power `gamma` (Lambert-Lacroix and Zwald 2011). The pilot is the fit of the same loss without penalty if
    there are more rows than columns, and otherwise ridge regression on standardised columns, with the ridge penalty
    chosen by generalised cross-validation, as in `LassoCD`, which is not robust to outliers in y. A feature whose
    coefficient in the pilot is zero is excluded. Each target has a pilot.

    References
    ----------
    Lambert-Lacroix, S. and Zwald, L. (2011). Robust regression through the Huber's criterion and adaptive lasso
    penalty. Electronic Journal of Statistics 5, 1015-1053. doi:10.1214/11-EJS635

    Hill, R. W. and Holland, P. W. (1977). Two robust alternatives to least-squares regression. Journal of the American
    Statistical Association 72(360), 828-833. doi:10.1080/01621459.1977.10479966

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

    scale_: float | Any

    def __init__(
        self,
        epsilon: float = 1.35,
        *,
        scale: float | Literal["mad"] = "mad",
        alpha: float = 0.0,
        fit_intercept: bool = True,
        positive: bool = False,
        bounds: Bounds | None = None,
        l1_ratio: float = 1.0,
        penalty_weights: ArrayLike | Literal["adaptive"] | None = None,
        gamma: float = 1.0,
        tol: float = 1e-9,
        max_iter: int | None = None,
        warm_start: bool = False,
    ) -> None:
        self.epsilon = epsilon
        self.scale = scale
        self.alpha = alpha
        self.fit_intercept = fit_intercept
        self.positive = positive
        self.bounds = bounds
        self.l1_ratio = l1_ratio
        self.penalty_weights = penalty_weights
        self.gamma = gamma
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
        return Huber(1.0)  # `_problems` sets the delta of each target

    def _problems(self, data: Data, penalty: ElasticNet) -> list[Problem]:
        problems = [self._estimated(problem) for problem in super()._problems(data, penalty)]
        worst = max((problem.pilot_gap for problem in problems), default=0.0)
        self._warn_of_pilot(_PILOT, worst, StopReason.STALLED)
        return list(problems)

    def _estimated(self, problem: Problem) -> ScaledProblem:
        if self.scale != "mad":
            return ScaledProblem.of(problem, self.epsilon, float(self.scale))
        return ScaledProblem.of(problem, self.epsilon, *estimated_scale(problem, self._settings()))

    def _block_problems(self, given: BlockData, again: bool) -> list[Problem]:
        if again:
            return super()._block_problems(given, again)
        fits = PartFits.of(given.passes, given.seen, [], self._settings(), given.n_held)
        return self._estimated_parts(fits, given.sample, self._penalty(given.sample))

    def _part_problems(self, fits: PartFits, data: Data) -> list[Problem]:
        return self._estimated_parts(fits, data, self._scaled_penalty(data, 1.0))

    def _estimated_parts(self, fits: PartFits, data: Data, penalty: ElasticNet) -> list[Problem]:
        """The problems of parts of rows in blocks, of all of which `data` is the sample, each with its scale."""
        problem = L1Regressor._problems(self, data, penalty)[0]
        if self.scale != "mad":
            return [ScaledProblem.of(problem, self.epsilon, float(self.scale))] * len(fits.parts)
        scales = scales_of_blocks(fits, problem)
        worst = max(scales, key=lambda one: one.relative_gap)
        self._warn_of_pilot(_PILOT, worst.relative_gap, worst.stopped)
        return [ScaledProblem.of(problem, self.epsilon, one.scale) for one in scales]

    def _problems_again(self, data: Data, penalty: ElasticNet) -> list[Problem]:
        problems = super()._problems(data, penalty)
        scales = np.atleast_1d(self.scale_).tolist()
        if len(scales) != len(problems):
            return problems  # `verify` raises an error
        return [ScaledProblem.of(problem, self.epsilon, scale) for problem, scale in zip(problems, scales, strict=True)]

    def _starts(self, data: Data, problems: list[Problem]) -> list[Coefficients | None]:
        warm = super()._starts(data, problems)
        return [start or _start_of(problem) for start, problem in zip(warm, problems, strict=True)]

    def _store(self, data: Data, problems: list[Problem], solutions: list[Solution]) -> None:
        super()._store(data, problems, solutions)
        scales = np.array([getattr(problem, "scale", np.nan) for problem in problems])
        self.scale_ = scales[0].item() if self._is_single(data) else scales


def _start_of(problem: Problem) -> Coefficients | None:
    """The fit by absolute values, which has no penalty; None if the problem has one."""
    penalised = np.any((problem.penalty.strength > 0) & np.isfinite(problem.penalty.strength))
    return problem.start if isinstance(problem, ScaledProblem) and not penalised else None
