-- Lists: one script for psql and sqlite3.
SELECT redis_rpush('l', 'a', 'b', 3), redis_lpush('l', 'z', 'y'), redis_llen('l'), redis_llen('none');
SELECT idx, value FROM redis_lrange('l');
SELECT idx, value FROM redis_lrange('l', 1, 2);
SELECT idx, value FROM redis_lrange('l', -2);
SELECT idx, value FROM redis_lrange('l', -3, -2);
SELECT idx, value FROM redis_lrange('l', -100, 0);
SELECT idx, value FROM redis_lrange('l', 3, 100);
SELECT count(*) FROM redis_lrange('l', 4, 2);
SELECT count(*) FROM redis_lrange('l', 99);
SELECT count(*) FROM redis_lrange('l', -9223372036854775807, 9223372036854775807);
SELECT count(*) FROM redis_lrange('none');
SELECT redis_lindex('l', 0), redis_lindex('l', -1), redis_lindex('l', 99), redis_lindex('none', 0);
SELECT CAST(redis_lset('l', 0, 'Y') AS integer), redis_lindex('l', 0);
SELECT redis_lset('l', 99, 'x');
SELECT redis_lset('none', 0, 'x');
SELECT redis_linsert('l', 'BEFORE', 'a', 'new'), redis_linsert('l', 'after', 'a', 'newer'), redis_linsert('l', 'AFTER', 'none', 'x'), redis_linsert('none', 'AFTER', 'a', 'x');
SELECT redis_linsert('l', 'BESIDE', 'a', 'x');
SELECT idx, value FROM redis_lrange('l');
SELECT redis_rpush('r', 'x', 'y', 'x', 'x'), redis_lrem('r', 1, 'x'), redis_lrem('r', -1, 'x'), redis_lrem('r', 0, 'none');
SELECT idx, value FROM redis_lrange('r');
SELECT CAST(redis_ltrim('l', 1, 2) AS integer), redis_llen('l');
SELECT redis_lpop('l'), redis_rpop('l'), redis_lpop('l'), redis_rpop('none'), redis_exists('l');
SELECT redis_rpush('q', 'one', 'two', 'three'), redis_blpop('q', 1), redis_brpop('q', 1), redis_blpop('none', 0.01), redis_brpop('none', 0.01);
SELECT redis_lmove('q', 'p', 'LEFT', 'RIGHT'), redis_lmove('q', 'p', 'LEFT', 'RIGHT'), redis_llen('p');
SELECT redis_lmove('p', 'q', 'UP', 'DOWN');
-- longer than a page
SELECT max(redis_rpush('big', i))
  FROM (WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2500) SELECT i FROM n) AS numbers;
SELECT count(*), min(idx), max(idx), sum(CASE WHEN idx + 1 = CAST(value AS integer) THEN 1 ELSE 0 END) FROM redis_lrange('big');
SELECT count(*), min(idx), max(idx), sum(CASE WHEN idx + 1 = CAST(value AS integer) THEN 1 ELSE 0 END) FROM redis_lrange('big', -2200, -2);
SELECT count(*), min(idx), max(idx) FROM redis_lrange('big', 500, 1499);
SELECT count(*), min(idx), max(idx) FROM redis_lrange('big', 500, 1500);
-- the wrong kind of key, and NULL
SELECT CAST(redis_set('s', 'x') AS integer);
SELECT redis_rpush('s', 'x');
SELECT redis_lpop('s');
SELECT redis_blpop('s', 1);
SELECT * FROM redis_lrange('s');
SELECT * FROM redis_lrange('s', -2);
SELECT redis_rpush(NULL, 'x'), redis_rpush('l', NULL), redis_rpush('l', 'a', NULL), redis_lpop(NULL), redis_lindex('l', NULL), redis_blpop('l', NULL);
SELECT count(*) FROM redis_lrange(NULL) a, redis_lrange('none', NULL, NULL) b;
SELECT redis_exists('l');
