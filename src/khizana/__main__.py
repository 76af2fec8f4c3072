import sys

from khizana.cli import main

sys.exit(main(sys.argv[1:]))
