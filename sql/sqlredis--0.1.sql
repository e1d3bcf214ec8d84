-- sqlredis 0.1.0: generated from common/commands.def by `make docs`. Do not edit.

\echo Use "CREATE EXTENSION sqlredis" to load this file. \quit

-- Keys

CREATE FUNCTION redis_del(VARIADIC key text[])
	RETURNS bigint
	LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_del';
REVOKE ALL ON FUNCTION redis_del(VARIADIC text[]) FROM PUBLIC;
COMMENT ON FUNCTION redis_del(VARIADIC text[]) IS
	'Deletes keys; how many there were. Sent at once, not at commit: see redis_invalidate.';

CREATE FUNCTION redis_unlink(VARIADIC key text[])
	RETURNS bigint
	LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_unlink';
REVOKE ALL ON FUNCTION redis_unlink(VARIADIC text[]) FROM PUBLIC;
COMMENT ON FUNCTION redis_unlink(VARIADIC text[]) IS
	'Deletes keys and frees their memory in the background; how many there were.';

CREATE FUNCTION redis_exists(VARIADIC key text[])
	RETURNS bigint
	LANGUAGE C VOLATILE PARALLEL RESTRICTED COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_exists';
REVOKE ALL ON FUNCTION redis_exists(VARIADIC text[]) FROM PUBLIC;
COMMENT ON FUNCTION redis_exists(VARIADIC text[]) IS
	'How many of the keys exist; a key named twice counts twice.';

CREATE FUNCTION redis_touch(VARIADIC key text[])
	RETURNS bigint
	LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_touch';
REVOKE ALL ON FUNCTION redis_touch(VARIADIC text[]) FROM PUBLIC;
COMMENT ON FUNCTION redis_touch(VARIADIC text[]) IS
	'Marks keys as just used; how many of them exist.';

CREATE FUNCTION redis_expire(key text, ttl double precision)
	RETURNS boolean
	LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_expire';
REVOKE ALL ON FUNCTION redis_expire(text, double precision) FROM PUBLIC;
COMMENT ON FUNCTION redis_expire(text, double precision) IS
	'Lets the key expire in ttl seconds (fractions allowed); false when there is no such key.';

CREATE FUNCTION redis_expireat(key text, at double precision)
	RETURNS boolean
	LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_expireat';
REVOKE ALL ON FUNCTION redis_expireat(text, double precision) FROM PUBLIC;
COMMENT ON FUNCTION redis_expireat(text, double precision) IS
	'Lets the key expire at a time given in seconds since 1970 UTC; false when there is no such key.';

CREATE FUNCTION redis_persist(key text)
	RETURNS boolean
	LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_persist';
REVOKE ALL ON FUNCTION redis_persist(text) FROM PUBLIC;
COMMENT ON FUNCTION redis_persist(text) IS
	'Takes the key''s expiry away; false when there is no such key or it had none.';

CREATE FUNCTION redis_ttl(key text)
	RETURNS double precision
	LANGUAGE C VOLATILE PARALLEL RESTRICTED COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_ttl';
REVOKE ALL ON FUNCTION redis_ttl(text) FROM PUBLIC;
COMMENT ON FUNCTION redis_ttl(text) IS
	'Seconds until the key expires; -1 when it never does, NULL when there is no such key.';

CREATE FUNCTION redis_type(key text)
	RETURNS text
	LANGUAGE C VOLATILE PARALLEL RESTRICTED COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_type';
REVOKE ALL ON FUNCTION redis_type(text) FROM PUBLIC;
COMMENT ON FUNCTION redis_type(text) IS
	'string, list, set, zset, hash or stream; NULL when there is no such key.';

CREATE FUNCTION redis_rename(key text, newkey text)
	RETURNS boolean
	LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_rename';
REVOKE ALL ON FUNCTION redis_rename(text, text) FROM PUBLIC;
COMMENT ON FUNCTION redis_rename(text, text) IS
	'Renames the key, replacing newkey; an error when there is no such key.';

CREATE FUNCTION redis_copy(key text, newkey text)
	RETURNS boolean
	LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_copy';
REVOKE ALL ON FUNCTION redis_copy(text, text) FROM PUBLIC;
COMMENT ON FUNCTION redis_copy(text, text) IS
	'Copies the key; false when newkey exists already or key does not (Redis 6.2 or later).';

CREATE FUNCTION redis_scan(pattern text DEFAULT NULL, type text DEFAULT NULL)
	RETURNS TABLE (key text)
	LANGUAGE C VOLATILE PARALLEL RESTRICTED COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_scan';
REVOKE ALL ON FUNCTION redis_scan(text, text) FROM PUBLIC;
COMMENT ON FUNCTION redis_scan(text, text) IS
	'The keys that match a glob pattern (all without one), optionally of one type. Fetched page by page: a key that exists during the whole scan appears at least once, and may appear twice.';

CREATE FUNCTION redis_dbsize()
	RETURNS bigint
	LANGUAGE C VOLATILE PARALLEL RESTRICTED COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_dbsize';
REVOKE ALL ON FUNCTION redis_dbsize() FROM PUBLIC;
COMMENT ON FUNCTION redis_dbsize() IS
	'How many keys the selected database holds.';

-- Strings and counters

CREATE FUNCTION redis_get(key text)
	RETURNS text
	LANGUAGE C VOLATILE PARALLEL RESTRICTED COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_get';
REVOKE ALL ON FUNCTION redis_get(text) FROM PUBLIC;
COMMENT ON FUNCTION redis_get(text) IS
	'The key''s value; NULL when there is no such key.';

CREATE FUNCTION redis_get_bytea(key text)
	RETURNS bytea
	LANGUAGE C VOLATILE PARALLEL RESTRICTED COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_get';
REVOKE ALL ON FUNCTION redis_get_bytea(text) FROM PUBLIC;
COMMENT ON FUNCTION redis_get_bytea(text) IS
	'The key''s value; NULL when there is no such key.';

CREATE FUNCTION redis_getdel(key text)
	RETURNS text
	LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_getdel';
REVOKE ALL ON FUNCTION redis_getdel(text) FROM PUBLIC;
COMMENT ON FUNCTION redis_getdel(text) IS
	'The key''s value, and deletes the key (Redis 6.2 or later).';

CREATE FUNCTION redis_getdel_bytea(key text)
	RETURNS bytea
	LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_getdel';
REVOKE ALL ON FUNCTION redis_getdel_bytea(text) FROM PUBLIC;
COMMENT ON FUNCTION redis_getdel_bytea(text) IS
	'The key''s value, and deletes the key (Redis 6.2 or later).';

CREATE FUNCTION redis_getex(key text, ttl double precision)
	RETURNS text
	LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_getex';
REVOKE ALL ON FUNCTION redis_getex(text, double precision) FROM PUBLIC;
COMMENT ON FUNCTION redis_getex(text, double precision) IS
	'The key''s value, and lets the key expire in ttl seconds from now (Redis 6.2 or later).';

CREATE FUNCTION redis_getex_bytea(key text, ttl double precision)
	RETURNS bytea
	LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_getex';
REVOKE ALL ON FUNCTION redis_getex_bytea(text, double precision) FROM PUBLIC;
COMMENT ON FUNCTION redis_getex_bytea(text, double precision) IS
	'The key''s value, and lets the key expire in ttl seconds from now (Redis 6.2 or later).';

CREATE FUNCTION redis_strlen(key text)
	RETURNS bigint
	LANGUAGE C VOLATILE PARALLEL RESTRICTED COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_strlen';
REVOKE ALL ON FUNCTION redis_strlen(text) FROM PUBLIC;
COMMENT ON FUNCTION redis_strlen(text) IS
	'The length of the key''s value in bytes; 0 when there is no such key.';

CREATE FUNCTION redis_append(key text, value text)
	RETURNS bigint
	LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_append';
REVOKE ALL ON FUNCTION redis_append(text, text) FROM PUBLIC;
COMMENT ON FUNCTION redis_append(text, text) IS
	'Appends to the key''s value, creating it when needed; the new length in bytes.';

CREATE FUNCTION redis_append(key text, value anynonarray)
	RETURNS bigint
	LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_append';
REVOKE ALL ON FUNCTION redis_append(text, anynonarray) FROM PUBLIC;
COMMENT ON FUNCTION redis_append(text, anynonarray) IS
	'Appends to the key''s value, creating it when needed; the new length in bytes.';

CREATE FUNCTION redis_getrange(key text, start bigint, stop bigint)
	RETURNS text
	LANGUAGE C VOLATILE PARALLEL RESTRICTED COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_getrange';
REVOKE ALL ON FUNCTION redis_getrange(text, bigint, bigint) FROM PUBLIC;
COMMENT ON FUNCTION redis_getrange(text, bigint, bigint) IS
	'Bytes start to stop of the key''s value, both inclusive, from 0; negative counts from the end.';

CREATE FUNCTION redis_getrange_bytea(key text, start bigint, stop bigint)
	RETURNS bytea
	LANGUAGE C VOLATILE PARALLEL RESTRICTED COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_getrange';
REVOKE ALL ON FUNCTION redis_getrange_bytea(text, bigint, bigint) FROM PUBLIC;
COMMENT ON FUNCTION redis_getrange_bytea(text, bigint, bigint) IS
	'Bytes start to stop of the key''s value, both inclusive, from 0; negative counts from the end.';

CREATE FUNCTION redis_setrange(key text, start bigint, value text)
	RETURNS bigint
	LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_setrange';
REVOKE ALL ON FUNCTION redis_setrange(text, bigint, text) FROM PUBLIC;
COMMENT ON FUNCTION redis_setrange(text, bigint, text) IS
	'Overwrites part of the key''s value from byte start on; the new length in bytes.';

CREATE FUNCTION redis_setrange(key text, start bigint, value anynonarray)
	RETURNS bigint
	LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_setrange';
REVOKE ALL ON FUNCTION redis_setrange(text, bigint, anynonarray) FROM PUBLIC;
COMMENT ON FUNCTION redis_setrange(text, bigint, anynonarray) IS
	'Overwrites part of the key''s value from byte start on; the new length in bytes.';

CREATE FUNCTION redis_set(key text, value text, ttl double precision DEFAULT NULL, mode text DEFAULT NULL)
	RETURNS boolean
	LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_set';
REVOKE ALL ON FUNCTION redis_set(text, text, double precision, text) FROM PUBLIC;
COMMENT ON FUNCTION redis_set(text, text, double precision, text) IS
	'Sets the key''s value, optionally with a time to live in seconds. mode ''NX'': only when there is no such key, ''XX'': only when there is; false when that was not so. Without ttl an earlier expiry is dropped.';

CREATE FUNCTION redis_set(key text, value anynonarray, ttl double precision DEFAULT NULL, mode text DEFAULT NULL)
	RETURNS boolean
	LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_set';
REVOKE ALL ON FUNCTION redis_set(text, anynonarray, double precision, text) FROM PUBLIC;
COMMENT ON FUNCTION redis_set(text, anynonarray, double precision, text) IS
	'Sets the key''s value, optionally with a time to live in seconds. mode ''NX'': only when there is no such key, ''XX'': only when there is; false when that was not so. Without ttl an earlier expiry is dropped.';

CREATE FUNCTION redis_setnx(key text, value text)
	RETURNS boolean
	LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_setnx';
REVOKE ALL ON FUNCTION redis_setnx(text, text) FROM PUBLIC;
COMMENT ON FUNCTION redis_setnx(text, text) IS
	'Sets the key''s value when there is no such key; whether it did.';

CREATE FUNCTION redis_setnx(key text, value anynonarray)
	RETURNS boolean
	LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_setnx';
REVOKE ALL ON FUNCTION redis_setnx(text, anynonarray) FROM PUBLIC;
COMMENT ON FUNCTION redis_setnx(text, anynonarray) IS
	'Sets the key''s value when there is no such key; whether it did.';

CREATE FUNCTION redis_setex(key text, ttl double precision, value text)
	RETURNS boolean
	LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_setex';
REVOKE ALL ON FUNCTION redis_setex(text, double precision, text) FROM PUBLIC;
COMMENT ON FUNCTION redis_setex(text, double precision, text) IS
	'Sets the key''s value with a time to live in seconds.';

CREATE FUNCTION redis_setex(key text, ttl double precision, value anynonarray)
	RETURNS boolean
	LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_setex';
REVOKE ALL ON FUNCTION redis_setex(text, double precision, anynonarray) FROM PUBLIC;
COMMENT ON FUNCTION redis_setex(text, double precision, anynonarray) IS
	'Sets the key''s value with a time to live in seconds.';

CREATE FUNCTION redis_incr(key text, by bigint DEFAULT 1)
	RETURNS bigint
	LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_incr';
REVOKE ALL ON FUNCTION redis_incr(text, bigint) FROM PUBLIC;
COMMENT ON FUNCTION redis_incr(text, bigint) IS
	'Adds by (1) to the number in key, which starts at 0; the new number.';

CREATE FUNCTION redis_decr(key text, by bigint DEFAULT 1)
	RETURNS bigint
	LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_decr';
REVOKE ALL ON FUNCTION redis_decr(text, bigint) FROM PUBLIC;
COMMENT ON FUNCTION redis_decr(text, bigint) IS
	'Subtracts by (1) from the number in key, which starts at 0; the new number.';

CREATE FUNCTION redis_incrbyfloat(key text, by double precision)
	RETURNS double precision
	LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_incrbyfloat';
REVOKE ALL ON FUNCTION redis_incrbyfloat(text, double precision) FROM PUBLIC;
COMMENT ON FUNCTION redis_incrbyfloat(text, double precision) IS
	'Adds a fraction to the number in key; the new number.';

CREATE FUNCTION redis_setbit(key text, at bigint, value bigint)
	RETURNS bigint
	LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_setbit';
REVOKE ALL ON FUNCTION redis_setbit(text, bigint, bigint) FROM PUBLIC;
COMMENT ON FUNCTION redis_setbit(text, bigint, bigint) IS
	'Sets or clears the bit at a position of the key''s value; what it was.';

CREATE FUNCTION redis_getbit(key text, at bigint)
	RETURNS bigint
	LANGUAGE C VOLATILE PARALLEL RESTRICTED COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_getbit';
REVOKE ALL ON FUNCTION redis_getbit(text, bigint) FROM PUBLIC;
COMMENT ON FUNCTION redis_getbit(text, bigint) IS
	'The bit at a position of the key''s value.';

CREATE FUNCTION redis_bitcount(key text, start bigint DEFAULT NULL, stop bigint DEFAULT NULL)
	RETURNS bigint
	LANGUAGE C VOLATILE PARALLEL RESTRICTED COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_bitcount';
REVOKE ALL ON FUNCTION redis_bitcount(text, bigint, bigint) FROM PUBLIC;
COMMENT ON FUNCTION redis_bitcount(text, bigint, bigint) IS
	'How many bits are set in the key''s value, or in its bytes start to stop (give both or neither).';

-- Anything

CREATE FUNCTION redis_call(command text)
	RETURNS json
	LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_call';
REVOKE ALL ON FUNCTION redis_call(text) FROM PUBLIC;
COMMENT ON FUNCTION redis_call(text) IS
	'Any Redis command, its reply as JSON (NULL for nil). The key prefix is not applied. Commands that would corrupt the connection shared by statements (SELECT, MULTI, SUBSCRIBE, ...) are refused.';

CREATE FUNCTION redis_call(command text, VARIADIC arg "any")
	RETURNS json
	LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_call';
REVOKE ALL ON FUNCTION redis_call(text, VARIADIC "any") FROM PUBLIC;
COMMENT ON FUNCTION redis_call(text, VARIADIC "any") IS
	'Any Redis command, its reply as JSON (NULL for nil). The key prefix is not applied. Commands that would corrupt the connection shared by statements (SELECT, MULTI, SUBSCRIBE, ...) are refused.';

-- Locks

CREATE FUNCTION redis_lock(name text, ttl double precision DEFAULT NULL, wait double precision DEFAULT NULL)
	RETURNS text
	LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_lock';
REVOKE ALL ON FUNCTION redis_lock(text, double precision, double precision) FROM PUBLIC;
COMMENT ON FUNCTION redis_lock(text, double precision, double precision) IS
	'Takes the lock for ttl (30) seconds, waiting for it up to wait (0) seconds; a token that unlocks it, or NULL when somebody else holds it. The key is the name: redis-py''s Lock understands it.';

CREATE FUNCTION redis_unlock(name text, token text)
	RETURNS boolean
	LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_unlock';
REVOKE ALL ON FUNCTION redis_unlock(text, text) FROM PUBLIC;
COMMENT ON FUNCTION redis_unlock(text, text) IS
	'Releases the lock if the token still holds it; whether it did.';

CREATE FUNCTION redis_lock_extend(name text, token text, ttl double precision)
	RETURNS boolean
	LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_lock_extend';
REVOKE ALL ON FUNCTION redis_lock_extend(text, text, double precision) FROM PUBLIC;
COMMENT ON FUNCTION redis_lock_extend(text, text, double precision) IS
	'Sets the lock''s time to live to ttl seconds from now if the token still holds it; whether it did.';

-- Transaction-bound

CREATE FUNCTION redis_invalidate(VARIADIC key text[])
	RETURNS bigint
	LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_invalidate';
REVOKE ALL ON FUNCTION redis_invalidate(VARIADIC text[]) FROM PUBLIC;
COMMENT ON FUNCTION redis_invalidate(VARIADIC text[]) IS
	'Queues keys to be deleted when this transaction commits; how many were new to the queue. Dropped on rollback, also to a savepoint. Outside a transaction they are deleted before it returns.';

CREATE FUNCTION redis_invalidate_on(relation regclass, VARIADIC template text[])
	RETURNS bigint
	LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_invalidate_on';
REVOKE ALL ON FUNCTION redis_invalidate_on(regclass, VARIADIC text[]) FROM PUBLIC;
COMMENT ON FUNCTION redis_invalidate_on(regclass, VARIADIC text[]) IS
	'From now on a change of a row deletes the keys its templates name, at commit: ''user:{id}'' takes the column id of the old and of the new row. Replaces earlier templates; how many there are.';

CREATE FUNCTION redis_invalidate_off(relation regclass)
	RETURNS boolean
	LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_invalidate_off';
REVOKE ALL ON FUNCTION redis_invalidate_off(regclass) FROM PUBLIC;
COMMENT ON FUNCTION redis_invalidate_off(regclass) IS
	'Undoes redis_invalidate_on; whether there was anything to undo. Triggers written by hand stay.';

CREATE FUNCTION redis_invalidations()
	RETURNS TABLE (relation text, templates text, mode text)
	LANGUAGE C VOLATILE PARALLEL RESTRICTED COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_invalidations';
REVOKE ALL ON FUNCTION redis_invalidations() FROM PUBLIC;
COMMENT ON FUNCTION redis_invalidations() IS
	'The relations whose changes invalidate keys, their templates as a JSON array, and how.';

CREATE FUNCTION redis_pending()
	RETURNS TABLE (key text, depth bigint)
	LANGUAGE C VOLATILE PARALLEL RESTRICTED COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_pending';
REVOKE ALL ON FUNCTION redis_pending() FROM PUBLIC;
COMMENT ON FUNCTION redis_pending() IS
	'The keys this transaction will delete at commit, and how many savepoints deep each was queued.';

-- Operations

CREATE FUNCTION redis_ping()
	RETURNS text
	LANGUAGE C VOLATILE PARALLEL RESTRICTED COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_ping';
REVOKE ALL ON FUNCTION redis_ping() FROM PUBLIC;
COMMENT ON FUNCTION redis_ping() IS
	'PONG, or the error that explains why not.';

CREATE FUNCTION redis_health()
	RETURNS TABLE (ok boolean, latency_ms double precision, server text, version text, role text, tls boolean, error text)
	LANGUAGE C VOLATILE PARALLEL RESTRICTED COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_health';
REVOKE ALL ON FUNCTION redis_health() FROM PUBLIC;
COMMENT ON FUNCTION redis_health() IS
	'One row about the server, never an error: whether it answered and how fast, who it is, or why not.';

CREATE FUNCTION redis_info(section text DEFAULT NULL)
	RETURNS TABLE (section text, name text, value text)
	LANGUAGE C VOLATILE PARALLEL RESTRICTED COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_info';
REVOKE ALL ON FUNCTION redis_info(text) FROM PUBLIC;
COMMENT ON FUNCTION redis_info(text) IS
	'What INFO says, a row a line; of one section or of Redis''s default ones.';

CREATE FUNCTION redis_stats()
	RETURNS TABLE (name text, value text)
	LANGUAGE C VOLATILE PARALLEL RESTRICTED COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_stats';
REVOKE ALL ON FUNCTION redis_stats() FROM PUBLIC;
COMMENT ON FUNCTION redis_stats() IS
	'What this session did with Redis: commands, hits, errors by class, reconnects, the breaker, latency, invalidations.';

CREATE FUNCTION redis_url()
	RETURNS text
	LANGUAGE C VOLATILE PARALLEL RESTRICTED COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_url';
REVOKE ALL ON FUNCTION redis_url() FROM PUBLIC;
COMMENT ON FUNCTION redis_url() IS
	'The URL in use, its password hidden; NULL when none is set.';

CREATE FUNCTION redis_version()
	RETURNS text
	LANGUAGE C STABLE PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'pg_redis_version';
COMMENT ON FUNCTION redis_version() IS
	'The version of sqlredis.';

-- The trigger function. Writing to a table that has the trigger needs no right on it;
-- creating the trigger does.

CREATE FUNCTION redis_invalidate()
	RETURNS trigger
	LANGUAGE C
	AS 'MODULE_PATHNAME', 'pg_redis_invalidate_trigger';
REVOKE ALL ON FUNCTION redis_invalidate() FROM PUBLIC;
COMMENT ON FUNCTION redis_invalidate() IS
	'Trigger: queues the keys that its arguments, templates such as user:{id}, name.';
