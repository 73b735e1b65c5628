"""The ground: requests, callers, answers, errors, and the protocols that they are written in."""
