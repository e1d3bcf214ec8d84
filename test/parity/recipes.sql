-- Locks, limits, idempotency, reservation, queues and sessions: one script for psql and sqlite3.
-- locks: a fence for the holder only, and larger for the next
SELECT CAST(redis_set('door', 'a token', 60) AS integer);
SELECT CAST(redis_lock_fence('door', 'a token') > 0 AS integer), CAST(redis_lock_fence('door', 'another') IS NULL AS integer);
SELECT CAST(redis_lock_fence('door', 'a token') = redis_lock_fence('door', 'a token') AS integer);
SELECT CAST(redis_lock_fence('nobody', 'a token') IS NULL AS integer);
-- a lock of the transaction
BEGIN;
SELECT CAST(redis_xact_lock('room') AS integer), CAST(redis_xact_lock('room') AS integer), CAST(redis_lock('room') IS NULL AS integer);
SAVEPOINT a;
SELECT CAST(redis_xact_lock('hall') AS integer);
ROLLBACK TO a;
SELECT redis_exists('room'), redis_exists('hall');
SAVEPOINT b;
SELECT CAST(redis_xact_lock('hall') AS integer);
RELEASE b;
SELECT redis_exists('room'), redis_exists('hall');
ROLLBACK;
SELECT redis_exists('room', 'hall');
SELECT CAST(redis_xact_lock('room') AS integer);
SELECT redis_exists('room');
SELECT CAST(redis_xact_lock(NULL) IS NULL AS integer);
SELECT redis_xact_lock('room', -1);
-- rate limits
SELECT CAST(allowed AS integer), remaining, CAST(retry_after AS integer), CAST(reset_at > 1700000000 AS integer), reason FROM redis_rate_limit('a', 3, 3600);
SELECT CAST(allowed AS integer), remaining, reason FROM redis_rate_limit('a', 3, 3600, 3);
SELECT CAST(allowed AS integer), remaining, CAST(retry_after IS NULL AS integer), reason FROM redis_rate_limit('a', 3, 3600, 4);
SELECT CAST(allowed AS integer), remaining, reason FROM redis_rate_limit('a', 3, 3600, 2);
SELECT CAST(allowed AS integer), remaining, CAST(retry_after > 0 AS integer), reason FROM redis_rate_limit('a', 3, 3600);
SELECT CAST(allowed AS integer), remaining FROM redis_rate_limit('a', 3, 3600, -2);
SELECT CAST(allowed AS integer), remaining FROM redis_rate_limit_peek('a', 3, 3600);
SELECT CAST(allowed AS integer), remaining FROM redis_rate_limit_peek('a', 3, 3600);
SELECT CAST(redis_rate_limit_reset('a') AS integer), CAST(redis_rate_limit_reset('a') AS integer);
SELECT CAST(allowed AS integer), remaining FROM redis_rate_limit('f', 2, 3600, 1, 'fixed');
SELECT CAST(allowed AS integer), remaining FROM redis_rate_limit('t', 2, 3600, 2, 'token_bucket');
SELECT CAST(allowed AS integer), remaining FROM redis_rate_limit('g', 16, 32, 1, 'gcra');
SELECT CAST(redis_rate_limit_override('o', 5) AS integer), CAST(redis_allow('o', 1, 60, 5) AS integer), CAST(redis_allow('o', 1, 60) AS integer);
SELECT CAST(redis_rate_limit_override('o') AS integer), CAST(redis_rate_limit_override('o') AS integer);
SELECT CAST(allowed AS integer), remaining FROM redis_rate_limit_tier('moderate', 'ann', 10);
SELECT allowed FROM redis_rate_limit_tier('no such bucket', 'ann');
SELECT CAST(allowed AS integer) FROM redis_rate_limit('a', 0, 60);
SELECT allowed FROM redis_rate_limit('a', 1, 0);
SELECT allowed FROM redis_rate_limit('a', 1, 60, 1, 'leaky');
SELECT count(*) FROM redis_rate_limit(NULL, 1, 60);
-- once
SELECT CAST(redis_idempotent('p1', 60) AS integer), CAST(redis_ttl('idem:p1') <= 60 AS integer);
SELECT CAST(redis_idempotent('p1', 60) AS integer), CAST(redis_idempotent_result('p1') IS NULL AS integer);
BEGIN;
SELECT CAST(redis_idempotent('p2') AS integer), CAST(redis_idempotent('p2') AS integer), CAST(redis_idempotent_result('p2') IS NULL AS integer);
ROLLBACK;
BEGIN;
SELECT CAST(redis_idempotent('p2') AS integer), redis_idempotent_result('p2', 'done it');
COMMIT;
SELECT CAST(redis_idempotent('p2') AS integer), redis_idempotent_result('p2');
SELECT redis_idempotent_result('p2', 'again');
-- stock
SELECT redis_hset('stock', 'apples', 10, 'text', 'many');
BEGIN;
SELECT redis_reserve('stock', 'apples', 4);
SAVEPOINT a;
SELECT redis_reserve('stock', 'apples', 6);
SELECT CAST(redis_reserve('stock', 'apples', 1) IS NULL AS integer);
ROLLBACK TO a;
SELECT redis_hget('stock', 'apples');
COMMIT;
SELECT redis_hget('stock', 'apples'), CAST(redis_reserve('stock', 'pears', 1) IS NULL AS integer);
SELECT redis_reserve('stock', 'apples', 0);
SELECT redis_reserve('stock', 'text', 1);
-- queues
BEGIN;
SELECT length(redis_enqueue('q', 'first')), length(redis_enqueue('q', 'low', 2)), length(redis_enqueue('q', 'high', 1));
SELECT redis_queue_len('q'), count(*) FROM redis_pending();
SAVEPOINT a;
SELECT length(redis_enqueue('q', 'never'));
ROLLBACK TO a;
COMMIT;
SELECT redis_queue_len('q');
SELECT payload, attempts FROM redis_dequeue('q');
SELECT payload, attempts FROM redis_dequeue('q');
SELECT payload, attempts FROM redis_dequeue('q');
SELECT count(*) FROM redis_dequeue('q');
SELECT redis_queue_len('q'), redis_queue_len('q', 'reserved'), redis_queue_len('q', 'dead');
SELECT length(redis_enqueue('r', 'later', NULL, 3600));
SELECT redis_queue_len('r', 'delayed'), redis_queue_len('r');
SELECT redis_lpush('queue:plain', 'from elsewhere');
SELECT payload, attempts, length(id) FROM redis_dequeue('plain');
SELECT CAST(redis_ack('q', 'unknown') AS integer), CAST(redis_nack('q', 'unknown') AS integer);
-- sessions
SELECT CAST(redis_session_set('s', '{"user": 1}', 60) AS integer), redis_session_get('s'), CAST(redis_session_get('t') IS NULL AS integer);
SELECT CAST(redis_session_destroy('s') AS integer), CAST(redis_session_destroy('s') AS integer);
SELECT redis_session_set('s', 'no json');
-- BullMQ
BEGIN;
SELECT redis_bullmq_add('mail', 'welcome', '{"to": "ann"}');
ROLLBACK;
SELECT redis_bullmq_add('mail', 'welcome', '{"to": "ann"}'), redis_bullmq_add('mail', 'welcome', '{}', '{"jobId": "my-id", "delay": 60000}');
SELECT redis_hget('bull:mail:2', 'data'), redis_hget('bull:mail:my-id', 'delay'), redis_llen('bull:mail:wait');
SELECT redis_bullmq_add('mail', 'welcome', '{}', '[]');
SELECT redis_bullmq_add('mail', 'welcome', '{}', '{"delay": -1}');
