"""The accounts that the sandbox has, the learner's and the one beside it, and their region."""

LEARNER = "111122223333"
PARTNER = "444455556666"
REGION = "us-east-1"
