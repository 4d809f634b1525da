"""``python -m rarebird``: the command, where it is not on the path.."""

from rarebird.cli import main

if __name__ == "__main__":
    main()
