"""A sandbox is where untrusted code runs: it returns answers as data, never scores, and knows nothing of tasks."""
