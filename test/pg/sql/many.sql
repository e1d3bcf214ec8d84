-- Many keys at once: redis_mget, the aggregates, the window function, pipelines.
SELECT fill();
CREATE FUNCTION values_of(pattern text) RETURNS text LANGUAGE sql AS
	$$ SELECT coalesce(string_agg(key || '=' || coalesce(redis_get(key), 'NULL'), ' ' ORDER BY key COLLATE "C"), '(none)') FROM redis_scan(pattern) $$;

-- redis_mget: a row a key, in order
SELECT redis_set('a', 1), redis_set('b', 2), redis_rpush('l', 'x');
SELECT key, value FROM redis_mget('b', 'none', 'a', 'l', 'b');
SELECT key, value FROM redis_mget(VARIADIC ARRAY['a', NULL, 'b']);
SELECT key, value FROM redis_mget(VARIADIC ARRAY[['a', 'b'], ['none', 'a']]);
SELECT count(*) FROM redis_mget(VARIADIC NULL::text[]);
SELECT count(*) FROM redis_mget(VARIADIC '{}');
SELECT count(*), count(key), count(value) FROM redis_mget(NULL);
SELECT redis_mget('a', 'b') LIMIT 1;
SELECT i, m.* FROM generate_series(1, 2) i, LATERAL redis_mget('a', 'k' || i) m;
SELECT key, value FROM redis_mget_json('["b", "none", "a", 1, null]');
SELECT count(*) FROM redis_mget_json('[]') a, redis_mget_json(NULL) b;
SELECT * FROM redis_mget_json('{"a": 1}');
SELECT * FROM redis_mget_json('[["a"]]');
SET sqlredis.key_prefix = 'p:';
SELECT redis_mset(k, k) FROM unnest(ARRAY['a', 'x']) k;
SELECT key, value FROM redis_mget('a', 'x', 'b');
SELECT k, redis_get_batch(k) OVER () FROM unnest(ARRAY['a', 'x', 'b']) k;
SELECT redis_del_agg(k) FROM unnest(ARRAY['a', 'x', 'b']) k;
SELECT redis_mset('x', 'prefixed');
RESET sqlredis.key_prefix;
SELECT redis_get('p:x'), redis_get('a');

-- redis_mset
SELECT fill();
SELECT redis_mset('k' || i, i) FROM generate_series(1, 3) i;
SELECT values_of('*');
SELECT redis_mset('k', 'v') FROM generate_series(1, 0);
SELECT redis_mset('k', 'v') FILTER (WHERE false) FROM generate_series(1, 3);
SELECT g, redis_mset('k', 'v') FROM generate_series(1, 0) g GROUP BY g;
SELECT redis_mset('k', 'only me');
SELECT redis_mset(k, v) FROM (VALUES ('n1', 'x'), (NULL, 'x'), ('n2', NULL), ('n3', '')) t(k, v);
SELECT redis_mset(k, v, ttl) FROM (VALUES ('t1', 1, 60), ('t2', 2, NULL), ('t3', 3, 0.5)) t(k, v, ttl);
SELECT redis_ttl('t1') BETWEEN 59 AND 60 AS a_minute, redis_ttl('t2') AS for_ever;
SELECT redis_mset('ty:' || n, v) FROM (SELECT 1 AS n, '{"a": 1}'::jsonb AS v) t;
SELECT redis_mset('ty:2', date '2024-02-29'), redis_mset('ty:3', '\xff00'::bytea), redis_mset('ty:4', ARRAY[1, 2]::text), redis_mset('ty:5', true);
SELECT redis_get('ty:1'), redis_get('ty:2'), redis_get_bytea('ty:3'), redis_get('ty:4'), redis_get('ty:5');
SELECT fill();
-- the order given is the order sent; DISTINCT; a group each, by hash and sorted, in grouping sets
SELECT redis_mset('last', i ORDER BY -i) FROM generate_series(1, 5) i;
SELECT redis_mset('last', i ORDER BY i) FROM generate_series(1, 5) i;
SELECT redis_get('last');
SELECT redis_mset(DISTINCT 'd' || i % 3, 'same') FROM generate_series(1, 10) i;
SET enable_sort = off;
EXPLAIN (COSTS OFF) SELECT i % 3 AS g, redis_mset('h' || i, i) FROM generate_series(1, 10) i GROUP BY 1;
SELECT i % 3 AS g, redis_mset('h' || i, i) FROM generate_series(1, 10) i GROUP BY 1 ORDER BY 1;
RESET enable_sort;
SET enable_hashagg = off;
EXPLAIN (COSTS OFF) SELECT i % 3 AS g, redis_mset('s' || i, i) FROM generate_series(1, 10) i GROUP BY 1;
SELECT i % 3 AS g, redis_mset('s' || i, i) FILTER (WHERE i < 9) FROM generate_series(1, 10) i GROUP BY 1;
SELECT a, b, redis_mset('g' || a || b, 1) FROM generate_series(1, 2) a, generate_series(1, 2) b GROUP BY GROUPING SETS ((a, b), (a), ()) ORDER BY a, b;
RESET enable_hashagg;
SELECT a, b, redis_mset('g' || a || b, 1) FROM generate_series(1, 2) a, generate_series(1, 2) b GROUP BY GROUPING SETS ((a, b), (a), ()) ORDER BY a, b;
SELECT redis_exists(VARIADIC array_agg(k)) FROM redis_scan('[hs]*') s(k);
-- a hash table that is read twice gives the same twice
SET enable_material = off;
SET enable_sort = off;
SET enable_hashjoin = off;
SET enable_mergejoin = off;
SELECT o, g, n FROM generate_series(1, 2) o JOIN (SELECT i % 2 AS g, redis_mset('r' || i, i) AS n FROM generate_series(1, 5) i GROUP BY 1) s ON true ORDER BY 1, 2;
RESET enable_material;
RESET enable_sort;
RESET enable_hashjoin;
RESET enable_mergejoin;
-- with other functions in its arguments, and more than one of them
SELECT redis_mset('copy:' || i, redis_get('h' || i)) FROM generate_series(1, 3) i;
SELECT redis_mset('x' || i, i), redis_mset('y' || i, redis_incr('n')), redis_del_agg('h' || i), count(*) FROM generate_series(1, 3) i;
SELECT values_of('[xyn]*'), values_of('copy*');
SELECT redis_mset('x' || i, (SELECT redis_mset('z' || i || j, j) FROM generate_series(1, i) j)) FROM generate_series(1, 3) i;
SELECT values_of('[xz]*');
SELECT redis_mset('k', 'v') OVER ();

-- what fails: the first key that did, how many went well; nothing of it is sent later
SELECT fill();
SELECT redis_rpush('list', 'x');
SELECT redis_mset(k, 1, ttl) FROM (VALUES ('a', 1), ('b', 2), ('c', -1), ('d', 1)) t(k, ttl);
SELECT redis_mset('k' || i, 10 / (3 - i)) FROM generate_series(1, 10) i;
SELECT redis_mset('k' || i, redis_get('list')) FROM generate_series(1, 10) i;
SELECT redis_mset('next', 1);
SELECT redis_del('list'), values_of('*');
DO $$
BEGIN
	FOR i IN 1..3 LOOP
		BEGIN
			PERFORM redis_mset('k' || j, 1 / (j - i)) FROM generate_series(1, 5) j;
		EXCEPTION WHEN division_by_zero THEN
			PERFORM redis_mset('caught' || i, i);
		END;
	END LOOP;
END $$;
SELECT values_of('*');
-- a cursor that is closed before its groups are finished
BEGIN;
DECLARE c CURSOR FOR SELECT g, redis_mset('c' || g, g) FROM generate_series(1, 5) g GROUP BY g ORDER BY g;
FETCH 2 FROM c;
CLOSE c;
ROLLBACK;
SELECT redis_exists('c1', 'c2');

-- redis_del_agg
SELECT fill('a', 'b', 'c', 'd');
SELECT redis_del_agg(k) FROM unnest(ARRAY['a', 'b', 'none', NULL, 'a']) k;
SELECT left_over();
SELECT redis_del_agg(key) FROM redis_scan('*');
SELECT left_over();

-- redis_get_batch
SELECT fill();
SELECT redis_mset('u' || i, 'name ' || i) FROM generate_series(1, 5000) i WHERE i % 10 <> 0;
SELECT redis_rpush('list', 'x');
SELECT i, redis_get_batch('u' || i) OVER () FROM generate_series(8, 12) i;
SELECT k, redis_get_batch(k) OVER () FROM unnest(ARRAY['u1', NULL, 'list', 'u1', 'none']) k;
SELECT count(*), count(v), bool_and(v IS NOT DISTINCT FROM CASE WHEN i % 10 <> 0 AND i <= 5000 THEN 'name ' || i END) AS right
FROM (SELECT i, redis_get_batch('u' || i) OVER () AS v FROM generate_series(1, 20000) i) s;
SELECT count(v), bool_and(v = 'name ' || i) AS right
FROM (SELECT i, redis_get_batch('u' || i) OVER (PARTITION BY i % 7 ORDER BY i DESC) AS v FROM generate_series(1, 5000) i) s WHERE i % 10 <> 0;
SELECT i, redis_get_batch('u' || i) OVER w, lag(i) OVER w, sum(i) OVER w, redis_get_batch('u' || i + 1) OVER (ORDER BY -i) FROM generate_series(1, 3) i WINDOW w AS (ORDER BY i);
SELECT i, redis_get_batch('u' || i) OVER (ORDER BY i ROWS BETWEEN 1 PRECEDING AND CURRENT ROW EXCLUDE CURRENT ROW) FROM generate_series(1, 3) i;
SELECT redis_get_batch('u1') OVER ();
SELECT redis_get_batch('u1') OVER () FROM generate_series(1, 0);
SELECT redis_mset('p' || i, 'u' || i) FROM generate_series(1, 3) i;
SELECT redis_get_batch(v) OVER () FROM (SELECT redis_get_batch('p' || i) OVER () AS v FROM generate_series(1, 3) i) s;
SELECT redis_get_batch(redis_get('p' || i)) OVER () FROM generate_series(1, 3) i;
SELECT redis_get_batch('u1');
-- each row's key is made once, whatever it does
CREATE SEQUENCE once;
SELECT count(v), bool_and(v = 'name ' || i) AS right FROM (SELECT i, redis_get_batch('u' || nextval('once')) OVER () AS v FROM generate_series(1, 4000) i) s WHERE i % 10 <> 0;
SELECT last_value FROM once;
DROP SEQUENCE once;
-- again and again in one statement; left early; rows held in a cursor
SELECT o, v FROM generate_series(1, 3) o, LATERAL (SELECT redis_get_batch('u' || o || i) OVER () AS v FROM generate_series(1, 2) i) s;
SELECT redis_get_batch('u' || i) OVER () FROM generate_series(1, 5000) i LIMIT 2;
BEGIN;
DECLARE c CURSOR FOR SELECT redis_get_batch('u' || i) OVER () FROM generate_series(1, 5000) i;
FETCH 2 FROM c;
SELECT redis_set('u3', 'changed after it was fetched');
FETCH 1 FROM c;
CLOSE c;
DECLARE d CURSOR FOR SELECT redis_get_batch(CASE WHEN i < 300 THEN 'u1' ELSE 1 / (i - 300) || '' END) OVER () FROM generate_series(1, 5000) i;
FETCH 1 FROM d;
MOVE 1000 FROM d;
ROLLBACK;
-- large keys and large values do not come many at once
SELECT redis_mset('large' || i, repeat(chr(64 + i), 1000000)) FROM generate_series(1, 20) i;
SELECT count(*), count(DISTINCT v), sum(length(v)) FROM (SELECT redis_get_batch('large' || i) OVER () AS v FROM generate_series(1, 20) i) s;
SELECT count(*), sum(length(value)) FROM redis_mget(VARIADIC ARRAY(SELECT 'large' || i FROM generate_series(1, 20) i));
SELECT count(*), count(v) FROM (SELECT redis_get_batch(repeat('k', 3000000) || i) OVER () AS v FROM generate_series(1, 5) i) s;
-- more elements than are taken from an array at a time
SELECT count(*), count(value), bool_and(key = 'u' || o) AS in_order, bool_and(value = 'name ' || o) FILTER (WHERE o % 10 <> 0 AND o NOT IN (3) AND o <= 5000) AS right
FROM redis_mget(VARIADIC ARRAY(SELECT 'u' || i FROM generate_series(1, 100000) i)) WITH ORDINALITY m(key, value, o);

-- Redis is away: reads fail open when told to, what writes never does
SELECT redis_ping();
SET sqlredis.on_error = 'null';
SET sqlredis.url = 'redis://127.0.0.1:1';
SELECT i, redis_get_batch('u' || i) OVER () FROM generate_series(1, 2) i;
SELECT count(*) FROM redis_mget('u1', 'u2');
SELECT redis_mset('k', 'v') FROM generate_series(1, 0);
\set VERBOSITY sqlstate
SELECT redis_mset('k', 'v');
SET sqlredis.on_error = 'error';
SELECT redis_get_batch('u1') OVER ();
SELECT count(*) FROM redis_mget('u1');
\set VERBOSITY default
RESET sqlredis.url;
RESET sqlredis.on_error;
SELECT redis_get_batch('u1') OVER ();

-- pipelines and transactions take and give JSON
SELECT redis_pipeline('[["SET", "a", 1], ["INCR", "a"], ["GET", "none"]]');
SELECT redis_pipeline(json_build_array(json_build_array('SET', 'a', 1.50), json_build_array('GET', 'a')))->>1 AS as_written;
SELECT redis_pipeline('[["LPUSH", "a", 1], ["INCR", "a"], ["SET", "b", 1]]');
SELECT redis_pipeline('[["LPUSH", "a", 1], ["SET", "b", 2]]', 'return');
SELECT redis_pipeline('[["SET", "a", 3], ["SELECT", 1]]');
SELECT redis_get('a') AS nothing_was_sent, redis_pipeline('[]'), redis_pipeline(NULL) IS NULL AS nothing;
SELECT redis_pipeline('["PING"]');
SELECT redis_multi('[["SET", "a", 1], ["INCRBY", "a", 10]]');
SELECT redis_multi('[["SET", "m", 1], ["NOSUCHCOMMAND"]]');
SELECT redis_exists('m') AS none_of_it;
SELECT redis_multi('[["SET", "m", 1], ["LPUSH", "m", 1]]');
SELECT redis_get('m') AS no_rollback;
DROP FUNCTION values_of(text);
SELECT fill();
