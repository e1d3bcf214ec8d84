-- Keys bound to transactions: one script for psql and sqlite3.
CREATE TABLE users (id integer PRIMARY KEY, team integer, name text);
INSERT INTO users VALUES (1, 10, 'ann'), (2, 10, 'bob'), (3, 20, 'cem');
SELECT redis_invalidate_on('users', 'user:{id}', 'team:{team}:members');
SELECT relation, templates FROM redis_invalidations();
-- all five keys are set, and how many of them are left
CREATE VIEW keys AS SELECT 1 AS k, 'user:1' AS name UNION ALL SELECT 2, 'user:2' UNION ALL SELECT 3, 'user:3' UNION ALL SELECT 4, 'team:10:members' UNION ALL SELECT 5, 'team:20:members';
SELECT count(redis_set(name, 'x')) FROM keys;
-- one row, at commit
BEGIN;
UPDATE users SET name = 'Ann' WHERE id = 1;
SELECT key, depth FROM redis_pending() ORDER BY key;
SELECT redis_exists('user:1', 'team:10:members');
COMMIT;
SELECT name FROM keys WHERE redis_exists(name) = 1 ORDER BY k;
SELECT count(*) FROM redis_pending();
-- rolled back
SELECT count(redis_set(name, 'x')) FROM keys;
BEGIN;
UPDATE users SET name = 'x';
SELECT count(*) FROM redis_pending();
ROLLBACK;
SELECT count(*) FROM keys WHERE redis_exists(name) = 1;
-- a row that moves takes both lists along
UPDATE users SET team = 20 WHERE id = 2;
SELECT name FROM keys WHERE redis_exists(name) = 1 ORDER BY k;
-- no row, no key
SELECT count(redis_set(name, 'x')) FROM keys;
UPDATE users SET name = 'x' WHERE id = 99;
DELETE FROM users WHERE id = 99;
SELECT count(*) FROM keys WHERE redis_exists(name) = 1;
-- savepoints: rolled back, released, nested
BEGIN;
SAVEPOINT a;
UPDATE users SET name = 'a' WHERE id = 1;
SAVEPOINT b;
UPDATE users SET name = 'b' WHERE id = 3;
SELECT key FROM redis_pending() ORDER BY key;
ROLLBACK TO b;
SELECT key FROM redis_pending() ORDER BY key;
RELEASE b;
RELEASE a;
SELECT key, depth FROM redis_pending() ORDER BY key;
COMMIT;
SELECT name FROM keys WHERE redis_exists(name) = 1 ORDER BY k;
-- an outer savepoint takes the released inner one with it
SELECT count(redis_set(name, 'x')) FROM keys;
BEGIN;
SAVEPOINT a;
SAVEPOINT b;
DELETE FROM users WHERE id = 3;
RELEASE b;
ROLLBACK TO a;
INSERT INTO users VALUES (4, 10, 'dee');
COMMIT;
SELECT name FROM keys WHERE redis_exists(name) = 1 ORDER BY k;
-- upsert: what is updated and what is inserted
SELECT count(redis_set(name, 'x')) FROM keys;
INSERT INTO users VALUES (1, 20, 'eve'), (5, 30, 'flo') ON CONFLICT (id) DO UPDATE SET team = excluded.team;
SELECT name FROM keys WHERE redis_exists(name) = 1 ORDER BY k;
-- by hand: in a transaction queued once, outside sent at once
SELECT count(redis_set(name, 'x')) FROM keys;
BEGIN;
SELECT redis_invalidate('user:1', 'user:1', 'user:2'), redis_invalidate('user:1');
SELECT redis_exists('user:1', 'user:2');
COMMIT;
SELECT redis_exists('user:1', 'user:2');
SELECT redis_invalidate('user:3');
SELECT redis_exists('user:3');
SELECT redis_invalidate(NULL);
-- a NULL column skips that key
SELECT count(redis_set(name, 'x')) FROM keys;
INSERT INTO users VALUES (6, NULL, 'gus');
SELECT count(*) FROM keys WHERE redis_exists(name) = 1;
-- other templates replace these; braces
SELECT redis_invalidate_on('users', '{{user}}:{id}');
SELECT templates FROM redis_invalidations();
SELECT CAST(redis_set('{user}:1', 'x') AS integer);
UPDATE users SET name = 'x' WHERE id = 1;
SELECT redis_exists('{user}:1'), redis_exists('user:1');
-- off again
SELECT CAST(redis_invalidate_off('users') AS integer), CAST(redis_invalidate_off('users') AS integer);
SELECT count(*) FROM redis_invalidations();
SELECT count(redis_set(name, 'x')) FROM keys;
UPDATE users SET name = 'y';
SELECT count(*) FROM keys WHERE redis_exists(name) = 1;
DROP VIEW keys;
DROP TABLE users;
