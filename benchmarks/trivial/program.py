# EVOLVE-BLOCK-START
def solve(x):
    return 0.5 * x + 1.0


# EVOLVE-BLOCK-END
