"""The store remembers every brief, answer, candidate and evaluation of every run; it only ever appends."""
