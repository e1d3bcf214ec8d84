"""What the differential test (test/suites/differential.py) is made of: the table of functions, random
arguments, the two engines, redis-cli as the reference, and what a reply of Redis is as SQL."""
