"""Entries of the catalogue that no candidate here stands for, each with the reason."""

NEEDS_A_GPU = {
    "T1": "work on a side stream that no event sees",
    "T11": "replay of a captured graph with old pointers",
    "T14": "events without timing, destroyed or recorded twice",
    "T15": "a persisting cache window that keeps inputs hot",
    "C5": "address scan on the device",
    "C35": "tricks between several ranks",
    "E21": "a race on the device's error counter",
}
POLICY = {
    "C25": "a vendor's routine under another name: a right answer is right and a fast one fast, whoever wrote it",
}
_NUMBERS = {
    "T": (1, 2, 3, 4, 5, 6, 7, 8, 11, 13, 14, 15, 17, 18, 21, 22),
    "C": (1, 2, 3, 5, 6, 7, 9, 12, 13, 14, 16, 18, 19, 20, 22, 23, 24, 25, 27, 28, 29, 30, 31, 32, 33, 35),
    "E": (1, 2, 4, 5, 8, 9, 10, 11, 13, 14, 15, 16, 17, 18, 19, 21, 22, 23, 25),
    "X": (1, 2, 3, 5, 6, 9),
}
CATALOGUE = frozenset(f"{group}{number}" for group, numbers in _NUMBERS.items() for number in numbers)
"""The numbers of all entries; they have gaps on purpose."""
OWN = frozenset({"T90", "T91"})
"""Cheats on Outpace alone that the catalogue does not know, numbered from 90 on."""
