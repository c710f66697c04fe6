"""`python -m tidemill app.py`: as `tidemill run app.py`; other commands as `tidemill` has them."""

import sys

from tidemill.cli import main

if __name__ == "__main__":
    sys.exit(main())
