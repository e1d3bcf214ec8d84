-- Locks: one script for psql and sqlite3. Tokens are random: they are kept in a table.
CREATE TABLE tokens (name text, token text);
INSERT INTO tokens SELECT 'job', redis_lock('job', 30);
SELECT length(token), CAST(token = redis_get('job') AS integer) FROM tokens;
SELECT CAST(redis_ttl('job') > 20 AS integer), CAST(redis_ttl('job') <= 30 AS integer);
-- held: refused at once, and after waiting
SELECT redis_lock('job'), redis_lock('job', 30), redis_lock('job', 30, 0.1);
-- only the holder may
SELECT CAST(redis_unlock('job', 'somebody else') AS integer), CAST(redis_lock_extend('job', 'somebody else', 60) AS integer);
SELECT CAST(redis_lock_extend('job', token, 60) AS integer), CAST(redis_ttl('job') > 50 AS integer) FROM tokens;
SELECT CAST(redis_unlock('job', token) AS integer) FROM tokens;
-- gone
SELECT redis_exists('job');
SELECT CAST(redis_unlock('job', token) AS integer), CAST(redis_lock_extend('job', token, 60) AS integer) FROM tokens;
-- taken again, with another token; the defaults
INSERT INTO tokens SELECT 'again', redis_lock('job');
SELECT count(DISTINCT token) FROM tokens;
SELECT CAST(redis_ttl('job') > 20 AS integer), CAST(redis_ttl('job') <= 30 AS integer);
-- a lock that runs out while somebody waits for it
INSERT INTO tokens SELECT 'short', redis_lock('short', 0.2);
SELECT length(redis_lock('short', 30, 10));
-- arguments
SELECT redis_lock(NULL), redis_unlock(NULL, 'x'), redis_unlock('job', NULL), redis_lock_extend('job', 'x', NULL);
SELECT redis_lock('other', 0);
SELECT redis_lock('other', -1);
SELECT redis_lock('other', 1, -1);
SELECT redis_exists('other');
DROP TABLE tokens;
