"""A model completes a conversation."""
