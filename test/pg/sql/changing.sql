-- Settings that change in the middle of a statement: a function's own SET, in what the statement calls.
\getenv url REDIS_URL
SELECT :'url' || '/1' AS other \gset
SELECT fill();
SET sqlredis.url = :'other';
SELECT fill();
RESET sqlredis.url;
CREATE FUNCTION keys_elsewhere() RETURNS text LANGUAGE sql SET sqlredis.url = :'other' AS
	$$ SELECT left_over() $$;
CREATE FUNCTION elsewhere(key text) RETURNS text LANGUAGE plpgsql SET sqlredis.url = :'other' AS $$
BEGIN
	PERFORM redis_mset('elsewhere ' || key, key);
	RETURN key;
END $$;
CREATE FUNCTION as_tenant(key text) RETURNS text LANGUAGE plpgsql
	SET sqlredis.key_prefix = 'a tenant with a name so long that memory moves:' AS $$
BEGIN
	PERFORM redis_set('used', key);
	RETURN key;
END $$;

-- an aggregate's rows go where its statement's settings say
SELECT redis_mset('k' || i, elsewhere('k' || i)) FROM generate_series(1, 3) i;
SELECT left_over(), keys_elsewhere();
SELECT i % 2 AS g, redis_del_agg(elsewhere('k' || i)) FROM generate_series(1, 3) i GROUP BY 1 ORDER BY 1;
SELECT left_over(), keys_elsewhere();
SET sqlredis.key_prefix = 'p:';
SELECT redis_mset(as_tenant('k' || i), i) FROM generate_series(1, 3) i;
SELECT i, redis_get_batch(as_tenant('k' || i)) OVER () FROM generate_series(1, 4) i;
SELECT i, redis_get_batch(elsewhere('k' || i)) OVER () FROM generate_series(1, 4) i;
RESET sqlredis.key_prefix;
SELECT left_over(), keys_elsewhere();
-- in a cursor, between its groups
SELECT fill();
BEGIN;
DECLARE c CURSOR FOR SELECT g, redis_mset('c' || g, g) FROM generate_series(1, 3) g GROUP BY g ORDER BY g;
FETCH 1 FROM c;
SELECT elsewhere('c');
FETCH 2 FROM c;
COMMIT;
SELECT left_over();
-- and every page comes from where the first one came from
SELECT fill();
SELECT redis_mset('k' || i, i) FROM generate_series(1, 1500) i;
SELECT count(DISTINCT k), count(DISTINCT e) FROM (SELECT redis_scan('k*') AS k, elsewhere('k') AS e) s;
SELECT count(*), count(value)
FROM (SELECT (redis_mget(VARIADIC ARRAY(SELECT 'k' || i FROM generate_series(1, 1500) i))).value, elsewhere('k')) s;
DROP FUNCTION as_tenant, elsewhere, keys_elsewhere;
