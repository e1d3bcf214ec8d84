-- Values in and out, optional arguments, NULL, errors; table-valued functions and their arguments.
SELECT redis_version() GLOB '[0-9]*.[0-9]*', redis_ping();
-- text, bytes, numbers, empty
SELECT redis_set('t', 'grün'), redis_get('t'), typeof(redis_get('t')), redis_strlen('t');
SELECT redis_set('b', x'00ff0d0a'), hex(redis_get('b')), typeof(redis_get('b'));
SELECT redis_set('nul', CAST(x'610062' AS TEXT)), hex(redis_get('nul')), typeof(redis_get('nul'));
SELECT redis_set('bad', x'c328'), typeof(redis_get('bad')), redis_set('surrogate', x'eda080'), typeof(redis_get('surrogate'));
SELECT redis_set('e', ''), redis_get('e') = '', typeof(redis_get('e')), redis_set('eb', x''), redis_strlen('eb');
SELECT redis_set('i', 42), redis_get('i'), redis_set('r', 1.5), redis_get('r'), redis_set(7, 'seven'), redis_get('7'), redis_get(7);
SELECT redis_set('big', hex(zeroblob(500000))), redis_strlen('big'), length(redis_get('big')), redis_del('big');
SELECT redis_set('an "odd" key''s name ' || char(10), 1), redis_exists('an "odd" key''s name ' || char(10));
-- optional arguments
SELECT redis_set('ttl', 'v', 100.5), redis_ttl('ttl') BETWEEN 99 AND 100.5, redis_set('ttl', 'w', NULL, 'NX'), redis_set('ttl', 'w', NULL, 'XX'), redis_ttl('ttl'), typeof(redis_ttl('ttl'));
SELECT redis_incr('n'), redis_incr('n', 5), redis_decr('n'), typeof(redis_incr('n')), redis_incrbyfloat('n', 0.5);
SELECT redis_set('k', 'v', 1, 'XX', 5);
-- NULL: a key, a value, a missing key
SELECT redis_get(NULL), redis_set('x', NULL), redis_set(NULL, 'x'), redis_exists('x'), redis_get('x'), redis_del('t', NULL), redis_exists('t');
-- variadic
SELECT redis_set('a', 1), redis_exists('a', 'a', 'b', 'zz'), redis_del('a', 'b', 'zz');
SELECT redis_del();
-- errors name their class
SELECT redis_incr('nul');
SELECT redis_call('HGET', 'e', 'f');
SELECT redis_call('SELECT', 1);
SELECT redis_set('a', 1, 'soon');
-- JSON
SELECT redis_call('MGET', 'i', 'zz'), json_extract(redis_call('MGET', 'i', 'r'), '$[1]'), json_array(redis_call('MGET', 'i')), redis_call('GET', 'zz');
SELECT redis_call('GET', 'surrogate');
-- rows: all, some, by name, in a join whose argument is a column
SELECT count(*) FROM redis_scan;
SELECT key FROM redis_scan('e*') ORDER BY key;
SELECT key FROM redis_scan WHERE pattern = 'e*' AND type = 'string' ORDER BY key;
SELECT count(*) FROM redis_scan('e*', 'hash');
SELECT count(*) FROM redis_scan(NULL, NULL) WHERE key LIKE 'e%';
SELECT p.column1, count(s.key) FROM (VALUES ('e*'), ('i'), ('none')) AS p LEFT JOIN redis_scan(p.column1) AS s GROUP BY 1 ORDER BY 1;
SELECT key, redis_get(key) FROM redis_scan('i') WHERE redis_exists(key);
SELECT count(*) > 3 FROM redis_info WHERE section = 'Server';
SELECT DISTINCT section FROM redis_info('clients');
SELECT ok, role, tls, error FROM redis_health;
SELECT name FROM redis_stats WHERE name IN ('commands', 'breaker', 'invalidations_queued', 'invalidations_sent', 'invalidations_failed', 'reconnects') ORDER BY name;
SELECT * FROM redis_scan('a', 'b', 'c');
INSERT INTO redis_scan VALUES ('x');
CREATE VIRTUAL TABLE own USING redis_scan;
