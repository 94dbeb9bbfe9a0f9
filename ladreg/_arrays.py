"""Types of arrays, powers of two, and the linear algebra of small dense matrices."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from math import frexp, fsum, isfinite, ldexp
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import scipy.linalg
import scipy.optimize
import scipy.sparse as sp
from numpy.typing import ArrayLike, NDArray

from ladreg._tolerances import AT_END, CONDITION, HALF_DIGITS, ORTHOGONAL, PINNED

if TYPE_CHECKING:  # what scipy.sparse.issparse leaves of a type, and so what transformers return
    from scipy._lib._sparse import SparseABC
else:
    SparseABC = sp.sparray

Array = NDArray[np.float64]
Index = NDArray[np.intp]
# The smallest number that has all its digits.
TINY = float(np.finfo(np.float64).tiny)
# An array without numbers.
NOTHING: Array = np.zeros(0)
NOTHING.flags.writeable = False
# No index.
NONE: Index = np.zeros(0, dtype=np.intp)
NONE.flags.writeable = False
# A table of numbers: an array, a data frame, nested lists, a sparse array or a sparse matrix.
MatrixLike = ArrayLike | sp.sparray | sp.spmatrix | SparseABC

# Invert matrices of up to 400 rows; larger ones are factored, which takes a third of the multiplications. (SciPy has a
# second BLAS with threads of its own, and alternating with NumPy's was measured to slow small matrices down tenfold.)
SMALL = 400
# Solve with the inverse of matrices of up to 1000 rows: an LU factor takes a third of the multiplications, but waking
# SciPy's threads was measured to cost 15 % of a fit with 500 columns.
_INVERTED = 1000
# Mask of the exponent bits of a float64: a power of two has no other bits set.
_EXPONENT = np.int64(0x7FF << 52)
# Rows per block: temporary arrays of a block stay in the cache, and BLAS would use a second thread for longer blocks.
BLOCK = 1 << 13


def equilibrated(matrix: Array) -> tuple[Array, Array, Array]:
    """``matrix / row / column`` with entries of size below two, and both divisors (powers of two)."""
    row = np.abs(matrix).max(axis=1, initial=0.0)
    row = power_of_two(row)
    scaled = matrix / row[:, None]
    column = power_of_two(np.abs(scaled).max(axis=0, initial=0.0))
    return scaled / column, row, column


def power_of_two(size: Array) -> Array:
    """The largest power of two that is at most each size; 1 for zero. Clipped to a range whose inverse is finite."""
    power = (np.asarray(size, dtype=np.float64).view(np.int64) & _EXPONENT).view(np.float64)
    return np.where(size > 0, np.minimum(np.maximum(power, 2.0**-1000), 2.0**1000), 1.0)


def unit_of(size: float) -> float:
    """`power_of_two` of one number."""
    return ldexp(0.5, frexp(min(max(size, 2.0**-1000), 2.0**1000))[1]) if size > 0 else 1.0


def exact_dot(values: Array, factors: Array, *terms: float) -> float:
    """``values @ factors + sum(terms)``, rounded once.

    Far columns and their intercept cancel; long double has too few digits for that, on some systems those of float64.
    """
    return doubled_dot(values, factors, *terms)[0]


def doubled_dot(values: Array, factors: Array, *terms: float) -> tuple[float, float]:
    """`exact_dot`, and what its rounding took: products of halves of numbers are exact, and so is their sum."""
    used, parts = np.flatnonzero(values), list(terms)
    with np.errstate(over="ignore", invalid="ignore"):
        if used.size:
            (high, low), (other_high, other_low) = halves(values[used]), halves(factors[used])
            products = high * other_high, high * other_low, low * other_high, low * other_low
            parts += np.concatenate(products).tolist()
        if not isfinite(sum(map(abs, parts))):
            return float(values @ factors + sum(terms)), 0.0
    total = fsum(parts)
    return total, fsum([*parts, -total])


def halves(values: Array | float) -> tuple[Array, Array]:
    """Two numbers of at most 26 bits each, whose sum is the number of 53 bits; products of halves are exact."""
    mantissa, exponent = np.frexp(values)
    high = np.ldexp(np.rint(mantissa * 2.0**26), exponent - 26)
    return high, values - high


def constant(value: float, size: int) -> Array:
    """An array of equal entries that share one number in memory, read only."""
    values = np.ndarray((size,), np.float64, np.array(value), strides=(0,))
    values.flags.writeable = False
    return values


def in_memory(values: Array) -> Array:
    """The entries; of a `constant` only the number that all share."""
    return values[:1] if values.strides == (0,) else values


def difference(values: Array, others: Array) -> Array:
    """The difference; that of two of `constant` is a constant again."""
    if values.strides == others.strides == (0,):
        return constant(float(values[0]) - float(others[0]), values.size)
    return values - others


def multiplied(values: Array, factor: float) -> Array:
    """The product; that of a `constant` is a constant again."""
    return constant(float(values[0]) * factor, values.size) if values.strides == (0,) else values * factor


def inverted(matrix: Array) -> Array | None:
    """The inverse of a square matrix; None if its condition number is at least 1e10."""
    try:
        inverse = np.asarray(np.linalg.inv(matrix), dtype=np.float64)
    except np.linalg.LinAlgError:
        return None
    condition = np.abs(inverse).sum(axis=1).max(initial=0.0) * np.abs(matrix).sum(axis=1).max(initial=0.0)
    return inverse if condition < CONDITION else None


class SquareSolver(NamedTuple):
    """Solves with a square matrix of full rank, and with its transpose."""

    solve: Callable[[Array], Array]
    solve_transposed: Callable[[Array], Array]


def square_solver(matrix: Array) -> SquareSolver | None:
    """A solver for a square matrix; None if its condition number is at least 1e10."""
    if matrix.shape[0] <= _INVERTED:
        inverse = inverted(matrix)
        return None if inverse is None else SquareSolver(inverse.__matmul__, inverse.T.__matmul__)
    size = float(np.abs(matrix).sum(axis=1).max(initial=0.0))
    if not np.isfinite(size):
        return None
    lu, pivots, failed = scipy.linalg.lapack.dgetrf(matrix)
    if failed:
        return None
    reciprocal, _ = scipy.linalg.lapack.dgecon(lu, size, norm="I")
    if not reciprocal * CONDITION > 1.0:
        return None
    solve = partial(scipy.linalg.lu_solve, (lu, pivots), check_finite=False)
    return SquareSolver(solve, partial(solve, trans=1))


# Added in turn to the diagonal of a matrix with a unit diagonal, until a Cholesky factorisation succeeds: a few EPS,
# and as far from singular as refinement of the solution can make up for.
_RIDGES = (1e-15, 1e-12, 1e-9)


def cholesky_solver(
    matrix: Array, diagonal: Array | None = None, ridges: tuple[float, ...] = _RIDGES
) -> Callable[[Array], Array] | None:
    """The function that solves with a matrix, or with one nearby if it is singular; None if none is definite.

    The matrix is scaled so that `diagonal` (its own, by default) is one, and gets the first ridge with which the
    factorisation succeeds. Factors of up to `SMALL` columns are inverted.
    """
    diagonal = matrix.diagonal() if diagonal is None else diagonal
    if not np.isfinite(diagonal.sum()):
        return None
    scale = 1.0 / np.sqrt(np.where(diagonal > 0, diagonal, 1.0))
    matrix = matrix * scale
    matrix *= scale[:, None]
    for ridge in ridges:
        np.einsum("ii->i", matrix)[:] += ridge
        try:
            lower = np.linalg.cholesky(matrix)
            if np.isnan(lower[-1:]).any():  # LAPACK may let NaN pass; NaN spreads to the last row of the factor
                continue
            if scale.size > SMALL:
                solve = partial(scipy.linalg.cho_solve, (lower, True), check_finite=False)
                return lambda right: np.asarray((solve((right.T * scale).T).T * scale).T)
            inverse = np.linalg.inv(lower) * scale
        except np.linalg.LinAlgError:
            continue
        return lambda right: np.asarray(inverse.T @ (inverse @ right))
    return None


def least_squares(matrix: Array, target: Array) -> Array:
    """The shortest least-squares solution; singular values of at most 1e-11 times the largest count as zero."""
    return np.asarray(np.linalg.lstsq(matrix, target, rcond=PINNED)[0], dtype=np.float64)


def pivoted_triangle(matrix: Array) -> tuple[Array, Index]:
    """R of a QR decomposition with column pivoting, and the order of the columns; also for empty arrays."""
    if matrix.size == 0:
        return np.zeros(matrix.shape), np.arange(matrix.shape[1])
    triangle, order = scipy.linalg.qr(matrix, mode="r", pivoting=True)
    return np.asarray(triangle, dtype=np.float64), order.astype(np.intp)


def nonnegative_least_squares(matrix: Array, target: Array) -> tuple[Array, float] | None:
    """The ``x >= 0`` with the smallest ``|matrix @ x - target|``, and that distance; None if no method converges.

    Lawson and Hanson's method or, where it fails, bounded-variable least squares (Stark and Parker 1995). For nearly
    equal columns SciPy before 1.15 cycles; later versions may return a point that is not the nearest, with a distance
    of zero (scipy issue 25389).
    """
    try:
        found = scipy.optimize.nnls(matrix, target)[0]
        if _is_nearest(matrix, target, found):
            return found, float(np.linalg.norm(matrix @ found - target))
    except ValueError:  # NaN in the input
        return None
    except RuntimeError:
        pass
    result = scipy.optimize.lsq_linear(matrix, target, bounds=(0.0, np.inf), method="bvls", tol=1e-15)
    return (result.x, float(np.linalg.norm(matrix @ result.x - target))) if result.status > 0 else None


def _is_nearest(matrix: Array, target: Array, found: Array) -> bool:
    """Whether no change of ``found >= 0`` comes nearer to the target, up to half of the digits."""
    slope = matrix.T @ (matrix @ found - target)
    size = np.linalg.norm(matrix, axis=0) * np.linalg.norm(target)
    return bool(np.all(np.where(found > 0, np.abs(slope), -slope) <= HALF_DIGITS * size))


def null_space(matrix: Array, *, scale_rows: bool = True) -> Array:
    """A basis of the null space of `matrix`, one vector per column; no column if `matrix` has full column rank.

    Without `scale_rows`, a row that is small beside the others is rounding, as in the triangle of a QR.
    """
    return null_space_and_rounding(matrix, scale_rows=scale_rows)[0]


def null_space_and_rounding(matrix: Array, *, scale_rows: bool = True) -> tuple[Array, Array]:
    """`null_space`, and the rounding of each row of the basis, which the least singular value not zero multiplies."""
    if 0 in matrix.shape:
        return np.eye(matrix.shape[1]), np.zeros(matrix.shape[1])
    if scale_rows:
        scaled, _, column = equilibrated(matrix)
    else:
        column = power_of_two(np.abs(matrix).max(axis=0))
        scaled = matrix / column
    # QR and SVD are NumPy's: SciPy brings a second BLAS with threads of its own, and the two slow each other down.
    if scaled.shape[0] > 2 * scaled.shape[1]:
        scaled = np.asarray(np.linalg.qr(scaled, mode="r"))
    _, singular, right = np.linalg.svd(scaled)
    rank = int(np.sum(singular > PINNED * singular[0])) if singular.size else 0
    # Entries of rounding size are set to zero: they would give columns a part in directions that do not involve them.
    basis = np.where(np.abs(right[rank:]) <= ORTHOGONAL, 0.0, right[rank:])
    return (basis / column).T, ORTHOGONAL * (singular[0] / singular[rank - 1] if rank else 1.0) / column


def is_regular(gram: Array, rounding: Array | float = 0.0) -> bool:
    """Whether a Gram matrix, scaled to a unit diagonal, stays definite if AT_END times its length is taken off it.

    Beside that, an entry may be off by the geometric mean of what `rounding` has for its row and for its column.
    """
    return is_definite(_nearer_to_singular(gram, gram.shape[0], rounding))


def _nearer_to_singular(gram: Array, number: int, rounding: Array | float) -> Array:
    """The Gram matrix of columns scaled to length one, less ``(AT_END + rounding) * number`` on its diagonal.

    Columns whose length is zero or not finite become NaN.
    """
    size = np.sqrt(gram.diagonal())
    if not (size.min(initial=1.0) > 0 and size.max(initial=1.0) < np.inf):
        size = np.where((size > 0) & (size < np.inf), size, np.nan)
    gram = gram / size / size[:, None]
    gram.ravel(order="K")[:: size.size + 1] -= (AT_END + rounding) * number
    return gram


def is_definite(gram: Array) -> bool:
    """Whether a matrix is positive definite."""
    try:
        factor = np.linalg.cholesky(gram)
    except np.linalg.LinAlgError:
        return False
    # LAPACK may let NaN pass; NaN spreads to the last entry of the factor.
    return factor.size == 0 or bool(factor[-1, -1] > 0)


def are_regular(
    gram: Array, supports: NDArray[np.bool_], most: int, rounding: Array | float = 0.0
) -> NDArray[np.bool_]:
    """`is_regular` for each of several sets of features, with one factorisation for sets whose union is regular.

    Each row of `supports` is a set; a set of more than `most` features does not count as regular.
    """
    used = np.flatnonzero(supports.any(axis=0))
    rounding = rounding[used] if isinstance(rounding, np.ndarray) else rounding
    gram, supports = _nearer_to_singular(_part(gram, used), min(most, used.size), rounding), supports[:, used]
    regular = np.zeros(supports.shape[0], dtype=bool)
    parts = _parts_of_few(supports, most)
    while parts:
        part = parts.pop()
        union = np.flatnonzero(supports[part].any(axis=0))
        if union.size <= most and is_definite(_part(gram, union)):
            regular[part] = True
        elif part.stop - part.start > 1:
            middle = (part.start + part.stop) // 2
            parts += [slice(part.start, middle), slice(middle, part.stop)]
    return regular


def _part(gram: Array, features: Index) -> Array:
    """The Gram matrix of `features` (ascending); `gram` itself, not a copy, if these are all features."""
    return gram if features.size == gram.shape[0] else gram[features[:, None], features]


def _parts_of_few(supports: NDArray[np.bool_], most: int) -> list[slice]:
    """Groups of consecutive rows with a union of at most `most` features; a row with more is a group of its own."""
    if supports.shape[1] <= most:
        return [slice(0, supports.shape[0])]
    parts, first, union = [], 0, 0
    for k, row in enumerate(np.packbits(supports, axis=1)):
        bits = int.from_bytes(row.tobytes())
        if k > first and (union | bits).bit_count() > most:
            parts.append(slice(first, k))
            first, union = k, 0
        union |= bits
    return [*parts, slice(first, supports.shape[0])]
