-- sqlredis 0.1.0: generated from common/commands.def by `make docs`. Do not edit.

\echo Use "CREATE EXTENSION sqlredis" to load this file. \quit

-- Of every aggregate.

CREATE FUNCTION redis_aggregate_final(internal)
	RETURNS bigint
	LANGUAGE C VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'pg_aggregate_final';
REVOKE ALL ON FUNCTION redis_aggregate_final(internal) FROM PUBLIC;

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

CREATE FUNCTION redis_object_encoding(key text)
	RETURNS text
	LANGUAGE C VOLATILE PARALLEL RESTRICTED COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_object_encoding';
REVOKE ALL ON FUNCTION redis_object_encoding(text) FROM PUBLIC;
COMMENT ON FUNCTION redis_object_encoding(text) IS
	'How Redis stores the key''s value (int, embstr, listpack, hashtable, ...); NULL when there is no such key.';

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
	'The keys that match a glob pattern (all without one), optionally of one type (Redis 6 or later). Fetched page by page: a key that exists during the whole scan appears at least once, and may appear twice.';

CREATE FUNCTION redis_scan_bytea(pattern text DEFAULT NULL, type text DEFAULT NULL)
	RETURNS TABLE (key bytea)
	LANGUAGE C VOLATILE PARALLEL RESTRICTED COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_scan';
REVOKE ALL ON FUNCTION redis_scan_bytea(text, text) FROM PUBLIC;
COMMENT ON FUNCTION redis_scan_bytea(text, text) IS
	'The keys that match a glob pattern (all without one), optionally of one type (Redis 6 or later). Fetched page by page: a key that exists during the whole scan appears at least once, and may appear twice.';

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

-- Many at once

CREATE FUNCTION redis_mget(VARIADIC key text[])
	RETURNS TABLE (key text, value text)
	LANGUAGE C VOLATILE PARALLEL RESTRICTED COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_mget';
REVOKE ALL ON FUNCTION redis_mget(VARIADIC text[]) FROM PUBLIC;
COMMENT ON FUNCTION redis_mget(VARIADIC text[]) IS
	'A row for each key, in the order given; the value is NULL when there is no such key or it holds no string. PostgreSQL: redis_mget(VARIADIC array). SQLite: up to 127 keys, or WHERE key IN (SELECT ...), which is one trip.';

CREATE FUNCTION redis_mget_bytea(VARIADIC key text[])
	RETURNS TABLE (key text, value bytea)
	LANGUAGE C VOLATILE PARALLEL RESTRICTED COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_mget';
REVOKE ALL ON FUNCTION redis_mget_bytea(VARIADIC text[]) FROM PUBLIC;
COMMENT ON FUNCTION redis_mget_bytea(VARIADIC text[]) IS
	'A row for each key, in the order given; the value is NULL when there is no such key or it holds no string. PostgreSQL: redis_mget(VARIADIC array). SQLite: up to 127 keys, or WHERE key IN (SELECT ...), which is one trip.';

CREATE FUNCTION redis_mget_json(keys text)
	RETURNS TABLE (key text, value text)
	LANGUAGE C VOLATILE PARALLEL RESTRICTED COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_mget_json';
REVOKE ALL ON FUNCTION redis_mget_json(text) FROM PUBLIC;
COMMENT ON FUNCTION redis_mget_json(text) IS
	'The same for the keys of a JSON array.';

CREATE FUNCTION redis_mget_json_bytea(keys text)
	RETURNS TABLE (key text, value bytea)
	LANGUAGE C VOLATILE PARALLEL RESTRICTED COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_mget_json';
REVOKE ALL ON FUNCTION redis_mget_json_bytea(text) FROM PUBLIC;
COMMENT ON FUNCTION redis_mget_json_bytea(text) IS
	'The same for the keys of a JSON array.';

CREATE FUNCTION redis_mget_json(keys anynonarray)
	RETURNS TABLE (key text, value text)
	LANGUAGE C VOLATILE PARALLEL RESTRICTED COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_mget_json';
REVOKE ALL ON FUNCTION redis_mget_json(anynonarray) FROM PUBLIC;
COMMENT ON FUNCTION redis_mget_json(anynonarray) IS
	'The same for the keys of a JSON array.';

CREATE FUNCTION redis_mget_json_bytea(keys anynonarray)
	RETURNS TABLE (key text, value bytea)
	LANGUAGE C VOLATILE PARALLEL RESTRICTED COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_mget_json';
REVOKE ALL ON FUNCTION redis_mget_json_bytea(anynonarray) FROM PUBLIC;
COMMENT ON FUNCTION redis_mget_json_bytea(anynonarray) IS
	'The same for the keys of a JSON array.';

CREATE FUNCTION redis_get_batch(key text)
	RETURNS text
	LANGUAGE C VOLATILE PARALLEL RESTRICTED COST 1000 WINDOW
	AS 'MODULE_PATHNAME', 'pg_redis_get_batch';
REVOKE ALL ON FUNCTION redis_get_batch(text) FROM PUBLIC;
COMMENT ON FUNCTION redis_get_batch(text) IS
	'A window function: each row''s own value, the whole partition''s keys fetched together. NULL when there is no such key or it holds no string.';

CREATE FUNCTION redis_get_batch_bytea(key text)
	RETURNS bytea
	LANGUAGE C VOLATILE PARALLEL RESTRICTED COST 1000 WINDOW
	AS 'MODULE_PATHNAME', 'pg_redis_get_batch';
REVOKE ALL ON FUNCTION redis_get_batch_bytea(text) FROM PUBLIC;
COMMENT ON FUNCTION redis_get_batch_bytea(text) IS
	'A window function: each row''s own value, the whole partition''s keys fetched together. NULL when there is no such key or it holds no string.';

CREATE FUNCTION redis_mset_step(internal, key text, value text)
	RETURNS internal
	LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_mset';
REVOKE ALL ON FUNCTION redis_mset_step(internal, text, text) FROM PUBLIC;
CREATE AGGREGATE redis_mset(key text, value text) (
	SFUNC = redis_mset_step, STYPE = internal, SSPACE = 128,
	FINALFUNC = redis_aggregate_final, FINALFUNC_MODIFY = READ_WRITE, PARALLEL = UNSAFE);
REVOKE ALL ON FUNCTION redis_mset(text, text) FROM PUBLIC;
COMMENT ON AGGREGATE redis_mset(text, text) IS
	'An aggregate: sets each row''s key, optionally with a time to live in seconds; how many were set.';

CREATE FUNCTION redis_mset_step(internal, key text, value text, ttl double precision)
	RETURNS internal
	LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_mset';
REVOKE ALL ON FUNCTION redis_mset_step(internal, text, text, double precision) FROM PUBLIC;
CREATE AGGREGATE redis_mset(key text, value text, ttl double precision) (
	SFUNC = redis_mset_step, STYPE = internal, SSPACE = 128,
	FINALFUNC = redis_aggregate_final, FINALFUNC_MODIFY = READ_WRITE, PARALLEL = UNSAFE);
REVOKE ALL ON FUNCTION redis_mset(text, text, double precision) FROM PUBLIC;
COMMENT ON AGGREGATE redis_mset(text, text, double precision) IS
	'An aggregate: sets each row''s key, optionally with a time to live in seconds; how many were set.';

CREATE FUNCTION redis_mset_step(internal, key text, value anynonarray)
	RETURNS internal
	LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_mset';
REVOKE ALL ON FUNCTION redis_mset_step(internal, text, anynonarray) FROM PUBLIC;
CREATE AGGREGATE redis_mset(key text, value anynonarray) (
	SFUNC = redis_mset_step, STYPE = internal, SSPACE = 128,
	FINALFUNC = redis_aggregate_final, FINALFUNC_MODIFY = READ_WRITE, PARALLEL = UNSAFE);
REVOKE ALL ON FUNCTION redis_mset(text, anynonarray) FROM PUBLIC;
COMMENT ON AGGREGATE redis_mset(text, anynonarray) IS
	'An aggregate: sets each row''s key, optionally with a time to live in seconds; how many were set.';

CREATE FUNCTION redis_mset_step(internal, key text, value anynonarray, ttl double precision)
	RETURNS internal
	LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_mset';
REVOKE ALL ON FUNCTION redis_mset_step(internal, text, anynonarray, double precision) FROM PUBLIC;
CREATE AGGREGATE redis_mset(key text, value anynonarray, ttl double precision) (
	SFUNC = redis_mset_step, STYPE = internal, SSPACE = 128,
	FINALFUNC = redis_aggregate_final, FINALFUNC_MODIFY = READ_WRITE, PARALLEL = UNSAFE);
REVOKE ALL ON FUNCTION redis_mset(text, anynonarray, double precision) FROM PUBLIC;
COMMENT ON AGGREGATE redis_mset(text, anynonarray, double precision) IS
	'An aggregate: sets each row''s key, optionally with a time to live in seconds; how many were set.';

CREATE FUNCTION redis_del_agg_step(internal, key text)
	RETURNS internal
	LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_del_agg';
REVOKE ALL ON FUNCTION redis_del_agg_step(internal, text) FROM PUBLIC;
CREATE AGGREGATE redis_del_agg(key text) (
	SFUNC = redis_del_agg_step, STYPE = internal, SSPACE = 128,
	FINALFUNC = redis_aggregate_final, FINALFUNC_MODIFY = READ_WRITE, PARALLEL = UNSAFE);
REVOKE ALL ON FUNCTION redis_del_agg(text) FROM PUBLIC;
COMMENT ON AGGREGATE redis_del_agg(text) IS
	'An aggregate: deletes each row''s key; how many there were.';

CREATE FUNCTION redis_pipeline(commands text, errors text DEFAULT NULL)
	RETURNS json
	LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_pipeline';
REVOKE ALL ON FUNCTION redis_pipeline(text, text) FROM PUBLIC;
COMMENT ON FUNCTION redis_pipeline(text, text) IS
	'Sends many commands at once, each a JSON array of strings and numbers; their replies as a JSON array. What redis_call refuses is refused here. When a command fails, all have been sent: the error names the first that failed and says how many succeeded, or, with errors ''return'', its reply is {"error": ...}.';

CREATE FUNCTION redis_pipeline(commands anynonarray, errors text DEFAULT NULL)
	RETURNS json
	LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_pipeline';
REVOKE ALL ON FUNCTION redis_pipeline(anynonarray, text) FROM PUBLIC;
COMMENT ON FUNCTION redis_pipeline(anynonarray, text) IS
	'Sends many commands at once, each a JSON array of strings and numbers; their replies as a JSON array. What redis_call refuses is refused here. When a command fails, all have been sent: the error names the first that failed and says how many succeeded, or, with errors ''return'', its reply is {"error": ...}.';

CREATE FUNCTION redis_multi(commands text)
	RETURNS json
	LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_multi';
REVOKE ALL ON FUNCTION redis_multi(text) FROM PUBLIC;
COMMENT ON FUNCTION redis_multi(text) IS
	'The same as one Redis transaction (MULTI, EXEC): no other client''s command comes between. A command that Redis does not accept (unknown, wrong number of arguments) cancels all; one that fails when it runs leaves the others done, as Redis has no rollback: the error says so.';

CREATE FUNCTION redis_multi(commands anynonarray)
	RETURNS json
	LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_multi';
REVOKE ALL ON FUNCTION redis_multi(anynonarray) FROM PUBLIC;
COMMENT ON FUNCTION redis_multi(anynonarray) IS
	'The same as one Redis transaction (MULTI, EXEC): no other client''s command comes between. A command that Redis does not accept (unknown, wrong number of arguments) cancels all; one that fails when it runs leaves the others done, as Redis has no rollback: the error says so.';

-- Hashes

CREATE FUNCTION redis_hset(key text, VARIADIC field_value text[])
	RETURNS bigint
	LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_hset';
REVOKE ALL ON FUNCTION redis_hset(text, VARIADIC text[]) FROM PUBLIC;
COMMENT ON FUNCTION redis_hset(text, VARIADIC text[]) IS
	'Sets fields: redis_hset(key, field, value, ...); how many of them are new.';

CREATE FUNCTION redis_hset(key text, VARIADIC field_value "any")
	RETURNS bigint
	LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_hset';
REVOKE ALL ON FUNCTION redis_hset(text, VARIADIC "any") FROM PUBLIC;
COMMENT ON FUNCTION redis_hset(text, VARIADIC "any") IS
	'Sets fields: redis_hset(key, field, value, ...); how many of them are new.';

CREATE FUNCTION redis_hset_json(key text, fields text)
	RETURNS bigint
	LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_hset_json';
REVOKE ALL ON FUNCTION redis_hset_json(text, text) FROM PUBLIC;
COMMENT ON FUNCTION redis_hset_json(text, text) IS
	'Sets the fields that a JSON object names; how many of them are new. Numbers are sent as they are written, true and false as words, arrays and objects as JSON; a null is left out, and 0 is the result when nothing else is there.';

CREATE FUNCTION redis_hset_json(key text, fields anynonarray)
	RETURNS bigint
	LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_hset_json';
REVOKE ALL ON FUNCTION redis_hset_json(text, anynonarray) FROM PUBLIC;
COMMENT ON FUNCTION redis_hset_json(text, anynonarray) IS
	'Sets the fields that a JSON object names; how many of them are new. Numbers are sent as they are written, true and false as words, arrays and objects as JSON; a null is left out, and 0 is the result when nothing else is there.';

CREATE FUNCTION redis_hsetnx(key text, field text, value text)
	RETURNS boolean
	LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_hsetnx';
REVOKE ALL ON FUNCTION redis_hsetnx(text, text, text) FROM PUBLIC;
COMMENT ON FUNCTION redis_hsetnx(text, text, text) IS
	'Sets a field that is not there yet; whether it did.';

CREATE FUNCTION redis_hsetnx(key text, field text, value anynonarray)
	RETURNS boolean
	LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_hsetnx';
REVOKE ALL ON FUNCTION redis_hsetnx(text, text, anynonarray) FROM PUBLIC;
COMMENT ON FUNCTION redis_hsetnx(text, text, anynonarray) IS
	'Sets a field that is not there yet; whether it did.';

CREATE FUNCTION redis_hget(key text, field text)
	RETURNS text
	LANGUAGE C VOLATILE PARALLEL RESTRICTED COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_hget';
REVOKE ALL ON FUNCTION redis_hget(text, text) FROM PUBLIC;
COMMENT ON FUNCTION redis_hget(text, text) IS
	'A field''s value; NULL when there is no such field or key.';

CREATE FUNCTION redis_hget_bytea(key text, field text)
	RETURNS bytea
	LANGUAGE C VOLATILE PARALLEL RESTRICTED COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_hget';
REVOKE ALL ON FUNCTION redis_hget_bytea(text, text) FROM PUBLIC;
COMMENT ON FUNCTION redis_hget_bytea(text, text) IS
	'A field''s value; NULL when there is no such field or key.';

CREATE FUNCTION redis_hmget(key text, VARIADIC field text[])
	RETURNS TABLE (field text, value text)
	LANGUAGE C VOLATILE PARALLEL RESTRICTED COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_hmget';
REVOKE ALL ON FUNCTION redis_hmget(text, VARIADIC text[]) FROM PUBLIC;
COMMENT ON FUNCTION redis_hmget(text, VARIADIC text[]) IS
	'A row for each field named, in that order; the value is NULL when there is no such field.';

CREATE FUNCTION redis_hmget_bytea(key text, VARIADIC field text[])
	RETURNS TABLE (field text, value bytea)
	LANGUAGE C VOLATILE PARALLEL RESTRICTED COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_hmget';
REVOKE ALL ON FUNCTION redis_hmget_bytea(text, VARIADIC text[]) FROM PUBLIC;
COMMENT ON FUNCTION redis_hmget_bytea(text, VARIADIC text[]) IS
	'A row for each field named, in that order; the value is NULL when there is no such field.';

CREATE FUNCTION redis_hgetall(key text)
	RETURNS TABLE (field text, value text)
	LANGUAGE C VOLATILE PARALLEL RESTRICTED COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_hgetall';
REVOKE ALL ON FUNCTION redis_hgetall(text) FROM PUBLIC;
COMMENT ON FUNCTION redis_hgetall(text) IS
	'Every field and its value, in one reply; for a hash of unknown size see redis_hscan.';

CREATE FUNCTION redis_hgetall_bytea(key text)
	RETURNS TABLE (field bytea, value bytea)
	LANGUAGE C VOLATILE PARALLEL RESTRICTED COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_hgetall';
REVOKE ALL ON FUNCTION redis_hgetall_bytea(text) FROM PUBLIC;
COMMENT ON FUNCTION redis_hgetall_bytea(text) IS
	'Every field and its value, in one reply; for a hash of unknown size see redis_hscan.';

CREATE FUNCTION redis_hdel(key text, VARIADIC field text[])
	RETURNS bigint
	LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_hdel';
REVOKE ALL ON FUNCTION redis_hdel(text, VARIADIC text[]) FROM PUBLIC;
COMMENT ON FUNCTION redis_hdel(text, VARIADIC text[]) IS
	'Deletes fields; how many there were.';

CREATE FUNCTION redis_hexists(key text, field text)
	RETURNS boolean
	LANGUAGE C VOLATILE PARALLEL RESTRICTED COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_hexists';
REVOKE ALL ON FUNCTION redis_hexists(text, text) FROM PUBLIC;
COMMENT ON FUNCTION redis_hexists(text, text) IS
	'Whether the hash has the field.';

CREATE FUNCTION redis_hlen(key text)
	RETURNS bigint
	LANGUAGE C VOLATILE PARALLEL RESTRICTED COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_hlen';
REVOKE ALL ON FUNCTION redis_hlen(text) FROM PUBLIC;
COMMENT ON FUNCTION redis_hlen(text) IS
	'How many fields the hash has; 0 when there is no such key.';

CREATE FUNCTION redis_hkeys(key text)
	RETURNS TABLE (field text)
	LANGUAGE C VOLATILE PARALLEL RESTRICTED COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_hkeys';
REVOKE ALL ON FUNCTION redis_hkeys(text) FROM PUBLIC;
COMMENT ON FUNCTION redis_hkeys(text) IS
	'The names of the hash''s fields, in one reply.';

CREATE FUNCTION redis_hkeys_bytea(key text)
	RETURNS TABLE (field bytea)
	LANGUAGE C VOLATILE PARALLEL RESTRICTED COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_hkeys';
REVOKE ALL ON FUNCTION redis_hkeys_bytea(text) FROM PUBLIC;
COMMENT ON FUNCTION redis_hkeys_bytea(text) IS
	'The names of the hash''s fields, in one reply.';

CREATE FUNCTION redis_hvals(key text)
	RETURNS TABLE (value text)
	LANGUAGE C VOLATILE PARALLEL RESTRICTED COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_hvals';
REVOKE ALL ON FUNCTION redis_hvals(text) FROM PUBLIC;
COMMENT ON FUNCTION redis_hvals(text) IS
	'The values of the hash''s fields, in one reply.';

CREATE FUNCTION redis_hvals_bytea(key text)
	RETURNS TABLE (value bytea)
	LANGUAGE C VOLATILE PARALLEL RESTRICTED COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_hvals';
REVOKE ALL ON FUNCTION redis_hvals_bytea(text) FROM PUBLIC;
COMMENT ON FUNCTION redis_hvals_bytea(text) IS
	'The values of the hash''s fields, in one reply.';

CREATE FUNCTION redis_hincrby(key text, field text, by bigint DEFAULT 1)
	RETURNS bigint
	LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_hincrby';
REVOKE ALL ON FUNCTION redis_hincrby(text, text, bigint) FROM PUBLIC;
COMMENT ON FUNCTION redis_hincrby(text, text, bigint) IS
	'Adds by (1) to the number in a field, which starts at 0; the new number.';

CREATE FUNCTION redis_hincrbyfloat(key text, field text, by double precision)
	RETURNS double precision
	LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_hincrbyfloat';
REVOKE ALL ON FUNCTION redis_hincrbyfloat(text, text, double precision) FROM PUBLIC;
COMMENT ON FUNCTION redis_hincrbyfloat(text, text, double precision) IS
	'Adds a fraction to the number in a field; the new number.';

CREATE FUNCTION redis_hscan(key text, pattern text DEFAULT NULL)
	RETURNS TABLE (field text, value text)
	LANGUAGE C VOLATILE PARALLEL RESTRICTED COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_hscan';
REVOKE ALL ON FUNCTION redis_hscan(text, text) FROM PUBLIC;
COMMENT ON FUNCTION redis_hscan(text, text) IS
	'The fields that match a glob pattern (all without one), fetched page by page: a LIMIT stops the reading (PostgreSQL: in the select list). A field that is there during the whole scan appears at least once, and may appear twice.';

CREATE FUNCTION redis_hscan_bytea(key text, pattern text DEFAULT NULL)
	RETURNS TABLE (field bytea, value bytea)
	LANGUAGE C VOLATILE PARALLEL RESTRICTED COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_hscan';
REVOKE ALL ON FUNCTION redis_hscan_bytea(text, text) FROM PUBLIC;
COMMENT ON FUNCTION redis_hscan_bytea(text, text) IS
	'The fields that match a glob pattern (all without one), fetched page by page: a LIMIT stops the reading (PostgreSQL: in the select list). A field that is there during the whole scan appears at least once, and may appear twice.';

-- Lists

CREATE FUNCTION redis_lpush(key text, VARIADIC value text[])
	RETURNS bigint
	LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_lpush';
REVOKE ALL ON FUNCTION redis_lpush(text, VARIADIC text[]) FROM PUBLIC;
COMMENT ON FUNCTION redis_lpush(text, VARIADIC text[]) IS
	'Puts values before the list''s first element, one after the other; its new length.';

CREATE FUNCTION redis_lpush(key text, VARIADIC value "any")
	RETURNS bigint
	LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_lpush';
REVOKE ALL ON FUNCTION redis_lpush(text, VARIADIC "any") FROM PUBLIC;
COMMENT ON FUNCTION redis_lpush(text, VARIADIC "any") IS
	'Puts values before the list''s first element, one after the other; its new length.';

CREATE FUNCTION redis_rpush(key text, VARIADIC value text[])
	RETURNS bigint
	LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_rpush';
REVOKE ALL ON FUNCTION redis_rpush(text, VARIADIC text[]) FROM PUBLIC;
COMMENT ON FUNCTION redis_rpush(text, VARIADIC text[]) IS
	'Puts values behind the list''s last element; its new length.';

CREATE FUNCTION redis_rpush(key text, VARIADIC value "any")
	RETURNS bigint
	LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_rpush';
REVOKE ALL ON FUNCTION redis_rpush(text, VARIADIC "any") FROM PUBLIC;
COMMENT ON FUNCTION redis_rpush(text, VARIADIC "any") IS
	'Puts values behind the list''s last element; its new length.';

CREATE FUNCTION redis_lpop(key text)
	RETURNS text
	LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_lpop';
REVOKE ALL ON FUNCTION redis_lpop(text) FROM PUBLIC;
COMMENT ON FUNCTION redis_lpop(text) IS
	'Takes the first element; NULL when there is none.';

CREATE FUNCTION redis_lpop_bytea(key text)
	RETURNS bytea
	LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_lpop';
REVOKE ALL ON FUNCTION redis_lpop_bytea(text) FROM PUBLIC;
COMMENT ON FUNCTION redis_lpop_bytea(text) IS
	'Takes the first element; NULL when there is none.';

CREATE FUNCTION redis_rpop(key text)
	RETURNS text
	LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_rpop';
REVOKE ALL ON FUNCTION redis_rpop(text) FROM PUBLIC;
COMMENT ON FUNCTION redis_rpop(text) IS
	'Takes the last element; NULL when there is none.';

CREATE FUNCTION redis_rpop_bytea(key text)
	RETURNS bytea
	LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_rpop';
REVOKE ALL ON FUNCTION redis_rpop_bytea(text) FROM PUBLIC;
COMMENT ON FUNCTION redis_rpop_bytea(text) IS
	'Takes the last element; NULL when there is none.';

CREATE FUNCTION redis_blpop(key text, timeout double precision)
	RETURNS text
	LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_blpop';
REVOKE ALL ON FUNCTION redis_blpop(text, double precision) FROM PUBLIC;
COMMENT ON FUNCTION redis_blpop(text, double precision) IS
	'Takes the first element, waiting for one up to timeout seconds (fractions: Redis 6 or later; 0: command_timeout); NULL when none came.';

CREATE FUNCTION redis_blpop_bytea(key text, timeout double precision)
	RETURNS bytea
	LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_blpop';
REVOKE ALL ON FUNCTION redis_blpop_bytea(text, double precision) FROM PUBLIC;
COMMENT ON FUNCTION redis_blpop_bytea(text, double precision) IS
	'Takes the first element, waiting for one up to timeout seconds (fractions: Redis 6 or later; 0: command_timeout); NULL when none came.';

CREATE FUNCTION redis_brpop(key text, timeout double precision)
	RETURNS text
	LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_brpop';
REVOKE ALL ON FUNCTION redis_brpop(text, double precision) FROM PUBLIC;
COMMENT ON FUNCTION redis_brpop(text, double precision) IS
	'Takes the last element, waiting for one up to timeout seconds (fractions: Redis 6 or later; 0: command_timeout); NULL when none came.';

CREATE FUNCTION redis_brpop_bytea(key text, timeout double precision)
	RETURNS bytea
	LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_brpop';
REVOKE ALL ON FUNCTION redis_brpop_bytea(text, double precision) FROM PUBLIC;
COMMENT ON FUNCTION redis_brpop_bytea(text, double precision) IS
	'Takes the last element, waiting for one up to timeout seconds (fractions: Redis 6 or later; 0: command_timeout); NULL when none came.';

CREATE FUNCTION redis_lrange(key text, start bigint DEFAULT 0, stop bigint DEFAULT -1)
	RETURNS TABLE (idx bigint, value text)
	LANGUAGE C VOLATILE PARALLEL RESTRICTED COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_lrange';
REVOKE ALL ON FUNCTION redis_lrange(text, bigint, bigint) FROM PUBLIC;
COMMENT ON FUNCTION redis_lrange(text, bigint, bigint) IS
	'Elements start (0) to stop (-1), both inclusive, and their positions. Fetched in pages of 1000: what others change between two pages may repeat or hide elements of a longer range.';

CREATE FUNCTION redis_lrange_bytea(key text, start bigint DEFAULT 0, stop bigint DEFAULT -1)
	RETURNS TABLE (idx bigint, value bytea)
	LANGUAGE C VOLATILE PARALLEL RESTRICTED COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_lrange';
REVOKE ALL ON FUNCTION redis_lrange_bytea(text, bigint, bigint) FROM PUBLIC;
COMMENT ON FUNCTION redis_lrange_bytea(text, bigint, bigint) IS
	'Elements start (0) to stop (-1), both inclusive, and their positions. Fetched in pages of 1000: what others change between two pages may repeat or hide elements of a longer range.';

CREATE FUNCTION redis_llen(key text)
	RETURNS bigint
	LANGUAGE C VOLATILE PARALLEL RESTRICTED COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_llen';
REVOKE ALL ON FUNCTION redis_llen(text) FROM PUBLIC;
COMMENT ON FUNCTION redis_llen(text) IS
	'The list''s length; 0 when there is no such key.';

CREATE FUNCTION redis_lindex(key text, idx bigint)
	RETURNS text
	LANGUAGE C VOLATILE PARALLEL RESTRICTED COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_lindex';
REVOKE ALL ON FUNCTION redis_lindex(text, bigint) FROM PUBLIC;
COMMENT ON FUNCTION redis_lindex(text, bigint) IS
	'The element at a position; NULL when there is none.';

CREATE FUNCTION redis_lindex_bytea(key text, idx bigint)
	RETURNS bytea
	LANGUAGE C VOLATILE PARALLEL RESTRICTED COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_lindex';
REVOKE ALL ON FUNCTION redis_lindex_bytea(text, bigint) FROM PUBLIC;
COMMENT ON FUNCTION redis_lindex_bytea(text, bigint) IS
	'The element at a position; NULL when there is none.';

CREATE FUNCTION redis_lset(key text, idx bigint, value text)
	RETURNS boolean
	LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_lset';
REVOKE ALL ON FUNCTION redis_lset(text, bigint, text) FROM PUBLIC;
COMMENT ON FUNCTION redis_lset(text, bigint, text) IS
	'Replaces the element at a position; an error when there is none.';

CREATE FUNCTION redis_lset(key text, idx bigint, value anynonarray)
	RETURNS boolean
	LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_lset';
REVOKE ALL ON FUNCTION redis_lset(text, bigint, anynonarray) FROM PUBLIC;
COMMENT ON FUNCTION redis_lset(text, bigint, anynonarray) IS
	'Replaces the element at a position; an error when there is none.';

CREATE FUNCTION redis_lrem(key text, count bigint, value text)
	RETURNS bigint
	LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_lrem';
REVOKE ALL ON FUNCTION redis_lrem(text, bigint, text) FROM PUBLIC;
COMMENT ON FUNCTION redis_lrem(text, bigint, text) IS
	'Removes elements equal to value: the first count, the last when count is negative, all when it is 0; how many.';

CREATE FUNCTION redis_lrem(key text, count bigint, value anynonarray)
	RETURNS bigint
	LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_lrem';
REVOKE ALL ON FUNCTION redis_lrem(text, bigint, anynonarray) FROM PUBLIC;
COMMENT ON FUNCTION redis_lrem(text, bigint, anynonarray) IS
	'Removes elements equal to value: the first count, the last when count is negative, all when it is 0; how many.';

CREATE FUNCTION redis_ltrim(key text, start bigint, stop bigint)
	RETURNS boolean
	LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_ltrim';
REVOKE ALL ON FUNCTION redis_ltrim(text, bigint, bigint) FROM PUBLIC;
COMMENT ON FUNCTION redis_ltrim(text, bigint, bigint) IS
	'Keeps elements start to stop, both inclusive, and removes the others.';

CREATE FUNCTION redis_linsert(key text, side text, pivot text, value text)
	RETURNS bigint
	LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_linsert';
REVOKE ALL ON FUNCTION redis_linsert(text, text, text, text) FROM PUBLIC;
COMMENT ON FUNCTION redis_linsert(text, text, text, text) IS
	'Puts value before or after the first element equal to pivot; the new length, -1 without such an element, 0 without the key.';

CREATE FUNCTION redis_linsert(key text, side text, pivot anynonarray, value text)
	RETURNS bigint
	LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_linsert';
REVOKE ALL ON FUNCTION redis_linsert(text, text, anynonarray, text) FROM PUBLIC;
COMMENT ON FUNCTION redis_linsert(text, text, anynonarray, text) IS
	'Puts value before or after the first element equal to pivot; the new length, -1 without such an element, 0 without the key.';

CREATE FUNCTION redis_linsert(key text, side text, pivot text, value anynonarray)
	RETURNS bigint
	LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_linsert';
REVOKE ALL ON FUNCTION redis_linsert(text, text, text, anynonarray) FROM PUBLIC;
COMMENT ON FUNCTION redis_linsert(text, text, text, anynonarray) IS
	'Puts value before or after the first element equal to pivot; the new length, -1 without such an element, 0 without the key.';

CREATE FUNCTION redis_linsert(key text, side text, pivot anycompatiblenonarray, value anycompatiblenonarray)
	RETURNS bigint
	LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_linsert';
REVOKE ALL ON FUNCTION redis_linsert(text, text, anycompatiblenonarray, anycompatiblenonarray) FROM PUBLIC;
COMMENT ON FUNCTION redis_linsert(text, text, anycompatiblenonarray, anycompatiblenonarray) IS
	'Puts value before or after the first element equal to pivot; the new length, -1 without such an element, 0 without the key.';

CREATE FUNCTION redis_lmove(source text, destination text, from_end text, to_end text)
	RETURNS text
	LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_lmove';
REVOKE ALL ON FUNCTION redis_lmove(text, text, text, text) FROM PUBLIC;
COMMENT ON FUNCTION redis_lmove(text, text, text, text) IS
	'Takes an element from one end of source and puts it at one end of destination, as one step; the element, NULL when there was none (Redis 6.2 or later).';

CREATE FUNCTION redis_lmove_bytea(source text, destination text, from_end text, to_end text)
	RETURNS bytea
	LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_lmove';
REVOKE ALL ON FUNCTION redis_lmove_bytea(text, text, text, text) FROM PUBLIC;
COMMENT ON FUNCTION redis_lmove_bytea(text, text, text, text) IS
	'Takes an element from one end of source and puts it at one end of destination, as one step; the element, NULL when there was none (Redis 6.2 or later).';

-- Sets

CREATE FUNCTION redis_sadd(key text, VARIADIC member text[])
	RETURNS bigint
	LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_sadd';
REVOKE ALL ON FUNCTION redis_sadd(text, VARIADIC text[]) FROM PUBLIC;
COMMENT ON FUNCTION redis_sadd(text, VARIADIC text[]) IS
	'Adds members; how many of them are new.';

CREATE FUNCTION redis_sadd(key text, VARIADIC member "any")
	RETURNS bigint
	LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_sadd';
REVOKE ALL ON FUNCTION redis_sadd(text, VARIADIC "any") FROM PUBLIC;
COMMENT ON FUNCTION redis_sadd(text, VARIADIC "any") IS
	'Adds members; how many of them are new.';

CREATE FUNCTION redis_srem(key text, VARIADIC member text[])
	RETURNS bigint
	LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_srem';
REVOKE ALL ON FUNCTION redis_srem(text, VARIADIC text[]) FROM PUBLIC;
COMMENT ON FUNCTION redis_srem(text, VARIADIC text[]) IS
	'Removes members; how many there were.';

CREATE FUNCTION redis_srem(key text, VARIADIC member "any")
	RETURNS bigint
	LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_srem';
REVOKE ALL ON FUNCTION redis_srem(text, VARIADIC "any") FROM PUBLIC;
COMMENT ON FUNCTION redis_srem(text, VARIADIC "any") IS
	'Removes members; how many there were.';

CREATE FUNCTION redis_sismember(key text, member text)
	RETURNS boolean
	LANGUAGE C VOLATILE PARALLEL RESTRICTED COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_sismember';
REVOKE ALL ON FUNCTION redis_sismember(text, text) FROM PUBLIC;
COMMENT ON FUNCTION redis_sismember(text, text) IS
	'Whether the set has the member.';

CREATE FUNCTION redis_sismember(key text, member anynonarray)
	RETURNS boolean
	LANGUAGE C VOLATILE PARALLEL RESTRICTED COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_sismember';
REVOKE ALL ON FUNCTION redis_sismember(text, anynonarray) FROM PUBLIC;
COMMENT ON FUNCTION redis_sismember(text, anynonarray) IS
	'Whether the set has the member.';

CREATE FUNCTION redis_scard(key text)
	RETURNS bigint
	LANGUAGE C VOLATILE PARALLEL RESTRICTED COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_scard';
REVOKE ALL ON FUNCTION redis_scard(text) FROM PUBLIC;
COMMENT ON FUNCTION redis_scard(text) IS
	'How many members the set has; 0 when there is no such key.';

CREATE FUNCTION redis_spop(key text)
	RETURNS text
	LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_spop';
REVOKE ALL ON FUNCTION redis_spop(text) FROM PUBLIC;
COMMENT ON FUNCTION redis_spop(text) IS
	'Takes a random member; NULL when there is none.';

CREATE FUNCTION redis_spop_bytea(key text)
	RETURNS bytea
	LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_spop';
REVOKE ALL ON FUNCTION redis_spop_bytea(text) FROM PUBLIC;
COMMENT ON FUNCTION redis_spop_bytea(text) IS
	'Takes a random member; NULL when there is none.';

CREATE FUNCTION redis_srandmember(key text)
	RETURNS text
	LANGUAGE C VOLATILE PARALLEL RESTRICTED COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_srandmember';
REVOKE ALL ON FUNCTION redis_srandmember(text) FROM PUBLIC;
COMMENT ON FUNCTION redis_srandmember(text) IS
	'A random member, which stays; NULL when there is none.';

CREATE FUNCTION redis_srandmember_bytea(key text)
	RETURNS bytea
	LANGUAGE C VOLATILE PARALLEL RESTRICTED COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_srandmember';
REVOKE ALL ON FUNCTION redis_srandmember_bytea(text) FROM PUBLIC;
COMMENT ON FUNCTION redis_srandmember_bytea(text) IS
	'A random member, which stays; NULL when there is none.';

CREATE FUNCTION redis_smembers(key text)
	RETURNS TABLE (member text)
	LANGUAGE C VOLATILE PARALLEL RESTRICTED COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_smembers';
REVOKE ALL ON FUNCTION redis_smembers(text) FROM PUBLIC;
COMMENT ON FUNCTION redis_smembers(text) IS
	'The members, in one reply; for a set of unknown size see redis_sscan.';

CREATE FUNCTION redis_smembers_bytea(key text)
	RETURNS TABLE (member bytea)
	LANGUAGE C VOLATILE PARALLEL RESTRICTED COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_smembers';
REVOKE ALL ON FUNCTION redis_smembers_bytea(text) FROM PUBLIC;
COMMENT ON FUNCTION redis_smembers_bytea(text) IS
	'The members, in one reply; for a set of unknown size see redis_sscan.';

CREATE FUNCTION redis_sinter(VARIADIC key text[])
	RETURNS TABLE (member text)
	LANGUAGE C VOLATILE PARALLEL RESTRICTED COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_sinter';
REVOKE ALL ON FUNCTION redis_sinter(VARIADIC text[]) FROM PUBLIC;
COMMENT ON FUNCTION redis_sinter(VARIADIC text[]) IS
	'The members that all the sets have.';

CREATE FUNCTION redis_sinter_bytea(VARIADIC key text[])
	RETURNS TABLE (member bytea)
	LANGUAGE C VOLATILE PARALLEL RESTRICTED COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_sinter';
REVOKE ALL ON FUNCTION redis_sinter_bytea(VARIADIC text[]) FROM PUBLIC;
COMMENT ON FUNCTION redis_sinter_bytea(VARIADIC text[]) IS
	'The members that all the sets have.';

CREATE FUNCTION redis_sunion(VARIADIC key text[])
	RETURNS TABLE (member text)
	LANGUAGE C VOLATILE PARALLEL RESTRICTED COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_sunion';
REVOKE ALL ON FUNCTION redis_sunion(VARIADIC text[]) FROM PUBLIC;
COMMENT ON FUNCTION redis_sunion(VARIADIC text[]) IS
	'The members that any of the sets has.';

CREATE FUNCTION redis_sunion_bytea(VARIADIC key text[])
	RETURNS TABLE (member bytea)
	LANGUAGE C VOLATILE PARALLEL RESTRICTED COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_sunion';
REVOKE ALL ON FUNCTION redis_sunion_bytea(VARIADIC text[]) FROM PUBLIC;
COMMENT ON FUNCTION redis_sunion_bytea(VARIADIC text[]) IS
	'The members that any of the sets has.';

CREATE FUNCTION redis_sdiff(VARIADIC key text[])
	RETURNS TABLE (member text)
	LANGUAGE C VOLATILE PARALLEL RESTRICTED COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_sdiff';
REVOKE ALL ON FUNCTION redis_sdiff(VARIADIC text[]) FROM PUBLIC;
COMMENT ON FUNCTION redis_sdiff(VARIADIC text[]) IS
	'The first set''s members that none of the others has.';

CREATE FUNCTION redis_sdiff_bytea(VARIADIC key text[])
	RETURNS TABLE (member bytea)
	LANGUAGE C VOLATILE PARALLEL RESTRICTED COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_sdiff';
REVOKE ALL ON FUNCTION redis_sdiff_bytea(VARIADIC text[]) FROM PUBLIC;
COMMENT ON FUNCTION redis_sdiff_bytea(VARIADIC text[]) IS
	'The first set''s members that none of the others has.';

CREATE FUNCTION redis_sscan(key text, pattern text DEFAULT NULL)
	RETURNS TABLE (member text)
	LANGUAGE C VOLATILE PARALLEL RESTRICTED COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_sscan';
REVOKE ALL ON FUNCTION redis_sscan(text, text) FROM PUBLIC;
COMMENT ON FUNCTION redis_sscan(text, text) IS
	'The members that match a glob pattern (all without one), fetched page by page, like redis_hscan.';

CREATE FUNCTION redis_sscan_bytea(key text, pattern text DEFAULT NULL)
	RETURNS TABLE (member bytea)
	LANGUAGE C VOLATILE PARALLEL RESTRICTED COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_sscan';
REVOKE ALL ON FUNCTION redis_sscan_bytea(text, text) FROM PUBLIC;
COMMENT ON FUNCTION redis_sscan_bytea(text, text) IS
	'The members that match a glob pattern (all without one), fetched page by page, like redis_hscan.';

-- Sorted sets

CREATE FUNCTION redis_zadd(key text, score double precision, member text, mode text DEFAULT NULL)
	RETURNS bigint
	LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_zadd';
REVOKE ALL ON FUNCTION redis_zadd(text, double precision, text, text) FROM PUBLIC;
COMMENT ON FUNCTION redis_zadd(text, double precision, text, text) IS
	'Sets a member''s score; 1 when the member is new, else 0. mode ''NX'': only new members, ''XX'': only known ones, ''GT'' and ''LT'': never lower, or never raise, a known one''s score (Redis 6.2 or later).';

CREATE FUNCTION redis_zadd(key text, score double precision, member anynonarray, mode text DEFAULT NULL)
	RETURNS bigint
	LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_zadd';
REVOKE ALL ON FUNCTION redis_zadd(text, double precision, anynonarray, text) FROM PUBLIC;
COMMENT ON FUNCTION redis_zadd(text, double precision, anynonarray, text) IS
	'Sets a member''s score; 1 when the member is new, else 0. mode ''NX'': only new members, ''XX'': only known ones, ''GT'' and ''LT'': never lower, or never raise, a known one''s score (Redis 6.2 or later).';

CREATE FUNCTION redis_zrem(key text, VARIADIC member text[])
	RETURNS bigint
	LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_zrem';
REVOKE ALL ON FUNCTION redis_zrem(text, VARIADIC text[]) FROM PUBLIC;
COMMENT ON FUNCTION redis_zrem(text, VARIADIC text[]) IS
	'Removes members; how many there were.';

CREATE FUNCTION redis_zrem(key text, VARIADIC member "any")
	RETURNS bigint
	LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_zrem';
REVOKE ALL ON FUNCTION redis_zrem(text, VARIADIC "any") FROM PUBLIC;
COMMENT ON FUNCTION redis_zrem(text, VARIADIC "any") IS
	'Removes members; how many there were.';

CREATE FUNCTION redis_zscore(key text, member text)
	RETURNS double precision
	LANGUAGE C VOLATILE PARALLEL RESTRICTED COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_zscore';
REVOKE ALL ON FUNCTION redis_zscore(text, text) FROM PUBLIC;
COMMENT ON FUNCTION redis_zscore(text, text) IS
	'A member''s score; NULL when there is no such member or key.';

CREATE FUNCTION redis_zscore(key text, member anynonarray)
	RETURNS double precision
	LANGUAGE C VOLATILE PARALLEL RESTRICTED COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_zscore';
REVOKE ALL ON FUNCTION redis_zscore(text, anynonarray) FROM PUBLIC;
COMMENT ON FUNCTION redis_zscore(text, anynonarray) IS
	'A member''s score; NULL when there is no such member or key.';

CREATE FUNCTION redis_zrank(key text, member text)
	RETURNS bigint
	LANGUAGE C VOLATILE PARALLEL RESTRICTED COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_zrank';
REVOKE ALL ON FUNCTION redis_zrank(text, text) FROM PUBLIC;
COMMENT ON FUNCTION redis_zrank(text, text) IS
	'A member''s place, the lowest score being 0; NULL when there is no such member or key.';

CREATE FUNCTION redis_zrank(key text, member anynonarray)
	RETURNS bigint
	LANGUAGE C VOLATILE PARALLEL RESTRICTED COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_zrank';
REVOKE ALL ON FUNCTION redis_zrank(text, anynonarray) FROM PUBLIC;
COMMENT ON FUNCTION redis_zrank(text, anynonarray) IS
	'A member''s place, the lowest score being 0; NULL when there is no such member or key.';

CREATE FUNCTION redis_zrevrank(key text, member text)
	RETURNS bigint
	LANGUAGE C VOLATILE PARALLEL RESTRICTED COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_zrevrank';
REVOKE ALL ON FUNCTION redis_zrevrank(text, text) FROM PUBLIC;
COMMENT ON FUNCTION redis_zrevrank(text, text) IS
	'A member''s place, the highest score being 0; NULL when there is no such member or key.';

CREATE FUNCTION redis_zrevrank(key text, member anynonarray)
	RETURNS bigint
	LANGUAGE C VOLATILE PARALLEL RESTRICTED COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_zrevrank';
REVOKE ALL ON FUNCTION redis_zrevrank(text, anynonarray) FROM PUBLIC;
COMMENT ON FUNCTION redis_zrevrank(text, anynonarray) IS
	'A member''s place, the highest score being 0; NULL when there is no such member or key.';

CREATE FUNCTION redis_zincrby(key text, by double precision, member text)
	RETURNS double precision
	LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_zincrby';
REVOKE ALL ON FUNCTION redis_zincrby(text, double precision, text) FROM PUBLIC;
COMMENT ON FUNCTION redis_zincrby(text, double precision, text) IS
	'Adds to a member''s score, which starts at 0; the new score.';

CREATE FUNCTION redis_zincrby(key text, by double precision, member anynonarray)
	RETURNS double precision
	LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_zincrby';
REVOKE ALL ON FUNCTION redis_zincrby(text, double precision, anynonarray) FROM PUBLIC;
COMMENT ON FUNCTION redis_zincrby(text, double precision, anynonarray) IS
	'Adds to a member''s score, which starts at 0; the new score.';

CREATE FUNCTION redis_zcard(key text)
	RETURNS bigint
	LANGUAGE C VOLATILE PARALLEL RESTRICTED COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_zcard';
REVOKE ALL ON FUNCTION redis_zcard(text) FROM PUBLIC;
COMMENT ON FUNCTION redis_zcard(text) IS
	'How many members the sorted set has; 0 when there is no such key.';

CREATE FUNCTION redis_zcount(key text, min text, max text)
	RETURNS bigint
	LANGUAGE C VOLATILE PARALLEL RESTRICTED COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_zcount';
REVOKE ALL ON FUNCTION redis_zcount(text, text, text) FROM PUBLIC;
COMMENT ON FUNCTION redis_zcount(text, text, text) IS
	'How many members have a score from min to max.';

CREATE FUNCTION redis_zcount(key text, min double precision, max text)
	RETURNS bigint
	LANGUAGE C VOLATILE PARALLEL RESTRICTED COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_zcount';
REVOKE ALL ON FUNCTION redis_zcount(text, double precision, text) FROM PUBLIC;
COMMENT ON FUNCTION redis_zcount(text, double precision, text) IS
	'How many members have a score from min to max.';

CREATE FUNCTION redis_zcount(key text, min text, max double precision)
	RETURNS bigint
	LANGUAGE C VOLATILE PARALLEL RESTRICTED COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_zcount';
REVOKE ALL ON FUNCTION redis_zcount(text, text, double precision) FROM PUBLIC;
COMMENT ON FUNCTION redis_zcount(text, text, double precision) IS
	'How many members have a score from min to max.';

CREATE FUNCTION redis_zcount(key text, min double precision, max double precision)
	RETURNS bigint
	LANGUAGE C VOLATILE PARALLEL RESTRICTED COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_zcount';
REVOKE ALL ON FUNCTION redis_zcount(text, double precision, double precision) FROM PUBLIC;
COMMENT ON FUNCTION redis_zcount(text, double precision, double precision) IS
	'How many members have a score from min to max.';

CREATE FUNCTION redis_zrange(key text, start bigint DEFAULT 0, stop bigint DEFAULT -1, rev boolean DEFAULT false)
	RETURNS TABLE (rank bigint, member text, score double precision)
	LANGUAGE C VOLATILE PARALLEL RESTRICTED COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_zrange';
REVOKE ALL ON FUNCTION redis_zrange(text, bigint, bigint, boolean) FROM PUBLIC;
COMMENT ON FUNCTION redis_zrange(text, bigint, bigint, boolean) IS
	'The members at places start (0) to stop (-1), both inclusive, lowest score first, or highest first with rev. Fetched in pages of 1000: what others change between two pages may repeat or hide members of a longer range.';

CREATE FUNCTION redis_zrange_bytea(key text, start bigint DEFAULT 0, stop bigint DEFAULT -1, rev boolean DEFAULT false)
	RETURNS TABLE (rank bigint, member bytea, score double precision)
	LANGUAGE C VOLATILE PARALLEL RESTRICTED COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_zrange';
REVOKE ALL ON FUNCTION redis_zrange_bytea(text, bigint, bigint, boolean) FROM PUBLIC;
COMMENT ON FUNCTION redis_zrange_bytea(text, bigint, bigint, boolean) IS
	'The members at places start (0) to stop (-1), both inclusive, lowest score first, or highest first with rev. Fetched in pages of 1000: what others change between two pages may repeat or hide members of a longer range.';

CREATE FUNCTION redis_zrangebyscore(key text, min text, max text, max_rows bigint DEFAULT NULL)
	RETURNS TABLE (member text, score double precision)
	LANGUAGE C VOLATILE PARALLEL RESTRICTED COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_zrangebyscore';
REVOKE ALL ON FUNCTION redis_zrangebyscore(text, text, text, bigint) FROM PUBLIC;
COMMENT ON FUNCTION redis_zrangebyscore(text, text, text, bigint) IS
	'The members with a score from min to max, lowest first, at most max_rows. Fetched in pages, like redis_zrange.';

CREATE FUNCTION redis_zrangebyscore_bytea(key text, min text, max text, max_rows bigint DEFAULT NULL)
	RETURNS TABLE (member bytea, score double precision)
	LANGUAGE C VOLATILE PARALLEL RESTRICTED COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_zrangebyscore';
REVOKE ALL ON FUNCTION redis_zrangebyscore_bytea(text, text, text, bigint) FROM PUBLIC;
COMMENT ON FUNCTION redis_zrangebyscore_bytea(text, text, text, bigint) IS
	'The members with a score from min to max, lowest first, at most max_rows. Fetched in pages, like redis_zrange.';

CREATE FUNCTION redis_zrangebyscore(key text, min double precision, max text, max_rows bigint DEFAULT NULL)
	RETURNS TABLE (member text, score double precision)
	LANGUAGE C VOLATILE PARALLEL RESTRICTED COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_zrangebyscore';
REVOKE ALL ON FUNCTION redis_zrangebyscore(text, double precision, text, bigint) FROM PUBLIC;
COMMENT ON FUNCTION redis_zrangebyscore(text, double precision, text, bigint) IS
	'The members with a score from min to max, lowest first, at most max_rows. Fetched in pages, like redis_zrange.';

CREATE FUNCTION redis_zrangebyscore_bytea(key text, min double precision, max text, max_rows bigint DEFAULT NULL)
	RETURNS TABLE (member bytea, score double precision)
	LANGUAGE C VOLATILE PARALLEL RESTRICTED COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_zrangebyscore';
REVOKE ALL ON FUNCTION redis_zrangebyscore_bytea(text, double precision, text, bigint) FROM PUBLIC;
COMMENT ON FUNCTION redis_zrangebyscore_bytea(text, double precision, text, bigint) IS
	'The members with a score from min to max, lowest first, at most max_rows. Fetched in pages, like redis_zrange.';

CREATE FUNCTION redis_zrangebyscore(key text, min text, max double precision, max_rows bigint DEFAULT NULL)
	RETURNS TABLE (member text, score double precision)
	LANGUAGE C VOLATILE PARALLEL RESTRICTED COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_zrangebyscore';
REVOKE ALL ON FUNCTION redis_zrangebyscore(text, text, double precision, bigint) FROM PUBLIC;
COMMENT ON FUNCTION redis_zrangebyscore(text, text, double precision, bigint) IS
	'The members with a score from min to max, lowest first, at most max_rows. Fetched in pages, like redis_zrange.';

CREATE FUNCTION redis_zrangebyscore_bytea(key text, min text, max double precision, max_rows bigint DEFAULT NULL)
	RETURNS TABLE (member bytea, score double precision)
	LANGUAGE C VOLATILE PARALLEL RESTRICTED COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_zrangebyscore';
REVOKE ALL ON FUNCTION redis_zrangebyscore_bytea(text, text, double precision, bigint) FROM PUBLIC;
COMMENT ON FUNCTION redis_zrangebyscore_bytea(text, text, double precision, bigint) IS
	'The members with a score from min to max, lowest first, at most max_rows. Fetched in pages, like redis_zrange.';

CREATE FUNCTION redis_zrangebyscore(key text, min double precision, max double precision, max_rows bigint DEFAULT NULL)
	RETURNS TABLE (member text, score double precision)
	LANGUAGE C VOLATILE PARALLEL RESTRICTED COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_zrangebyscore';
REVOKE ALL ON FUNCTION redis_zrangebyscore(text, double precision, double precision, bigint) FROM PUBLIC;
COMMENT ON FUNCTION redis_zrangebyscore(text, double precision, double precision, bigint) IS
	'The members with a score from min to max, lowest first, at most max_rows. Fetched in pages, like redis_zrange.';

CREATE FUNCTION redis_zrangebyscore_bytea(key text, min double precision, max double precision, max_rows bigint DEFAULT NULL)
	RETURNS TABLE (member bytea, score double precision)
	LANGUAGE C VOLATILE PARALLEL RESTRICTED COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_zrangebyscore';
REVOKE ALL ON FUNCTION redis_zrangebyscore_bytea(text, double precision, double precision, bigint) FROM PUBLIC;
COMMENT ON FUNCTION redis_zrangebyscore_bytea(text, double precision, double precision, bigint) IS
	'The members with a score from min to max, lowest first, at most max_rows. Fetched in pages, like redis_zrange.';

CREATE FUNCTION redis_zpopmin(key text, count bigint DEFAULT NULL)
	RETURNS TABLE (member text, score double precision)
	LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_zpopmin';
REVOKE ALL ON FUNCTION redis_zpopmin(text, bigint) FROM PUBLIC;
COMMENT ON FUNCTION redis_zpopmin(text, bigint) IS
	'Takes the count (1) members with the lowest scores.';

CREATE FUNCTION redis_zpopmin_bytea(key text, count bigint DEFAULT NULL)
	RETURNS TABLE (member bytea, score double precision)
	LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_zpopmin';
REVOKE ALL ON FUNCTION redis_zpopmin_bytea(text, bigint) FROM PUBLIC;
COMMENT ON FUNCTION redis_zpopmin_bytea(text, bigint) IS
	'Takes the count (1) members with the lowest scores.';

CREATE FUNCTION redis_zpopmax(key text, count bigint DEFAULT NULL)
	RETURNS TABLE (member text, score double precision)
	LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_zpopmax';
REVOKE ALL ON FUNCTION redis_zpopmax(text, bigint) FROM PUBLIC;
COMMENT ON FUNCTION redis_zpopmax(text, bigint) IS
	'Takes the count (1) members with the highest scores.';

CREATE FUNCTION redis_zpopmax_bytea(key text, count bigint DEFAULT NULL)
	RETURNS TABLE (member bytea, score double precision)
	LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_zpopmax';
REVOKE ALL ON FUNCTION redis_zpopmax_bytea(text, bigint) FROM PUBLIC;
COMMENT ON FUNCTION redis_zpopmax_bytea(text, bigint) IS
	'Takes the count (1) members with the highest scores.';

CREATE FUNCTION redis_zremrangebyscore(key text, min text, max text)
	RETURNS bigint
	LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_zremrangebyscore';
REVOKE ALL ON FUNCTION redis_zremrangebyscore(text, text, text) FROM PUBLIC;
COMMENT ON FUNCTION redis_zremrangebyscore(text, text, text) IS
	'Removes the members with a score from min to max; how many.';

CREATE FUNCTION redis_zremrangebyscore(key text, min double precision, max text)
	RETURNS bigint
	LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_zremrangebyscore';
REVOKE ALL ON FUNCTION redis_zremrangebyscore(text, double precision, text) FROM PUBLIC;
COMMENT ON FUNCTION redis_zremrangebyscore(text, double precision, text) IS
	'Removes the members with a score from min to max; how many.';

CREATE FUNCTION redis_zremrangebyscore(key text, min text, max double precision)
	RETURNS bigint
	LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_zremrangebyscore';
REVOKE ALL ON FUNCTION redis_zremrangebyscore(text, text, double precision) FROM PUBLIC;
COMMENT ON FUNCTION redis_zremrangebyscore(text, text, double precision) IS
	'Removes the members with a score from min to max; how many.';

CREATE FUNCTION redis_zremrangebyscore(key text, min double precision, max double precision)
	RETURNS bigint
	LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_zremrangebyscore';
REVOKE ALL ON FUNCTION redis_zremrangebyscore(text, double precision, double precision) FROM PUBLIC;
COMMENT ON FUNCTION redis_zremrangebyscore(text, double precision, double precision) IS
	'Removes the members with a score from min to max; how many.';

CREATE FUNCTION redis_zremrangebyrank(key text, start bigint, stop bigint)
	RETURNS bigint
	LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_zremrangebyrank';
REVOKE ALL ON FUNCTION redis_zremrangebyrank(text, bigint, bigint) FROM PUBLIC;
COMMENT ON FUNCTION redis_zremrangebyrank(text, bigint, bigint) IS
	'Removes the members at places start to stop, lowest score first; how many.';

-- Streams

CREATE FUNCTION redis_xadd(key text, VARIADIC field_value text[])
	RETURNS text
	LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_xadd';
REVOKE ALL ON FUNCTION redis_xadd(text, VARIADIC text[]) FROM PUBLIC;
COMMENT ON FUNCTION redis_xadd(text, VARIADIC text[]) IS
	'Appends an entry: redis_xadd(key, field, value, ...); its id.';

CREATE FUNCTION redis_xadd(key text, VARIADIC field_value "any")
	RETURNS text
	LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_xadd';
REVOKE ALL ON FUNCTION redis_xadd(text, VARIADIC "any") FROM PUBLIC;
COMMENT ON FUNCTION redis_xadd(text, VARIADIC "any") IS
	'Appends an entry: redis_xadd(key, field, value, ...); its id.';

CREATE FUNCTION redis_xadd_json(key text, fields text)
	RETURNS text
	LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_xadd_json';
REVOKE ALL ON FUNCTION redis_xadd_json(text, text) FROM PUBLIC;
COMMENT ON FUNCTION redis_xadd_json(text, text) IS
	'Appends an entry with the fields of a JSON object, sent as redis_hset_json does; its id. NULL, and nothing is appended, when the object has no field that is not null.';

CREATE FUNCTION redis_xadd_json(key text, fields anynonarray)
	RETURNS text
	LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_xadd_json';
REVOKE ALL ON FUNCTION redis_xadd_json(text, anynonarray) FROM PUBLIC;
COMMENT ON FUNCTION redis_xadd_json(text, anynonarray) IS
	'Appends an entry with the fields of a JSON object, sent as redis_hset_json does; its id. NULL, and nothing is appended, when the object has no field that is not null.';

CREATE FUNCTION redis_xlen(key text)
	RETURNS bigint
	LANGUAGE C VOLATILE PARALLEL RESTRICTED COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_xlen';
REVOKE ALL ON FUNCTION redis_xlen(text) FROM PUBLIC;
COMMENT ON FUNCTION redis_xlen(text) IS
	'How many entries the stream has; 0 when there is no such key.';

CREATE FUNCTION redis_xdel(key text, VARIADIC id text[])
	RETURNS bigint
	LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_xdel';
REVOKE ALL ON FUNCTION redis_xdel(text, VARIADIC text[]) FROM PUBLIC;
COMMENT ON FUNCTION redis_xdel(text, VARIADIC text[]) IS
	'Deletes entries by their ids; how many there were.';

CREATE FUNCTION redis_xtrim(key text, maxlen bigint)
	RETURNS bigint
	LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_xtrim';
REVOKE ALL ON FUNCTION redis_xtrim(text, bigint) FROM PUBLIC;
COMMENT ON FUNCTION redis_xtrim(text, bigint) IS
	'Deletes the oldest entries beyond maxlen; how many.';

CREATE FUNCTION redis_xrange(key text, start_id text DEFAULT '-', end_id text DEFAULT '+', max_rows bigint DEFAULT NULL)
	RETURNS TABLE (id text, fields json)
	LANGUAGE C VOLATILE PARALLEL RESTRICTED COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_xrange';
REVOKE ALL ON FUNCTION redis_xrange(text, text, text, bigint) FROM PUBLIC;
COMMENT ON FUNCTION redis_xrange(text, text, text, bigint) IS
	'The entries from start_id (''-'', the first) to end_id (''+'', the last), both inclusive, at most max_rows, page by page.';

CREATE FUNCTION redis_xread(key text, after_id text, max_rows bigint DEFAULT NULL)
	RETURNS TABLE (id text, fields json)
	LANGUAGE C VOLATILE PARALLEL RESTRICTED COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_xread';
REVOKE ALL ON FUNCTION redis_xread(text, text, bigint) FROM PUBLIC;
COMMENT ON FUNCTION redis_xread(text, text, bigint) IS
	'The entries after an id, at most max_rows, page by page; it does not wait for new ones.';

-- HyperLogLog, geo, pub/sub

CREATE FUNCTION redis_pfadd(key text, VARIADIC element text[])
	RETURNS boolean
	LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_pfadd';
REVOKE ALL ON FUNCTION redis_pfadd(text, VARIADIC text[]) FROM PUBLIC;
COMMENT ON FUNCTION redis_pfadd(text, VARIADIC text[]) IS
	'Counts elements, each once; whether the estimate changed.';

CREATE FUNCTION redis_pfadd(key text, VARIADIC element "any")
	RETURNS boolean
	LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_pfadd';
REVOKE ALL ON FUNCTION redis_pfadd(text, VARIADIC "any") FROM PUBLIC;
COMMENT ON FUNCTION redis_pfadd(text, VARIADIC "any") IS
	'Counts elements, each once; whether the estimate changed.';

CREATE FUNCTION redis_pfcount(VARIADIC key text[])
	RETURNS bigint
	LANGUAGE C VOLATILE PARALLEL RESTRICTED COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_pfcount';
REVOKE ALL ON FUNCTION redis_pfcount(VARIADIC text[]) FROM PUBLIC;
COMMENT ON FUNCTION redis_pfcount(VARIADIC text[]) IS
	'About how many different elements were counted, in any of the keys (standard error 0.81 %).';

CREATE FUNCTION redis_geoadd(key text, lon double precision, lat double precision, member text)
	RETURNS bigint
	LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_geoadd';
REVOKE ALL ON FUNCTION redis_geoadd(text, double precision, double precision, text) FROM PUBLIC;
COMMENT ON FUNCTION redis_geoadd(text, double precision, double precision, text) IS
	'Places a member at a longitude and latitude, in degrees; 1 when it is new, else 0.';

CREATE FUNCTION redis_geoadd(key text, lon double precision, lat double precision, member anynonarray)
	RETURNS bigint
	LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_geoadd';
REVOKE ALL ON FUNCTION redis_geoadd(text, double precision, double precision, anynonarray) FROM PUBLIC;
COMMENT ON FUNCTION redis_geoadd(text, double precision, double precision, anynonarray) IS
	'Places a member at a longitude and latitude, in degrees; 1 when it is new, else 0.';

CREATE FUNCTION redis_geodist(key text, member1 text, member2 text, unit text DEFAULT NULL)
	RETURNS double precision
	LANGUAGE C VOLATILE PARALLEL RESTRICTED COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_geodist';
REVOKE ALL ON FUNCTION redis_geodist(text, text, text, text) FROM PUBLIC;
COMMENT ON FUNCTION redis_geodist(text, text, text, text) IS
	'How far apart two members are, in metres or another unit; NULL when one is missing.';

CREATE FUNCTION redis_geodist(key text, member1 anynonarray, member2 text, unit text DEFAULT NULL)
	RETURNS double precision
	LANGUAGE C VOLATILE PARALLEL RESTRICTED COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_geodist';
REVOKE ALL ON FUNCTION redis_geodist(text, anynonarray, text, text) FROM PUBLIC;
COMMENT ON FUNCTION redis_geodist(text, anynonarray, text, text) IS
	'How far apart two members are, in metres or another unit; NULL when one is missing.';

CREATE FUNCTION redis_geodist(key text, member1 text, member2 anynonarray, unit text DEFAULT NULL)
	RETURNS double precision
	LANGUAGE C VOLATILE PARALLEL RESTRICTED COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_geodist';
REVOKE ALL ON FUNCTION redis_geodist(text, text, anynonarray, text) FROM PUBLIC;
COMMENT ON FUNCTION redis_geodist(text, text, anynonarray, text) IS
	'How far apart two members are, in metres or another unit; NULL when one is missing.';

CREATE FUNCTION redis_geodist(key text, member1 anycompatiblenonarray, member2 anycompatiblenonarray, unit text DEFAULT NULL)
	RETURNS double precision
	LANGUAGE C VOLATILE PARALLEL RESTRICTED COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_geodist';
REVOKE ALL ON FUNCTION redis_geodist(text, anycompatiblenonarray, anycompatiblenonarray, text) FROM PUBLIC;
COMMENT ON FUNCTION redis_geodist(text, anycompatiblenonarray, anycompatiblenonarray, text) IS
	'How far apart two members are, in metres or another unit; NULL when one is missing.';

CREATE FUNCTION redis_geosearch(key text, lon double precision, lat double precision, radius_m double precision)
	RETURNS TABLE (member text, dist double precision)
	LANGUAGE C VOLATILE PARALLEL RESTRICTED COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_geosearch';
REVOKE ALL ON FUNCTION redis_geosearch(text, double precision, double precision, double precision) FROM PUBLIC;
COMMENT ON FUNCTION redis_geosearch(text, double precision, double precision, double precision) IS
	'The members within radius_m metres of a place, nearest first, and how far away they are in metres (Redis 6.2 or later).';

CREATE FUNCTION redis_geosearch_bytea(key text, lon double precision, lat double precision, radius_m double precision)
	RETURNS TABLE (member bytea, dist double precision)
	LANGUAGE C VOLATILE PARALLEL RESTRICTED COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_geosearch';
REVOKE ALL ON FUNCTION redis_geosearch_bytea(text, double precision, double precision, double precision) FROM PUBLIC;
COMMENT ON FUNCTION redis_geosearch_bytea(text, double precision, double precision, double precision) IS
	'The members within radius_m metres of a place, nearest first, and how far away they are in metres (Redis 6.2 or later).';

CREATE FUNCTION redis_publish(channel text, message text)
	RETURNS bigint
	LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_publish';
REVOKE ALL ON FUNCTION redis_publish(text, text) FROM PUBLIC;
COMMENT ON FUNCTION redis_publish(text, text) IS
	'Sends a message to those who listen to a channel; how many clients got it. Sent at once, not at commit. The key prefix is not applied.';

CREATE FUNCTION redis_publish(channel text, message anynonarray)
	RETURNS bigint
	LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_publish';
REVOKE ALL ON FUNCTION redis_publish(text, anynonarray) FROM PUBLIC;
COMMENT ON FUNCTION redis_publish(text, anynonarray) IS
	'Sends a message to those who listen to a channel; how many clients got it. Sent at once, not at commit. The key prefix is not applied.';

-- Scripts and anything

CREATE FUNCTION redis_eval(script text, keys text[] DEFAULT NULL, args text[] DEFAULT NULL)
	RETURNS json
	LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_eval';
REVOKE ALL ON FUNCTION redis_eval(text, text[], text[]) FROM PUBLIC;
COMMENT ON FUNCTION redis_eval(text, text[], text[]) IS
	'Runs a Lua script with KEYS and ARGV (PostgreSQL: text[], SQLite: JSON arrays); its reply as JSON. The script itself is sent only when Redis does not know it yet. The key prefix is put before KEYS.';

CREATE FUNCTION redis_flushdb()
	RETURNS boolean
	LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_flushdb';
REVOKE ALL ON FUNCTION redis_flushdb() FROM PUBLIC;
COMMENT ON FUNCTION redis_flushdb() IS
	'Deletes every key of the selected database, whatever the key prefix.';

CREATE FUNCTION redis_call(command text)
	RETURNS json
	LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_call';
REVOKE ALL ON FUNCTION redis_call(text) FROM PUBLIC;
COMMENT ON FUNCTION redis_call(text) IS
	'Any Redis command, its reply as JSON (NULL for nil). The key prefix is not applied. Commands that would corrupt the connection shared by statements (SELECT, MULTI, SUBSCRIBE, ...) are refused.';

CREATE FUNCTION redis_call(command text, VARIADIC arg text[])
	RETURNS json
	LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_call';
REVOKE ALL ON FUNCTION redis_call(text, VARIADIC text[]) FROM PUBLIC;
COMMENT ON FUNCTION redis_call(text, VARIADIC text[]) IS
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
	'Takes the lock for ttl (30) seconds, waiting for it up to wait (0) seconds; a token that unlocks it, or NULL when somebody else holds it.';

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

CREATE FUNCTION redis_lock_fence(name text, token text)
	RETURNS bigint
	LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_lock_fence';
REVOKE ALL ON FUNCTION redis_lock_fence(text, text) FROM PUBLIC;
COMMENT ON FUNCTION redis_lock_fence(text, text) IS
	'A number that is larger for every later acquisition of the lock: a resource that refuses smaller ones than it has seen is safe from a holder that was paused past its ttl. NULL when the token does not hold the lock.';

CREATE FUNCTION redis_xact_lock(name text, ttl double precision DEFAULT NULL, wait double precision DEFAULT NULL)
	RETURNS boolean
	LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_xact_lock';
REVOKE ALL ON FUNCTION redis_xact_lock(text, double precision, double precision) FROM PUBLIC;
COMMENT ON FUNCTION redis_xact_lock(text, double precision, double precision) IS
	'Takes the lock as redis_lock does, until this transaction ends, or a rollback to a savepoint before it; whether it did. At the latest the lock ends ttl (30) seconds after it was taken. True, too, when this transaction has it already.';

-- Rate limits

CREATE FUNCTION redis_rate_limit(key text, max bigint, period double precision, cost bigint DEFAULT NULL, algorithm text DEFAULT NULL)
	RETURNS TABLE (allowed boolean, remaining bigint, retry_after double precision, reset_at double precision, reason text)
	LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_rate_limit';
REVOKE ALL ON FUNCTION redis_rate_limit(text, bigint, double precision, bigint, text) FROM PUBLIC;
COMMENT ON FUNCTION redis_rate_limit(text, bigint, double precision, bigint, text) IS
	'Counts a request against the limit of max in a period, and says whether it is allowed. One row.';

CREATE FUNCTION redis_rate_limit_peek(key text, max bigint, period double precision, algorithm text DEFAULT NULL)
	RETURNS TABLE (allowed boolean, remaining bigint, retry_after double precision, reset_at double precision, reason text)
	LANGUAGE C VOLATILE PARALLEL RESTRICTED COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_rate_limit_peek';
REVOKE ALL ON FUNCTION redis_rate_limit_peek(text, bigint, double precision, text) FROM PUBLIC;
COMMENT ON FUNCTION redis_rate_limit_peek(text, bigint, double precision, text) IS
	'The same without counting anything: would a request be allowed now?';

CREATE FUNCTION redis_rate_limit_reset(key text)
	RETURNS boolean
	LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_rate_limit_reset';
REVOKE ALL ON FUNCTION redis_rate_limit_reset(text) FROM PUBLIC;
COMMENT ON FUNCTION redis_rate_limit_reset(text) IS
	'Forgets what was counted for the key; whether anything was.';

CREATE FUNCTION redis_rate_limit_override(key text, max bigint DEFAULT NULL)
	RETURNS boolean
	LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_rate_limit_override';
REVOKE ALL ON FUNCTION redis_rate_limit_override(text, bigint) FROM PUBLIC;
COMMENT ON FUNCTION redis_rate_limit_override(text, bigint) IS
	'Gives the key a limit of its own, which is kept in Redis and takes the place of every call''s max; without max takes it away again, and says whether there was one.';

CREATE FUNCTION redis_rate_limit_tier(bucket text, id text, cost bigint DEFAULT NULL)
	RETURNS TABLE (allowed boolean, remaining bigint, retry_after double precision, reset_at double precision, reason text)
	LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_rate_limit_tier';
REVOKE ALL ON FUNCTION redis_rate_limit_tier(text, text, bigint) FROM PUBLIC;
COMMENT ON FUNCTION redis_rate_limit_tier(text, text, bigint) IS
	'Limits the id by the bucket''s tier: the setting rate_limit_buckets names each bucket''s, and a tier is a bucket of its own. Tiers come as strict (10 a minute), moderate (60) and generous (120); rate_limit_tiers changes them. Counted under the key bucket:id, sliding.';

CREATE FUNCTION redis_allow(key text, max bigint, period double precision, cost bigint DEFAULT NULL)
	RETURNS boolean
	LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_allow';
REVOKE ALL ON FUNCTION redis_allow(text, bigint, double precision, bigint) FROM PUBLIC;
COMMENT ON FUNCTION redis_allow(text, bigint, double precision, bigint) IS
	'redis_rate_limit, sliding, for those who only want to know whether the request is allowed.';

-- Once, and in stock

CREATE FUNCTION redis_idempotent(key text, ttl double precision DEFAULT NULL)
	RETURNS boolean
	LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_idempotent';
REVOKE ALL ON FUNCTION redis_idempotent(text, double precision) FROM PUBLIC;
COMMENT ON FUNCTION redis_idempotent(text, double precision) IS
	'Whether this is the first time: true for one transaction of all that ask for the key within ttl seconds (a day) after it committed; false for the second call of that transaction, too.';

CREATE FUNCTION redis_idempotent_result(key text, result text DEFAULT NULL)
	RETURNS text
	LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_idempotent_result';
REVOKE ALL ON FUNCTION redis_idempotent_result(text, text) FROM PUBLIC;
COMMENT ON FUNCTION redis_idempotent_result(text, text) IS
	'What the transaction that was first left for those that come later; NULL when it left nothing, has not committed, or there was none. With result: leaves it, at commit, in the transaction for which redis_idempotent was true; gives it back.';

CREATE FUNCTION redis_reserve(key text, field text, quantity bigint)
	RETURNS bigint
	LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_reserve';
REVOKE ALL ON FUNCTION redis_reserve(text, text, bigint) FROM PUBLIC;
COMMENT ON FUNCTION redis_reserve(text, text, bigint) IS
	'Takes a quantity off a field of the hash, if there is so much; how much is left, or NULL when there is too little.';

-- Queues

CREATE FUNCTION redis_enqueue(queue text, payload text, priority bigint DEFAULT NULL, delay double precision DEFAULT NULL)
	RETURNS text
	LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_enqueue';
REVOKE ALL ON FUNCTION redis_enqueue(text, text, bigint, double precision) FROM PUBLIC;
COMMENT ON FUNCTION redis_enqueue(text, text, bigint, double precision) IS
	'Puts a job into the queue when this transaction commits, to be served after delay seconds; its id (NULL in list mode).';

CREATE FUNCTION redis_enqueue(queue text, payload anynonarray, priority bigint DEFAULT NULL, delay double precision DEFAULT NULL)
	RETURNS text
	LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_enqueue';
REVOKE ALL ON FUNCTION redis_enqueue(text, anynonarray, bigint, double precision) FROM PUBLIC;
COMMENT ON FUNCTION redis_enqueue(text, anynonarray, bigint, double precision) IS
	'Puts a job into the queue when this transaction commits, to be served after delay seconds; its id (NULL in list mode).';

CREATE FUNCTION redis_dequeue(queue text, timeout double precision DEFAULT NULL, visibility double precision DEFAULT NULL)
	RETURNS TABLE (id text, payload text, attempts bigint)
	LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_dequeue';
REVOKE ALL ON FUNCTION redis_dequeue(text, double precision, double precision) FROM PUBLIC;
COMMENT ON FUNCTION redis_dequeue(text, double precision, double precision) IS
	'Takes the next job, waiting for one up to timeout (0) seconds: at most one row. It is handed out again when it was not acknowledged within visibility (30) seconds, or at once when this transaction rolls back; attempts counts. One that was handed out queue_attempts (5) times goes to the dead ones instead.';

CREATE FUNCTION redis_dequeue_bytea(queue text, timeout double precision DEFAULT NULL, visibility double precision DEFAULT NULL)
	RETURNS TABLE (id text, payload bytea, attempts bigint)
	LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_dequeue';
REVOKE ALL ON FUNCTION redis_dequeue_bytea(text, double precision, double precision) FROM PUBLIC;
COMMENT ON FUNCTION redis_dequeue_bytea(text, double precision, double precision) IS
	'Takes the next job, waiting for one up to timeout (0) seconds: at most one row. It is handed out again when it was not acknowledged within visibility (30) seconds, or at once when this transaction rolls back; attempts counts. One that was handed out queue_attempts (5) times goes to the dead ones instead.';

CREATE FUNCTION redis_ack(queue text, id text)
	RETURNS boolean
	LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_ack';
REVOKE ALL ON FUNCTION redis_ack(text, text) FROM PUBLIC;
COMMENT ON FUNCTION redis_ack(text, text) IS
	'The job is done, when this transaction commits; false, and nothing happens, when it is not in hand any more.';

CREATE FUNCTION redis_nack(queue text, id text, delay double precision DEFAULT NULL)
	RETURNS boolean
	LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_nack';
REVOKE ALL ON FUNCTION redis_nack(text, text, double precision) FROM PUBLIC;
COMMENT ON FUNCTION redis_nack(text, text, double precision) IS
	'Gives the job back, to be handed out again after delay (0) seconds; false when it is not in hand any more. At once, not at commit.';

CREATE FUNCTION redis_queue_len(queue text, state text DEFAULT NULL)
	RETURNS bigint
	LANGUAGE C VOLATILE PARALLEL RESTRICTED COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_queue_len';
REVOKE ALL ON FUNCTION redis_queue_len(text, text) FROM PUBLIC;
COMMENT ON FUNCTION redis_queue_len(text, text) IS
	'How many jobs wait to be served; or are delayed, reserved (handed out), dead.';

CREATE FUNCTION redis_bullmq_add(queue text, name text, data text, opts text DEFAULT NULL)
	RETURNS text
	LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_bullmq_add';
REVOKE ALL ON FUNCTION redis_bullmq_add(text, text, text, text) FROM PUBLIC;
COMMENT ON FUNCTION redis_bullmq_add(text, text, text, text) IS
	'Adds a job to a BullMQ queue when this transaction commits; its id. opts is what BullMQ''s Queue.add takes: delay, priority, attempts, backoff, lifo, jobId, removeOnComplete and the like.';

CREATE FUNCTION redis_bullmq_add(queue text, name text, data anynonarray, opts text DEFAULT NULL)
	RETURNS text
	LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_bullmq_add';
REVOKE ALL ON FUNCTION redis_bullmq_add(text, text, anynonarray, text) FROM PUBLIC;
COMMENT ON FUNCTION redis_bullmq_add(text, text, anynonarray, text) IS
	'Adds a job to a BullMQ queue when this transaction commits; its id. opts is what BullMQ''s Queue.add takes: delay, priority, attempts, backoff, lifo, jobId, removeOnComplete and the like.';

CREATE FUNCTION redis_bullmq_add(queue text, name text, data text, opts anynonarray)
	RETURNS text
	LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_bullmq_add';
REVOKE ALL ON FUNCTION redis_bullmq_add(text, text, text, anynonarray) FROM PUBLIC;
COMMENT ON FUNCTION redis_bullmq_add(text, text, text, anynonarray) IS
	'Adds a job to a BullMQ queue when this transaction commits; its id. opts is what BullMQ''s Queue.add takes: delay, priority, attempts, backoff, lifo, jobId, removeOnComplete and the like.';

CREATE FUNCTION redis_bullmq_add(queue text, name text, data anycompatiblenonarray, opts anycompatiblenonarray)
	RETURNS text
	LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_bullmq_add';
REVOKE ALL ON FUNCTION redis_bullmq_add(text, text, anycompatiblenonarray, anycompatiblenonarray) FROM PUBLIC;
COMMENT ON FUNCTION redis_bullmq_add(text, text, anycompatiblenonarray, anycompatiblenonarray) IS
	'Adds a job to a BullMQ queue when this transaction commits; its id. opts is what BullMQ''s Queue.add takes: delay, priority, attempts, backoff, lifo, jobId, removeOnComplete and the like.';

-- Sessions

CREATE FUNCTION redis_session_set(id text, data text, ttl double precision DEFAULT NULL)
	RETURNS boolean
	LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_session_set';
REVOKE ALL ON FUNCTION redis_session_set(text, text, double precision) FROM PUBLIC;
COMMENT ON FUNCTION redis_session_set(text, text, double precision) IS
	'Stores a session for ttl seconds (a day).';

CREATE FUNCTION redis_session_set(id text, data anynonarray, ttl double precision DEFAULT NULL)
	RETURNS boolean
	LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_session_set';
REVOKE ALL ON FUNCTION redis_session_set(text, anynonarray, double precision) FROM PUBLIC;
COMMENT ON FUNCTION redis_session_set(text, anynonarray, double precision) IS
	'Stores a session for ttl seconds (a day).';

CREATE FUNCTION redis_session_get(id text, ttl double precision DEFAULT NULL)
	RETURNS json
	LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_session_get';
REVOKE ALL ON FUNCTION redis_session_get(text, double precision) FROM PUBLIC;
COMMENT ON FUNCTION redis_session_get(text, double precision) IS
	'The session, or NULL; with ttl it lives that long from now on.';

CREATE FUNCTION redis_session_destroy(id text)
	RETURNS boolean
	LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_session_destroy';
REVOKE ALL ON FUNCTION redis_session_destroy(text) FROM PUBLIC;
COMMENT ON FUNCTION redis_session_destroy(text) IS
	'Ends the session; whether there was one.';

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
	'From now on a change of a row deletes the keys its templates name, at commit: ''user:{id}'' takes the column id of the old and of the new row. A template that begins with SELECT or WITH is a query whose first column gives keys: ''SELECT ''''team:'''' || team_id FROM members WHERE user_id = {id}''; it is run for each changed row, with the rights of the table''s owner (PostgreSQL) and names looked up in the table''s schema. Replaces earlier templates; how many there are.';

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
	RETURNS TABLE (key text, depth bigint, kind text)
	LANGUAGE C VOLATILE PARALLEL RESTRICTED COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_pending';
REVOKE ALL ON FUNCTION redis_pending() FROM PUBLIC;
COMMENT ON FUNCTION redis_pending() IS
	'What this transaction will send at commit, in order: kind is key, tag, pattern, command (its words stand in key) or script (what a recipe does then, and with what), and depth how many savepoints deep it was queued.';

CREATE FUNCTION redis_invalidate_tag(VARIADIC tag text[])
	RETURNS bigint
	LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_invalidate_tag';
REVOKE ALL ON FUNCTION redis_invalidate_tag(VARIADIC text[]) FROM PUBLIC;
COMMENT ON FUNCTION redis_invalidate_tag(VARIADIC text[]) IS
	'At commit voids every entry that redis_cache_fill filled under one of the tags; how many tags were new to the queue.';

CREATE FUNCTION redis_invalidate_pattern(pattern text)
	RETURNS bigint
	LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_invalidate_pattern';
REVOKE ALL ON FUNCTION redis_invalidate_pattern(text) FROM PUBLIC;
COMMENT ON FUNCTION redis_invalidate_pattern(text) IS
	'At commit deletes every key that matches a glob pattern, coherent entries included: SCAN in batches, which takes as long as Redis has keys. A key that is written during that scan may stay. 1 when the pattern is new to the queue.';

CREATE FUNCTION redis_on_commit(command text)
	RETURNS bigint
	LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_on_commit';
REVOKE ALL ON FUNCTION redis_on_commit(text) FROM PUBLIC;
COMMENT ON FUNCTION redis_on_commit(text) IS
	'Runs a Redis command when this transaction commits, in order with the others of its transaction, and never when it rolls back; 1. Outside a transaction at once. With durability outbox it is delivered at least once, and an id that Redis remembers for a day makes a repeat harmless. Transactions may overtake each other. The key prefix is not applied.';

CREATE FUNCTION redis_on_commit(command text, VARIADIC arg text[])
	RETURNS bigint
	LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_on_commit';
REVOKE ALL ON FUNCTION redis_on_commit(text, VARIADIC text[]) FROM PUBLIC;
COMMENT ON FUNCTION redis_on_commit(text, VARIADIC text[]) IS
	'Runs a Redis command when this transaction commits, in order with the others of its transaction, and never when it rolls back; 1. Outside a transaction at once. With durability outbox it is delivered at least once, and an id that Redis remembers for a day makes a repeat harmless. Transactions may overtake each other. The key prefix is not applied.';

CREATE FUNCTION redis_on_commit(command text, VARIADIC arg "any")
	RETURNS bigint
	LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_on_commit';
REVOKE ALL ON FUNCTION redis_on_commit(text, VARIADIC "any") FROM PUBLIC;
COMMENT ON FUNCTION redis_on_commit(text, VARIADIC "any") IS
	'Runs a Redis command when this transaction commits, in order with the others of its transaction, and never when it rolls back; 1. Outside a transaction at once. With durability outbox it is delivered at least once, and an id that Redis remembers for a day makes a repeat harmless. Transactions may overtake each other. The key prefix is not applied.';

CREATE FUNCTION redis_outbox()
	RETURNS TABLE (id bigint, keys text, created_at double precision, attempts bigint, last_error text)
	LANGUAGE C VOLATILE PARALLEL RESTRICTED COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_outbox';
REVOKE ALL ON FUNCTION redis_outbox() FROM PUBLIC;
COMMENT ON FUNCTION redis_outbox() IS
	'What committed transactions still owe Redis: what each row of the outbox holds as a JSON array (the first hundred), when it was written in seconds since 1970, how often delivery failed since it last succeeded, and why.';

CREATE FUNCTION redis_outbox_drain()
	RETURNS bigint
	LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_outbox_drain';
REVOKE ALL ON FUNCTION redis_outbox_drain() FROM PUBLIC;
COMMENT ON FUNCTION redis_outbox_drain() IS
	'Delivers now what waits in the outbox; how many of its rows. An error says why Redis could not be told; the rows stay.';

-- The coherent cache

CREATE FUNCTION redis_cached(key text, ttl double precision, query text)
	RETURNS text
	LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_cached';
REVOKE ALL ON FUNCTION redis_cached(text, double precision, text) FROM PUBLIC;
COMMENT ON FUNCTION redis_cached(text, double precision, text) IS
	'The cached answer of a query, or runs it and caches what it answers for ttl seconds: one column, at most one row, as text; NULL is cached, too. Arguments are bound ($1, ?1), never spliced. Many that miss at once run the query once. The answer is the key''s: put into the key whatever the answer depends on. A Redis that is away costs no answer.';

CREATE FUNCTION redis_cached(key text, ttl double precision, query text, VARIADIC arg text[])
	RETURNS text
	LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_cached';
REVOKE ALL ON FUNCTION redis_cached(text, double precision, text, VARIADIC text[]) FROM PUBLIC;
COMMENT ON FUNCTION redis_cached(text, double precision, text, VARIADIC text[]) IS
	'The cached answer of a query, or runs it and caches what it answers for ttl seconds: one column, at most one row, as text; NULL is cached, too. Arguments are bound ($1, ?1), never spliced. Many that miss at once run the query once. The answer is the key''s: put into the key whatever the answer depends on. A Redis that is away costs no answer.';

CREATE FUNCTION redis_cached(key text, ttl double precision, query text, VARIADIC arg "any")
	RETURNS text
	LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_cached';
REVOKE ALL ON FUNCTION redis_cached(text, double precision, text, VARIADIC "any") FROM PUBLIC;
COMMENT ON FUNCTION redis_cached(text, double precision, text, VARIADIC "any") IS
	'The cached answer of a query, or runs it and caches what it answers for ttl seconds: one column, at most one row, as text; NULL is cached, too. Arguments are bound ($1, ?1), never spliced. Many that miss at once run the query once. The answer is the key''s: put into the key whatever the answer depends on. A Redis that is away costs no answer.';

CREATE FUNCTION redis_cache_get(key text)
	RETURNS TABLE (value text, lease text)
	LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_cache_get';
REVOKE ALL ON FUNCTION redis_cache_get(text) FROM PUBLIC;
COMMENT ON FUNCTION redis_cache_get(text) IS
	'The entry''s value; or a lease, to compute the value after it in a statement of its own and hand it to redis_cache_fill; or neither: somebody else is computing it, or this transaction may not fill. value and lease both NULL: compute it and do not fill. One row.';

CREATE FUNCTION redis_cache_get_bytea(key text)
	RETURNS TABLE (value bytea, lease text)
	LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_cache_get';
REVOKE ALL ON FUNCTION redis_cache_get_bytea(text) FROM PUBLIC;
COMMENT ON FUNCTION redis_cache_get_bytea(text) IS
	'The entry''s value; or a lease, to compute the value after it in a statement of its own and hand it to redis_cache_fill; or neither: somebody else is computing it, or this transaction may not fill. value and lease both NULL: compute it and do not fill. One row.';

CREATE FUNCTION redis_cache_fill(key text, lease text, value text, ttl double precision)
	RETURNS boolean
	LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_cache_fill';
REVOKE ALL ON FUNCTION redis_cache_fill(text, text, text, double precision) FROM PUBLIC;
COMMENT ON FUNCTION redis_cache_fill(text, text, text, double precision) IS
	'Fills the entry for ttl seconds if the lease still holds it; whether it did. A NULL value is cached as NULL, a NULL lease fills nothing. An entry with tags is void, too, when redis_invalidate_tag names one of them.';

CREATE FUNCTION redis_cache_fill(key text, lease text, value anynonarray, ttl double precision)
	RETURNS boolean
	LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_cache_fill';
REVOKE ALL ON FUNCTION redis_cache_fill(text, text, anynonarray, double precision) FROM PUBLIC;
COMMENT ON FUNCTION redis_cache_fill(text, text, anynonarray, double precision) IS
	'Fills the entry for ttl seconds if the lease still holds it; whether it did. A NULL value is cached as NULL, a NULL lease fills nothing. An entry with tags is void, too, when redis_invalidate_tag names one of them.';

CREATE FUNCTION redis_cache_fill(key text, lease text, value text, ttl double precision, VARIADIC tag text[])
	RETURNS boolean
	LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_cache_fill';
REVOKE ALL ON FUNCTION redis_cache_fill(text, text, text, double precision, VARIADIC text[]) FROM PUBLIC;
COMMENT ON FUNCTION redis_cache_fill(text, text, text, double precision, VARIADIC text[]) IS
	'Fills the entry for ttl seconds if the lease still holds it; whether it did. A NULL value is cached as NULL, a NULL lease fills nothing. An entry with tags is void, too, when redis_invalidate_tag names one of them.';

CREATE FUNCTION redis_cache_fill(key text, lease text, value anynonarray, ttl double precision, VARIADIC tag text[])
	RETURNS boolean
	LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_cache_fill';
REVOKE ALL ON FUNCTION redis_cache_fill(text, text, anynonarray, double precision, VARIADIC text[]) FROM PUBLIC;
COMMENT ON FUNCTION redis_cache_fill(text, text, anynonarray, double precision, VARIADIC text[]) IS
	'Fills the entry for ttl seconds if the lease still holds it; whether it did. A NULL value is cached as NULL, a NULL lease fills nothing. An entry with tags is void, too, when redis_invalidate_tag names one of them.';

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
	'One row about the server, never an error, within connect_timeout and command_timeout together: whether it answered PING and how fast, who it is, or why not.';

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
	'What this session did with Redis: commands, hits, errors by class, reconnects, the breaker, latency, invalidations. commands_today counts those sent since midnight UTC; with the setting daily_quota, quota_used is which part of it that is.';

CREATE FUNCTION redis_stats_total()
	RETURNS TABLE (name text, value double precision)
	LANGUAGE C VOLATILE PARALLEL RESTRICTED COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_stats_total';
REVOKE ALL ON FUNCTION redis_stats_total() FROM PUBLIC;
COMMENT ON FUNCTION redis_stats_total() IS
	'The view redis_stat: what all sessions and workers of the cluster did with Redis since stats_reset (seconds since 1970), also those that have ended, with sqlredis in shared_preload_libraries; else preloaded is 0, and it is this session alone. outbox_rows and outbox_age are this database''s, sessions those that used Redis and are still there, breakers_open servers that are taken to be away.';

CREATE FUNCTION redis_stats_reset()
	RETURNS boolean
	LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_stats_reset';
REVOKE ALL ON FUNCTION redis_stats_reset() FROM PUBLIC;
COMMENT ON FUNCTION redis_stats_reset() IS
	'redis_stats_total counts from now on. What redis_stats tells, and commands_today, stay.';

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

CREATE FUNCTION redis_grant(access text, role text)
	RETURNS bigint
	LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_grant';
REVOKE ALL ON FUNCTION redis_grant(text, text) FROM PUBLIC;
COMMENT ON FUNCTION redis_grant(text, text) IS
	'Grants EXECUTE on the functions of a group to a role, with the rights of the caller; how many. Again after an update of the extension, for those that came with it.';

CREATE FUNCTION redis_revoke(access text, role text)
	RETURNS bigint
	LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000
	AS 'MODULE_PATHNAME', 'pg_redis_revoke';
REVOKE ALL ON FUNCTION redis_revoke(text, text) FROM PUBLIC;
COMMENT ON FUNCTION redis_revoke(text, text) IS
	'Takes back what redis_grant granted; how many functions.';

-- The trigger function. Writing to a table that has the trigger needs no right on it;
-- creating the trigger does.

CREATE FUNCTION redis_invalidate()
	RETURNS trigger
	LANGUAGE C
	AS 'MODULE_PATHNAME', 'pg_redis_invalidate_trigger';
REVOKE ALL ON FUNCTION redis_invalidate() FROM PUBLIC;
COMMENT ON FUNCTION redis_invalidate() IS
	'Trigger: queues the keys that its arguments, templates such as user:{id}, name.';

-- What committed transactions owe Redis, written by the transactions themselves and deleted when it is
-- delivered: see redis_outbox(). A materialized view, because no publication holds one: a subscriber to
-- all tables need not have the extension. Rows come and go behind SQL's back; REFRESH keeps them.

CREATE FUNCTION redis_outbox_rows(OUT id bigint, OUT created_at timestamptz, OUT effects bytea)
	RETURNS SETOF record
	LANGUAGE C
	AS 'MODULE_PATHNAME', 'pg_redis_outbox_rows';
REVOKE ALL ON FUNCTION redis_outbox_rows() FROM PUBLIC;
CREATE MATERIALIZED VIEW sqlredis_outbox USING heap
	WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000)
	AS SELECT id, created_at, effects FROM redis_outbox_rows();

-- Emptied by crash recovery and by a promotion: what was cached before is then void.

CREATE UNLOGGED TABLE sqlredis_epoch (epoch bytea NOT NULL, system_identifier bigint NOT NULL,
	database oid NOT NULL) USING heap;

-- What all sessions did with Redis. Monitoring agents are members of pg_monitor.

CREATE VIEW redis_stat AS SELECT name, value FROM redis_stats_total();
COMMENT ON VIEW redis_stat IS 'What all sessions did with Redis since stats_reset.';
GRANT SELECT ON redis_stat TO pg_monitor;
GRANT EXECUTE ON FUNCTION redis_stats_total() TO pg_monitor;

-- Keeps triggers and their templates true when tables change.

CREATE FUNCTION redis_check_ddl()
	RETURNS event_trigger
	LANGUAGE C
	AS 'MODULE_PATHNAME', 'pg_redis_check_ddl';
REVOKE ALL ON FUNCTION redis_check_ddl() FROM PUBLIC;
CREATE EVENT TRIGGER sqlredis_check_ddl ON ddl_command_end
	WHEN TAG IN ('ALTER TABLE', 'CREATE SCHEMA', 'CREATE TABLE', 'CREATE TRIGGER')
	EXECUTE FUNCTION redis_check_ddl();
ALTER EVENT TRIGGER sqlredis_check_ddl ENABLE ALWAYS;
