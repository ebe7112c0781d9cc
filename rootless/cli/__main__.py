"""`python -m rootless.cli`: the program without its script."""

from rootless.cli.main import main

main()
