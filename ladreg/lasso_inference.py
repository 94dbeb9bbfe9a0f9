"""Tests and intervals of the coefficients of a lasso: desparsified, or given the selection."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtr, ndtri

from ladreg._arrays import Array, Index, MatrixLike
from ladreg._estimators import LastStep, any_size, check_real
from ladreg._inference import (
    Block,
    LassoFit,
    Nodewise,
    TruncatedNormal,
    as_frame,
    as_html,
    as_text,
    desparsified,
    full_sigma,
    largest_ratio,
    nodewise,
    read_lasso,
    selected,
    selective,
)
from ladreg._problem import Certificate
from ladreg._warn import warn_user

__all__ = ["LassoInference", "infer_lasso"]

METHODS = ("desparsified", "selective")
_SENTENCES = {"desparsified": "Desparsified lasso", "selective": "Least squares given the selection of the lasso"}
# Nodewise lassos whose relative gap is above 1e-9 are warned of.
_TOL = 1e-9
# Warn of a column whose residual has a correlation above 0.5 with another column: at most 0.2 in 100 rows of 150
# normal features, 1 for columns that are equal but for rounding.
_LEFT = 0.5


@dataclass(frozen=True, eq=False, repr=False)
class LassoInference:
    """Tests and confidence intervals of the coefficients of a lasso. Made by `infer`.

    Parameters
    ----------
    coef : ndarray of shape (p,)
        Estimates corrected for the bias of the penalty: the desparsified lasso, or least squares on the selected
        features.
    standard_errors : ndarray of shape (p,)
        Standard errors; for "selective" those without selection, which the intervals do not use.
    names : list of str
        Names of the features.
    method : {"desparsified", "selective"}
        What the estimates are.
    level : float
        Level of confidence of `conf_int`, unless another is passed.
    sigma : float
        Standard deviation of the errors, given or estimated.
    n_samples : int
        Number of rows with a non-zero weight.
    certificate : Certificate
        The proof that the lasso's coefficients are the optimum of the data.
    features : ndarray of shape (p,)
        Indices of the features: all that are not excluded, or the selected ones.
    cov : ndarray of shape (p, p) or None
        Covariance of the desparsified coefficients.
    nodewise_alpha : ndarray of shape (p,) or None
        Penalty of the lasso of each column on the others, for standardised columns.
    nodewise_gap : ndarray of shape (p,) or None
        Proved relative gap of each of these lassos.
    bias_factor : ndarray of shape (p,) or None
        The remaining bias, in standard errors, is at most `bias_factor` times the sum of the lasso's absolute errors,
        each times the standard deviation of its column, divided by `sigma`.
    laws : list of TruncatedNormal or None
        The distribution of each estimate given the selection: a truncated normal distribution.

    See Also
    --------
    infer : Makes it.
    """

    coef: Array
    standard_errors: Array
    names: list[str]
    method: str
    level: float
    sigma: float
    n_samples: int
    certificate: Certificate
    features: Index
    cov: Array | None = None
    nodewise_alpha: Array | None = None
    nodewise_gap: Array | None = None
    bias_factor: Array | None = None
    laws: list[TruncatedNormal] | None = None

    @property
    def pvalues(self) -> Array:
        """Two-sided p-values of each coefficient being zero."""
        if self.laws is not None:
            return np.array([law.pvalue for law in self.laws])
        return np.asarray(2 * ndtr(-np.abs(self.coef / self.standard_errors)))

    def conf_int(self, level: float | None = None, simultaneous: bool = False) -> Array:
        """Confidence intervals of the coefficients.

        Parameters
        ----------
        level : float, default=None
            Level of confidence; None for that of `infer`.
        simultaneous : bool, default=False
            Whether all intervals cover simultaneously with this probability; only for "desparsified". The critical
            value is the quantile of the maximum of normal variables with these correlations, from 10,000 seeded draws.

        Returns
        -------
        ndarray of shape (p, 2)
            Lower and upper ends, which may be infinite for "selective".

        Raises
        ------
        ValueError
            If `level` is not between 0 and 1, or `simultaneous` is true for "selective".
        """
        level = self.level if level is None else level
        check_real("level", level, low=0.0, high=1.0, open_ends=True)
        if self.laws is not None:
            if simultaneous:
                raise ValueError('method="selective" has no simultaneous intervals.')
            return np.array([law.interval(float(level)) for law in self.laws]).reshape(-1, 2)
        half = float(ndtri(0.5 + level / 2))
        if simultaneous:
            assert self.cov is not None
            half = largest_ratio(self.cov, float(level))
        width = half * self.standard_errors
        return np.stack([self.coef - width, self.coef + width], axis=-1)

    def to_frame(self) -> Any:
        """The table as a pandas DataFrame, which needs pandas.

        Returns
        -------
        pandas.DataFrame
            One row per coefficient, indexed by its name, with the columns "coef", "std err" and "z" (both not for
            "selective"), "p", "low" and "high".
        """
        return as_frame([self._block()])

    def __str__(self) -> str:
        return as_text(self._header(), [self._block()])

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        return as_html(self._header(), [self._block()])

    def _header(self) -> list[str]:
        return [f"{_SENTENCES[self.method]}: {self.n_samples} rows, standard deviation of the errors {self.sigma:.4g}"]

    def _block(self) -> Block:
        ends = [f"{100 * (1 - self.level) / 2:.4g} %", f"{100 * (1 + self.level) / 2:.4g} %"]
        columns, parts = ["coef"], [self.coef]
        if self.laws is None:
            columns += ["std err", "z"]
            parts += [self.standard_errors, self.coef / self.standard_errors]
        table = np.column_stack([*parts, self.pvalues, *self.conf_int().T])
        title = f"lasso proved to {self.certificate.relative_gap:.1g}"
        if self.nodewise_gap is not None:
            title += f", {len(self.names)} nodewise lassos to {self.nodewise_gap.max(initial=0.0):.1g}"
        return Block(title, self.names, [*columns, "p", *ends], table)


def infer_lasso(
    last: LastStep,
    X: MatrixLike,
    y: ArrayLike,
    sample_weight: ArrayLike | None,
    *,
    method: str,
    level: float,
    sigma: float | None,
    n_jobs: int | None,
    verbose: int,
) -> LassoInference | list[LassoInference]:
    """`infer` for a lasso; parameters are checked there."""
    with any_size():
        fits = read_lasso(last, X, y, sample_weight, method)
        if method == "selective":
            found = [_selective(fit, level, sigma) for fit in fits]
        else:
            first = fits[0]
            nodes = nodewise(first.design, first.weight, first.fit_intercept, first.names, n_jobs, verbose)
            _warn(nodes, first)
            found = [_desparsified(fit, nodes, level, sigma) for fit in fits]
    return found[0] if np.ndim(last.estimator.coef_) == 1 else found


def _desparsified(fit: LassoFit, nodes: Nodewise, level: float, sigma: float | None) -> LassoInference:
    sigma = fit.sigma() if sigma is None else sigma
    coef, cov = desparsified(fit, nodes, sigma)
    return LassoInference(
        coef=coef,
        standard_errors=np.sqrt(cov.diagonal()),
        names=fit.names,
        method="desparsified",
        level=level,
        sigma=sigma,
        n_samples=fit.residual.size,
        certificate=fit.certificate,
        features=fit.features,
        cov=cov,
        nodewise_alpha=nodes.alpha,
        nodewise_gap=nodes.gap,
        bias_factor=nodes.bias_factor,
    )


def _selective(fit: LassoFit, level: float, sigma: float | None) -> LassoInference:
    if not fit.certificate.unique:
        raise ValueError("the optimum is not proved to be unique, so that y alone does not determine the selection.")
    sigma = full_sigma(fit) if sigma is None else sigma
    chosen = selected(fit)
    laws = selective(fit, chosen, sigma)
    return LassoInference(
        coef=np.array([law.value for law in laws]),
        standard_errors=np.array([law.sd for law in laws]),
        names=[fit.names[j] for j in chosen],
        method="selective",
        level=level,
        sigma=sigma,
        n_samples=fit.residual.size,
        certificate=fit.certificate,
        features=fit.features[chosen],
        laws=laws,
    )


def _warn(nodes: Nodewise, fit: LassoFit) -> None:
    near = np.flatnonzero(nodes.bias_factor > _LEFT * np.sqrt(fit.residual.size))
    if near.size:
        named = ", ".join(fit.names[j] for j in near[:5]) + (", ..." if near.size > 5 else "")
        warn_user(
            f"{near.size} columns are nearly linear combinations of others, so that their coefficients can hardly be "
            f"distinguished: {named}. Their intervals are valid only if the lasso selected the right ones among "
            "them; see bias_factor.",
            UserWarning,
        )
    bad = np.count_nonzero(~(nodes.gap <= _TOL))
    if bad:
        warn_user(
            f"{bad} of {nodes.gap.size} nodewise lassos are not proved to {_TOL:g}, the worst to "
            f"{nodes.gap.max():.3g}: its column is nearly a linear combination of others.",
            UserWarning,
        )
