"""Two-dimensional convolution by its definition."""

import numpy as np


# EVOLVE-BLOCK-START
def convolve(image, kernel):
    """Return the sums of products of the turned kernel with every part of the image that it fits on."""
    height, width = kernel.shape
    rows = image.shape[0] - height + 1
    columns = image.shape[1] - width + 1
    pixels = image.tolist()
    weights = kernel[::-1, ::-1].tolist()
    found = np.empty((rows, columns))
    for y in range(rows):
        for x in range(columns):
            total = 0.0
            for i in range(height):
                for j in range(width):
                    total += weights[i][j] * pixels[y + i][x + j]
            found[y, x] = total
    return found


# EVOLVE-BLOCK-END
