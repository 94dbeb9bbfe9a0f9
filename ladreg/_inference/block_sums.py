"""The pass over rows in blocks that sums up what a covariance of quantiles is made of."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

import numpy as np

from ladreg._arrays import Array, Index
from ladreg._certificate import tied_rows
from ladreg._design import as_design
from ladreg._from_blocks import Distance, Question, Request
from ladreg._inference.density import kernel_of, robust_density
from ladreg._inference.regressors import Regressors
from ladreg._problem import Coefficients, ElasticNet, Loss
from ladreg._row_blocks import Place, Rows, Summary, merged, picked

# Numbers of the sums of groups, at most: 128 MB.
_MOST_SUMS = 1 << 24
# Rows on a fit that are brought with their groups: more than 50 for each coefficient are an error.
_MOST_TIED = 50


@dataclass(frozen=True)
class Triangle:
    """R with ``R'R`` the products of the columns of some rows; the sum of two is that of all rows."""

    root: Array

    def __add__(self, other: Triangle) -> Triangle:
        return Triangle(np.asarray(np.linalg.qr(np.vstack([self.root, other.root]), mode="r")))


@dataclass(frozen=True)
class GroupSums:
    """Sums for the rows of each group, of shape (n_fits, n_groups, p); the sum of two has the groups of both."""

    groups: Array
    sums: Array

    def __add__(self, other: GroupSums) -> GroupSums:
        groups = np.union1d(self.groups, other.groups)
        if groups.size * self.sums.shape[0] * self.sums.shape[2] > _MOST_SUMS:
            raise ValueError(
                f"there are at least {groups.size:,} groups, whose sums do not fit into memory. Use a column with "
                "fewer distinct values as groups."
            )
        sums = np.zeros((self.sums.shape[0], groups.size, self.sums.shape[2]))
        for part in (self, other):
            sums[:, np.searchsorted(groups, part.groups)] += part.sums
        return GroupSums(groups, sums)


@dataclass(frozen=True)
class Density:
    """The density of the errors in each row at a fit: from neighbouring quantiles, or from the residual by a kernel.

    `change` are coefficients of the quantile above less those of the one below, `width` is the bandwidth of each, and
    differences up to `least` count as none. `scale` is that of the kernel.
    """

    width: float
    change: Coefficients | None = None
    least: float = 0.0
    kernel: str = ""
    scale: float = 0.0

    def difference(self, X: Any) -> Array:
        """Predictions of the quantile above less those of the one below."""
        assert self.change is not None
        return as_design(X).matvec(self.change.coef) + self.change.intercept


@dataclass(frozen=True)
class Asked:
    """What the pass of sums needs: the fits, their densities, and how weights count.

    `group` is the column of X whose values are groups, None without groups.
    """

    features: Index | None
    shift: Array
    scale: Array
    fit_intercept: bool
    loss: list[Loss]
    quantiles: list[float]
    points: list[Coefficients]
    densities: list[Density]
    per_weight: float
    is_frequency: bool
    group: int | None = None

    def regressors(self, rows: Rows) -> Regressors:
        """The columns of rows at unit scale."""
        near = as_design(rows.X).rescaled(self.shift, self.scale)
        return Regressors(near, self.shift, self.scale, self.fit_intercept)

    def weight(self, rows: Rows) -> Array:
        """The weights of rows, as they count."""
        return np.full(rows.y.size, self.per_weight) * (1.0 if rows.weight is None else rows.weight)

    def groups(self, rows: Rows) -> Array:
        """The group of each row."""
        values: Any = rows.X[:, [self.group]]
        return np.asarray(values if isinstance(values, np.ndarray) else values.toarray(), dtype=np.float64)[:, 0]


def chosen(rows: Rows, features: Index | None) -> Rows:
    """The rows with some of the features."""
    return rows if features is None else rows._replace(X=rows.X[:, features])


def once(asked: Asked) -> Generator[Request, Summary, Any]:
    """One pass of sums."""
    return (yield "spread", _sums, (asked,))


def _sums(place: Place, rows: Rows, asked: Asked) -> Summary:  # noqa: ARG001
    """What a covariance needs of a tile: roots of products, differences, crossings, and distinct rows on the fit."""
    if rows.weight is not None:
        rows = picked(rows, np.flatnonzero(rows.weight > 0))
    if rows.y.size == 0:
        return Summary()
    whole, rows = rows, chosen(rows, asked.features)
    regressors, weight = asked.regressors(rows), asked.weight(rows)
    root = Triangle(regressors.root(weight))
    is_plain = asked.is_frequency or bool(np.all(weight == 1))
    found = Summary(sums={"weight": root, "square": root if is_plain else Triangle(regressors.root(weight * weight))})
    scores = []
    for k, density in enumerate(asked.densities):
        found.sums |= _of_density(asked, k, density, rows, regressors, weight)
        problem = Question(asked.loss[k], ElasticNet(np.zeros(asked.scale.size)), asked.fit_intercept).of(rows)
        on_fit = tied_rows(problem, *asked.points[k])
        tied = merged(picked(rows, on_fit))
        # One row more than there are coefficients is enough for a warning.
        found.rows[f"tied {k} distinct"] = [picked(tied, np.arange(min(tied.y.size, regressors.size + 1)))]
        if asked.group is not None:
            residual = Distance(asked.points[k], is_size=False).of(rows)
            score = asked.quantiles[k] - (residual < 0)
            score[on_fit] = 0.0
            scores.append(weight * score)
            found.rows[f"on fit {k}"] = [picked(whole, on_fit[: _MOST_TIED * regressors.size])]
    if asked.group is not None:
        groups, codes = np.unique(asked.groups(whole), return_inverse=True)
        sums = [regressors.sums(score, codes.ravel().astype(np.intp), groups.size) for score in scores]
        found.sums["groups"] = GroupSums(groups, np.array(sums))
    return found


def _of_density(
    asked: Asked, k: int, density: Density, rows: Rows, regressors: Regressors, weight: Array
) -> dict[str, Any]:
    """The sums of fit k for its bread."""
    if density.kernel:
        residual = Distance(asked.points[k], is_size=False).of(rows)
        values = kernel_of(residual, density.scale, density.kernel)
        difference = 0.0
    else:
        change = density.difference(rows.X)
        values = robust_density(change, density.width, density.least)
        difference = float(weight @ change)
    return {
        f"bread {k}": Triangle(regressors.root(weight * values)),
        f"crossed {k}": int(np.count_nonzero(values == 0)),
        f"difference {k}": difference,
    }


def group_sums(asked: Asked, sums: Summary) -> list[Array]:
    """The sums of the scores of each fit, one row a group.

    The scores of rows on a fit are those for which the scores of all rows are orthogonal to the columns. A ValueError
    where these are not determined, since more distinct rows are on a fit than there are coefficients.
    """
    found: GroupSums = sums.sums["groups"]
    totals = found.sums.copy()
    for k in range(len(asked.points)):
        p = asked.scale.size + asked.fit_intercept
        for rows in sums.rows[f"on fit {k}"]:
            if rows.y.size >= _MOST_TIED * p:
                raise ValueError(_UNDETERMINED)
        parts = [rows for rows in sums.rows[f"on fit {k}"] if rows.y.size]
        if not parts:
            continue
        tied = [chosen(rows, asked.features) for rows in parts]
        table = np.vstack([asked.regressors(rows).rows(np.arange(rows.y.size)) for rows in tied])
        weight = np.concatenate([asked.weight(rows) for rows in tied])
        y = np.concatenate([rows.y for rows in tied])
        _, first, code = np.unique(np.column_stack([table, y]), axis=0, return_index=True, return_inverse=True)
        code = code.ravel()
        if first.size > p:
            raise ValueError(_UNDETERMINED)
        mass = np.bincount(code, weight)
        score = np.linalg.lstsq((table[first] * mass[:, None]).T, -totals[k].sum(axis=0), rcond=None)[0]
        groups = np.concatenate([asked.groups(rows) for rows in parts])
        np.add.at(totals[k], np.searchsorted(found.groups, groups), table * (weight * score[code])[:, None])
    return list(totals)


_UNDETERMINED = (
    "more distinct rows are fitted exactly than there are coefficients, so that their scores cannot be computed from "
    "blocks. Omit groups, or fit the rows in memory."
)
