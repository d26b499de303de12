"""The tuner: a model that works on one program with tools, one command at a time, after AlgoTuner.

A line is one growing conversation about one program; a command is what a message of the model asks for.
"""
