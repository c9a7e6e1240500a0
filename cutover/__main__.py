"""`python -m cutover`."""

from cutover.cli.main import main

if __name__ == "__main__":
    main()
