-- Templates that are queries.
CREATE SCHEMA app;
CREATE TABLE app.users (id int PRIMARY KEY, name text, born date, ref uuid DEFAULT gen_random_uuid());
CREATE TABLE app.members (user_id int REFERENCES app.users ON DELETE CASCADE ON UPDATE CASCADE, team_id int);
INSERT INTO app.users VALUES (1, 'Ann', '2000-01-02'), (2, 'Bob', NULL), (3, 'Cid', NULL);
INSERT INTO app.members VALUES (1, 10), (1, 11), (2, 10), (2, NULL);
CREATE FUNCTION queued() RETURNS text LANGUAGE sql AS
	$$ SELECT coalesce(string_agg(key, ' ' ORDER BY key COLLATE "C"), '(none)') FROM public.redis_pending() $$;
SELECT redis_invalidate_on('app.users', 'user:{id}', 'SELECT ''team:'' || team_id FROM members WHERE user_id = {id}',
	'WITH t AS (SELECT {id} AS n) SELECT ''{'' || n || ''}'' FROM t WHERE n > 2 -- {nothing}');
SELECT * FROM redis_invalidations();
BEGIN; INSERT INTO app.users VALUES (4); SELECT queued(); ROLLBACK;
BEGIN; UPDATE app.users SET name = 'x' WHERE id = 1; SELECT queued(); ROLLBACK;
BEGIN; UPDATE app.users SET name = 'x'; SELECT queued(); ROLLBACK;
-- the cascade has deleted what led to the keys, and moved it
BEGIN; DELETE FROM app.users WHERE id = 1; SELECT queued(), (SELECT count(*) FROM app.members); ROLLBACK;
BEGIN; UPDATE app.users SET id = 7 WHERE id = 1; SELECT queued(); ROLLBACK;
BEGIN; TRUNCATE app.users, app.members; SELECT queued(); ROLLBACK;
-- what this transaction did before counts
BEGIN;
INSERT INTO app.members VALUES (3, 30);
DELETE FROM app.members WHERE team_id = 11;
UPDATE app.users SET name = 'x' WHERE id IN (1, 3);
SELECT queued();
ROLLBACK;
-- savepoints
BEGIN; SAVEPOINT s; UPDATE app.users SET name = 'x' WHERE id = 2; ROLLBACK TO s; SELECT queued(); ROLLBACK;
-- columns keep their types, and text is the same in every session
SELECT redis_invalidate_on('app.users', 'SELECT ''born:'' || {born} WHERE {born} > date ''1999-12-31''', 'SELECT {born}', 'SELECT {ref} = ref FROM users WHERE id = {id}');
SET datestyle = 'German'; SET search_path = 'pg_catalog';
BEGIN; UPDATE app.users SET name = 'x'; SELECT public.queued(); ROLLBACK;
RESET datestyle; RESET search_path;
-- what cannot be a lookup
SELECT redis_invalidate_on('app.users', 'SELECT 1 FROM nowhere');
SELECT redis_invalidate_on('app.users', 'SELECT team_id FROM members WHERE user_id = {nope}');
SELECT redis_invalidate_on('app.users', 'SELECT team_id FROM members WHERE user_id = {id');
SELECT redis_invalidate_on('app.users', 'SELECT team_id, user_id FROM members');
SELECT redis_invalidate_on('app.users', 'SELECT 1; SELECT 2');
SELECT redis_invalidate_on('app.users', 'SELECT 1 INTO made');
SELECT redis_invalidate_on('app.users', 'SELECT team_id FROM members FOR UPDATE');
SELECT redis_invalidate_on('app.users', 'WITH d AS (DELETE FROM members RETURNING team_id) SELECT team_id FROM d');
SELECT redis_invalidate_on('app.users', 'SELECT team_id FROM members WHERE user_id = {born}');
SELECT templates FROM redis_invalidations();
-- it runs as the table's owner, with its schema; the writer needs no rights on what it reads, and gains none
CREATE ROLE owner; CREATE ROLE writer;
GRANT CREATE, USAGE ON SCHEMA app TO owner;
GRANT USAGE ON SCHEMA app TO writer;
SELECT redis_invalidate_off('app.users');
ALTER TABLE app.users OWNER TO owner;
SELECT redis_invalidate_on('app.users', 'SELECT ''team:'' || team_id FROM members WHERE user_id = {id}');
ALTER TABLE app.members OWNER TO owner;
CREATE FUNCTION app.who() RETURNS text LANGUAGE plpgsql AS 'BEGIN RETURN current_user; END';
CREATE FUNCTION app.sneak() RETURNS text LANGUAGE plpgsql AS 'BEGIN SET ROLE writer; RETURN current_user; END';
SELECT redis_invalidate_on('app.users', 'SELECT ''team:'' || team_id FROM members WHERE user_id = {id}', 'SELECT who()');
GRANT SELECT, UPDATE ON app.users TO writer;
CREATE TEMP TABLE members AS SELECT 1 AS user_id, 99 AS team_id;
SET ROLE writer;
BEGIN; UPDATE app.users SET name = 'x' WHERE id = 1; SELECT current_user; RESET ROLE; SELECT queued(); ROLLBACK;
SET ROLE writer;
SELECT count(*) FROM app.members;
RESET ROLE;
DROP TABLE pg_temp.members;
SELECT redis_invalidate_on('app.users', 'SELECT sneak()');
UPDATE app.users SET name = 'x' WHERE id = 1;
SELECT current_user = session_user AS still_myself;
-- row security hides no key of the owner's own tables, and where it would hide others that is an error
SELECT redis_invalidate_on('app.users', 'SELECT ''team:'' || team_id FROM members WHERE user_id = {id}');
ALTER TABLE app.members ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.members FORCE ROW LEVEL SECURITY;
BEGIN; UPDATE app.users SET name = 'x' WHERE id = 1; SELECT queued(); ROLLBACK;
ALTER TABLE app.members OWNER TO CURRENT_USER;
GRANT SELECT ON app.members TO owner;
SELECT redis_invalidate_on('app.users', 'SELECT ''team:'' || team_id FROM members WHERE user_id = {id}');
UPDATE app.users SET name = 'x' WHERE id = 1;
ALTER TABLE app.members DISABLE ROW LEVEL SECURITY;
-- what the query reads is dropped: the next write says so
ALTER TABLE app.users OWNER TO CURRENT_USER;
ALTER TABLE app.members RENAME team_id TO team;
UPDATE app.users SET name = 'x' WHERE id = 1;
ALTER TABLE app.members RENAME team TO team_id;
UPDATE app.users SET name = 'x' WHERE id = 1;
ALTER TABLE app.members RENAME TO others;
UPDATE app.users SET name = 'x' WHERE id = 1;
SELECT redis_invalidate_off('app.users');
UPDATE app.users SET name = 'x' WHERE id = 1;
-- what would leave the query's names behind is refused
ALTER TABLE app.others RENAME TO members;
SELECT redis_invalidate_on('app.users', 'SELECT ''team:'' || team_id FROM members WHERE user_id = {id}');
CREATE SCHEMA elsewhere;
ALTER TABLE app.users SET SCHEMA elsewhere;
ALTER TABLE app.users RENAME id TO number;
ALTER SCHEMA app RENAME TO application;
BEGIN; UPDATE application.users SET name = 'x' WHERE id = 1; SELECT queued(); ROLLBACK;
-- partitions look where the table they are part of does
CREATE TABLE application.events (id int, user_id int) PARTITION BY LIST (id);
CREATE TABLE elsewhere.events_1 PARTITION OF application.events FOR VALUES IN (1);
SELECT redis_invalidate_on('application.events', 'SELECT ''team:'' || team_id FROM members WHERE user_id = {user_id}');
CREATE TABLE elsewhere.events_2 (user_id int, id int);
ALTER TABLE application.events ATTACH PARTITION elsewhere.events_2 FOR VALUES IN (2);
BEGIN; INSERT INTO elsewhere.events_1 VALUES (1, 1); SELECT queued(); COMMIT;
BEGIN; INSERT INTO application.events VALUES (2, 2); SELECT queued(); COMMIT;
BEGIN; TRUNCATE elsewhere.events_1; SELECT queued(); ROLLBACK;
BEGIN; TRUNCATE elsewhere.events_2; SELECT queued(); ROLLBACK;
BEGIN; TRUNCATE application.events; SELECT queued(); ROLLBACK;
-- by hand, for each statement
CREATE TABLE bulk (user_id int);
CREATE TRIGGER b AFTER INSERT ON bulk REFERENCING NEW TABLE AS n FOR EACH STATEMENT
	EXECUTE FUNCTION redis_invalidate('SELECT ''team:'' || team_id FROM application.members WHERE user_id = {user_id}');
BEGIN; INSERT INTO bulk VALUES (1), (2), (3), (NULL); SELECT queued(); ROLLBACK;
-- temporary tables
CREATE TEMP TABLE mine (id int);
CREATE TEMP TABLE links (id int, key text);
INSERT INTO links VALUES (1, 'temporary');
SELECT redis_invalidate_on('mine', 'SELECT key FROM links WHERE id = {id}');
BEGIN; INSERT INTO mine VALUES (1); SELECT queued(); ROLLBACK;
-- a query that comes back to the same table
CREATE TABLE loop (id int, depth int);
CREATE FUNCTION again(n int) RETURNS text LANGUAGE plpgsql AS $$ BEGIN
	IF n > 0 THEN
		-- the templates in use are void now
		GRANT SELECT ON public.loop TO public;
		INSERT INTO public.loop VALUES (1, n - 1);
	END IF;
	RETURN 'depth:' || n;
END $$;
SELECT redis_invalidate_on('loop', 'loop:{id}', 'SELECT public.again({depth})', 'last:{depth}');
BEGIN; INSERT INTO loop VALUES (1, 20); SELECT queued(); ROLLBACK;
DROP TABLE loop, bulk, mine, links;
DROP FUNCTION again, queued;
DROP SCHEMA application, elsewhere CASCADE;
DROP ROLE owner, writer;
