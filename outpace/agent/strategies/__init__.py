"""A strategy decides what to try next (ask) and who survives (tell)."""
