"""`python -m vsvfi`: the command line, where the `vsvfi` script is not on PATH."""

from .cli.app import main

if __name__ == "__main__":
    main()
