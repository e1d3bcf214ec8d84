-- Rows: where PostgreSQL lets a function be called that gives them, arguments of every kind, types that are exact.
SELECT fill();
SELECT redis_hset('user:1', 'name', 'Ann', 'age', 41), redis_rpush('queue', 'a', 'b', 'c'), redis_sadd('tags', 'x', 'y');
SELECT redis_zadd('board', 42, '1'), redis_zadd('board', 7.5, '2'), redis_zadd('board', 'inf', '3');

-- FROM, the select list, LATERAL, ROWS FROM, a join as with any table
SELECT field, value FROM redis_hgetall('user:1') ORDER BY field;
SELECT h FROM redis_hgetall('user:1') h ORDER BY h;
SELECT redis_lrange('queue');
SELECT (redis_lrange('queue')).value LIMIT 2;
SELECT redis_smembers('tags') AS member ORDER BY 1;
SELECT i, redis_lrange('queue', i, i) FROM generate_series(0, 3) i;
SELECT i, e.value FROM generate_series(0, 3) i LEFT JOIN LATERAL redis_lrange('queue', i) e ON true;
SELECT * FROM ROWS FROM (redis_lrange('queue'), redis_zrange('board'), generate_series(1, 2)) WITH ORDINALITY;
CREATE TABLE users (id int PRIMARY KEY, name text);
INSERT INTO users VALUES (1, 'Ann'), (2, 'Bob'), (3, 'Cid');
SELECT u.name, s.score FROM redis_zrange('board', 0, 9, true) s JOIN users u ON u.id = s.member::int ORDER BY s.rank;
SELECT name FROM users WHERE id IN (SELECT member::int FROM redis_zrangebyscore('board', 0, 10));
SELECT name, EXISTS (SELECT FROM redis_zrange('board') WHERE member = id::text AND score > 10) AS high FROM users ORDER BY id;
-- scanned again and again with the same and with other arguments
SET enable_material = off;
SET enable_hashjoin = off;
SET enable_mergejoin = off;
SELECT count(*) FROM users u JOIN redis_smembers('tags') ON true;
SELECT u.id, e.value FROM users u, LATERAL redis_lrange('queue', 0, u.id - 2) e ORDER BY u.id, e.idx;
RESET enable_material;
RESET enable_hashjoin;
RESET enable_mergejoin;
EXPLAIN (COSTS OFF) SELECT u.name, s.score FROM redis_zrange('board') s JOIN users u ON u.id = s.member::int;
EXPLAIN (COSTS OFF) SELECT redis_hscan('user:1') LIMIT 1;
CREATE VIEW board AS SELECT * FROM redis_zrange('board');
SELECT * FROM board;
CREATE TABLE copied AS SELECT * FROM board;
SELECT pg_typeof(rank), pg_typeof(member), pg_typeof(score) FROM copied LIMIT 1;
DROP VIEW board;
DROP TABLE copied, users;

-- PL/pgSQL loops, left early, nested, with an error inside; a function in SQL
DO $$
DECLARE r record; s record; seen text = '';
BEGIN
	FOR r IN SELECT * FROM redis_lrange('queue') LOOP
		FOR s IN SELECT redis_lrange('queue', r.idx) e LOOP
			seen := seen || r.value || s.e || ' ';
			EXIT WHEN r.value = 'b';
		END LOOP;
	END LOOP;
	RAISE NOTICE '%', seen;
	FOR r IN SELECT redis_smembers('tags') m LOOP
		BEGIN
			PERFORM 1 / 0;
		EXCEPTION WHEN division_by_zero THEN
			PERFORM redis_smembers('queue');
		END;
	END LOOP;
EXCEPTION WHEN datatype_mismatch THEN
	RAISE NOTICE '% %', SQLSTATE, SQLERRM;
END $$;
CREATE FUNCTION first_of(key text) RETURNS text LANGUAGE sql AS 'SELECT value FROM redis_lrange(key) LIMIT 1';
SELECT first_of('queue'), first_of('none');
DROP FUNCTION first_of(text);

-- cursors: closed early, after an error, held, scrolled
BEGIN;
DECLARE a CURSOR FOR SELECT redis_lrange('queue');
DECLARE b CURSOR FOR SELECT idx, value FROM redis_lrange('queue') ORDER BY idx;
FETCH 1 FROM a;
FETCH 1 FROM b;
FETCH 1 FROM a;
CLOSE a;
FETCH ALL FROM b;
SAVEPOINT s;
DECLARE c CURSOR FOR SELECT redis_lrange('queue');
FETCH 1 FROM c;
SELECT redis_lrange('board');
ROLLBACK TO s;
DECLARE c SCROLL CURSOR FOR SELECT value FROM redis_lrange('queue');
FETCH LAST FROM c;
FETCH FIRST FROM c;
DECLARE d CURSOR WITH HOLD FOR SELECT redis_lrange('queue');
COMMIT;
FETCH 2 FROM d;
CLOSE d;

-- nothing is there, or nothing is asked for
SELECT count(*) FROM redis_hgetall('none'), redis_smembers('none');
SELECT count(*) FROM redis_hgetall(NULL);
SELECT count(*) FROM redis_sinter('tags', NULL);
SELECT count(*) FROM redis_sinter(VARIADIC '{}'), redis_hmget('user:1', VARIADIC '{}');
SELECT count(*) FROM redis_hmget('user:1', VARIADIC NULL) a, redis_hmget(NULL, 'name') b;
SELECT field, value FROM redis_hmget('user:1', 'name', NULL, 'none', 'name');
SELECT field, value FROM redis_hmget('user:1', VARIADIC ARRAY[['age', 'name'], ['none', NULL]]);
SELECT * FROM redis_lrange('board');
SELECT redis_lrange('board');

-- values of any type; a variadic argument is an array after the word VARIADIC, and else a value
SELECT redis_rpush('values', 1, 2.50, true, NULL), redis_rpush('values', 1, 2.50, true, '{"a": 1}'::jsonb, 'unknown', date '2024-02-29');
SELECT redis_rpush('values', VARIADIC ARRAY[3, 4]), redis_rpush('values', VARIADIC ARRAY['x', 'y']), redis_rpush('values', ARRAY[5, 6]);
SELECT redis_rpush('values', VARIADIC ARRAY[[7, 8], [9, 10]]), redis_rpush('values', VARIADIC ARRAY['\x11'::bytea]);
SELECT redis_rpush('values', VARIADIC NULL::text[]) IS NULL AS null_array, redis_rpush('values', VARIADIC NULL::int[]) IS NULL AS null_ints,
	redis_rpush('values', VARIADIC ARRAY['x', NULL]) IS NULL AS null_element, redis_rpush('values', VARIADIC '{}'::text[]) AS no_element,
	redis_rpush('values', VARIADIC '{}'::int[]) AS no_int;
CREATE DOMAIN words AS text[];
CREATE DOMAIN word AS text;
SELECT redis_rpush('values', VARIADIC ARRAY['in a domain']::words), redis_rpush('values', 'a domain'::word, 'another'::word);
DROP DOMAIN words, word;
PREPARE push AS SELECT redis_rpush('values', $1, $2);
EXECUTE push('p', 'q');
DEALLOCATE push;
SELECT string_agg(value, ' ' ORDER BY idx) FROM redis_lrange('values');
SELECT redis_hset('h', 'f', 1, 'g', '\x00ff'::bytea), redis_hset('h', VARIADIC ARRAY[['i', 'one'], ['j', 'two']]);
SELECT field, value FROM redis_hgetall_bytea('h') ORDER BY field;
SELECT redis_hset('h', 'f', 1, 'g');
SELECT redis_hget('h', field => 'i'), redis_hincrby('h', 'n'), redis_hincrby('h', 'n', by => 41);

-- flags, words, bounds
SELECT member, score FROM redis_zrange('board', rev => true);
SELECT member FROM redis_zrange('board', 0, 0, rev => false);
SELECT member FROM redis_zrange('board', stop => 0, rev => NULL);
SELECT redis_zadd('board', 1, '1', mode => 'gt'), redis_zadd('board', 1, '1', 'sideways');
SELECT redis_zcount('board', 0, 10), redis_zcount('board', '(7.5', 'inf'), redis_zcount('board', '-inf', 7.5), redis_zcount('board', 7.5, NULL) IS NULL AS no_bound;
SELECT redis_zcount('board', 'x', 'y');
SELECT member, score FROM redis_zrangebyscore('board', '-inf', '+inf', max_rows => 2);
PREPARE between_scores AS SELECT redis_zcount('board', $1, $2);
EXECUTE between_scores('(7.5', '42');
DEALLOCATE between_scores;
SELECT redis_linsert('queue', 'before', 'c', 'bc'), redis_linsert('queue', 'between', 'c', 'd');

-- doubles and integers as they are (a short sorted set stores -0 as 0)
SELECT redis_call('CONFIG', 'SET', 'zset-max-ziplist-entries', 0);
SELECT redis_zadd('exact', '-inf', 'low'), redis_zadd('exact', 'inf', 'high'), redis_zadd('exact', '-0', 'zero'), redis_zadd('exact', 0.1, 'tenth'),
	redis_zadd('exact', 9007199254740991, 'large'), redis_zadd('exact', 5e-324, 'tiny'), redis_zadd('exact', 1.7976931348623157e308, 'huge');
SELECT rank, member, score FROM redis_zrange('exact');
SELECT redis_call('CONFIG', 'SET', 'zset-max-ziplist-entries', 128);
SELECT redis_zadd('exact', 'nan', 'x');
SELECT redis_hincrby('exact:h', 'n', 9223372036854775807), redis_hincrby('exact:h', 'm', -9223372036854775808);
SELECT field, value::bigint FROM redis_hgetall('exact:h') ORDER BY field;

-- JSON is json, and comes in as json
SELECT redis_hset_json('j', '{"a": 1.10, "b": "t\u00e9", "c": null, "d": [1, {"x": 2}], "e": 12345678901234567890}');
SELECT field, value FROM redis_hgetall('j') ORDER BY field;
SELECT redis_hset_json('j', row_to_json(r)) FROM (SELECT 1 AS a, 'x' AS f) r;
SELECT redis_hset_json('j', jsonb_build_object('a', 2)::json), redis_hset_json('j', '[1]');
SELECT redis_xadd_json('s', '{"type": "login", "n": 1}') LIKE '%-%' AS id, redis_xadd('s', 'type', 'logout', 'n', 2) LIKE '%-%' AS id;
SELECT fields->>'type' AS type, (fields->>'n')::int AS n, pg_typeof(fields) FROM redis_xrange('s');
SELECT count(*) FROM redis_xread('s', '0', max_rows => 1);
SELECT redis_eval('return {KEYS[1], ARGV[1], #KEYS, #ARGV}', ARRAY['k'], ARRAY['v', 'w'])->>0 AS key, redis_eval('return #KEYS + #ARGV') AS none,
	redis_eval('return ARGV', args => ARRAY['a', 'b']) AS args, redis_eval('return 1', '{}', NULL) AS empty;
SELECT redis_eval('return 1', ARRAY['k', NULL]);
SELECT redis_eval('return redis.error_reply("MINE it is")');
SELECT redis_eval('return redis.error_reply(ARGV[1])', args => ARRAY['MINE ' || repeat('x', 1000)]);

-- a scan stops where the rows are not wanted any more: in the select list
SELECT redis_call('HSET', VARIADIC ARRAY['big'] || array_agg(w ORDER BY i, w)) FROM generate_series(1, 20000) i, LATERAL (VALUES ('f' || i), ('v' || i)) v(w);
CREATE FUNCTION calls_of(command text) RETURNS bigint LANGUAGE sql AS
	$$ SELECT coalesce(max(substring(value FROM 'calls=(\d+)')::bigint), 0) FROM redis_info('commandstats') WHERE name = 'cmdstat_' || command $$;
SELECT calls_of('hscan') AS before \gset
SELECT count(*) FROM (SELECT redis_hscan('big') LIMIT 10) h;
SELECT calls_of('hscan') - :before AS pages;
SELECT count(*), count(DISTINCT field), bool_and(value = 'v' || substr(field, 2)) FROM redis_hscan('big');
SELECT calls_of('hscan') - :before > 20 AS many_pages;
SELECT count(*) FROM redis_hscan('big', 'f1999?');
DROP FUNCTION calls_of(text);
SELECT redis_rpush('long', VARIADIC array_fill('x'::text, '{5000}'));
SELECT count(*), min(idx), max(idx) FROM redis_lrange('long');

-- a variadic argument without elements: nothing is sent; half a pair is Redis's to refuse
SELECT redis_hset('none', VARIADIC '{}'::text[]), redis_sadd('none', VARIADIC '{}'::text[]), redis_pfadd('none', VARIADIC '{}'::text[]),
	redis_xadd('none', VARIADIC '{}'::text[]), redis_xdel('none', VARIADIC '{}'::text[]), redis_exists('none');
SELECT redis_hset('none', 'field');
SELECT redis_xadd('none', 'field');
SELECT fill();

-- JSON may be json, jsonb, text or a literal
SELECT redis_hset_json('j', '{"a": 1}'), redis_hset_json('j', '{"b": 2}'::text), redis_hset_json('j', '{"c": 3}'::json), redis_hset_json('j', '{"d": [4]}'::jsonb),
	redis_pipeline(jsonb_build_array(jsonb_build_array('HLEN', 'j'))), redis_multi(json_build_array(json_build_array('HGET', 'j', 'd')));
SELECT key, value FROM redis_mget_json(jsonb_build_array('none'));
-- the ends of a range, and values, may be of two kinds: a number and a text, a number and a literal, parameters
SELECT fill();
SELECT redis_zadd('z', 5, 'a'), redis_zadd('z', 7, 'b');
SELECT redis_zcount('z', 5, '(7'), redis_zcount('z', '(5', 7), redis_zcount('z', '(5', '(7'), redis_zcount('z', 5, 7.5), redis_zcount('z', 5::bigint, '(7'::text), redis_zcount('z', NULL, 5), redis_zcount('z', '-inf', NULL), redis_zcount('z', NULL, NULL);
SELECT * FROM redis_zrangebyscore('z', 5, '(7');
SELECT * FROM redis_zrangebyscore_bytea('z', '(5', 7, max_rows => 1);
PREPARE bounds AS SELECT redis_zcount('z', $1, $2), redis_zcount('z', $1, 7), redis_zcount('z', 5, $2);
EXECUTE bounds('(5', 'inf');
DEALLOCATE bounds;
PREPARE bounds(integer, varchar) AS SELECT redis_zremrangebyscore('z', $1, $2), redis_zremrangebyscore('z', $2, $1);
EXECUTE bounds(5, '(7');
DEALLOCATE bounds;
SELECT redis_rpush('l', 1, 'x', '\xff'::bytea);
SELECT redis_linsert('l', 'AFTER', 1, 'one'), redis_linsert('l', 'BEFORE', 'x', 2), redis_linsert('l', 'AFTER', '\xff'::bytea, 'end'::varchar), redis_linsert('l', 'BEFORE', 'end'::text, '\xfe'::bytea), redis_linsert('l', 'AFTER', 1::smallint, 1.5), redis_linsert('l', 'AFTER', NULL, 1), redis_linsert('l', 'AFTER', 'x'::varchar, 'y'::varchar);
SELECT idx, value FROM redis_lrange_bytea('l');
SELECT redis_geoadd('g', 0, 0, 1), redis_geoadd('g', 0, 1, 'b'), redis_geodist('g', 1, 'b', 'km') = redis_geodist('g', 'b', 1, unit => 'km');
