"""The proposer that needs no model: operators rewrite programs, and an optimiser tunes the numbers in them."""
