"""`Problem`: what is to be minimised.

Sign conventions: a residual is ``y - prediction``; ``dual_i`` is the rate of change of the objective in
``y_i``, so that at an optimum ``dual_i = weight_i * loss'(residual_i)`` and ``X_j'dual`` is in the subdifferential of
the penalty at ``coef_j``.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import isfinite

import numpy as np

from ladreg._arrays import Array, doubled_dot
from ladreg._cached import cached_property
from ladreg._design import Design, hides_digits
from ladreg._problem.facts import Facts
from ladreg._problem.losses import Loss
from ladreg._problem.penalties import ElasticNet

# Error message for an objective that is not finite.
TOO_LARGE = (
    "the objective overflows float64 at these coefficients: X, y or alpha is too large. "
    "Scale y, or the columns of X, to ordinary sizes."
)


@dataclass(frozen=True)
class Problem:
    """Minimise ``sum_i weight_i * loss(y_i - x_i'coef - intercept) + penalty(coef)``.

    Attributes
    ----------
    design : Design
        X of shape (n_samples, n_features).
    y : ndarray of shape (n_samples,)
        Target.
    weight : ndarray of shape (n_samples,)
        Non-negative, with sum one.
    loss : Loss
        What a residual costs.
    penalty : ElasticNet
        What the coefficients cost; the intercept costs nothing.
    fit_intercept : bool
        Whether the intercept is free; otherwise it is zero.
    """

    design: Design
    y: Array
    weight: Array
    loss: Loss
    penalty: ElasticNet
    fit_intercept: bool

    @property
    def n_samples(self) -> int:
        """Number of rows."""
        return self.design.n_samples

    @property
    def n_features(self) -> int:
        """Number of columns of X."""
        return self.design.n_features

    def with_penalty(self, penalty: ElasticNet) -> Problem:
        """The same problem with another penalty; both share `facts`."""
        return replace(self, penalty=penalty)._knowing(self.facts)

    def _knowing(self, facts: Facts) -> Problem:
        self.__dict__["facts"] = facts
        return self

    @property
    def at_origin(self) -> Problem:
        """The problem with columns far from zero moved to the origin, itself where there are none, or no intercept.

        The intercept is ``intercept + shift @ coef`` there; coefficients, residuals and feasible duals are the same.
        Products of duals with the columns have the rounding of their spread, not of their distance from zero.
        """
        facts = self._near
        return self if facts is self.facts else replace(self, design=facts.design)._knowing(facts)

    @property
    def _near(self) -> Facts:
        """Facts of the rows at the origin."""
        near = self.facts.at_origin if self.fit_intercept else None
        return self.facts if near is None else near

    @cached_property
    def facts(self) -> Facts:
        """Facts about the rows that do not depend on the penalty."""
        return Facts(self.design, self.y, self.weight, self.loss)

    def near_origin(self, coef: Array, intercept: float) -> tuple[Facts, Array, float]:
        """Facts of rows at the origin, and targets and an intercept whose difference has its digits there.

        Far columns and their intercept cancel, and then far targets and what is left of it.
        """
        if self._near is self.facts:
            return self.facts, self.y, intercept
        level, lost = doubled_dot(self.design.extent(True)[0], coef, intercept)
        with np.errstate(over="ignore"):  # an objective that is not finite is an error where it is summed
            return self._near, self.y - level, lost

    def residual(self, coef: Array, intercept: float) -> Array:
        """``y - intercept - X @ coef``, computed at the origin."""
        near, y, level = self.near_origin(coef, intercept)
        return (y - level) - near.design.matvec(coef)

    def accurate_residual(self, coef: Array, intercept: float) -> Array:
        """`residual` with the digits that are lost where predictions are sums of numbers far larger than they are."""
        return self.design.accurate_residual(coef, self.y, intercept)

    def with_digits(self, coef: Array, intercept: float, residual: Array, design: Design | None = None) -> Array:
        """`residual`, or `accurate_residual` where its rounding may change the objective.

        It was computed from columns of `design`, those at the origin by default.
        """
        present, design = self.present(residual), self._near.design if design is None else design
        sizes = float(design.reach() @ np.abs(coef))
        is_hidden = hides_digits(sizes, sum(float(w @ np.abs(present[block])) for block, w in self.facts.blocks))
        return self.accurate_residual(coef, intercept) if is_hidden else residual

    def audit(self, coef: Array, intercept: float, dual: Array) -> tuple[Array, Array]:
        """The residual `with_digits`, and the dual's products with columns of `at_origin`, followed by its sum."""
        near, y, level = self.near_origin(coef, intercept)
        residual, products = near.audit(coef, y, level, dual)
        return self.with_digits(coef, intercept, residual), products

    def at_rest(self) -> Array:
        """The residuals where every coefficient is as near to zero as its limits allow, without intercept."""
        return self.y - self.design.matvec(self.penalty.rest) if self.penalty.limited else self.y

    def null_residual(self) -> Array:
        """The residuals where every coefficient is at rest, with the best intercept there."""
        residual = self.at_rest()
        return residual - replace(self, y=residual).null_intercept()

    def is_feasible(self, coef: Array, intercept: float) -> bool:
        """Whether penalty and problem allow coefficients and intercept; an OverflowError if these are not finite."""
        outside = self.penalty.forbidden(coef)
        if not isfinite(intercept) or (outside.size and not np.isfinite(coef[outside]).all()):
            raise OverflowError(TOO_LARGE)
        return (self.fit_intercept or intercept == 0) and outside.size == 0

    def objective(self, coef: Array, intercept: float) -> float:
        """The function to be minimised, infinite where the coefficients are not feasible."""
        if not self.is_feasible(coef, intercept):
            return np.inf
        return self.value(self.present(self.residual(coef, intercept)), coef)

    def present(self, residual: Array) -> Array:
        """The residual, set to zero in rows of weight zero, where it may be too large to square."""
        return residual if self.facts.all_present else np.where(self.weight > 0, residual, 0.0)

    def value(self, residual: Array, coef: Array) -> float:
        """The objective for a known residual of feasible coefficients; an OverflowError if it is not finite."""
        with np.errstate(over="ignore", invalid="ignore"):
            value = self.facts.total(self.loss, residual) + self.penalty.cost(coef)
        if not isfinite(value):
            raise OverflowError(TOO_LARGE)
        return value

    def null_intercept(self) -> float:
        """The best intercept if all coefficients are zero."""
        present = self.weight > 0
        return self.loss.location(self.y[present], self.weight[present]) if self.fit_intercept else 0.0

    def within_interval(self, dual: Array) -> Array:
        """The dual brought into the loss's interval."""
        is_bounded = self.loss.has_bounded_slopes
        if self.facts.all_present and not is_bounded:
            return np.ascontiguousarray(dual)
        clipped = np.empty(self.n_samples)
        lower, upper = self.loss.interval()
        for block, weight in self.facts.blocks:
            ratio = self.ratio(dual[block], weight)
            if is_bounded:
                np.minimum(np.maximum(ratio, lower, out=ratio), upper, out=ratio)
            np.multiply(weight, ratio, out=clipped[block])
        return clipped

    def row_gap(self, residual: Array, dual: Array, weight: Array) -> float:
        """The sum of the rows' Fenchel-Young terms, each >= 0: one below zero by rounding would hide others.

        A dual that is the weight times an end of the interval costs nothing, though their ratio may be past that end.
        """
        if self.loss.is_piecewise_linear:
            lower, upper = self.loss.interval()
            terms = np.maximum(residual * (weight * upper - dual), residual * (weight * lower - dual))
            return float(np.maximum(terms, 0.0, out=terms).sum())
        slopes = self.ratio(dual, weight)
        if self.loss.has_bounded_slopes:
            lower, upper = self.loss.interval()
            slopes = np.where(dual >= weight * upper, upper, np.where(dual <= weight * lower, lower, slopes))
            np.clip(slopes, lower, upper, out=slopes)
        return float(weight @ self.loss.fenchel_young(residual, slopes))

    def ratio(self, dual: Array, weight: Array) -> Array:
        """``dual / weight``, zero in rows of weight zero."""
        if self.facts.all_present:
            return dual / weight
        return np.divide(dual, weight, out=np.zeros_like(dual), where=weight > 0)
