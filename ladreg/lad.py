"""Least absolute deviations as a scikit-learn estimator."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from numpy.typing import ArrayLike

from ladreg._estimators import Bounds, PivotalRegressor, check_choice, check_options
from ladreg._problem import Absolute, Loss, Settings


class LADRegressor(PivotalRegressor):
    r"""Least absolute deviations (median) regression, exact and certified, with an optional L1 penalty.

    Minimises

    .. math:: \frac{1}{\sum_i w_i} \sum_i w_i \, |y_i - x_i^\top b - b_0| + \alpha \sum_j v_j |b_j|

    as a linear program, with :math:`v` for `penalty_weights`. If the optimum is not unique, the result is the canonical
    one, the centre of all optima (see :ref:`canonical`): without features the median of NumPy, with dummies of groups
    the median of each group. It does not depend on how far outliers are from the fit, nor, up to rounding, on the order
    of rows, and integer weights are the same as repeated rows. Of coefficients with the same residuals those of the
    smallest Euclidean norm are returned.

    Parameters
    ----------
    alpha : float or "pivotal", default=0.0
        Strength of the L1 penalty, in units of X; 0 is plain LAD. The loss of `QuantileRegressor` is half as large: its
        ``alpha=a`` is ``alpha=2*a`` here. "pivotal" computes a penalty from X alone that dominates the noise with high
        probability, for any error distribution (see Notes).
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
        Penalty factors :math:`v_j \ge 0`, one per feature: 0 leaves it unpenalised (forced in), infinity excludes it.
        They are not rescaled. "adaptive" is :math:`1 / |\tilde b_j|^\gamma` with a pilot fit :math:`\tilde b` (see
        Notes).
    gamma : float, default=1.0
        Exponent :math:`\gamma > 0` of the adaptive penalty factors; not used otherwise.
    solver : {"auto", "linprog"}, default="auto"
        "auto" (recommended) uses ladreg's own solver and falls back to `scipy.optimize.linprog` if optimality cannot be
        certified. "linprog" solves the whole linear program by `scipy.optimize.linprog`. Both return the same certified
        canonical optimum.
    solver_options : dict, default=None
        Options of `scipy.optimize.linprog`, used whenever it is called, such as ``{"time_limit": 60}`` (seconds) or
        ``{"disp": True}`` for its progress; the key "method" is "highs-ds" or "highs-ipm".
    tol : float, default=1e-9
        Largest relative gap between objective and proved bound that is accepted without a ConvergenceWarning.
    max_iter : int, default=None
        Iteration limit of each call of a linear programming solver; None is the solver's own limit.
    warm_start : bool, default=False
        Whether to start from the coefficients of the previous fit. No effect on linprog.

    Attributes
    ----------
    coef_ : ndarray of shape (n_features,) or (n_targets, n_features)
        Coefficients.
    intercept_ : float or ndarray of shape (n_targets,)
        Intercept; 0 if `fit_intercept` is False.
    alpha_ : float
        The `alpha` used; with "pivotal" that for columns of standard deviation 1.
    n_iter_ : int or ndarray of shape (n_targets,)
        Iterations of the linear programming solvers, at least 1.
    objective_ : float or ndarray of shape (n_targets,)
        Objective at the solution.
    dual_gap_ : float or ndarray of shape (n_targets,)
        Proved upper bound of ``objective_ - optimum``.
    certificate_ : Certificate or list of Certificate
        The certificate.
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
    QuantileRegressor : Other quantiles than the median.
    HuberLossRegressor, CombinedLossRegressor : Between absolute and squared loss.
    LassoCD : Squared loss with the L1 penalty.

    Notes
    -----
    With ``alpha="pivotal"`` the penalty of feature j is :math:`\alpha \sigma_j v_j`, where :math:`\sigma_j` is the
    standard deviation of its column (without an intercept the root mean square). The value of :math:`\alpha` is 1.1
    times the 0.9 quantile of the largest gradient under pure noise in these units, twice `pivotal_alpha` (Belloni and
    Chernozhukov 2011). If no feature is relevant, none is selected with probability at least 0.9; coefficients of
    relevant features are shrunk. The quantile comes from 1000 simulations with a fixed seed, so that fits are
    reproducible; another order of the rows changes it by about one percent. A row has one error whatever its weight:
    for this choice an integer weight is not the same as repeated rows, whose errors are independent.

    ``penalty_weights="adaptive"`` divides the penalty of a feature by the absolute value of its coefficient in a pilot
    fit, to the power `gamma` (Wang, Li and Jiang 2007). The pilot is least absolute deviations without penalty if there
    are more rows than columns, and otherwise ridge regression on standardised columns, with the ridge penalty chosen by
    generalised cross-validation, as in `LassoCD`, which is not robust to outliers in y. A feature whose coefficient in
    the pilot is zero is excluded. Each target has a pilot.

    References
    ----------
    Wang, H., Li, G. and Jiang, G. (2007). Robust regression shrinkage and consistent variable selection through the
    LAD-lasso. Journal of Business and Economic Statistics 25(3), 347-355. doi:10.1198/073500106000000251

    Belloni, A. and Chernozhukov, V. (2011). L1-penalized quantile regression in high-dimensional sparse models. Annals
    of Statistics 39(1), 82-130. doi:10.1214/10-AOS827

    Koenker, R. and Bassett, G. (1978). Regression quantiles. Econometrica 46(1), 33-50. doi:10.2307/1913643

    Portnoy, S. and Koenker, R. (1997). The Gaussian hare and the Laplacian tortoise: computability of squared-error
    versus absolute-error estimators. Statistical Science 12(4), 279-300. doi:10.1214/ss/1030037960

    Examples
    --------
    Two of ten targets are outliers, which do not change the fit:

    >>> import numpy as np
    >>> from ladreg import LADRegressor
    >>> X = np.arange(10.0).reshape(-1, 1)
    >>> y = 2 * X.ravel() + 1
    >>> y[[3, 7]] = 100
    >>> model = LADRegressor().fit(X, y)
    >>> model.coef_.round(12), model.intercept_.round(12)
    (array([2.]), np.float64(1.0))
    >>> model.certificate_.relative_gap < 1e-14, model.certificate_.unique
    (True, True)

    Two of 100 features are relevant:

    >>> rng = np.random.default_rng(0)
    >>> X = rng.standard_normal((150, 100))
    >>> y = 3 * X[:, 4] - 2 * X[:, 7] + rng.standard_cauchy(150)
    >>> model = LADRegressor(alpha="pivotal").fit(X, y)
    >>> np.flatnonzero(model.coef_), round(model.alpha_, 2)
    (array([4, 7]), 0.29)
    """

    def __init__(
        self,
        alpha: float | Literal["pivotal"] = 0.0,
        *,
        fit_intercept: bool = True,
        positive: bool = False,
        bounds: Bounds | None = None,
        l1_ratio: float = 1.0,
        penalty_weights: ArrayLike | Literal["adaptive"] | None = None,
        gamma: float = 1.0,
        solver: Literal["auto", "linprog"] = "auto",
        solver_options: Mapping[str, Any] | None = None,
        tol: float = 1e-9,
        max_iter: int | None = None,
        warm_start: bool = False,
    ) -> None:
        self.alpha = alpha
        self.fit_intercept = fit_intercept
        self.positive = positive
        self.bounds = bounds
        self.l1_ratio = l1_ratio
        self.penalty_weights = penalty_weights
        self.gamma = gamma
        self.solver = solver
        self.solver_options = solver_options
        self.tol = tol
        self.max_iter = max_iter
        self.warm_start = warm_start

    def _check_loss(self) -> None:
        check_choice("solver", self.solver, ("auto", "linprog"))
        check_options("solver_options", self.solver_options)

    def _loss(self) -> Loss:
        return Absolute()

    def _settings(self) -> Settings:
        options = self.solver_options or {}
        return Settings(tol=self.tol, max_iter=self.max_iter, solver=self.solver, options=options)
