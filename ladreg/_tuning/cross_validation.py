"""The shared body of estimators that choose alpha by cross-validation along a path."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from numbers import Integral
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import ArrayLike
from sklearn import get_config
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping, process_routing
from sklearn.utils.parallel import Parallel, delayed

from ladreg._arrays import Array, Index, MatrixLike
from ladreg._estimators import (
    CertifiedRegressor,
    Data,
    FoldedData,
    MomentData,
    any_size,
    check_choice,
    names_of,
    task,
)
from ladreg._from_blocks import BlockFolds, ColumnFolds, RowFolds
from ladreg._paths import Folds, Miss, Path, Ranges, Split, folds_of
from ladreg._problem import ElasticNet
from ladreg._row_blocks import Passes
from ladreg._tuning.base import TunedRegressor
from ladreg._tuning.candidates import Candidate, Choice, together
from ladreg._tuning.curves import Curves
from ladreg._tuning.scoring import Scores, checked_scorer
from ladreg._tuning.search import Lot, Searched
from ladreg._tuning.targets import Target
from ladreg._warn import warn_user

# alphas="auto" begins with the grid of the default, 100 alphas, and adds a decade of 33 at a time, as dense as the grid
# of the default `eps`, three times at most: alphas of 1e-6 times the largest leave nothing of the penalty.
_FIRST = 100
_DECADE = np.geomspace(1.0, 0.1, 34)[1:]
_DECADES = 3


@dataclass(frozen=True)
class HeldOut:
    """Training and held-out rows of each fold, and the scores of each target if the rows are not judged by the loss.

    `fits` are those of the folds where the rows are in blocks, and `splits` those of a sample.
    """

    splits: list[Split]
    scores: list[Scores] | None
    fits: BlockFolds | None = None


class CrossValidatedRegressor(TunedRegressor):
    """A regressor that chooses its alpha by the losses of held-out rows."""

    _losses_name: ClassVar[str]
    cv: Any
    n_jobs: int | None
    selection: Literal["min", "1se"]
    scoring: Any
    alpha_min_: float | Any
    alpha_1se_: float | Any
    scores_path_: Array

    def _check_tuning(self) -> None:
        super()._check_tuning()
        check_choice("selection", self.selection, ("min", "1se"))
        if self.scoring is not None:
            checked_scorer(self.scoring)

    @property
    def _extends(self) -> bool:
        return isinstance(self.alphas, str) and self.alphas == "auto"

    @property
    def _alphas(self) -> Any:
        return _FIRST if self._extends else self.alphas

    def get_metadata_routing(self) -> MetadataRouter:
        """What metadata goes where: `sample_weight` to `fit`, `groups` and others to the splitter and the scorer.

        Returns
        -------
        MetadataRouter
            As scikit-learn's meta-estimators give it.
        """
        mapping = MethodMapping().add(caller="fit", callee="split")
        router = MetadataRouter(owner=self).add_self_request(self)
        router.add(splitter=self._splitter(), method_mapping=mapping)
        if self.scoring is not None:
            mapping = MethodMapping().add(caller="fit", callee="score")
            router.add(scorer=checked_scorer(self.scoring), method_mapping=mapping)
        return router

    def _splitter(self) -> Any:
        if isinstance(self.cv, str):
            raise ValueError(f"cv={self.cv!r} names a column, which is possible only for data in blocks.")
        # Imported here, since this takes as long as importing everything else together.
        from sklearn.model_selection import check_cv

        for pair in self.cv if isinstance(self.cv, list | tuple) else ():
            if not isinstance(pair, list | tuple | np.ndarray) or len(pair) != 2:
                raise ValueError(f"cv must yield pairs of training rows and held-out rows, got {pair!r}.")
        return check_cv(self.cv)

    def _n_tasks(self, given: HeldOut) -> int:
        return len(given.splits) * len(self._models()) * (1 + _DECADES if self._extends else 1)

    def _prepared(self, X: MatrixLike, y: ArrayLike, data: Data, sample_weight: Any, params: dict[str, Any]) -> HeldOut:
        """The folds, and the scorer with its data."""
        splitter = self._splitter()
        for_scorer = {"sample_weight": sample_weight}
        if get_config()["enable_metadata_routing"]:
            routing = process_routing(self, "fit", sample_weight=sample_weight, **params)
            routed = routing.splitter.split
            for_scorer = {} if self.scoring is None else routing.scorer.score
        else:
            unknown = set(params) - {"groups"}
            if unknown:
                raise TypeError(
                    f"fit got an unexpected argument {min(unknown)!r}: only groups are passed to the splitter."
                )
            routed = params
        splits = [(_rows(train, data), _rows(test, data)) for train, test in splitter.split(X, y, **routed)]
        if not splits:
            raise ValueError(
                "cv yields no folds: an iterator can be used only once; pass a list of splits or a splitter."
            )
        for k, (train, test) in enumerate(splits):
            for name, rows in (("training", train), ("held-out", test)):
                if not np.any(data.weight[rows] > 0):
                    raise ValueError(f"fold {k} of cv has no {name} rows, or none with a weight above zero.")
        if self.scoring is None:
            return HeldOut(splits, None)
        scorer = checked_scorer(self.scoring)
        return HeldOut(splits, [Scores.of(scorer, X, target, for_scorer) for target in data.Y.T])

    @property
    def _takes_blocks(self) -> bool:
        return True

    def _prepared_blocks(
        self, passes: Passes, n_held: int, params: dict[str, Any]
    ) -> tuple[MomentData | FoldedData, HeldOut]:
        """The moments of the folds and the rows that stand for them, or the survey of the folds and their fits."""
        for name in params:
            raise TypeError(f"fit got an unexpected argument {name!r}: for data in blocks folds are given by cv only.")
        if self.scoring is not None:
            raise ValueError("scoring must be None for data in blocks: scorers need all rows in memory.")
        if self._follows_knots:
            raise ValueError("alphas='knots' needs all rows in memory: pass a number, 'auto' or a list of alphas.")
        folds, least = self._folds_in(passes)
        if not self._loss().is_square:
            given = FoldedData.of(passes, n_held, folds, least).with_fits(self._models()[0], self._mixing)
            return given, HeldOut(given.splits, None, given.fits)
        blocks = MomentData.of(passes, folds, bool(self._model.fit_intercept), least)
        return blocks, HeldOut(blocks.splits, None)

    def _folds_in(self, passes: Passes) -> tuple[RowFolds | ColumnFolds, int]:
        """The folds of data in blocks, and how many of them there must be at least: by a column's name, or by rows."""
        if isinstance(self.cv, str):
            names = names_of(passes)
            if names is None or self.cv not in names:
                raise ValueError(f"cv must be an integer or the name of a column of X, got {self.cv!r}.")
            return ColumnFolds(names.index(self.cv)), 2
        if not (self.cv is None or isinstance(self.cv, Integral)):
            raise ValueError(
                f"cv must be None, an integer or the name of a column for data in blocks, got {self.cv!r}."
            )
        number, n_rows = self._splitter().get_n_splits(), passes.n_rows
        if number > n_rows:
            raise ValueError(f"cv={number} is more than the number of rows, {n_rows}.")
        # As `KFold` has them: the first folds have one row more.
        sizes = n_rows // number + (np.arange(number) < n_rows % number)
        return RowFolds(np.concatenate([[0], np.cumsum(sizes)]).astype(np.intp)), number

    def _chosen(self, targets: Sequence[Target], given: HeldOut) -> list[Choice]:
        found = self._searched([self._lot(target, given) for target in targets], given)
        (best, lowest), near = found.mean.best, found.mean.near
        k = near if self.selection == "1se" else lowest
        alphas, name = found.lots[0].candidates[best].alphas, self._named(targets)
        self._say(f"{name}alpha={alphas[k]:.6g}, {self._told(found.mean.means[best, k])}; fitting the path")
        if found.is_open and k == lowest:
            self._advise_smaller(float(alphas[k]), name)
        missed = [miss for lot in found.lots for miss in lot.folds.missed]
        if missed:
            tried = sum(one.alphas.size for lot in found.lots for one in lot.candidates)
            self._warn_of_folds(missed, len(given.splits) * tried, name)
        choices = []
        for lot, curves in zip(found.lots, found.curves, strict=True):
            fit, path = lot.target.fit, self._path(lot, best, k)
            fit.alpha_min_, fit.alpha_1se_ = float(alphas[lowest]), float(alphas[near])
            fit._keep(curves, np.array([lot.folds.constant(fold) for fold in range(len(given.splits))]))
            final = lot.folds.final(k) if isinstance(lot.folds, BlockFolds) else None
            choices.append(Choice(lot.candidates, best, k, path, lot.folds.solver_at(path, k), final))
        return choices

    def _warn_of_folds(self, missed: Sequence[Miss], number: int, name: str) -> None:
        """Warn of fits to the training rows of folds that are not proved."""
        worst = max(missed, key=lambda miss: miss.relative_gap)
        reason = worst.stopped.value
        warn_user(
            f"{name}{len(missed)} of {number} fits to the training rows of folds did not reach tol={self.tol:g}; the "
            f"worst is proved to be within {worst.relative_gap:.3g} of its optimum (relative). "
            f"{reason[0].upper()}{reason[1:]}.",
            ConvergenceWarning,
        )

    def _named(self, targets: Sequence[Target]) -> str:
        """What messages call these targets: nothing for all that there are."""
        return targets[0].name if len(targets) == 1 else ""

    def _lot(self, target: Target, given: HeldOut) -> Lot:
        """One target before the search."""
        model, posed, data = target.candidates[0].model, target.candidates[0].problem, target.data
        # All rows, those of weight zero too, which the splits count.
        problem = model._problem(data, np.ascontiguousarray(data.Y[:, 0]), posed.loss, posed.penalty)
        if given.fits is not None:
            return Lot(target, given.fits, target.candidates, [])
        # Scores ask for the fits to the training rows, which the folds of squares do not keep.
        make = folds_of if given.scores is None else Folds
        folds = make(problem, given.splits, self._settings(), mixing=self._mixing, estimate=model._estimated)
        return Lot(target, folds, target.candidates, [])

    def _path(self, lot: Lot, best: int, k: int) -> Path:
        """The path of all rows of the best candidate, with the dual at the k-th alpha where it is solved here."""
        candidate = lot.candidates[best]
        if candidate.ranges is not None:
            return candidate.path(self._settings())
        return lot.paths[best] if lot.paths else lot.folds.path(candidate.problem, candidate.alphas, keep=k)

    def _searched(self, lots: list[Lot], given: HeldOut) -> Searched:
        """The losses of held-out rows; with `alphas="auto"` along longer grids while the best alpha is the last."""
        lots, whole = self._within_limit(lots)
        lots, curves = self._held_out(lots, given)
        for _ in range(_DECADES if self._extends else 0):
            if not (whole and Curves.mean_of(curves).falls):
                break
            number = curves[0].means.shape[1]
            longer = [
                replace(lot, candidates=[one.with_alphas(_a_decade_longer(one.alphas)) for one in lot.candidates])
                for lot in lots
            ]
            lots, whole = self._within_limit(longer)
            ends = [
                replace(lot, candidates=[one.with_alphas(one.alphas[number:]) for one in lot.candidates])
                for lot in lots
            ]
            _, others = self._held_out(ends, given)
            curves = [some.followed_by(more) for some, more in zip(curves, others, strict=True)]
        mean = Curves.mean_of(curves)
        return Searched(lots, curves, mean, whole and mean.falls)

    def _within_limit(self, lots: list[Lot]) -> tuple[list[Lot], bool]:
        """The targets with candidates whose paths end by `max_features`, and whether all are as long as without it.

        Targets that have one alpha end together.
        """
        if self.max_features is None:
            return [lot.with_known_folds() for lot in lots], True
        rows = [lot.limited(self.max_features) for lot in lots]
        rows = together(rows, knots=self._follows_knots)
        limited = []
        for lot, paths in zip(lots, rows, strict=True):
            candidates = [one.with_path(path) for one, path in zip(lot.candidates, paths, strict=True)]
            limited.append(replace(lot, candidates=candidates, paths=paths).with_known_folds())
        pairs = [
            (one.alphas.size, other.alphas.size)
            for lot, short in zip(lots, limited, strict=True)
            for one, other in zip(lot.candidates, short.candidates, strict=True)
        ]
        return limited, all(before == after for before, after in pairs)

    def _advise_smaller(self, alpha: float, name: str) -> None:
        """Warn that the best alpha is the last one, and that smaller ones may be better."""
        if self._extends:
            remedy = f"It is the limit of alphas='auto', 1e-{_DECADES} times the first grid: alphas=[0] has no penalty"
        elif np.ndim(self.alphas) > 0:
            remedy = "Add smaller alphas, or 0, which is no penalty"
        elif self._follows_knots:
            remedy = f"Lower eps, which is {self.eps:g}"
        else:
            remedy = f"Lower eps, which is {self.eps:g}, or set alphas='auto', which extends the grid"
        kind = "mean loss of held-out rows falls" if self.scoring is None else "mean score of held-out rows rises"
        warn_user(
            f"{name}alpha={alpha:.4g} is the smallest that was tried, and the {kind} up to there: a smaller one may be "
            f"better. {remedy}.",
            UserWarning,
        )

    def _keep(self, curves: Curves, constant: Array) -> None:
        """Store the losses of the folds, or their scores, which are minus the losses that are compared."""
        losses = curves.losses if len(curves.alphas) > 1 else curves.losses[0]
        kept, dropped = self._losses_name, "scores_path_"
        if self.scoring is None:
            losses = losses + constant
        else:
            kept, dropped, losses = dropped, kept, -losses
        setattr(self, kept, losses)
        if hasattr(self, dropped):  # of an earlier fit
            delattr(self, dropped)

    def _told(self, loss: float) -> str:
        return f"mean held-out loss {loss:.6g}" if self.scoring is None else f"mean score {-loss:.6g}"

    def _held_out(self, lots: list[Lot], given: HeldOut) -> tuple[list[Lot], list[Curves]]:
        """The targets with the alphas of their candidates, and the losses of held-out rows at these."""
        jobs, splits = [], given.splits
        for lot in lots:
            scores = None if given.scores is None else given.scores[lot.target.number]
            for candidate in lot.candidates:
                for k, (train, _) in enumerate(splits):
                    unit = self._unit(candidate.model, lot.target.data, train)
                    jobs.append(delayed(self._fold)(lot, k, candidate, unit, scores, next(lot.target.contexts)))
        first, name = lots[0].candidates, self._named([lot.target for lot in lots])
        self._say(f"{name}{len(splits)} folds of {'all' if self._follows_knots else first[0].alphas.size} alphas")
        # Threads: the kernels and BLAS release the interpreter lock, and X is not copied.
        found = Parallel(n_jobs=self.n_jobs, prefer="threads", verbose=max(int(self.verbose) - 1, 0))(jobs)
        losses = [values for _, values in found]
        if self._follows_knots:
            paths = [lot.candidates[0].ranges.path for lot in lots if lot.candidates[0].ranges is not None]
            ranges = Ranges.common(paths, [knots for knots, _ in found])
            losses = [values[ranges[0].of(knots)] for knots, values in found]
            lots = [
                replace(lot, candidates=[lot.candidates[0].with_ranges(one)])
                for lot, one in zip(lots, ranges, strict=True)
            ]
        size = len(splits) * len(first)
        return lots, [
            Curves.of([one.alphas for one in lot.candidates], losses[k * size : (k + 1) * size], len(splits))
            for k, lot in enumerate(lots)
        ]

    def _fold(
        self,
        lot: Lot,
        k: int,
        candidate: Candidate,
        unit: ElasticNet,
        scores: Scores | None,
        context: Any,
    ) -> tuple[Array, Array]:
        """The losses of one fold, and their alphas: those of the candidate, or the knots of the fold."""
        alphas, folds = candidate.alphas, lot.folds
        if alphas.size == 0:  # of another candidate's longer grid
            return alphas, alphas
        end = None if candidate.ranges is None else float(candidate.ranges.ends[-1])
        with task(context, self), any_size():  # a thread has its own settings
            if scores is not None:
                assert isinstance(folds, Folds)  # `_chosen` makes them
                alphas, coef, intercept = folds.fits(k, alphas if end is None else end, unit)
                losses = -scores.along(candidate.model, folds.rows(k)[1], alphas, coef, intercept)
            elif end is None:
                losses = folds.losses(k, alphas, unit)
            else:
                assert isinstance(folds, Folds)  # losses that are piecewise linear are no squares
                alphas, losses = folds.losses_between_knots(k, end, unit)
        least = float(losses.min())
        told = f"smallest mean loss {least:.6g}" if scores is None else f"largest score {-least:.6g}"
        self._say(f"{lot.target.name}fold {k + 1} of {folds.number}: {told}")
        return alphas, losses

    def _unit(self, model: CertifiedRegressor, data: Data, train: Index) -> ElasticNet:
        """The penalty at alpha = 1 for the training rows of a fold, which it may depend on."""
        if not getattr(model, "_depends_on_rows", False):
            return model._scaled_penalty(data, 1.0)
        weight = np.bincount(train, data.weight[train], minlength=data.weight.size)
        return model._scaled_penalty(replace(data, weight=weight / weight.sum()), 1.0)


def _a_decade_longer(alphas: Array) -> Array:
    return np.append(alphas, alphas[-1] * _DECADE)


def _rows(rows: ArrayLike, data: Data) -> Index:
    """Row numbers from row numbers (negative ones count from the end) or from a mask."""
    chosen = np.asarray(rows)
    if chosen.size == 0:
        return np.zeros(0, dtype=np.intp)
    n_samples = data.weight.size
    if chosen.dtype.kind not in "iub" or chosen.ndim != 1:
        raise ValueError(f"cv must yield indices of rows, or masks, got {rows!r}.")
    if chosen.dtype == bool:
        if chosen.size != n_samples:
            raise ValueError(f"cv yields a mask of {chosen.size} rows, but there are {n_samples}.")
        return np.flatnonzero(chosen)
    beyond = chosen[(chosen < -n_samples) | (chosen >= n_samples)]
    if beyond.size:
        raise ValueError(f"cv yields row {beyond[0]}, but there are {n_samples} rows.")
    return np.arange(n_samples)[chosen]
