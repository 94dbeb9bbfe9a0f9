"""One process of a campaign."""

from __future__ import annotations

import faulthandler
import signal
import time
from multiprocessing import parent_process

from tests.campaign.problem import judged

# Seconds that no problem should take, and how many integers a process takes at a time.
TOO_LONG, PIECE = 120, 250


def work(pieces, taken, deadline, only, current, lost, results):
    """Judge one piece (first, last) after the other until none is left; the integer at work is in `current`.

    `taken` counts the pieces that the processes of a campaign have begun. A piece begun before the deadline is ended.
    `lost` holds the verdicts on the integers at which an earlier process ended: their piece is judged again first.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if lost:
        results.put(_judged(_piece_of(max(lost), pieces), only, current, lost))
    while time.time() < deadline and parent_process().is_alive():
        with taken.get_lock():
            place, taken.value = taken.value, taken.value + 1
        if place >= len(pieces):
            break
        results.put(_judged(pieces[place], only, current, {}))
    faulthandler.cancel_dump_traceback_later()
    results.put(None)


def _piece_of(seed, pieces):
    return next(piece for piece in pieces if piece[0] <= seed < piece[1])


def _judged(piece, only, current, lost):
    verdicts = (lost[seed] if seed in lost else one(seed, only, current) for seed in range(*piece))
    return piece, [verdict for verdict in verdicts if verdict]


def one(seed, only, current):
    """The verdict on one integer; None if the name of its estimator does not contain `only`."""
    current.value = seed
    faulthandler.dump_traceback_later(TOO_LONG, exit=True)
    return judged(seed, only)
