"""Reads AWS's error messages: what they say, what they leave out, what to look at. Pure."""

from stslab.policy.messages.advice import Advice, advise
from stslab.policy.messages.reading import Message, in_short, read

__all__ = ["Advice", "Message", "advise", "in_short", "read"]
