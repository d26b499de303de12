"""``python -m outpace`` is ``outpace``."""

from outpace.agent.cli.main import main

if __name__ == "__main__":
    main()
