"""What every file must keep to: format, analysers, generated files, exported symbols, size."""

import glob
import os
import re
import subprocess

from harness import TOP, case, equal, run, true

FILE_LINES, FUNCTION_LINES = 500, 70
THE_INTERNAL_API = "common/core.h"  # one section a file


def tracked(*patterns):
    """The project's own files: what git tracks, or, in an unpacked archive, what lies there."""
    try:
        names = run(["git", "-C", TOP, "ls-files", "-z", "--cached", "--others",
                     "--exclude-standard"]).split("\0")
    except Exception:  # not a checkout
        names = [os.path.relpath(path, TOP) for path in
                 glob.glob(os.path.join(glob.escape(TOP), "**/*.*"), recursive=True)
                 if "/build/" not in path]
    names = [name for name in names if name and os.path.exists(os.path.join(TOP, name))]
    return [name for name in names if not patterns or name.endswith(patterns)]


def make(target):
    def check():
        environment = {k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "MAKELEVEL")}
        run(["make", "--no-print-directory", "-s", "-C", TOP, target], env=environment)
    return check


def clang_format():
    """Other versions lay out differently; the one of Debian 12 decides."""
    if "version 14." in run(["clang-format", "--version"]):
        make("lint-format")()


def generated_files_are_current():
    for what, committed in (("sql", "sql/sqlredis--0.1.sql"), ("reference", "docs/reference.md")):
        made = subprocess.run([os.path.join(TOP, "build/generate"), what], check=True,
                              stdout=subprocess.PIPE).stdout
        with open(os.path.join(TOP, committed), "rb") as file:
            true(file.read() == made, "%s differs from what common/commands.def generates: "
                 "run `make docs`" % committed)


def exported(path):
    said = run(["nm", "-D", "--defined-only", os.path.join(TOP, path)])
    return sorted(line.split()[2] for line in said.splitlines() if len(line.split()) == 3)


def sqlite_exports_its_entry_point_only():
    equal(exported("build/sqlite/sqlredis.so"), ["sqlite3_sqlredis_init"])


def postgresql_exports_its_functions_only():
    names = exported("build/pg/sqlredis.so")
    true("_PG_init" in names and "Pg_magic_func" in names, str(names))
    functions = {name[len("pg_finfo_"):] for name in names if name.startswith("pg_finfo_")}
    rest = set(names) - functions - {"pg_finfo_" + name for name in functions}
    workers = {"pg_launcher_main", "pg_drainer_main"}
    equal(sorted(rest - workers - {"Pg_magic_func", "_PG_init"}), [], "symbols that should be hidden")


def libraries_need_only_what_they_use():
    allowed = re.compile(r"^(libhiredis|libssl|libcrypto|libcares|libjansson|libc|libm|libpthread|"
                         r"ld-linux.*)\.so")
    for path in ("build/sqlite/sqlredis.so", "build/pg/sqlredis.so"):
        said = run(["readelf", "-d", os.path.join(TOP, path)])
        needed = re.findall(r"\(NEEDED\).*\[(.*)\]", said)
        equal([name for name in needed if not allowed.match(name)], [], path)


def files_are_small():
    long = []
    for name in tracked(".c", ".h", ".py", ".mk", ".sh"):
        with open(os.path.join(TOP, name), errors="replace") as file:
            count = sum(1 for _ in file)
        if count > FILE_LINES and name != THE_INTERNAL_API:
            long.append("%s: %d lines" % (name, count))
    equal(long, [], "files over %d lines" % FILE_LINES)


def functions_are_small():
    long = []
    for name in tracked(".c"):
        with open(os.path.join(TOP, name), errors="replace") as file:
            begun = None
            for number, line in enumerate(file, 1):
                if line.rstrip() == "{":
                    begun = number
                elif line.rstrip() == "}" and begun:
                    if number - begun > FUNCTION_LINES:
                        long.append("%s:%d: %d lines" % (name, begun, number - begun))
                    begun = None
    equal(long, [], "functions over %d lines" % FUNCTION_LINES)


def the_core_knows_no_host():
    for name in tracked(".c", ".h"):
        if name.startswith("common/"):
            with open(os.path.join(TOP, name)) as file:
                found = re.search(r'#include\s*[<"](postgres|fmgr|sqlite3)', file.read())
            true(not found, name + " includes a host's header")


def no_dangerous_calls():
    for name in tracked(".c"):
        if name.split("/")[0] in ("common", "sqlite_ext", "pg_ext", "sql"):
            with open(os.path.join(TOP, name)) as file:
                found = re.search(r"\b(sprintf|vsprintf|strcpy|strcat|gets)\s*\(", file.read())
            true(not found, "%s calls %s" % (name, found and found.group(1)))


def nothing_is_built_outside_build():
    stray = [name for name in tracked(".o", ".so", ".a", ".d", ".bc", ".pyc")]
    equal(stray, [])


def main():
    wanted, good = os.environ.get("TEST", ""), True
    tests = [(f.__name__, f) for f in (
        generated_files_are_current, sqlite_exports_its_entry_point_only,
        postgresql_exports_its_functions_only, libraries_need_only_what_they_use, files_are_small,
        functions_are_small, the_core_knows_no_host, no_dangerous_calls,
        nothing_is_built_outside_build)]
    tests += [("clang_format", clang_format), ("cppcheck", make("lint-cppcheck")),
              ("clang_tidy", make("lint-tidy"))]
    for name, function in tests:
        if wanted in name:
            good = case("lint." + name, function) and good
    return 0 if good else 1


raise SystemExit(main())
