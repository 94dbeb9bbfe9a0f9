"""Fits with a squared loss from moments, and their proof from the rows themselves, in one more pass."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import scipy.linalg
import scipy.sparse as sp

from ladreg._arrays import Array, exact_dot
from ladreg._certificate import SquareSums, prove_from_sums
from ladreg._design import as_design, hides_digits
from ladreg._from_blocks.independent_columns import IndependentColumns
from ladreg._from_blocks.moments import CentredMoments
from ladreg._problem import Coefficients, ElasticNet, Solution, StopReason
from ladreg._row_blocks import Passes, Place, Rows, Summary
from ladreg._tolerances import FACE_GAP, PROVED_GAP, SOLVED

# Numbers in a slice of a tile.
_SLICE = 1 << 20


def certified_squares(
    passes: Passes,
    moments: CentredMoments,
    penalty: ElasticNet,
    solution: Solution,
    tol: float,
    fit_intercept: bool,
    columns: IndependentColumns | None,
) -> tuple[Solution, Array]:
    """A solution with the proof of its coefficients from the rows, and the slopes of the columns there.

    The intercept is the user's. `moments` are those of all rows, `columns` what is proved in place of columns of which
    free ones nearly depend on each other. The gap that is asked for is `tol` times the mean
    square of the centred target.
    """
    given = Coefficients(solution.coef, solution.intercept)
    centre = moments.near if fit_intercept else np.zeros_like(moments.near)
    # The intercept, less the target's centre, and what centring dense columns takes from predictions.
    level = given.intercept - float(centre[-1])
    shifted = exact_dot(centre[:-1], given.coef, given.intercept, -float(centre[-1]))
    seen = passes.total("certify", _residuals, moments.mass, centre, given, level, shifted, columns)
    sums = _sums(moments, fit_intercept, seen, penalty.rest)
    beside = None if columns is None else (columns.features, columns.sums(sums, seen.sums["turned"]))
    proof = prove_from_sums(penalty, given.coef, sums, beside)
    size = float(moments.products[-1, -1]) / moments.mass
    if not fit_intercept:
        size += float(moments.mean[-1]) ** 2
    stopped = solution.stopped
    if stopped is not StopReason.GIVEN:
        is_met = proof.gap <= max(tol, PROVED_GAP) * size
        stopped = StopReason.TOLERANCE if is_met else StopReason.STALLED if stopped.good else stopped
    proved = replace(
        solution,
        dual=np.zeros(0),
        objective=proof.objective,
        gap=proof.gap,
        relative_gap=proof.relative_gap,
        unique=solution.unique and proof.relative_gap <= FACE_GAP,
        stopped=stopped,
    )
    return proved, sums.slope


def _sums(moments: CentredMoments, fit_intercept: bool, seen: Summary, rest: Array) -> SquareSums:
    """What a pass and the moments say of the rows, for weights of sum one."""
    mean, products = moments.mean, moments.products / moments.mass
    constant = moments.constant
    squares = np.diag(products) + mean**2
    # The target less the predictions of coefficients at rest.
    away = np.append(-rest, 1.0)
    y_square = max(float(away @ (products @ away)), 0.0) + float(mean @ away) ** 2
    products[constant], products[:, constant] = 0.0, 0.0
    total, slope = float(seen.sums["total"]), seen.sums["slope"]
    if fit_intercept:
        slope = np.where(constant[:-1], 0.0, slope - moments.rest[:-1] * total)
    else:
        products += np.outer(mean, mean)
    return SquareSums(
        squares=float(seen.sums["squares"]),
        slope=slope,
        total=total,
        gram=np.ascontiguousarray(products[:-1, :-1]),
        column_squares=squares[:-1],
        y_square=y_square,
        fit_intercept=fit_intercept,
    )


@np.errstate(over="ignore", invalid="ignore")  # an objective that is not finite is reported
def _residuals(
    place: Place,  # noqa: ARG001 - a row is as good as any other
    rows: Rows,
    mass: float,
    centre: Array,
    given: Coefficients,
    level: float,
    shifted: float,
    columns: IndependentColumns | None,
) -> Summary:
    """Squares of residuals, slopes of columns about their centre, and products with turned columns, of a tile."""
    middle, total = centre[:-1], Summary()
    is_sparse: bool = sp.issparse(rows.X)
    step = rows.y.size if is_sparse else max(_SLICE // centre.size, 1)
    for a in range(0, rows.y.size, step):
        part = slice(a, a + step)
        own, y = as_design(rows.X[part]), rows.y[part]
        moves = middle.any() and not is_sparse
        design = own.rescaled(middle, np.ones_like(middle)) if moves else own
        residual = (y - centre[-1] - (level if is_sparse else shifted)) - design.matvec(given.coef)
        weight = np.full(y.size, 1.0 / mass) if rows.weight is None else rows.weight[part] / mass
        residual[weight == 0] = 0.0
        sizes = float(design.reach() @ np.abs(given.coef))
        if hides_digits(sizes, float(weight @ np.abs(residual)), float(weight.sum())):
            residual = np.where(weight == 0, 0.0, own.accurate_residual(given.coef, y, given.intercept))
        dual = weight * residual
        slope, left = design.rmatvec(dual), float(dual.sum())
        if is_sparse:
            slope = slope - middle * left
        turned = np.zeros(0) if columns is None else columns.table(rows.X[part]).T @ dual
        total.add(Summary(sums={"squares": float(dual @ residual), "slope": slope, "total": left, "turned": turned}))
    return total


def corrected_target(
    X: Array, y: Array, weight: Array, given: Coefficients, slope: Array, fit_intercept: bool
) -> Array:
    """Targets of equivalent rows whose products with the columns agree with the slopes that all rows have at a fit.

    The rows have them up to the rounding of all products: where columns nearly depend on each other, too few digits.
    """
    columns = X - weight @ X if fit_intercept else X
    root = np.sqrt(weight)
    apart = slope - columns.T @ (weight * (y - X @ given.coef - given.intercept))
    columns = columns * root[:, None]
    length = np.linalg.norm(columns, axis=0)
    length[length == 0] = 1.0
    # Not by products of columns, which have the square of their condition number.
    step = scipy.linalg.lstsq((columns / length).T, apart / length, cond=SOLVED, check_finite=False)[0]
    return np.asarray(y + step / root)
