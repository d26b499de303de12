"""Row by row in plain Python (Wagner & Fischer 1974)."""


def edit_distance(a: bytes, b: bytes) -> int:
    """Return the Levenshtein distance."""
    previous = list(range(len(b) + 1))
    for i in range(len(a)):
        current = [0] * (len(b) + 1)
        current[0] = i + 1
        for j in range(len(b)):
            insertion = current[j] + 1
            deletion = previous[j + 1] + 1
            substitution = previous[j]
            if a[i] != b[j]:
                substitution += 1
            current[j + 1] = min(insertion, deletion, substitution)
        previous = current
    return previous[-1]
