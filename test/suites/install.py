"""make, make install and make uninstall in a checkout whose path has a space in it."""

import os
import shutil

from harness import TOP, case, contains, equal, pg_config, run, temp_dir, true

ENVIRONMENT = {k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS")}


def files(directory):
    return sorted(os.path.relpath(os.path.join(parent, name), directory)
                  for parent, _, names in os.walk(directory) for name in names)


def make(checkout, *words):
    return run(["make", "--no-print-directory", "-C", checkout] + list(words), env=ENVIRONMENT)


def copy():
    """The sources as they are, without build/, in a directory with a space."""
    checkout = os.path.join(temp_dir("install"), "a checkout")
    shutil.copytree(TOP, checkout, ignore=lambda path, names: [
        name for name in names if name == ".git" or (path == TOP and name == "build")])
    return checkout


def builds_below_build_only(checkout):
    before = files(checkout)
    make(checkout)
    equal([name for name in files(checkout) if not name.startswith("build/")], before)
    for library in ("build/sqlite/sqlredis.so", "build/pg/sqlredis.so"):
        true(os.path.exists(os.path.join(checkout, library)), library)


def a_second_make_does_nothing(checkout):
    said = make(checkout)
    true(" -c -o " not in said and " -shared " not in said, said)


def installs_and_uninstalls(checkout):
    root = os.path.join(checkout, "build", "a root")
    make(checkout, "install", "DESTDIR=" + root, "prefix=/opt/pre fix")
    expected = [
        "opt/pre fix/lib/libsqlredis.so", "opt/pre fix/lib/sqlredis.so",
        pg_config("--pkglibdir")[1:] + "/sqlredis.so",
        pg_config("--sharedir")[1:] + "/extension/sqlredis.control"]
    expected += [pg_config("--sharedir")[1:] + "/extension/" + name
                 for name in os.listdir(os.path.join(TOP, "sql")) if name.startswith("sqlredis--")]
    equal(files(root), sorted(expected))
    said = run(["sqlite3", "-batch", ":memory:"], input=".load sqlredis\nSELECT redis_version();\n",
               env=dict(ENVIRONMENT, LD_LIBRARY_PATH=root + "/opt/pre fix/lib"))
    contains(said, ".")
    make(checkout, "uninstall", "DESTDIR=" + root, "prefix=/opt/pre fix")
    equal(files(root), [])


def one_engine_is_enough(checkout):
    make(checkout, "clean")
    said = make(checkout, "PG_CONFIG=/nonexistent/pg_config")
    contains(said, "left out: the PostgreSQL extension")
    true(os.path.exists(os.path.join(checkout, "build/sqlite/sqlredis.so")), "SQLite's is missing")
    make(checkout, "clean")
    said = make(checkout, "HAVE_SQLITE=")
    contains(said, "left out: the SQLite extension")
    true(os.path.exists(os.path.join(checkout, "build/pg/sqlredis.so")), "PostgreSQL's is missing")
    true(not os.path.exists(os.path.join(checkout, "build/sqlite")), "SQLite's was built")


def main():
    good, checkout = True, copy()
    for test in (builds_below_build_only, a_second_make_does_nothing, installs_and_uninstalls,
                 one_engine_is_enough):
        if os.environ.get("TEST", "") in test.__name__:
            good = case("install." + test.__name__, test, checkout) and good
    return 0 if good else 1


raise SystemExit(main())
