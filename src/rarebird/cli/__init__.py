"""The command line. Commands import heavy packages only when they run, so that ``rarebird --help`` is instant."""


def main() -> None:
    """Entry point; nothing else is imported before an interruption has its sentence."""
    from rarebird.cli import start

    start.main()
