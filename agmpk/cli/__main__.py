"""The command line where the package is not installed: ``python -m agmpk.cli``."""

from agmpk.cli import main

if __name__ == "__main__":
    main()
