"""Row by row in plain Python, with branches in place of calls and no index in the inner loop."""


def edit_distance(a: bytes, b: bytes) -> int:
    """Return the Levenshtein distance."""
    row = list(range(len(b) + 1))
    for i, letter in enumerate(a):
        diagonal = left = i
        left += 1
        column = [left]
        keep = column.append
        for other, above in zip(b, row[1:], strict=True):
            if letter != other:
                diagonal += 1
                if above < diagonal:
                    diagonal = above + 1
                if left < diagonal:
                    diagonal = left + 1
            left = diagonal
            diagonal = above
            keep(left)
        row = column
    return row[-1]
