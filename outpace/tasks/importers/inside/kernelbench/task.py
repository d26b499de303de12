"""A problem of KernelBench: what is trusted of it is in hosted.py, which runs in a process of its own."""

from outpace.tasks.importers.aside import HostedTask


class Task(HostedTask):
    """Its inputs are large, and made again over there."""

    named_by = ("seed",)
