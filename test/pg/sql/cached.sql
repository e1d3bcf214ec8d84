-- redis_cached: what it runs, what it answers, and when it does not fill.
CREATE TABLE people (id int PRIMARY KEY, name text, born date);
INSERT INTO people VALUES (1, 'Ann', '2000-01-02'), (2, 'Bob', NULL);
SELECT redis_invalidate_on('people', 'person:{id}');
-- How much this session's counters have grown since they were last asked.
CREATE TEMP TABLE counted (name text PRIMARY KEY, value bigint);
CREATE FUNCTION grown() RETURNS text LANGUAGE plpgsql AS $$
DECLARE said text;
BEGIN
	SELECT string_agg(substr(s.name, 7) || ' ' || s.value::bigint - coalesce(c.value, 0), ', ' ORDER BY s.name) INTO said
	FROM redis_stats() s LEFT JOIN counted c USING (name) WHERE s.name LIKE 'cache\_%' AND s.value::bigint <> coalesce(c.value, 0);
	INSERT INTO counted SELECT name, value::bigint FROM redis_stats() WHERE name LIKE 'cache\_%'
	ON CONFLICT (name) DO UPDATE SET value = excluded.value;
	RETURN said;
END $$;
SELECT fill();
SELECT grown() IS NULL;
-- a miss, a hit, and the row changes
SELECT redis_cached('person:1', 60, 'SELECT name FROM people WHERE id = $1', 1);
SELECT grown();
SELECT redis_cached('person:1', 60, 'SELECT name FROM people WHERE id = $1', 1);
SELECT grown();
UPDATE people SET name = 'Eve' WHERE id = 1;
SELECT redis_cached('person:1', 60, 'SELECT name FROM people WHERE id = $1', 1);
SELECT redis_ttl('person:1:sqlredis{person:1}') BETWEEN 50 AND 60 AS ttl;
-- a hit looks at nothing but the key
SELECT redis_cached('person:1', 60, 'nonsense');
-- NULL and no row are answers
SELECT redis_cached('none', 60, 'SELECT name FROM people WHERE id = 99') IS NULL AS a, redis_cached('none', 60, 'nonsense') IS NULL AS b,
	redis_cached('null', 60, 'SELECT born FROM people WHERE id = 2') IS NULL AS c, redis_cached('null', 60, 'nonsense') IS NULL AS d;
SELECT redis_cached(NULL, 60, 'SELECT 1'), redis_cached('k', NULL, 'SELECT 1'), redis_cached('k', 60, NULL);
-- arguments are bound with their types; text and what has no type is what the query makes of it
SELECT redis_cached('a1', 60, 'SELECT name FROM people WHERE id = $1', '2');
SELECT redis_cached('a2', 60, 'SELECT name FROM people WHERE born = $1', '2000-01-02');
SELECT redis_cached('a3', 60, 'SELECT name FROM people WHERE born = $1 AND id = $2', date '2000-01-02', '1');
SELECT redis_cached('a4', 60, 'SELECT count(*) FROM people WHERE id = ANY ($1)', ARRAY[1, 2]);
SELECT redis_cached('a5', 60, 'SELECT $1 || $2', 'a', 'b''; DROP TABLE people');
SELECT redis_cached('a6', 60, 'SELECT $2 - $1', VARIADIC ARRAY[1, 3]);
SELECT redis_cached('a7', 60, 'SELECT $2 - $1', VARIADIC ARRAY['2000-01-02', '2000-01-05']::date[]);
SELECT redis_cached('a8', 60, 'SELECT $1::int + $2', VARIADIC ARRAY['1', '3']);
SELECT redis_cached('a9', 60, 'SELECT $1::text IS NULL', NULL), redis_cached('a10', 60, 'SELECT 1', VARIADIC NULL::text[]);
PREPARE bound (int) AS SELECT redis_cached('b' || $1, 60, 'SELECT name FROM people WHERE id = $1', $1);
EXECUTE bound(1);
EXECUTE bound(2);
-- text is the same in every session
SET datestyle = 'German'; SET bytea_output = 'escape'; SET timezone = 'Asia/Tokyo'; SET extra_float_digits = -5;
SELECT redis_cached('t1', 60, 'SELECT born FROM people WHERE id = 1'), redis_cached('t2', 60, $$SELECT '\x00ff'::bytea$$),
	redis_cached('t3', 60, $$SELECT '2024-01-01 00:00Z'::timestamptz$$), redis_cached('t4', 60, 'SELECT 0.1::float8'),
	redis_cached('t5', 60, 'SELECT true'), redis_cached('t6', 60, $$SELECT inet '10.0.0.1'$$), redis_cached('t7', 60, $$SELECT 'ab'::char(5)$$),
	redis_cached('t8', 60, 'SELECT json_agg(id) FROM people');
SHOW datestyle;
RESET ALL;
-- what cannot be cached
SELECT redis_cached('e', 60, 'SELECT * FROM people');
SELECT redis_cached('e', 60, 'SELECT name FROM people');
SELECT redis_cached('e', 60, 'SELECT name FROM people WHERE id = $1');
SELECT redis_cached('e', 60, 'SELECT name FROM people WHERE id = $1 OR id = $2', '1');
SELECT redis_cached('e', 60, 'SELECT name FROM people WHERE id = $1 OR id = $2', 1);
SELECT redis_cached('e', 60, 'SELECT name FROM people WHERE id = $1', '1', '2');
SELECT redis_cached('e', 60, 'SELECT nonsense FROM people WHERE id = $1', '1');
SELECT redis_cached('e', 60, 'SELECT nonsense FROM people WHERE id = $1', 1);
SELECT redis_cached('e', 60, 'SELECT name FROM people WHERE id = $1', 'one');
SELECT redis_cached('e', 60, 'SELECT 1; SELECT 2');
SELECT redis_cached('e', 60, '');
SELECT redis_cached('e', 60, 'DROP TABLE people');
SELECT redis_cached('e', 60, 'SELECT 1 INTO made');
SELECT redis_cached('e', 60, 'SHOW datestyle');
SELECT redis_cached('e', 60, 'DELETE FROM people');
SELECT redis_cached('e', 0, 'SELECT 1');
SELECT redis_cached('e', 'NaN', 'SELECT 1');
SELECT redis_exists('e:sqlredis{e}') AS a_lease_is_left;
SELECT grown();
-- a transaction that has written fills nothing, and a key that it will delete is no hit
BEGIN;
SELECT redis_cached('person:2', 60, 'SELECT name FROM people WHERE id = 2');
UPDATE people SET name = 'Bert' WHERE id = 2;
SELECT redis_cached('person:2', 60, 'SELECT name FROM people WHERE id = 2');
SELECT redis_cached('other', 60, 'SELECT name FROM people WHERE id = 2');
ROLLBACK;
SELECT redis_cached('person:2', 60, 'nonsense');
SELECT redis_exists('other:sqlredis{other}');
SELECT grown();
SELECT redis_cached('w', 60, 'INSERT INTO people VALUES (3, ''Cid''), (4, ''Dan'') RETURNING name');
SELECT redis_cached('w', 60, 'INSERT INTO people VALUES (3, ''Cid'') RETURNING name'), redis_exists('w:sqlredis{w}');
SELECT redis_cached('w', 60, 'WITH d AS (DELETE FROM people WHERE id = 3 RETURNING name) SELECT name FROM d'), redis_exists('w:sqlredis{w}');
SELECT redis_cached('w', 60, 'SELECT name FROM people WHERE id = 1 FOR UPDATE'), redis_exists('w:sqlredis{w}');
SELECT grown();
BEGIN;
SELECT redis_invalidate_tag('t'), redis_cached('person:2', 60, 'SELECT ''from the table''');
ROLLBACK;
BEGIN;
SELECT redis_invalidate_pattern('x*'), redis_cached('person:2', 60, 'SELECT ''from the table''');
ROLLBACK;
BEGIN;
SELECT redis_invalidate('person:2'), redis_cached('person:2', 60, 'SELECT ''from the table''');
SELECT redis_cached('person:1', 60, 'nonsense');
SELECT redis_cached('q', 60, 'SELECT redis_invalidate(''q'')'), redis_exists('q:sqlredis{q}');
ROLLBACK;
SELECT grown();
-- nor does one whose snapshot is older than the lease
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT redis_cached('i', 60, 'SELECT 1'), redis_exists('i:sqlredis{i}'), redis_cached('person:2', 60, 'nonsense');
ROLLBACK;
BEGIN ISOLATION LEVEL SERIALIZABLE;
SELECT redis_cached('i', 60, 'SELECT 1'), redis_exists('i:sqlredis{i}');
SELECT value IS NULL, lease IS NULL FROM redis_cache_get('i');
ROLLBACK;
SELECT grown();
-- nor what depends on row security
CREATE TABLE secret (id int, owner name);
INSERT INTO secret VALUES (1, 'reader'), (2, 'another');
ALTER TABLE secret ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON secret USING (owner = current_user);
CREATE ROLE reader;
GRANT SELECT ON secret TO reader;
SELECT redis_grant('write', 'reader') > 0;
SELECT redis_cached('s', 60, 'SELECT count(*) FROM secret');
SET ROLE reader;
SELECT redis_cached('s', 60, 'SELECT count(*) FROM secret');
SELECT redis_cached('p', 60, 'SELECT name FROM people WHERE id = 1');
RESET ROLE;
SELECT redis_exists('s:sqlredis{s}', 'p:sqlredis{p}'), grown();
SELECT redis_revoke('write', 'reader') > 0;
DROP TABLE secret;
DROP ROLE reader;

-- by hand: get, compute, fill
SELECT lease AS lease FROM redis_cache_get('hand') \gset
SELECT redis_cache_fill('hand', :'lease', 'a value', 60);
SELECT * FROM redis_cache_get('hand');
SELECT * FROM redis_cache_get_bytea('hand');
SELECT redis_cache_fill('hand', :'lease', 'another', 60);
SELECT redis_cached('hand', 60, 'nonsense');
SELECT redis_invalidate('hand');
SELECT lease AS lease FROM redis_cache_get('hand') \gset
SELECT redis_invalidate('hand');
SELECT redis_cache_fill('hand', :'lease', 'a value', 60);
SELECT lease AS lease FROM redis_cache_get('hand') \gset
BEGIN;
UPDATE people SET name = 'x' WHERE id = 1;
SELECT redis_cache_fill('hand', :'lease', 'a value', 60);
ROLLBACK;
SELECT lease AS lease FROM redis_cache_get('hand') \gset
SELECT redis_cache_fill('hand', :'lease', NULL, 60);
SELECT value IS NULL, lease IS NULL FROM redis_cache_get('hand');
SELECT redis_cached('hand', 60, 'nonsense') IS NULL;
SELECT redis_cache_fill('hand', 'made up', 'v', 60), redis_cache_fill('hand', NULL, 'v', 60), redis_cache_fill(NULL, 'l', 'v', 60) IS NULL,
	redis_cache_fill('hand', 'l', 'v', NULL) IS NULL, redis_cache_fill('hand', 'l', 'v', 60, NULL) IS NULL, (SELECT count(*) FROM redis_cache_get(NULL));
SELECT redis_cache_fill('hand', 'made up', 'v', -1);
SELECT grown();
-- values that are not text
SELECT lease AS lease FROM redis_cache_get('bytes') \gset
SELECT redis_cache_fill('bytes', :'lease', '\x00ff'::bytea, 60, 'bytes');
SELECT value FROM redis_cache_get_bytea('bytes');
SELECT value FROM redis_cache_get('bytes');
SELECT redis_cached('bytes', 60, 'nonsense');
SELECT lease AS lease FROM redis_cache_get('number') \gset
SELECT redis_cache_fill('number', :'lease', 42, 60, 'numbers'), redis_cached('number', 60, 'nonsense');
-- tags
SELECT lease AS lease FROM redis_cache_get('tagged') \gset
SELECT redis_cache_fill('tagged', :'lease', 'v', 60, 'team:1', 'team:2');
SELECT value FROM redis_cache_get('tagged');
SELECT redis_invalidate_tag('team:3');
SELECT value FROM redis_cache_get('tagged');
SELECT redis_invalidate_tag('team:2');
SELECT value IS NULL, lease IS NOT NULL FROM redis_cache_get('tagged');
SELECT grown();
-- a function that gets, computes and fills
CREATE FUNCTION report() RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	found record;
	computed text;
BEGIN
	SELECT * INTO found FROM redis_cache_get('report');
	IF found.value IS NOT NULL THEN
		RETURN found.value;
	END IF;
	SELECT string_agg(name, ',' ORDER BY id) INTO computed FROM people;
	PERFORM redis_cache_fill('report', found.lease, computed, 60);
	RETURN computed;
END $$;
SELECT report(), report();
SELECT grown();
DROP FUNCTION report();
DROP FUNCTION grown();
DROP TABLE people, counted;
