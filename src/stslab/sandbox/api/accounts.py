"""The accounts that the sandbox has: the learner's, and the one beside it."""

LEARNER = "111122223333"
PARTNER = "444455556666"
