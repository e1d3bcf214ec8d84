-- Bytes that are no text: an error that names the twin, and the twin gives them.
SELECT fill();
SELECT redis_set('v', '\xfffe00'::bytea), redis_set('t', 'text'), redis_set('nul', '\x610062'::bytea);
SELECT redis_hset('h', 'f', '\xff'::bytea, 't', 'text'), redis_rpush('l', '\xff'::bytea, 'text'), redis_sadd('s', '\xff'::bytea), redis_zadd('z', 1.5, '\xff'::bytea);
SELECT redis_geoadd('g', 15, 37, '\xff'::bytea), redis_call('HSET', 'hf', '\xfe'::bytea, 'v'), redis_call('SET', '\xfdfe'::bytea, 'v');

-- every function that has a twin, and what it gives for text and for bytes
SELECT p.proname, pg_get_function_result(p.oid)
FROM pg_proc p JOIN pg_depend d ON d.objid = p.oid AND d.classid = 'pg_proc'::regclass AND d.deptype = 'e'
	JOIN pg_extension e ON e.oid = d.refobjid AND e.extname = 'sqlredis'
WHERE p.proname LIKE '%\_bytea' ORDER BY p.proname COLLATE "C";
SELECT p.oid::regprocedure AS has_no_like_among_the_text_ones FROM pg_proc p
WHERE p.proname LIKE 'redis\_%\_bytea' AND NOT EXISTS (SELECT FROM pg_proc t
	WHERE t.proname = left(p.proname, -6) AND (p.proargtypes, p.provolatile, p.proparallel, p.prokind, p.procost, p.prosrc)
		IS NOT DISTINCT FROM (t.proargtypes, t.provolatile, t.proparallel, t.prokind, t.procost, t.prosrc));

SELECT redis_get('v');
SELECT redis_get_bytea('v'), redis_get_bytea('t'), redis_get_bytea('none') IS NULL AS none;
SELECT redis_get('nul');
SELECT redis_hget('h', 'f');
SELECT redis_hget_bytea('h', 'f');
SELECT * FROM redis_hgetall('h');
SELECT * FROM redis_hgetall_bytea('h') ORDER BY field;
SELECT * FROM redis_hgetall('hf');
SELECT * FROM redis_hgetall_bytea('hf');
SELECT redis_hkeys('hf');
SELECT redis_hkeys_bytea('hf'), redis_hvals_bytea('hf');
SELECT * FROM redis_hscan('h', 'f');
SELECT * FROM redis_hscan_bytea('h', 'f');
SELECT * FROM redis_hmget('h', 't', 'f');
SELECT * FROM redis_hmget_bytea('h', 't', 'f', NULL, 'none');
SELECT * FROM redis_lrange('l');
SELECT * FROM redis_lrange_bytea('l');
SELECT redis_smembers('s');
SELECT redis_smembers_bytea('s'), redis_sscan_bytea('s'), redis_sunion_bytea('s', 'none');
SELECT redis_sismember('s', '\xff'::bytea), redis_srem('s', '\xfe'::bytea);
SELECT * FROM redis_zrange('z');
SELECT * FROM redis_zrange_bytea('z');
SELECT * FROM redis_zrangebyscore_bytea('z', 1, 2);
SELECT redis_zscore('z', '\xff'::bytea);
SELECT * FROM redis_zpopmin('z');
SELECT * FROM redis_zpopmax_bytea('z');
SELECT member FROM redis_geosearch('g', 15, 37, 100);
SELECT member FROM redis_geosearch_bytea('g', 15, 37, 100);
SELECT * FROM redis_mget('t', 'v');
SELECT * FROM redis_mget_bytea('t', 'v', 'none');
SELECT * FROM redis_mget_json('["v"]');
SELECT * FROM redis_mget_json_bytea('["v"]');
SELECT redis_get_batch(k) OVER () FROM unnest(ARRAY['t', 'v']) k;
SELECT redis_get_batch_bytea(k) OVER () FROM unnest(ARRAY['t', 'v', 'none']) k;
SELECT count(*) FROM redis_scan();
SELECT count(*) FROM redis_scan_bytea();
SELECT redis_scan_bytea() EXCEPT SELECT convert_to(k, 'UTF8') FROM unnest(ARRAY['v', 't', 'nul', 'h', 'l', 's', 'g', 'hf']) k;
SELECT redis_call('GET', 'v');
SELECT redis_lpop('l');
SELECT redis_lpop_bytea('l') AS the_next, redis_rpop_bytea('l') IS NULL AS none, redis_spop_bytea('s');
-- a row that is no text ends the rows, and what was read of the reply is given back
SELECT redis_rpush('l', 'a', '\xff'::bytea, 'b');
BEGIN;
DECLARE c CURSOR FOR SELECT redis_lrange('l');
FETCH 1 FROM c;
FETCH 1 FROM c;
ROLLBACK;
SELECT redis_xadd('x', 'f', '\xff'::bytea) IS NOT NULL AS added;
SELECT * FROM redis_xrange('x');
SELECT redis_hset_json('j', '{"nul": "a\u0000b"}'), redis_hget_bytea('j', 'nul');
-- text and bytes of one key: the same key
SELECT redis_set('caf' || chr(233), 'x'), redis_call('GET', convert_to('caf' || chr(233), 'UTF8'));
SELECT fill();
