"""One process of a campaign."""

from __future__ import annotations

import faulthandler
import signal
import time

from tests.campaign.problem import judged

# Seconds that no problem should take, and how many verdicts are sent at a time.
TOO_LONG, BATCH = 120, 50


def work(first, step, last, deadline, only, current, results):
    """One process: every `step`-th integer from `first` on; the one at work is in `current`, should it be the end."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    batch, seed = [], first
    while seed < last and time.time() < deadline:
        current.value = seed
        faulthandler.dump_traceback_later(TOO_LONG, exit=True)
        verdict = judged(seed, only)
        if verdict is not None:
            batch.append(verdict)
        if len(batch) >= BATCH:
            results.put(batch)
            batch = []
        seed += step
    faulthandler.cancel_dump_traceback_later()
    results.put(batch)
    results.put(None)
