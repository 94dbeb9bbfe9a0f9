"""Fits on a real cluster of two worker processes: the bits of one process, also where a worker is killed."""

import os
import signal

import numpy as np
import pytest

from ladreg import LADRegressor, LassoCD, blocks

N, P = 12_000, 3
dask = pytest.importorskip("dask")
da = pytest.importorskip("dask.array")
distributed = pytest.importorskip("distributed")
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning:distributed")


def table(k=None):
    """Quarter k of the rows, or all of them."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((N, P))
    y, w = X @ np.arange(P) + rng.standard_t(2, N), rng.uniform(0.5, 2.0, N)
    part = slice(None) if k is None else slice(k * N // 4, (k + 1) * N // 4)
    return X[part], y[part], w[part]


class Quarters:
    """The table in four blocks; the worker that loads block `k` for one of the times in `kills` dies."""

    n_blocks = 4

    def __init__(self, folder, kills=(), k=2):
        self.folder, self.kills, self.k, self.owner = folder, kills, k, os.getpid()

    def name(self, k):
        return f"quarter {k}"

    def rows(self, k):  # noqa: ARG002
        return N // 4

    def load(self, k):
        if k == self.k and os.getpid() != self.owner:
            number = len(tasks(self.folder))
            (self.folder / str(number)).write_text(str(distributed.get_worker().get_current_task()))
            if number in self.kills:
                os.kill(os.getpid(), signal.SIGKILL)
        return table(k)


def tasks(folder):
    """The tasks that loaded this block, one after the other."""
    return [path.read_text() for path in sorted(folder.iterdir())]


@pytest.fixture(scope="module")
def client():
    with dask.config.set({"distributed.worker.multiprocessing-method": "forkserver"}):
        distributed.utils.get_mp_context().set_forkserver_preload(["distributed", "ladreg", "dask.array"])
        with (
            distributed.LocalCluster(
                n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, silence_logs=60
            ) as cluster,
            distributed.Client(cluster) as client,
        ):
            yield client


def assert_bits(model, wanted):
    assert model.coef_.tobytes() == wanted.coef_.tobytes()
    assert (model.intercept_, model.objective_, model.dual_gap_) == (
        wanted.intercept_,
        wanted.objective_,
        wanted.dual_gap_,
    )


def test_a_worker_killed_in_a_pass_changes_no_bit(client, tmp_path):
    """Tasks have the names of passes, and a task of the worker that was killed is done again."""
    wanted = LADRegressor().fit(blocks.Blocks(Quarters(tmp_path)).holding(2000))
    model = LADRegressor().fit(blocks.Blocks(Quarters(tmp_path, kills=[1])).holding(2000).on(client))
    assert_bits(model, wanted)
    names = [name.split("-")[:2] for name in tasks(tmp_path)]
    assert names == [["ladreg", name] for name in ("survey", "refine", "refine", "gather", "certify")]


def test_two_passes_of_a_lasso_have_the_bits_of_one_process(client, tmp_path):
    data = blocks.Blocks(Quarters(tmp_path))
    wanted = LassoCD(alpha=0.05).fit(data)
    assert_bits(LassoCD(alpha=0.05).fit(data.on(client)), wanted)
    assert len(tasks(tmp_path)) == wanted.n_passes_


def test_collections_are_computed_by_workers_that_may_die(client, tmp_path):
    parts = [dask.delayed(Quarters(tmp_path, kills=[0]).load, pure=False)(k) for k in range(4)]
    X, y, w = (
        da.concatenate([da.from_delayed(part[j], (N // 4, *more), dtype=float) for part in parts])
        for j, more in ((0, (P,)), (1, ()), (2, ()))
    )
    wanted = LADRegressor().fit(blocks.Blocks(Quarters(tmp_path)))
    assert_bits(LADRegressor().fit(X, y, w), wanted)
    assert len(tasks(tmp_path)) > 1


def test_a_block_that_kills_its_workers_is_named(client, tmp_path):
    client.wait_for_workers(2)
    client.run_on_scheduler(lambda dask_scheduler: setattr(dask_scheduler, "allowed_failures", 0))
    data = blocks.Blocks(Quarters(tmp_path, kills=range(100), k=0))
    with pytest.raises(RuntimeError, match=r"workers died while they read quarter 0( or quarter \d)*: .*ladreg-survey"):
        LADRegressor().fit(data.on(client))
    with pytest.raises(RuntimeError, match=r"workers died while they read (block \d of .*killed-|partition \d, or)"):
        LADRegressor().fit(*(da.from_array(part, chunks=N // 4).map_blocks(killed) for part in table()[:2]))


def killed(values, block_info=None):
    """The third block, which kills its worker."""
    if block_info and block_info[0]["chunk-location"][0] == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    return values
