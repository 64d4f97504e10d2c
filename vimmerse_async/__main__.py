"""`python -m vimmerse_async`: the `vimmerse` command where its script is not on the PATH."""

import sys

from vimmerse_async.cli import main

if __name__ == "__main__":
    sys.exit(main())
