-- redis_config: every setting, its default, its limits; the password never comes out.
SELECT name, redis_config(name) FROM (SELECT column1 AS name FROM (VALUES ('password'), ('key_prefix'), ('connect_timeout'), ('command_timeout'), ('commit_timeout'), ('retries'), ('on_error'), ('max_reply'), ('pending_max'), ('invalidate_keys'), ('trigger_mode'), ('trigger_commands'), ('durability'), ('commit_mode'), ('cache_lease'), ('cache_wait')));
SELECT name, redis_config(name) FROM (SELECT column1 AS name FROM (VALUES ('rate_limit_prefix'), ('idempotent_prefix'), ('queue_prefix'), ('session_prefix'), ('bullmq_prefix'), ('rate_limit_tiers'), ('rate_limit_buckets'), ('rate_limit_on_error'), ('hold'), ('queue_attempts'), ('queue_mode'), ('daily_quota'), ('quota_warning')));
SELECT redis_config('url') LIKE 'redis://127.0.0.1:%', redis_config('url') = redis_url();
.print == refused
SELECT redis_config('nosuch');
SELECT redis_config('URL');
SELECT redis_config('commit_timeout', 'soon');
SELECT redis_config('commit_timeout', 0);
SELECT redis_config('commit_timeout', '10ms');
SELECT redis_config('retries', -1);
SELECT redis_config('max_reply', 99999999999999999999);
SELECT redis_config('on_error', 'panic');
SELECT redis_config('trigger_mode', 'tem');
SELECT redis_config('trigger_commands', 2);
SELECT redis_config('durability', 'disk');
SELECT redis_config('commit_mode', 'later');
SELECT redis_config('cache_lease', 60001);
SELECT redis_config('cache_wait', -1);
SELECT redis_config('rate_limit_tiers', 'strict');
SELECT redis_config('rate_limit_tiers', 'strict=10/60 strict=20/60');
SELECT redis_config('rate_limit_tiers', 'strict=10/0');
SELECT redis_config('rate_limit_buckets', 'login');
SELECT redis_config('rate_limit_buckets', 'login=a=b');
SELECT redis_config('rate_limit_on_error', 'maybe');
SELECT redis_config('hold', 999);
SELECT redis_config('hold', 3600001);
SELECT redis_config('queue_attempts', -1);
SELECT redis_config('queue_mode', 'heap');
SELECT redis_config('daily_quota', -1);
SELECT redis_config('quota_warning', 0);
SELECT redis_config('quota_warning', 101);
SELECT redis_config('key_prefix', CAST(x'610062' AS TEXT));
SELECT redis_config();
SELECT redis_config('url', 'b', 'c');
SELECT redis_config(NULL), redis_config(NULL, 'x'), redis_config('retries', NULL);
SELECT redis_config('url', 'not a url');
SELECT redis_config('url', 'redis://user:hunter2@[::1');
SELECT redis_ping();
.print == set and unset
SELECT redis_config('retries', 0), redis_config('retries'), redis_config('commit_timeout', '100'), redis_config('key_prefix', 'a:'), redis_config('key_prefix', ''), redis_config('on_error', 'null'), redis_config('on_error', 'error');
SELECT redis_config('rate_limit_tiers', 'few=1/0.5 many=1000000/60'), redis_config('rate_limit_buckets', 'login=few'), redis_config('rate_limit_buckets', ''), redis_config('hold', 1000), redis_config('hold', ''), redis_config('queue_mode', 'list'), redis_config('queue_mode', '');
.print == an empty prefix is one
SELECT redis_config('session_prefix', ''), redis_session_set('s', '[]'), redis_get('s'), redis_config('session_prefix', 'ses:'), redis_session_get('s') IS NULL, redis_session_set('s', '{}'), redis_get('ses:s');
.print == secrets
SELECT redis_config('url', 'redis://user:hunter2@127.0.0.1:1/3?connect_timeout=500'), redis_config('url'), redis_url();
SELECT redis_config('password', 'hunter3'), redis_config('password');
SELECT redis_get('x');
SELECT redis_config('password', ''), redis_config('password');
.print == reads that fail open: NULL or no rows, writes still fail
SELECT redis_config('on_error', 'null');
.log stdout
SELECT redis_get('x'), redis_exists('x'), redis_ttl('x');
SELECT * FROM redis_scan;
SELECT count(*) FROM redis_info;
.log off
SELECT redis_config('url', 'redis://127.0.0.1:2');
SELECT redis_set('x', 1);
SELECT redis_config('url', '') IS NOT NULL;
SELECT redis_get('x'), redis_ping(), redis_set('x', 'back'), redis_get('x');
SELECT redis_call('LPUSH', 'list', 'a');
SELECT redis_get('list');
SELECT redis_config('retries', 7), redis_config('retries', '');
