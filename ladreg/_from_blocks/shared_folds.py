"""Fits at one alpha to all rows and to the training rows of each fold: what one asks of the rows serves all of them.

The fits are near each other. They have one unit scale, one point at which gradients are summed up fold by fold, and
one set of rows near the fit.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import replace
from typing import Any, NamedTuple, TypeVar

import numpy as np

from ladreg._from_blocks.fit_state import FitState
from ladreg._from_blocks.piecewise import begun, split
from ladreg._from_blocks.piecewise_tasks import Held, check
from ladreg._from_blocks.question import Question
from ladreg._from_blocks.reduced_rows import checked, gathered
from ladreg._from_blocks.refinement import plain_step, refined, shortened
from ladreg._from_blocks.row_folds import ColumnFolds, RowFolds, Training
from ladreg._from_blocks.sample_problem import Start
from ladreg._from_blocks.side_by_side import Request, alongside
from ladreg._from_blocks.survey import Survey
from ladreg._problem import Coefficients, Settings, Solution
from ladreg._row_blocks import Place, Rows, Summary, picked

_Found = TypeVar("_Found")
# A solution, None without one, and the point where the fit ended, in the user's units.
Ended = tuple[Solution | None, Coefficients]

# Rounds of adding rows held on the wrong side, before the fit is left to `solve_blocks`.
_ROUNDS = 4
# Rows are gathered within 2.5 typical distances of the fits to the folds from the fit to all rows.
AROUND = 2.5


class Member(NamedTuple):
    """One of the fits: its rows (None: all), their survey, and where it begins."""

    training: Training | None
    seen: Survey
    start: Coefficients


def solve_folds(
    question: Question,
    settings: Settings,
    members: Sequence[Member],
    n_held: int,
    start: Start,
) -> Generator[Request, Summary, list[Ended]]:
    """Fit all rows, which are the first of the members, and the training rows of each fold.

    Parameters
    ----------
    question
        Loss `Absolute` or `Pinball`; a penalty that is plain.
    settings
        As for data in memory.
    members
        All rows, and the training rows of each fold.
    n_held
        Rows of the sample; half of this number may be gathered for all members.
    start
        The fit to all rows of the sample.

    Returns
    -------
    list
        For each member the solution, None without one, and the point where the fit ended; not all are proved.

    Notes
    -----
    1. Rows that are fitted exactly and too many are taken to their sides (`split`). Otherwise:
       the Newton steps are those of all rows. Gradient and Hessian are summed up fold by fold: those of the training
       rows of a fold are the sums over the others, and its own step begins at the same point.
    2. Rows near the fit to all rows are gathered once; the means of the others are summed up fold by fold.
    3. Each member is solved, and checked with the near rows in common. Rows on another side join, as in `checked`.

    Weights are parts of the mass of all rows: penalties are multiplied by the share of a member.
    """
    leader = begun(question, settings, members[0].seen, n_held, start)
    states = [leader, *(_follower(leader, member) for member in members[1:])]
    trainings = [member.training for member in members]
    folds = next(training.folds for training in trainings if training is not None)
    yield from split(leader)
    if leader.is_split:
        for state in states[1:]:
            state.point = leader.point.copy()
    else:
        yield from _descended(states, trainings, folds)
    (near, _), parts = yield from _by_fold(gathered(leader), folds)
    if not leader.has_means:
        fits = [
            checked(state, near, _of(parts, training), _ROUNDS, are_shared=True)
            for state, training in zip(states, trainings, strict=True)
        ]
        yield from alongside(fits, _piecewise, dict(enumerate(trainings)), folds)
    open_ones = [k for k, state in enumerate(states) if state.tried.size and not state.is_proved]
    if leader.is_split and open_ones:
        ways = [shortened(states[k], states[k].tried - states[k].point) for k in open_ones]
        parts_of = {number: trainings[k] for number, k in enumerate(open_ones)}
        yield from alongside(ways, _piecewise, parts_of, folds)
    return [_ended(leader, state) for state in states]


def _follower(leader: FitState, member: Member) -> FitState:
    """A member at its fit of the sample, at the unit scale of all rows."""
    share = member.seen.mass / leader.seen.mass
    question = replace(leader.question, penalty=leader.question.penalty.times(share))
    pilot = replace(leader.pilot, penalty=leader.units.penalty(question.penalty))
    point = np.append(*leader.units.to_scaled(member.start))
    state = replace(leader, question=question, seen=member.seen, pilot=pilot, penalty=pilot.penalty, point=point)
    return replace(state, stats=dict(leader.stats))


def _descended(
    states: Sequence[FitState], trainings: Sequence[Training | None], folds: RowFolds | ColumnFolds
) -> Generator[Request, Summary, None]:
    """Newton steps of all rows; the other members end at their own steps from the last point."""
    leader = states[0]
    fit = refined(leader)
    request = next(fit, None)
    while request is not None:
        point, width = leader.point, request[2][-1]
        parts = (yield _asked_by_fold(request, folds)).parts()
        whole = _of(parts, None)
        request = _next(fit, whole)
        common = plain_step(leader, point, whole, width)[1]
        farthest = 0.0
        for state, training in zip(states[1:], trainings[1:], strict=True):
            seen = _of(parts, training)
            step = plain_step(state, point, seen, width)[1]
            apart = step - common
            farthest = max(farthest, float(apart @ whole.sums["gram"][leader.columns, leader.columns] @ apart))
            state.point = leader.point.copy()
            # No sum with the leader's point where its step is Newton's: that would round zeros away.
            is_plain = np.array_equal(leader.step[leader.columns], common)
            state.point[leader.columns] = (
                point[leader.columns] + step if is_plain else leader.point[leader.columns] + apart
            )
    if np.isfinite(leader.value):
        moved = float(np.sqrt(farthest / max(whole.sums["mass"], 1e-300)))
        leader.doubt += AROUND * whole.sums["near"] * moved / width


def _next(fit: Generator[Request, Summary, Any], answer: Summary) -> Request | None:
    try:
        return fit.send(answer)
    except StopIteration:
        return None


def _by_fold(
    fit: Generator[Request, Summary, _Found], folds: RowFolds | ColumnFolds
) -> Generator[Request, Summary, tuple[_Found, dict[str, Summary]]]:
    """Run a fit to all rows; its result, and the last answer fold by fold."""
    parts: dict[str, Summary] = {}
    answer: Summary | None = None
    while True:
        try:
            request = next(fit) if answer is None else fit.send(answer)
        except StopIteration as end:
            return end.value, parts
        parts = (yield _asked_by_fold(request, folds)).parts()
        answer = _of(parts, None)


def _asked_by_fold(request: Request, folds: RowFolds | ColumnFolds) -> Request:
    return request[0], _fold_by_fold, (request[1], request[2], folds)


def _of(parts: dict[str, Summary], training: Training | None) -> Summary:
    """The sum over all folds, or over all but that of a training set."""
    total = Summary()
    for name in sorted(parts, key=float):
        if training is None or float(name) != training.fold:
            total.add(parts[name])
    return total


def _pieces(place: Place, rows: Rows, folds: RowFolds | ColumnFolds) -> Generator[tuple[float, Rows], None, None]:
    """The rows of a tile in each fold; the tile as it is where it is in one fold."""
    for fold, chosen in folds.split(place, rows):
        index = np.arange(rows.y.size)[chosen]
        yield fold, rows if index.size == rows.y.size else picked(rows, index)


def _fold_by_fold(
    place: Place, rows: Rows, task: Any, common: tuple[Any, ...], folds: RowFolds | ColumnFolds
) -> Summary:
    """The summaries of a task for the rows of each fold."""
    total = Summary()
    for fold, piece in _pieces(place, rows, folds):
        total.add(task(place, piece, *common), f"{fold}:")
    return total


def _piecewise(
    place: Place,
    rows: Rows,
    requests: dict[int, tuple[Any, tuple[Any, ...]]],
    rows_of: dict[int, Training | None],
    folds: RowFolds | ColumnFolds,
) -> Summary:
    """The summaries that members ask for, each of its own folds; checks with near rows in common share these."""
    total = Summary()
    for fold, piece in _pieces(place, rows, folds):
        known: dict[int, Held] = {}
        for k, (task, common) in requests.items():
            training = rows_of[k]
            if training is None or training.fold != fold:
                more = (known,) if task is check else ()
                total.add(task(place, piece, *common, *more), f"{k}:")
    return total


def _ended(leader: FitState, state: FitState) -> Ended:
    """The solution with the mass of the member's own rows, and the point in the user's units."""
    coef, intercept = leader.units.to_original(state.point[:-1], float(state.point[-1]))
    best = state.best
    if best is None:
        return None, Coefficients(leader.units.filled(coef, state.seen.n_features), intercept)
    share = state.seen.mass / leader.seen.mass
    objective = (best.objective + state.beyond) / share
    best = replace(best, objective=objective, gap=best.gap / share, stats={**best.stats, **state.stats})
    return best, best.coefficients
