"""The shared body of estimators that choose alpha by cross-validation along a path."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from numbers import Integral
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike
from sklearn import get_config
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping, process_routing
from sklearn.utils.parallel import Parallel, delayed

from ladreg._arrays import Array, Index
from ladreg._estimators import (
    CertifiedRegressor,
    Data,
    MomentData,
    any_size,
    check_choice,
    names_of,
    subtasks,
    task,
    warn_user,
)
from ladreg._from_blocks import ColumnFolds, RowFolds
from ladreg._paths import Folds, Path, Ranges, Split, SquaredFolds, folds_of
from ladreg._problem import ElasticNet
from ladreg._row_blocks import Passes
from ladreg._tuning.base import Candidate, Choice, TunedRegressor, check_not_empty
from ladreg._tuning.curves import Curves
from ladreg._tuning.scoring import Scores, checked_scorer

# alphas="auto" begins with the grid of the default, 100 alphas, and adds a decade of 33 at a time, as dense as the grid
# of the default `eps`, three times at most: alphas of 1e-6 times the largest leave nothing of the penalty.
_FIRST = 100
_DECADE = np.geomspace(1.0, 0.1, 34)[1:]
_DECADES = 3


@dataclass(frozen=True)
class HeldOut:
    """Training and held-out rows of each fold, and the scores of these if they are not judged by the loss."""

    splits: list[Split]
    scores: Scores | None


@dataclass(frozen=True)
class Searched:
    """The candidates, known paths of all rows, and losses of held-out rows; whether the grids end too early."""

    candidates: list[Candidate]
    paths: list[Path]
    curves: Curves
    is_open: bool


HoldOut = Callable[[list[Candidate]], tuple[list[Candidate], Curves]]


class CrossValidatedRegressor(TunedRegressor):
    """A regressor that chooses its alpha by the losses of held-out rows."""

    _losses_name: ClassVar[str]
    cv: Any
    n_jobs: int | None
    selection: str
    scoring: Any
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
            raise ValueError(f"cv={self.cv!r} names a column: that is for data in blocks of rows alone.")
        # Imported here, since this takes as long as importing everything else together.
        from sklearn.model_selection import check_cv

        for pair in self.cv if isinstance(self.cv, list | tuple) else ():
            if not isinstance(pair, list | tuple | np.ndarray) or len(pair) != 2:
                raise ValueError(f"cv must give pairs, rows to train with and rows that are held out, got {pair!r}.")
        return check_cv(self.cv)

    def _n_tasks(self, given: HeldOut) -> int:
        return len(given.splits) * len(self._models()) * (1 + _DECADES if self._extends else 1)

    def _prepared(self, X: ArrayLike, y: ArrayLike, data: Data, sample_weight: Any, params: dict[str, Any]) -> HeldOut:
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
                raise TypeError(f"fit got an unexpected argument {min(unknown)!r}: only groups go to the splitter.")
            routed = params
        splits = [(_rows(train, data), _rows(test, data)) for train, test in splitter.split(X, y, **routed)]
        if not splits:
            raise ValueError("cv gives no fold: an iterator serves once, a list of splits or a splitter always.")
        for k, (train, test) in enumerate(splits):
            for name, rows in (("training", train), ("held-out", test)):
                if not np.any(data.weight[rows] > 0):
                    raise ValueError(f"fold {k} of cv has no {name} rows, or none with a weight above zero.")
        if self.scoring is None:
            return HeldOut(splits, None)
        return HeldOut(splits, Scores.of(checked_scorer(self.scoring), X, data.Y[:, 0], for_scorer))

    def _prepared_blocks(self, passes: Passes, params: dict[str, Any]) -> tuple[MomentData, HeldOut]:
        """The moments of the folds, and the rows that stand for them."""
        for name in params:
            raise TypeError(f"fit got an unexpected argument {name!r}: data in blocks take folds by cv alone.")
        if self.scoring is not None:
            raise ValueError("scoring must be None where data come in blocks of rows: scorers need all rows.")
        folds, least = self._folds_in(passes)
        blocks = MomentData.of(passes, folds, bool(self._model.fit_intercept), least)
        tests = blocks.rows.folds
        every = np.arange(blocks.data.weight.size)
        return blocks, HeldOut([(np.setdiff1d(every, test), test) for test in tests], None)

    def _folds_in(self, passes: Passes) -> tuple[RowFolds | ColumnFolds, int]:
        """The folds of data in blocks, and how many of them there must be at least: by a column's name, or by rows."""
        if isinstance(self.cv, str):
            names = names_of(passes)
            if names is None or self.cv not in names:
                raise ValueError(f"cv must be an integer or the name of a column of X, got {self.cv!r}.")
            return ColumnFolds(names.index(self.cv)), 2
        if not (self.cv is None or isinstance(self.cv, Integral)):
            raise ValueError(
                "cv must be None, an integer or the name of a column where data come in blocks of rows, got "
                f"{self.cv!r}."
            )
        number, n_rows = self._splitter().get_n_splits(), passes.n_rows
        if number > n_rows:
            raise ValueError(f"cv={number} is more than the number of rows, {n_rows}.")
        # As `KFold` has them: the first folds have one row more.
        sizes = n_rows // number + (np.arange(number) < n_rows % number)
        return RowFolds(np.concatenate([[0], np.cumsum(sizes)]).astype(np.intp)), number

    def _chosen(self, candidates: list[Candidate], data: Data, given: HeldOut, context: Any) -> Choice:
        model, posed = candidates[0].model, candidates[0].problem
        # All rows, those of weight zero too, which the splits count.
        problem = model._problem(data, np.ascontiguousarray(data.Y[:, 0]), posed.loss, posed.penalty)
        settings, estimate = self._settings(), model._estimated
        # Scores ask for the fits to the training rows, which the folds of squares do not keep.
        make = folds_of if given.scores is None else Folds
        folds = make(problem, given.splits, settings, mixing=self._mixing, estimate=estimate)
        contexts = iter(subtasks(context, "fold", self._n_tasks(given)))
        held_out = partial(self._held_out, data=data, folds=folds, given=given, contexts=contexts)
        found = self._searched(candidates, folds, held_out)
        (best, lowest), near = found.curves.best, found.curves.near
        candidate = found.candidates[best]
        self.alpha_min_, self.alpha_1se_ = float(candidate.alphas[lowest]), float(candidate.alphas[near])
        self._keep(found.curves, np.array([folds.constant(k) for k in range(len(given.splits))]))
        k = near if self.selection == "1se" else lowest
        self._say(f"alpha={candidate.alphas[k]:.6g}, {self._told(found.curves.means[best, k])}; fitting the path")
        if found.is_open and k == lowest:
            self._advise_smaller(float(candidate.alphas[k]))
        if candidate.ranges is not None:
            path = candidate.path(settings)
        else:
            path = found.paths[best] if found.paths else folds.path(candidate.problem, candidate.alphas)
        return Choice(found.candidates, best, k, path, folds.solver_at(path, k))

    def _searched(self, candidates: list[Candidate], folds: Folds | SquaredFolds, held_out: HoldOut) -> Searched:
        """The losses of held-out rows; with `alphas="auto"` along longer grids while the best alpha is the last."""
        candidates, paths, whole = self._within_limit(candidates, folds)
        candidates, curves = held_out(candidates)
        for _ in range(_DECADES if self._extends else 0):
            if not (whole and curves.falls):
                break
            number = curves.means.shape[1]
            longer = [one.with_alphas(np.append(one.alphas, one.alphas[-1] * _DECADE)) for one in candidates]
            candidates, paths, whole = self._within_limit(longer, folds)
            _, others = held_out([one.with_alphas(one.alphas[number:]) for one in candidates])
            curves = curves.followed_by(others)
        return Searched(candidates, paths, curves, whole and curves.falls)

    def _within_limit(
        self, candidates: list[Candidate], folds: Folds | SquaredFolds
    ) -> tuple[list[Candidate], list[Path], bool]:
        """The candidates whose paths end by `max_features`, these paths, and whether all are as long as without it."""
        if self.max_features is None:
            return candidates, [], True
        paths = [self._limited(candidate, folds) for candidate in candidates]
        limited = [candidate.with_path(path) for candidate, path in zip(candidates, paths, strict=True)]
        whole = all(one.alphas.size == other.alphas.size for one, other in zip(candidates, limited, strict=True))
        return limited, paths, whole

    def _advise_smaller(self, alpha: float) -> None:
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
            f"alpha={alpha:.4g} is the smallest that was tried, and the {kind} up to there: a smaller one may be "
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

    def _limited(self, candidate: Candidate, folds: Folds | SquaredFolds) -> Path:
        """The path of all rows, which ends before the first fit with more than `max_features` features."""
        if candidate.ranges is not None:
            path = candidate.ranges.path.within(self.max_features)
        else:
            path = folds.path(candidate.problem, candidate.alphas, self.max_features)
        check_not_empty(path, self.max_features)
        return path

    def _held_out(
        self,
        candidates: list[Candidate],
        data: Data,
        folds: Folds | SquaredFolds,
        given: HeldOut,
        contexts: Iterator[Any],
    ) -> tuple[list[Candidate], Curves]:
        """The candidates with their alphas, and the losses of held-out rows at these."""
        jobs, splits = [], given.splits
        for candidate in candidates:
            for k, (train, _) in enumerate(splits):
                unit = self._unit(candidate.model, data, train)
                jobs.append(delayed(self._fold)(folds, k, candidate, unit, given.scores, next(contexts)))
        self._say(f"{len(splits)} folds of {'all' if self._follows_knots else candidates[0].alphas.size} alphas")
        # Threads: the kernels and BLAS release the interpreter lock, and X is not copied.
        found = Parallel(n_jobs=self.n_jobs, prefer="threads", verbose=max(int(self.verbose) - 1, 0))(jobs)
        losses = [values for _, values in found]
        if candidates[0].ranges is not None:
            ranges = Ranges.between(candidates[0].ranges.path, [knots for knots, _ in found])
            candidates = [candidates[0].with_ranges(ranges)]
            losses = [values[ranges.of(knots)] for knots, values in found]
        return candidates, Curves.of([candidate.alphas for candidate in candidates], losses, len(splits))

    def _fold(
        self,
        folds: Folds | SquaredFolds,
        k: int,
        candidate: Candidate,
        unit: ElasticNet,
        scores: Scores | None,
        context: Any,
    ) -> tuple[Array, Array]:
        """The losses of one fold, and their alphas: those of the candidate, or the knots of the fold."""
        alphas = candidate.alphas
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
        self._say(f"fold {k + 1} of {len(folds.splits)}: {told}")
        return alphas, losses

    def _unit(self, model: CertifiedRegressor, data: Data, train: Index) -> ElasticNet:
        """The penalty at alpha = 1 for the training rows of a fold, which it may depend on."""
        if not getattr(model, "_depends_on_rows", False):
            return model._scaled_penalty(data, 1.0)
        weight = np.bincount(train, data.weight[train], minlength=data.weight.size)
        return model._scaled_penalty(replace(data, weight=weight / weight.sum()), 1.0)


def _rows(rows: ArrayLike, data: Data) -> Index:
    """Row numbers from row numbers (negative ones count from the end) or from a mask."""
    chosen = np.asarray(rows)
    if chosen.size == 0:
        return np.zeros(0, dtype=np.intp)
    n_samples = data.weight.size
    if chosen.dtype.kind not in "iub" or chosen.ndim != 1:
        raise ValueError(f"cv must give the numbers of rows, or masks, got {rows!r}.")
    if chosen.dtype == bool:
        if chosen.size != n_samples:
            raise ValueError(f"cv gives a mask of {chosen.size} rows, but there are {n_samples}.")
        return np.flatnonzero(chosen)
    beyond = chosen[(chosen < -n_samples) | (chosen >= n_samples)]
    if beyond.size:
        raise ValueError(f"cv gives row {beyond[0]}, but there are {n_samples} rows.")
    return np.arange(n_samples)[chosen]
