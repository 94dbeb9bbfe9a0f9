"""Which method fits a question to rows in blocks, by its loss."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace

import numpy as np

from ladreg._from_blocks.combined import judged_combined, solve_combined_blocks
from ladreg._from_blocks.huber import judged_huber, solve_huber_blocks
from ladreg._from_blocks.huber_passes import HuberSolution
from ladreg._from_blocks.near_origin import NearOrigin
from ladreg._from_blocks.null_fit import largest_alpha_by_slopes
from ladreg._from_blocks.other_columns import ColumnsInBlocks
from ladreg._from_blocks.piecewise import judged_piecewise, largest_alpha_of_piecewise, solve_piecewise_blocks
from ladreg._from_blocks.question import Question
from ladreg._from_blocks.sample_problem import Start
from ladreg._from_blocks.side_by_side import Request, of_changed_rows
from ladreg._from_blocks.survey import Survey
from ladreg._presolve import scaled
from ladreg._problem import Absolute, Coefficients, Huber, Settings, Solution, StopReason
from ladreg._row_blocks import Place, Rows, Summary, picked, stacked
from ladreg._solvers import largest_alpha, solve
from ladreg._tolerances import PROVED_GAP

# Newton's steps start from the sample where it has at least 5 rows per column on the curved piece: where there are few,
# other rows are there for the fit to all rows, and the steps may not end.
_PER_COLUMN = 5
# Tables of at most 2,000 rows are solved as a whole where fewer rows prove less: that costs little memory.
FEW = 2000


def solve_blocks(
    question: Question,
    settings: Settings,
    seen: Survey,
    n_held: int,
    start: Start | None = None,
    is_pilot: bool = False,
    is_first: bool = False,
) -> Generator[Request, Summary, Solution]:
    """Solve a question over the rows of blocks; yields what it asks of the rows.

    Parameters
    ----------
    question
        Loss `Absolute`, `Pinball`, `Huber`, `Combined` or `Squared`; any penalty.
    settings
        As for data in memory.
    seen
        The survey of the same rows.
    n_held
        Rows of the sample; half as many may be gathered.
    start
        The fit of the sample, if it is known.
    is_pilot
        Whether the fit comes before another one, or is one of many side by side, whose rows are not all kept.

    is_first
        Whether another fit with more rows follows where this one is not proved.

    Notes
    -----
    Where few rows were not enough, and all are at most 2,000, these are solved as in memory, but not for pilots. So are
    those of which Huber's loss has several optima.
    """
    found = yield from _by_loss(question, settings, seen, n_held, start, is_first)
    is_done = found.relative_gap <= PROVED_GAP and not has_several_optima(question, found)
    if is_done or seen.is_complete or seen.n_rows > FEW or is_pilot:
        return found
    return (yield from solve_whole(question, settings, found))


def has_several_optima(question: Question, found: Solution) -> bool:
    """Whether Huber's loss has other optima than the one found by Newton's steps, which is not the canonical one."""
    return isinstance(question.loss, Huber) and not found.unique


def solve_whole(question: Question, settings: Settings, found: Solution) -> Generator[Request, Summary, Solution]:
    """The solution of all rows of a table of few, as in memory, unless less is proved of it than of `found`."""
    whole = solve(question.of((yield from all_rows())), settings)
    return whole if whole.gap < found.gap or whole.relative_gap <= PROVED_GAP else found


def all_rows() -> Generator[Request, Summary, Rows]:
    """All rows whose weight is not zero, of a table of few."""
    everything = yield "gather", _present, ()
    return stacked(everything.rows["present"])


def _present(place: Place, rows: Rows) -> Summary:  # noqa: ARG001
    """The rows of a tile whose weight is not zero."""
    index = np.arange(rows.y.size) if rows.weight is None else np.flatnonzero(rows.weight)
    return Summary(rows={"present": [picked(rows, index)]})


def _by_loss(
    question: Question, settings: Settings, seen: Survey, n_held: int, start: Start | None, is_first: bool
) -> Generator[Request, Summary, Solution]:
    """The method for the loss."""
    others = ColumnsInBlocks.of(question, seen)
    if others is not None:
        found = yield from _by_other_columns(question, settings, seen, n_held, others)
        if found is not None:
            return found
    if question.loss.curvature > 0:
        if scaled(question.of(seen.sample))[0].loss.is_piecewise_linear:
            return (yield from _without_square(question, settings, seen, n_held))
        return (yield from solve_combined_blocks(question, settings, seen, n_held, start))
    if not isinstance(question.loss, Huber):
        return (yield from solve_piecewise_blocks(question, settings, seen, n_held, start, is_first))
    whole = question.of(seen.sample)
    if seen.is_complete:
        return solve(whole, settings)
    near = solve(whole, settings).coefficients if start is None else start.coefficients
    is_inside = (np.abs(whole.residual(*near)) <= question.loss.delta) & (whole.weight > 0)
    if np.count_nonzero(is_inside) >= _PER_COLUMN * (np.count_nonzero(near.coef) + question.fit_intercept):
        found = yield from solve_huber_blocks(question, settings, seen, near)
        if found.stopped is not StopReason.STALLED:
            return found
    return (yield from _with_kink(question, question.loss, settings, seen, n_held))


def _by_other_columns(
    question: Question, settings: Settings, seen: Survey, n_held: int, others: ColumnsInBlocks
) -> Generator[Request, Summary, Solution | None]:
    """The fit to other columns of the same span, whose bound is that of the columns that are there.

    None for a piecewise linear loss with several optima: the canonical one is that of the columns that are there.
    """
    seen_there = yield from others.survey(seen)
    found = yield from others.asking(solve_blocks(others.question(question), settings, seen_there, n_held))
    there = others.coefficients(found.coefficients)
    unique = found.unique and others.columns.are_independent
    if question.loss.is_piecewise_linear and not unique:
        return None
    best = replace(found, coef=there.coef, intercept=there.intercept, unique=unique)
    if isinstance(best, HuberSolution):
        lean = others.coefficients(Coefficients(best.lean[:-1], float(best.lean[-1])))
        best = replace(best, lean=np.append(*lean))
    proved = yield from _judged(question, seen, there, best, is_proof=False, is_elsewhere=True)
    return replace(proved, n_iter=found.n_iter, stopped=found.stopped, solver=found.solver, stats=found.stats)


def _with_kink(
    question: Question, loss: Huber, settings: Settings, seen: Survey, n_held: int
) -> Generator[Request, Summary, Solution]:
    """Huber's loss whose curved piece is narrow: the fit by absolute values is the start.

    The loss is at least ``slope * |r| - slope * delta / 2``, with the slope at its end. Where that bound leaves more
    than rounding, Newton's steps follow: rows that are fitted exactly are those on the curved piece.
    """
    slope = loss.stiffness * loss.delta
    penalty = question.penalty.rescaled(np.ones_like(question.penalty.strength), slope)
    absolute = replace(question, loss=Absolute(), penalty=penalty)
    found = yield from solve_piecewise_blocks(absolute, settings, seen, n_held)
    least = replace(found, objective=found.objective * slope - slope * loss.delta / 2, gap=found.gap * slope)
    return (yield from solve_huber_blocks(question, settings, seen, found.coefficients, least))


def _without_square(
    question: Question, settings: Settings, seen: Survey, n_held: int
) -> Generator[Request, Summary, Solution]:
    """The combined loss whose square is lost in rounding: the fit by absolute values."""
    if seen.is_complete:
        return solve(question.of(seen.sample), settings)
    slope = question.loss.kink()[1]
    penalty = question.penalty.rescaled(np.ones_like(question.penalty.strength), slope)
    absolute = replace(question, loss=Absolute(), penalty=penalty)
    found = yield from solve_piecewise_blocks(absolute, settings, seen, n_held)
    return replace(found, objective=found.objective * slope, gap=found.gap * slope)


def largest_alpha_of_blocks(
    question: Question, settings: Settings, seen: Survey, n_held: int
) -> Generator[Request, Summary, float]:
    """The largest useful alpha of all rows: the smallest that leaves all penalised coefficients at rest.

    Piecewise linear losses know it from rows near the fit; others from their slopes at the fit without penalised
    features.
    """
    if question.loss.is_piecewise_linear:
        return (yield from largest_alpha_of_piecewise(question, settings, seen, n_held))
    if seen.is_complete:
        return largest_alpha(question.of(seen.sample))
    near = NearOrigin.of(question, seen)
    asked = _largest_alpha_by_slopes(question, near.question(question), settings, near.survey(seen), n_held)
    return (yield from of_changed_rows(near.rows, asked))


def _largest_alpha_by_slopes(
    question: Question, null: Question, settings: Settings, seen: Survey, n_held: int
) -> Generator[Request, Summary, float]:
    """The largest useful alpha of rows near the origin; `null` is the question without penalised features.

    Where columns without a penalty depend on others, nearly, it is that of other columns of the same span: slopes of
    all rows balance those, and coefficients of the columns that are there have too few digits for it.
    """
    others = ColumnsInBlocks.of(null, seen)
    if others is not None:
        seen_there = yield from others.survey(seen)
        fit = _by_slopes_at_null(others.question(question), others.question(null), settings, seen_there, n_held)
        return (yield from others.asking(fit))
    return (yield from _by_slopes_at_null(question, null, settings, seen, n_held))


def _by_slopes_at_null(
    question: Question, null: Question, settings: Settings, seen: Survey, n_held: int
) -> Generator[Request, Summary, float]:
    """The same, from the slopes at the fit of the columns that are there."""
    if null.fit_intercept or not np.isinf(null.penalty.strength).all():
        found = yield from solve_blocks(null, replace(settings, tol=PROVED_GAP), seen, n_held, is_pilot=True)
        point = found.best if isinstance(found, HuberSolution) else found.coefficients
    else:
        point = Coefficients(np.zeros(seen.n_features), 0.0)
    return (yield from largest_alpha_by_slopes(question, point, settings, seen, n_held))


def judged(
    question: Question, seen: Survey, given: Coefficients, best: Solution
) -> Generator[Request, Summary, Solution]:
    """Given coefficients with their proof, or the lower bound that was proved with the best ones, in one pass.

    Where columns nearly depend on each other the bound is that of the best ones, which is proved by other columns.
    """
    is_proof = not isinstance(question.loss, Huber) or ColumnsInBlocks.of(question, seen) is None
    return (yield from _judged(question, seen, given, best, is_proof=is_proof, is_elsewhere=False))


def _judged(
    question: Question, seen: Survey, given: Coefficients, best: Solution, *, is_proof: bool, is_elsewhere: bool
) -> Generator[Request, Summary, Solution]:
    """`judged`, with what is known of the proof: see `judged_huber` and `judged_piecewise`."""
    if isinstance(question.loss, Huber):
        return (yield from judged_huber(question, seen, given, best, is_proof=is_proof))
    if question.loss.curvature > 0:
        return (yield from judged_combined(question, seen, given, best))
    return (yield from judged_piecewise(question, seen, given, best, is_elsewhere=is_elsewhere))
