"""The path of a lasso with too many features for one Gram matrix, in steps of several penalties at once.

The features that matter next are few and mostly known: those whose slopes, extrapolated along the path, come near to
their strength (the strong rule, Tibshirani et al. 2012, doi 10.1111/j.1467-9868.2011.01004.x, with the prediction of
Larsson and Wallin 2022, doi 10.48550/arXiv.2104.13026). In these every problem is solved exactly in Gram form, and one
product with the data checks the conditions of all features for all penalties of a step.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ladreg._arrays import Array, Index, are_regular
from ladreg._certificate import costs, largest_parts, reaching, slope_margin
from ladreg._design import SparseDesign
from ladreg._least_squares import coordinate_descent, homotopy
from ladreg._least_squares.centred import MOST_EPOCHS, Centred, duality_gap, without_rounding
from ladreg._least_squares.gram_path import GramPath, Stretch
from ladreg._least_squares.path_point import PathPoint, nonzeros
from ladreg._least_squares.tuning import LeastSquaresTuning
from ladreg._presolve import largest
from ladreg._problem import Coefficients, ElasticNet, Settings, StopReason
from ladreg._tolerances import AT_END, SQUARES_GAP, SUPPORT_GAP


@dataclass(frozen=True)
class _Look:
    """Solutions in the features that they use, and their gradient check, one row per alpha.

    `unit` is the penalty of `features` at alpha = 1. `slope` has the slopes of all features or, where no others may
    reach their strength, of those `among`; `part` is the largest ratio of a slope to its strength at alpha = 1.
    """

    features: Index
    unit: ElasticNet
    coef: Array
    residual: Array
    slope: Array
    part: Array
    n_iter: NDArray[np.intp]
    regular: NDArray[np.bool_]
    among: Index | None = None

    def places(self, features: Index) -> Index:
        """The columns of `slope` that belong to these features."""
        return features if self.among is None else np.searchsorted(self.among, features)

    def at(self, places: Index) -> Index:
        """The features that these columns of `slope` belong to."""
        return places if self.among is None else self.among[places]


class WorkingSetPath:
    """The path of a problem with too many features for one Gram matrix.

    Parameters
    ----------
    columns
        A problem with loss `HalfSquared`, at unit scale, with the penalty at alpha = 1. Rows may have a weight of zero.
    alphas
        Decreasing, above zero.
    settings
        `tol` is the largest gap, relative to each objective, and `max_iter` (None for 10,000) the largest number of
        epochs and steps for each alpha.
    stats
        Where to count: `n_rounds`, gradient checks of all features for several alphas after the draft, and `n_single`,
        alphas that were solved as single problems.
    """

    def __init__(
        self, columns: Centred, alphas: Array, settings: Settings, stats: dict[str, int] | None = None
    ) -> None:
        problem = columns.problem
        self.columns, self.problem, self.unit = columns, problem, problem.penalty
        self.alphas, self.settings = alphas, settings
        self.stats = {} if stats is None else stats
        self.stats |= dict.fromkeys(("n_rounds", "n_single"), 0)
        self.max_iter, self.tuning = settings.limit(MOST_EPOCHS), settings.tuned(LeastSquaresTuning)
        # The last solution: its features, their coefficients, all slopes, and their rate of change in alpha.
        self.free = np.flatnonzero(self.unit.strength == 0)
        self.features = self.free
        self.coef = np.zeros(self.features.size)
        self.slope = columns.slope
        self.rate = np.zeros(problem.n_features)
        # Upper bounds of the columns' mean squares.
        self.spread = problem.design.spread(problem.fit_intercept)
        # Largest distance of slopes from the optimal ones at a gap of 1; it is proportional to the root of the gap.
        self.margin = slope_margin(problem, self.spread, 1.0)
        self.boundless = np.flatnonzero((self.unit.strength == 0) & (self.unit.ridge == 0))
        # Upper bound of the rank of the columns.
        self.rank = problem.n_samples - problem.fit_intercept
        # Features that may be zero in one optimum and not in another.
        self.able = (self.unit.ridge == 0) & np.isfinite(self.unit.strength)
        # Largest working set with a Gram matrix in steps, and the settings of alphas solved one by one.
        is_sparse = isinstance(problem.design, SparseDesign)
        self.largest = self.tuning.largest_gram // 2 if is_sparse else self.tuning.largest_gram
        alone = replace(self.tuning, largest_gram=self.tuning.largest_gram // 4) if is_sparse else self.tuning
        self.alone = replace(settings, tuning=(alone, *settings.tuning))
        # Coefficients and alpha of the solution before the last one, if the last one was solved on its own.
        self.before: tuple[Array, float] | None = None
        bounds = (self.unit.strength > 0) & np.isfinite(self.unit.strength)
        with np.errstate(divide="ignore", over="ignore"):
            self.bound = np.where(bounds, self.unit.strength, np.inf)
            self.per_strength = 1.0 / self.bound
            self.alpha = float(np.max(self.unit.excess(self.slope) * self.per_strength, initial=alphas[0]))
            self.widest = float(np.max(self.margin * self.per_strength, initial=0.0))

    def __iter__(self) -> Iterator[PathPoint]:
        """Solutions in the order of the alphas.

        Notes
        -----
        0. If the path is piecewise linear and rows are few, draft all of it, and check the draft as a whole.
        1. Choose the features that the prediction for the next few alphas brings near to their strength.
        2. Solve these alphas in Gram form, and check all features for all of them.
        3. Yield the solutions that are proved. Features that violate their condition at the next alpha come in, and the
           rest of the step is solved again; if there are none, or too many, the solver of single problems takes over.
        """
        tuning = self.tuning
        most = max(1, tuning.entries // (self.problem.n_samples + self.problem.n_features))
        # 0.
        first = yield from self._drafted(most)
        while first < self.alphas.size:
            near = int(np.count_nonzero(self.alphas[first:] >= tuning.reach * self.alphas[first]))
            last = first + min(near, most)
            # 1.
            ratio = self._predicted(self.alphas[first], self.alphas[last - 1])
            nearest = largest(ratio, np.flatnonzero(ratio >= tuning.wanted), max(tuning.entering, self.features.size))
            wanted = np.union1d(self.features, nearest)
            ratio[wanted] = 0.0
            pool = largest(ratio, np.flatnonzero(ratio > 0), tuning.pool)
            while first < last:
                # 2.
                look = self._look(wanted, pool, self.alphas[first:last])
                if look is None:
                    _ = self.columns.curvature  # cached for all copies of `columns`
                    for k in range(first, self.alphas.size):
                        yield self._alone(k)
                    return
                # 3.
                proved = self._proved(look, first)
                yield from self._accepted(look, first, proved)
                first += len(proved)
                if len(proved) < look.n_iter.size:
                    violating = self._violating(look, len(proved), self.alphas[first])
                    if violating.size == 0:
                        yield self._alone(first, goes_on=True)
                        first += 1
                    # A solution found on its own may have other features.
                    wanted = np.unique(np.concatenate([self._known(), violating, self.features]))

    def _drafted(self, most: int) -> Generator[PathPoint, None, int]:
        """Step 0, for at most `most` alphas; returns how many were solved."""
        if not homotopy.applies(self.columns, self.unit, self.tuning):
            return 0
        alphas, first = self.alphas[:most], 0
        draft = homotopy.draft(self.columns, self.unit, self.slope, alphas, self.max_iter, self.tuning)
        # First at the features in doubt alone; alphas that are not proved by these, at all features.
        for among in (np.union1d(draft.uncertain, draft.features), None):
            few = among is None or among.size <= self.tuning.among_share * self.problem.n_features
            if first < draft.n_knots.size and few:
                look = self._seen(draft.features, draft.coef[first:], draft.n_knots[first:], among)
                proved = self._proved(look, first)
                yield from self._accepted(look, first, proved)
                first += len(proved)
        return first

    def _predicted(self, *alphas: float) -> Array:
        """The largest ratio of each slope to its strength at these alphas, with slopes extrapolated linearly."""
        ratio = np.zeros(self.problem.n_features)
        for alpha in alphas:
            slope = self.slope + self.rate * (alpha - self.alpha)
            with np.errstate(invalid="ignore", over="ignore"):
                ratio = np.fmax(ratio, self.unit.excess(slope) * (self.per_strength / alpha))
        return ratio

    @np.errstate(over="ignore", invalid="ignore")  # inf and NaN prove nothing
    def _look(self, wanted: Index, pool: Index, alphas: Array) -> _Look | None:
        """Step 2; None where the Gram matrix would have too many features."""
        if wanted.size > self.largest:
            return None
        self.stats["n_rounds"] += 1
        features, found = self._solved(wanted, pool, alphas)
        if found.done.size == 0:
            return None
        used = np.flatnonzero(found.coef.any(axis=0))
        return self._seen(features[used], np.ascontiguousarray(found.coef[:, used]), found.n_steps)

    @np.errstate(over="ignore", invalid="ignore")  # inf and NaN prove nothing
    def _seen(self, features: Index, coef: Array, n_steps: Index, among: Index | None = None) -> _Look:
        """The gradient check of solutions in some features, at all features or at those `among`."""
        design, weight, unit = self.problem.design, self.columns.weight, self.unit.at(features)
        coef = without_rounding(unit, coef, self.spread[features], self.columns.size)
        residual = self.columns.y - design.matvec_of(features, coef.T).T
        for _ in range(2 if self.problem.fit_intercept else 0):  # the second pass removes the rounding of the first
            residual -= (residual @ weight)[:, None]
        if among is None:
            slope, bound = design.rmatvec((weight * residual).T).T, self.bound
        else:
            slope, bound = design.rmatvec_of(among, (weight * residual).T).T, self.bound[among]
        part, _ = largest_parts(bound, self.unit.positive, slope)
        gram = self.columns.gram.of(features)
        rounding = self.columns.gram.rounding(gram, features)
        regular = are_regular(gram, (coef != 0) & (unit.ridge == 0), self.rank, rounding)
        return _Look(features, unit, coef, residual, slope, part, np.maximum(n_steps, 1), regular, among)

    def _solved(self, wanted: Index, pool: Index, alphas: Array) -> tuple[Index, Stretch]:
        """The features wanted and in the pool, in the order of the Gram matrix, and the solutions in these alone."""
        gram = self.columns.gram
        features = gram.work_on(wanted, pool)
        begin = np.zeros(features.size)
        begin[gram.places(self.features)] = self.coef
        unit = self.unit.at(features)
        trail = GramPath(gram.matrix, begin, self.slope[features], gram.known, self._filled, self.tuning)
        return features, trail.follow(unit, alphas, self.max_iter)

    def _filled(self, places: Index) -> bool:
        """Fill in the Gram rows at these places, unless more than `largest` would be known; returns whether it did."""
        gram = self.columns.gram
        if np.count_nonzero(gram.known) + places.size > self.largest:
            return False
        gram.fill(places)
        return True

    @np.errstate(over="ignore", invalid="ignore")
    def _proved(self, look: _Look, first: int) -> list[bool | None]:
        """For each alpha before the first whose gap is too large: whether its optimum is unique, None where open."""
        alphas = self.alphas[first : first + look.n_iter.size]
        gap, shrink, value = self._gaps(look, alphas)
        missed = ~(gap <= np.maximum(self.settings.tol * value, SQUARES_GAP * self.columns.size))
        if look.among is not None:  # the gap must not let other slopes reach their strength
            missed |= np.sqrt(gap) * self.widest > self.tuning.clear / 2 * alphas
        number = int(np.argmax(np.append(missed, True)))
        rough = gap > np.maximum(SUPPORT_GAP * value, SQUARES_GAP * self.columns.size)
        proved: list[bool | None] = look.regular[:number].tolist()
        row, others = self._others(look, alphas[:number] * (1 - AT_END), shrink, np.sqrt(gap))
        for k in np.unique(row[look.regular[row]]):
            proved[k] = None if rough[k] else self._are_independent(look, k, others[row == k])
        return proved

    def _are_independent(self, look: _Look, k: int, others: Index) -> bool:
        """Whether `others`, which may be active, are independent of the support and of each other."""
        support = look.features[(look.coef[k] != 0) & (look.unit.ridge == 0)]
        number = support.size + others.size
        if number > min(self.rank, self.tuning.largest_gram):
            return False
        return self.columns.gram.are_independent(np.append(support, others))

    def _gaps(self, look: _Look, alphas: Array) -> tuple[Array, Array, Array]:
        """For each alpha the gap, the factor by which its dual is too large, and the objective."""
        loss = 0.5 * (look.residual**2 @ self.columns.weight)
        if not self.unit.curved:  # features that are zero count by their largest slope alone
            shrink = np.maximum(look.part / alphas, 1.0)  # NaN stays
            cost, apart = costs(
                look.unit, alphas, look.coef, look.slope[:, look.places(look.features)] / shrink[:, None]
            )
            return loss * (1.0 - 1.0 / shrink) ** 2 + apart, shrink, loss + cost
        gap, shrink, value = np.empty((3, alphas.size))
        for k, alpha in enumerate(alphas.tolist()):
            coef = np.zeros(self.problem.n_features)
            coef[look.features] = look.coef[k]
            penalty = self.unit.times(alpha)
            gap[k], shrink[k] = duality_gap(penalty, coef, look.slope[k], float(loss[k]))
            value[k] = loss[k] + penalty.value(coef)
        return gap, shrink, value

    def _others(self, look: _Look, edge: Array, shrink: Array, root: Array) -> tuple[Index, Index]:
        """For the first alphas, features that are zero, and may be nonzero in another optimum, each with its row.

        Their slopes reach `edge` times their strength, or come within `root` times their margin of it.
        """
        number = edge.size
        shrink, root = shrink[:number], root[:number]
        nearest = np.maximum((edge - root * self.widest) * shrink, 0.0)
        bound = self.bound if look.among is None else self.bound[look.among]
        row, place = reaching(bound, self.unit.positive, look.slope[:number], nearest)
        if self.boundless.size:
            row = np.append(row, np.repeat(np.arange(number), self.boundless.size))
            place = np.append(place, np.tile(look.places(self.boundless), number))
        inside = np.zeros((number, look.slope.shape[1]), dtype=bool)
        inside[:, look.places(look.features)] = look.coef[:number] != 0
        zero = ~inside[row, place] & self.able[look.at(place)]
        row, place = row[zero], place[zero]
        feature = look.at(place)
        most = self.unit.excess(look.slope[row, place]) / shrink[row] + self.margin[feature] * root[row]
        kept = most >= edge[row] * self.unit.strength[feature]
        return row[kept], feature[kept]

    def _accepted(self, look: _Look, first: int, proved: list[bool | None]) -> Iterator[PathPoint]:
        """Step 3: yield the proved solutions, in canonical form; the next round starts from the last one."""
        found, n_iter = list(nonzeros(look.coef[: len(proved)], look.features)), look.n_iter.tolist()
        for k, unique in enumerate(proved):
            if unique is not False:
                yield PathPoint(*found[k], n_iter[k], StopReason.TOLERANCE, unique, look.residual[k])
            else:
                start = np.zeros(self.problem.n_features)
                start[look.features] = look.coef[k]
                yield self._single(self.alphas[first + k], start)
        if first + len(proved) == self.alphas.size:
            return
        # The last two, which give the slopes' rate of change.
        for k in range(max(len(proved) - 2, 0), len(proved)):
            self.before = None
            slope = look.slope[k]
            if look.among is not None:
                slope = self.problem.design.rmatvec(self.columns.weight * look.residual[k])
            self._moved(*found[k], slope, self.alphas[first + k])

    def _moved(self, features: Index, coef: Array, slope: Array | None, alpha: float) -> None:
        """Store the last solution; its slopes are None where nothing will be predicted from them."""
        if slope is not None:
            if alpha < self.alpha:
                self.rate = (slope - self.slope) / (alpha - self.alpha)
            self.slope = slope
        self.features, self.coef = features, coef
        if self.free.size:
            free = np.setdiff1d(self.free, features)
            self.features, self.coef = np.append(features, free), np.append(coef, np.zeros(free.size))
        self.alpha = alpha

    def _known(self) -> Index:
        """Features whose rows of the Gram matrix are known."""
        return self.columns.gram.features[self.columns.gram.known]

    def _violating(self, look: _Look, row: int, alpha: float) -> Index:
        """The features without a known Gram row that violate their condition most in one row of the check.

        That is the first that is not proved: violations in the rows after it may vanish with these.
        """
        with np.errstate(invalid="ignore", over="ignore"):
            ratio = self.unit.excess(look.slope[row]) * (self.per_strength / alpha)
        ratio[self._known()] = 0.0
        return largest(ratio, np.flatnonzero(ratio > 1.0), max(self.tuning.entering, look.features.size))

    def _alone(self, k: int, goes_on: bool = False) -> PathPoint:
        """One alpha by the solver of single problems, from an extrapolated start; its slopes only if `goes_on`."""
        last = np.zeros(self.problem.n_features)
        last[self.features] = self.coef
        start = last
        if self.before is not None and self.before[1] > self.alpha:
            ahead = (self.alphas[k] - self.alpha) / (self.alpha - self.before[1])
            bold = last + ahead * (last - self.before[0])
            start = np.where(bold * last > 0, bold, last)
        self.before = last, self.alpha
        found = self._single(self.alphas[k], start)
        assert found.residual is not None
        slope = self.problem.design.rmatvec(self.columns.weight * found.residual) if goes_on else None
        self._moved(found.features, found.coef, slope, self.alphas[k])
        return found

    def _single(self, alpha: float, start: Array) -> PathPoint:
        self.stats["n_single"] += 1
        columns = self.columns.with_penalty(self.unit.times(alpha))
        canonical = np.count_nonzero(start) <= self.largest // 2
        draft = coordinate_descent.solve_lasso(
            columns.problem,
            self.alone,
            Coefficients(start, 0.0),
            canonical=bool(canonical),
            relative=True,
            columns=columns,
        )
        features = np.flatnonzero(draft.coef)
        residual = self.columns.residual(draft.coef)
        unique = draft.unique if canonical else None
        return PathPoint(features, draft.coef[features], draft.n_iter, draft.stopped, unique, residual)
