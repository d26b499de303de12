"""A comparison: the same tasks given to several strategies, at equal budgets, with several seeds.

Each cell of it (a task, an entrant, a seed) is an ordinary run; an entrant is a strategy with a setting of its
parameters. The figures are read from the store alone, so they can be worked out again at any time.

What a comparison has to show is that of ArchGym (Krishnan et al. 2023, https://arxiv.org/abs/2306.08888): any search
wins where only its parameters are chosen well, so it is the distribution over settings and seeds that tells searches
apart, and the random walker is always in the table.
"""
