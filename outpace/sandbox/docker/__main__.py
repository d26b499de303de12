"""``python -m outpace.sandbox.docker`` builds an image for the sandbox."""

import sys

from outpace.sandbox.docker.image import main

sys.exit(main())
