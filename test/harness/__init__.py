"""What tests are written with: real servers, false ones, and both engines."""

from .process import (HarnessError, Shell, TOP, clean_up, end, free_port, run, start, temp_dir,
                      wait_for)
from .redis import Client, Redis, RedisError
from .postgres import Postgres, pg_config
from . import sqlite
from .certificates import Certificates
from .clock import Clock
from .fake import FakeServer, read_command, refused_port, silent
from .proxy import Proxy
from .wire import Gone, SqlError, Wire, literal
from .engines import Both, PgEngine, Problem, SqliteEngine
from . import examples
from . import node
from .testing import case, contains, equal, main, report, test, true

__all__ = [name for name in dir() if not name.startswith("_")]
