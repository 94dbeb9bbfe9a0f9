"""Numbers that decide how fast the engines of the squared loss are, not what they find."""

from __future__ import annotations

from dataclasses import dataclass

from ladreg._problem import number


@dataclass(frozen=True)
class LeastSquaresTuning:
    """Each comment has the unit, and what the number was measured on or trades off, as of 2026-11.

    Measured times are ratios of processor times.
    """

    # Descent on a Gram matrix (gram_descent).
    # Epochs of coordinate descent in one round, at most: they find the support, and exact steps finish. One epoch took
    # 1.3 to 1.4 times as long as 30 in single fits of NCI60, 1,000 x 1,000 and 200 x 20,000.
    epochs: int = number(30, 1, 10_000)
    # Rounds (epochs, gap, exact steps) on one working set before the next gradient check, at most. More rounds cycle.
    rounds: int = number(20, 1, 1000)
    # Exact steps per feature of the working set in a round, at most. More steps cycle.
    steps: int = number(10, 1, 1000)
    # Take exact steps without epochs before them if at most 0.1 times as many features enter as the support has.
    fresh: float = number(0.1, 0.0, 10.0)
    # Solve a working set, or folds, of at most 2,000 features by a Gram matrix (2000^2 numbers), a larger one by
    # products with the data. For sparse columns, whose products are cheaper, the limit is 1,000 features along a path,
    # and 500 where alphas come one by one.
    largest_gram: int = number(2000, 1, 20_000)
    # Downdate the Cholesky factor if at most 10 of its features left the support; refactorise otherwise.
    downdates: int = number(10, 0, 10_000)
    # Multiplications in one call of a kernel, about: Ctrl-C is handled between two calls.
    work: float = number(2e8, 1e3, 1e10)

    # Descent by products with the data (residual_descent).
    # Epochs between two iterates of Anderson's extrapolation.
    short_epochs: int = number(3, 1, 1000)
    # Differences of iterates that it combines. Without extrapolation elastic nets of 2,000 x 20,000 (sparse) took 1.6
    # times as long, lassos as long as with it.
    differences: int = number(5, 2, 50)
    # Take a Newton step if at most 0.5 times as many features enter as the support has.
    settled: float = number(0.5, 0.0, 10.0)
    # Take no Newton step if the support has more than 0.9 features per row: near the rank the signs contradict each
    # other.
    regular: float = number(0.9, 0.01, 1.0)
    # Relative residual at which the conjugate gradients of a Newton step stop while features enter: the support of the
    # next step differs, and a smaller residual is of no use to it.
    rough: float = number(0.1, 1e-3, 0.5)
    # Let conjugate gradients go on to the goal if at most 0.01 times as many features enter as the support has.
    few_fresh: float = number(0.01, 0.0, 1.0)
    # Smallest relative residual that conjugate gradients are asked for: the support changes again, and a restart costs
    # little.
    finest: float = number(0.01, 1e-6, 0.5)
    # Products with the Hessian in one Newton step, at most.
    products: int = number(300, 10, 10_000)
    # Ask a working set for a gap of 0.3 times the goal at least: the proof of the whole problem needs no smaller one.
    last: float = number(0.3, 0.01, 1.0)

    # Small tables (small_lasso).
    # Rows and columns, at most, of a table that is solved by the Gram matrix of all its columns and checked once.
    small_rows: int = number(4000, 1, 1 << 30)
    small_columns: int = number(40, 1, 2000)

    # Tables of many rows (tall_lasso).
    # A table is tall if X has at least 2^19 numbers: a read of X then costs more than all else.
    tall_numbers: int = number(1 << 19, 1, 1 << 40)
    # And at least 16 rows per column: descent on the Gram matrix then costs little beside a read of X.
    tall: int = number(16, 1, 1 << 20)

    # The loop around both (coordinate_descent).
    # The working set has at most max(4 sqrt(p), 2 * support) of p features: the Gram matrix of 4 sqrt(p) features costs
    # about one pass over the data.
    working_share: float = number(4.0, 0.1, 100.0)
    # Add at most max(2 * violators, `new_features`) features per gradient check, where violators are the features that
    # violate their condition. More features make a larger Gram matrix, fewer features more gradient checks.
    violators_share: int = number(2, 1, 100)
    # Add at most 10 features per gradient check where at most 5 violate their condition.
    new_features: int = number(10, 1, 10_000)
    # Put all features into the working set of a table of at most 100 features and `few_rows` rows: one Gram matrix then
    # costs less than a second gradient check.
    few_features: int = number(100, 0, 2000)
    # Rows of such a table, at most: the cost of the Gram matrix grows with the rows.
    few_rows: int = number(10_000, 0, 1 << 30)
    # Solve a working set until its gap is at most 0.03 times the gap of the whole problem.
    inner: float = number(0.03, 1e-6, 0.9)
    # Checks in a row after which a solver is taken to stall: it stops if they neither lower the objective nor halve the
    # gap, and tries a QR decomposition of the support if they do not halve the gap. Also rounds after the first in
    # which exact steps may fail to end.
    patience: int = number(3, 2, 100)
    # Decompose the optimal face if at most 1,500 features may be active: the time grows with the cube of their number.
    # With more, an optimum that the Gram matrix does not prove to be unique is returned as it is.
    largest_face: int = number(1500, 100, 100_000)

    # Paths.
    # Use the Gram matrix of all p features if p is at most 4,000 and at most the number of rows.
    all_in_gram: int = number(4000, 0, 20_000)
    # A step wants the features whose predicted slope is at least 0.9 times their strength; where Gram rows are missing,
    # it computes those of the features whose slope is.
    wanted: float = number(0.9, 0.1, 1.0)
    # Features in the pool, those predicted to come nearest to their strength after the wanted, whose products with the
    # wanted are computed with theirs; and features that the homotopy watches beyond its largest support. Without a pool
    # paths of 500 x 5,000 took 1.25 times as long, and cross-validations 1.19 times.
    pool: int = number(300, 1, 100_000)
    # Alpha falls by a factor of 0.5 at most in a step, and between two gradient checks of the homotopy: slopes are not
    # extrapolated farther.
    reach: float = number(0.5, 0.01, 0.99)
    # At most max(50, support) features enter at once, and 50 missing Gram rows are computed at once.
    entering: int = number(50, 1, 10_000)
    # Largest number of rows for a path from knot to knot: a knot costs n^2 multiplications, and there are n and more.
    homotopy_rows: int = number(256, 0, 2000)
    # Features whose slope stays below 0.99 times their strength between two gradient checks need no other check. Checks
    # of all features took 1.2 to 1.5 times as long on NCI60 and 200 x 20,000.
    clear: float = number(0.01, 1e-4, 0.5)
    # Check a draft first at the features in doubt alone if these are at most half of all.
    among_share: float = number(0.5, 0.0, 1.0)
    # Numbers in the arrays of one step or group of solutions, at most: 2^22 are 32 MB.
    entries: int = number(1 << 22, 1, 1 << 28)
