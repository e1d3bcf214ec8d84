"""test/pg/specs by PostgreSQL's isolation tester."""

import sys

from regress import main

sys.exit(main("isolation"))
