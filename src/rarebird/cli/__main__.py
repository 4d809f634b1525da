"""``python -m rarebird.cli``."""

from rarebird.cli import main

if __name__ == "__main__":
    main()
