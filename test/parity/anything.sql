-- HyperLogLog, geo, pub/sub, scripts: one script for psql and sqlite3.
SELECT CAST(redis_pfadd('v', 'a', 'b', 3) AS integer), CAST(redis_pfadd('v', 'a') AS integer), redis_pfcount('v'), CAST(redis_pfadd('w', 'z') AS integer), redis_pfcount('v', 'w'), redis_pfcount('none');
SELECT redis_geoadd('g', 13.361389, 38.115556, 'Palermo'), redis_geoadd('g', 15.087269, 37.502669, 'Catania'), redis_geoadd('g', 15.087269, 37.502669, 'Catania');
SELECT redis_geodist('g', 'Palermo', 'Catania'), redis_geodist('g', 'Palermo', 'Catania', 'km'), redis_geodist('g', 'Palermo', 'none');
SELECT redis_geodist('g', 'Palermo', 'Catania', 'parsec');
SELECT member, dist FROM redis_geosearch('g', 15, 37, 200000);
SELECT member, dist FROM redis_geosearch('g', 15, 37, 100000);
SELECT count(*) FROM redis_geosearch('none', 15, 37, 100000);
SELECT redis_geoadd('g', 200, 100, 'nowhere');
SELECT redis_publish('channel', 'hello'), redis_publish('channel', 1), redis_publish(NULL, 'x'), redis_publish('channel', NULL);
SELECT redis_eval('return 1'), redis_eval('return {1, ''two'', false, {3}}'), redis_eval('return nil'), redis_eval(NULL);
SELECT redis_eval('return redis.call(''NOSUCH'')');
SELECT redis_eval('this is not Lua');
SELECT CAST(redis_set('a', 1) AS integer), CAST(redis_flushdb() AS integer), redis_dbsize();
