"""Prompts are template files, rendered from a task and a brief."""
