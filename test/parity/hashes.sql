-- Hashes: one script for psql and sqlite3.
SELECT redis_hset('h', 'name', 'Ann'), redis_hset('h', 'name', 'Bob', 'age', 41, 'score', 1.5);
SELECT redis_hget('h', 'name'), redis_hget('h', 'age'), redis_hget('h', 'none'), redis_hget('none', 'name');
SELECT redis_hset('h', 'name', 'Ann', 'age');
SELECT CAST(redis_hsetnx('h', 'name', 'x') AS integer), CAST(redis_hsetnx('h', 'new', 7) AS integer), redis_hget('h', 'new');
SELECT redis_hlen('h'), redis_hlen('none'), CAST(redis_hexists('h', 'age') AS integer), CAST(redis_hexists('h', 'x') AS integer);
SELECT field, value FROM redis_hgetall('h') ORDER BY field;
SELECT field FROM redis_hkeys('h') ORDER BY field;
SELECT value FROM redis_hvals('h') ORDER BY value;
SELECT count(*) FROM redis_hgetall('none');
SELECT field, value FROM redis_hmget('h', 'age', 'none', 'name', 'age');
SELECT field, value FROM redis_hmget('none', 'a', 'b');
SELECT field, value FROM redis_hmget('h', 'age', NULL, 'name');
SELECT count(*) FROM redis_hmget(NULL, 'age');
SELECT redis_hdel('h', 'new', 'none', 'score'), redis_hlen('h');
SELECT redis_hincrby('h', 'age'), redis_hincrby('h', 'age', -2), redis_hincrby('h', 'fresh', 5);
SELECT redis_hincrbyfloat('h', 'f', 10.5), redis_hincrbyfloat('h', 'f', -0.25);
SELECT redis_hincrby('h', 'name');
SELECT field, value FROM redis_hscan('h', 'a*');
SELECT count(*) FROM redis_hscan('h');
SELECT count(*) FROM redis_hscan('none');
-- many fields, in pages
SELECT sum(redis_hset('big', 'field' || i, i))
  FROM (WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000) SELECT i FROM n) AS numbers;
SELECT count(*), count(DISTINCT field), min(CAST(value AS integer)), max(CAST(value AS integer)) FROM redis_hscan('big');
SELECT count(*) FROM redis_hscan('big', 'field100*');
-- a JSON object
SELECT redis_hset_json('j', '{"a": 1, "b": "two", "c": 1.10, "d": 12345678901234567890, "e": true, "f": null, "g": {"x": [1, "y"]}, "h": "l\u0131ne\n\"q\""}');
SELECT field, value FROM redis_hgetall('j') ORDER BY field;
SELECT redis_hset_json('j', '{}'), redis_hset_json('j', '{"a": null}'), redis_hset_json('j', NULL);
SELECT redis_hset_json('j', '[1]');
-- the wrong kind of key, and NULL
SELECT redis_rpush('list', 'x');
SELECT redis_hget('list', 'f');
SELECT * FROM redis_hgetall('list');
SELECT * FROM redis_hscan('list');
SELECT * FROM redis_hmget('list', 'f');
SELECT redis_hset(NULL, 'f', 'v'), redis_hset('h', NULL, 'v'), redis_hset('h', 'f', NULL), redis_hget('h', NULL), redis_hdel('h', NULL);
SELECT count(*) FROM redis_hgetall(NULL);
