-- Nobody but superusers may call what reaches Redis, until granted; writing to a tracked table needs nothing.
CREATE ROLE nobody_special;
CREATE TABLE tracked (id int);
SELECT redis_invalidate_on('tracked', 'tracked:{id}');
GRANT ALL ON tracked TO nobody_special;
GRANT ALL ON SCHEMA public TO nobody_special;

-- every function of the extension, from the catalogue
SELECT p.oid::regprocedure AS public_may_execute
FROM pg_proc p JOIN pg_depend d ON d.objid = p.oid AND d.classid = 'pg_proc'::regclass AND d.deptype = 'e'
	JOIN pg_extension e ON e.oid = d.refobjid AND e.extname = 'sqlredis'
WHERE has_function_privilege('nobody_special', p.oid, 'EXECUTE');
SELECT count(*) > 40 AS many FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid
WHERE d.deptype = 'e' AND e.extname = 'sqlredis' AND d.classid = 'pg_proc'::regclass;
-- volatile (PostgreSQL does not say so of aggregates), never safe in a worker; none is strict with a default
SELECT p.oid::regprocedure, provolatile, proparallel
FROM pg_proc p JOIN pg_depend d ON d.objid = p.oid AND d.classid = 'pg_proc'::regclass AND d.deptype = 'e'
	JOIN pg_extension e ON e.oid = d.refobjid AND e.extname = 'sqlredis'
WHERE (provolatile <> 'v' AND prokind <> 'a') OR proparallel = 's' OR proisstrict;

SELECT fill('tracked:1', 'tracked:2');
SET ROLE nobody_special;
SELECT redis_version() IS NOT NULL AS version;
SELECT redis_get('tracked:1');
SELECT redis_del('tracked:1');
SELECT redis_invalidate('tracked:1');
SELECT * FROM redis_scan();
SELECT redis_call('FLUSHALL');
SELECT * FROM redis_invalidations();
CREATE TABLE mine (id int);
CREATE TRIGGER wipe AFTER INSERT ON mine FOR EACH ROW EXECUTE FUNCTION redis_invalidate('tracked:1');
INSERT INTO tracked VALUES (1);
RESET ROLE;
SELECT left_over();
TRUNCATE tracked;

-- what is granted, and no more; only the owner of a table can have it tracked
GRANT EXECUTE ON FUNCTION redis_get(text), redis_invalidate_on(regclass, VARIADIC text[]), redis_invalidate() TO nobody_special;
SET ROLE nobody_special;
SELECT redis_get('tracked:2');
SELECT redis_set('tracked:2', 'v');
SELECT redis_invalidate_on('mine', 'mine:{id}');
RESET ROLE;
CREATE TABLE theirs (id int);
SET ROLE nobody_special;
SELECT redis_invalidate_on('theirs', 'theirs:{id}');
-- what decides where data goes is the superuser's
SET sqlredis.url = 'redis://elsewhere';
SET sqlredis.key_prefix = 'x';
SET sqlredis.command_timeout = 1;
\set VERBOSITY sqlstate
SHOW sqlredis.url;
\set VERBOSITY default
SET sqlredis.on_error = 'null';
RESET ROLE;

-- a password in the URL is refused unless the library came before the session could look
SET sqlredis.url = 'redis://:secret@127.0.0.1';
-- and what is no URL is refused where it is written
SET sqlredis.url = 'http://127.0.0.1';
SET sqlredis.url = 'redis://127.0.0.1:99999';
SET sqlredis.url = 'redis://127.0.0.1/0?no_such_option=1';
SET sqlredis.passfile = '/nonexistent/passfile';
SELECT redis_ping();
RESET sqlredis.passfile;
SELECT redis_ping();
-- who adds a partition needs what its trigger needs
SET ROLE nobody_special;
CREATE TABLE parted (id int) PARTITION BY LIST (id);
RESET ROLE;
SELECT redis_invalidate_on('parted', 'parted:{id}');
REVOKE EXECUTE ON FUNCTION redis_invalidate() FROM nobody_special;
SELECT redis_invalidate_on('parted', 'parted:{id}');
DROP TABLE parted;
-- a function of the same name on the caller's path is not the extension's
CREATE SCHEMA redis_invalidate AUTHORIZATION nobody_special;
SET ROLE nobody_special;
CREATE FUNCTION redis_invalidate.redis_invalidate() RETURNS trigger LANGUAGE plpgsql AS
	$$ BEGIN RAISE 'called as %', current_user; END $$;
CREATE TABLE redis_invalidate.redis_invalidate (id int);
RESET ROLE;
SET search_path = redis_invalidate, public;
SELECT redis_invalidate_on('redis_invalidate', 'r:{id}');
INSERT INTO redis_invalidate VALUES (1);
RESET search_path;
DROP SCHEMA redis_invalidate CASCADE;
DROP TABLE tracked, mine, theirs;

-- a group is granted to a role whatever it is called; public is everybody, as GRANT has it
CREATE ROLE "no""body; --";
SELECT redis_grant('read', 'no"body; --') = redis_revoke('READ', 'no"body; --') AS as_many;
SELECT redis_grant('read', 'public') = redis_revoke('read', 'public') AS as_many;
SELECT redis_grant('read', 'nobody, postgres');
SELECT redis_grant('read', 'current_user');
SELECT redis_grant('read', '');
SELECT redis_grant('everything', 'nobody_special');
DROP ROLE "no""body; --";
REVOKE ALL ON SCHEMA public FROM nobody_special;
REVOKE ALL ON FUNCTION redis_get(text), redis_invalidate_on(regclass, VARIADIC text[]), redis_invalidate() FROM nobody_special;
DROP ROLE nobody_special;
