"""An importer makes a task folder of a task that was written for another tool; nothing of the original is vendored."""
