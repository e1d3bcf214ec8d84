-- Sorted sets: one script for psql and sqlite3.
SELECT redis_zadd('z', 1.5, 'a'), redis_zadd('z', 2.5, 'b'), redis_zadd('z', 3.5, 'c'), redis_zadd('z', 1.25, 'a');
SELECT redis_zadd('z', 9.5, 'a', 'NX'), redis_zadd('z', 9.5, 'new', 'XX'), redis_zadd('z', 0.5, 'b', 'GT'), redis_zadd('z', 4.5, 'b', 'gt'), redis_zadd('z', 9.5, 'b', 'LT');
SELECT redis_zadd('z', 1, 'a', 'EQ');
SELECT rank, member, score FROM redis_zrange('z');
SELECT rank, member, score FROM redis_zrange('z', 0, 1);
SELECT rank, member, score FROM redis_zrange('z', -2);
SELECT rank, member, score FROM redis_zrange('z', 0, 9, CAST(1 AS boolean));
SELECT rank, member, score FROM redis_zrange('z', -1, -1, CAST(1 AS boolean));
SELECT count(*) FROM redis_zrange('z', 2, 1);
SELECT count(*) FROM redis_zrange('none');
SELECT redis_zscore('z', 'a'), redis_zscore('z', 'none'), redis_zscore('none', 'a');
SELECT redis_zrank('z', 'a'), redis_zrevrank('z', 'a'), redis_zrank('z', 'none'), redis_zrevrank('none', 'a');
SELECT redis_zincrby('z', 0.25, 'a'), redis_zincrby('z', -1.5, 'fresh'), redis_zcard('z'), redis_zcard('none');
SELECT redis_zcount('z', 1.5, 3.5), redis_zcount('z', '(1.5', '3.5'), redis_zcount('z', '-inf', '+inf'), redis_zcount('z', 2, 'inf'), redis_zcount('none', 0, 1);
SELECT redis_zcount('z', 'low', 'high');
SELECT member, score FROM redis_zrangebyscore('z', 0, 3.75);
SELECT member, score FROM redis_zrangebyscore('z', '(1.5', '+inf');
SELECT member, score FROM redis_zrangebyscore('z', '-inf', '+inf', 2);
SELECT count(*) FROM redis_zrangebyscore('z', '-inf', '+inf', 0);
SELECT count(*) FROM redis_zrangebyscore('z', 5, 4);
SELECT member, score FROM redis_zpopmin('z');
SELECT member, score FROM redis_zpopmax('z', 2);
SELECT count(*) FROM redis_zpopmin('none');
SELECT redis_zadd('z', 1, 'm'), redis_zadd('z', 2, 'n'), redis_zrem('z', 'm', 'none'), redis_zremrangebyscore('z', 0, 1.75), redis_zremrangebyrank('z', 0, -1), redis_exists('z');
-- what a double can be
SELECT redis_zadd('d', 'inf', 'top'), redis_zadd('d', '-inf', 'bottom'), redis_zadd('d', 0.1, 'tenth'), redis_zadd('d', 9007199254740993, 'wide');
SELECT member, CAST(score > 1e308 AS integer), CAST(score < -1e308 AS integer), CAST(score = 0.1 AS integer) FROM redis_zrange('d');
SELECT member FROM redis_zrangebyscore('d', 'inf', 'inf');
SELECT redis_zadd('d', 'nan', 'x');
SELECT redis_zincrby('d', '-inf', 'top');
-- longer than a page, with ties
SELECT sum(redis_zadd('big', i / 10, 'm' || i))
  FROM (WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2500) SELECT i FROM n) AS numbers;
SELECT count(*), count(DISTINCT member), min(rank), max(rank) FROM redis_zrange('big');
SELECT count(*), count(DISTINCT member), min(rank), max(rank) FROM redis_zrange('big', 100, -100, CAST(1 AS boolean));
SELECT count(*), count(DISTINCT member), CAST(min(score) AS integer), CAST(max(score) AS integer) FROM redis_zrangebyscore('big', 10, '240');
SELECT count(*), count(DISTINCT member), CAST(min(score) AS integer), CAST(max(score) AS integer) FROM redis_zrangebyscore('big', '(10', '(240');
SELECT count(*), count(DISTINCT member) FROM redis_zrangebyscore('big', '-inf', 'inf', 1700);
-- the join that the rows are for
CREATE TABLE users (id text PRIMARY KEY, name text);
INSERT INTO users VALUES ('u1', 'Ann'), ('u2', 'Bob');
SELECT redis_zadd('board', 42.5, 'u1'), redis_zadd('board', 7.5, 'u2'), redis_zadd('board', 1.5, 'u3');
SELECT u.name, s.score FROM redis_zrange('board', 0, 9, CAST(1 AS boolean)) s JOIN users u ON u.id = s.member ORDER BY s.score DESC;
-- the wrong kind of key, and NULL
SELECT redis_rpush('list', 'x');
SELECT redis_zadd('list', 1, 'x');
SELECT * FROM redis_zrange('list');
SELECT * FROM redis_zrange('list', -1);
SELECT * FROM redis_zrangebyscore('list', 0, 1);
SELECT redis_zadd(NULL, 1, 'x'), redis_zadd('z', NULL, 'x'), redis_zadd('z', 1, NULL), redis_zscore('z', NULL), redis_zcount('z', NULL, 1), redis_exists('z');
SELECT count(*) FROM redis_zrange(NULL);
