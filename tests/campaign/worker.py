"""One process of a campaign."""

from __future__ import annotations

import faulthandler
import signal
import time

from tests.campaign.problem import judged

# Seconds that no problem should take, and how many integers a process takes at a time.
TOO_LONG, PIECE = 120, 250


def work(pieces, taken, deadline, only, current, results):
    """Judge one piece (first, last) after the other until none is left; the integer at work is in `current`.

    `taken` counts the pieces that the processes of a campaign have begun. A piece begun before the deadline is ended.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    while time.time() < deadline:
        with taken.get_lock():
            place, taken.value = taken.value, taken.value + 1
        if place >= len(pieces):
            break
        results.put(
            (pieces[place], [verdict for seed in range(*pieces[place]) if (verdict := one(seed, only, current))])
        )
    faulthandler.cancel_dump_traceback_later()
    results.put(None)


def one(seed, only, current):
    """The verdict on one integer; None if the name of its estimator does not contain `only`."""
    current.value = seed
    faulthandler.dump_traceback_later(TOO_LONG, exit=True)
    return judged(seed, only)
