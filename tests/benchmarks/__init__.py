"""Comparisons with the peers: one adapter a rival, quality judged outside the solver by our objective or gap."""
