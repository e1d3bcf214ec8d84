-- Functions that give rows: their arguments, by place and by name, variadic ones, NULL, and joins.
SELECT redis_set('a', 1), redis_set('b', 'two'), redis_set('bytes', x'ff00'), redis_set(x'6bff', 'odd key');
SELECT redis_hset('user:1', 'name', 'Ann', 'age', 41), redis_sadd('s', 'x', 'y'), redis_sadd('t', 'y', 'z');
.print == variadic
SELECT * FROM redis_mget('b', 'none', 'a', 's');
SELECT key, value FROM redis_mget('a', NULL, 'a');
SELECT * FROM redis_hmget('user:1', 'age', NULL, 'none', 'name');
SELECT * FROM redis_hmget(NULL, 'age');
SELECT * FROM redis_sinter('s', 't');
SELECT * FROM redis_sinter('s', NULL);
SELECT member FROM redis_sunion('s', 't') ORDER BY member;
SELECT * FROM redis_mget(x'61', 7, 1.5, x'6bff');
SELECT typeof(key), typeof(value), hex(value) FROM redis_mget('bytes', x'6bff');
.print == as many as SQLite allows
SELECT hidden, count(*) FROM pragma_table_xinfo('redis_mget') GROUP BY hidden;
SELECT hidden, count(*) FROM pragma_table_xinfo('redis_hmget') GROUP BY hidden;
SELECT group_concat(name) FROM (SELECT name FROM pragma_table_xinfo('redis_hmget') LIMIT 6);
SELECT group_concat(name) FROM (SELECT name FROM pragma_table_xinfo('redis_sinter') LIMIT 4);
SELECT group_concat(name || hidden) FROM pragma_table_xinfo('redis_zrange');
SELECT * FROM redis_mget(1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31,32,33,34,35,36,37,38,39,40,41,42,43,44,45,46,47,48,49,50,51,52,53,54,55,56,57,58,59,60,61,62,63,64,65,66,67,68,69,70,71,72,73,74,75,76,77,78,79,80,81,82,83,84,85,86,87,88,89,90,91,92,93,94,95,96,97,98,99,100,101,102,103,104,105,106,107,108,109,110,111,112,113,114,115,116,117,118,119,120,121,122,123,124,125,126,'b') LIMIT 2 OFFSET 125;
SELECT * FROM redis_mget(1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31,32,33,34,35,36,37,38,39,40,41,42,43,44,45,46,47,48,49,50,51,52,53,54,55,56,57,58,59,60,61,62,63,64,65,66,67,68,69,70,71,72,73,74,75,76,77,78,79,80,81,82,83,84,85,86,87,88,89,90,91,92,93,94,95,96,97,98,99,100,101,102,103,104,105,106,107,108,109,110,111,112,113,114,115,116,117,118,119,120,121,122,123,124,125,126,127,128);
.print == NULL where SQLite compares the argument itself
SELECT count(*), count(key) FROM redis_mget(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, NULL, 17);
SELECT count(*), count(key) FROM redis_mget(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, NULL);
SELECT count(*) FROM redis_sinter('s','s','s','s','s','s','s','s','s','s','s','s','s','s','s','s','s',x'73');
.print == missing and misplaced arguments
SELECT * FROM redis_mget;
SELECT * FROM redis_hmget('user:1');
SELECT * FROM redis_hmget WHERE field = 'age';
SELECT * FROM redis_hgetall;
SELECT * FROM redis_zrangebyscore('z', 1);
SELECT * FROM redis_mget WHERE arg_key = 'a' AND arg_key3 = 'b';
SELECT * FROM redis_mget WHERE arg_key2 = 'a';
SELECT * FROM redis_hgetall('user:1', 'name');
SELECT * FROM redis_mget WHERE key > 'a';
SELECT * FROM redis_mget WHERE key = 'a' OR value = 'two';
.print == by name; what is given is shown
SELECT * FROM redis_mget WHERE arg_key = 'a' AND arg_key2 = 'b';
SELECT field, value, key, arg_field FROM redis_hmget('user:1', 'age');
SELECT DISTINCT key, key2 IS NULL FROM redis_smembers('s'), (SELECT NULL AS key2);
SELECT field FROM redis_hgetall WHERE key IN ('user:1', 'user:2') ORDER BY field;
SELECT pattern, type FROM redis_scan('a', 'string');
SELECT key FROM redis_scan('a') WHERE pattern = 'b';
SELECT key, pattern FROM redis_scan WHERE pattern = 'a' OR pattern = 'b' OR (pattern = '[ab]' AND type = 'string') ORDER BY key, pattern;
SELECT key, field FROM redis_hgetall WHERE key = 'user:1' OR key = 'user:2' ORDER BY field;
SELECT t.member FROM redis_smembers('s') s FULL JOIN redis_smembers('t') t USING (member) ORDER BY 1;
.print == the column that shows the key names it, too
SELECT * FROM redis_mget WHERE key = 'b';
SELECT * FROM redis_mget WHERE key = NULL;
SELECT * FROM redis_mget WHERE key IS 'b';
SELECT key, value, typeof(key) FROM redis_mget WHERE key = 7;
SELECT key, value FROM redis_mget WHERE key = x'61';
SELECT hex(key), value FROM redis_mget WHERE key = x'6bff';
SELECT * FROM redis_hmget('user:1') WHERE field = 'age';
SELECT * FROM redis_hmget WHERE key = 'user:1' AND field IN ('name', 'age') ORDER BY field;
.print == IN
SELECT * FROM redis_mget WHERE key IN ('b', 'none', 'a', NULL, 'b') ORDER BY key;
SELECT * FROM redis_mget WHERE key IN (NULL);
SELECT * FROM redis_mget WHERE key IN (SELECT 'a' WHERE 0);
SELECT hex(key), value FROM redis_mget WHERE key IN (x'61', x'6bff', 7, '') ORDER BY 1;
SELECT key, value FROM redis_mget WHERE key IN (SELECT key FROM redis_scan('?')) ORDER BY key;
SELECT key FROM redis_mget WHERE key IN ('a', 'b', 'none') AND value IS NULL;
SELECT key FROM redis_mget WHERE key IN ('a', 'b') AND key IN ('b', 'c');
SELECT key, value FROM redis_mget WHERE key IN ('a', 'b') AND key = 'a';
SELECT key FROM redis_mget WHERE key = 'a' OR key = 'b' ORDER BY key;
SELECT key FROM redis_mget WHERE key = 'a' OR key = lower('A') OR key = upper('x') ORDER BY key;
SELECT * FROM redis_mget WHERE key NOT IN ('a');
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 40000)
SELECT count(*), count(value), min(key), max(key) FROM redis_mget WHERE key IN (SELECT 'many:' || i FROM n);
SELECT p.column1, count(value) FROM (VALUES ('a'), ('none')) p LEFT JOIN redis_mget m ON m.key IN (p.column1, 'b') GROUP BY 1 ORDER BY 1;
.print == with arguments by place, it is a condition like any other
SELECT * FROM redis_mget('a', 'b') WHERE key = 'b';
SELECT * FROM redis_mget('a', 'b') WHERE key IN ('b', 'c');
SELECT * FROM redis_mget('a', 'b', NULL) WHERE key IS NULL;
.print == OR: SQLite asks about each branch without what stands beside it
SELECT redis_hset('pets', 'cat', 'Tom', 'dog', 'Rex', 'owl', 'Uhu');
SELECT * FROM redis_hgetall('pets') WHERE field = 'cat' OR field = 'dog' ORDER BY field;
SELECT * FROM redis_hgetall((SELECT 'pets')) WHERE field = 'cat' OR (field = 'dog' AND value = 'Rex') ORDER BY field;
SELECT * FROM redis_hmget('pets') WHERE field IN ('cat', 'owl') AND (field = 'cat' OR value = 'Uhu') ORDER BY field;
SELECT * FROM redis_mget WHERE key = 'a' OR (key = 'b' AND value = 'two') OR key IN ('none', 'a') ORDER BY key;
SELECT * FROM redis_mget('a', 'b', 'none') WHERE key = 'a' OR (key = 'b' AND value = 'two') ORDER BY key;
SELECT * FROM redis_mget((SELECT 'a'), 'b', 'none') WHERE key = 'a' OR (key = 'b' AND value = 'two') ORDER BY key;
SELECT redis_zadd('once', 1, 'x') + redis_zadd('once', 2, 'y') + redis_zadd('once', 3, 'z');
SELECT * FROM redis_zpopmin('once', 2) WHERE member = 'x' OR (member = 'y' AND score = 2) ORDER BY member;
SELECT redis_zcard('once');
.print == joins
CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT);
INSERT INTO users VALUES (1, 'Ann'), (2, 'Bob'), (3, 'Cid');
CREATE TABLE t (id INTEGER PRIMARY KEY, k);
INSERT INTO t VALUES (1, 'a'), (2, 'none'), (3, NULL), (4, 'b'), (5, x'6bff');
SELECT redis_zadd('board', 10, 1), redis_zadd('board', 30, 3), redis_zadd('board', 20, 'nobody');
SELECT u.name, s.score FROM redis_zrange('board', 0, 9, true) s JOIN users u ON u.id = s.member;
SELECT s.member, u.name FROM redis_zrange('board') s LEFT JOIN users u ON u.id = s.member;
SELECT t.id, m.value FROM t JOIN redis_mget m ON m.key = t.k ORDER BY t.id;
SELECT t.id, m.value FROM t LEFT JOIN redis_mget m ON m.key = t.k ORDER BY t.id;
SELECT t.id, m.key, m.value FROM t LEFT JOIN redis_mget(t.k) m ON 1 ORDER BY t.id;
SELECT t.id, m.value FROM redis_mget m JOIN t ON t.k = m.key WHERE m.key IN (SELECT k FROM t) ORDER BY t.id;
SELECT u.id, h.field, h.value FROM users u LEFT JOIN redis_hmget('user:' || u.id, 'age') h ORDER BY u.id;
SELECT m.value FROM redis_mget m, redis_scan('?') s WHERE m.key = s.key ORDER BY 1;
SELECT (SELECT value FROM redis_mget WHERE key = t.k) FROM t ORDER BY id;
SELECT count(*) FROM t WHERE EXISTS (SELECT 1 FROM redis_mget(t.k) m WHERE m.value IS NOT NULL);
.print == kinds of arguments and columns
SELECT rank, member, score FROM redis_zrange('board', -1, -1, false);
SELECT member FROM redis_zrange('board', 0, 0, 1);
SELECT member FROM redis_zrangebyscore('board', '(10', 'inf', 1);
SELECT member FROM redis_zrangebyscore('board', 9.5, 20);
SELECT member FROM redis_zrangebyscore('board', 'x', 20);
SELECT redis_zadd('numbers', '-inf', 'least'), redis_zadd('numbers', 9e999, 'most'), redis_zadd('numbers', 9007199254740993, 'big');
SELECT member, score < -1e308, score > 1e308, score = 9007199254740992.0, typeof(score) FROM redis_zrange('numbers');
SELECT redis_sadd('mixed', x'fffe', 'text'), redis_rpush('l', x'00', 'u', 'ü');
SELECT typeof(member), hex(member) FROM redis_smembers('mixed') ORDER BY 2;
SELECT idx, typeof(value), hex(value) FROM redis_lrange('l');
SELECT redis_call('XADD', 'events', '1-1', 'user', 'Ann', 'n', 1);
SELECT id, fields, json_extract(fields, '$.user'), json_array(fields), json_object('e', fields) FROM redis_xrange('events');
SELECT redis_hset_json('h', json_object('a', 1, 'b', json_array(1, 2))), redis_hset_json('h', NULL);
SELECT redis_hset_json('h', '[1]');
SELECT redis_eval('return {KEYS[1], ARGV[1], ARGV[2]}', json_array('k'), '["x", 2]');
SELECT redis_eval('return 1', '{"k": 1}');
SELECT * FROM redis_mget_json(json_array('b', NULL, 'a'));
SELECT * FROM redis_mget_json('{"a": 1}');
SELECT * FROM redis_hgetall('board');
