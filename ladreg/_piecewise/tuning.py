"""Numbers that decide how fast the engines for piecewise losses are, not what they find."""

from __future__ import annotations

from dataclasses import dataclass

from ladreg._problem import number


@dataclass(frozen=True)
class PiecewiseTuning:
    """Each comment has the unit, and what the number was measured on or trades off, as of 2026-11."""

    # Of several engines.

    # Rows per column of the pilot's sample, of the first reduced problem and of a guess at an exact fit. Fewer rows
    # give an interior point method less work, and more of its answers are wrong about the rows left out.
    rows_per_column: int = number(40, 2, 10_000)
    # From 64 columns on half of those rows per column are enough: errors average over more columns.
    many_columns: int = number(64, 1, 1 << 30)
    # Part of the rows per column that is enough where there are fewer rows than the square of the columns: five more
    # passes over n rows then cost less than the Gram matrices of 14 more rows per column (16 n q against 14 q^3 ns).
    dear_part: float = number(0.15, 0.05, 1.0)
    # Residuals, at most, whose quantile estimates the radius of the nearest rows: a partition of all rows costs more.
    sample: int = number(20_000, 100, 1 << 30)
    # Rounds of adding rows held on the wrong side, Newton steps on all rows, and attempts at a problem of a sequence,
    # at most. Only degenerate tables need more; the next rung costs about as much as eight rounds.
    rounds: int = number(8, 1, 1000)

    # Preprocessing.

    # Rows of the pilot's random sample, at least; a table of fewer rows is solved as a whole.
    pilot_rows: int = number(2000, 50, 1 << 30)
    # Relative gap of the pilot: the optimum of a sample is no nearer to that of all rows than about this.
    pilot_gap: float = number(1e-2, 1e-12, 0.1)
    # Rows per column that estimate the density of residuals at zero: variance against bias of the Hessian.
    window_per_column: int = number(60, 2, 10_000)
    # At least one row in 64 estimates that density.
    window_part: int = number(64, 1, 1 << 20)
    # A pass over n rows costs as much as n / (6 q) more rows in the reduced problem (q columns).
    pass_worth: int = number(6, 1, 1000)
    # Rows of the sample on which the pilot is refined first, where there are at least eight times as many.
    middle_rows: int = number(65_536, 1000, 1 << 30)
    # Tables of groups: all of n rows cost as much as a reduced problem of (700 n)^(1/3) columns, measured on 200,000
    # rows and 50 to 1,000 dummies.
    group_rows: int = number(700, 1, 1 << 30)
    # Attempts at the reduced problem before all rows are solved.
    attempts: int = number(4, 1, 100)
    # Each attempt has three times as many rows as the last.
    wider: int = number(3, 2, 100)
    # Tied rows per column from which an exact fit is tried: an ordinary vertex has one per column.
    tied_per_column: int = number(4, 2, 1000)

    # Interior point method.

    # Relative complementarity from which the vertex is guessed: earlier guesses are mostly wrong, later ones cost
    # iterations.
    guess: float = number(1e-4, 1e-13, 1.0)
    # Columns up to which an inverse costs less than an iteration; with more, a vertex is solved for only if two
    # successive iterations guess the same basic rows.
    inverse_columns: int = number(100, 0, 1 << 20)
    # Rows per column below which a dense program with few unpenalised columns is solved through a matrix of its rows.
    wide: float = number(0.8, 0.0, 1.0)
    # Part of its entry on the diagonal of A'RA below which a pseudo-row's weight keeps its column out of that matrix.
    outweighed: float = number(1e-5, 1e-12, 1e-2)
    # Curved programs: length of a corrector step below which the step is replaced by a more centred one.
    short_step: float = number(0.4, 0.0, 0.9)
    # Complementarity that the centred step aims at, at least, as a part of the present one. At 0.3 the iterates were
    # seen to go round in a cycle of four; of 4,865 small programs 0.7 solved each, in 0.6 % fewer iterations than 0.3.
    centred: float = number(0.7, 0.5, 0.9)
    # Part of the way to the boundary that a step goes, at most.
    step: float = number(0.99995, 0.9, 0.999999)

    # Newton's method for Huber's loss.

    # Rows of the sample that is solved first, whose Hessian serves the first steps on all rows.
    huber_sample: int = number(1 << 15, 100, 1 << 30)
    # Solve the sample first where there are at least four times as many rows as it has: below, its steps cost more than
    # the steps on all rows that it saves.
    huber_many: int = number(4, 1, 1000)
    # Columns of a small dense table, at most, whose steps are taken on the table itself.
    newton_columns: int = number(64, 1, 1000)

    # linprog.

    # Entries of X up to which HiGHS's dual simplex method was measured to be faster than its interior point method.
    simplex_entries: int = number(100_000, 0, 1 << 40)
    # Rounds of iterative refinement, the first solve counted.
    refinements: int = number(4, 1, 100)

    # Paths over alpha.

    # Rows of a table, at most, whose path is followed by exchanges from the vertex before: each reads a column of the
    # table. Of more rows those near the fit are solved one alpha at a time.
    knot_rows: int = number(3000, 10, 1 << 30)
    # Or rows per column, at most: with many columns single problems are costly.
    knot_rows_per_column: int = number(10, 1, 10_000)
    # Rows per column from which long steps go from alpha to alpha, past the knots between them: 3,000 x 20 takes a
    # quarter of the time for 20 alphas, 200 x 100 as long either way.
    long_step_rows: int = number(4, 1, 1 << 20)
    # Rows per column near the fit, at least, that long steps follow along their edges; all rows where the table has
    # less than twice as many. Of 1,000 x 50 a path takes 0.6 times as long as with all rows; with two per column it
    # takes 1.2 times as many exchanges, of 2,900 x 100 1.5 times.
    near_rows: int = number(5, 1, 1 << 20)

    # Lists of quantiles.

    # Rows times columns for each quantile beyond the first, up to which one walk takes the list: all share what the
    # first quantile costs. At .01 alpha_max three quantiles of 500 x 120 take 0.7 times as long as single fits, two of
    # 500 x 200 1.4 times.
    walk_entries: int = number(1 << 15, 1, 1 << 30)
    # Quantiles beyond the first that count, at most: with more columns an exchange costs too much. At .01 alpha_max 9
    # quantiles take 0.6 times as long as single fits of 1,000 x 100, and 1.2 times of 1,000 x 240.
    walk_quantiles: int = number(4, 1, 1000)

    # Sequences of problems.

    # Columns, at most: basic rows are exchanged one by one, each in the square of the columns.
    process_columns: int = number(64, 1, 1 << 20)
    # Rows per root of the number of columns that estimate the density of residuals at zero.
    process_window: int = number(160, 10, 1 << 20)
    # Windows of rows near the fit, at least and at most: a Newton step on all rows costs less than more of them.
    least_windows: int = number(2, 1, 100)
    most_windows: int = number(8, 2, 1000)
    # Assume that the next prediction misses at most 1.5 times as many rows as the last.
    worse: float = number(1.5, 1.0, 100.0)
    # A step may move at most 5 % of all rows over zero each way without a line search.
    long_step: float = number(0.05, 0.0, 0.5)
    # Consecutive failures after which the remaining problems are solved one by one.
    patience: int = number(3, 1, 1000)
    # Rows per column of the simplex program, at least.
    simplex_rows: int = number(10, 1, 10_000)
    # Newton steps before the simplex method.
    newton_steps: int = number(3, 1, 100)
    # Root mean square move of the window's rows, as a part of its width, at which Newton steps stop.
    newton_move: float = number(0.3, 1e-6, 10.0)
    # Attempts at the simplex program, each with more rows.
    tries: int = number(3, 1, 100)

    # Folds of a cross-validation.

    # Rows per column of a fold's program, beside the penalised coefficients: others are held on their side. Half of
    # them take part in the first exchanges. With all of 16 all folds of 20,000 x 20 took 1.7 times as long.
    fold_rows: int = number(12, 2, 10_000)

    # Many small problems.

    # Descent steps from least squares, or from the fit to all data. Of 1,000 x 6 three leave 6 exchanges, one leaves
    # 9; a step costs about as much as an exchange.
    descent_steps: int = number(3, 0, 100)
    # Columns, at most: an exchange costs their square, and of 1,000 x 51 an interior point method is faster.
    vertex_columns: int = number(24, 1, 1000)
    # Rows, at most, of a single problem that is solved by itself: more are left to the reduction by a sample.
    vertex_rows: int = number(10_000, 1, 1 << 30)
    # Numbers in the rows of a block of problems, which is one task of a thread (4 MB): its calls cost little beside the
    # work, and threads share what is a few times as much.
    block_numbers: int = number(1 << 19, 1, 1 << 40)
    # Exchanges per column, at most: the optimum is about two per column away, and cycles are left to other engines.
    exchanges: int = number(100, 1, 10_000)
