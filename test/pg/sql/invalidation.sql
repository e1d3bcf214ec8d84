-- Keys go when, and only when, their transaction commits.
CREATE TABLE users (id int PRIMARY KEY, team int, name text);
SELECT redis_invalidate_on('users', 'user:{id}', 'team:{team}:members');
SELECT * FROM redis_invalidations();
INSERT INTO users SELECT i, i % 3, 'name ' || i FROM generate_series(1, 9) i;

-- commit, rollback
SELECT fill('user:1', 'user:2', 'team:1:members', 'team:2:members', 'other');
BEGIN;
UPDATE users SET name = 'new' WHERE id = 1;
SELECT * FROM redis_pending();
SELECT left_over() AS before_commit;
ROLLBACK;
SELECT left_over() AS after_rollback;
BEGIN;
UPDATE users SET name = 'new' WHERE id = 1;
COMMIT;
SELECT left_over() AS after_commit;
SELECT * FROM redis_pending();

-- a row that moves takes both lists along
SELECT fill('team:1:members', 'team:2:members', 'team:0:members');
UPDATE users SET team = 2 WHERE id = 1;
SELECT left_over();

-- many rows, no rows, a key that changes
SELECT fill('user:1', 'user:2', 'user:3', 'user:4', 'user:104');
UPDATE users SET name = 'many' WHERE id IN (1, 2, 3);
UPDATE users SET name = 'none' WHERE false;
SELECT left_over();
UPDATE users SET id = 104 WHERE id = 4;
SELECT left_over();

-- NULL columns name no key
SELECT fill('team::members', 'user:5');
UPDATE users SET team = NULL WHERE id = 5;
DELETE FROM users WHERE id = 5;
SELECT left_over();

-- upsert, MERGE, COPY, DELETE ... RETURNING
SELECT fill('user:1', 'user:2', 'user:50', 'user:51', 'user:60', 'user:61');
INSERT INTO users VALUES (1, 1, 'x') ON CONFLICT (id) DO UPDATE SET name = 'upserted';
INSERT INTO users VALUES (2, 1, 'x') ON CONFLICT DO NOTHING;
SELECT left_over();
MERGE INTO users u USING (VALUES (2, 'merged'), (50, 'new')) v (id, name) ON u.id = v.id
	WHEN MATCHED THEN UPDATE SET name = v.name WHEN NOT MATCHED THEN INSERT VALUES (v.id, 0, v.name);
SELECT left_over();
COPY users FROM stdin;
51	7	copied
\.
SELECT left_over();
WITH gone AS (DELETE FROM users WHERE id = 50 RETURNING id) INSERT INTO users SELECT 60, 0, 'from cte' FROM gone;
SELECT left_over();

-- savepoints, released and rolled back in every order
SELECT fill('user:1', 'user:2', 'user:3');
BEGIN;
UPDATE users SET name = 'a' WHERE id = 1;
SAVEPOINT one;
UPDATE users SET name = 'a' WHERE id = 2;
SAVEPOINT two;
UPDATE users SET name = 'a' WHERE id = 3;
SELECT * FROM redis_pending() WHERE key LIKE 'user:%';
RELEASE two;
SELECT * FROM redis_pending() WHERE key LIKE 'user:%';
ROLLBACK TO one;
SELECT * FROM redis_pending() WHERE key LIKE 'user:%';
COMMIT;
SELECT left_over();

BEGIN;
SAVEPOINT one;
UPDATE users SET name = 'b' WHERE id = 2;
SAVEPOINT two;
UPDATE users SET name = 'b' WHERE id = 3;
ROLLBACK TO two;
RELEASE one;
SELECT * FROM redis_pending() WHERE key LIKE 'user:%';
COMMIT;
SELECT left_over();

-- the outer transaction queued it too: a rollback of the inner one does not take it back
SELECT fill('user:1', 'user:2');
BEGIN;
UPDATE users SET name = 'c' WHERE id = 1;
SAVEPOINT one;
UPDATE users SET name = 'd' WHERE id IN (1, 2);
ROLLBACK TO one;
COMMIT;
SELECT left_over();

-- a statement that fails half-way, and a PL/pgSQL exception block
SELECT fill('user:1', 'user:2', 'user:3');
BEGIN;
UPDATE users SET name = 'e' WHERE id = 3;
SAVEPOINT s;
UPDATE users SET name = (1 / (2 - id))::text WHERE id IN (1, 2);
ROLLBACK TO s;
COMMIT;
SELECT left_over();
DO $$
BEGIN
	UPDATE users SET name = 'f' WHERE id = 1;
	BEGIN
		UPDATE users SET name = 'f' WHERE id = 2;
		RAISE EXCEPTION 'no';
	EXCEPTION WHEN OTHERS THEN NULL;
	END;
END $$;
SELECT left_over();
-- ten thousand subtransactions
SELECT fill('user:2');
DO $$
BEGIN
	FOR i IN 1..10000 LOOP
		BEGIN
			PERFORM redis_invalidate('loop:' || i);
			IF i % 2 = 0 THEN RAISE EXCEPTION 'no'; END IF;
		EXCEPTION WHEN OTHERS THEN NULL;
		END;
	END LOOP;
	ASSERT (SELECT count(*) FROM redis_pending()) = 5000;
END $$;

-- a procedure that commits on its way
CREATE PROCEDURE in_pieces() LANGUAGE plpgsql AS $$
BEGIN
	UPDATE users SET name = 'g' WHERE id = 1;
	COMMIT;
	UPDATE users SET name = 'g' WHERE id = 2;
	ROLLBACK;
	UPDATE users SET name = 'g' WHERE id = 3;
END $$;
SELECT fill('user:1', 'user:2', 'user:3');
CALL in_pieces();
SELECT left_over();

-- a deferred constraint that fails at COMMIT: nothing is sent
CREATE TABLE parents (id int PRIMARY KEY);
CREATE TABLE children (id int PRIMARY KEY,
	parent int REFERENCES parents ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED);
CREATE TABLE grandchildren (id int PRIMARY KEY, child int REFERENCES children ON DELETE CASCADE ON UPDATE CASCADE);
SELECT redis_invalidate_on('parents', 'parent:{id}'), redis_invalidate_on('children', 'child:{id}'),
	redis_invalidate_on('grandchildren', 'grandchild:{id}', 'of:{child}');
SELECT fill('child:1');
BEGIN;
INSERT INTO children VALUES (1, 99);
COMMIT;
SELECT left_over();

-- a foreign key's cascade over three tables
INSERT INTO parents VALUES (1), (2);
INSERT INTO children VALUES (1, 1), (2, 2);
INSERT INTO grandchildren VALUES (10, 1), (20, 2);
SELECT fill('parent:1', 'parent:2', 'child:1', 'child:2', 'grandchild:10', 'grandchild:20', 'of:1', 'of:2', 'of:3');
DELETE FROM parents WHERE id = 1;
SELECT left_over();
UPDATE children SET id = 3 WHERE id = 2;
SELECT left_over();

-- TRUNCATE: the keys of every row
SELECT fill('parent:2', 'child:3', 'grandchild:20', 'of:3', 'of:4');
BEGIN;
TRUNCATE parents CASCADE;
ROLLBACK;
SELECT left_over();
TRUNCATE parents CASCADE;
SELECT left_over();

-- by hand, with the row's own key as a value; duplicates are one
SELECT fill('a', 'b', 'with space', 'quo"te''d', E'tab\there');
SELECT redis_invalidate('a', 'a', 'b'), redis_invalidate('with space', 'quo"te''d', E'tab\there'), redis_invalidate('a');
SELECT left_over();
SELECT redis_invalidate('a', NULL) IS NULL AS null_queues_nothing, count(*) FROM redis_pending();
-- large keys
BEGIN;
SELECT redis_set(repeat('k', 512), 'v'), redis_set(repeat('k', 100000), 'v');
SELECT redis_invalidate(repeat('k', 512), repeat('k', 100000));
COMMIT;
SELECT redis_exists(repeat('k', 512), repeat('k', 100000));

-- a hundred thousand rows in one statement, in few UNLINKs; all gone when it returns
CREATE TABLE big AS SELECT i AS id, 0 AS n FROM generate_series(1, 100000) i;
SELECT redis_invalidate_on('big', 'big:{id}');
SELECT redis_call('DEBUG', 'POPULATE', '100001', 'big');
SELECT unlinks() AS before \gset
UPDATE big SET n = 1;
SELECT left_over(), unlinks() - :before < 1000 AS few_commands;

-- DISCARD ALL, another session's view, a second backend
SELECT fill('user:1');
BEGIN;
UPDATE users SET name = 'h' WHERE id = 1;
\c -
SELECT left_over() AS session_ended_uncommitted;
UPDATE users SET name = 'h' WHERE id = 1;
DISCARD ALL;
SELECT left_over();

-- two-phase commit: the outbox has the keys, whoever commits
SELECT fill('user:1');
BEGIN;
UPDATE users SET name = 'i' WHERE id = 1;
PREPARE TRANSACTION 'p';
SELECT left_over(), count(*) FROM redis_outbox();
COMMIT PREPARED 'p';
SELECT redis_outbox_drain();
SELECT left_over(), count(*) FROM redis_outbox();
BEGIN;
UPDATE users SET name = 'never' WHERE id = 1;
PREPARE TRANSACTION 'p';
ROLLBACK PREPARED 'p';
SELECT redis_outbox_drain();

-- off again
SELECT redis_invalidate_off('users'), redis_invalidate_off('users') AS again;
SELECT fill('user:1');
UPDATE users SET name = 'j' WHERE id = 1;
SELECT left_over();
SELECT tgname FROM pg_trigger WHERE tgrelid = 'users'::regclass AND NOT tgisinternal;
DROP TABLE users, parents, children, grandchildren, big;
SELECT * FROM redis_invalidations();
