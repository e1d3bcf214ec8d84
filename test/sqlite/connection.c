/*
 * connection.c - the life of an sqlite3*: loaded twice, interrupted, closed in every state. The
 * extension is the first argument, REDIS_URL names the server.
 */
#include "../core/test.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static const char *extension;
static char		   last_log[1024];

static void keep_log(void *ctx, int code, const char *message)
{
	(void) ctx;
	(void) code;
	snprintf(last_log, sizeof last_log, "%s", message);
}

static sqlite3 *open_plain(const char *file)
{
	sqlite3 *db = NULL;

	if (sqlite3_open(file, &db) != SQLITE_OK)
		exit(1);
	sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 1, NULL);
	return db;
}

static int load(sqlite3 *db)
{
	return sqlite3_load_extension(db, extension, NULL, NULL);
}

static sqlite3 *open_loaded(void)
{
	sqlite3 *db = open_plain(":memory:");

	if (load(db) != SQLITE_OK)
		exit(1);
	return db;
}

static int run(sqlite3 *db, const char *sql)
{
	return sqlite3_exec(db, sql, NULL, NULL, NULL);
}

/* The first value as a number; -1: an error or no row. */
static long long value(sqlite3 *db, const char *sql)
{
	sqlite3_stmt *stmt = NULL;
	long long	  result = -1;

	if (sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) == SQLITE_OK &&
		sqlite3_step(stmt) == SQLITE_ROW)
		result = sqlite3_column_int64(stmt, 0);
	sqlite3_finalize(stmt);
	return result;
}

static void make_table(sqlite3 *db)
{
	run(db, "CREATE TABLE t (id INTEGER PRIMARY KEY, v); INSERT INTO t VALUES (1, 0), (2, 0);"
			"SELECT redis_invalidate_on('t', 't:{id}')");
}

static void test_close(void)
{
	sqlite3 *db = open_plain(":memory:");

	CHECK(load(db) == SQLITE_OK && sqlite3_close(db) == SQLITE_OK, "close, never used");

	db = open_loaded();
	value(db, "SELECT redis_ping()");
	value(db, "SELECT count(*) FROM redis_scan('x*')");
	CHECK(sqlite3_close(db) == SQLITE_OK, "close after functions");

	db = open_loaded();
	make_table(db);
	run(db, "UPDATE t SET v = 1; BEGIN; UPDATE t SET v = 2; SELECT redis_invalidate('x'); COMMIT");
	CHECK(sqlite3_close(db) == SQLITE_OK, "close after transactions");

	db = open_loaded();
	make_table(db);
	run(db, "SELECT redis_set('t:1', 1); BEGIN; UPDATE t SET v = 1");
	CHECK(value(db, "SELECT count(*) FROM redis_pending") == 2, "keys are queued");
	CHECK(sqlite3_close(db) == SQLITE_OK, "close inside a transaction");
	db = open_loaded();
	CHECK(value(db, "SELECT redis_exists('t:1')") == 1, "what did not commit is not sent");
	CHECK(sqlite3_close_v2(db) == SQLITE_OK, "close_v2");
}

/* sqlite3_close fails because of an unfinished statement, and the connection goes on. */
static void test_failed_close(void)
{
	sqlite3		 *db = open_loaded();
	sqlite3_stmt *rows = NULL;

	make_table(db);
	run(db, "SELECT redis_set('t:1', 1), redis_set('t:2', 1), redis_set('t:3', 1); BEGIN;"
			"UPDATE t SET v = 1 WHERE id = 1");
	sqlite3_prepare_v2(db, "SELECT * FROM t, redis_scan", -1, &rows, NULL);
	sqlite3_step(rows);
	CHECK(sqlite3_close(db) == SQLITE_BUSY, "close with an unfinished statement is refused");
	CHECK(sqlite3_finalize(rows) == SQLITE_OK, "the statement can be ended");
	CHECK(run(db, "UPDATE t SET v = 1 WHERE id = 2; COMMIT") == SQLITE_OK,
		  "the transaction goes on");
	CHECK(value(db, "SELECT redis_exists('t:1', 't:2')") == 0,
		  "keys from before and after are sent");
	CHECK(run(db, "INSERT INTO t VALUES (3, 0)") == SQLITE_OK &&
			  value(db, "SELECT redis_exists('t:3')") == 0,
		  "the next transaction is as ever");

	run(db, "SELECT redis_set('t:1', 1); BEGIN; UPDATE t SET v = 1 WHERE id = 1");
	sqlite3_prepare_v2(db, "SELECT 1", -1, &rows, NULL);
	CHECK(sqlite3_close(db) == SQLITE_BUSY, "refused again");
	sqlite3_finalize(rows);
	run(db, "COMMIT");
	CHECK(value(db, "SELECT redis_exists('t:1')") == 0, "without another key, the next call sends");
	CHECK(sqlite3_close(db) == SQLITE_OK, "close at last");
}

/* Refused, because a statement is prepared: and what the transaction holds? */
static bool close_is_refused(sqlite3 *db)
{
	sqlite3_stmt *rows = NULL;
	bool		  refused;

	sqlite3_prepare_v2(db, "SELECT 1", -1, &rows, NULL);
	refused = sqlite3_close(db) == SQLITE_BUSY;
	sqlite3_finalize(rows);
	return refused;
}

static void test_failed_close_while_holding(void)
{
	sqlite3 *db = open_loaded(), *other = open_loaded();

	run(db, "BEGIN; SELECT redis_xact_lock('held')");
	CHECK(close_is_refused(db) && value(other, "SELECT redis_exists('held')") == 1,
		  "a transaction that goes on still holds what it held");
	CHECK(run(db, "SELECT redis_xact_lock('more'); ROLLBACK") == SQLITE_OK &&
			  value(other, "SELECT redis_exists('held', 'more')") == 0,
		  "and gives it back");
	run(db, "BEGIN; SELECT redis_xact_lock('held')");
	CHECK(close_is_refused(db) && run(db, "COMMIT") == SQLITE_OK &&
			  value(db, "SELECT redis_exists('held')") == 0,
		  "at the latest, the next call does");
	CHECK(sqlite3_close(db) == SQLITE_OK && sqlite3_close(other) == SQLITE_OK, "close");
}

static void test_double_load(void)
{
	sqlite3 *db = open_loaded();

	make_table(db);
	run(db, "SELECT redis_config('key_prefix', 'twice:'); BEGIN; UPDATE t SET v = 1");
	CHECK(load(db) == SQLITE_OK, "load again");
	CHECK(value(db, "SELECT count(*) FROM redis_pending WHERE key LIKE 't:%'") == 2,
		  "the queue is as it was");
	CHECK(value(db, "SELECT redis_config('key_prefix') = 'twice:'") == 1, "so are the settings");
	CHECK(run(db, "COMMIT") == SQLITE_OK && sqlite3_close(db) == SQLITE_OK, "close");
}

/* ---- interrupt ---- */

static int silent_server(int *port)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	socklen_t		   size = sizeof at;
	int				   fd = socket(AF_INET, SOCK_STREAM, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *) &at, size) != 0 || listen(fd, 8) != 0 ||
		getsockname(fd, (struct sockaddr *) &at, &size) != 0)
		exit(1);
	*port = ntohs(at.sin_port);
	return fd;
}

static void pause_ms(long ms)
{
	struct timespec t = {ms / 1000, ms % 1000 * 1000000};

	nanosleep(&t, NULL);
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double) t.tv_sec + (double) t.tv_nsec / 1e9;
}

static double interrupted_at;

static void *interrupt_soon(void *db)
{
	pause_ms(200);
	interrupted_at = now();
	sqlite3_interrupt(db);
	return NULL;
}

static void test_interrupt(const char *sql, const char *name)
{
	sqlite3	 *db = open_loaded();
	int		  port, fd = silent_server(&port), rc;
	pthread_t thread;
	char	  set[160];

	snprintf(set, sizeof set,
			 "SELECT redis_config('url', 'redis://127.0.0.1:%d'), redis_config('connect_timeout', "
			 "20000), redis_config('command_timeout', 20000)",
			 port);
	run(db, set);
	run(db, "CREATE TABLE t (id INTEGER PRIMARY KEY); INSERT INTO t VALUES (1), (2)");
	pthread_create(&thread, NULL, interrupt_soon, db);
	rc = run(db, sql);
	pthread_join(thread, NULL);
	CHECK(rc == SQLITE_INTERRUPT && now() - interrupted_at < 5, name);
	CHECK(value(db, "SELECT redis_config('url', '') IS NOT NULL") == 1 &&
			  value(db, "SELECT redis_ping() = 'PONG'") == 1,
		  "and the connection goes on");
	CHECK(sqlite3_close(db) == SQLITE_OK, "and closes");
	close(fd);
}

/* ---- an application that watches ---- */

static int deny_nothing(void *ctx, int action, const char *a, const char *b, const char *c,
						const char *d)
{
	(void) a;
	(void) b;
	(void) c;
	(void) d;
	(*(int *) ctx)++;
	(void) action;
	return SQLITE_OK;
}

static int deny_virtual_tables(void *ctx, int action, const char *a, const char *b, const char *c,
							   const char *d)
{
	(void) ctx;
	(void) a;
	(void) b;
	(void) c;
	(void) d;
	return action == SQLITE_CREATE_VTABLE || action == SQLITE_DROP_VTABLE ? SQLITE_DENY : SQLITE_OK;
}

static int hook_calls;

static int count_commit(void *ctx)
{
	(void) ctx;
	hook_calls++;
	return 0;
}

static void test_application_hooks(void)
{
	sqlite3 *db = open_loaded();
	int		 asked = 0;

	make_table(db);
	sqlite3_commit_hook(db, count_commit, NULL);
	sqlite3_set_authorizer(db, deny_nothing, &asked);
	hook_calls = 0;
	CHECK(run(db, "BEGIN; UPDATE t SET v = 1; COMMIT") == SQLITE_OK && hook_calls == 1,
		  "the commit hook stays the application's");
	CHECK(asked > 0, "so does the authorizer");
	sqlite3_set_authorizer(db, deny_virtual_tables, NULL);
	CHECK(run(db, "BEGIN; UPDATE t SET v = 2; SELECT redis_invalidate('x'); COMMIT") == SQLITE_OK,
		  "the table is there already: no leave is needed");
	CHECK(sqlite3_close(db) == SQLITE_OK, "close");

	db = open_loaded();
	make_table(db);
	sqlite3_set_authorizer(db, deny_virtual_tables, NULL);
	CHECK(run(db, "UPDATE t SET v = 3") != SQLITE_OK && strstr(sqlite3_errmsg(db), "authorized"),
		  "an authorizer that forbids the table is told of in the error");
	CHECK(value(db, "SELECT count(*) FROM t WHERE v = 3") == 0, "and nothing changed unnoticed");
	sqlite3_set_authorizer(db, NULL, NULL);
	CHECK(run(db, "UPDATE t SET v = 3") == SQLITE_OK, "without it, it works");
	CHECK(sqlite3_close(db) == SQLITE_OK, "close");
}

static void test_log(void)
{
	sqlite3 *db = open_loaded();

	run(db, "SELECT redis_config('url', 'redis://user:hunter2@127.0.0.1:1')");
	last_log[0] = '\0';
	CHECK(value(db, "SELECT redis_invalidate('a', 'b')") == 2, "Redis is away: no error");
	CHECK(strstr(last_log, "2 keys were not invalidated") != NULL, "the log says how many");
	CHECK(strstr(last_log, "hunter2") == NULL, "and not the password");
	CHECK(sqlite3_close(db) == SQLITE_OK, "close");
	CHECK(strstr(last_log, "sqlredis") != NULL, "closing says that they are lost");
}

/* ---- threads: every connection is on its own ---- */

static void *work(void *failed)
{
	sqlite3 *db = open_loaded();

	make_table(db);
	for (int i = 0; i < 200 && !*(int *) failed; i++)
	{
		if (run(db, "BEGIN; UPDATE t SET v = v + 1; SAVEPOINT s; SELECT redis_invalidate('z');"
					"ROLLBACK TO s; COMMIT") != SQLITE_OK ||
			value(db, "SELECT count(*) FROM redis_pending") != 0 ||
			value(db, "SELECT redis_ping() = 'PONG'") != 1)
			*(int *) failed = 1;
	}
	if (sqlite3_close(db) != SQLITE_OK)
		*(int *) failed = 1;
	return NULL;
}

static void test_threads(void)
{
	pthread_t threads[4];
	int		  failed[4] = {0};

	for (int i = 0; i < 4; i++)
		pthread_create(&threads[i], NULL, work, &failed[i]);
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	CHECK(!failed[0] && !failed[1] && !failed[2] && !failed[3], "four threads, a connection each");
}

int main(int argc, char **argv)
{
	if (argc < 2)
		return 2;
	extension = argv[1];
	sqlite3_config(SQLITE_CONFIG_LOG, keep_log, NULL);
	test_close();
	test_failed_close();
	test_failed_close_while_holding();
	test_double_load();
	test_interrupt("SELECT redis_get('k')", "interrupt while waiting in a function");
	test_interrupt("SELECT * FROM redis_scan", "interrupt while waiting in a table");
	test_interrupt("UPDATE t SET id = id + 10 RETURNING redis_invalidate('k' || id)",
				   "interrupt while the first key dials");
	test_application_hooks();
	test_log();
	test_threads();
	return test_result();
}
