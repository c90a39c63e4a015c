"""`python -m gateway` is `venue-gateway`."""

import sys

from gateway.cli import main

sys.exit(main())
