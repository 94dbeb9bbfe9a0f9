"""``python -m tests.campaign --minutes 1``: random problems until the time is over, judged; one table at the end."""

from __future__ import annotations

import argparse
import multiprocessing
import os
import queue
import sys
import time

import numpy as np

from tests.campaign import block_folds
from tests.campaign.blocks import check_blocks
from tests.campaign.bounds import check_bounds
from tests.campaign.draws import ALL_OPTIONS
from tests.campaign.paths import check_paths
from tests.campaign.problem import Verdict, judged, replayed
from tests.campaign.record import Record, commit
from tests.campaign.table import Tally, told
from tests.campaign.worker import PIECE, TOO_LONG, work

NONE = -1  # no integer: the process has not begun one


def campaign(options, record=None):
    """Start the processes and sum up what they send."""
    for threads in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[threads] = "1"  # for the processes that are spawned, before they load NumPy
    context = multiprocessing.get_context("spawn")
    results, taken, tally = context.Queue(), context.Value("q", 0), Tally()
    first = ALL_OPTIONS + options.seed * 10**9
    last = first + options.problems if options.problems else first + 10**7
    deadline = np.inf if options.problems else time.time() + 60 * options.minutes
    pieces = [(begin, min(begin + PIECE, last)) for begin in range(first, last, PIECE)]
    pieces = pieces if record is None else record.left(pieces)

    def started(lost):
        current = context.Value("q", NONE)
        task = (pieces, taken, deadline, options.only, current, lost, results)
        worker = context.Process(target=work, args=task, daemon=True)
        worker.start()
        return worker, current, lost

    workers = [started({}) for _ in range(options.jobs)]
    try:
        _collect(tally, workers, started, results, record)
    except KeyboardInterrupt:
        print("interrupted: this is what there is", file=sys.stderr)
    for worker, *_ in workers:
        worker.terminate()
    return tally


def _collect(tally, workers, started, results, record):
    """Take what the processes send; in place of a process that ended at an integer, start another one."""
    open_ends = len(workers)
    while open_ends:
        for ended in [each for each in workers if each[0].exitcode not in (None, 0)]:
            workers.remove(ended)
            worker, current, lost = ended
            if current.value == NONE:
                raise RuntimeError(f"a process ended with {worker.exitcode} before its first problem")
            workers.append(started({**lost, current.value: _crash(current.value, worker.exitcode)}))
        try:
            found = results.get(timeout=5)
        except queue.Empty:
            continue
        if found is None:
            open_ends -= 1
            continue
        piece, verdicts = found
        if record is not None:
            record.add(piece, verdicts)
        for verdict in verdicts:
            tally.add(verdict)
            if verdict.complaints:
                print(told(verdict), file=sys.stderr, flush=True)


def _crash(seed, exitcode):
    text = f"the process ended with {exitcode}: a crash, or more than {TOO_LONG} s"
    return Verdict(seed, "crash", [], {}, complaints=[text])


def replay(seed):
    """Print data and verdict of one problem."""
    model, case = replayed(seed)
    np.set_printoptions(precision=17, threshold=10_000, linewidth=120)
    print(f"{model}\nills = {case.ills}\ncontainer = {case.container!r}")
    print(f"X = {case.X!r}\ny = {case.y!r}\nweight = {case.weight!r}")
    verdict = judged(seed)
    if repr(verdict.parameters) != repr(model.parameters):
        print(f"complaint about another problem of this integer: {verdict.name} {verdict.parameters} {verdict.ills}")
    print(f"warned = {verdict.warned}\nrefused = {verdict.refused!r}\nverdict: {verdict.complaints or 'no complaint'}")
    return int(bool(verdict.complaints))


def main():
    parser = argparse.ArgumentParser(prog="python -m tests.campaign", description=__doc__)
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=0, help="problems of other seeds are other problems")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--only", default="", metavar="PART", help="estimators whose name contains this")
    parser.add_argument("--problems", type=int, help="number of problems, instead of minutes")
    parser.add_argument("--replay", type=int, metavar="INTEGER", help="print data and verdict of one problem")
    parser.add_argument("--paths", type=int, metavar="N", help="paths of N random tables against single fits, instead")
    parser.add_argument(
        "--bounds", type=int, metavar="N", help="N fits with bounds and ridges against Clarabel, instead"
    )
    parser.add_argument(
        "--blocks",
        type=int,
        metavar="N",
        help="N tables in blocks, and N / 4 cross-validations, against memory, instead",
    )
    parser.add_argument("--record", metavar="FILE", help="append the counts of each piece, or go on where FILE ends")
    options = parser.parse_args()
    if options.record and options.only:
        parser.error("--record is of all estimators: leave out --only")
    if options.blocks:
        said = check_blocks(options.blocks, options.seed)
        n_folds = -(-options.blocks // 4)  # each fits many times
        tuned = check_blocks(n_folds, options.seed, block_folds.drawn, block_folds.compared, "cross-validations")
        return said or tuned
    if options.bounds:
        return check_bounds(options.bounds, options.seed)
    if options.paths:
        return check_paths(options.paths, options.seed)
    if options.replay is not None:
        return replay(options.replay)
    record = Record(options.record, commit()) if options.record else None
    start = time.time()
    tally = campaign(options, record)
    print(tally.report())
    rate = tally.total["problems"] / (time.time() - start) / options.jobs
    print(f"\n{rate:.0f} problems a second and process", file=sys.stderr)
    return int(bool(tally.failures))


if __name__ == "__main__":
    sys.exit(main())
