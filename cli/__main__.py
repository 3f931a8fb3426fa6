"""`python -m cli`, from a checkout."""

from cli.app import main

if __name__ == "__main__":
    main()
