"""``python -m stslab`` is ``stslab``."""

from stslab.cli.main import main

main()
