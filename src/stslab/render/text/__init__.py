"""Text made safe, laid out and worded, for any output."""
