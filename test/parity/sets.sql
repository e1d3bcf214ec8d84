-- Sets: one script for psql and sqlite3.
SELECT redis_sadd('s', 'a', 'b', 3), redis_sadd('s', 'a', 'c'), redis_scard('s'), redis_scard('none');
SELECT member FROM redis_smembers('s') ORDER BY member;
SELECT count(*) FROM redis_smembers('none');
SELECT CAST(redis_sismember('s', 'a') AS integer), CAST(redis_sismember('s', 3) AS integer), CAST(redis_sismember('s', 'x') AS integer), CAST(redis_sismember('none', 'x') AS integer);
SELECT redis_srem('s', 'a', 'none'), redis_srem('none', 'a'), redis_scard('s');
SELECT redis_sadd('t', 'b', 'd'), redis_sadd('u', 'b', 'c', 'e');
SELECT member FROM redis_sinter('s', 't', 'u');
SELECT member FROM redis_sinter('s', 'u') ORDER BY member;
SELECT member FROM redis_sunion('s', 't', 'u') ORDER BY member;
SELECT member FROM redis_sdiff('s', 't') ORDER BY member;
SELECT count(*) FROM redis_sinter('s', 'none');
SELECT count(*) FROM redis_sunion('none');
SELECT member FROM redis_sscan('u', '[bc]') ORDER BY member;
SELECT count(*) FROM redis_sscan('u');
SELECT redis_sadd('one', 'x'), redis_srandmember('one'), redis_spop('one'), redis_spop('one'), redis_srandmember('none'), redis_exists('one');
SELECT sum(redis_sadd('big', 'member' || i))
  FROM (WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000) SELECT i FROM n) AS numbers;
SELECT count(*), count(DISTINCT member) FROM redis_sscan('big');
SELECT redis_hset('h', 'f', 'v');
SELECT redis_sadd('h', 'x');
SELECT * FROM redis_smembers('h');
SELECT * FROM redis_sinter('s', 'h');
SELECT redis_sadd(NULL, 'x'), redis_sadd('s', NULL), redis_sadd('s', 'x', NULL), redis_spop(NULL), redis_sismember('s', NULL);
SELECT count(*) FROM redis_sinter('s', NULL);
SELECT CAST(redis_sismember('s', 'x') AS integer);
