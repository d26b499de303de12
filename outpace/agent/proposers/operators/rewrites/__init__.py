"""The catalogue of speed rewrites: each keeps what a program computes and changes how, as far as can be seen.

Whether it does keep the answers, and whether it is any faster, the evaluator finds out: a rewrite only has to be
likely.
"""

from outpace.agent.proposers.operators.rewrites.catalogue import Rewritten, names, rewrites

__all__ = ["Rewritten", "names", "rewrites"]
