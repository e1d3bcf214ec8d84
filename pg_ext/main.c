/*
 * main.c - what PostgreSQL loads.
 */
#include "pg_sqlredis.h"

PG_MODULE_MAGIC;

/* In PostgreSQL's headers only a variable of guc.c; true when a session was told to load us first. */
static bool loaded_for_session(void)
{
	const char *libraries = GetConfigOption("session_preload_libraries", true, false);

	return libraries != NULL && strstr(libraries, "sqlredis") != NULL;
}

PGDLLEXPORT void _PG_init(void);

void _PG_init(void)
{
	bool shared = process_shared_preload_libraries_in_progress;

	pg_config_init(shared || loaded_for_session());
	if (shared)
	{
		pg_shared_init();
		/* pg_upgrade wants its clusters to itself. */
		if (!IsBinaryUpgrade)
			pg_worker_init();
		pg_utility_init();
	}
	pg_catalog_init();
	pg_xact_init();
	pg_templates_init();
}
