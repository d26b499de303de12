"""Trusted half of convolution: draws images and kernels, and adds up shifted images."""

import numpy as np

from outpace.tasks import spec
from outpace.tasks.spec import Case, Output, Problem, WrongAnswer

TOLERANCE = 1e-12
"""Allowed difference, as a part of the largest number in the answer.

Over 30 seeds of every case loops and shifted images gave the same numbers; Fourier transforms, on one seed of three
cases, differ by less than 3e-15. Single precision: 4e-8 and more.
"""


class Task(spec.Task):
    """Problem: ``image`` and ``kernel``. Answer: their convolution where they overlap fully, float64."""

    def generate(self, case: Case, seed: int) -> Problem:
        """Draw an image with a slope and a kernel, all numbers independent; lengths vary by a tenth.

        ``edges``: a single number, a kernel as large as the image, one row, one column, in turn. A kernel of
        independent numbers has full rank, so it is no product of two vectors, and it has no symmetry.
        """
        rng = np.random.default_rng(seed)
        params = case.params
        image, kernel = tuple(params["image"]), tuple(params["kernel"])
        if params["kind"] == "edges":
            small = [(image, (1, 1)), (image, image), ((1, 1), (1, 1)), (image, (1, kernel[1])), (image, (image[0], 1))]
            image, kernel = small[seed % 5]
        else:
            longer = [int(rng.integers(length, length * 11 // 10 + 1)) for length in image]
            image = (longer[0], longer[1]) if image[0] > 1 else (1, longer[1])
        slope = np.add.outer(np.arange(image[0]) * rng.normal(), np.arange(image[1]) * rng.normal()) / sum(image)
        return {"image": rng.normal(size=image) + slope, "kernel": rng.normal(size=kernel)}

    def reference(self, problem: Problem) -> Output:
        """Add up copies of the image, one for every number of the kernel."""
        image, kernel = problem["image"], problem["kernel"]
        rows, columns = image.shape[0] - kernel.shape[0] + 1, image.shape[1] - kernel.shape[1] + 1
        found = np.zeros((rows, columns))
        turned = kernel[::-1, ::-1]
        for i in range(kernel.shape[0]):
            for j in range(kernel.shape[1]):
                found += turned[i, j] * image[i : i + rows, j : j + columns]
        return found

    def check(self, problem: Problem, output: Output) -> None:
        """Type and shape, then every number against the reference."""
        image, kernel = problem["image"], problem["kernel"]
        shape = (image.shape[0] - kernel.shape[0] + 1, image.shape[1] - kernel.shape[1] + 1)
        if type(output) is not np.ndarray or output.dtype != np.float64 or output.shape != shape:
            raise WrongAnswer(f"expected a float64 array of shape {shape}, got {_shown(output)}")
        right = self.reference(problem)
        off = np.abs(output - right)
        allowed = TOLERANCE * float(np.abs(right).max())
        if not np.all(off <= allowed):
            row, column = np.unravel_index(int(np.argmax(off)), shape)
            given, expected = float(output[row, column]), float(right[row, column])
            raise WrongAnswer(f"answer[{row}, {column}] is {given}, expected {expected} to within {allowed:.1e}")


def _shown(value: object) -> str:
    if isinstance(value, np.ndarray):
        return f"a {value.dtype} array of shape {value.shape}"
    return f"a {type(value).__name__}"
