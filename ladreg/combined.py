"""Absolute and squared loss combined, as a scikit-learn estimator."""

from __future__ import annotations

from typing import Literal

from numpy.typing import ArrayLike

from ladreg._estimators import Bounds, L1Regressor, check_real
from ladreg._problem import Absolute, Combined, Loss, Squared


class CombinedLossRegressor(L1Regressor):
    r"""Linear regression by the combined L1 and L2 loss, exact and certified, with an optional L1 penalty.

    Minimises

    .. math:: \frac{1}{\sum_i w_i} \sum_i w_i \, \big( \rho \, |r_i| + (1 - \rho) \, r_i^2 \big)
        + \alpha \sum_j v_j |b_j|, \qquad r_i = y_i - x_i^\top b - b_0

    with :math:`\rho` for `l1_ratio` and :math:`v` for `penalty_weights`. Small residuals count as in least absolute
    deviations and large ones as in least squares, so that it is *not* robust to outliers in y; it fits some rows
    exactly, as least absolute deviations do, and is unique whenever least squares are. If the optimum is not unique,
    the coefficients of the smallest Euclidean norm are returned.

    Parameters
    ----------
    l1_ratio : float, default=0.5
        Share of the absolute loss: 1 is `LADRegressor`; 0 is least squares, with a penalty `LassoCD` at half the
        `alpha`. The two parts have different units (y and its square): scaling y changes their balance.
    alpha : float, default=0.0
        Strength of the L1 penalty; 0 is no penalty.
    fit_intercept : bool, default=True
        Whether to fit an intercept, which is not penalised.
    positive : bool, default=False
        Whether to restrict coefficients to be >= 0.
    bounds : tuple of two floats or array-likes, default=None
        Smallest and largest values of coefficients, ``(lower, upper)``: one number each, or one number per feature, in
        units of the coefficients; infinity means no bound. `positive` is short for ``(0, inf)``. If zero is not
        allowed, the penalty shrinks towards the bound nearest to zero.
    penalty_l1_ratio : float, default=1.0
        Share :math:`\kappa` of the L1 penalty in :math:`\alpha \sum_j v_j (\kappa \, |b_j| + (1 - \kappa) \, b_j^2 /
        2)`, the `l1_ratio` of `ElasticNetCD`. The name differs because `l1_ratio` is the share of the loss here.
    penalty_weights : array-like of shape (n_features,) or "adaptive", default=None
        Penalty factors :math:`v_j \ge 0`, one per feature: 0 leaves it unpenalised, infinity excludes it. "adaptive" is
        :math:`1 / |\tilde b_j|^\gamma` with a pilot fit :math:`\tilde b` (see Notes).
    gamma : float, default=1.0
        Exponent :math:`\gamma > 0` of the adaptive penalty factors; not used otherwise.
    tol : float, default=1e-9
        Largest relative gap between objective and proved bound that is accepted without a ConvergenceWarning.
    max_iter : int, default=None
        Iteration limit of the solver; None is its default.
    warm_start : bool, default=False
        Whether to start from the coefficients of the previous fit.

    Attributes
    ----------
    coef_ : ndarray of shape (n_features,) or (n_targets, n_features)
        Coefficients; exactly zero for features that are not selected.
    intercept_ : float or ndarray of shape (n_targets,)
        Intercept; 0 if `fit_intercept` is False.
    n_iter_ : int or ndarray of shape (n_targets,)
        Iterations of the solver, at least 1.
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
    CombinedLossRegressorCV : Chooses alpha by cross-validation.
    HuberLossRegressor : The opposite: squares for small residuals, absolute values for large ones.
    LADRegressor : The absolute loss alone.
    ladreg.metrics.combined_loss : The loss of given predictions.

    Notes
    -----
    The quadratic program is reduced to the rows near the fit, as in `LADRegressor`; these are solved by an interior
    point method, and the resulting linear system is solved up to rounding. Rows in blocks are usually read four times
    (see the guide, Data larger than memory).

    ``penalty_weights="adaptive"`` divides the penalty of a feature by the absolute value of its coefficient in a pilot
    fit, to the power `gamma` (Zou 2006). The pilot is the fit of the same loss without penalty if there are more rows
    than columns, and otherwise ridge regression on standardised columns, with the ridge penalty chosen by generalised
    cross-validation, as in `LassoCD`, which is not robust to outliers in y. A feature whose coefficient in the pilot is
    zero is excluded. Each target has a pilot.

    References
    ----------
    Zou, H. (2006). The adaptive lasso and its oracle properties. JASA 101(476), 1418-1429.
    doi:10.1198/016214506000000735

    Portnoy, S. and Koenker, R. (1997). The Gaussian hare and the Laplacian tortoise: computability of squared-error
    versus absolute-error estimators. Statistical Science 12(4), 279-300. doi:10.1214/ss/1030037960

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from ladreg import CombinedLossRegressor
    >>> X, y = load_diabetes(return_X_y=True)
    >>> model = CombinedLossRegressor(l1_ratio=0.5).fit(X, y)
    >>> model.certificate_.relative_gap < 1e-12, model.certificate_.unique
    (True, True)
    """

    _ratio_name = "penalty_l1_ratio"

    def __init__(
        self,
        l1_ratio: float = 0.5,
        alpha: float = 0.0,
        *,
        fit_intercept: bool = True,
        positive: bool = False,
        bounds: Bounds | None = None,
        penalty_l1_ratio: float = 1.0,
        penalty_weights: ArrayLike | Literal["adaptive"] | None = None,
        gamma: float = 1.0,
        tol: float = 1e-9,
        max_iter: int | None = None,
        warm_start: bool = False,
    ) -> None:
        self.l1_ratio = l1_ratio
        self.alpha = alpha
        self.fit_intercept = fit_intercept
        self.positive = positive
        self.bounds = bounds
        self.penalty_l1_ratio = penalty_l1_ratio
        self.penalty_weights = penalty_weights
        self.gamma = gamma
        self.tol = tol
        self.max_iter = max_iter
        self.warm_start = warm_start

    def _check_loss(self) -> None:
        check_real("l1_ratio", self.l1_ratio, low=0.0, high=1.0)

    def _loss(self) -> Loss:
        if self.l1_ratio == 1:
            return Absolute()
        if self.l1_ratio == 0:
            return Squared()
        return Combined(float(self.l1_ratio), 1.0 - float(self.l1_ratio))
