"""docs/monitoring.md: its statements run, and Prometheus's exporters work as it sets them up."""

import os
import re
import shutil
import subprocess
import urllib.request

from harness import HarnessError, Postgres, Redis, TOP, contains, equal, free_port, main, process, test, true, wait_for

redis = Redis()
server = Postgres(redis.url, {"shared_preload_libraries": "'sqlredis'", "sqlredis.daily_quota": "1000000"})
server.database("app")

with open(os.path.join(TOP, "docs", "monitoring.md"), encoding="utf-8") as page:
    PAGE = page.read()


def block(name):
    """The indented lines that follow the line which begins with `name`."""
    found = re.search(r"^`%s`[^\n]*:\n\n((?:    [^\n]*\n|\n(?=    ))+)" % re.escape(name), PAGE, re.M)
    if not found:
        raise AssertionError("docs/monitoring.md does not show " + name)
    return re.sub(r"^    ", "", found.group(1), flags=re.M)


def statements():
    return re.findall(r"^    ((?:SELECT|CREATE|GRANT|ALTER) .*;)$", PAGE, re.M)


for statement in statements():
    if not statement.startswith("SELECT"):
        server.sql(statement, "app")


@test
def its_queries_run():
    found = [sql for sql in statements() if sql.startswith("SELECT")]
    true(len(found) >= 12, repr(found))
    for sql in found:
        server.sql(sql, "app")
    # those whose names are written out: there are such numbers
    names = {row.split("|")[0] for row in server.sql("SELECT name FROM redis_stat", "app").splitlines()}
    for sql in found:
        listed = re.search(r"redis_stat WHERE name IN \(([^)]*)\)", sql)
        for name in re.findall(r"'(\w+)'", listed.group(1)) if listed else []:
            true(name in names, name)


@test
def its_alerts_are_about_numbers_that_there_are():
    rules = block("sqlredis.rules.yml")
    names = {row for row in server.sql("SELECT name FROM redis_stat", "app").splitlines()}
    used = re.findall(r'name=~?"([\w|]+)"', rules)
    true(len(used) >= 7, repr(used))
    for name in "|".join(used).split("|"):
        true(name in names, name)
    metrics = set(re.findall(r"\bsqlredis_\w+", rules)) - {"sqlredis_stat"}
    queries = block("/etc/prometheus/sqlredis-queries.yaml")
    for metric in metrics:
        namespace, column = metric.rsplit("_", 1)
        if metric == "sqlredis_redis_latency_seconds":
            namespace, column = "sqlredis_redis", "latency_seconds"
        contains(queries, namespace + ":\n")
        contains(queries, "- %s: " % column)


# ---- the exporters ----


def program(name):
    found = shutil.which(name)
    if not found:
        raise HarnessError("%s is not installed (test/install-deps check)" % name)
    return found


class Exporter:
    """It runs, and gives what it gathers."""

    def __init__(self, arguments, **environment):
        self.port = free_port()
        self.log = os.path.join(process.temp_dir("exporter"), "log")
        with open(self.log, "wb") as log:
            self.process = process.start(
                arguments + ["--web.listen-address=127.0.0.1:%d" % self.port], cwd="/", stdin=subprocess.DEVNULL,
                stdout=log, stderr=subprocess.STDOUT, env=dict(os.environ, **environment))
        wait_for("the exporter", lambda: self.metrics() or self.process.poll() is not None)

    def metrics(self):
        """{name{labels}: value} of ours; {} while it does not answer."""
        direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with direct.open("http://127.0.0.1:%d/metrics" % self.port) as answer:
                lines = answer.read().decode().splitlines()
        except OSError:
            return {}
        values = {line.rsplit(" ", 1)[0]: float(line.rsplit(" ", 1)[1]) for line in lines
                  if line and not line.startswith("#")}
        return {name: value for name, value in values.items() if "sqlredis" in name}

    def value(self, metric, **labels):
        """The one value with these labels, None: there is none."""
        found = [value for name, value in self.metrics().items()
                 if name.split("{")[0] == metric and all('%s="%s"' % pair in name for pair in labels.items())]
        true(len(found) <= 1, "%s %r: %r" % (metric, labels, found))
        return found[0] if found else None

    def end(self):
        process.end(self.process)


def written(text):
    """As a file; the document's socket is ours."""
    path = os.path.join(process.temp_dir("exporter"), "config.yml")
    with open(path, "w", encoding="utf-8") as file:
        file.write(text.replace("/run/postgresql", server.host))
    return path


def all_names():
    return {name.split("|")[0] for name in server.sql("SELECT name FROM redis_stat", "app").splitlines()}


def watches(exporter, stat, up, latency, launchers):
    """Each argument: a metric and its labels."""
    def value(metric, **more):
        return exporter.value(metric[0], **dict(metric[1], **more))

    for name in sorted(all_names()):
        true(value(stat, name=name) is not None, "no %s; the log:\n%s" % (name, open(exporter.log).read()))
    equal((value(stat, name="preloaded"), value(up), value(launchers)), (1, 1, 1))
    true(0 <= value(latency) < 60)
    before = value(stat, name="misses")
    server.sql("SELECT redis_get('missing') FROM generate_series(1, 10)", "app")
    wait_for("its next look", lambda: value(stat, name="misses") == before + 10)
    redis.stop()
    try:
        wait_for("the outage to be seen", lambda: value(up) == 0)
        true(value(latency) is None or value(latency) != value(latency), "NaN, or nothing")
        wait_for("the breaker", lambda: value(stat, name="connect_failures") > 0)
    finally:
        redis.start()
    wait_for("health", lambda: value(up) == 1)


@test
def postgres_exporter():
    settings = dict(re.findall(r"^(\w+)='(.*)'$", block("/etc/default/prometheus-postgres-exporter"), re.M))
    queries = written(block("/etc/prometheus/sqlredis-queries.yaml"))
    exporter = Exporter(
        [program("prometheus-postgres-exporter")] +
        settings["ARGS"].replace("/etc/prometheus/sqlredis-queries.yaml", queries).split(),
        DATA_SOURCE_NAME=settings["DATA_SOURCE_NAME"].replace("/run/postgresql", server.host))
    watches(exporter, ("sqlredis_stat", {}), ("sqlredis_redis_up", {"redis": "127.0.0.1:%d" % redis.port}),
            ("sqlredis_redis_latency_seconds", {}), ("sqlredis_worker_launchers", {}))
    equal(exporter.value("sqlredis_outbox_attempts", database="app"), 0)
    equal(exporter.value("sqlredis_worker_drainers"), 0)
    exporter.end()


@test
def sql_exporter():
    text = block("/etc/prometheus-sql-exporter.yml")
    contains(text, "interval: 15s")
    exporter = Exporter([program("prometheus-sql-exporter"), "-config.file=" +
                         written(text.replace("interval: 15s", "interval: 100ms"))])
    wait_for("its first look", lambda: exporter.value("sql_sqlredis_worker", kind="launcher") == 1)
    watches(exporter, ("sql_sqlredis_stat", {}), ("sql_sqlredis_redis", {"col": "up"}),
            ("sql_sqlredis_redis", {"col": "latency_seconds"}), ("sql_sqlredis_worker", {"kind": "launcher"}))
    equal(exporter.value("sql_sqlredis_outbox"), 0)
    exporter.end()


main()
