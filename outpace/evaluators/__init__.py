"""An evaluator finds out whether a candidate is right and how good it is; it never sees strategy or store."""
