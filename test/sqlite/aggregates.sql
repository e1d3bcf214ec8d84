-- Aggregates that write: what they count, NULL, groups, DISTINCT, FILTER, errors.
CREATE TABLE t (id INTEGER PRIMARY KEY, k, v, ttl);
INSERT INTO t VALUES (1, 'a', 'one', NULL), (2, 'b', 2, 60), (3, 'c', x'ff00', 0.5), (4, NULL, 'x', 1), (5, 'd', NULL, 1);
SELECT redis_mset(k, v) FROM t;
SELECT redis_get('a'), redis_get('b'), hex(redis_get('c')), redis_get('d'), redis_ttl('a');
SELECT redis_mset(k, v, ttl) FROM t;
SELECT redis_ttl('a'), redis_ttl('b') BETWEEN 59 AND 60, redis_ttl('c') BETWEEN 0 AND 0.5;
SELECT redis_mset(k, v, 60) FROM t WHERE 0;
SELECT redis_mset('const', 1), redis_get('const');
SELECT redis_mset(k, v) FILTER (WHERE id < 2), redis_mset(k, v) FILTER (WHERE id > 100), count(*) FROM t;
SELECT typeof(redis_mset(k, v)) FROM t;
.print == arguments that call functions over the same connection
SELECT redis_mset('copy:' || k, redis_get(k)) FROM t WHERE k <> 'c';
SELECT key, value FROM redis_mget('copy:a', 'copy:b', 'copy:d');
SELECT redis_mset('copy2:' || s.key, m.value) FROM redis_scan('copy:?') s, redis_mget(s.key) m;
.print == groups
SELECT id % 2 AS odd, redis_mset(k, id), count(*) FROM t GROUP BY odd ORDER BY odd;
SELECT id, redis_mset(k, 'by id') AS n FROM t GROUP BY id HAVING n > 0 ORDER BY id;
SELECT key, value FROM redis_mget('a', 'b', 'c');
SELECT id, (SELECT redis_mset('sub:' || t.id || ':' || value, 1) FROM json_each('[1, 2]')) FROM t ORDER BY id LIMIT 2;
.print == redis_del_agg
SELECT redis_del_agg(k) FROM t;
SELECT redis_mset(k, 1) FROM t WHERE k IS NOT NULL;
SELECT redis_del_agg(DISTINCT k) FROM (SELECT k FROM t UNION ALL SELECT k FROM t);
SELECT redis_del_agg('sub:' || column1) FROM (VALUES ('1:1'), ('1:2'), ('1:3'));
.print == errors
SELECT redis_mset(k, v, 'soon') FROM t;
SELECT redis_mset(k, v, -1) FROM t;
SELECT redis_exists('a');
CREATE TABLE log (n);
INSERT INTO log SELECT redis_mset(k, v) FROM t;
SELECT n FROM log;
.print == full text search
CREATE VIRTUAL TABLE notes USING fts5(title, body);
INSERT INTO notes VALUES ('one', 'a red fox'), ('two', 'a red hen'), ('three', 'a blue jay');
SELECT redis_mset('note:' || title, upper(body)) FROM notes WHERE notes MATCH 'red';
SELECT key, value FROM redis_mget WHERE key IN (SELECT 'note:' || title FROM notes) ORDER BY key;
