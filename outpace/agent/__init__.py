"""The agent searches: strategies decide what to try, proposers try it, the store remembers."""
