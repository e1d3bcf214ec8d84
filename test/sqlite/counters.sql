-- changes(), total_changes() and last_insert_rowid() are the application's: side by side with a table
-- without triggers, and between its statements.
CREATE TABLE plain (id INTEGER PRIMARY KEY, v);
CREATE TABLE t (id INTEGER PRIMARY KEY, v);
SELECT redis_invalidate_on('t', '{id}', 'all');
INSERT INTO plain VALUES (1, 0), (2, 0), (50, 0);
SELECT changes(), total_changes(), last_insert_rowid();
INSERT INTO t VALUES (1, 0), (2, 0), (50, 0);
SELECT changes(), total_changes(), last_insert_rowid();
UPDATE t SET v = 1 WHERE id < 10;
SELECT changes(), total_changes(), last_insert_rowid();
INSERT OR REPLACE INTO t VALUES (2, 7), (60, 7);
SELECT changes(), total_changes(), last_insert_rowid();
DELETE FROM t WHERE id = 60;
SELECT changes(), total_changes(), last_insert_rowid();
.print == in a transaction
BEGIN;
INSERT INTO t VALUES (70, 1), (71, 1);
SELECT changes(), total_changes(), last_insert_rowid();
UPDATE t SET v = v;
SELECT changes(), total_changes(), last_insert_rowid();
COMMIT;
SELECT changes(), total_changes(), last_insert_rowid();
BEGIN;
UPDATE t SET v = 2 WHERE id = 1;
ROLLBACK;
SELECT changes(), total_changes(), last_insert_rowid();
.print == by hand, between statements: first key of the transaction, further ones, none before it
BEGIN;
INSERT INTO plain VALUES (80, 1), (81, 1);
SELECT redis_invalidate('a'), changes(), total_changes(), last_insert_rowid();
SELECT changes(), total_changes(), last_insert_rowid();
SELECT redis_invalidate('b');
SELECT changes(), total_changes(), last_insert_rowid();
SELECT count(*) FROM redis_pending;
COMMIT;
SELECT changes(), total_changes(), last_insert_rowid();
BEGIN;
SELECT redis_invalidate('a');
SELECT changes(), total_changes(), last_insert_rowid();
ROLLBACK;
BEGIN;
SELECT redis_invalidate(value) FROM json_each('["x","y"]');
SELECT changes(), total_changes(), last_insert_rowid();
COMMIT;
SELECT redis_invalidate('a');
SELECT changes(), total_changes(), last_insert_rowid();
.print == by hand from a query that opens further tables while it runs: it is not cut off
BEGIN;
UPDATE plain SET v = 2;
SELECT id, redis_invalidate(id), (SELECT count(*) FROM t AS other WHERE other.id < plain.id) FROM plain;
SELECT total_changes(), last_insert_rowid();
COMMIT;
BEGIN;
UPDATE plain SET v = 2;
SELECT redis_invalidate('x'), (SELECT count(*) FROM t WHERE t.id < 60 + redis_invalidate('z'));
SELECT count(*) FROM redis_pending;
COMMIT;
.print == a trigger's own view of changes() once keys are queued
CREATE TABLE log (n);
CREATE TRIGGER last AFTER UPDATE ON plain BEGIN
  INSERT INTO log VALUES (1), (2), (3);
  SELECT redis_invalidate('k');
  INSERT INTO log SELECT 100 + NEW.id;
END;
BEGIN;
UPDATE plain SET v = 3 WHERE id = 1;
SELECT changes(), total_changes(), last_insert_rowid();
COMMIT;
SELECT changes(), total_changes(), last_insert_rowid();
