"""Newton steps on the support of a lasso problem, cut where a coefficient would change its sign.

With the signs fixed the problem is a linear system in the coefficients that are not zero (Osborne, Presnell and Turlach
2000, doi 10.1093/imanum/20.3.389).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from ladreg._penalties import L1

Array = NDArray[np.float64]
Index = NDArray[np.intp]

# Steps in one call, each cut at the first change of sign.
_CUTS = 5


def newton(coef: Array, penalty: L1, gram: Callable[[Index], Array], slope: Callable[[Array, Index], Array]) -> Array:
    """Newton steps on the support, each cut at the first change of sign.

    Where the columns of the support are dependent, the coefficients first slide along them, which leaves the fit
    alone and lowers the penalty, until enough of them are zero.
    """
    coef = coef.copy()
    support = np.flatnonzero(coef)
    signed = (penalty.strength > 0) | penalty.positive
    n_full = 0
    for _ in range(_CUTS):
        if support.size == 0:
            break
        pull = penalty.strength[support] * np.sign(coef[support])
        inverse, basis = _factored(gram(support))
        if basis.shape[1] and n_full == 0:
            coef[support] = _slid(basis, coef[support], pull, signed[support])
            cut = coef[support] == 0
        else:
            coef[support], cut = _stepped(coef[support], inverse(slope(coef, support) - pull), signed[support])
            n_full += not cut.any()
        if cut.any():
            support = support[~cut]
        elif basis.shape[1] and n_full == 0:
            n_full = 1  # the penalty is flat along the dependent columns: what is left is the fit
        if n_full >= 2:
            break
    return coef


def _factored(gram: Array) -> tuple[Callable[[Array], Array], Array]:
    """The inverse of a Gram matrix, or its pseudo-inverse and a basis of its null space."""
    size = np.sqrt(np.diag(gram))
    size[size == 0] = 1.0
    gram = gram / np.outer(size, size)
    try:
        factor = np.linalg.cholesky(gram)
        if np.min(np.diag(factor), initial=1.0) > 1e-7:
            inverse = lambda right: np.linalg.solve(gram, right / size) / size  # noqa: E731
            return inverse, np.zeros((size.size, 0))
    except np.linalg.LinAlgError:
        pass
    values, vectors = np.linalg.eigh(gram)
    null = values <= 1e-12 * values.max(initial=0.0)
    ranged = vectors[:, ~null]
    pseudo = lambda right: ranged @ (ranged.T @ (right / size) / values[~null]) / size  # noqa: E731
    return pseudo, np.linalg.qr(vectors[:, null] / size[:, None])[0]


def _slid(basis: Array, coef: Array, pull: Array, signed: NDArray[np.bool_]) -> Array:
    """Move along `basis`, which changes no fit, as long as the penalty falls; each move ends where one more is zero."""
    coef = coef.copy()
    while basis.shape[1]:
        direction = -basis @ (basis.T @ pull)
        if np.linalg.norm(direction) <= 1e-9 * np.linalg.norm(pull):
            break
        crosses = signed & (direction * coef < 0)
        if not crosses.any():
            break
        share = np.where(crosses, np.abs(coef) / np.where(crosses, np.abs(direction), 1.0), np.inf)
        first = int(np.argmin(share))
        coef += share[first] * direction
        coef[first] = 0.0
        # The directions that keep it at zero: reflect its row onto the first column and drop that.
        reflector = np.linalg.qr(basis[first][:, None], mode="complete")[0]
        basis = basis @ reflector[:, 1:]
        basis[first] = 0.0
    return coef


def _stepped(coef: Array, step: Array, signed: NDArray[np.bool_]) -> tuple[Array, NDArray[np.bool_]]:
    """``coef + step``, cut where the first sign would change; those that are zero then."""
    crosses = signed & (np.sign(coef + step) != np.sign(coef))
    share = np.where(crosses, np.abs(coef) / np.where(crosses, np.abs(step), 1.0), 1.0)
    least = share.min(initial=1.0)
    cut = crosses & (share == least)
    return np.where(cut, 0.0, coef + least * step), cut
