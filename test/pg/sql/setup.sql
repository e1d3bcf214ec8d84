-- Helpers for the tests that follow.
SELECT redis_ping();

-- Cache the named keys; then `left_over` says which are still there.
CREATE FUNCTION fill(VARIADIC keys text[] DEFAULT '{}') RETURNS void LANGUAGE plpgsql AS $$
DECLARE k text;
BEGIN
	PERFORM redis_call('FLUSHDB');
	FOREACH k IN ARRAY keys LOOP
		PERFORM redis_set(k, 'cached');
	END LOOP;
END $$;
CREATE FUNCTION left_over() RETURNS text LANGUAGE sql AS
	$$ SELECT coalesce(string_agg(key, ' ' ORDER BY key COLLATE "C"), '(none)') FROM redis_scan() $$;
-- How often an UNLINK was sent, by Redis's own count.
CREATE FUNCTION unlinks() RETURNS bigint LANGUAGE sql AS
	$$ SELECT coalesce(max(substring(value FROM 'calls=(\d+)')::bigint), 0)
	   FROM redis_info('commandstats') WHERE name = 'cmdstat_unlink' $$;
