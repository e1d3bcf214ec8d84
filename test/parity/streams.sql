-- Streams: one script for psql and sqlite3. Ids that Redis makes differ from run to run.
SELECT CAST(redis_xadd('x', 'type', 'login', 'user', 1) LIKE '%-%' AS integer), redis_xlen('x'), redis_xlen('none');
SELECT fields FROM redis_xrange('x');
SELECT redis_xadd('x', 'a', 'b', 'odd');
SELECT redis_call('XADD', 'y', '5-1', 'n', '1'), redis_call('XADD', 'y', '5-2', 'n', '2', 'n', 'twice', 'q"\', 'ü'), redis_call('XADD', 'y', '6-0', 'n', '3');
SELECT id, fields FROM redis_xrange('y');
SELECT id FROM redis_xrange('y', '5-2');
SELECT id FROM redis_xrange('y', '-', '5');
SELECT id FROM redis_xrange('y', '(5-1', '(6-0');
SELECT id FROM redis_xrange('y', '-', '+', 2);
SELECT count(*) FROM redis_xrange('y', '-', '+', 0);
SELECT count(*) FROM redis_xrange('y', '7', '9');
SELECT count(*) FROM redis_xrange('none');
SELECT * FROM redis_xrange('y', 'not an id');
SELECT id, fields FROM redis_xread('y', '5-1');
SELECT id FROM redis_xread('y', '0', 1);
SELECT count(*) FROM redis_xread('y', '6-0');
SELECT count(*) FROM redis_xread('y', '$');
SELECT count(*) FROM redis_xread('none', '0');
SELECT redis_xdel('y', '5-1', '9-9'), redis_xlen('y'), redis_xtrim('y', 1), redis_xlen('y');
SELECT CAST(redis_xadd_json('j', '{"a": 1.10, "b": "x", "c": null, "d": [1, 2]}') LIKE '%-%' AS integer), redis_xadd_json('j', '{"c": null}'), redis_xadd_json('j', NULL);
SELECT fields FROM redis_xrange('j');
-- longer than a page
SELECT count(redis_call('XADD', 'big', '7-' || i, 'i', i))
  FROM (WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2500) SELECT i FROM n) AS numbers;
SELECT count(*), count(DISTINCT id) FROM redis_xrange('big');
SELECT count(*), count(DISTINCT id) FROM redis_xread('big', '7-100');
SELECT count(*), count(DISTINCT id) FROM redis_xrange('big', '7-10', '7-1010', 1500);
SELECT count(*), count(DISTINCT id) FROM redis_xread('big', '0', 1001);
-- the last id there can be
SELECT redis_call('XADD', 'end', '18446744073709551615-18446744073709551614', 'a', '1'), redis_call('XADD', 'end', '18446744073709551615-18446744073709551615', 'a', '2');
SELECT id FROM redis_xrange('end');
SELECT redis_rpush('list', 'x');
SELECT redis_xadd('list', 'f', 'v');
SELECT * FROM redis_xrange('list');
SELECT * FROM redis_xread('list', '0');
SELECT redis_xadd(NULL, 'f', 'v'), redis_xadd('n', NULL, 'v'), redis_xadd('n', 'f', NULL), redis_xdel('y', NULL), redis_exists('n');
