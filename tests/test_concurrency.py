"""Threads, processes, thread pools of BLAS and the seed of hashes: who computes, and where, changes no bit.

What may hang is fenced: tests in this process are ended by faulthandler, and children live in a process of their own
that has a time limit, imports this module and leaves what it found in a file.
"""

import faulthandler
import os
import pickle
import subprocess
import sys
import warnings
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from threading import Barrier

import joblib
import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from threadpoolctl import threadpool_limits

from ladreg import (
    ElasticNetCDCV,
    LADRegressor,
    LADRegressorCV,
    LADRegressorIC,
    LassoCD,
    LassoCDCV,
    QuantileRegressorCV,
    StabilitySelection,
    lad_path,
    lasso_path,
)
from tests.public import CROSS_VALIDATED, ESTIMATORS, ONE_EACH, SELECTORS

KINDS = ("tall", "wide", "sparse", "degenerate")
# Here BLAS wakes its threads, which adds up in another order.
ALL_KINDS = (*KINDS, "square")
PARALLEL = [*CROSS_VALIDATED, *SELECTORS]
LIMIT = 300  # seconds, after which a hang is told from a slow machine


@pytest.fixture(autouse=True)
def no_hang():
    faulthandler.dump_traceback_later(LIMIT, exit=True)
    yield
    faulthandler.cancel_dump_traceback_later()


@cache
def table(kind):
    """X and y of a kind, the same in every process."""
    rng = np.random.default_rng(ALL_KINDS.index(kind))
    if kind == "tall":
        X = rng.standard_normal((10_500, 10))
    elif kind == "square":
        X = rng.standard_normal((400, 100))
    elif kind == "wide":
        X = rng.standard_normal((15, 40))
    elif kind == "sparse":
        X = sp.random_array((200, 20), density=0.2, format="csc", rng=rng)
    else:
        X = rng.integers(0, 3, (80, 4))[:, [0, 1, 2, 3, 1]].astype(float)
    signal = X[:, [0, 3]] @ np.array([2.0, -1.0])
    return X, np.round(signal + rng.standard_t(2, X.shape[0]), 1 if kind == "degenerate" else 12)


def found(model, X, y):
    """All that a fit leaves behind, and what it predicts, by names."""
    fitted = clone(model).fit(X, y)
    values = {name: value for name, value in vars(fitted).items() if name.endswith("_")}
    if hasattr(fitted, "predict"):
        values |= {"predict": fitted.predict(X), "certificate": repr(fitted.certificate_)}
    return values


def bits(values):
    """Equal for equal bits only."""
    return {
        name: (value.shape, value.dtype.str, value.tobytes()) if isinstance(value, np.ndarray) else repr(value)
        for name, value in values.items()
    }


def fits(kind, models):
    """The bits of fits to a table."""
    return [bits(found(model, *table(kind))) for model in models]


def at_once(jobs):
    """The results of functions that as many threads begin at the same time."""
    barrier = Barrier(len(jobs))

    def begin(job):
        barrier.wait()
        return job()

    with ThreadPoolExecutor(len(jobs)) as pool:
        return [future.result() for future in [pool.submit(begin, job) for job in jobs]]


def test_the_tall_table_reaches_the_reduction_of_rows():
    fitted = LADRegressor().fit(*table("tall"))
    assert fitted.certificate_.solver == "interior point on reduced rows"


@pytest.mark.parametrize("kind", KINDS)
def test_eight_threads_fit_what_one_fits(kind):
    """Each thread takes a quarter of the estimators, from another one on, so that different ones meet."""
    before = pickle.dumps(table(kind))
    alone, number = fits(kind, ONE_EACH), len(ONE_EACH) // 4
    turns = range(0, 2 * 8, 2)
    together = at_once([lambda k=k: fits(kind, (ONE_EACH[k:] + ONE_EACH[:k])[:number]) for k in turns])
    for k, given in zip(turns, together, strict=True):
        assert given == (alone[k:] + alone[:k])[:number]
    assert pickle.dumps(table(kind)) == before


@pytest.mark.parametrize("model", ESTIMATORS, ids=repr)
def test_four_threads_fit_copies_of_one_estimator_and_use_one_fit(model):
    X, y = table("wide")
    fitted = clone(model).fit(X, y)
    state = pickle.dumps(fitted)

    def used():
        if not hasattr(fitted, "predict"):
            return fitted.transform(X).tobytes()
        return fitted.predict(X).tobytes(), repr(fitted.certificate_), repr(fitted.verify(X, y))

    assert at_once([used] * 4) == [used()] * 4
    assert pickle.dumps(fitted) == state
    assert at_once([lambda: bits(found(model, X, y))] * 4) == [bits(found(model, X, y))] * 4


def test_eight_threads_compute_the_same_paths():
    X, y = table("tall")

    def paths():
        squared = lasso_path(X, y, alphas=5, fit_intercept=True)
        return [np.asarray(part).tobytes() for part in (*squared[:2], *lad_path(X, y, alphas=5)[:2])]

    assert at_once([paths] * 8) == [paths()] * 8


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("model", PARALLEL, ids=repr)
def test_any_number_of_jobs_gives_the_same_bits(model, kind):
    alone = bits(found(model, *table(kind)))
    for n_jobs in (2, -1) if kind == "wide" else (2,):
        assert bits(found(clone(model).set_params(n_jobs=n_jobs), *table(kind))) == alone
    with joblib.parallel_config("threading", n_jobs=3):
        assert bits(found(model, *table(kind))) == alone


# Every class on two of the tables.
JOBS = [(kind, ONE_EACH[k :: len(KINDS)]) for k, kind in enumerate(KINDS)]


def pooled(method):
    """What children of the standard library find; each of them imports anew, except where it is a fork."""
    with get_context(method).Pool(1) as pool:
        return pool.starmap(fits, JOBS, chunksize=1)


def children(path):
    """For a process of its own: fits there, then in children of every kind, then there again."""
    faulthandler.dump_traceback_later(LIMIT - 10, exit=True)
    here, there = [fits(*job) for job in JOBS], {}
    # With several threads of BLAS in this process, which a fork does not have.
    there["fork"] = pooled("fork")
    # These have as many threads of BLAS: another number sums large products in another order.
    there["spawn"] = pooled("spawn")
    # Arrays reach the workers as files that are read only.
    with joblib.parallel_config("loky", n_jobs=2, max_nbytes=100, inner_max_num_threads=2):
        there["loky"] = joblib.Parallel()(joblib.delayed(fits)(*job) for job in JOBS)
        # The folds and halves of these go to the workers too.
        there["folds by loky"] = [fits(*job) for job in JOBS]
    there["here again"] = [fits(*job) for job in JOBS]
    joblib.dump((here, there), path)


def test_children_fit_what_their_parent_fits(tmp_path):
    """Each child seeds hashes anew."""
    script = f"from tests import test_concurrency as own; own.children({str(tmp_path / 'found')!r})"
    environment = {"OPENBLAS_NUM_THREADS": "2", "PYTHONHASHSEED": "random", "JOBLIB_TEMP_FOLDER": str(tmp_path)}
    ended = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script],
        cwd=Path(__file__).parents[1],
        env={**os.environ, **environment},
        timeout=LIMIT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    here, there = joblib.load(tmp_path / "found")
    assert {name for name, given in there.items() if given != here} == set()
    assert len(there) == 5


@pytest.mark.parametrize("kind", ALL_KINDS)
def test_threads_of_blas_change_rounding_only(kind):
    answers = {}
    models = ONE_EACH if kind != "square" else ONE_EACH[:7]
    for n_threads in (1, 2):
        with threadpool_limits(n_threads, user_api="blas"):
            answers[n_threads] = [found(model, *table(kind)) for model in models]
    for model, one, two in zip(models, answers[1], answers[2], strict=True):
        for name in {"coef_", "intercept_", "objective_", "alpha_", "predict", "stability_paths_"} & set(two):
            size = max(np.abs(two[name]).max(), 1.0)
            np.testing.assert_allclose(one[name], two[name], rtol=1e-9, atol=1e-9 * size, err_msg=f"{model}")


LIMITED = [
    LassoCDCV(alphas=5, cv=2, max_iter=1),
    ElasticNetCDCV(alphas=5, cv=2, max_iter=1),
    LADRegressorCV(alphas=3, cv=2, max_iter=1, solver="linprog"),
    QuantileRegressorCV(alphas=3, cv=2, max_iter=1, solver="highs"),
]


def told(model, X, y):
    """What ConvergenceWarnings say."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        clone(model).fit(X, y)
    return [str(warning.message) for warning in caught if issubclass(warning.category, ConvergenceWarning)]


@pytest.mark.parametrize("model", LIMITED, ids=repr)
def test_a_limit_reached_in_the_folds_is_told_once(model):
    X = np.random.default_rng(1).standard_normal((30, 200))
    messages = told(model, X, X[:, 0] ** 2)
    assert sum("training rows of folds" in message for message in messages) == 1
    assert len(messages) <= 3  # folds, the path of all rows, and the fit
    for n_jobs in (1, 2):
        assert told(clone(model).set_params(n_jobs=n_jobs), X, X[:, 0] ** 2) == messages


@pytest.mark.parametrize(
    "model", [LassoCD(alpha=0.001, max_iter=1), LADRegressorIC(alphas=3, max_iter=1, solver="linprog")]
)
def test_warnings_name_the_users_line(model):
    X = np.random.default_rng(1).standard_normal((30, 200))
    with pytest.warns(ConvergenceWarning) as caught:
        clone(model).fit(X, X[:, 0] ** 2)
    assert {Path(warning.filename).name for warning in caught} == {Path(__file__).name}


def test_warnings_of_threads_reach_the_user_once_each():
    X = np.random.default_rng(1).standard_normal((30, 200))
    model = StabilitySelection(LassoCD(max_iter=1), alphas=3, n_pairs=3, random_state=0)
    messages = told(model, X, X[:, 0] ** 2)
    assert len(set(messages)) == len(messages) > 0
    assert sorted(told(clone(model).set_params(n_jobs=2), X, X[:, 0] ** 2)) == sorted(messages)
