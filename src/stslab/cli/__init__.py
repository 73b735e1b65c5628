"""The command line: parse, wire, exit codes."""


def main() -> None:
    """Run the command line."""
