-- Strings and counters: one script for psql and sqlite3.
SELECT redis_get('s');
SELECT CAST(redis_set('s', 'hello') AS integer), redis_get('s'), redis_strlen('s');
SELECT redis_strlen('none');
-- the optional arguments of redis_set
SELECT CAST(redis_set('s', 'no', NULL, 'NX') AS integer), redis_get('s');
SELECT CAST(redis_set('s', 'yes', NULL, 'XX') AS integer), redis_get('s');
SELECT CAST(redis_set('new', 'no', NULL, 'XX') AS integer), redis_get('new');
SELECT CAST(redis_set('new', 'yes', 60, 'NX') AS integer), redis_get('new'), CAST(redis_ttl('new') > 50 AS integer);
SELECT CAST(redis_set('new', 'kept no longer') AS integer), CAST(redis_ttl('new') AS integer);
SELECT redis_set('s', 'x', NULL, 'SOMETIMES');
SELECT redis_set('s', 'x', -1);
SELECT redis_set('s', 'x', 0);
SELECT redis_get('s');
SELECT CAST(redis_setnx('nx', '1') AS integer), CAST(redis_setnx('nx', '2') AS integer), redis_get('nx');
SELECT CAST(redis_setex('ex', 60, 'v') AS integer), redis_get('ex'), CAST(redis_ttl('ex') > 50 AS integer);
SELECT redis_getdel('nx'), redis_get('nx');
SELECT redis_getex('s', 60), CAST(redis_ttl('s') > 50 AS integer);
-- values of other types are sent as their text
SELECT CAST(redis_set('n', 42) AS integer), redis_get('n');
SELECT CAST(redis_set('n', 1.5) AS integer), redis_get('n');
-- parts
SELECT redis_append('s', ' world'), redis_get('s');
SELECT redis_getrange('s', 0, 2), redis_getrange('s', -5, -1), redis_getrange('none', 0, -1);
SELECT redis_setrange('s', 0, 'YES'), redis_get('s');
-- counters
SELECT redis_incr('c'), redis_incr('c', 10), redis_decr('c'), redis_decr('c', 5);
SELECT redis_incr('c', -1), redis_get('c');
SELECT redis_incrbyfloat('f', 10.5), redis_incrbyfloat('f', -0.25);
SELECT redis_incrbyfloat('tenth', 0.1), redis_get('tenth');
SELECT redis_incr('s');
SELECT CAST(redis_set('c', '9223372036854775807') AS integer);
SELECT redis_incr('c');
-- bits
SELECT redis_setbit('bits', 7, 1), redis_setbit('bits', 7, 1), redis_getbit('bits', 7), redis_getbit('bits', 6);
SELECT redis_bitcount('bits'), redis_bitcount('bits', 0, 0), redis_bitcount('bits', 1, 5), redis_bitcount('none');
-- the wrong kind of value
SELECT redis_call('LPUSH', 'list', 'x');
SELECT redis_get('list');
SELECT redis_append('list', 'x');
-- NULL in, NULL out, and nothing sent
SELECT redis_get(NULL), redis_set(NULL, 'v'), redis_set('k', NULL), redis_incr(NULL), redis_append('s', NULL);
SELECT redis_exists('k');
-- a NULL optional argument counts as left out
SELECT CAST(redis_set('k', 'v', NULL, NULL) AS integer), CAST(redis_ttl('k') AS integer), redis_incr('i', NULL);
-- text of every kind
SELECT CAST(redis_set('e', '') AS integer), redis_get('e'), redis_strlen('e');
SELECT CAST(redis_set('u', 'Grüße, 世界 🌍') AS integer), redis_get('u'), redis_strlen('u');
SELECT CAST(redis_set('q', 'it''s "quoted" \ and %s $1 {x}') AS integer), redis_get('q');
SELECT CAST(redis_set('lines', 'one
two') AS integer), redis_get('lines');
