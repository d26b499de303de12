"""Heat in a plate: explicit differences in plain loops."""


# EVOLVE-BLOCK-START
def diffuse(temperature, conductivity, dt, steps):
    """Return the temperatures after ``steps`` steps of ``dt``; cells on the rim keep theirs, and the inputs stay.

    Both arrays have shape (rows, columns). Through the side between two cells flows the difference of their
    temperatures times the mean of their conductivities.
    """
    rows, columns = temperature.shape
    old = temperature.tolist()
    k = conductivity.tolist()
    for _ in range(steps):
        new = [row[:] for row in old]
        for i in range(1, rows - 1):
            for j in range(1, columns - 1):
                here = old[i][j]
                up = 0.5 * (k[i][j] + k[i - 1][j]) * (old[i - 1][j] - here)
                down = 0.5 * (k[i][j] + k[i + 1][j]) * (old[i + 1][j] - here)
                left = 0.5 * (k[i][j] + k[i][j - 1]) * (old[i][j - 1] - here)
                right = 0.5 * (k[i][j] + k[i][j + 1]) * (old[i][j + 1] - here)
                new[i][j] = here + dt * (up + down + left + right)
        old = new
    found = temperature.copy()
    for i in range(rows):
        for j in range(columns):
            found[i, j] = old[i][j]
    return found


# EVOLVE-BLOCK-END
