"""Standard errors, tests and intervals of fitted models."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, cast, overload

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import fdtrc, stdtr, stdtrit
from sklearn.utils import check_array, check_random_state

from ladreg._arrays import Array, Index, MatrixLike, is_regular
from ladreg._estimators import (
    LastStep,
    PosedBlocks,
    any_size,
    are_blocks,
    check_choice,
    check_count,
    check_flag,
    check_real,
    check_verbose,
    told_of_passes,
)
from ladreg._inference import (
    BANDWIDTHS,
    Block,
    BlockInference,
    BlockMethod,
    Covariance,
    Fit,
    Inverted,
    Sample,
    as_frame,
    as_html,
    as_text,
    breads_of,
    column_number,
    draft_covariance,
    equal_breads,
    huber_covariance,
    infer_blocks,
    largest_ratio,
    least_constant,
    quantile_covariance,
    rank_tests,
    read,
    replicates,
)
from ladreg._problem import Certificate, Huber, Pinball
from ladreg._row_blocks import Source
from ladreg.lad import LADRegressor
from ladreg.lasso_inference import LassoInference, infer_lasso
from ladreg.quantile import QuantileRegressor

__all__ = ["Inference", "Inverted", "WaldTest", "infer"]

Method = Literal["robust", "kernel", "iid", "rank", "bootstrap"]
LassoMethod = Literal["desparsified", "selective"]
Bandwidth = Literal["hall_sheather", "bofinger", "chamberlain"]

_OF_BLOCKS = ("robust", "kernel", "iid")
_OF_A_LASSO = ("desparsified", "selective")
_METHODS = ("robust", "kernel", "iid", "rank", "bootstrap", *_OF_A_LASSO)
_SENTENCES = {
    "robust": "Robust standard errors",
    "kernel": "Standard errors by a kernel of the residuals",
    "iid": "Standard errors for identically distributed errors",
    "rank": "Rank tests, and intervals of what they do not reject",
    "bootstrap": "Standard errors of bootstrap replicates, each proved optimal",
}
_NO_COVARIANCE = (
    'method="{method}" has tests and intervals of single coefficients, and no standard errors or covariance.'
)


class WaldTest(NamedTuple):
    """A test of linear hypotheses on coefficients.

    Parameters
    ----------
    statistic : float
        The F statistic.
    df : int
        Number of hypotheses.
    df_denominator : float
        Degrees of freedom of the denominator.
    pvalue : float
        Probability of a larger statistic if all hypotheses are true.
    """

    statistic: float
    df: int
    df_denominator: float
    pvalue: float


@dataclass(frozen=True, eq=False, repr=False)
class Inference:
    """Standard errors, tests and confidence intervals of coefficients. Made by `infer`.

    Parameters
    ----------
    coef : ndarray of shape (p,) or (n_quantiles, p)
        Coefficients, the intercept first.
    cov : ndarray of shape (p, p) or (n_quantiles * p, n_quantiles * p), or None
        Their covariance, quantile after quantile; None for ``method="rank"``, which has tests and intervals only.
    df : float
        Degrees of freedom of the t distribution: n_samples - p, with groups n_groups - 1.
    names : list of str
        Names of the coefficients.
    method : str
        How the covariance was estimated.
    level : float
        Level of confidence of `conf_int` and `predict_interval`, unless another is passed.
    quantile : float or ndarray of shape (n_quantiles,), or None
        The quantiles; None for Huber's loss.
    r1 : float or ndarray of shape (n_quantiles,), or None
        Relative reduction of the pinball loss from the best constant to the fit (Koenker and Machado 1999).
    log_likelihood : float or ndarray of shape (n_quantiles,), or None
        Log-likelihood for asymmetric Laplace errors with estimated scale.
    aic : float or ndarray of shape (n_quantiles,), or None
        ``2 p - 2 log_likelihood``.
    bandwidth : float or ndarray of shape (n_quantiles,), or None
        The bandwidth used, on the scale of probabilities.
    n_crossed : int or ndarray of shape (n_quantiles,), or None
        Number of rows whose density is 0, because neighbouring quantiles cross.
    n_samples : float
        Number of rows with a non-zero weight, or the sum of frequency weights.
    n_groups : int or None
        Number of groups.
    certificate : Certificate or list of Certificate
        The proof that the coefficients are the optimum of the data.
    features : ndarray of shape (n_kept,)
        Indices of the features in the table, without those that `penalty_weights` excludes.
    n_features_in : int
        Number of features of the model.
    fit_intercept : bool
        Whether there is an intercept.
    interval : str
        "t" for intervals of standard errors, "percentile" for those between quantiles of `replicates`.
    replicates : ndarray of shape (n_bootstrap, p) or (n_bootstrap, n_quantiles, p), or None
        Coefficients of the bootstrap's replicates.
    n_whole : int or None
        Number of replicates that were fitted to all rows: those not proved by the rows near the fit, and those with a
        set of optima of two or more dimensions. For ``method="rank"`` the number of interval limits computed from all
        rows.
    lags : int or None
        Largest distance, in rows, of dependent rows of a time series.
    inverted : Inverted or None
        Statistics, p-values and intervals (at `level`) of rank tests.
    transformer : Pipeline or None
        The steps of the pipeline before the model, which `predict_interval` applies to its rows.

    See Also
    --------
    infer : Makes it, and has an example.
    """

    coef: Array
    cov: Array | None
    df: float
    names: list[str]
    method: str
    level: float
    quantile: float | Array | None
    r1: float | Array | None
    log_likelihood: float | Array | None
    aic: float | Array | None
    bandwidth: float | Array | None
    n_crossed: int | Index | None
    n_samples: float
    n_groups: int | None
    certificate: Certificate | list[Certificate]
    features: Index
    n_features_in: int
    fit_intercept: bool
    interval: str = "t"
    replicates: Array | None = None
    n_whole: int | None = None
    lags: int | None = None
    inverted: Inverted | None = None
    transformer: Any = None

    @property
    def standard_errors(self) -> Array:
        """Standard errors, in the shape of `coef`; ``method="rank"`` has none."""
        if self.cov is None:
            raise AttributeError(_NO_COVARIANCE.format(method=self.method))
        return np.asarray(np.sqrt(self.cov.diagonal())).reshape(self.coef.shape)

    @property
    def statistic(self) -> Array:
        """``coef / standard_errors``, or the statistic of the tests."""
        return self.coef / self.standard_errors if self.inverted is None else self.inverted.statistic

    @property
    def pvalues(self) -> Array:
        """Two-sided p-values of each coefficient being zero."""
        if self.inverted is not None:
            return self.inverted.pvalues
        return np.asarray(2 * stdtr(self.df, -np.abs(self.statistic)), dtype=np.float64)

    def conf_int(self, level: float | None = None, simultaneous: bool = False) -> Array:
        """Confidence intervals of the coefficients.

        Parameters
        ----------
        level : float, default=None
            Level of confidence; None for that of `infer`.
        simultaneous : bool, default=False
            Whether all intervals, over all quantiles, cover simultaneously with this probability: the critical value is
            the quantile of the maximum of normal variables with these correlations, from 10,000 seeded draws, or that
            of the bootstrap's replicates.

        Returns
        -------
        ndarray of shape (p, 2) or (n_quantiles, p, 2)
            Lower and upper ends.

        Raises
        ------
        ValueError
            If `level` is not between 0 and 1; for ``method="rank"`` if it differs from that of `infer`, or
            `simultaneous` is true.
        """
        level = self._level(level)
        if self.inverted is not None:
            if simultaneous:
                raise ValueError(_NO_COVARIANCE.format(method=self.method))
            if level != self.level:
                raise ValueError(
                    f'intervals of method="{self.method}" were computed from the data at level={self.level:g}: call '
                    f"infer with level={level:g}."
                )
            return self.inverted.intervals
        if self.replicates is not None and self.interval == "percentile" and not simultaneous:
            return _percentiles(self.replicates, level)
        half = self._largest_ratio(level) if simultaneous else float(stdtrit(self.df, 0.5 + level / 2))
        width = half * self.standard_errors
        return np.stack([self.coef - width, self.coef + width], axis=-1)

    def wald(self, R: ArrayLike | Sequence[str], r: ArrayLike = 0.0) -> WaldTest:
        """Test linear hypotheses ``R @ coef = r`` together.

        Parameters
        ----------
        R : array-like of shape (q, p) or (q, n_quantiles * p), or str, or list of str
            One hypothesis per row; or names of coefficients, each of which equals `r` (at every quantile).
        r : float or array-like of shape (q,), default=0.0
            Right-hand side.

        Returns
        -------
        WaldTest
            ``(R b - r)' (R V R')^-1 (R b - r) / q``, compared with F(q, `df`).

        Raises
        ------
        ValueError
            If shapes or names do not match, the hypotheses are linearly dependent or more than the rank of `cov`, or
            the method has no covariance.
        """
        matrix = self._hypotheses(R)
        q = matrix.shape[0]
        apart = matrix @ self.coef.ravel() - np.broadcast_to(np.asarray(r, dtype=np.float64), q)
        inner = matrix @ self._cov @ matrix.T
        if q == 0 or not is_regular(inner):
            raise ValueError("the hypotheses are linearly dependent, or more than the rank of the covariance.")
        size = np.sqrt(inner.diagonal())
        statistic = float(apart / size @ np.linalg.solve(inner / size / size[:, None], apart / size)) / q
        return WaldTest(statistic, q, self.df, float(fdtrc(q, self.df, statistic)))

    def equal_slopes(self, features: Sequence[str | int] | None = None) -> WaldTest:
        """Test that coefficients are the same at all quantiles.

        Parameters
        ----------
        features : list of str or int, default=None
            Names of coefficients, or their indices in `names`; None for all but the intercept.

        Returns
        -------
        WaldTest
            With ``(n_quantiles - 1) * n_features`` hypotheses.

        Raises
        ------
        ValueError
            If there is one quantile only, or a name is not among `names`.
        """
        if self.coef.ndim == 1:
            raise ValueError("equal_slopes compares quantiles: fit QuantileRegressor(quantile=[...]) with several.")
        chosen = range(int(self.fit_intercept), len(self.names)) if features is None else map(self._place, features)
        unit = np.eye(len(self.names))[list(chosen)]
        steps = np.eye(self.coef.shape[0])[:-1] - np.eye(self.coef.shape[0])[1:]
        return self.wald(np.kron(steps, unit))

    def predict_interval(self, X: MatrixLike, level: float | None = None) -> Array:
        """Confidence intervals of the conditional quantiles (Huber: the centre) of given rows.

        They are for the conditional quantile, not for the target of a new row: for that see
        `ConformalQuantileRegressor`.

        Parameters
        ----------
        X : {array-like, sparse matrix, sparse array} of shape (n_rows, n_features)
            Rows, with the columns that `infer` was given.
        level : float, default=None
            Level of confidence; None for that of `infer`.

        Returns
        -------
        ndarray of shape (n_rows, 2) or (n_rows, n_quantiles, 2)
            ``x'b -+ t sqrt(x'Vx)``.

        Raises
        ------
        ValueError
            If X has a different number of columns than the model, or is not finite, or the method has no covariance.
        """
        half = float(stdtrit(self.df, 0.5 + self._level(level) / 2))
        rows = X if self.transformer is None else self.transformer.transform(X)
        values: Any = check_array(
            rows, accept_sparse=("csr", "csc"), dtype=[np.float64, np.float32], estimator="Inference"
        )
        if values.shape[1] != self.n_features_in:
            raise ValueError(f"X has {values.shape[1]} features, but the model was fitted to {self.n_features_in}.")
        values = values[:, self.features]
        if self.replicates is not None and self.interval == "percentile":
            return _percentiles(self._lines(values), self._level(level))
        p, found = len(self.names), []
        for k, coef in enumerate(np.atleast_2d(self.coef)):
            root = _root(self._cov[k * p : (k + 1) * p, k * p : (k + 1) * p])
            width = half * np.linalg.norm(self._product(values, root), axis=1)
            line = self._product(values, coef)
            found.append(np.stack([line - width, line + width], axis=-1))
        return found[0] if self.coef.ndim == 1 else np.stack(found, axis=1)

    def to_frame(self) -> Any:
        """The table as a pandas DataFrame, which needs pandas.

        Returns
        -------
        pandas.DataFrame
            One row per coefficient, indexed by its name (with several quantiles by quantile and name), with the columns
            "coef", "std err" (not for ``method="rank"``), "t", "p", "low" and "high".
        """
        return as_frame(self._blocks(), np.asarray(self.quantile) if self.coef.ndim > 1 else None)

    def __str__(self) -> str:
        return as_text(self._header(), self._blocks())

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        return as_html(self._header(), self._blocks())

    def _header(self) -> list[str]:
        groups = "" if self.n_groups is None else f" in {self.n_groups} groups"
        groups += "" if self.lags is None else f" in the order of time, {self.lags} lags"
        return [
            f"{_SENTENCES[self.method]}: {self.n_samples:g} rows{groups}, {self.df:g} degrees of freedom",
        ]

    def _blocks(self) -> list[Block]:
        """One table for each quantile."""
        shape = (-1, len(self.names))
        errors = {} if self.cov is None else {"std err": self.standard_errors}
        parts = {"coef": self.coef, **errors, "t": self.statistic, "p": self.pvalues}
        low, high = np.moveaxis(self.conf_int(), -1, 0)
        parts |= {f"{100 * (1 - self.level) / 2:.4g} %": low, f"{100 * (1 + self.level) / 2:.4g} %": high}
        tables, columns = np.stack([part.reshape(shape) for part in parts.values()], axis=-1), list(parts)
        return [Block(title, self.names, columns, table) for title, table in zip(self._titles(), tables, strict=True)]

    def _titles(self) -> list[str]:
        """What is known of each fit: quantile, R1, bandwidth, crossings, proof."""
        proofs = self.certificate if isinstance(self.certificate, list) else [self.certificate]
        titles = []
        for k, proof in enumerate(proofs):
            parts = []
            if self.quantile is not None:
                parts += [f"quantile {np.ravel(self.quantile)[k]:g}", f"R1 {np.ravel(np.asarray(self.r1))[k]:.4g}"]
            if self.bandwidth is not None:
                parts.append(f"bandwidth {np.ravel(self.bandwidth)[k]:.4g}")
            if self.n_crossed is not None:
                parts.append(f"{np.ravel(self.n_crossed)[k]} rows crossed")
            parts.append(f"optimum proved to {proof.relative_gap:.1g}{'' if proof.unique else ', not proved unique'}")
            titles.append(", ".join(parts))
        return titles

    @property
    def _cov(self) -> Array:
        if self.cov is None:
            raise ValueError(_NO_COVARIANCE.format(method=self.method))
        return self.cov

    def _level(self, level: float | None) -> float:
        if level is None:
            return self.level
        check_real("level", level, low=0.0, high=1.0, open_ends=True)
        return float(level)

    def _largest_ratio(self, level: float) -> float:
        """The quantile of the largest of the t ratios' sizes."""
        if self.replicates is not None:
            deviation = np.sqrt(self._cov.diagonal())
            apart = np.abs(self.replicates - self.coef).reshape(len(self.replicates), -1) / deviation
            return float(np.quantile(apart.max(axis=1), level))
        return largest_ratio(self._cov, level)

    def _lines(self, values: Any) -> Array:
        """The predictions of each replicate, of shape (n_bootstrap, n_rows) or (n_bootstrap, n_rows, n_quantiles)."""
        assert self.replicates is not None
        coefs = self.replicates.reshape(-1, len(self.names))
        lines = self._product(values, coefs.T).T.reshape(*self.replicates.shape[:-1], -1)
        return lines if self.coef.ndim == 1 else np.swapaxes(lines, 1, 2)

    def _hypotheses(self, R: ArrayLike | Sequence[str]) -> Array:
        """One hypothesis a row, over all coefficients of all quantiles."""
        names = [R] if isinstance(R, str) else list(R) if isinstance(R, Sequence) else []
        if names and all(isinstance(name, str) for name in names):
            unit = np.eye(len(self.names))[[self._place(name) for name in names]]
            return np.asarray(np.kron(np.eye(self.coef.size // len(self.names)), unit), dtype=np.float64)
        matrix: Array = np.atleast_2d(np.asarray(R, dtype=np.float64))
        if matrix.ndim != 2 or matrix.shape[1] != self.coef.size:
            raise ValueError(f"R must have {self.coef.size} columns, one per coefficient, got shape {matrix.shape}.")
        return matrix

    def _place(self, name: Any) -> int:
        """The place of a coefficient in `names`."""
        if isinstance(name, str):
            if name not in self.names:
                raise ValueError(f"there is no coefficient {name!r}; there are {', '.join(self.names)}.")
            return self.names.index(name)
        if not -len(self.names) <= int(name) < len(self.names):
            raise ValueError(f"there is no coefficient {name!r}: there are {len(self.names)}.")
        return int(name)

    def _product(self, values: Any, right: Array) -> Array:
        """Rows, each with a 1 in front where there is an intercept, times a vector or a matrix."""
        right = np.asarray(right, dtype=np.float64)
        return np.asarray(values @ right[1:] + right[0] if self.fit_intercept else values @ right)


@overload
def infer(
    model: Any,
    X: MatrixLike | Source,
    y: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    *,
    method: Method = "robust",
    groups: ArrayLike | str | None = None,
    level: float = 0.95,
    weights: Literal["probability", "frequency"] = "probability",
    bandwidth: float | Bandwidth = "hall_sheather",
    kernel: Literal["uniform", "gaussian"] = "uniform",
    n_bootstrap: int = 1000,
    bootstrap: Literal["pairs", "exponential"] = "pairs",
    interval: Literal["t", "percentile"] = "t",
    sigma: float | None = None,
    random_state: int | np.random.RandomState | None = None,
    n_jobs: int | None = None,
    verbose: int = 0,
    density: Literal["robust", "iid"] = "robust",
    interpolate: bool = False,
    lags: int | None = None,
) -> Inference | Any: ...


@overload
def infer(
    model: Any,
    X: MatrixLike | Source,
    y: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    *,
    method: LassoMethod,
    groups: ArrayLike | str | None = None,
    level: float = 0.95,
    weights: Literal["probability", "frequency"] = "probability",
    bandwidth: float | Bandwidth = "hall_sheather",
    kernel: Literal["uniform", "gaussian"] = "uniform",
    n_bootstrap: int = 1000,
    bootstrap: Literal["pairs", "exponential"] = "pairs",
    interval: Literal["t", "percentile"] = "t",
    sigma: float | None = None,
    random_state: int | np.random.RandomState | None = None,
    n_jobs: int | None = None,
    verbose: int = 0,
    density: Literal["robust", "iid"] = "robust",
    interpolate: bool = False,
    lags: int | None = None,
) -> LassoInference | Any: ...


def infer(
    model: Any,
    X: MatrixLike | Source,
    y: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    *,
    method: Method | LassoMethod = "robust",
    groups: ArrayLike | str | None = None,
    level: float = 0.95,
    weights: Literal["probability", "frequency"] = "probability",
    bandwidth: float | Bandwidth = "hall_sheather",
    kernel: Literal["uniform", "gaussian"] = "uniform",
    n_bootstrap: int = 1000,
    bootstrap: Literal["pairs", "exponential"] = "pairs",
    interval: Literal["t", "percentile"] = "t",
    sigma: float | None = None,
    random_state: int | np.random.RandomState | None = None,
    n_jobs: int | None = None,
    verbose: int = 0,
    density: Literal["robust", "iid"] = "robust",
    interpolate: bool = False,
    lags: int | None = None,
) -> Inference | LassoInference | list[Inference] | list[LassoInference]:
    r"""Standard errors, tests and confidence intervals of a fitted model without penalty, or of a lasso.

    The covariance of a quantile's coefficients :math:`b(\tau)` is estimated by the sandwich

    .. math:: V = H^{-1} \Big[ \tau (1 - \tau) \sum_i c_i x_i x_i^\top \Big] H^{-1}, \qquad
        H = \sum_i w_i \hat f_i x_i x_i^\top

    where :math:`\hat f_i` is the estimated density of the error of row i at zero; the methods differ in this estimate.

    Parameters
    ----------
    model : LADRegressor, QuantileRegressor, HuberLossRegressor, LassoCD or LassoCDCV
        Fitted to X, y and sample_weight, with ``alpha=0`` unless it is a lasso; or a fitted pipeline that ends with
        one, for which X is transformed by the steps before.
    X : {array-like, sparse matrix, sparse array} of shape (n_samples, n_features)
        The training data of the model. For medians and quantiles with "robust", "kernel" or "iid", without `lags`, it
        may be data in blocks of rows (`ladreg.blocks`), which takes two to four more passes than a fit.
    y : array-like of shape (n_samples,) or (n_samples, n_targets), default=None
        Targets; None if X is data in blocks.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights; rows of weight zero are ignored.
    method : {"robust", "kernel", "iid", "rank", "bootstrap", "desparsified", "selective"}, default="robust"
        "robust" allows a different error distribution in each row: :math:`\hat f_i = 2 h / x_i^\top (b(\tau + h) -
        b(\tau - h))` (Hendricks and Koenker 1992), 0 where the two quantiles cross. "kernel" is Powell's (1991): a
        kernel of the residuals over its width. "iid" uses one density for all rows, that of "robust" at the mean of x
        (Bassett and Koenker 1982); it is invalid if the spread of the errors depends on x. For Huber's loss "robust" is
        the sandwich with the score of each row, and "iid" Huber's (1981) first estimate; the scale is treated as known.
        "rank" inverts the rank test of each coefficient (Koenker 1994; see Notes): it has no standard errors.
        "bootstrap" needs no density: it refits the quantiles to resampled rows, and each refit is exact and proved (see
        Notes). The last two are for the lasso. "desparsified" corrects the bias of the penalty in all coefficients,
        selected or not (Zhang and Zhang 2014; van de Geer et al. 2014). "selective" is least squares on the features
        selected by `LassoCD`, for an alpha that was not chosen from y, with tests and intervals conditional on the
        selection (Lee, Sun, Sun and Taylor 2016).
    groups : array-like of shape (n_samples,), str or int, default=None
        Group of each row: rows within a group may be dependent (Parente and Santos Silva 2016), with the factor
        ``G/(G-1) (n-1)/(n-p)`` and G - 1 degrees of freedom. "bootstrap" draws whole groups. Not for "iid" and "rank".
        For data in blocks the name or the number of a column of X, which may be excluded from the fit by an entry of
        infinity in `penalty_weights`.
    level : float, default=0.95
        Level of confidence.
    weights : {"probability", "frequency"}, default="probability"
        Meaning of `sample_weight`: "probability" for sampling weights, of which only the ratios matter (:math:`c_i =
        w_i^2`, weights with mean 1), "frequency" if a row represents :math:`w_i` equal rows (:math:`c_i = w_i`; the
        number of rows is the sum of the weights). "rank" takes only frequency weights.
    bandwidth : {"hall_sheather", "bofinger", "chamberlain"} or float, default="hall_sheather"
        The half width h on the scale of probabilities, or the rule for it; halved until both :math:`\tau \pm h` are
        strictly between 0 and 1. Not for Huber's loss.
    kernel : {"uniform", "gaussian"}, default="uniform"
        Kernel of ``method="kernel"``. Its width is :math:`\Phi^{-1}(\tau + h) - \Phi^{-1}(\tau - h)` times a scale: of
        "uniform" the median distance of residuals from their median, of "gaussian" the smaller of their standard
        deviation and their interquartile range over 1.34.
    n_bootstrap : int, default=1000
        Number of replicates of the bootstrap, at least 2.
    bootstrap : {"pairs", "exponential"}, default="pairs"
        "pairs" draws rows (or groups) with replacement; "exponential" multiplies the weights by independent exponential
        variables (Bose and Chatterjee 2003), so that no row is left out.
    interval : {"t", "percentile"}, default="t"
        Intervals of the bootstrap: from its standard errors and a quantile of the t distribution, or from quantiles of
        the replicates.
    sigma : float, default=None
        Standard deviation of the errors of a lasso. None estimates it: for "desparsified" by the residuals of the
        lasso, ``sqrt(RSS / (n - 1 - n_selected))``, for "selective" by those of least squares on all features, which
        requires twice as many rows as coefficients.
    random_state : int, RandomState or None, default=None
        Seed of the bootstrap. Each replicate has its own random stream, so that results do not depend on `n_jobs`.
    n_jobs : int, default=None
        Number of threads (as in joblib) for the bootstrap and the nodewise lassos. Results do not depend on it.
    verbose : int, default=0
        Verbosity of joblib: one line per block of replicates in the bootstrap, and per block of columns and fold in the
        nodewise lassos; for data in blocks, one line per pass.
    density : {"robust", "iid"}, default="robust"
        Density of the errors in the rank test: "robust" for one per row, "iid" for one for all rows.
    interpolate : bool, default=False
        Whether the interval limits of ``method="rank"`` come from a statistic that is interpolated between its steps,
        as in R's quantreg. Otherwise intervals are closed and contain all values that the test does not reject.
    lags : int, default=None
        For a time series, in order, whose rows depend on up to `lags` previous rows: products of the scores of rows j
        apart count with the weight ``1 - j / (lags + 1)`` (Newey and West 1987; Galvao and Yoon 2024), and the sum is
        multiplied by ``n/(n-p)``. For "robust" and "kernel", without `groups` and frequency weights.

    Returns
    -------
    Inference, LassoInference, or list of one of these
        Coefficients with their covariance; for several quantiles their joint covariance. For a two-dimensional y a list
        with one entry per target.

    Raises
    ------
    TypeError
        If the model is of another class.
    ValueError
        If the coefficients are not optimal for these data; if there is a penalty, or a coefficient is at a bound; if X
        is singular, or there are not more rows than coefficients; if the density is 0 in too many rows; or if a
        parameter is out of its range or not available for the model or the method. For a lasso: if columns are constant
        or multiples of each other, or too few rows are left to estimate `sigma`.

    Warns
    -----
    UserWarning
        If the optimum is not proved to be unique, more distinct rows are fitted exactly than there are coefficients,
        quantiles cross in more than 5 % of the rows, there are fewer than 20 groups, or a rank interval is infinite.
        For a lasso: if columns are nearly linear combinations of others, or a nodewise lasso is not proved to 1e-9.

    See Also
    --------
    Inference : What is returned.
    LassoInference : What is returned for a lasso.
    QuantileRegressor : Fits quantiles.

    Notes
    -----
    Rules for the bandwidth are those of Hall and Sheather (1988), Bofinger (1975) and Chamberlain (1994). Nothing
    depends on the units of y or of the columns of X. Scores of rows that are fitted exactly come from the dual, for
    which :math:`\sum_i w_i \psi_i x_i = 0`. The covariance of two quantiles s and t is :math:`(\min(s, t) - s t)
    H_s^{-1} \sum_i c_i x_i x_i^\top H_t^{-1}`. The formulas hold for large samples: with few rows beyond a quantile
    (fewer than about 50) the coverage is below the nominal level.

    The rank test compares :math:`T(\xi) = x_j^\top a(\xi) / (\sqrt{\tau (1 - \tau)} |q|)` with t: :math:`a(\xi)` are
    the scores of the regression of :math:`y - \xi x_j` on the other columns, and q is the residual of :math:`x_j` in
    the regression on them with weights :math:`\hat f_i`. T is minus the derivative of a convex function, the smallest
    loss given that coefficient j is :math:`\xi`. Each limit of the interval is therefore the optimum of one fit whose
    loss has the linear term :math:`\pm t \sqrt{\tau (1 - \tau)} |q| b_j`, and infinite if there is no optimum. The
    statistic is T(0).

    The bootstrap solves each replicate for the rows near the fit, with the signs of all other residuals fixed: with V
    an estimate of the covariance and c a constant, these are the rows with a residual of at most :math:`c
    \sqrt{x_i^\top V x_i}`. If the change d of the coefficients has :math:`d^\top V^{-1} d \le c^2`, the other signs are
    right by the Cauchy-Schwarz inequality, and the replicate is the optimum for all rows without reading the others.
    With binary columns the optimum is often not unique at the median: if the optima are a line segment, the replicate
    is its midpoint, the canonical optimum. Other replicates, and those with more optima, are fitted to all rows;
    `n_whole` counts them.

    The desparsified lasso is :math:`b_j + z_j^\top r / z_j^\top x_j`, with r the residuals of the lasso b, and
    :math:`z_j` those of a lasso of column j on all others, with standardised columns. Its standard error is
    :math:`\sigma |z_j| / |z_j^\top x_j|`. One penalty for all columns is chosen by 10-fold cross-validation, of at most
    32 columns evenly spaced among them, and folds of a fixed seed; from there the penalty of each column is lowered
    while the variance grows by less than 25 % (Dezeure et al. 2015). Each of these lassos is proved by its duality gap,
    which is part of the result. The p x p products of the columns are kept in memory.

    For "selective" the lasso selects these features with these signs if and only if y is in a polyhedron. Given that, a
    coefficient of least squares has a truncated normal distribution, whose tails are computed on the log scale. For
    both methods errors have the same variance in all rows, whatever their weights.

    References
    ----------
    Bose, A. and Chatterjee, S. (2003). Generalized bootstrap for estimators of minimizers of convex functions. Journal
    of Statistical Planning and Inference 117(2), 225-239. doi:10.1016/S0378-3758(02)00386-5

    Bassett, G. and Koenker, R. (1982). An empirical quantile function for linear models with iid errors. Journal of the
    American Statistical Association 77(378), 407-415. doi:10.1080/01621459.1982.10477826

    Dezeure, R., Bühlmann, P., Meier, L. and Meinshausen, N. (2015). High-dimensional inference: confidence intervals,
    p-values and R-software hdi. Statistical Science 30(4), 533-558. doi:10.1214/15-STS527

    Hendricks, W. and Koenker, R. (1992). Hierarchical spline models for conditional quantiles and the demand for
    electricity. Journal of the American Statistical Association 87(417), 58-68. doi:10.1080/01621459.1992.10475175

    Huber, P. J. (1981). Robust Statistics. Wiley. doi:10.1002/0471725250

    Koenker, R. (1994). Confidence intervals for regression quantiles. In Asymptotic Statistics, Contributions to
    Statistics, Physica-Verlag, 349-359. doi:10.1007/978-3-642-57984-4_29

    Koenker, R. and Machado, J. A. F. (1999). Goodness of fit and related inference processes for quantile regression.
    Journal of the American Statistical Association 94(448), 1296-1310. doi:10.1080/01621459.1999.10473882

    Lee, J. D., Sun, D. L., Sun, Y. and Taylor, J. E. (2016). Exact post-selection inference, with application to the
    lasso. Annals of Statistics 44(3), 907-927. doi:10.1214/15-AOS1371

    Galvao, A. F. and Yoon, J. (2024). HAC covariance matrix estimation in quantile regression. Journal of the American
    Statistical Association 119.

    Newey, W. K. and West, K. D. (1987). A simple, positive semi-definite, heteroskedasticity and autocorrelation
    consistent covariance matrix. Econometrica 55(3), 703-708. doi:10.2307/1913610

    Parente, P. M. D. C. and Santos Silva, J. M. C. (2016). Quantile regression with clustered data. Journal of
    Econometric Methods 5(1), 1-15. doi:10.1515/jem-2014-0011

    Powell, J. L. (1991). Estimation of monotonic regression models under quantile restrictions. In Nonparametric and
    Semiparametric Methods in Econometrics and Statistics, Cambridge University Press, 357-384.

    van de Geer, S., Bühlmann, P., Ritov, Y. and Dezeure, R. (2014). On asymptotically optimal confidence regions and
    tests for high-dimensional models. Annals of Statistics 42(3), 1166-1202. doi:10.1214/14-AOS1221

    Zhang, C.-H. and Zhang, S. S. (2014). Confidence intervals for low dimensional parameters in high dimensional linear
    models. JRSS B 76(1), 217-242. doi:10.1111/rssb.12026

    Examples
    --------
    >>> import numpy as np
    >>> from ladreg import QuantileRegressor, infer
    >>> rng = np.random.default_rng(0)
    >>> X = rng.uniform(0, 4, (500, 1))
    >>> y = 1 + X[:, 0] + (0.5 + 0.5 * X[:, 0]) * rng.standard_normal(500)
    >>> model = QuantileRegressor(quantile=[0.25, 0.75], alpha=0).fit(X, y)
    >>> inference = infer(model, X, y)
    >>> inference.standard_errors.round(2)
    array([[0.16, 0.08],
           [0.09, 0.07]])
    >>> bool(inference.equal_slopes().pvalue < 0.001)
    True
    """
    check_choice("method", method, _METHODS)
    check_choice("weights", weights, ("probability", "frequency"))
    check_choice("kernel", kernel, ("uniform", "gaussian"))
    check_choice("bootstrap", bootstrap, ("pairs", "exponential"))
    check_choice("density", density, ("robust", "iid"))
    check_flag("interpolate", interpolate)
    check_choice("interval", interval, ("t", "percentile"))
    check_count("n_bootstrap", n_bootstrap)
    check_verbose(verbose)
    check_real("level", level, low=0.0, high=1.0, open_ends=True)
    if isinstance(bandwidth, str):
        check_choice("bandwidth", bandwidth, BANDWIDTHS)
    else:
        check_real("bandwidth", bandwidth, low=0.0, high=1.0, open_ends=True)
    if groups is not None and method in ("iid", "rank"):
        raise ValueError(f'method="{method}" assumes independent errors: with groups use "robust" or "kernel".')
    if lags is not None:
        check_count("lags", lags)
        if method not in ("robust", "kernel") or groups is not None or weights == "frequency":
            raise ValueError('lags is only for method="robust" and "kernel", without groups and frequency weights.')
    if n_bootstrap < 2:
        raise ValueError(f"n_bootstrap must be at least 2, got {n_bootstrap!r}.")
    if sigma is not None:
        check_real("sigma", sigma, low=0.0, open_ends=True)
    target: Any = y
    last = LastStep.of(model)
    model = last.estimator
    if last.before is not None and are_blocks(X):
        raise ValueError(
            "infer does not accept a pipeline for data in blocks: call infer(pipeline[-1], "
            "data.map(pipeline[:-1].transform))."
        )
    table: Any = X if are_blocks(X) else last.transformed(X)
    if method in _OF_A_LASSO:
        if groups is not None or weights == "frequency":
            raise ValueError(f'method="{method}" is available neither with groups nor with frequency weights.')
        given = None if sigma is None else float(sigma)
        return infer_lasso(
            last,
            table,
            target,
            sample_weight,
            method=method,
            level=float(level),
            sigma=given,
            n_jobs=n_jobs,
            verbose=int(verbose),
        )
    if sigma is not None:
        raise ValueError(f'sigma is for a lasso: method="{method}" estimates what it needs.')
    several = np.ndim(getattr(model, "quantile", 0.5)) > 0
    shared: dict[str, Any] = {"method": method, "level": float(level)}
    if are_blocks(X):
        _check_blocks(model, method, groups, lags)
        with any_size(), told_of_passes(None, None, _say if verbose else None):
            posed = PosedBlocks.of(model, X, y, sample_weight)
            group = (
                None
                if groups is None
                else column_number(cast(Any, groups), posed.given.seen.n_features, posed.given.names)
            )
            how = BlockMethod(method, weights, bandwidth, kernel, group)
            found_in_blocks = infer_blocks(posed, how)
        shared |= {"n_features_in": int(model.n_features_in_), "interval": "t", "lags": None}
        return _of_blocks(found_in_blocks, several, shared)
    with any_size():
        sample, fits, names = read(last, table, target, sample_weight, groups, weights)
        draw = _Draw(
            bootstrap, int(n_bootstrap), _seeds(random_state) if method == "bootstrap" else None, n_jobs, verbose
        )
        ranks = _Ranks(density, bool(interpolate), float(level))
        if lags is not None and sample.weight.size < np.shape(target)[0]:
            raise ValueError("lags counts rows: no row may have a weight of zero.")
        cov = _Covariances(sample, method, bandwidth, kernel, draw, ranks, lags)
        parts = [fits] if several else [[fit] for fit in fits]
        shared |= {"names": names, "n_features_in": int(model.n_features_in_), "interval": interval, "lags": lags}
        shared["transformer"] = last.before
        found = [_inferred(sample, part, several, cov, shared) for part in parts]
    return found[0] if several or np.ndim(model.coef_) == 1 else found


@dataclass(frozen=True)
class _Draw:
    """How replicates are drawn."""

    kind: str
    number: int
    seeds: np.random.SeedSequence | None
    n_jobs: int | None
    verbose: int


@dataclass(frozen=True)
class _Ranks:
    """What is asked of rank tests."""

    density: str
    interpolate: bool
    level: float


def _seeds(random_state: int | np.random.RandomState | None) -> np.random.SeedSequence:
    """The parent of the replicates' streams."""
    return np.random.SeedSequence(check_random_state(random_state).randint(2**31, size=4).tolist())


@dataclass(frozen=True)
class _Covariances:
    """The covariance that the parameters ask for."""

    sample: Sample
    method: str
    rule: str | float
    kernel: str
    draw: _Draw
    ranks: _Ranks
    lags: int | None

    def of(self, fits: list[Fit]) -> Covariance:
        if not isinstance(fits[0].problem.loss, Huber):
            if self.method == "bootstrap":
                return self._bootstrap(fits)
            if self.method == "rank":
                return self._rank(fits)
            return quantile_covariance(self.sample, fits, self.method, self.rule, self.kernel, self.lags)
        if self.method in ("kernel", "rank", "bootstrap"):
            raise ValueError(f'method="{self.method}" is for quantiles: for Huber\'s loss use "robust".')
        return Covariance(huber_covariance(self.sample, fits[0], self.method, self.lags))

    def _rank(self, fits: list[Fit]) -> Covariance:
        sample, ranks = self.sample, self.ranks
        if not sample.is_frequency and np.any(sample.weight != 1):
            raise ValueError('method="rank" needs frequency weights: pass weights="frequency".')
        if ranks.density == "robust":
            breads = breads_of(sample, fits, "robust", self.rule, self.kernel)
        else:
            breads = equal_breads(sample, fits)
        inverted, n_whole = rank_tests(sample, fits, breads, ranks.level, ranks.interpolate)
        return Covariance(None, breads.bandwidth, breads.n_crossed, n_whole=n_whole, inverted=inverted)

    def _bootstrap(self, fits: list[Fit]) -> Covariance:
        sample, draw = self.sample, self.draw
        assert draw.seeds is not None
        if sample.is_frequency and np.any(sample.weight != np.round(sample.weight)) and draw.kind == "pairs":
            raise ValueError("the bootstrap of pairs draws rows: frequency weights must be integers.")
        found, n_whole = replicates(
            sample,
            fits,
            draft_covariance(sample, fits),
            kind=draw.kind,
            number=draw.number,
            seeds=draw.seeds,
            n_jobs=draw.n_jobs,
            verbose=draw.verbose,
        )
        cov = np.atleast_2d(np.cov(found.reshape(draw.number, -1), rowvar=False))
        return Covariance(cov, replicates=found, n_whole=n_whole)


class _Fitted(NamedTuple):
    """One fit: coefficients, quantile, mean pinball loss, R1 and proof; no losses for Huber's."""

    point: Array
    quantile: float
    loss: float
    r1: float
    certificate: Certificate


def _inferred(
    sample: Sample, fits: list[Fit], several: bool, covariances: _Covariances, shared: dict[str, Any]
) -> Inference:
    """The result for one target."""
    found = covariances.of(fits)
    is_quantile = not isinstance(fits[0].problem.loss, Huber)
    losses = [_losses(sample, fit) for fit in fits] if is_quantile else [(1.0, 1.0)] * len(fits)
    fitted = [
        _Fitted(fit.point, fit.quantile, own, _r1(own, least), fit.certificate)
        for fit, (own, least) in zip(fits, losses, strict=True)
    ]
    shared = shared | {
        "df": sample.df,
        "n_samples": sample.size,
        "n_groups": sample.n_groups if sample.groups is not None else None,
        "features": sample.features,
        "fit_intercept": sample.regressors.fit_intercept,
    }
    return _table(fitted, several, is_quantile, found, shared)


def _say(text: str) -> None:
    """Tell of progress."""
    print(f"[infer] {text}", flush=True)


def _of_blocks(found: BlockInference, several: bool, shared: dict[str, Any]) -> Inference:
    """The result for rows in blocks."""
    fitted = [
        _Fitted(point, quantile, own, _r1(own, least), certificate)
        for point, quantile, own, least, certificate in zip(
            found.points, found.quantiles, found.losses, found.constants, found.certificates, strict=True
        )
    ]
    shared = shared | {
        "df": found.df,
        "n_samples": found.size,
        "n_groups": found.n_groups,
        "features": found.features,
        "fit_intercept": len(found.names) > found.features.size,
        "names": found.names,
    }
    return _table(fitted, several, True, found.covariance, shared)


def _table(
    fits: list[_Fitted], several: bool, is_quantile: bool, found: Covariance, shared: dict[str, Any]
) -> Inference:
    """The result of one fit, or of several quantiles."""

    def one_or_all(values: Any) -> Any:
        if values is None or several:
            return None if values is None else np.asarray(values)
        return np.asarray(values)[0].item()

    size, p = shared["n_samples"], fits[0].point.size
    likelihoods = [_log_likelihood(size, fit.quantile, fit.loss) for fit in fits] if is_quantile else None
    return Inference(
        coef=np.array([fit.point for fit in fits]) if several else fits[0].point,
        cov=found.cov,
        quantile=one_or_all([fit.quantile for fit in fits] if is_quantile else None),
        r1=one_or_all([fit.r1 for fit in fits] if is_quantile else None),
        log_likelihood=one_or_all(likelihoods),
        aic=one_or_all([2 * p - 2 * value for value in likelihoods] if likelihoods else None),
        bandwidth=one_or_all(found.bandwidth),
        n_crossed=one_or_all(found.n_crossed),
        certificate=[fit.certificate for fit in fits] if several else fits[0].certificate,
        replicates=found.replicates if several or found.replicates is None else found.replicates[:, 0],
        n_whole=found.n_whole,
        inverted=found.inverted if several or found.inverted is None else Inverted(*(one[0] for one in found.inverted)),
        **shared,
    )


def _check_blocks(model: Any, method: str, groups: Any, lags: int | None) -> None:
    """Raise an error for what rows in blocks have no standard errors for."""
    if not isinstance(model, LADRegressor | QuantileRegressor):
        raise TypeError(
            "infer takes data in blocks of rows for a fitted LADRegressor or QuantileRegressor, got "
            f"{type(model).__name__}, which needs all rows in memory."
        )
    if method not in _OF_BLOCKS:
        raise ValueError(
            f'method="{method}" needs all rows in memory: for data in blocks use {" or ".join(map(repr, _OF_BLOCKS))}.'
        )
    if lags is not None:
        raise ValueError("lags needs all rows in memory: data in blocks must have independent rows, or groups.")
    if groups is not None and not isinstance(groups, str | int | np.integer):
        raise ValueError(
            f"groups must be the name or index of a column of X for data in blocks, got {type(groups).__name__}. To "
            "exclude that column from the fit, set its entry in penalty_weights to infinity."
        )


def _percentiles(values: Array, level: float) -> Array:
    """The quantiles along the first axis that leave the same probability on both sides, along a new last axis."""
    return np.moveaxis(np.quantile(values, [0.5 - level / 2, 0.5 + level / 2], axis=0), 0, -1)


def _losses(sample: Sample, fit: Fit) -> tuple[float, float]:
    """The mean pinball loss of a fit, and of the best constant."""
    loss, y = Pinball(fit.quantile), fit.problem.y
    own = float(sample.weight @ loss.value(fit.residual)) / sample.size
    constant = least_constant(y, sample.weight, fit.quantile)
    return own, float(sample.weight @ loss.value(y - constant)) / sample.size


def _r1(own: float, least: float) -> float:
    """``1 - loss / (loss of the best constant)``; without any loss of that 1, or 0 if the fit has one."""
    return 1 - own / least if least > 0 else float(own == 0)


def _log_likelihood(size: float, quantile: float, mean: float) -> float:
    """``N (log(tau (1 - tau)) - 1 - log(sum_i weight_i rho(residual_i) / N))``."""
    return float(size * (np.log(quantile * (1 - quantile)) - 1 - np.log(mean)))


def _root(cov: Array) -> Array:
    """A matrix C with ``C C' = cov``, which may have any rank."""
    deviation = np.sqrt(cov.diagonal())
    values, vectors = np.linalg.eigh(cov / deviation / deviation[:, None])
    return np.asarray(deviation[:, None] * (vectors * np.sqrt(np.maximum(values, 0.0))))
