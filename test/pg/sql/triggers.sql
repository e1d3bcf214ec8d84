-- The trigger function by hand, with all of CREATE TRIGGER's power.
CREATE TABLE t (id int PRIMARY KEY, n int);
CREATE TRIGGER by_hand AFTER UPDATE OF n ON t FOR EACH ROW WHEN (NEW.n > 10)
	EXECUTE FUNCTION redis_invalidate('t:{id}');
SELECT * FROM redis_invalidations();
INSERT INTO t VALUES (1, 0), (2, 0), (3, 0);
SELECT fill('t:1', 't:2', 't:3');
UPDATE t SET n = 5 WHERE id = 1;
UPDATE t SET n = 11 WHERE id = 2;
SELECT left_over();
-- what redis_invalidate_on made is its own, what somebody wrote stays
SELECT redis_invalidate_on('t', 'u:{id}');
SELECT templates, mode FROM redis_invalidations() ORDER BY 1;
SELECT redis_invalidate_off('t');
SELECT templates, mode FROM redis_invalidations();
ALTER TABLE t DISABLE TRIGGER by_hand;
SELECT mode FROM redis_invalidations();
DROP TRIGGER by_hand ON t;

-- for each statement, with transition tables
CREATE TRIGGER ins AFTER INSERT ON t REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT
	EXECUTE FUNCTION redis_invalidate('t:{id}');
CREATE TRIGGER upd AFTER UPDATE ON t REFERENCING OLD TABLE AS o NEW TABLE AS n FOR EACH STATEMENT
	EXECUTE FUNCTION redis_invalidate('t:{id}', 'n:{n}');
CREATE TRIGGER del AFTER DELETE ON t REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT
	EXECUTE FUNCTION redis_invalidate('t:{id}');
CREATE TRIGGER tru BEFORE TRUNCATE ON t EXECUTE FUNCTION redis_invalidate('t:{id}');
SELECT templates, mode FROM redis_invalidations() ORDER BY 1, 2;
SELECT fill('t:4', 't:5', 't:6', 't:1', 't:2', 't:3', 'n:0', 'n:5', 'n:11', 'n:7');
INSERT INTO t VALUES (4, 0), (5, 0);
SELECT left_over();
UPDATE t SET n = 7 WHERE id IN (1, 4);
SELECT left_over();
DELETE FROM t WHERE id = 2;
SELECT left_over();
UPDATE t SET n = 8 WHERE false;
TRUNCATE t;
SELECT left_over();
-- the transition tables can be read by others too
INSERT INTO t SELECT i, i FROM generate_series(1, 1000) i;
SELECT redis_call('DEBUG', 'POPULATE', '1001', 't');
DELETE FROM t WHERE id > 10;
SELECT left_over();
-- and may be larger than memory
ALTER TABLE t ADD pad text DEFAULT repeat('x', 200);
INSERT INTO t SELECT i, i FROM generate_series(1001, 6000) i;
SET work_mem = '64kB';
BEGIN;
UPDATE t SET n = 12;
SELECT count(*) FROM redis_pending();
ROLLBACK;
RESET work_mem;
DROP TABLE t;

-- what cannot work is refused when it is created
CREATE TABLE bad (id int);
CREATE TRIGGER b BEFORE INSERT ON bad FOR EACH ROW EXECUTE FUNCTION redis_invalidate('b:{id}');
CREATE TRIGGER b AFTER INSERT ON bad FOR EACH STATEMENT EXECUTE FUNCTION redis_invalidate('b:{id}');
CREATE TRIGGER b AFTER DELETE ON bad FOR EACH STATEMENT EXECUTE FUNCTION redis_invalidate('b:{id}');
CREATE TRIGGER b AFTER UPDATE ON bad REFERENCING NEW TABLE AS n FOR EACH STATEMENT EXECUTE FUNCTION redis_invalidate('b:{id}');
CREATE TRIGGER b AFTER INSERT ON bad FOR EACH ROW EXECUTE FUNCTION redis_invalidate();
CREATE TRIGGER b AFTER INSERT ON bad FOR EACH ROW EXECUTE FUNCTION redis_invalidate('b:{nope}');
CREATE TRIGGER b AFTER INSERT ON bad FOR EACH ROW EXECUTE FUNCTION redis_invalidate('b:{');
CREATE TRIGGER b AFTER TRUNCATE ON bad EXECUTE FUNCTION redis_invalidate('b:{id}');
SELECT count(*) FROM pg_trigger WHERE tgrelid = 'bad'::regclass;
-- what came with a dump, when it first fires
SET check_function_bodies = off;
CREATE TRIGGER b BEFORE INSERT ON bad FOR EACH ROW EXECUTE FUNCTION redis_invalidate('b:{id}');
INSERT INTO bad VALUES (1);
DROP TRIGGER b ON bad;
CREATE TRIGGER b AFTER UPDATE ON bad REFERENCING NEW TABLE AS n FOR EACH STATEMENT EXECUTE FUNCTION redis_invalidate('b:{id}');
INSERT INTO bad VALUES (1);
UPDATE bad SET id = 2;
DROP TRIGGER b ON bad;
CREATE TRIGGER b AFTER INSERT ON bad FOR EACH ROW EXECUTE FUNCTION redis_invalidate();
INSERT INTO bad VALUES (1);
DROP TRIGGER b ON bad;
CREATE TRIGGER b AFTER INSERT ON bad FOR EACH ROW EXECUTE FUNCTION redis_invalidate('b:{nope}');
INSERT INTO bad VALUES (1);
DROP TRIGGER b ON bad;
CREATE TRIGGER b AFTER TRUNCATE ON bad EXECUTE FUNCTION redis_invalidate('b:{id}');
TRUNCATE bad;
DROP TABLE bad;
RESET check_function_bodies;
SELECT redis_invalidate();
