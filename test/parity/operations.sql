-- Operations: one script for psql and sqlite3.
SELECT redis_ping();
SELECT redis_version();
SELECT CAST(ok AS integer), CAST(latency_ms >= 0 AS integer), CAST(server LIKE '127.0.0.1:%' AS integer), CAST(version <> '' AS integer), role, CAST(tls AS integer), error FROM redis_health();
SELECT CAST(redis_url() LIKE 'redis://127.0.0.1:%' AS integer);
SELECT count(*) FROM redis_info('server') WHERE name = 'redis_version';
SELECT DISTINCT section FROM redis_info('replication');
SELECT name, value FROM redis_info('replication') WHERE name = 'role';
SELECT CAST(count(DISTINCT section) > 5 AS integer) FROM redis_info();
SELECT count(*) FROM redis_info('no such section');
-- statistics are of this session
SELECT redis_get('miss');
SELECT CAST(redis_set('hit', '1') AS integer), redis_get('hit');
SELECT redis_call('NOSUCHCOMMAND');
SELECT name FROM redis_stats() WHERE name IN ('commands', 'round_trips', 'hits', 'misses', 'hit_rate', 'errors', 'connects', 'reconnects', 'breaker', 'invalidations_queued', 'invalidations_sent', 'invalidations_failed') ORDER BY name;
SELECT name, value FROM redis_stats() WHERE name IN ('breaker', 'reconnects', 'connects', 'errors', 'misses') ORDER BY name;
SELECT CAST(CAST(value AS integer) >= 8 AS integer) FROM redis_stats() WHERE name = 'commands';
