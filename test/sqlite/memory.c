/*
 * memory.c - SQLite runs out of memory at every single allocation of a transaction, one after the
 * other. Nothing may crash or leak, a COMMIT that succeeded has deleted its keys, and what a transaction held in
 * Redis is over with it.
 */
#include "../core/test.h"

#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

static sqlite3_mem_methods real;
static long				   allocations;
static long				   failing_one = -1; /* which allocation fails; -1: none does */

static int fails(void)
{
	return allocations++ == failing_one;
}

static void *failing_malloc(int size)
{
	return fails() ? NULL : real.xMalloc(size);
}

static void *failing_realloc(void *p, int size)
{
	return fails() ? NULL : real.xRealloc(p, size);
}

static int run(sqlite3 *db, const char *sql)
{
	return sqlite3_exec(db, sql, NULL, NULL, NULL);
}

static int value(sqlite3 *db, const char *sql)
{
	sqlite3_stmt *stmt = NULL;
	int			  result = -1;

	if (sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) == SQLITE_OK &&
		sqlite3_step(stmt) == SQLITE_ROW)
		result = sqlite3_column_int(stmt, 0);
	sqlite3_finalize(stmt);
	return result;
}

static const char *const script[] = {
	"CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT UNIQUE)",
	"SELECT redis_invalidate_on('t', 't:{id}', 'v:{v}', 'SELECT v FROM t WHERE id = {id} -- q')",
	"SELECT * FROM redis_invalidations",
	"SELECT redis_set('t:1', 1)",
	"BEGIN",
	"INSERT INTO t VALUES (1, 'a')",
	"SAVEPOINT s",
	"UPDATE t SET v = 'b'",
	"RELEASE s",
	"SELECT redis_invalidate('x')",
	"SELECT * FROM redis_pending",
	"SELECT key, redis_get(key) FROM redis_scan('t:*')",
	"COMMIT",
	"SELECT redis_cached('c', 60, 'SELECT v FROM t WHERE id = $1', 1)",
	"SELECT redis_cached('c', 60, 'SELECT 1'), redis_del('c:sqlredis{c}')",
	"SELECT lease FROM redis_cache_get('c')",
	"SELECT redis_cache_fill('c', lease, 'v', 60, 'tag') FROM redis_cache_get('d')",
	"SELECT redis_mset('m:' || value, value, 60), redis_del_agg('gone') FROM json_each('[1, 2, "
	"3]')",
	"SELECT key, value, arg_key2 FROM redis_mget('m:1', NULL, 'm:2', 'none')",
	"SELECT m.value FROM redis_mget m WHERE key IN (SELECT 'm:' || value FROM json_each('[1, 9]'))",
	"SELECT t.id, m.value FROM t LEFT JOIN redis_mget m ON m.key = 'm:' || t.id",
	"SELECT redis_hset('h', 'f', 1, 'g', 2), redis_hset_json('h', '{\"x\": [1, 2]}')",
	"SELECT * FROM redis_hmget('h') WHERE field IN ('f', 'g')",
	"SELECT redis_mset('m:' || value, 1) FROM json_each('[1, 2]') GROUP BY value",
	"SELECT redis_hset('stock', 'seat', 5), redis_enqueue('q', 'p'), redis_config('hold', 60000)",
	"BEGIN",
	"SELECT redis_xact_lock('lock', 60), redis_reserve('stock', 'seat', 1), "
	"redis_idempotent('once')",
	"SAVEPOINT s",
	"SELECT redis_ack('q', id), payload FROM redis_dequeue('q', 0, 60)",
	"SELECT redis_enqueue('q', 'again'), redis_reserve('stock', 'seat', 1)",
	"ROLLBACK TO s",
	"SELECT * FROM redis_pending",
	"ROLLBACK",
	"BEGIN",
	"SELECT redis_ack('q', id), redis_reserve('stock', 'seat', 1) FROM redis_dequeue('q', 0, 60)",
	"SELECT redis_xact_lock('lock', 60)",
	"COMMIT",
	NULL,
};

static bool open_loaded(const char *extension, sqlite3 **db)
{
	if (sqlite3_open(":memory:", db) != SQLITE_OK)
		return false;
	sqlite3_db_config(*db, SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 1, NULL);
	return sqlite3_load_extension(*db, extension, NULL, NULL) == SQLITE_OK;
}

/* Of a transaction that is over, nothing is held any more. */
static bool nothing_is_held(sqlite3 *witness)
{
	return value(witness, "SELECT redis_exists('lock') + redis_exists('stock:holds{stock}') + "
						  "redis_queue_len('q', 'reserved')") == 0;
}

/* true: every statement succeeded. *sound: what must hold, did. */
static bool transaction(const char *extension, sqlite3 *witness, bool *sound)
{
	sqlite3 *db = NULL;
	bool	 good = open_loaded(extension, &db), committed = false;

	for (int i = 0; good && script[i] != NULL; i++)
	{
		good = run(db, script[i]) == SQLITE_OK;
		committed = committed || (good && strcmp(script[i], "COMMIT") == 0);
	}
	failing_one = -1;
	*sound = !committed || value(db, "SELECT redis_exists('t:1')") == 0;
	*sound = sqlite3_close(db) == SQLITE_OK && *sound && nothing_is_held(witness);
	return good;
}

int main(int argc, char **argv)
{
	sqlite3_mem_methods failing;
	sqlite3			   *witness = NULL;
	bool				sound = true;
	long				total, n = 0, failures = 0, tried = 0;
	long				step = argc > 2 ? atol(argv[2]) : 1; /* every so many, where time is dear */

	if (argc < 2 || step < 1)
		return 2;
	sqlite3_config(SQLITE_CONFIG_GETMALLOC, &real);
	failing = real;
	failing.xMalloc = failing_malloc;
	failing.xRealloc = failing_realloc;
	sqlite3_config(SQLITE_CONFIG_MALLOC, &failing);
	sqlite3_initialize();
	CHECK(open_loaded(argv[1], &witness), "with memory, it loads");
	allocations = 0;
	CHECK(transaction(argv[1], witness, &sound) && sound, "with memory, everything succeeds");
	total = allocations;
	for (; sound && n < total; n += step, tried++)
	{
		allocations = 0;
		failing_one = n;
		failures += !transaction(argv[1], witness, &sound);
	}
	sqlite3_close(witness);
	printf("%ld allocations; of %ld, %ld were missed\n", total, tried, failures);
	CHECK(sound, "nothing is lost or left over when memory runs out");
	CHECK(failures > tried / 2, "memory did run out");
	return test_result();
}
