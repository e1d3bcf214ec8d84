"""Writers and readers against hot keys, in both engines, while things break: is anything ever stale?

ledger.py    what was promised and what was seen, in memory that all processes share
sessions.py  both engines behind one face
schema.py    the tables and what is cached of them
writes.py    what a writer does in a transaction; reads.py, how a reader reads
worker.py    the process that does either until it is told to stop, or killed
faults.py    what breaks
campaign.py  rounds of all that, the check of every value once it is quiet, and the report
soak.py      `make soak`; mutation.py, `make mutation`
"""
