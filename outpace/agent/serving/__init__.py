"""Serving: how a run is open to people and agents outside, over HTTP and as an MCP server."""
