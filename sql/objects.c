/*
 * objects.c - the extension's objects in PostgreSQL that are no functions of commands.def: tables, triggers, views.
 */
#include "generate.h"

#include <stdio.h>

/* clang-format off */
void print_own_objects(void)
{
	printf(
		"-- The trigger function. Writing to a table that has the trigger needs no right on it;\n"
		"-- creating the trigger does.\n\n"
		"CREATE FUNCTION redis_invalidate()\n\tRETURNS trigger\n\tLANGUAGE C\n"
		"\tAS 'MODULE_PATHNAME', 'pg_redis_invalidate_trigger';\n"
		"REVOKE ALL ON FUNCTION redis_invalidate() FROM PUBLIC;\n"
		"COMMENT ON FUNCTION redis_invalidate() IS\n"
		"\t'Trigger: queues the keys that its arguments, templates such as user:{id}, name.';\n\n"
		"-- What committed transactions owe Redis, written by the transactions themselves and deleted when it is\n"
		"-- delivered: see redis_outbox(). A materialized view, because no publication holds one: a subscriber to\n"
		"-- all tables need not have the extension. Rows come and go behind SQL's back; REFRESH keeps them.\n\n"
		"CREATE FUNCTION redis_outbox_rows(OUT id bigint, OUT created_at timestamptz, OUT effects bytea)\n"
		"\tRETURNS SETOF record\n\tLANGUAGE C\n\tAS 'MODULE_PATHNAME', 'pg_redis_outbox_rows';\n"
		"REVOKE ALL ON FUNCTION redis_outbox_rows() FROM PUBLIC;\n"
		"CREATE MATERIALIZED VIEW sqlredis_outbox USING heap\n"
		"\tWITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000)\n"
		"\tAS SELECT id, created_at, effects FROM redis_outbox_rows();\n\n"
		"-- Emptied by crash recovery and by a promotion: what was cached before is then void.\n\n"
		"CREATE UNLOGGED TABLE sqlredis_epoch (epoch bytea NOT NULL, system_identifier bigint NOT NULL,\n"
		"\tdatabase oid NOT NULL) USING heap;\n\n"
		"-- What all sessions did with Redis. Monitoring agents are members of pg_monitor.\n\n"
		"CREATE VIEW redis_stat AS SELECT name, value FROM redis_stats_total();\n"
		"COMMENT ON VIEW redis_stat IS 'What all sessions did with Redis since stats_reset.';\n"
		"GRANT SELECT ON redis_stat TO pg_monitor;\n"
		"GRANT EXECUTE ON FUNCTION redis_stats_total() TO pg_monitor;\n\n"
		"-- Keeps triggers and their templates true when tables change.\n\n"
		"CREATE FUNCTION redis_check_ddl()\n\tRETURNS event_trigger\n\tLANGUAGE C\n"
		"\tAS 'MODULE_PATHNAME', 'pg_redis_check_ddl';\n"
		"REVOKE ALL ON FUNCTION redis_check_ddl() FROM PUBLIC;\n"
		"CREATE EVENT TRIGGER sqlredis_check_ddl ON ddl_command_end\n"
		"\tWHEN TAG IN ('ALTER TABLE', 'CREATE SCHEMA', 'CREATE TABLE', 'CREATE TRIGGER')\n"
		"\tEXECUTE FUNCTION redis_check_ddl();\n"
		"ALTER EVENT TRIGGER sqlredis_check_ddl ENABLE ALWAYS;\n");
}
/* clang-format on */
