"""Estimators that choose alpha along a path by an information criterion, without cross-validation."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np
import scipy.special
from numpy.typing import ArrayLike, NDArray

from ladreg._arrays import Array, Index, MatrixLike
from ladreg._certificate import column_rank, tied_rows
from ladreg._estimators import Bounds, CertifiedRegressor, Data, MomentData, check_choice, check_real, quantile_of
from ladreg._paths import Path, losses_of, relaxed
from ladreg._problem import TOO_LARGE, Coefficients, Problem, Solution
from ladreg._row_blocks import Passes
from ladreg._solvers import solve
from ladreg._tolerances import EXACT_FIT
from ladreg._tuning import Candidate, Choice, Target, TunedRegressor, check_not_empty, check_single
from ladreg.lad import LADRegressor
from ladreg.lasso import LassoCD
from ladreg.quantile import QuantileRegressor

# Targets count as at most 1e4 robust scales beyond all fits: differences between the losses of fits stay as they are,
# and keep their digits.
_FAR = 1e4


class InformationRegressor(TunedRegressor):
    """A regressor that chooses its alpha by the likelihood of the data and the number of features it needs."""

    criterion: Literal["aic", "bic", "ebic"]
    ebic_gamma: float
    criterion_: Array
    n_selected_path_: Index

    @abstractmethod
    def _deviance(self, candidate: Candidate, path: Path, losses: Array, n_samples: float) -> Array:
        """Minus twice the log-likelihood for each alpha, from the mean losses."""

    def _losses(
        self,
        candidate: Candidate,
        path: Path,  # noqa: ARG002
        coef: Array,
        intercept: Array,
        n_samples: float,  # noqa: ARG002
    ) -> Array:
        """The mean loss of each fit: for each alpha a column of `coef` and an intercept."""
        return losses_of(candidate.problem, coef, intercept)

    def _refit(
        self,
        candidate: Candidate,
        chosen: NDArray[np.bool_],
        n_samples: float,
        start: Coefficients | None = None,
    ) -> tuple[Solution, float]:
        """The fit without penalty to the chosen features, and the degrees of freedom that it leaves."""
        problem = candidate.problem
        free = problem.with_penalty(problem.penalty.released(chosen))
        found = solve(free, self._settings(), start)
        features = np.flatnonzero(chosen)
        used = features.size if found.unique else column_rank(problem, features)
        return found, max(n_samples - used - problem.fit_intercept, 1.0)

    def _refitted(self, candidate: Candidate, chosen: NDArray[np.bool_], n_samples: float) -> tuple[float, float]:
        """Mean loss of the fit without penalty to the chosen features, and the degrees of freedom that it leaves."""
        found, left = self._refit(candidate, chosen, n_samples)
        return found.objective, left

    def _check_tuning(self) -> None:
        super()._check_tuning()
        check_choice("criterion", self.criterion, ("aic", "bic", "ebic"))
        check_real("ebic_gamma", self.ebic_gamma, low=0.0)

    def _n_tasks(self, given: Any) -> int:  # noqa: ARG002 - a path is one task
        return 0

    def _prepared(
        self,
        X: MatrixLike,  # noqa: ARG002
        y: ArrayLike,  # noqa: ARG002
        data: Data,
        sample_weight: Any,
        params: dict[str, Any],
    ) -> float:
        """The number of samples: the sum of the weights if all are whole, otherwise the number of nonzero weights."""
        if params:
            raise TypeError(f"fit got an unexpected argument {min(params)!r}.")
        weight = np.asarray(1.0 if sample_weight is None else sample_weight, dtype=np.float64)
        if weight.ndim == 0:
            return float(data.weight.size)
        with np.errstate(over="ignore"):
            total = float(weight.sum())
        # All float64 numbers above 2^53 are whole, but they are not counts.
        counted = total <= 2.0**53 and bool(np.all(weight == np.floor(weight)))
        return total if counted else float(np.count_nonzero(data.weight))

    def _prepared_blocks(self, passes: Passes, n_held: int, params: dict[str, Any]) -> tuple[MomentData, float]:  # noqa: ARG002
        """The moments of all rows, and the number of samples, counted as in memory."""
        if params:
            raise TypeError(f"fit got an unexpected argument {min(params)!r}.")
        blocks = MomentData.of(passes, None, bool(self._model.fit_intercept))
        seen = blocks.moments
        counted = seen.whole and seen.total.mass <= 2.0**53
        return blocks, seen.total.mass if counted else float(seen.n_rows)

    def _chosen(self, targets: Sequence[Target], given: float) -> list[Choice]:
        found = [target.fit._judged(target.candidates[0], given) for target in targets]
        # The errors are estimated from the whole path, whatever the limit.
        limited = [path.within(self.max_features) for path, _ in found]
        for path in limited:
            check_not_empty(path, self.max_features)
        number = min(path.alphas.size for path in limited)
        k = int(np.argmin(np.mean([criterion[:number] for _, criterion in found], axis=0)))
        choices = []
        for target, (path, criterion) in zip(targets, found, strict=True):
            target.fit._keep(path.first(number), criterion[:number])
            told = f"{self.criterion} {criterion[k]:.6g}, {target.fit.n_selected_path_[k]} features"
            self._say(f"{target.name}alpha={path.alphas[k]:.6g}: {told}")
            choices.append(Choice(target.candidates, 0, k, path.first(number), solve))
        return choices

    def _judged(self, candidate: Candidate, n_samples: float) -> tuple[Path, Array]:
        """The path of all rows, and the criterion for each of its alphas."""
        problem, path = candidate.problem, candidate.path(self._settings())
        coef, intercept = relaxed(problem, path.coef, path.intercept, self._mixing, self._settings())
        losses = self._losses(candidate, path, coef, intercept, n_samples)
        used = degrees_of_freedom(problem, path).astype(float)
        criterion = self._deviance(candidate, path, losses, n_samples)
        criterion += (2.0 if self.criterion == "aic" else np.log(n_samples)) * used
        if self.criterion == "ebic":
            p = int(np.count_nonzero(np.isfinite(problem.penalty.strength)))
            size = np.count_nonzero(path.coef, axis=0) if problem.penalty.curved else used
            # Beyond p / 2 features the number of models falls again, which would reward more features.
            some = np.minimum(size, p // 2)
            ways = scipy.special.gammaln(p + 1) - scipy.special.gammaln(some + 1) - scipy.special.gammaln(p - some + 1)
            criterion += 2.0 * self.ebic_gamma * ways
        if np.isnan(criterion).any():
            raise OverflowError(TOO_LARGE)
        return path, criterion

    def _keep(self, path: Path, criterion: Array) -> None:
        """Store the criterion along the path."""
        self.criterion_, self.n_selected_path_ = criterion, np.count_nonzero(path.coef, axis=0)


class LassoCDIC(InformationRegressor):
    r"""The lasso, with `alpha` chosen by an information criterion along a path.

    Minimises

    .. math:: \frac{1}{2 \sum_i w_i} \sum_i w_i \, (y_i - x_i^\top b - b_0)^2 + \alpha \sum_j v_j |b_j|

    with :math:`v` for `penalty_weights`, as `LassoCD` does, for each :math:`\alpha` of a decreasing grid, and takes the
    fit with the smallest

    .. math:: n \log(2 \pi \sigma^2) + \frac{n}{\sigma^2 \sum_i w_i} \sum_i w_i \, (y_i - x_i^\top b - b_0)^2 + c \, k

    with k the rank of the columns with non-zero coefficients (their number, unless they are linearly dependent), c = 2
    for "aic" and :math:`\log n` for "bic", as scikit-learn's `LassoLarsIC` does; "ebic" adds a term (see Notes). The
    fit has a certificate.

    Parameters
    ----------
    criterion : {"aic", "bic", "ebic"}, default="bic"
        "aic" is for prediction and keeps more features, "bic" for selection, "ebic" (extended BIC) for selection among
        many features.
    ebic_gamma : float, default=1.0
        Factor :math:`\gamma \ge 0` of the additional term of "ebic"; with 0 it equals "bic".
    noise_variance : float, default=None
        The variance :math:`\sigma^2` of the errors, in squared units of y; None estimates it (see Notes).
    eps : float, default=1e-3
        Ratio of the smallest to the largest alpha of the grid.
    alphas : int or array-like of shape (n_alphas,), default=100
        Number of alphas on a log-spaced grid that starts at `alpha_max`, from which on all penalised coefficients are
        zero, or the list of alphas to try, in units of y times units of X. 0 is least squares.
    fit_intercept : bool, default=True
        Whether to fit an intercept, which is not penalised.
    positive : bool, default=False
        Whether to restrict coefficients to be >= 0.
    bounds : tuple of two floats or array-likes, default=None
        Smallest and largest values of coefficients, as in `LassoCD`.
    penalty_weights : array-like of shape (n_features,) or "adaptive", default=None
        Penalty factors :math:`v_j \ge 0`, one per feature, as in `LassoCD`: 0 leaves it unpenalised, infinity excludes
        it. "adaptive" is :math:`1 / |\tilde b_j|^\gamma` with a pilot fit :math:`\tilde b` (see Notes).
    gamma : float, default=1.0
        Exponent :math:`\gamma > 0` of the adaptive penalty factors; not used otherwise.
    standardize : bool, default=False
        Whether to penalise as if every column had been divided by its (weighted) standard deviation. Columns that are
        constant (up to rounding, a fraction of 1e-14 of their size) are treated as having standard deviation 1.
    post_selection : float, default=None
        Share s, between 0 and 1: the coefficients are s times those of the penalised fit plus 1 - s times those of the
        least squares fit to the selected features, without penalty. The criterion is computed with these coefficients.
        None is 1: no refit.
    max_features : int, default=None
        Largest number of non-zero coefficients. The path ends before the first alpha with more, and alpha is chosen
        from the remaining ones. None is no limit.
    alpha_per_target : bool, default=False
        Whether to choose one `alpha` for each column of a two-dimensional y, on a grid of its own. Otherwise all
        targets have one `alpha`, with the smallest mean of the criterion over the targets; the grid then begins with
        the largest of the targets' largest alphas. Not used with a one-dimensional y.
    max_iter : int, default=10000
        Largest number of epochs plus active-set steps for each alpha.
    tol : float, default=1e-10
        As in `LassoCD`; along paths gaps are relative to their objectives.
    verbose : int, default=0
        Whether to print the choice.

    Attributes
    ----------
    alpha_ : float or ndarray of shape (n_targets,)
        The chosen alpha.
    alphas_ : ndarray of shape (n_alphas,) or (n_targets, n_alphas)
        The alphas, decreasing.
    criterion_ : ndarray of shape (n_alphas,)
        The criterion at each alpha.
    n_selected_path_ : ndarray of shape (n_alphas,)
        Number of non-zero coefficients.
    noise_variance_ : float or ndarray of shape (n_targets,)
        The variance of the errors.
    coef_path_ : ndarray of shape (n_features, n_alphas) or (n_targets, n_features, n_alphas)
        Coefficients of the penalised fits.
    intercept_path_ : ndarray of shape (n_alphas,) or (n_targets, n_alphas)
        Their intercepts.
    coef_ : ndarray of shape (n_features,) or (n_targets, n_features)
        Coefficients at the chosen alpha; exactly zero for features that are not selected.
    intercept_ : float or ndarray of shape (n_targets,)
        Intercept; 0 if `fit_intercept` is False.
    n_iter_ : int or ndarray of shape (n_targets,)
        Epochs and steps of the last fit, which starts from the path's.
    objective_ : float or ndarray of shape (n_targets,)
        Objective of the penalised fit.
    dual_gap_ : float or ndarray of shape (n_targets,)
        Proved upper bound of ``objective_ - optimum``.
    certificate_ : Certificate or list of Certificate
        The certificate of the penalised fit, before `post_selection`.
    certificates_ : list of Certificate
        The same as a list, also of one target.
    n_passes_ : int
        Number of passes over the rows; only for data in blocks.
    penalty_weights_ : ndarray of shape (n_features,) or (n_targets, n_features)
        The adaptive penalty factors, only with ``penalty_weights="adaptive"``; `verify` uses them.
    n_features_in_ : int
        Number of features seen during fit.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of features seen during fit, if they are all strings.

    See Also
    --------
    LassoCD : The lasso with a given alpha.
    LassoCDCV : Chooses alpha by cross-validation, which makes no assumption about the error distribution.
    LADRegressorIC : Absolute loss.
    sklearn.linear_model.LassoLarsIC : The same criterion at the breakpoints of the path, for more rows than features.

    Notes
    -----
    With more rows than features :math:`\sigma^2` is the residual variance of least squares with all features. With only
    a few more rows this estimate is poor: pass `noise_variance`. With more features than rows it is the residual
    variance of least squares on the features selected at the largest alpha of the grid that is at most
    :math:`\hat\sigma \sqrt{2 \log p / n}` for standardised columns, with :math:`\hat\sigma` the root mean squared
    residual at that alpha (Sun and Zhang 2012). For other columns that bound is multiplied by the median standard
    deviation and divided by `penalty_weights`.

    The rank of the columns with non-zero coefficients, centred if there is an intercept, is an unbiased estimate of the
    degrees of freedom of the lasso (Tibshirani and Taylor 2012): both dummies of a binary variable count as one. A
    relaxed fit has more degrees of freedom; the rank is used nevertheless.

    The extended criterion (Chen and Chen 2008) adds :math:`2 \gamma \log \binom{p}{k}`, the logarithm of the number of
    models with k of p features. BIC treats all models as equally likely, and selects too many features if p is large.
    Excluded features are not counted in p.

    n is the number of rows, or the sum of the weights if all weights are integers, which then count as repeated rows.
    With other weights n is the number of rows with a non-zero weight, and the scale of the weights does not matter.

    ``post_selection=0`` is least squares on the features selected, without the bias of the penalty (the relaxed lasso,
    Meinshausen 2007). `certificate_`, `dual_gap_` and `objective_` are those of the penalised fit. `verify` judges the
    final coefficients, whose penalised objective is above the optimum.

    ``penalty_weights="adaptive"`` is the adaptive lasso (Zou 2006): features with large coefficients in a pilot fit are
    penalised less. The pilot is least squares if there are more rows than columns, and otherwise ridge regression on
    standardised columns, with the largest ridge penalty whose generalised cross-validation error (Golub, Heath and
    Wahba 1979) is within a thousandth of the minimum. A feature whose coefficient in the pilot is zero is excluded.
    With `standardize` the factors are those of standardised columns. Each target has a pilot.

    Several targets are fitted separately, and attributes that depend on y have the targets as their first axis. If all
    targets have one `alpha`, the attributes of alphas have no such axis. Rows of targets whose grids or paths end
    earlier than others are filled up with NaN, counts with -1.

    References
    ----------
    Tibshirani, R. J. and Taylor, J. (2012). Degrees of freedom in lasso problems. Annals of Statistics 40(2),
    1198-1232. doi:10.1214/12-AOS1003

    Chen, J. and Chen, Z. (2008). Extended Bayesian information criteria for model selection with large model spaces.
    Biometrika 95(3), 759-771. doi:10.1093/biomet/asn034

    Sun, T. and Zhang, C.-H. (2012). Scaled sparse linear regression. Biometrika 99(4), 879-898.
    doi:10.1093/biomet/ass043

    Meinshausen, N. (2007). Relaxed lasso. Computational Statistics and Data Analysis 52(1), 374-393.
    doi:10.1016/j.csda.2006.12.019

    Zou, H. (2006). The adaptive lasso and its oracle properties. JASA 101(476), 1418-1429.
    doi:10.1198/016214506000000735

    Golub, G. H., Heath, M. and Wahba, G. (1979). Generalized cross-validation as a method for choosing a good ridge
    parameter. Technometrics 21(2), 215-223. doi:10.1080/00401706.1979.10489751

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import load_diabetes
    >>> from ladreg import LassoCDIC
    >>> X, y = load_diabetes(return_X_y=True)
    >>> model = LassoCDIC("bic").fit(X, y)
    >>> np.flatnonzero(model.coef_), round(model.alpha_, 4)
    (array([1, 2, 3, 4, 6, 8, 9]), 0.0463)
    >>> model.certificate_.relative_gap < 1e-12
    True

    Three of 300 features matter, with 80 rows:

    >>> rng = np.random.default_rng(0)
    >>> X = rng.standard_normal((80, 300))
    >>> y = X[:, :3] @ [3.0, -2.0, 2.0] + rng.standard_normal(80)
    >>> np.flatnonzero(LassoCDIC("ebic", post_selection=0).fit(X, y).coef_)
    array([0, 1, 2])
    """

    noise_variance_: float | Any

    def __init__(
        self,
        criterion: Literal["aic", "bic", "ebic"] = "bic",
        *,
        ebic_gamma: float = 1.0,
        noise_variance: float | None = None,
        eps: float = 1e-3,
        alphas: int | ArrayLike = 100,
        fit_intercept: bool = True,
        positive: bool = False,
        bounds: Bounds | None = None,
        penalty_weights: ArrayLike | Literal["adaptive"] | None = None,
        gamma: float = 1.0,
        standardize: bool = False,
        post_selection: float | None = None,
        max_features: int | None = None,
        alpha_per_target: bool = False,
        max_iter: int = 10_000,
        tol: float = 1e-10,
        verbose: int = 0,
    ) -> None:
        self.criterion = criterion
        self.ebic_gamma = ebic_gamma
        self.noise_variance = noise_variance
        self.eps = eps
        self.alphas = alphas
        self.fit_intercept = fit_intercept
        self.positive = positive
        self.bounds = bounds
        self.penalty_weights = penalty_weights
        self.gamma = gamma
        self.standardize = standardize
        self.post_selection = post_selection
        self.max_features = max_features
        self.alpha_per_target = alpha_per_target
        self.max_iter = max_iter
        self.tol = tol
        self.verbose = verbose

    def _check_tuning(self) -> None:
        super()._check_tuning()
        if self.noise_variance is not None:
            check_real("noise_variance", self.noise_variance, low=0.0, open_ends=True)

    def _models(self) -> list[CertifiedRegressor]:
        return [self._like(LassoCD)]

    def _deviance(self, candidate: Candidate, path: Path, losses: Array, n_samples: float) -> Array:
        if self.noise_variance is None:
            self.noise_variance_ = self._estimated_noise(candidate, path, 2.0 * losses, n_samples)
        else:
            self.noise_variance_ = float(self.noise_variance)
        # If y is fitted exactly, every error counts, as in the limit of no noise.
        problem = candidate.problem
        least = EXACT_FIT**2 * float(problem.weight @ (problem.y - problem.null_intercept()) ** 2)
        self.noise_variance_ = max(self.noise_variance_, least) or 1.0
        return n_samples * (np.log(2 * np.pi * self.noise_variance_) + 2.0 * losses / self.noise_variance_)

    def _estimated_noise(self, candidate: Candidate, path: Path, squares: Array, n_samples: float) -> float:
        """Residual variance of least squares with all features or, if there are too many, with selected features.

        The latter are the features selected at the largest alpha that is at most the noise level for residuals of the
        size at that alpha (Sun and Zhang 2012).
        """
        everything = np.isfinite(candidate.problem.penalty.strength)
        if n_samples > np.count_nonzero(everything) + candidate.problem.fit_intercept:
            loss, left = self._refitted(candidate, everything, n_samples)
            return 2.0 * loss * n_samples / left
        k = _first_below(path.alphas, _universal(candidate, n_samples) * np.sqrt(squares))
        loss, left = self._refitted(candidate, path.coef[:, k] != 0, n_samples)
        return 2.0 * loss * n_samples / left


class LADRegressorIC(InformationRegressor):
    r"""Least absolute deviations, with the strength of the L1 penalty chosen by an information criterion along a path.

    Minimises

    .. math:: \frac{1}{\sum_i w_i} \sum_i w_i \, |y_i - x_i^\top b - b_0| + \alpha \sum_j v_j |b_j|

    with :math:`v` for `penalty_weights`, as `LADRegressor` does, for each :math:`\alpha` of a decreasing grid, and
    takes the fit with the smallest

    .. math:: 2 n \log 2 s + \frac{2 n}{s \sum_i w_i} \sum_i w_i \, |y_i - x_i^\top b - b_0| + c \, k

    with k the rank of the columns with non-zero coefficients (their number, unless they are linearly dependent), c = 2
    for "aic" and :math:`\log n` for "bic"; "ebic" adds a term (see Notes). The first two terms are minus twice the
    log-likelihood of Laplace errors of scale s, which is the same for all alphas: a robust estimate, so that a few
    outliers in y do not determine it. The fit has a certificate.

    Parameters
    ----------
    criterion : {"aic", "bic", "ebic"}, default="bic"
        "aic" is for prediction and keeps more features, "bic" for selection, "ebic" (extended BIC) for selection among
        many features.
    ebic_gamma : float, default=1.0
        Factor :math:`\gamma \ge 0` of the additional term of "ebic"; with 0 it equals "bic".
    scale : {"robust", "classical"}, default="robust"
        How the scale of the errors is estimated: by the median absolute residual, once for all alphas, or by the mean
        absolute residual at each alpha (see Notes). Gross outliers in y dominate the mean, and with it the classical
        criterion.
    eps : float, default=1e-3
        Ratio of the smallest to the largest alpha of the grid.
    alphas : int, "knots" or array-like of shape (n_alphas,), default=100
        Number of alphas on a log-spaced grid that starts at `alpha_max`, from which on all penalised coefficients are
        zero, or the list of alphas to try, in units of X. 0, which is in no grid, is plain LAD. "knots" chooses among
        all alphas at once (see Notes).
    fit_intercept : bool, default=True
        Whether to fit an intercept, which is not penalised.
    positive : bool, default=False
        Whether to restrict coefficients to be >= 0.
    bounds : tuple of two floats or array-likes, default=None
        Smallest and largest values of coefficients, as in `LADRegressor`.
    l1_ratio : float, default=1.0
        Share of the L1 penalty, the rest is an L2 term, as in `LADRegressor`: one number. "knots" needs 1.
    penalty_weights : array-like of shape (n_features,) or "adaptive", default=None
        Penalty factors :math:`v_j \ge 0`, one per feature, as in `LADRegressor`: 0 leaves it unpenalised, infinity
        excludes it. "adaptive" is :math:`1 / |\tilde b_j|^\gamma` with a pilot fit :math:`\tilde b` (see Notes).
    gamma : float, default=1.0
        Exponent :math:`\gamma > 0` of the adaptive penalty factors; not used otherwise.
    post_selection : float, default=None
        Share s, between 0 and 1: the coefficients are s times those of the penalised fit plus 1 - s times those of the
        LAD fit to the selected features, without penalty. The criterion is computed with these coefficients. None is 1:
        no refit.
    max_features : int, default=None
        Largest number of non-zero coefficients. The path ends before the first alpha with more, and alpha is chosen
        from the remaining ones. None is no limit.
    alpha_per_target : bool, default=False
        Whether to choose one `alpha` for each column of a two-dimensional y, on a grid of its own. Otherwise all
        targets have one `alpha`, with the smallest mean of the criterion over the targets; the grid then begins with
        the largest of the targets' largest alphas. Not used with a one-dimensional y.
    solver : {"auto", "linprog"}, default="auto"
        As in `LADRegressor`, for all fits.
    solver_options : dict, default=None
        Options of `scipy.optimize.linprog`, used whenever it is called, such as ``{"time_limit": 60}`` (seconds).
    max_iter : int, default=None
        Iteration limit of each call of a linear programming solver; None is the solver's own limit.
    tol : float, default=1e-9
        Largest relative gap between objective and proved bound that is accepted without a ConvergenceWarning.
    verbose : int, default=0
        Whether to print the choice.

    Attributes
    ----------
    alpha_ : float or ndarray of shape (n_targets,)
        The chosen alpha.
    alphas_ : ndarray of shape (n_alphas,) or (n_targets, n_alphas)
        The alphas, decreasing. With "knots" there is one for each range of alpha in which no fit changes: the geometric
        mean of its ends, or twice the lower end for the first range, which has no upper end.
    knots_ : ndarray of shape (n_alphas,)
        Only with ``alphas="knots"``: the lower ends of these adjacent ranges; entry k of `criterion_` and column k of
        `coef_path_` hold for a whole range.
    criterion_ : ndarray of shape (n_alphas,)
        The criterion at each alpha.
    n_selected_path_ : ndarray of shape (n_alphas,)
        Number of non-zero coefficients.
    scale_ : float or ndarray of shape (n_alphas,)
        The scale of the errors, in units of y; one per alpha for ``scale="classical"``.
    coef_path_ : ndarray of shape (n_features, n_alphas) or (n_targets, n_features, n_alphas)
        Coefficients of the penalised fits.
    intercept_path_ : ndarray of shape (n_alphas,) or (n_targets, n_alphas)
        Their intercepts.
    coef_ : ndarray of shape (n_features,) or (n_targets, n_features)
        Coefficients at the chosen alpha; exactly zero for features that are not selected.
    intercept_ : float or ndarray of shape (n_targets,)
        Intercept; 0 if `fit_intercept` is False.
    n_iter_ : int or ndarray of shape (n_targets,)
        Iterations of the linear programming solvers in the last fit, which starts from the path's; at least 1.
    objective_ : float or ndarray of shape (n_targets,)
        Objective of the penalised fit.
    dual_gap_ : float or ndarray of shape (n_targets,)
        Proved upper bound of ``objective_ - optimum``.
    certificate_ : Certificate or list of Certificate
        The certificate of the penalised fit, before `post_selection`.
    certificates_ : list of Certificate
        The same as a list, also of one target.
    penalty_weights_ : ndarray of shape (n_features,) or (n_targets, n_features)
        The adaptive penalty factors, only with ``penalty_weights="adaptive"``; `verify` uses them.
    n_features_in_ : int
        Number of features seen during fit.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of features seen during fit, if they are all strings.

    See Also
    --------
    LADRegressor : The fit with a given alpha, or with the pivotal one.
    LADRegressorCV : Chooses alpha by cross-validation, which makes no assumption about the error distribution.
    LassoCDIC : Squared loss.

    Notes
    -----
    The robust scale is a median of the absolute residuals of plain LAD with all features,

    .. math:: s = \frac{1}{\log 2} \min \Big\{ q : \sum_{i : |r_i| > q} w_i \le \frac{n - d}{2} \Big\}

    with d for the number of features and the intercept: d rows are fitted exactly and do not count. For Laplace errors
    s estimates their scale, :math:`1 / (2 f(0))` with the density :math:`f`. For any distribution this is the unit in
    which differences of sums of absolute residuals are measured (Koenker and Machado 1999); the median is close to it
    for normal and Cauchy errors as well. Criteria of M-estimators with the penalty of AIC or BIC and a scale estimated
    beforehand are due to Ronchetti (1985) and Machado (1993).

    Moving a target farther out on its own side of all fits adds the same amount to all criteria, and does not change s
    if fewer than half of the rows are that far out: the choice stays the same. Targets farther than :math:`10^4 s` from
    all fits are treated as that far, for the sake of rounding.

    With ``scale="classical"`` the first two terms are :math:`2 n \, (1 + \log 2 m)` for the mean absolute residual m at
    each alpha: up to constants the criterion is :math:`\log m + c \, k / (2 n)` (Lee, Noh and Park 2014).

    With more features than half the number of rows, residuals become so small that their logarithm falls faster than
    the number of coefficients grows. Then one scale for all alphas, robust or classical, is that of LAD on the features
    selected at ``alpha =`` :math:`\sqrt{2 \log p / n}` for standardised columns.

    The rank of the columns with non-zero coefficients is an unbiased estimate of the degrees of freedom of the lasso
    (Tibshirani and Taylor 2012); with absolute loss it equals the number of rows fitted exactly, an estimate of the
    degrees of freedom too (Li and Zhu 2008). A relaxed fit has more degrees of freedom; the rank is used nevertheless.

    With `l1_ratio` below 1 the degrees of freedom are the number of rows fitted exactly (their rank, if they are
    linearly dependent), less one for the intercept. It is the sum over all rows of the derivative of the fitted value
    with respect to the target: 1 in rows fitted exactly, which follow their targets, and 0 in the others, whose targets
    do not move the fit (Li, Liu and Zhu 2007). EBIC then counts models by the number of features.

    The extended criterion (Chen and Chen 2008) adds :math:`2 \gamma \log \binom{p}{k}`, the logarithm of the number of
    models with k of p features. BIC treats all models as equally likely, and selects too many features if p is large.
    Excluded features are not counted in p.

    n is the number of rows, or the sum of the weights if all weights are integers, which then count as repeated rows.
    With other weights n is the number of rows with a non-zero weight, and the scale of the weights does not matter.

    With ``alphas="knots"`` the path is followed from breakpoint (knot) to breakpoint. Between two knots neither
    coefficients nor criterion change: its minimum over all alphas from `eps` times the largest upwards is found. If the
    coefficients would be more than 2**27 numbers (1 GiB), ``fit`` raises a ValueError; if the path cannot be followed
    to its end because a basis is singular up to rounding, a RuntimeError: raise `eps`, or pass a number of alphas.

    ``post_selection=0`` is plain LAD on the features selected, without the bias of the penalty (the relaxed lasso,
    Meinshausen 2007). `certificate_`, `dual_gap_` and `objective_` are those of the penalised fit. `verify` judges the
    final coefficients, whose penalised objective is above the optimum.

    ``penalty_weights="adaptive"`` divides the penalty of a feature by the absolute value of its coefficient in a pilot
    fit, to the power `gamma` (Wang, Li and Jiang 2007). The pilot is least absolute deviations without penalty if there
    are more rows than columns, and otherwise ridge regression on standardised columns, with the ridge penalty chosen by
    generalised cross-validation, as in `LassoCD`, which is not robust to outliers in y. A feature whose coefficient in
    the pilot is zero is excluded. Each target has a pilot.

    Several targets are fitted separately, and attributes that depend on y have the targets as their first axis. If all
    targets have one `alpha`, the attributes of alphas have no such axis. Rows of targets whose grids or paths end
    earlier than others are filled up with NaN, counts with -1.

    References
    ----------
    Lee, E. R., Noh, H. and Park, B. U. (2014). Model selection via Bayesian information criterion for quantile
    regression models. JASA 109(505), 216-229. doi:10.1080/01621459.2013.836975

    Machado, J. A. F. (1993). Robust model selection and M-estimation. Econometric Theory 9(3), 478-493.
    doi:10.1017/S0266466600007775

    Ronchetti, E. (1985). Robust model selection in regression. Statistics and Probability Letters 3(1), 21-23.
    doi:10.1016/0167-7152(85)90006-9

    Koenker, R. and Machado, J. A. F. (1999). Goodness of fit and related inference processes for quantile regression.
    JASA 94(448), 1296-1310. doi:10.1080/01621459.1999.10473882

    Wang, H., Li, G. and Jiang, G. (2007). Robust regression shrinkage and consistent variable selection through the
    LAD-lasso. Journal of Business and Economic Statistics 25(3), 347-355. doi:10.1198/073500106000000251

    Tibshirani, R. J. and Taylor, J. (2012). Degrees of freedom in lasso problems. Annals of Statistics 40(2),
    1198-1232. doi:10.1214/12-AOS1003

    Li, Y., Liu, Y. and Zhu, J. (2007). Quantile regression in reproducing kernel Hilbert spaces. JASA 102(477),
    255-268. doi:10.1198/016214506000000979

    Li, Y. and Zhu, J. (2008). L1-norm quantile regression. Journal of Computational and Graphical Statistics 17(1),
    163-185. doi:10.1198/106186008X289155

    Chen, J. and Chen, Z. (2008). Extended Bayesian information criteria for model selection with large model spaces.
    Biometrika 95(3), 759-771. doi:10.1093/biomet/asn034

    Meinshausen, N. (2007). Relaxed lasso. Computational Statistics and Data Analysis 52(1), 374-393.
    doi:10.1016/j.csda.2006.12.019

    Examples
    --------
    10 % of the targets are outliers; two of twenty features are relevant:

    >>> import numpy as np
    >>> from ladreg import LADRegressorIC
    >>> rng = np.random.default_rng(0)
    >>> X = rng.standard_normal((120, 20))
    >>> y = 3 * X[:, 4] - 2 * X[:, 7] + rng.standard_normal(120)
    >>> y[::10] += 100
    >>> model = LADRegressorIC("ebic", alphas=30, post_selection=0).fit(X, y)
    >>> model.criterion_.shape, np.flatnonzero(model.coef_)
    ((30,), array([4, 7]))
    >>> model.certificate_.relative_gap < 1e-12
    True
    """

    _has_knots = True
    solver: str
    scale_: float | Any

    def __init__(
        self,
        criterion: Literal["aic", "bic", "ebic"] = "bic",
        *,
        ebic_gamma: float = 1.0,
        scale: Literal["robust", "classical"] = "robust",
        eps: float = 1e-3,
        alphas: int | ArrayLike = 100,
        fit_intercept: bool = True,
        positive: bool = False,
        bounds: Bounds | None = None,
        l1_ratio: float = 1.0,
        penalty_weights: ArrayLike | Literal["adaptive"] | None = None,
        gamma: float = 1.0,
        post_selection: float | None = None,
        max_features: int | None = None,
        alpha_per_target: bool = False,
        solver: Literal["auto", "linprog"] = "auto",
        solver_options: Mapping[str, Any] | None = None,
        max_iter: int | None = None,
        tol: float = 1e-9,
        verbose: int = 0,
    ) -> None:
        self.criterion = criterion
        self.ebic_gamma = ebic_gamma
        self.scale = scale
        self.eps = eps
        self.alphas = alphas
        self.fit_intercept = fit_intercept
        self.positive = positive
        self.bounds = bounds
        self.l1_ratio = l1_ratio
        self.penalty_weights = penalty_weights
        self.gamma = gamma
        self.post_selection = post_selection
        self.max_features = max_features
        self.alpha_per_target = alpha_per_target
        self.solver = solver
        self.solver_options = solver_options
        self.max_iter = max_iter
        self.tol = tol
        self.verbose = verbose

    @classmethod
    def _parameters_before(cls) -> dict[str, Any]:
        return {**super()._parameters_before(), "scale": "classical"}

    def _models(self) -> list[CertifiedRegressor]:
        return [self._like(LADRegressor, alpha=1.0)]

    def _check_tuning(self) -> None:
        super()._check_tuning()
        check_choice("scale", self.scale, ("robust", "classical"))

    def _losses(self, candidate: Candidate, path: Path, coef: Array, intercept: Array, n_samples: float) -> Array:
        problem = candidate.problem
        if self.scale == "classical":
            return losses_of(problem, coef, intercept)
        chosen = self._full_model(candidate, path, n_samples)
        start = Coefficients(np.where(chosen, path.coef[:, -1], 0.0), float(path.intercept[-1]))
        found, left = self._refit(candidate, chosen, n_samples, start)
        size = problem.loss.value(problem.residual(found.coef, found.intercept))
        tau, _ = quantile_of(problem.loss)
        # The share of the rows whose losses are larger than those that tell the scale: half of them for the median.
        beyond = max(tau, 1.0 - tau)
        near = _upper_quantile(size, problem.weight, beyond * left / n_samples) / -np.log(beyond)
        self.scale_ = max(near, _least(problem))
        far = np.flatnonzero(size > _FAR * self.scale_)
        return losses_of(_brought_near(problem, far, coef, intercept, _FAR * self.scale_), coef, intercept)

    def _keep(self, path: Path, criterion: Array) -> None:
        super()._keep(path, criterion)
        if np.ndim(self.scale_):
            self.scale_ = np.asarray(self.scale_)[: path.alphas.size]

    def _deviance(self, candidate: Candidate, path: Path, losses: Array, n_samples: float) -> Array:
        if self.scale == "classical":
            self.scale_ = self._classical_scale(candidate, path, losses, n_samples)
        lower, upper = candidate.problem.loss.interval()
        total = (upper - lower) / (-lower * upper)  # the integral of exp(-loss)
        return 2.0 * n_samples * (np.log(total * self.scale_) + losses / self.scale_)

    def _classical_scale(self, candidate: Candidate, path: Path, losses: Array, n_samples: float) -> float | Array:
        """The mean size of residuals: at each alpha, or of one refit if there are many features (see `_is_long`)."""
        problem = candidate.problem
        # If y is fitted exactly, every error counts, as in the limit of no noise.
        least = EXACT_FIT * float(problem.weight @ problem.loss.value(problem.y - problem.null_intercept())) or 1.0
        if self._is_long(candidate, n_samples):
            return np.maximum(losses, least)
        loss, left = self._refitted(candidate, self._full_model(candidate, path, n_samples), n_samples)
        return max(loss * n_samples / left, least)

    def _is_long(self, candidate: Candidate, n_samples: float) -> bool:
        """Whether there are at most half as many features, with the intercept, as rows."""
        problem = candidate.problem
        n_columns = int(np.count_nonzero(np.isfinite(problem.penalty.strength))) + problem.fit_intercept
        return n_samples >= 2 * n_columns

    def _full_model(self, candidate: Candidate, path: Path, n_samples: float) -> NDArray[np.bool_]:
        """The features of the fit whose residuals estimate the errors: all or, if too many, those above the noise."""
        if self._is_long(candidate, n_samples):
            return np.isfinite(candidate.problem.penalty.strength)
        _, deviation = quantile_of(candidate.problem.loss)
        k = _first_below(path.alphas, np.full(path.alphas.size, deviation * _universal(candidate, n_samples)))
        return np.asarray(path.coef[:, k] != 0)


class QuantileRegressorIC(LADRegressorIC):
    r"""Quantile regression, with the strength of the L1 penalty chosen by an information criterion along a path.

    Minimises

    .. math:: \frac{1}{\sum_i w_i} \sum_i w_i \, \rho_\tau(y_i - x_i^\top b - b_0) + \alpha \sum_j v_j |b_j|, \qquad
        \rho_\tau(r) = \max\big( \tau \, r, (\tau - 1) \, r \big)

    with :math:`\tau` for `quantile` and :math:`v` for `penalty_weights`, as `QuantileRegressor` does, for each
    :math:`\alpha` of a decreasing grid, and takes the fit with the smallest

    .. math:: 2 n \log \frac{s}{\tau (1 - \tau)}
        + \frac{2 n}{s \sum_i w_i} \sum_i w_i \, \rho_\tau(y_i - x_i^\top b - b_0) + c \, k

    with k the rank of the columns with non-zero coefficients (their number, unless they are linearly dependent), c = 2
    for "aic" and :math:`\log n` for "bic"; "ebic" adds a term (see Notes). The first two terms are minus twice the
    log-likelihood of asymmetric Laplace errors of scale s, whose density is :math:`\tau (1 - \tau) / s \,
    \exp(-\rho_\tau(r) / s)`; s is a robust estimate, the same for all alphas. The fit has a certificate.

    Parameters
    ----------
    criterion : {"aic", "bic", "ebic"}, default="bic"
        "aic" is for prediction and keeps more features, "bic" for selection, "ebic" (extended BIC) for selection among
        many features.
    quantile : float, default=0.5
        The quantile, strictly between 0 and 1. For several quantiles fit one model each.
    ebic_gamma : float, default=1.0
        Factor :math:`\gamma \ge 0` of the additional term of "ebic"; with 0 it equals "bic".
    scale : {"robust", "classical"}, default="robust"
        How the scale of the errors is estimated: from the rows near the fit, once for all alphas, or by the mean loss
        at each alpha (see Notes).
    eps : float, default=1e-3
        Ratio of the smallest to the largest alpha of the grid.
    alphas : int, "knots" or array-like of shape (n_alphas,), default=100
        Number of alphas on a log-spaced grid that starts at `alpha_max`, from which on all penalised coefficients are
        zero, or the list of alphas to try, in units of X. 0, which is in no grid, is no penalty. "knots" chooses among
        all alphas at once (see Notes).
    fit_intercept : bool, default=True
        Whether to fit an intercept, which is not penalised.
    positive : bool, default=False
        Whether to restrict coefficients to be >= 0.
    bounds : tuple of two floats or array-likes, default=None
        Smallest and largest values of coefficients, as in `QuantileRegressor`.
    l1_ratio : float, default=1.0
        Share of the L1 penalty, the rest is an L2 term, as in `QuantileRegressor`: one number. "knots" needs 1.
    penalty_weights : array-like of shape (n_features,) or "adaptive", default=None
        Penalty factors :math:`v_j \ge 0`, one per feature, as in `QuantileRegressor`: 0 leaves it unpenalised, infinity
        excludes it. "adaptive" is :math:`1 / |\tilde b_j|^\gamma` with a pilot fit :math:`\tilde b` (see Notes).
    gamma : float, default=1.0
        Exponent :math:`\gamma > 0` of the adaptive penalty factors; not used otherwise.
    post_selection : float, default=None
        Share s, between 0 and 1: the coefficients are s times those of the penalised fit plus 1 - s times those of the
        fit to the selected features, without penalty. The criterion is computed with these coefficients. None is 1: no
        refit.
    max_features : int, default=None
        Largest number of non-zero coefficients. The path ends before the first alpha with more, and alpha is chosen
        from the remaining ones. None is no limit.
    alpha_per_target : bool, default=False
        Whether to choose one `alpha` for each column of a two-dimensional y, on a grid of its own. Otherwise all
        targets have one `alpha`, with the smallest mean of the criterion over the targets; the grid then begins with
        the largest of the targets' largest alphas. Not used with a one-dimensional y.
    solver : {"auto", "linprog", "highs", "highs-ds", "highs-ipm"}, default="auto"
        As in `QuantileRegressor`, for all fits.
    solver_options : dict, default=None
        Options of `scipy.optimize.linprog`, used whenever it is called, such as ``{"time_limit": 60}`` (seconds).
    max_iter : int, default=None
        Iteration limit of each call of a linear programming solver; None is the solver's own limit.
    tol : float, default=1e-9
        Largest relative gap between objective and proved bound that is accepted without a ConvergenceWarning.
    verbose : int, default=0
        Whether to print the choice.

    Attributes
    ----------
    alpha_ : float or ndarray of shape (n_targets,)
        The chosen alpha.
    alphas_ : ndarray of shape (n_alphas,) or (n_targets, n_alphas)
        The alphas, decreasing. With "knots" there is one for each range of alpha in which no fit changes: the geometric
        mean of its ends, or twice the lower end for the first range, which has no upper end.
    knots_ : ndarray of shape (n_alphas,)
        Only with ``alphas="knots"``: the lower ends of these adjacent ranges; entry k of `criterion_` and column k of
        `coef_path_` hold for a whole range.
    criterion_ : ndarray of shape (n_alphas,)
        The criterion at each alpha.
    n_selected_path_ : ndarray of shape (n_alphas,)
        Number of non-zero coefficients.
    scale_ : float or ndarray of shape (n_alphas,)
        The scale of the errors, in units of y; one per alpha for ``scale="classical"``.
    coef_path_ : ndarray of shape (n_features, n_alphas) or (n_targets, n_features, n_alphas)
        Coefficients of the penalised fits.
    intercept_path_ : ndarray of shape (n_alphas,) or (n_targets, n_alphas)
        Their intercepts.
    coef_ : ndarray of shape (n_features,) or (n_targets, n_features)
        Coefficients at the chosen alpha; exactly zero for features that are not selected.
    intercept_ : float or ndarray of shape (n_targets,)
        Intercept; 0 if `fit_intercept` is False.
    n_iter_ : int or ndarray of shape (n_targets,)
        Iterations of the linear programming solvers in the last fit, which starts from the path's; at least 1.
    objective_ : float or ndarray of shape (n_targets,)
        Objective of the penalised fit.
    dual_gap_ : float or ndarray of shape (n_targets,)
        Proved upper bound of ``objective_ - optimum``.
    certificate_ : Certificate or list of Certificate
        The certificate of the penalised fit, before `post_selection`.
    certificates_ : list of Certificate
        The same as a list, also of one target.
    penalty_weights_ : ndarray of shape (n_features,) or (n_targets, n_features)
        The adaptive penalty factors, only with ``penalty_weights="adaptive"``; `verify` uses them.
    n_features_in_ : int
        Number of features seen during fit.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of features seen during fit, if they are all strings.

    See Also
    --------
    QuantileRegressor : The fit with a given alpha, or with the pivotal one.
    QuantileRegressorCV : Chooses alpha by cross-validation, which makes no assumption about the error distribution.
    LADRegressorIC : The median, with the loss not halved.

    Notes
    -----
    Under asymmetric Laplace errors of scale s the losses :math:`\rho_\tau(r_i)` are exponential with mean s, on both
    sides of the quantile. The robust scale is computed from the smallest losses of the fit with all features,

    .. math:: s = \frac{1}{-\log m} \min \Big\{ q : \sum_{i : \rho_\tau(r_i) > q} w_i \le m \, (n - d) \Big\},
        \qquad m = \max(\tau, 1 - \tau),

    with d for the number of features and the intercept: d rows are fitted exactly and do not count. An irrelevant
    feature lowers the sum of losses by :math:`\tau (1 - \tau) / (2 f)` on average, with f the density of the errors at
    the quantile (Koenker and Machado 1999), which is s / 2 for asymmetric Laplace errors. For other errors only the
    rows near the fit carry information about f. For normal errors at the quantile 0.9 the smallest tenth of the losses
    gives a scale that is 1.3 times too small, as the smaller half does at the median; the smaller half at that quantile
    would give one that is 2.4 times too small, and select too many features. At extreme quantiles few rows are near the
    fit, and the scale is uncertain. Moving a target farther out on its own side of all fits does not change the choice,
    as in `LADRegressorIC`.

    At ``quantile=0.5`` the criterion and the choice are those of `LADRegressorIC`, with half its `alpha_` and `scale_`.

    With ``scale="classical"`` the first two terms are :math:`2 n \, (1 + \log (m / (\tau (1 - \tau))))` for the mean
    loss m at each alpha: up to constants the criterion is :math:`\log m + c \, k / (2 n)` (Lee, Noh and Park 2014).
    Outliers dominate this mean.

    With more features than half the number of rows the scale, robust or classical, is that of the fit to the features
    selected at ``alpha =`` :math:`\sqrt{2 \tau (1 - \tau) \log p / n}` for standardised columns.

    The rank of the columns with non-zero coefficients is the number of rows fitted exactly, an estimate of the degrees
    of freedom (Li and Zhu 2008). The extended criterion (Chen and Chen 2008) adds :math:`2 \gamma \log \binom{p}{k}`,
    the logarithm of the number of models with k of p features. Excluded features are not counted in p.

    With `l1_ratio` below 1 the degrees of freedom are the number of rows fitted exactly (their rank, if they are
    linearly dependent), less one for the intercept. It is the sum over all rows of the derivative of the fitted value
    with respect to the target: 1 in rows fitted exactly, which follow their targets, and 0 in the others, whose targets
    do not move the fit (Li, Liu and Zhu 2007). EBIC then counts models by the number of features.

    n is the number of rows, or the sum of the weights if all weights are integers, which then count as repeated rows;
    otherwise it is the number of rows with a non-zero weight.

    With ``alphas="knots"`` the path is followed from breakpoint (knot) to breakpoint. Between two knots neither
    coefficients nor criterion change: its minimum over all alphas from `eps` times the largest upwards is found. If the
    coefficients would be more than 2**27 numbers (1 GiB), ``fit`` raises a ValueError; if the path cannot be followed
    to its end because a basis is singular up to rounding, a RuntimeError: raise `eps`, or pass a number of alphas.

    ``post_selection=0`` is the fit without penalty to the features selected (the relaxed lasso, Meinshausen 2007).
    `certificate_`, `dual_gap_` and `objective_` are those of the penalised fit. `verify` judges the final coefficients,
    whose penalised objective is above the optimum.

    ``penalty_weights="adaptive"`` divides the penalty of a feature by the absolute value of its coefficient in a pilot
    fit, to the power `gamma` (Wu and Liu 2009). The pilot is the fit of the same quantile without penalty if there are
    more rows than columns, and otherwise ridge regression on standardised columns, with the ridge penalty chosen by
    generalised cross-validation, as in `LassoCD`, which is not robust to outliers in y. A feature whose coefficient in
    the pilot is zero is excluded. Each target has a pilot.

    Several targets are fitted separately, and attributes that depend on y have the targets as their first axis. If all
    targets have one `alpha`, the attributes of alphas have no such axis. Rows of targets whose grids or paths end
    earlier than others are filled up with NaN, counts with -1.

    References
    ----------
    Wu, Y. and Liu, Y. (2009). Variable selection in quantile regression. Statistica Sinica 19(2), 801-817.

    Lee, E. R., Noh, H. and Park, B. U. (2014). Model selection via Bayesian information criterion for quantile
    regression models. JASA 109(505), 216-229. doi:10.1080/01621459.2013.836975

    Koenker, R. (2005). Quantile Regression. Cambridge University Press. doi:10.1017/CBO9780511754098

    Koenker, R. and Machado, J. A. F. (1999). Goodness of fit and related inference processes for quantile regression.
    JASA 94(448), 1296-1310. doi:10.1080/01621459.1999.10473882

    Li, Y., Liu, Y. and Zhu, J. (2007). Quantile regression in reproducing kernel Hilbert spaces. JASA 102(477),
    255-268. doi:10.1198/016214506000000979

    Li, Y. and Zhu, J. (2008). L1-norm quantile regression. Journal of Computational and Graphical Statistics 17(1),
    163-185. doi:10.1198/106186008X289155

    Chen, J. and Chen, Z. (2008). Extended Bayesian information criteria for model selection with large model spaces.
    Biometrika 95(3), 759-771. doi:10.1093/biomet/asn034

    Meinshausen, N. (2007). Relaxed lasso. Computational Statistics and Data Analysis 52(1), 374-393.
    doi:10.1016/j.csda.2006.12.019

    Examples
    --------
    The spread of y grows with one feature, its median with another:

    >>> import numpy as np
    >>> from ladreg import QuantileRegressorIC
    >>> rng = np.random.default_rng(0)
    >>> X = rng.uniform(0, 1, (300, 10))
    >>> y = 3 * X[:, 4] + (0.5 + 2 * X[:, 7]) * rng.standard_normal(300)
    >>> [np.flatnonzero(QuantileRegressorIC(quantile=q, alphas=30).fit(X, y).coef_).tolist() for q in (0.5, 0.9)]
    [[4], [4, 7]]
    """

    def __init__(
        self,
        criterion: Literal["aic", "bic", "ebic"] = "bic",
        *,
        quantile: float = 0.5,
        ebic_gamma: float = 1.0,
        scale: Literal["robust", "classical"] = "robust",
        eps: float = 1e-3,
        alphas: int | ArrayLike = 100,
        fit_intercept: bool = True,
        positive: bool = False,
        bounds: Bounds | None = None,
        l1_ratio: float = 1.0,
        penalty_weights: ArrayLike | Literal["adaptive"] | None = None,
        gamma: float = 1.0,
        post_selection: float | None = None,
        max_features: int | None = None,
        alpha_per_target: bool = False,
        solver: Literal["auto", "linprog", "highs", "highs-ds", "highs-ipm"] = "auto",
        solver_options: Mapping[str, Any] | None = None,
        max_iter: int | None = None,
        tol: float = 1e-9,
        verbose: int = 0,
    ) -> None:
        super().__init__(
            criterion,
            ebic_gamma=ebic_gamma,
            scale=scale,
            eps=eps,
            alphas=alphas,
            fit_intercept=fit_intercept,
            positive=positive,
            bounds=bounds,
            l1_ratio=l1_ratio,
            penalty_weights=penalty_weights,
            gamma=gamma,
            post_selection=post_selection,
            max_features=max_features,
            alpha_per_target=alpha_per_target,
            solver_options=solver_options,
            max_iter=max_iter,
            tol=tol,
            verbose=verbose,
        )
        self.quantile, self.solver = quantile, solver

    def _models(self) -> list[CertifiedRegressor]:
        check_single("quantile", self.quantile)
        return [self._like(QuantileRegressor, alpha=1.0)]


def _least(problem: Problem) -> float:
    """The scale of errors if most rows are fitted exactly: every error counts, as in the limit of no noise."""
    size = problem.loss.value(problem.y - problem.null_intercept())
    typical = _upper_quantile(size, problem.weight, 0.5) or float(problem.weight @ np.minimum(size, 1.0))
    return EXACT_FIT * typical or 1.0


def _upper_quantile(size: Array, weight: Array, share: float) -> float:
    """The smallest size beyond which at most the fraction `share` of the weight lies, up to rounding."""
    order = np.argsort(size)
    mass = np.cumsum(weight[order])
    place = int(np.searchsorted(mass, (1.0 - share) * (1.0 - 1e-12)))
    return float(size[order[min(place, size.size - 1)]])


def _brought_near(problem: Problem, far: NDArray[np.intp], coef: Array, intercept: Array, most: float) -> Problem:
    """The problem with the targets of the rows `far` clipped to where the nearest fit leaves a loss of `most`."""
    if far.size == 0:
        return problem
    fits = problem.design.take(far).matvec(coef) + intercept
    y = problem.y.copy()
    lower, upper = problem.loss.interval()
    y[far] = np.clip(y[far], fits.min(axis=1) + most / lower, fits.max(axis=1) + most / upper)
    return replace(problem, y=y)


def degrees_of_freedom(problem: Problem, path: Path) -> NDArray[np.intp]:
    """Rank of the columns with a coefficient, for each point of a path (Tibshirani and Taylor 2012).

    It is their number where the optimum is a single point: a combination of them that is constant would be a direction
    in which there are others. With squares in the penalty, and a loss with a kink, it is the rank of these columns in
    the rows that are fitted exactly, which follow their targets, while no other row moves the fit (Li et al. 2007).
    """
    used = path.coef != 0
    if problem.penalty.limited:  # a coefficient at its limit does not follow y
        lower, upper = problem.penalty.ends
        used &= (path.coef > lower[:, None]) & (path.coef < upper[:, None])
    if problem.penalty.curved:
        return np.array([_exact_rank(problem, path.at(k), used[:, k]) for k in range(path.alphas.size)], dtype=np.intp)
    ranks, known = np.count_nonzero(used, axis=0), dict[bytes, int]()
    doubtful = ~path.unique & (ranks > 0)
    union = np.flatnonzero(used[:, doubtful].any(axis=1))
    if union.size == 0 or column_rank(problem, union) == union.size:
        return ranks
    for k in np.flatnonzero(doubtful):
        key = used[:, k].tobytes()
        if key not in known:
            known[key] = column_rank(problem, np.flatnonzero(used[:, k]))
        ranks[k] = known[key]
    return ranks


def _exact_rank(problem: Problem, point: Coefficients, used: NDArray[np.bool_]) -> int:
    """The rank of the chosen columns, less their means if there is an intercept, in the rows fitted exactly."""
    rows = tied_rows(problem, *point)
    if rows.size == 0:
        return 0
    part = replace(
        problem, design=problem.design.take(rows), y=problem.y[rows], weight=np.full(rows.size, 1.0 / rows.size)
    )
    return column_rank(part, np.flatnonzero(used))


def _universal(candidate: Candidate, n_samples: float) -> float:
    """The noise level of alpha, for noise of size one and columns of the median deviation over strength.

    The median is over columns that are not constant, whose deviation would have no unit.
    """
    problem = candidate.problem
    chosen = np.isfinite(problem.penalty.strength) & (problem.penalty.strength > 0)
    deviation = problem.design.deviations(problem.weight, of_constant=0.0)
    varied = chosen & (deviation > 0)
    if not varied.any():
        return 0.0
    unit = float(np.median(deviation[varied] / problem.penalty.strength[varied]))
    return unit * float(np.sqrt(2.0 * np.log(max(int(np.count_nonzero(chosen)), 2)) / n_samples))


def _first_below(alphas: Array, limits: Array) -> int:
    """The index of the first alpha that is at most its limit, or of the last alpha."""
    below = np.flatnonzero(alphas <= limits)
    return int(below[0]) if below.size else alphas.size - 1
