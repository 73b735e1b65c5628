"""The kinds of AWS things: how each is found, listed, recognised and removed. Pure."""
