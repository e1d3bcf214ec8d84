/*
 * config.c - the settings (sqlredis.*) and where the password comes from.
 *
 * Whatever could send a session's data elsewhere or weaken its protection is the superuser's. A
 * setting in postgresql.conf is an unflagged placeholder, which anybody can SHOW, until the library
 * is loaded; so a password inside sqlredis.url is refused unless the library was loaded before the
 * session could look. sqlredis.passfile and the server's environment are always safe.
 */
#include "pg_sqlredis.h"

#include <sys/stat.h>
#include <unistd.h>

#include "storage/fd.h"
#include "utils/memutils.h"

#define PASSWORD_MAX 1024

int pg_setting_on_error = PG_ON_ERROR_RAISE;
int pg_setting_commit_timeout = 250;
int pg_setting_durability = PG_DURABILITY_OUTBOX;
int pg_setting_commit_mode = PG_COMMIT_SYNC;
int pg_setting_ring_size = 1024;
int pg_setting_daily_quota;

static char *setting_url;
static char *setting_passfile;
static char *setting_key_prefix;
static int	 setting_connect_timeout = 3000;
static int	 setting_command_timeout = 2000;
static int	 setting_retries = 2;
static int	 setting_max_reply_kb = 65536;
static int	 setting_pending_max = 1000000;
static int	 setting_cache_lease = 10000;
static int	 setting_cache_wait = 2000;

/* Of the recipes. */
static char *setting_rate_limit_prefix;
static char *setting_idempotent_prefix;
static char *setting_queue_prefix;
static char *setting_session_prefix;
static char *setting_bullmq_prefix;
static char *setting_rate_limit_tiers;
static char *setting_rate_limit_buckets;
static int	 setting_rate_limit_on_error = SR_UNASKED_OPEN;
static int	 setting_hold = 30000;
static int	 setting_queue_attempts = 5;
static int	 setting_queue_mode; /* 1: lists */
static int	 setting_quota_warning = 80;

static bool preloaded;
static bool changed = true;

static const struct config_enum_entry on_error_words[] = {
	{"error", PG_ON_ERROR_RAISE, false}, {"null", PG_ON_ERROR_NULL, false}, {NULL, 0, false}};
static const struct config_enum_entry durability_words[] = {{"outbox", PG_DURABILITY_OUTBOX, false},
															{"memory", PG_DURABILITY_MEMORY, false},
															{NULL, 0, false}};
static const struct config_enum_entry commit_mode_words[] = {
	{"sync", PG_COMMIT_SYNC, false}, {"async", PG_COMMIT_ASYNC, false}, {NULL, 0, false}};
static const struct config_enum_entry unasked_words[] = {{"open", SR_UNASKED_OPEN, false},
														 {"closed", SR_UNASKED_CLOSED, false},
														 {"error", SR_UNASKED_ERROR, false},
														 {NULL, 0, false}};
static const struct config_enum_entry queue_mode_words[] = {
	{"job", 0, false}, {"list", 1, false}, {NULL, 0, false}};

static void note_string(const char *value, void *extra)
{
	(void) value;
	(void) extra;
	changed = true;
}

static void note_int(int value, void *extra)
{
	(void) value;
	(void) extra;
	changed = true;
}

/* ALTER ROLE, ALTER DATABASE and CREATE FUNCTION ... SET store it where every user can read it. */
static bool is_from_catalog(GucSource source)
{
	return source == PGC_S_TEST || (source >= PGC_S_GLOBAL && source <= PGC_S_DATABASE_USER);
}

/* Wrong URLs are refused where they are written, not at the first call. */
static bool check_url(char **value, void **extra, GucSource source)
{
	sr_url url;
	sr_err err = {0};
	bool   has_password;

	(void) extra;
	if (*value == NULL || **value == '\0')
		return true;
	if (!sr_url_parse(*value, &url, &err))
	{
		GUC_check_errcode(ERRCODE_INVALID_PARAMETER_VALUE);
		GUC_check_errmsg("%s", err.msg);
		if (err.hint[0] != '\0')
			GUC_check_errhint("%s", err.hint);
		return false;
	}
	has_password = url.password != NULL;
	sr_url_free(&url);
	if (!has_password || source == PGC_S_DEFAULT || (preloaded && !is_from_catalog(source)))
		return true;
	GUC_check_errcode(ERRCODE_INVALID_PARAMETER_VALUE);
	GUC_check_errmsg("sqlredis.url holds a password that every user could read");
	GUC_check_errhint("Put it into the file that sqlredis.passfile names or into REDIS_URL in the "
					  "server's environment; or into postgresql.conf, with sqlredis in "
					  "shared_preload_libraries.");
	return false;
}

static bool check_limits(const char *tiers, const char *buckets)
{
	sr_err err = {0};

	if (sr_tiers_check(tiers, buckets, &err))
		return true;
	GUC_check_errcode(ERRCODE_INVALID_PARAMETER_VALUE);
	GUC_check_errmsg("%s", err.msg);
	if (err.hint[0] != '\0')
		GUC_check_errhint("%s", err.hint);
	return false;
}

/* Each by itself: in a file, or in a transaction, either may come first. */
static bool check_tiers(char **value, void **extra, GucSource source)
{
	(void) extra;
	(void) source;
	return check_limits(*value, NULL);
}

static bool check_buckets(char **value, void **extra, GucSource source)
{
	(void) extra;
	(void) source;
	return check_limits(NULL, *value);
}

static void define_int_for(GucContext context, const char *name, const char *what, int *variable,
						   int min, int max, int flags)
{
	DefineCustomIntVariable(name, what, NULL, variable, *variable, min, max, context, flags, NULL,
							note_int, NULL);
}

static void define_int(const char *name, const char *what, int *variable, int min, int max,
					   int flags)
{
	define_int_for(PGC_SUSET, name, what, variable, min, max, flags);
}

static void define_string(const char *name, const char *what, char **variable, int flags,
						  GucStringCheckHook check)
{
	DefineCustomStringVariable(name, what, NULL, variable, "", PGC_SUSET, flags, check, note_string,
							   NULL);
}

/* A setting whose default is a text of its own, which may be made empty. */
static void define_text(const char *name, const char *what, char **variable, const char *otherwise,
						GucStringCheckHook check)
{
	DefineCustomStringVariable(name, what, NULL, variable, otherwise, PGC_SUSET, 0, check,
							   note_string, NULL);
}

static void define_word(const char *name, const char *what, const char *more, int *variable,
						const struct config_enum_entry *words)
{
	DefineCustomEnumVariable(name, what, more, variable, *variable, words, PGC_USERSET, 0, NULL,
							 note_int, NULL);
}

static void define_recipes(void)
{
	define_text("sqlredis.rate_limit_prefix", "Put before the keys of rate limits.",
				&setting_rate_limit_prefix, "rl:", NULL);
	define_text("sqlredis.idempotent_prefix", "Put before the keys of redis_idempotent.",
				&setting_idempotent_prefix, "idem:", NULL);
	define_text("sqlredis.queue_prefix", "Put before the names of queues.", &setting_queue_prefix,
				"queue:", NULL);
	define_text("sqlredis.session_prefix", "Put before the ids of sessions.",
				&setting_session_prefix, "session:", NULL);
	define_text("sqlredis.bullmq_prefix", "BullMQ's own prefix; a colon follows.",
				&setting_bullmq_prefix, "bull", NULL);
	define_text("sqlredis.rate_limit_tiers",
				"Tiers of rate limits: name=requests/seconds, separated by spaces.",
				&setting_rate_limit_tiers, "strict=10/60 moderate=60/60 generous=120/60",
				check_tiers);
	define_text("sqlredis.rate_limit_buckets", "The tier of each bucket: bucket=tier.",
				&setting_rate_limit_buckets, "", check_buckets);
	define_word("sqlredis.rate_limit_on_error", "What a rate limit says when Redis is away.",
				"open allows, closed does not, error raises.", &setting_rate_limit_on_error,
				unasked_words);
	define_int("sqlredis.hold",
			   "How long what a transaction took stays its own when its session is killed.",
			   &setting_hold, 1000, 3600000, GUC_UNIT_MS);
	define_int("sqlredis.queue_attempts",
			   "A job that was handed out so often is dead; 0: none ever is.",
			   &setting_queue_attempts, 0, INT_MAX, 0);
	define_word("sqlredis.queue_mode", "What redis_enqueue writes.",
				"job: jobs with an id; list: plain payloads.", &setting_queue_mode,
				queue_mode_words);
	define_int("sqlredis.daily_quota", "Commands a day that the server allows; 0: any number.",
			   &pg_setting_daily_quota, 0, INT_MAX, 0);
	define_int("sqlredis.quota_warning", "Warn when so many per cent of it are used.",
			   &setting_quota_warning, 1, 100, 0);
}

void pg_config_init(bool was_preloaded)
{
	preloaded = was_preloaded;
	define_string("sqlredis.url", "Where Redis is; REDIS_URL of the server's environment if empty.",
				  &setting_url, GUC_SUPERUSER_ONLY, check_url);
	define_string("sqlredis.passfile", "File whose first line is the password, mode 0600.",
				  &setting_passfile, GUC_SUPERUSER_ONLY, NULL);
	define_string("sqlredis.key_prefix", "Put before every key.", &setting_key_prefix, 0, NULL);
	define_int("sqlredis.connect_timeout", "Limit on connecting, retries included.",
			   &setting_connect_timeout, 1, 3600000, GUC_UNIT_MS);
	define_int("sqlredis.command_timeout", "Limit on waiting for Redis without progress.",
			   &setting_command_timeout, 1, 3600000, GUC_UNIT_MS);
	define_int("sqlredis.commit_timeout", "The same while a COMMIT waits.",
			   &pg_setting_commit_timeout, 1, 60000, GUC_UNIT_MS);
	define_int("sqlredis.retries", "Attempts to connect after the first.", &setting_retries, 0, 100,
			   0);
	define_int("sqlredis.max_reply", "Largest reply that is accepted.", &setting_max_reply_kb, 16,
			   1024 * 1024, GUC_UNIT_KB);
	define_int("sqlredis.pending_max", "Keys kept while Redis is away.", &setting_pending_max, 0,
			   INT_MAX, 0);
	define_int_for(PGC_USERSET, "sqlredis.cache_lease",
				   "How long a reader may take to fill an entry.", &setting_cache_lease, 1, 60000,
				   GUC_UNIT_MS);
	define_int_for(PGC_USERSET, "sqlredis.cache_wait",
				   "How long a reader waits for another one's fill.", &setting_cache_wait, 0, 60000,
				   GUC_UNIT_MS);
	/* A session that loads the library by itself has no part in what is shared. */
	define_int_for(process_shared_preload_libraries_in_progress ? PGC_POSTMASTER : PGC_SIGHUP,
				   "sqlredis.ring_size", "Shared memory for commits that are sent by the worker.",
				   &pg_setting_ring_size, 64, 1024 * 1024, GUC_UNIT_KB);
	DefineCustomEnumVariable("sqlredis.durability", "Where effects wait that Redis was not told.",
							 "outbox: in a table, written by the transaction; memory: in the "
							 "session, lost when it crashes.",
							 &pg_setting_durability, PG_DURABILITY_OUTBOX, durability_words,
							 PGC_SUSET, 0, NULL, NULL, NULL);
	DefineCustomEnumVariable("sqlredis.commit_mode", "Who tells Redis after a commit.",
							 "sync: the session, before COMMIT returns; async: the worker, for "
							 "which sqlredis must be in shared_preload_libraries.",
							 &pg_setting_commit_mode, PG_COMMIT_SYNC, commit_mode_words, PGC_SUSET,
							 0, NULL, NULL, NULL);
	DefineCustomEnumVariable("sqlredis.on_error", "What a read does when Redis is away.",
							 "error raises, null gives NULL and warns once.", &pg_setting_on_error,
							 PG_ON_ERROR_RAISE, on_error_words, PGC_USERSET, 0, NULL, NULL, NULL);
	define_recipes();
	MarkGUCPrefixReserved("sqlredis");
}

bool pg_config_changed(void)
{
	return changed;
}

void pg_config_forget(void)
{
	changed = true;
}

static bool refuse_passfile(sr_err *err, const char *why)
{
	return sr_fail(err, SR_E_OPTION,
				   "It must be a regular file owned by the server's user, mode 0600.",
				   "cannot use sqlredis.passfile \"%s\": %s", setting_passfile, why);
}

/* Its first line into password, "" when no file is set; the file is read anew at each use. */
static bool read_passfile(char *password, size_t size, sr_err *err)
{
	struct stat st;
	FILE	   *file;
	char	   *line;

	*password = '\0';
	if (setting_passfile == NULL || *setting_passfile == '\0')
		return true;
	file = AllocateFile(setting_passfile, "r");
	if (file == NULL)
		return refuse_passfile(err, strerror(errno));
	if (fstat(fileno(file), &st) != 0)
		memset(&st, 0, sizeof st);
	line = fgets(password, (int) size, file);
	FreeFile(file);
	if (!S_ISREG(st.st_mode))
		return refuse_passfile(err, "it is not a regular file");
	if (st.st_uid != geteuid())
		return refuse_passfile(err, "it belongs to another user");
	if (st.st_mode & (S_IRWXG | S_IRWXO))
		return refuse_passfile(err, "group or others have access to it");
	if (line == NULL)
		return refuse_passfile(err, "it is empty");
	password[strcspn(password, "\r\n")] = '\0';
	return true;
}

static sr_recipes recipes(void)
{
	return (sr_recipes){
		.rate_limit_prefix = setting_rate_limit_prefix,
		.idempotent_prefix = setting_idempotent_prefix,
		.queue_prefix = setting_queue_prefix,
		.session_prefix = setting_session_prefix,
		.bullmq_prefix = setting_bullmq_prefix,
		.rate_limit_tiers = setting_rate_limit_tiers,
		.rate_limit_buckets = setting_rate_limit_buckets,
		.rate_limit_on_error = (sr_unasked) setting_rate_limit_on_error,
		.hold = setting_hold,
		.queue_attempts = setting_queue_attempts,
		.queue_lists = setting_queue_mode == 1,
		.daily_quota = pg_setting_daily_quota,
		.quota_warning = setting_quota_warning,
	};
}

bool pg_config_read(sr_settings *settings, sr_err *err)
{
	static char password[PASSWORD_MAX];
	static char client_name[40];

	bool ok = read_passfile(password, sizeof password, err);

	snprintf(client_name, sizeof client_name, "sqlredis-postgres-%d", MyProcPid);
	*settings = (sr_settings){
		.password = ok && *password != '\0' ? password : NULL,
		.client_name = client_name,
		.key_prefix = setting_key_prefix,
		.connect_timeout = setting_connect_timeout,
		.command_timeout = setting_command_timeout,
		.commit_timeout = pg_setting_commit_timeout,
		.retries = setting_retries,
		.max_reply = (size_t) setting_max_reply_kb * 1024,
		.pending_max = (size_t) setting_pending_max,
		.cache_lease = setting_cache_lease,
		.cache_wait = setting_cache_wait,
		.recipes = recipes(),
	};
	/* Not without the password that somebody meant it to have. */
	if (ok)
		settings->url =
			setting_url != NULL && *setting_url != '\0' ? setting_url : getenv("REDIS_URL");
	changed = false;
	return ok;
}
