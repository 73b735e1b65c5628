"""The resource types that the sandbox's CloudFormation deploys."""

from stslab.sandbox.cloudformation.resources.types import KNOWN_ELSEWHERE, TYPES

__all__ = ["KNOWN_ELSEWHERE", "TYPES"]
