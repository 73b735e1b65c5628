"""The engine that creates, updates and deletes stacks in the background."""
