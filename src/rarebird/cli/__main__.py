"""``python -m rarebird.cli``."""

from rarebird.cli import main

main()
