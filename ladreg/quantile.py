"""Quantile regression as a scikit-learn estimator: one quantile, or many at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.metrics import d2_pinball_score
from sklearn.utils.validation import check_is_fitted

from ladreg._arrays import Array, Index, MatrixLike
from ladreg._estimators import (
    Bounds,
    Data,
    PivotalRegressor,
    check_choice,
    check_flag,
    check_options,
    checked_quantiles,
    penalties_of,
)
from ladreg._problem import Coefficients, ElasticNet, Loss, Pinball, Problem, Settings, Solution
from ladreg._row_blocks import is_dask
from ladreg._solvers import largest_alpha, solve_quantiles
from ladreg._warn import warn_user

# Default of scikit-learn's QuantileRegressor; an alpha of 1 that was passed looks the same.
_DEFAULT_ALPHA = 1.0
_SOLVERS = ("auto", "linprog", "highs", "highs-ds", "highs-ipm")


class QuantileRegressor(PivotalRegressor):
    r"""Linear quantile regression, exact and certified, with the L1 penalty: one quantile, or many at once.

    Minimises, for each quantile :math:`\tau`,

    .. math:: \frac{1}{\sum_i w_i} \sum_i w_i \, \max\big( \tau \, r_i, (\tau - 1) \, r_i \big)
        + \alpha \sum_j v_j |b_j|, \qquad r_i = y_i - x_i^\top b - b_0

    with :math:`v` for `penalty_weights`: the objective and the defaults of scikit-learn's `QuantileRegressor`. If the
    optimum is not unique, the result is the canonical one: the centre of all optima (see :ref:`canonical`), and of
    several such coefficients those of the smallest Euclidean norm. Without features it is the midpoint of all optimal
    quantiles.

    Parameters
    ----------
    quantile : float or array-like of shape (n_quantiles,), default=0.5
        Quantiles, strictly between 0 and 1. Several quantiles are solved together.
    alpha : float or "pivotal", default=1.0
        Strength of the L1 penalty, in units of X; 0 is no penalty. The default is scikit-learn's, and so strong that
        for most data few or no coefficients are non-zero: try 0, or fractions of `alpha_max`. If all coefficients are
        zero with 1, `fit` warns. ``LADRegressor(alpha=2 * a)`` is ``QuantileRegressor(alpha=a)``. "pivotal" computes a
        penalty from X alone that dominates the noise with high probability, for any error distribution (see Notes).
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
    rearrange : bool, default=False
        Whether `predict` sorts the predictions of several quantiles in each row, so that they do not cross. This never
        increases the mean pinball loss (see Notes) and does not change `coef_` and certificates: it may be set after
        the fit.
    solver : {"auto", "linprog", "highs", "highs-ds", "highs-ipm"}, default="auto"
        "auto" is as in `LADRegressor`. "linprog" solves the whole linear program by `scipy.optimize.linprog`, the other
        values do so by this method of linprog. All return the same certified canonical optimum.
    solver_options : dict, default=None
        Options of `scipy.optimize.linprog`, used whenever it is called, such as ``{"time_limit": 60}`` (seconds).
    tol : float, default=1e-9
        Largest relative gap between objective and proved bound that is accepted without a ConvergenceWarning.
    max_iter : int, default=None
        Iteration limit of each call of a linear programming solver; None is the solver's own limit.
    warm_start : bool, default=False
        Whether to start from the coefficients of the previous fit.

    Attributes
    ----------
    coef_ : ndarray of shape (n_features,), (n_quantiles, n_features) or (n_targets, n_features)
        Coefficients; exactly zero for features that are not selected.
    intercept_ : float or ndarray of shape (n_quantiles,) or (n_targets,)
        Intercept; 0 if `fit_intercept` is False.
    quantile_ : float or ndarray of shape (n_quantiles,)
        The quantiles of the fit, which `predict` and `score` use.
    alpha_ : float or ndarray of shape (n_quantiles,)
        The `alpha` used; with "pivotal" that for columns of standard deviation 1.
    n_iter_ : int or ndarray of shape (n_quantiles,) or (n_targets,)
        Iterations of the linear programming solvers, at least 1.
    objective_ : float or ndarray of shape (n_quantiles,) or (n_targets,)
        Objective at the solution.
    dual_gap_ : float or ndarray of shape (n_quantiles,) or (n_targets,)
        Proved upper bound of ``objective_ - optimum``.
    certificate_ : Certificate or list of Certificate
        The certificate, one for each quantile or target.
    certificates_ : list of Certificate
        The same as a list, also of one quantile and target.
    penalty_weights_ : ndarray of shape (n_features,), (n_quantiles, n_features) or (n_targets, n_features)
        The adaptive penalty factors, only with ``penalty_weights="adaptive"``; `verify` uses them.
    n_features_in_ : int
        Number of features seen during fit.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of features seen during fit, if they are all strings.
    n_passes_ : int
        Number of passes over the rows; only for data in blocks of rows or from Dask.

    See Also
    --------
    LADRegressor : The median, with the loss not halved and no penalty by default.
    pivotal_alpha : What ``alpha="pivotal"`` stands for, with other levels of confidence.
    ladreg.metrics.pinball_loss : The loss of given predictions.
    sklearn.linear_model.QuantileRegressor : The same model by one linear program, without certificate.

    Notes
    -----
    Quantiles are fitted independently and may cross, mostly at the edges of the data. The remedy is monotone
    rearrangement, not constraints between the fits: constraints hold only at given rows, sorting holds for every row;
    constrained fits are not optimal for their quantiles; and rearranged curves are nearer to the true ones whenever the
    fitted ones cross (Chernozhukov, Fernández-Val and Galichon 2010). To check for crossing, compare
    ``np.diff(predictions)`` with 0.

    With ``alpha="pivotal"`` the penalty of feature j is :math:`\alpha \sigma_j v_j`, where :math:`\sigma_j` is the
    standard deviation of its column (without an intercept the root mean square), and :math:`\alpha` is `pivotal_alpha`
    (Belloni and Chernozhukov 2011): 1.1 :math:`\sqrt{\tau (1 - \tau)}` times the 0.9 quantile of the largest gradient
    under pure noise in these units, over all given quantiles. With an intercept and few rows beyond a quantile it is at
    least the gradient of the rows that a fit without features interpolates. The quantile comes from 1000 simulations
    with a fixed seed, so that fits are reproducible; another order of the rows changes it by about one percent. A row
    has one error whatever its weight: for this choice an integer weight is not the same as repeated rows, whose errors
    are independent.

    ``penalty_weights="adaptive"`` divides the penalty of a feature by the absolute value of its coefficient in a pilot
    fit, to the power `gamma` (Wu and Liu 2009). The pilot is the fit of the same quantile without penalty if there are
    more rows than columns, and otherwise ridge regression on standardised columns, with the ridge penalty chosen by
    generalised cross-validation, as in `LassoCD`, which is not robust to outliers in y. A feature whose coefficient in
    the pilot is zero is excluded. Each of several quantiles has its own factors. Each target has a pilot.

    References
    ----------
    Wu, Y. and Liu, Y. (2009). Variable selection in quantile regression. Statistica Sinica 19(2), 801-817.

    Koenker, R. and Bassett, G. (1978). Regression quantiles. Econometrica 46(1), 33-50. doi:10.2307/1913643

    Belloni, A. and Chernozhukov, V. (2011). L1-penalized quantile regression in high-dimensional sparse models. Annals
    of Statistics 39(1), 82-130. doi:10.1214/10-AOS827

    Chernozhukov, V., Fernández-Val, I. and Galichon, A. (2010). Quantile and probability curves without crossing.
    Econometrica 78(3), 1093-1125. doi:10.3982/ECTA7880

    Examples
    --------
    >>> import numpy as np
    >>> from ladreg import QuantileRegressor
    >>> rng = np.random.default_rng(0)
    >>> x = rng.uniform(1, 10, 400)
    >>> y = x + 0.2 * x * rng.standard_normal(400)
    >>> model = QuantileRegressor(quantile=[0.1, 0.5, 0.9], alpha=0).fit(x[:, None], y)
    >>> model.predict([[2.0], [8.0]]).round(1)
    array([[ 1.5,  2. ,  2.5],
           [ 5.9,  8. , 10. ]])
    """

    quantile_: float | Any

    def __init__(
        self,
        *,
        quantile: float | ArrayLike = 0.5,
        alpha: float | Literal["pivotal"] = 1.0,
        fit_intercept: bool = True,
        positive: bool = False,
        bounds: Bounds | None = None,
        l1_ratio: float = 1.0,
        penalty_weights: ArrayLike | Literal["adaptive"] | None = None,
        gamma: float = 1.0,
        rearrange: bool = False,
        solver: Literal["auto", "linprog", "highs", "highs-ds", "highs-ipm"] = "auto",
        solver_options: Mapping[str, Any] | None = None,
        tol: float = 1e-9,
        max_iter: int | None = None,
        warm_start: bool = False,
    ) -> None:
        self.quantile = quantile
        self.alpha = alpha
        self.fit_intercept = fit_intercept
        self.positive = positive
        self.bounds = bounds
        self.l1_ratio = l1_ratio
        self.penalty_weights = penalty_weights
        self.gamma = gamma
        self.rearrange = rearrange
        self.solver = solver
        self.solver_options = solver_options
        self.tol = tol
        self.max_iter = max_iter
        self.warm_start = warm_start

    @property
    def _several(self) -> bool:
        return np.ndim(self.quantile) > 0

    def _check_loss(self) -> None:
        checked_quantiles(self.quantile)
        check_flag("rearrange", self.rearrange)
        check_choice("solver", self.solver, _SOLVERS)
        check_options("solver_options", self.solver_options)

    def _loss(self) -> Loss:
        return Pinball(float(np.ravel(self.quantile)[0]))

    def _given(self, data: Data, penalty: ElasticNet) -> list[Problem]:
        if not self._several:
            return super()._given(data, penalty)
        if not data.single:
            raise ValueError("y must be one-dimensional if quantile is a list: fit one model per target.")
        target = np.ascontiguousarray(data.Y[:, 0])
        quantiles = np.asarray(self.quantile, dtype=np.float64).tolist()
        pairs = zip(quantiles, penalties_of(penalty, len(quantiles)), strict=True)
        return [self._problem(data, target, Pinball(quantile), own) for quantile, own in pairs]

    def _is_single(self, data: Data) -> bool:
        return data.single and not self._several

    def _miscounted(self, n_problems: int, n_fitted: int) -> str:
        return f"the targets of y and the quantiles require {n_problems} fits, but the model was fitted to {n_fitted}."

    def _settings(self) -> Settings:
        given, options = super()._settings(), self.solver_options or {}
        if self.solver in ("auto", "linprog"):
            return replace(given, solver=self.solver, options=options)
        return replace(given, solver="linprog", options={"method": self.solver, **options})

    def _solve(self, problems: list[Problem], starts: list[Coefficients | None]) -> list[Solution]:
        together = self._several and self.solver == "auto" and starts[0] is None and not self._is_adaptive
        if not together:
            return super()._solve(problems, starts)
        return solve_quantiles(problems, self._settings())

    def _store(self, data: Data, problems: list[Problem], solutions: list[Solution]) -> None:
        super()._store(data, problems, solutions)
        self.quantile_ = (
            np.array(self.quantile, dtype=np.float64) if self._several else float(np.asarray(self.quantile))
        )

    def _advise(self, problems: list[Problem]) -> None:
        if self.alpha != _DEFAULT_ALPHA or np.any(self.coef_):
            return
        try:
            largest = max(largest_alpha(problem) for problem in problems)  # the penalties are those of alpha=1
        except (OverflowError, RuntimeError):  # the fit is good without the advice
            return
        if largest > 0:
            warn_user(
                "alpha=1, the default as in scikit-learn, makes all coefficients zero, and so does any alpha above "
                f"{largest:.4g}, the alpha_max of these data. Pass alpha=0 for no penalty, a fraction of alpha_max "
                f"such as alpha={0.1 * largest:.2g}, or alpha='pivotal'.",
                UserWarning,
            )

    def _quantiles_of_fit(self) -> Array:
        """`quantile_`, a number or a vector; for a model that was saved without it, the parameter `quantile`."""
        return np.asarray(getattr(self, "quantile_", self.quantile), dtype=np.float64)

    def _ranks(self) -> Index | None:
        """Ranks of the quantiles, by which `predict` orders the sorted predictions of a row; None to leave them."""
        quantiles = self._quantiles_of_fit()
        if not (quantiles.ndim and self.rearrange):
            return None
        return np.argsort(np.argsort(quantiles, kind="stable"))

    def predict(self, X: MatrixLike) -> NDArray[np.floating]:
        """Predict with the linear model.

        Parameters
        ----------
        X : {array-like, sparse matrix, sparse array} of shape (n_samples, n_features)
            Samples.

        Returns
        -------
        ndarray of shape (n_samples,), (n_samples, n_quantiles) or (n_samples, n_targets)
            ``X @ coef_.T + intercept_``; with `rearrange` the k-th smallest value of a row for the k-th smallest
            quantile.
        """
        prediction = super().predict(X)
        if is_dask(prediction):  # its blocks come here one by one
            return prediction
        ranks = self._ranks()
        return prediction if ranks is None else np.sort(prediction, axis=1)[:, ranks]

    def score(self, X: MatrixLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
        """R² of the predictions for one quantile; for several quantiles the mean of their D² scores.

        Parameters
        ----------
        X : {array-like, sparse matrix, sparse array} of shape (n_samples, n_features)
            Samples.
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            Targets.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights.

        Returns
        -------
        float
            For one quantile R², as in scikit-learn's `QuantileRegressor`; for several the mean of
            :func:`sklearn.metrics.d2_pinball_score`, the relative reduction of the pinball loss from the best constant.
        """
        check_is_fitted(self)
        quantiles = self._quantiles_of_fit()
        if not quantiles.ndim:
            return float(super().score(X, y, sample_weight))
        pairs = zip(self.predict(X).T, quantiles, strict=True)
        scores = [d2_pinball_score(y, found, sample_weight=sample_weight, alpha=quantile) for found, quantile in pairs]
        return float(np.mean(scores))
