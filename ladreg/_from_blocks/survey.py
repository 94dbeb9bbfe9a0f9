"""The first pass: checks of all numbers, ranges of columns, and a sample of rows; and the unit scale that follows."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from ladreg._arrays import Array, Index, exact_dot, power_of_two
from ladreg._design import DenseDesign, Design, as_design, hides_digits
from ladreg._from_blocks.far_targets import NO_MOVES, Far, FarTargets
from ladreg._from_blocks.row_folds import ColumnFolds, RowFolds, Training, labels, names_of_folds
from ladreg._problem import Coefficients, ElasticNet
from ladreg._row_blocks import BlockError, Passes, Place, Rows, Summary, picked, stacked

# Rows of each tile for a column that does not vary in its sampled rows, and rows of large weights.
_RARE_ROWS = 5
# Part of the sample's rows that are taken because they are the farthest out in a column, or of the largest weights.
_FAR_ROWS = 0.1
# More than the farthest row of a column are taken where that is farther out than 10 mean distances.
_TAIL = 10.0
# Rows that the median of a column is computed from.
_FEW = 100
# Folds, at most.
_FOLDS = 1000
# A column whose middle is more than 8 half ranges from zero is shifted there, as by `DenseDesign.extent`.
_FAR = 8.0


@dataclass(frozen=True)
class Survey:
    """What one pass says of data.

    `sample` holds rows of positive weight, all of them where `is_complete`. Otherwise the first `n_random` stand for
    all rows, and have weights accordingly; those that follow stand for themselves: they are far out in a column, of
    large weight, or in a column that is nearly always zero.
    """

    n_rows: int
    mass: float
    low: Array
    high: Array
    size: Array
    is_sparse: bool
    dtype: np.dtype[Any]
    sample: Rows
    n_random: int
    is_complete: bool

    @property
    def n_features(self) -> int:
        """Number of columns."""
        return int(self.size.size)

    @property
    def present(self) -> Rows:
        """The sampled rows of positive weight."""
        weight = _weights(self.sample)
        return self.sample if weight.all() else picked(self.sample, np.flatnonzero(weight))

    def without(self, fold: SampledFold) -> Survey:
        """The survey of the training rows of a fold, whose sampled rows have a weight of zero."""
        weight = _weights(self.sample).copy()
        weight[fold.rows] = 0.0
        mass, random = self.mass - fold.mass, weight[: self.n_random]
        if not self.is_complete:
            random *= max(mass - weight[self.n_random :].sum(), 0.0) / (random.sum() or 1.0)
        return replace(self, n_rows=self.n_rows - fold.n_rows, mass=mass, sample=self.sample._replace(weight=weight))


@dataclass(frozen=True)
class SampledFold:
    """A fold: its rows of positive weight, the sum of their weights, and which rows of the sample are in it."""

    training: Training
    n_rows: int
    mass: float
    rows: Index


@dataclass(frozen=True)
class _Tally:
    """Rows and weights of each fold that was met."""

    folds: dict[float, tuple[int, float]]

    def __add__(self, other: _Tally) -> _Tally:
        total = dict(self.folds)
        for fold, (n_rows, mass) in other.folds.items():
            before = total.get(fold, (0, 0.0))
            total[fold] = before[0] + n_rows, before[1] + mass
        if len(total) > _FOLDS:
            raise ValueError(f"cv makes more than {_FOLDS} folds, each of which is fitted for every alpha: use fewer.")
        return _Tally(total)


def survey(passes: Passes, n_sample: int, names: list[str] | None) -> Survey:
    """Survey the data in one pass."""
    n_rows = passes.n_rows
    return _surveyed(passes.total("survey", _survey, n_rows, min(n_sample, n_rows), names))


def survey_folds(
    passes: Passes, n_sample: int, names: list[str] | None, folds: RowFolds | ColumnFolds, least: int
) -> tuple[Survey, list[SampledFold]]:
    """Survey the data and their folds in one pass; a ValueError unless each of `least` folds or more has rows."""
    n_rows = passes.n_rows
    found = passes.total("survey", _survey, n_rows, min(n_sample, n_rows), names, folds)
    tally, parts = found.sums["folds"].folds, found.sums["random folds"] + found.sums["certain folds"]
    seen, fold_of = _surveyed(found), np.concatenate(parts)
    return seen, [
        SampledFold(Training(folds, fold), tally[fold][0], tally[fold][1], np.flatnonzero(fold_of == fold))
        for fold in names_of_folds(folds, tally, least)
    ]


def _surveyed(seen: Summary) -> Survey:
    if seen.sums["n"] == 0:
        raise ValueError("The weights must contain at least one non-zero number: all weights are zero.")
    random, certain = seen.rows.pop("sample"), seen.rows.pop("certain")
    n_random = sum(part.y.size for part in random)
    sample = stacked([*random, *certain])  # once: the sample is large
    weight = _weights(sample)
    is_complete = n_random == int(seen.sums["n"])
    if not is_complete:
        weight[:n_random] *= (float(seen.sums["mass"]) - weight[n_random:].sum()) / (weight[:n_random].sum() or 1.0)
    count = np.maximum(seen.sums["count"], 1)
    is_single = seen.high["itemsize"] == 4
    return Survey(
        n_rows=int(seen.sums["n"]),
        mass=float(seen.sums["mass"]),
        low=seen.low["x"],
        high=seen.high["x"],
        size=seen.sums["size"] / count,
        is_sparse=sp.issparse(sample.X),
        dtype=np.dtype(np.float32 if is_single else np.float64),
        sample=sample,
        n_random=n_random,
        is_complete=is_complete,
    )


def _weights(rows: Rows) -> Array:
    return np.ones(rows.y.size) if rows.weight is None else rows.weight


def _survey(
    place: Place,
    rows: Rows,
    n_rows: int,
    n_sample: int,
    names: list[str] | None,
    folds: RowFolds | ColumnFolds | None = None,
) -> Summary:
    """Checks, ranges and sampled rows of a tile, and what its folds have of it."""
    X, weight, design = rows.X, rows.weight, as_design(rows.X)
    check_numbers(place, rows, names, design)
    if not isinstance(design, DenseDesign):
        size = np.asarray(abs(X).sum(axis=0), dtype=np.float64).ravel()
        count = np.bincount(X.indices, minlength=X.shape[1])
        reach = np.zeros(X.shape[1])
        np.maximum.at(reach, X.indices, np.abs(X.data).astype(np.float64))
        low, high = -reach, reach
    else:
        low, high, size = design.ranges()
        count = np.full(X.shape[1], rows.y.size)
    pick, certain = _sampled(place.first, rows.y.size, n_rows, n_sample), np.zeros(0, dtype=np.intp)
    if n_sample < n_rows:
        certain = _certain(rows, pick, (low, high, size), n_sample / n_rows)
        others = np.ones(rows.y.size, dtype=bool)
        others[certain] = False
        pick = pick[others[pick]]
    if weight is not None:
        pick, certain = pick[weight[pick] > 0], certain[weight[certain] > 0]
    of_folds = {} if folds is None else _of_folds(folds, place, rows, pick, certain)
    return Summary(
        sums={
            **of_folds,
            "n": rows.y.size if weight is None else int(np.count_nonzero(weight)),
            "mass": float(rows.y.size) if weight is None else float(weight.sum()),
            "size": size,
            "count": count,
        },
        low={"x": low},
        high={"x": high, "itemsize": X.dtype.itemsize},
        rows={"sample": [picked(rows, pick)], "certain": [picked(rows, certain)]},
    )


def _of_folds(folds: RowFolds | ColumnFolds, place: Place, rows: Rows, pick: Index, certain: Index) -> dict[str, Any]:
    """Rows and weights of the folds of a tile, and the folds of its sampled rows."""
    fold_of, weight, tally = labels(folds, place, rows), _weights(rows), {}
    for fold in np.unique(fold_of[weight > 0]).tolist():
        own = weight[fold_of == fold]
        tally[fold] = int(np.count_nonzero(own)), float(own.sum())
    return {"folds": _Tally(tally), "random folds": [fold_of[pick]], "certain folds": [fold_of[certain]]}


def check_numbers(place: Place, rows: Rows, names: list[str] | None, design: Design | None = None) -> None:
    """A BlockError that names the first number that is none, or a weight below zero; `design` is one of the rows."""
    X, y, weight = rows
    is_sparse: bool = sp.issparse(X)
    if weight is not None and not (weight.min(initial=0.0) >= 0 and np.isfinite(weight.sum())):
        row = int(np.flatnonzero(~((weight >= 0) & np.isfinite(weight)))[0])
        raise BlockError(
            f"{place.name}: the weight of row {place.offset + row} is {weight[row]:g}: sample_weight must be "
            "finite and >= 0."
        )
    if not np.isfinite(y.sum()) and not np.isfinite(y).all():
        row = int(np.flatnonzero(~np.isfinite(y))[0])
        raise BlockError(f"{place.name}: the target of row {place.offset + row} is {y[row]:g}, which is not a number.")
    if design is not None and design.is_finite:
        return
    values: Any = X.data if is_sparse else X
    with np.errstate(over="ignore", invalid="ignore"):
        if np.isfinite(values.sum(dtype=np.float64)) or np.isfinite(values).all():
            return
    if is_sparse:
        at = int(np.flatnonzero(~np.isfinite(X.data))[0])
        row, column = int(np.searchsorted(X.indptr, at, side="right")) - 1, int(X.indices[at])
        value = X.data[at]
    else:
        row, column = map(int, np.argwhere(~np.isfinite(X))[0])
        value = X[row, column]
    name = repr(names[column]) if names is not None and column < len(names) else column
    raise BlockError(f"{place.name}: column {name} of row {place.offset + row} is {value:g}, which is not a number.")


def mixed(numbers: NDArray[Any]) -> NDArray[np.uint64]:
    """Integers with their bits mixed (the generator splitmix64)."""
    with np.errstate(over="ignore"):
        z = (numbers.astype(np.uint64) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return np.asarray(z ^ (z >> np.uint64(31)))


def uniform(numbers: Index) -> Array:
    """A number in [0, 1) for each integer."""
    return np.asarray((mixed(numbers) >> np.uint64(11)).astype(np.float64) / 2.0**53)


def _sampled(first: int, size: int, n_rows: int, n_sample: int) -> Index:
    """Rows of a tile in a sample of all rows: a random one of each of `n_sample` equal stretches of row numbers."""
    if n_sample >= n_rows:
        return np.arange(size)
    low = max(int(first * (n_sample / n_rows)) - 2, 0)
    high = min(int((first + size) * (n_sample / n_rows)) + 3, n_sample)
    stretches = np.arange(low, high)
    rows = ((stretches + uniform(stretches)) * (n_rows / n_sample)).astype(np.int64)
    rows = np.minimum(rows, n_rows - 1) - first
    return _distinct(rows[(rows >= 0) & (rows < size)], size)


def _certain(rows: Rows, pick: Index, ranges: tuple[Array, Array, Array], share: float) -> Index:
    """Rows farthest out in each column, those of the largest weights, and a few for each column that varies in the
    tile, but not in its sampled rows.

    `ranges` are the smallest and largest value, and the sum of sizes, of each column of the tile, `share` is the
    sample's part of all rows.
    """
    X: Any = rows.X
    low, high, size = ranges
    n_far = max(int(_FAR_ROWS * share * rows.y.size / X.shape[1]), 1)
    more: list[NDArray[np.intp]] = [np.zeros(0, dtype=np.intp)]
    if rows.weight is not None:
        more.append(np.argsort(-rows.weight, kind="stable")[: max(int(_FAR_ROWS * share * rows.y.size), _RARE_ROWS)])
    if hasattr(X, "indptr"):
        lone = np.flatnonzero((high > 0) & (np.bincount(X[pick].indices, minlength=X.shape[1]) == 0))
        columns: Any = X[:, lone].tocsc()
        ends = zip(columns.indptr[:-1], columns.indptr[1:], strict=True)
        more.extend(columns.indices[a:b][:_RARE_ROWS].astype(np.intp) for a, b in ends)
        return _distinct(np.concatenate(more), rows.y.size)
    middle = np.median(X[:: max(1, rows.y.size // _FEW)], axis=0)
    end = np.where(middle - low > high - middle, low, high)
    more.append(np.argmax(end.astype(X.dtype) == X, axis=0))
    n_far = min(n_far, rows.y.size - 1)
    reach = np.abs(end - middle)
    # The mean distance from the middle is at least the mean size less that of the middle.
    for j in np.flatnonzero(reach > _TAIL * np.maximum(size / rows.y.size - np.abs(middle), 0.0)).tolist():
        distance = np.abs(X[:, j] - middle[j])
        if reach[j] > _TAIL * distance.mean():
            more.append(np.argpartition(-distance, n_far)[:n_far])
    some = X[pick]
    least, most = some.min(axis=0, initial=np.inf), some.max(axis=0, initial=-np.inf)
    for j in np.flatnonzero((low < high) & (least >= most)).tolist():
        other = X[:, j] != (some[0, j] if pick.size else low[j])
        more.append(np.flatnonzero(other)[:_RARE_ROWS])
    return _distinct(np.concatenate(more), rows.y.size)


def _distinct(numbers: NDArray[Any], size: int) -> Index:
    """Row numbers below `size`, each once and in order; by a mask, where `numpy.unique` would hash or sort them."""
    present = np.zeros(size, dtype=bool)
    present[numbers] = True
    return np.flatnonzero(present)


@dataclass(frozen=True)
class Units:
    """The unit scale of data in blocks, as `_presolve/scaling.py` has it for data in memory.

    Columns are ``(x - shift) * scale`` for the features `kept` (None: all), targets ``(y - y_shift) / unit``, weights
    ``w / mass``.
    """

    shift: Array
    scale: Array
    y_shift: float
    unit: float
    mass: float
    kept: Index | None
    # The largest size of a number of each column, in the user's units.
    reach: Array
    # Targets that are moved near; None: none are.
    far: FarTargets | None = None

    @classmethod
    def of(cls, seen: Survey, kept: Index | None, y_shift: float, unit: float, centred: bool) -> Units:
        """The unit scale of surveyed data; without an intercept nothing is shifted."""
        low, high, size = (part if kept is None else part[kept] for part in (seen.low, seen.high, seen.size))
        middle, half = np.where(low == high, low, low / 2 + high / 2), high / 2 - low / 2
        far = (np.abs(middle) > _FAR * half) & centred & (not seen.is_sparse)
        distance = np.where(far, half, size)
        shift, scale = np.where(far, middle, 0.0), 1.0 / power_of_two(distance)
        return cls(shift, scale, y_shift, unit, seen.mass, kept, np.maximum(np.abs(low), np.abs(high)))

    def own_design(self, rows: Rows) -> Design:
        """The kept columns, in the user's units."""
        return as_design(rows.X if self.kept is None else rows.X[:, self.kept])

    def design(self, rows: Rows) -> Design:
        """The kept columns at unit scale."""
        return self.own_design(rows).rescaled(self.shift, self.scale)

    def residual(self, rows: Rows, given: Coefficients) -> Array:
        """Residuals in the user's units, of columns and targets near the origin where columns are shifted.

        Predictions of columns far from it have no digits of the targets where coefficients are large.
        """
        own, weight = self.own_design(rows), np.ones(rows.y.size) if rows.weight is None else rows.weight
        design, y, level, reach = own, rows.y, given.intercept, self.reach
        if self.shift.any():
            level = self._level(given)
            design, y = own.rescaled(self.shift, np.ones_like(self.shift)), rows.y - self.y_shift
            reach = np.where(self.shift == 0, reach, 2.0 / self.scale)
        residual = (y - level) - design.matvec(given.coef)
        sizes = float(reach @ np.abs(given.coef))
        if hides_digits(sizes, float(weight @ np.abs(residual)), float(weight.sum())):
            return own.accurate_residual(given.coef, rows.y, given.intercept)
        return residual

    def with_near_targets(self, rows: Rows) -> tuple[Rows, Far]:
        """Rows with far targets moved near, and the moves."""
        if self.far is None:
            return rows, NO_MOVES
        y, far = self.far.moved(rows.y, self.own_design(rows))
        return rows._replace(y=y), far

    def target(self, y: Array) -> Array:
        """Targets at unit scale."""
        return (y - self.y_shift) / self.unit

    def weight(self, rows: Rows) -> Array:
        """Weights as parts of the sum of all."""
        if rows.weight is None:
            return np.full(rows.y.size, 1.0 / self.mass)
        return rows.weight / self.mass

    def penalty(self, penalty: ElasticNet) -> ElasticNet:
        """The penalty of the kept features at unit scale."""
        kept = penalty if self.kept is None else penalty.at(self.kept)
        return kept.rescaled(self.scale * self.unit, self.unit)

    def to_original(self, coef: Array, intercept: float) -> tuple[Array, float]:
        """Coefficients of the kept features, and the intercept, in the user's units."""
        coef = coef * self.scale * self.unit
        return coef, exact_dot(-self.shift, coef, intercept * self.unit, self.y_shift)

    def to_scaled(self, given: Coefficients) -> Coefficients:
        """Coefficients of all features, and the intercept, at unit scale."""
        return self.kept_to_scaled(given if self.kept is None else given._replace(coef=given.coef[self.kept]))

    def kept_to_scaled(self, given: Coefficients) -> Coefficients:
        """Coefficients of the kept features, and the intercept, at unit scale."""
        return Coefficients(given.coef / (self.scale * self.unit), self._level(given) / self.unit)

    def _level(self, given: Coefficients) -> float:
        """The intercept beside columns and targets near the origin, with its digits."""
        return exact_dot(self.shift, given.coef, given.intercept, -self.y_shift)

    def filled(self, coef: Array, n_features: int) -> Array:
        """Coefficients of all features."""
        if self.kept is None:
            return coef
        full = np.zeros(n_features)
        full[self.kept] = coef
        return full
