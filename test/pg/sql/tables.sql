-- Tables of every kind, and templates of every kind.
-- what cannot be tracked says what to do instead
CREATE TABLE t (id int, "Mixed Case" text, gone int, v int GENERATED ALWAYS AS (id * 2) STORED);
ALTER TABLE t DROP COLUMN gone;
CREATE VIEW w AS SELECT * FROM t;
CREATE MATERIALIZED VIEW m AS SELECT * FROM t;
SELECT redis_invalidate_on('w', 'k');
SELECT redis_invalidate_on('m', 'k');
SELECT redis_invalidate_on('pg_class', 'k');
SELECT redis_invalidate_on('t_missing', 'k');
SELECT redis_invalidate_on('t', 'k:{nope}');
SELECT redis_invalidate_on('t', 'k:{gone}');
SELECT redis_invalidate_on('t', 'k:{mixed case}');
SELECT redis_invalidate_on('t', 'k:{id');
SELECT redis_invalidate_on('t', 'k:id}');
SELECT redis_invalidate_on('t', '');
SELECT redis_invalidate_on('t');
SELECT redis_invalidate_on('t', NULL) IS NULL AS nothing;
SELECT * FROM redis_invalidations();

-- quoted names, literal braces, stored generated columns; a second call replaces the first
SELECT redis_invalidate_on('t', 'old:{id}');
SELECT redis_invalidate_on('t', '{{tag}}:{Mixed Case}', 'v:{v}', 'it''s \ "{id}"');
SELECT * FROM redis_invalidations();
SELECT fill('old:1', '{tag}:A b', 'v:2', 'it''s \ "1"');
INSERT INTO t VALUES (1, 'A b');
SELECT left_over();
DROP TABLE t CASCADE;

-- a column's text is the same in every session
CREATE TABLE typed (id int, ts timestamptz, d date, f float8, b bytea, i interval, m money, a int[], e numeric(5,2));
SELECT redis_invalidate_on('typed', '{ts}|{d}|{f}|{b}|{i}|{a}|{e}');
INSERT INTO typed VALUES (1, '2024-03-01 12:00:00+02', '2024-03-01', 0.1, '\xff00', '1 day 2 hours', 3, '{1,2}', 1.5);
BEGIN;
UPDATE typed SET id = 2;
SELECT key FROM redis_pending();
ROLLBACK;
SET datestyle = 'German'; SET timezone = 'Asia/Tokyo'; SET extra_float_digits = -5; SET bytea_output = 'escape';
SET intervalstyle = 'iso_8601';
BEGIN;
UPDATE typed SET id = 2;
SELECT key FROM redis_pending();
SELECT d FROM typed;
ROLLBACK;
RESET ALL;
DROP TABLE typed;
-- and it is what a cast to text gives, also for types whose output is another
CREATE TYPE size AS ENUM ('small', 'very large');
CREATE TYPE pair AS (at timestamptz, n numeric);
CREATE DOMAIN code AS char(6);
CREATE SCHEMA aside CREATE TABLE hidden ();
CREATE TABLE typed (id int, c code, b bool, s size, i inet, n cidr, p pair, r tstzrange, k regclass, j jsonb, u "char");
SELECT redis_invalidate_on('typed', '{c}|{b}|{s}|{i}|{n}|{p}|{r}|{k}|{j}|{u}');
INSERT INTO typed VALUES (1, 'ab', true, 'very large', '10.0.0.1', '10.0.0.0/8', ('2024-01-01 00:00Z', 1.50),
	'[2024-01-01 00:00Z,2024-02-01 00:00Z)', 'aside.hidden', '{"b": 1, "a": 2}', 'x');
SET timezone = 'Asia/Tokyo'; SET search_path = public, aside;
BEGIN;
DELETE FROM typed;
SELECT key FROM redis_pending();
ROLLBACK;
SET timezone = 'UTC'; SET datestyle = 'ISO'; RESET search_path;
SELECT redis_invalidate_on('typed', concat_ws('|', VARIADIC array_agg('{' || attname || '}'))) FROM pg_attribute
	WHERE attrelid = 'typed'::regclass AND attnum > 0;
BEGIN;
DELETE FROM typed;
SELECT key = concat_ws('|', id::text, c::text, b::text, s::text, i::text, n::text, p::text, r::text, k::text, j::text, u::text) AS as_cast
FROM redis_pending(), (VALUES (1, 'ab'::code, true, 'very large'::size, inet '10.0.0.1', cidr '10.0.0.0/8',
	('2024-01-01 00:00Z', 1.50)::pair, tstzrange '[2024-01-01 00:00Z,2024-02-01 00:00Z)', 'aside.hidden'::regclass,
	jsonb '{"b": 1, "a": 2}', 'x'::"char")) v (id, c, b, s, i, n, p, r, k, j, u);
ROLLBACK;
RESET ALL;
DROP TABLE typed;
DROP TYPE size, pair;
DROP DOMAIN code;
DROP SCHEMA aside CASCADE;
-- more columns than fit on one screen, large ones, ones added and dropped meanwhile
CREATE TABLE wide (id int, gone int, body text);
ALTER TABLE wide ALTER body SET STORAGE EXTERNAL;
INSERT INTO wide VALUES (1, 2, repeat('x', 100000));
ALTER TABLE wide DROP gone;
DO $$ BEGIN FOR i IN 1..60 LOOP EXECUTE format('ALTER TABLE wide ADD c%s int DEFAULT %s', i, i); END LOOP; END $$;
SELECT redis_invalidate_on('wide', 'w:{id}:{body}', (SELECT string_agg('{c' || i || '}', ':' ORDER BY i) FROM generate_series(1, 60) i));
BEGIN;
DELETE FROM wide;
SELECT length(key), right(key, 5) FROM redis_pending();
ALTER TABLE wide ADD late int DEFAULT 7;
INSERT INTO wide (id, body) VALUES (2, 'short');
ALTER TABLE wide DROP late;
INSERT INTO wide (id, body) VALUES (3, 'short');
TRUNCATE wide;
SELECT key FROM redis_pending() WHERE key LIKE 'w:%short';
ROLLBACK;
-- triggers are not copied by LIKE
CREATE TABLE alike (LIKE wide INCLUDING ALL);
SELECT relation FROM redis_invalidations();
DROP TABLE wide, alike;

-- the schema of the extension need not be on the path; schema names need quoting
CREATE SCHEMA "Odd schema";
CREATE TABLE "Odd schema"."Odd table" ("Odd id" int);
SELECT redis_invalidate_on('"Odd schema"."Odd table"', 'odd:{Odd id}');
SELECT fill('odd:7');
SET search_path = '';
INSERT INTO "Odd schema"."Odd table" VALUES (7);
RESET search_path;
SELECT left_over();
DROP SCHEMA "Odd schema" CASCADE;

-- temporary and unlogged tables
CREATE TEMP TABLE tmp (id int);
CREATE UNLOGGED TABLE unlogged (id int);
SELECT redis_invalidate_on('tmp', 'tmp:{id}'), redis_invalidate_on('unlogged', 'unlogged:{id}');
SELECT fill('tmp:1', 'unlogged:1');
INSERT INTO tmp VALUES (1);
INSERT INTO unlogged VALUES (1);
SELECT left_over();
DROP TABLE tmp, unlogged;

-- a column whose name a template has is not renamed or dropped under it
CREATE TABLE renamed (id int, other int);
SELECT redis_invalidate_on('renamed', 'r:{id}');
ALTER TABLE renamed RENAME id TO number;
ALTER TABLE renamed DROP id;
ALTER TABLE renamed RENAME other TO another;
ALTER TABLE renamed DROP another;
INSERT INTO renamed VALUES (1);
BEGIN;
SELECT redis_invalidate_off('renamed');
ALTER TABLE renamed RENAME id TO number;
SELECT redis_invalidate_on('renamed', 'r:{number}');
COMMIT;
SELECT fill('r:3');
INSERT INTO renamed VALUES (3);
SELECT left_over();
-- one whose type changes is another text
ALTER TABLE renamed ALTER number TYPE text USING 'n' || number;
SELECT fill('r:n3');
DELETE FROM renamed WHERE number = 'n3';
SELECT left_over();
-- and where nothing looked, the next write says what to do
ALTER EVENT TRIGGER sqlredis_check_ddl DISABLE;
ALTER TABLE renamed RENAME number TO id;
ALTER EVENT TRIGGER sqlredis_check_ddl ENABLE;
INSERT INTO renamed VALUES ('x');
SELECT redis_invalidate_on('renamed', 'r:{id}');
INSERT INTO renamed VALUES ('x');
DROP TABLE renamed;

-- partitions: written directly, through the parent, moved between, attached, detached, truncated
CREATE TABLE parts (id int, region text, extra int) PARTITION BY LIST (region);
CREATE TABLE parts_a PARTITION OF parts FOR VALUES IN ('a');
CREATE TABLE parts_bc PARTITION OF parts FOR VALUES IN ('b', 'c') PARTITION BY LIST (region);
CREATE TABLE parts_b PARTITION OF parts_bc FOR VALUES IN ('b');
SELECT redis_invalidate_on('parts', 'part:{id}', 'region:{region}');
CREATE TABLE parts_c PARTITION OF parts_bc FOR VALUES IN ('c');
CREATE TABLE parts_d (extra int, junk int, region text, id int);
ALTER TABLE parts_d DROP COLUMN junk;
SELECT * FROM redis_invalidations();
SELECT fill('part:1', 'part:2', 'part:3', 'part:4', 'region:a', 'region:b', 'region:c', 'region:d');
INSERT INTO parts VALUES (1, 'a');
INSERT INTO parts_b VALUES (2, 'b');
INSERT INTO parts VALUES (3, 'c');
INSERT INTO parts_d VALUES (0, 'd', 4);
SELECT left_over();
ALTER TABLE parts ATTACH PARTITION parts_d FOR VALUES IN ('d');
UPDATE parts_d SET extra = 1;
SELECT left_over();
SELECT fill('part:1', 'region:a', 'region:d');
UPDATE parts SET region = 'd' WHERE id = 1;
SELECT left_over();
SELECT fill('part:2', 'region:b');
ALTER TABLE parts_bc DETACH PARTITION parts_b;
UPDATE parts_b SET extra = 5;
SELECT left_over() AS detached;
SELECT fill('part:1', 'part:3', 'part:4', 'region:d', 'region:c');
BEGIN;
TRUNCATE parts;
SELECT key FROM redis_pending() ORDER BY key COLLATE "C";
COMMIT;
SELECT left_over();
SELECT tgenabled, count(*) FROM pg_trigger WHERE tgname = 'sqlredis_invalidate' GROUP BY 1;
-- a partition is not half untracked
SELECT redis_invalidate_off('parts_a');
SELECT redis_invalidate_on('parts_a', 'other:{id}');
SELECT redis_invalidate_off('parts');
SELECT count(*) FROM pg_trigger WHERE tgrelid::regclass::text LIKE 'parts%' AND tgname LIKE 'sqlredis%';
DROP TABLE parts, parts_b;

-- a partition of its own
CREATE TABLE p (id int) PARTITION BY RANGE (id);
CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (10);
CREATE TABLE p2 PARTITION OF p FOR VALUES FROM (10) TO (20);
SELECT redis_invalidate_on('p1', 'p:{id}');
SELECT fill('p:1', 'p:11');
INSERT INTO p VALUES (1), (11);
SELECT left_over();
DROP TABLE p;

-- inheritance children get a trigger each
CREATE TABLE base (id int);
CREATE TABLE derived (more int) INHERITS (base);
SELECT redis_invalidate_on('base', 'base:{id}');
SELECT relation FROM redis_invalidations() ORDER BY 1;
SELECT fill('base:1', 'base:2');
INSERT INTO derived VALUES (1, 1);
UPDATE base SET id = 2;
SELECT left_over();
SELECT fill('base:2');
TRUNCATE base;
SELECT left_over();
SELECT redis_invalidate_off('base');
SELECT count(*) FROM redis_invalidations();
DROP TABLE base CASCADE;

-- row security hides nothing from TRUNCATE, and neither does a lack of SELECT
CREATE TABLE secret (id int);
SELECT redis_invalidate_on('secret', 'secret:{id}');
INSERT INTO secret VALUES (1), (2);
ALTER TABLE secret ENABLE ROW LEVEL SECURITY;
CREATE ROLE truncator;
GRANT TRUNCATE ON secret TO truncator;
SELECT fill('secret:1', 'secret:2');
SET ROLE truncator;
TRUNCATE secret;
RESET ROLE;
SELECT left_over();
DROP TABLE secret;
DROP ROLE truncator;

-- session_replication_role = replica does not pass the triggers by
CREATE TABLE always (id int);
SELECT redis_invalidate_on('always', 'always:{id}');
SELECT fill('always:1');
SET session_replication_role = replica;
INSERT INTO always VALUES (1);
RESET session_replication_role;
SELECT left_over();
DROP TABLE always;
