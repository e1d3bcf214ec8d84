-- What is PostgreSQL's own about the plain functions: overloads, named arguments, bytea, NULL, types.
SELECT fill();
SELECT redis_set('k', 'text'), redis_get('k');
SELECT redis_set('k', 1), redis_get('k');
SELECT redis_set('k', 1.50), redis_get('k');
SELECT redis_set('k', '{"a": 1}'::jsonb), redis_get('k')::json->>'a' AS a;
SELECT redis_set('k', '\x00ff01'::bytea), redis_get_bytea('k');
SELECT redis_set('k', true), redis_get('k');
SELECT redis_set('k', date '2024-02-29'), redis_get('k');
SELECT redis_set('k', 'v', ttl => 60), redis_ttl('k') BETWEEN 59 AND 60 AS a_minute;
SELECT redis_set(key => 'k', value => 'w', mode => 'nx') AS taken, redis_set('k', 'w', mode => 'XX') AS there;
SELECT redis_setex('k', extract(epoch FROM interval '5 min'), 'v'), redis_ttl('k') > 299 AS five_minutes;
PREPARE untyped AS SELECT redis_set($1, $2);
EXECUTE untyped('k', 'prepared');
SELECT redis_get('k');
DEALLOCATE untyped;

-- NULL: nothing is sent
SELECT redis_set('k', NULL) IS NULL AS value, redis_set(NULL, 'v') IS NULL AS key, redis_get(NULL) IS NULL AS get;
SELECT redis_set('k', 'v', NULL, NULL) AS left_out;
SELECT redis_del('k', NULL) IS NULL AS one_null, redis_exists('k') AS untouched;
SELECT redis_incr('n', NULL), redis_incr('n', 41), redis_decr('n', by => 2);

-- arrays
SELECT redis_exists(VARIADIC ARRAY['k', 'n', 'none']);
SELECT redis_del(VARIADIC array_agg('many:' || i)) FROM generate_series(1, 5000) i;
SELECT redis_del(VARIADIC ARRAY[]::text[]);
-- one that is not taken apart is a value like others; a domain over one is an array
SELECT redis_call('ECHO', ARRAY[1, 2]), redis_call('ECHO', ARRAY['a', NULL]), redis_call('ECHO', '1 2'::int2vector);
CREATE DOMAIN ints AS int[];
CREATE DOMAIN words AS text[] CHECK (cardinality(value) < 3);
SELECT redis_call('ECHO', VARIADIC ARRAY[5]::ints), redis_call('ECHO', VARIADIC ARRAY['word']::words);
SELECT redis_call('ECHO', ARRAY[5]::ints), redis_exists(VARIADIC ARRAY['k', 'n']::words);
DROP DOMAIN ints, words;
-- a composite, a range, an enum, domains
CREATE TYPE mood AS ENUM ('so so');
CREATE DOMAIN bytes AS bytea;
SELECT redis_call('ECHO', ROW(1, 'a b')), redis_call('ECHO', int4range(1, 3)), redis_call('ECHO', 'so so'::mood);
SELECT redis_set('k', 'so so'::mood), redis_get('k'), redis_set('k', '\x00ff'::bytes), redis_get_bytea('k'), redis_del('k');
DROP TYPE mood;
DROP DOMAIN bytes;

-- bytes that are no text
SELECT redis_set('bin', '\xfffe'::bytea);
SELECT redis_get('bin');
SELECT redis_get_bytea('bin'), redis_getrange_bytea('bin', 0, 0);
SELECT redis_set('bin', '\x610062'::bytea);
SELECT redis_get('bin');
SELECT redis_getex_bytea('bin', 10), redis_getdel_bytea('bin'), redis_get_bytea('bin');

-- large values and large keys
SELECT redis_set('large', repeat('x', 5000000)), length(redis_get('large')), redis_strlen('large');
SELECT redis_set(repeat('k', 100000), 'v'), redis_get(repeat('k', 100000)), redis_del(repeat('k', 100000));
SELECT redis_del('large');

-- integers at their limits
SELECT redis_set('n', 9223372036854775807), redis_get('n')::bigint, redis_decr('n', 9223372036854775807);
SELECT redis_incr('n', -9223372036854775808);

-- any command
SELECT redis_call('PING');
SELECT redis_call('SET', 'c', 12, 'EX', 100), redis_call('get', 'c'), redis_call('GET', 'none');
SELECT redis_call('RPUSH', VARIADIC ARRAY['list', 'a', 'b']), redis_call('LRANGE', 'list', 0, -1);
SELECT redis_call('SET', 'c', NULL) IS NULL AS null_sends_nothing;
SELECT redis_call('SELECT', 1);
SELECT redis_call('multi');
SELECT redis_call('SUBSCRIBE', 'c');
SELECT redis_call('CLIENT', 'REPLY', 'OFF');
SELECT redis_call('NOSUCHCOMMAND');
SELECT redis_call('BLPOP', 'empty', '0.1');

-- sets of rows
SELECT fill('a:1', 'a:2', 'b:1');
SELECT key FROM redis_scan('a:*') ORDER BY key;
SELECT count(*) FROM redis_scan(type => 'string');
SELECT count(*) FROM redis_scan(type => 'list');
SELECT redis_scan() IS NOT NULL AS in_the_select_list LIMIT 1;
SELECT s.key, redis_get(s.key) AS nested FROM redis_scan('a:*') s ORDER BY 1;
SELECT count(*) FROM redis_call('DEBUG', 'POPULATE', '3000', 'p'), redis_scan('p:*');
SELECT count(*) > 0 AS has_rows FROM redis_info('server') WHERE name = 'redis_version';
SELECT ok, latency_ms >= 0 AS measured, version IS NOT NULL AS version, role, tls, error FROM redis_health();
SELECT name FROM redis_stats() WHERE name IN ('commands', 'errors', 'reconnects', 'breaker',
	'invalidations_queued', 'invalidations_sent', 'invalidations_failed') ORDER BY name;
SELECT value FROM redis_stats() WHERE name = 'breaker';

-- the prefix is put before every key and taken off again
SET sqlredis.key_prefix = 'app*:';
SELECT redis_set('k', 'mine'), redis_get('k');
SELECT key FROM redis_scan();
SELECT redis_invalidate('k');
SELECT redis_get('k') IS NULL AS gone;
SELECT redis_set('k', 'mine');
RESET sqlredis.key_prefix;
SELECT redis_get('app*:k'), redis_get('k');

-- cursors and LIMIT read no further than they must
BEGIN;
DECLARE c CURSOR FOR SELECT redis_scan('p:*');
FETCH 2 FROM c \g /dev/null
CLOSE c;
COMMIT;
SELECT fill();

-- an operator's array is its elements, too
CREATE OPERATOR +> (LEFTARG = text, RIGHTARG = text[], FUNCTION = redis_sadd);
CREATE OPERATOR ?> (RIGHTARG = text[], FUNCTION = redis_mget);
SELECT 'operated' +> ARRAY['a', 'b'], redis_scard('operated');
SELECT ?> ARRAY['operated', NULL];
DROP OPERATOR +> (text, text[]), ?> (NONE, text[]);
