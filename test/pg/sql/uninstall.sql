-- The extension goes, and comes back into a schema of its own.
-- triggers refuse to be orphaned
CREATE TABLE kept (id int);
SELECT redis_invalidate_on('kept', 'kept:{id}');
DROP EXTENSION sqlredis;
DROP EXTENSION sqlredis CASCADE;
INSERT INTO kept VALUES (1);
DROP TABLE kept;
CREATE SCHEMA apart;
CREATE EXTENSION sqlredis SCHEMA apart;
SELECT apart.redis_ping();
CREATE TABLE kept (id int);
SELECT apart.redis_invalidate_on('kept', 'kept:{id}');
SELECT apart.redis_set('kept:1', 'v');
INSERT INTO kept VALUES (1);
SELECT apart.redis_exists('kept:1');
SELECT apart.redis_invalidate_off('kept');
DROP EXTENSION sqlredis;
DROP TABLE kept;
