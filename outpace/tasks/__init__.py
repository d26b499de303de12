"""A task is what is to be improved: statement, starting program, inputs, reference, check and goal."""
