-- A ticket shop, in SQL: stock and limits in Redis, orders in the database, and the two never apart.
-- The same script runs in PostgreSQL (psql -v ON_ERROR_STOP=0 -f tickets.sql) and in SQLite
-- (sqlite3 shop.db, .load sqlredis, PRAGMA trusted_schema = ON, .read tickets.sql).
-- Booleans and doubles are cast where the two print them differently.

CREATE TABLE events (id integer PRIMARY KEY, name text NOT NULL, price integer NOT NULL, seats integer NOT NULL);
CREATE TABLE orders (id text PRIMARY KEY, event integer NOT NULL, buyer text NOT NULL, quantity integer NOT NULL);
INSERT INTO events VALUES (1, 'Nabucco', 40, 5);

-- What is shown of an event is cached; a changed row takes its entry along, when it commits.
SELECT redis_invalidate_on('events', 'event:{id}');
SELECT redis_cached('event:1', 300, 'SELECT name || '' for '' || price FROM events WHERE id = $1', 1);
UPDATE events SET price = 45 WHERE id = 1;
SELECT redis_cached('event:1', 300, 'SELECT name || '' for '' || price FROM events WHERE id = $1', 1);

-- The seats that are left are counted in Redis, where thousands of buyers a second may ask.
SELECT redis_hset('seats', '1', seats) FROM events;

-- 1. Ann buys two seats. Her browser sent the key of the payment, so that a repeat does not pay twice.
-- A buyer may try ten times a minute: the tier called strict.
SELECT CAST(allowed AS integer), remaining FROM redis_rate_limit_tier('strict', 'ann');
BEGIN;
SELECT CAST(redis_idempotent('payment:a1') AS integer);
SELECT redis_reserve('seats', '1', 2);
INSERT INTO orders VALUES ('a1', 1, 'ann', 2);
SELECT CAST(redis_enqueue('mail', '{"to": "ann", "order": "a1"}') IS NOT NULL AS integer);
SELECT redis_idempotent_result('payment:a1', 'two seats, order a1');
COMMIT;

-- 2. Her browser sends it again: the answer of the first time, and nothing else happens.
SELECT CAST(redis_idempotent('payment:a1') AS integer), redis_idempotent_result('payment:a1');

-- 3. Bob's card is refused half-way, and the transaction rolls back: seats and the payment's key are given back, and no
-- mail was ever queued.
BEGIN;
SELECT CAST(redis_idempotent('payment:b1') AS integer);
SELECT redis_reserve('seats', '1', 3);
SELECT CAST(redis_enqueue('mail', '{"to": "bob", "order": "b1"}') IS NOT NULL AS integer);
INSERT INTO orders VALUES ('b1', 1, 'bob', 3);
ROLLBACK;
SELECT redis_hget('seats', '1'), redis_queue_len('mail');

-- 4. He tries again with four, of which there are too few, then with three, which he gets.
SELECT CAST(redis_reserve('seats', '1', 4) IS NULL AS integer);
BEGIN;
SELECT CAST(redis_idempotent('payment:b1') AS integer);
SELECT redis_reserve('seats', '1', 3);
INSERT INTO orders VALUES ('b1', 1, 'bob', 3);
SELECT CAST(redis_enqueue('mail', '{"to": "bob", "order": "b1"}') IS NOT NULL AS integer);
COMMIT;

-- 5. A robot buys too often.
SELECT CAST(redis_allow('ip:192.0.2.7', 2, 3600) AS integer), CAST(redis_allow('ip:192.0.2.7', 2, 3600) AS integer),
	CAST(redis_allow('ip:192.0.2.7', 2, 3600) AS integer);

-- 6. The mailer. A job that it does not acknowledge is handed out again.
BEGIN;
CREATE TEMPORARY TABLE job AS SELECT id, payload, attempts FROM redis_dequeue('mail');
SELECT payload, attempts FROM job;
ROLLBACK;
BEGIN;
CREATE TEMPORARY TABLE job AS SELECT id, payload, attempts FROM redis_dequeue('mail');
SELECT payload, attempts FROM job;
SELECT CAST(redis_ack('mail', id) AS integer) FROM job;
COMMIT;
DROP TABLE job;
CREATE TEMPORARY TABLE job AS SELECT id, payload, attempts FROM redis_dequeue('mail');
SELECT payload, attempts, CAST(redis_ack('mail', id) AS integer) FROM job;

-- 7. One of several processes writes the report; the others see that somebody does.
BEGIN;
SELECT CAST(redis_xact_lock('report') AS integer), CAST(redis_lock('report') IS NULL AS integer);
SELECT count(*), sum(quantity) FROM orders;
COMMIT;

-- What is left.
SELECT redis_hget('seats', '1'), redis_queue_len('mail'), redis_queue_len('mail', 'reserved');
