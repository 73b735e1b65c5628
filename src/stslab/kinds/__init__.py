"""The kinds of AWS things: how each is looked up, listed, recognised and removed. Pure."""
