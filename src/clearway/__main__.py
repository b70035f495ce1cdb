"""`python -m clearway`: the same as the `clearway` command."""

from clearway.cli import main

if __name__ == "__main__":
    main()
