"""The Security Token Service of the sandbox: the whole API, on a session store of its own."""
