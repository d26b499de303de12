"""A proposer turns a brief into a candidate: rewriting operators, a model, an agent with tools, a person."""
