"""Containers: workers in Docker, one warm container for each worker in use; a **slot** is such a container."""

from outpace.sandbox.docker.sandbox import DockerSandbox

__all__ = ["DockerSandbox"]
