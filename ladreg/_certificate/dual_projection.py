"""Projection of duals to be orthogonal to the free columns: the intercept's, and those of free features."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np
import scipy.linalg

from ladreg._arrays import Array, Index, is_regular
from ladreg._problem import Problem
from ladreg._tolerances import ORTHOGONAL, ROUNDED, SOLVED

# Free columns with more than 2^21 entries are projected out by their Gram matrix even if it is nearly singular: a QR
# would copy these columns.
_QR_ENTRIES = 1 << 21
# Squared lengths of columns above tiny / eps have all their digits: their denormal terms are below rounding.
_NORMAL = float(np.finfo(np.float64).tiny / np.finfo(np.float64).eps)


class _Correction(NamedTuple):
    """What is subtracted from a dual, and the sizes of its terms in each row; None where weights are alike.

    Where they are, the rounding of a row is judged beside the duals of the others: see `Projection.sizes`.
    """

    values: Array
    size: Array | None = None


@dataclass(frozen=True)
class Projection:
    """Finds duals of a problem that are feasible for its free columns, near given duals."""

    problem: Problem

    def near(self, dual: Array, products: Array) -> Iterator[tuple[Array, Array, float]]:
        """Duals near `dual` that are orthogonal to the free columns, the best first, with their slopes and the factor
        by which they exceed the loss's interval.

        The correction is put on the rows strictly inside their interval, in proportion to their distance from its ends;
        if that fails, on all rows, in proportion to their weight; if that fails, the zero dual is left. `products` are
        ``X'dual`` and the sum of the dual.
        """
        for elastic in (self._room, lambda _: self.problem.weight):
            try:
                found = self._project(dual, products, elastic)
            except np.linalg.LinAlgError:  # LAPACK gave up on a decomposition
                found = None
            if found is not None:
                candidate, slope = found
                beyond = 1.0 if candidate is dual else self._beyond(candidate)
                yield candidate, slope, beyond
                if beyond <= 1.0 + SOLVED:
                    return
        yield np.zeros_like(dual), np.zeros(self.problem.n_features), 1.0

    def _room(self, dual: Array) -> Array:
        """The distance of each row's dual from the nearer end of its interval; the weight if that is infinite."""
        if not self.problem.loss.has_bounded_slopes:
            return self.problem.weight
        lower, upper = self.problem.loss.interval()
        ratio = self.problem.ratio(dual, self.problem.weight)
        return np.maximum(self.problem.weight * np.minimum(ratio - lower, upper - ratio), 0.0)

    def _project(self, dual: Array, products: Array, elastic: Callable[[Array], Array]) -> tuple[Array, Array] | None:
        """``dual - elastic * Z u`` with ``Z'dual = 0``, or None if `elastic` allows no such correction.

        An unpenalised feature with a lower limit requires only ``X_j'dual <= 0``, one with an upper limit ``>= 0``: its
        column joins Z if that is violated.
        """
        penalty = self.problem.penalty
        if not (penalty.positive or penalty.limited):
            return self._orthogonal(dual, products, elastic, penalty.free_features)
        free, one_sided = penalty.free(), penalty.one_sided
        for _ in range(1 + int(one_sided.sum())):
            found = self._orthogonal(dual, products, elastic, np.flatnonzero(free))
            if found is None or not one_sided.any():
                return found
            candidate, slope = found
            violated = ~free & (self._outward(slope) > ROUNDED * self.sizes(candidate)[: self.problem.n_features])
            if not violated.any():
                return found
            free = free | violated
        return None

    def _outward(self, slope: Array) -> Array:
        """The part of the slopes of one-sided features that the dual set does not allow, zero of other features."""
        penalty = self.problem.penalty
        outward = penalty.open_side * slope if penalty.limited else slope
        return np.where(penalty.one_sided, np.maximum(outward, 0.0), 0.0)

    def beyond_rounding(self, dual: Array, products: Array) -> Array:
        """How far the products of a dual with free and one-sided columns are outside the dual set beyond rounding.

        `products` are ``X'dual`` and the sum of the dual; the result has an entry for each.
        """
        outside = np.append(self._outward(products[:-1]), 0.0)
        columns = self._columns(self.problem.penalty.free_features)
        outside[columns] = np.abs(products[columns])
        return np.asarray(np.maximum(outside - ROUNDED * self.sizes(dual), 0.0))

    def _orthogonal(
        self, dual: Array, products: Array, elastic: Callable[[Array], Array], free: Index
    ) -> tuple[Array, Array] | None:
        correct: Callable[[Array], _Correction] | None = None
        # At most three times: one projection leaves an error of order eps * cond(Z), which the next ones remove.
        for _ in range(3):
            if self._are_zero(dual, products, free, ROUNDED):
                return dual, products[: self.problem.n_features]
            correct = correct or self._corrector(elastic(dual), free)
            dual = self._without(dual, *correct(products[self._columns(free)]))
            products = np.append(self.problem.design.rmatvec(dual), dual.sum())
        small = self._are_zero(dual, products, free, ORTHOGONAL)
        return (dual, products[: self.problem.n_features]) if small else None

    def is_balanced(self, dual: Array, products: Array) -> bool:
        """Whether the products of the dual with the free columns are zero up to rounding."""
        return self._are_zero(dual, products, self.problem.penalty.free_features, ROUNDED)

    def _columns(self, free: Index) -> Index:
        """The numbers of the free features, and that of the intercept, which is the number of features."""
        return np.append(free, self.problem.n_features) if self.problem.fit_intercept else free

    def _are_zero(self, dual: Array, products: Array, free: Index, rounding: float) -> bool:
        """Whether the products with the free columns are zero, up to `rounding` times their size."""
        if self.problem.fit_intercept and not abs(float(products[-1])) <= rounding * self.size_of_sum(dual):
            return False
        return free.size == 0 or bool((np.abs(products) <= rounding * self.sizes(dual))[free].all())

    def sizes(self, dual: Array) -> Array:
        """Upper bounds of ``|X|'|dual|`` and, last, of the sum of ``|dual|``: the scale of rounding in ``X'dual``.

        Each row counts as its weight times the largest ``|dual| / weight``, since its own dual may be rounding of zero.
        If weights differ widely, each row counts as its own ``|dual|``.
        """
        total = self.size_of_sum(dual)
        if self.problem.facts.weights_are_alike:
            magnitudes, largest = self.problem.facts.magnitudes, total
        else:
            magnitudes, largest = self.problem.design.magnitudes(np.abs(dual)), 1.0
        sizes = np.empty(magnitudes.size + 1)
        np.multiply(magnitudes, largest, out=sizes[:-1])
        sizes[-1] = total
        return sizes

    def size_of_sum(self, dual: Array) -> float:
        """The last entry of `sizes`, which needs no pass over X."""
        return float(self.sizes_of_sums(dual))

    def sizes_of_sums(self, duals: Array) -> Array:
        """`size_of_sum` for several duals, one per row."""
        loss = self.problem.loss
        if not self.problem.facts.weights_are_alike:
            return np.asarray(np.abs(duals).sum(axis=-1))
        # With a piecewise linear loss the dual of some row is at an end of its interval. If the ends are -c and c, the
        # largest size is c.
        lower, upper = loss.interval()
        if loss.is_piecewise_linear and lower == -upper:
            return np.zeros(duals.shape[:-1]) + upper
        one = self.problem.facts.one_weight
        if one is not None:
            return np.asarray(np.abs(duals).max(axis=-1) / one[0])
        low, high = self._extremes(duals)
        return np.maximum(-low, high)

    def _extremes(self, duals: Array) -> tuple[Array, Array]:
        """The smallest and the largest of 0 and ``dual / weight``; one of each per row if there are several duals."""
        low, high = np.zeros((2, *duals.shape[:-1]))
        for block, weight in self.problem.facts.blocks:
            ratio = self.problem.ratio(duals[..., block], weight)
            low, high = np.fmin(low, ratio.min(axis=-1)), np.fmax(high, ratio.max(axis=-1))
        return low, high

    @staticmethod
    def _without(dual: Array, correction: Array, size: Array | None) -> Array:
        """``dual - correction``, in the memory of `correction`; zero where that is rounding of the correction's terms.

        The only row of a free column has a dual of zero: rounding left there would be all of that column's product.
        """
        np.subtract(dual, correction, out=correction)
        if size is not None:
            correction[np.abs(correction) <= ROUNDED * size] = 0.0
        return correction

    def _corrector(self, elastic: Array, free: Index) -> Callable[[Array], _Correction]:
        """The map from ``Z'dual`` to ``elastic * Z u`` with the same product with Z: ``u = (Z'EZ)^+ Z'dual``."""
        if free.size == 0:
            share = elastic / (elastic.sum() or 1.0)
            return lambda error: _Correction(share * error[0])
        rows = np.flatnonzero(elastic > 0)
        if rows.size == 0:
            return lambda _: _Correction(np.zeros_like(elastic))
        if self.problem.design.blocks(self.problem.fit_intercept) is not None:
            return self._block_corrector(elastic, free)
        # With more columns than rows the Gram matrix is larger than the copies that a QR needs.
        is_large = free.size < rows.size and rows.size * (free.size + 1) > _QR_ENTRIES
        if is_large or free.size < rows.size:
            with np.errstate(over="ignore", invalid="ignore"):  # `is_regular` rejects infinities
                gram = self.problem.design.gram(elastic, free, border=self.problem.fit_intercept)
            # Denormal products have few digits.
            is_definite = float(gram.diagonal().min()) > _NORMAL and is_regular(gram)
            if is_large or is_definite:
                return self._gram_corrector(gram, is_definite, elastic, free)
        Z = self.problem.design.rows(rows, free)
        Z = np.hstack([Z, np.ones((rows.size, int(self.problem.fit_intercept)))]) * np.sqrt(elastic[rows])[:, None]
        peak = np.maximum(np.abs(Z).max(axis=0), np.finfo(np.float64).tiny)
        size = peak * np.linalg.norm(Z / peak, axis=0)
        size[size == 0] = 1.0
        q, r, order = scipy.linalg.qr(Z / size, mode="economic", pivoting=True)
        diagonal = np.abs(np.diag(r))
        # A direction that is left out costs its product with the dual times coefficients as large as it is short.
        rank = int(np.sum(diagonal > ORTHOGONAL * diagonal.max(initial=0.0)))

        def correct(error: Array) -> _Correction:
            goal = (error / size)[order][:rank]
            solved = scipy.linalg.solve_triangular(r[:rank, :rank], goal, trans="T", check_finite=False)
            correction = np.zeros_like(elastic)
            correction[rows] = np.sqrt(elastic[rows]) * (q[:, :rank] @ solved)
            return _Correction(correction, np.sqrt(elastic) * np.linalg.norm(solved))

        return correct

    def _gram_corrector(
        self, gram: Array, is_definite: bool, elastic: Array, free: Index
    ) -> Callable[[Array], _Correction]:
        """`_corrector` without a dense copy of Z; less exact, so that the repetition in `_orthogonal` matters."""
        size = np.sqrt(np.diag(gram))
        size[size == 0] = 1.0
        gram = gram / np.outer(size, size)
        solve: Callable[[Array], Array]
        if is_definite:
            solve = partial(scipy.linalg.cho_solve, scipy.linalg.cho_factor(gram))
        else:
            solve = partial(np.matmul, np.linalg.pinv(gram, rcond=SOLVED, hermitian=True))
        return self._by(lambda error: solve(error / size) / size, elastic, free)

    def _block_corrector(self, elastic: Array, free: Index) -> Callable[[Array], _Correction]:
        """`_gram_corrector` for a table of groups."""
        border = self.problem.fit_intercept
        columns = np.append(free, self.problem.n_features) if border else free
        return self._by(self.problem.design.block_gram(elastic, border).of(columns).pseudo_solver(), elastic, free)

    def _by(self, solve: Callable[[Array], Array], elastic: Array, free: Index) -> Callable[[Array], _Correction]:
        """The correction of an error by the solver of ``Z'EZ u = error``."""
        design, border = self.problem.design, self.problem.fit_intercept
        alike = self.problem.facts.weights_are_alike

        def correct(error: Array) -> _Correction:
            u = solve(error)
            coef = np.zeros(self.problem.n_features)
            coef[free] = u[: free.size]
            last = float(u[-1]) if border else 0.0
            size = None if alike else elastic * (design.absolute_matvec(coef) + abs(last))
            return _Correction(elastic * (design.matvec(coef) + last), size)

        return correct

    def _beyond(self, dual: Array) -> float:
        """The factor by which a dual exceeds the loss's interval, at least 1."""
        lower, upper = self.problem.loss.interval()
        if not np.isfinite(upper):
            return 1.0
        low, high = map(float, self._extremes(dual))
        return max(1.0, high / upper, low / lower)
