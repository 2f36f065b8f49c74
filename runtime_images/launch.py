"""What is started as the parent of every app; all that it does is the package `launcher` beside it, which tells its contract."""

import os
import sys

if __name__ == "__main__":
    sys.path.append(os.path.dirname(os.path.abspath(__file__)))
    from launcher.run import main

    sys.exit(main())
