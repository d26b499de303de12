"""Where state lives."""

import os
from pathlib import Path


def default_home() -> Path:
    """Return the folder of the state, absolute; it need not exist yet.

    The first of: ``$OUTPACE_HOME``, ``./.outpace`` if that is a folder, the user's data folder.
    """
    if named := os.environ.get("OUTPACE_HOME"):
        return Path(named).expanduser().absolute()
    if (here := Path.cwd() / ".outpace").is_dir():
        return here
    from platformdirs import user_data_path

    return user_data_path("outpace")
