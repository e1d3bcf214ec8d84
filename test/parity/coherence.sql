-- The coherent cache, tags, patterns and commands bound to commit: one script for psql and sqlite3.
CREATE TABLE users (id integer PRIMARY KEY, team integer, name text);
CREATE TABLE teams (id integer PRIMARY KEY, name text);
INSERT INTO teams VALUES (10, 'red'), (20, 'blue');
INSERT INTO users VALUES (1, 10, 'ann'), (2, 10, 'bob'), (3, 20, NULL);
SELECT redis_invalidate_on('users', 'user:{id}', 'SELECT ''team:'' || t.name FROM teams t WHERE t.id = {team}');
SELECT redis_invalidate_on('teams', 'team:{name}');
-- a miss, a hit although the row changed behind its back, and what an invalidation does
SELECT redis_cached('user:1', 60, 'SELECT name FROM users WHERE id = $1', 1);
SELECT redis_cached('user:1', 60, 'SELECT ''another'' WHERE 1 = $1', 1);
UPDATE users SET name = 'Ann' WHERE id = 1;
SELECT redis_cached('user:1', 60, 'SELECT name FROM users WHERE id = $1', 1);
-- NULL and no row are cached as NULL
SELECT CAST(redis_cached('user:3', 60, 'SELECT name FROM users WHERE id = 3') IS NULL AS integer);
SELECT CAST(redis_cached('user:3', 60, 'SELECT ''another''') IS NULL AS integer);
SELECT CAST(redis_cached('user:9', 60, 'SELECT name FROM users WHERE id = 9') IS NULL AS integer);
-- arguments by their number
SELECT redis_cached('args', 60, 'SELECT name FROM users WHERE team = $2 AND id = $1', 2, 10);
SELECT CAST(redis_cached('text', 60, 'SELECT name FROM users WHERE name = $1', 'b''ob') IS NULL AS integer);
-- own writes are read from the database, and not filled
BEGIN;
UPDATE users SET name = 'BOB' WHERE id = 2;
SELECT redis_cached('user:2', 60, 'SELECT name FROM users WHERE id = 2');
ROLLBACK;
SELECT redis_cached('user:2', 60, 'SELECT name FROM users WHERE id = 2');
SELECT redis_cached('user:2', 60, 'SELECT ''another''');
-- rolled back to a savepoint: the entry stays
BEGIN;
SAVEPOINT a;
UPDATE users SET name = 'x' WHERE id = 2;
ROLLBACK TO a;
COMMIT;
SELECT redis_cached('user:2', 60, 'SELECT ''another''');
-- a template that is a query: keys from another table, of the old and of the new row
SELECT count(redis_set('team:' || name, 'x')) FROM teams;
UPDATE users SET name = 'bea' WHERE id = 2;
SELECT redis_exists('team:red'), redis_exists('team:blue');
SELECT count(redis_set('team:' || name, 'x')) FROM teams;
BEGIN;
UPDATE users SET team = 20 WHERE id = 1;
SELECT key, kind FROM redis_pending() ORDER BY key;
COMMIT;
SELECT redis_exists('team:red', 'team:blue');
-- lease and fill by hand
SELECT CAST(value IS NULL AS integer), length(lease) FROM redis_cache_get('sum');
SELECT CAST(value IS NULL AS integer), CAST(lease IS NULL AS integer) FROM redis_cache_get('sum');
SELECT redis_invalidate('sum');
SELECT CAST(redis_cache_fill('sum', 'no lease', '42', 60) AS integer), CAST(redis_cache_fill('sum', NULL, '42', 60) AS integer);
-- tags, at commit
BEGIN;
SELECT redis_invalidate_tag('team:20', 'team:30');
SELECT redis_invalidate_tag('team:20');
SELECT key, kind FROM redis_pending();
COMMIT;
SELECT count(*) FROM redis_scan('sqlredis:tag:*');
-- patterns, at commit
SELECT count(redis_set('page:' || id, 'x')) FROM users;
SELECT redis_cached('page:entry', 60, 'SELECT 1');
BEGIN;
SELECT redis_invalidate_pattern('page:*'), redis_invalidate_pattern('page:*');
SELECT key, kind FROM redis_pending();
SELECT count(*) FROM redis_scan('page:*');
COMMIT;
SELECT count(*) FROM redis_scan('page:*');
-- commands, in order, at commit and not before
BEGIN;
SELECT redis_on_commit('SET', 'log', 'begun'), redis_on_commit('APPEND', 'log', ' and done');
SELECT redis_invalidate('log');
SELECT redis_on_commit('APPEND', 'log', 'anew');
SELECT key, kind FROM redis_pending();
SELECT redis_exists('log');
COMMIT;
SELECT redis_get('log');
BEGIN;
SELECT redis_on_commit('SET', 'log', 'never');
ROLLBACK;
SELECT redis_get('log');
SELECT redis_on_commit('MULTI');
SELECT redis_on_commit('SET', 'now', 1);
SELECT redis_get('now');
-- nothing is owed
SELECT count(*) FROM redis_outbox();
SELECT redis_outbox_drain();
