-- Keys of every kind through the queue, and the prefix.
CREATE TABLE t (id INTEGER PRIMARY KEY, k);
CREATE TRIGGER gone AFTER DELETE ON t BEGIN SELECT redis_invalidate(OLD.k); END;
INSERT INTO t (k) VALUES ('two words'), ('it''s "quoted"'), (' '), (''), ('{brace}'), ('line' || char(10) || 'break' || char(13, 10)), ('grün 日本 🔑'),
  (x'ff00fe80'), (x'0d0a2431'), (CAST(x'610062' AS TEXT)), (printf('%.512c', 'k')), (printf('%.100000c', 'K')), (42), (-1.5), (9223372036854775807), ('*'), ('k?[a]');
INSERT INTO t (k) SELECT k || '!' FROM t WHERE typeof(k) = 'text';
SELECT count(redis_set(k, 'x')) FROM t;
SELECT redis_dbsize(), count(DISTINCT k) FROM t;
BEGIN;
DELETE FROM t WHERE k NOT LIKE '%!';
SELECT typeof(key), length(key), CASE WHEN length(key) < 30 THEN CASE typeof(key) WHEN 'blob' THEN hex(key) ELSE key END END FROM redis_pending;
SELECT redis_dbsize() FROM t LIMIT 1;
COMMIT;
SELECT redis_dbsize() FROM t LIMIT 1;
SELECT count(*) FROM t WHERE redis_exists(k);
DELETE FROM t;
SELECT redis_dbsize();
.print == the same key twice, as number, text and bytes
BEGIN;
SELECT redis_invalidate(1, '1', 1.0, x'31', '1');
SELECT redis_invalidate('a', 'b'), redis_invalidate('b', 'c');
SELECT key FROM redis_pending;
ROLLBACK;
.print == rows read while they are added to
BEGIN;
SELECT redis_invalidate('a', 'b');
SELECT key, redis_invalidate(key || key, key || printf('%.5000c', 'x')) FROM redis_pending;
SELECT length(key) FROM redis_pending;
ROLLBACK;
.print == a prefix is added at the end of the line and not shown
SELECT redis_config('key_prefix', 'app:');
SELECT redis_set('p', 1), redis_set('q', 1);
BEGIN;
SELECT redis_invalidate('p');
SELECT * FROM redis_pending;
COMMIT;
SELECT key FROM redis_scan;
SELECT redis_config('key_prefix', '');
SELECT key FROM redis_scan;
SELECT redis_config('key_prefix', 'app:');
SELECT redis_invalidate('q'), redis_exists('q');
SELECT redis_config('invalidate_keys', 'app:*');
SELECT redis_invalidate('q');
SELECT redis_config('invalidate_keys', 'q*'), redis_invalidate('q');
