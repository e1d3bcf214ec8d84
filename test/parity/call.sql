-- redis_call: any command, its reply as JSON. One script for psql and sqlite3.
SELECT redis_call('PING');
SELECT redis_call('ping', 'hello');
SELECT redis_call('SET', 'k', 'v');
SELECT redis_call('GET', 'k'), redis_call('GET', 'none');
SELECT redis_call('INCR', 'n'), redis_call('INCRBY', 'n', 41);
SELECT redis_call('RPUSH', 'list', 'a', 'b "quoted"', 'ü');
SELECT redis_call('LRANGE', 'list', 0, -1);
SELECT redis_call('LRANGE', 'none', 0, -1);
SELECT redis_call('MGET', 'k', 'none', 'n');
SELECT redis_call('EVAL', 'return {1, {2, {3, ''four''}}, false}', 0);
SELECT redis_call('HSET', 'h', 'f', 'v', 'g', 'w'), redis_call('HGET', 'h', 'g');
SELECT redis_call('SETEX', 'x', 100, 'y');
-- errors keep Redis's words
SELECT redis_call('NOSUCHCOMMAND');
SELECT redis_call('GET');
SELECT redis_call('INCR', 'list');
-- what would corrupt the connection that statements share is refused, however it is spelt
SELECT redis_call('SELECT', 1);
SELECT redis_call('multi');
SELECT redis_call('Subscribe', 'c');
SELECT redis_call('MONITOR');
SELECT redis_call('AUTH', 'x');
SELECT redis_call('CLIENT', 'REPLY', 'OFF');
SELECT redis_call('QUIT');
SELECT redis_call('HELLO', 3);
SELECT redis_call('RESET');
-- and the next answer is the right one
SELECT redis_call('ECHO', 'still in step');
-- a blocking command ends by itself
SELECT redis_call('BLPOP', 'nothing here', 0.1);
SELECT redis_call(NULL);
SELECT redis_call('');
