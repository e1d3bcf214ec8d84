-- Keys: one script for psql and sqlite3. Booleans are cast to integers; NULL prints as NULL.
SELECT CAST(redis_set('a', '1') AS integer), CAST(redis_set('b', '2') AS integer);
SELECT redis_exists('a'), redis_exists('a', 'b', 'none'), redis_exists('a', 'a');
SELECT redis_dbsize();
-- expiry
SELECT CAST(redis_ttl('a') AS integer), redis_ttl('none');
SELECT CAST(redis_expire('a', 100) AS integer), CAST(redis_expire('none', 100) AS integer);
SELECT CAST(redis_ttl('a') > 90 AS integer), CAST(redis_ttl('a') <= 100 AS integer);
SELECT CAST(redis_persist('a') AS integer), CAST(redis_persist('a') AS integer);
SELECT CAST(redis_ttl('a') AS integer);
SELECT CAST(redis_expireat('b', 4102444800) AS integer), CAST(redis_ttl('b') > 1000000 AS integer);
-- a time in the past deletes
SELECT CAST(redis_expireat('b', 1) AS integer), redis_exists('b');
-- fractions of a second count: this expiry lies between one and two seconds
SELECT CAST(redis_expire('a', 1.5) AS integer), CAST(redis_ttl('a') > 1.0 AS integer), CAST(redis_ttl('a') <= 1.5 AS integer);
SELECT CAST(redis_persist('a') AS integer);
-- types
SELECT redis_type('a'), redis_type('none');
SELECT redis_call('LPUSH', 'list', 'x'), redis_call('SADD', 'set', 'x'), redis_call('HSET', 'hash', 'f', 'v');
SELECT redis_type('list'), redis_type('set'), redis_type('hash');
SELECT redis_object_encoding('a'), redis_object_encoding('none'), redis_object_encoding(NULL);
-- renaming and copying
SELECT CAST(redis_rename('a', 'a2') AS integer), redis_get('a'), redis_get('a2');
SELECT CAST(redis_copy('a2', 'a3') AS integer), CAST(redis_copy('a2', 'a3') AS integer), CAST(redis_copy('none', 'a4') AS integer);
SELECT redis_get('a3');
SELECT redis_rename('none', 'other');
-- scanning
SELECT key FROM redis_scan() ORDER BY key;
SELECT key FROM redis_scan('a*') ORDER BY key;
SELECT key FROM redis_scan('a?') ORDER BY key DESC;
SELECT key FROM redis_scan('*', 'list') ORDER BY key;
SELECT key FROM redis_scan(NULL, 'hash') ORDER BY key;
SELECT count(*) FROM redis_scan('no such*');
SELECT * FROM redis_scan('a3');
-- many keys: several pages of SCAN
SELECT count(done) FROM (WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000) SELECT redis_set('many:' || i, 'x') AS done FROM n) t;
SELECT count(DISTINCT key) FROM redis_scan('many:*');
-- touching and deleting
SELECT redis_touch('a2', 'a3', 'none');
SELECT redis_del('a2', 'none'), redis_unlink('a3', 'list', 'none');
SELECT redis_exists('a2', 'a3', 'list');
-- NULL in, NULL out, and nothing sent
SELECT redis_exists(NULL), redis_del(NULL), redis_ttl(NULL), redis_type(NULL), redis_expire('set', NULL);
SELECT redis_exists('set');
-- keys are any text
SELECT CAST(redis_set('', 'empty') AS integer), redis_get('');
SELECT CAST(redis_set('a key with spaces and ''quotes''', 'v') AS integer), redis_get('a key with spaces and ''quotes''');
SELECT CAST(redis_set('ключ ☃', 'зима') AS integer), redis_get('ключ ☃'), redis_strlen('ключ ☃');
