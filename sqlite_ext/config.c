/*
 * config.c - redis_config: the settings of one database connection.
 *
 * A table of settings drives reading and writing. Neither the password nor the one inside the URL is
 * ever given out. New settings reach the client before the next call.
 */
#include "sqlredis.h"

#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef enum kind
{
	NUMBER,
	STRING,
	SECRET,
	URL,
	CHOICE,
	TEXT /* means something when it is empty, too */
} kind;

typedef struct setting
{
	const char *name;
	kind		kind;
	size_t		offset; /* in sq_settings */
	int64_t		dflt, min, max;
	const char *choices; /* "first|second"; the first is the default. TEXT: the default */
} setting;

#define AT(field)		   offsetof(sq_settings, field)
#define HOUR_MS			   3600000
#define MAX_REPLY_SMALLEST 16384

static const setting settings[] = {
	{"url", URL, AT(url), 0, 0, 0, NULL},
	{"password", SECRET, AT(password), 0, 0, 0, NULL},
	{"key_prefix", STRING, AT(key_prefix), 0, 0, 0, NULL},
	{"connect_timeout", NUMBER, AT(connect_timeout), 3000, 1, HOUR_MS, NULL},
	{"command_timeout", NUMBER, AT(command_timeout), 2000, 1, HOUR_MS, NULL},
	{"commit_timeout", NUMBER, AT(commit_timeout), 250, 1, 60000, NULL},
	{"retries", NUMBER, AT(retries), 2, 0, 100, NULL},
	{"on_error", CHOICE, AT(on_error), 0, 0, 0, "error|null"},
	{"max_reply", NUMBER, AT(max_reply), 64 << 20, MAX_REPLY_SMALLEST, 1 << 30, NULL},
	{"pending_max", NUMBER, AT(pending_max), 1000000, 0, INT32_MAX, NULL},
	{"invalidate_keys", STRING, AT(invalidate_keys), 0, 0, 0, NULL},
	{"trigger_mode", CHOICE, AT(trigger_mode), 0, 0, 0, "main|temp|outbox"},
	{"trigger_commands", NUMBER, AT(trigger_commands), 0, 0, 1, NULL},
	{"durability", CHOICE, AT(durability), 0, 0, 0, "outbox|memory"},
	{"commit_mode", CHOICE, AT(commit_mode), 0, 0, 0, "sync|async"},
	{"cache_lease", NUMBER, AT(cache_lease), 10000, 100, 60000, NULL},
	{"cache_wait", NUMBER, AT(cache_wait), 2000, 0, HOUR_MS, NULL},
	{"rate_limit_prefix", TEXT, AT(rate_limit_prefix), 0, 0, 0, "rl:"},
	{"idempotent_prefix", TEXT, AT(idempotent_prefix), 0, 0, 0, "idem:"},
	{"queue_prefix", TEXT, AT(queue_prefix), 0, 0, 0, "queue:"},
	{"session_prefix", TEXT, AT(session_prefix), 0, 0, 0, "session:"},
	{"bullmq_prefix", TEXT, AT(bullmq_prefix), 0, 0, 0, "bull"},
	{"rate_limit_tiers", TEXT, AT(rate_limit_tiers), 0, 0, 0,
	 "strict=10/60 moderate=60/60 generous=120/60"},
	{"rate_limit_buckets", TEXT, AT(rate_limit_buckets), 0, 0, 0, ""},
	{"rate_limit_on_error", CHOICE, AT(rate_limit_on_error), 0, 0, 0, "open|closed|error"},
	{"hold", NUMBER, AT(hold), 30000, 1000, HOUR_MS, NULL},
	{"queue_attempts", NUMBER, AT(queue_attempts), 5, 0, INT32_MAX, NULL},
	{"queue_mode", CHOICE, AT(queue_mode), 0, 0, 0, "job|list"},
	{"daily_quota", NUMBER, AT(daily_quota), 0, 0, INT64_MAX, NULL},
	{"quota_warning", NUMBER, AT(quota_warning), 80, 1, 100, NULL},
};
#define SETTINGS (sizeof settings / sizeof settings[0])

static int64_t *number_of(sq_settings *s, const setting *what)
{
	return (int64_t *) ((char *) s + what->offset);
}

static char **text_of(sq_settings *s, const setting *what)
{
	return (char **) ((char *) s + what->offset);
}

void sq_settings_init(sq_settings *s)
{
	memset(s, 0, sizeof *s);
	for (size_t i = 0; i < SETTINGS; i++)
		if (settings[i].kind == NUMBER)
			*number_of(s, &settings[i]) = settings[i].dflt;
}

void sq_settings_free(sq_settings *s)
{
	for (size_t i = 0; i < SETTINGS; i++)
		if (settings[i].kind != NUMBER)
			free(*text_of(s, &settings[i]));
}

static bool chose(const char *text, const char *choice)
{
	return text != NULL && strcmp(text, choice) == 0;
}

bool sq_fails_open(const sq_settings *s)
{
	return chose(s->on_error, "null");
}

bool sq_wants_temp_triggers(const sq_settings *s)
{
	return chose(s->trigger_mode, "temp");
}

bool sq_wants_outbox_triggers(const sq_settings *s)
{
	return chose(s->trigger_mode, "outbox");
}

bool sq_is_durable(const sq_settings *s)
{
	return !chose(s->durability, "memory");
}

bool sq_is_async(const sq_db *st)
{
	return chose(st->settings.commit_mode, "async") && !sq_is_holding(st);
}

static sr_recipes recipes(const sq_settings *s)
{
	return (sr_recipes){
		.rate_limit_prefix = s->rate_limit_prefix,
		.idempotent_prefix = s->idempotent_prefix,
		.queue_prefix = s->queue_prefix,
		.session_prefix = s->session_prefix,
		.bullmq_prefix = s->bullmq_prefix,
		.rate_limit_tiers = s->rate_limit_tiers,
		.rate_limit_buckets = s->rate_limit_buckets,
		.rate_limit_on_error = chose(s->rate_limit_on_error, "closed")	? SR_UNASKED_CLOSED
							   : chose(s->rate_limit_on_error, "error") ? SR_UNASKED_ERROR
																		: SR_UNASKED_OPEN,
		.hold = s->hold,
		.queue_attempts = s->queue_attempts,
		.queue_lists = chose(s->queue_mode, "list"),
		.daily_quota = s->daily_quota,
		.quota_warning = (int) s->quota_warning,
	};
}

static const char *url_text(const sq_settings *s)
{
	return s->url != NULL ? s->url : getenv("REDIS_URL");
}

void sq_configure_client(const sq_db *st, sr_client *client, bool patient)
{
	const sq_settings *s = &st->settings;
	char			   client_name[40];
	sr_settings		   given;

	snprintf(client_name, sizeof client_name, "sqlredis-sqlite-%ld", (long) getpid());
	given = (sr_settings){
		.url = url_text(s),
		.password = s->password,
		.client_name = client_name,
		.key_prefix = s->key_prefix,
		.connect_timeout = s->connect_timeout,
		.command_timeout = s->command_timeout,
		.commit_timeout = s->commit_timeout,
		.retries = patient ? 0 : (int) s->retries,
		.max_reply = (size_t) s->max_reply,
		.pending_max = (size_t) s->pending_max,
		.cache_lease = s->cache_lease,
		.cache_wait = s->cache_wait,
		.recipes = recipes(s),
	};
	/* The client keeps a malformed URL's error and gives it to every call. */
	sr_client_configure(client, &given, NULL);
}

void sq_configure(sq_db *st)
{
	if (st->configured)
		return;
	st->configured = true;
	sq_configure_client(st, st->client, false);
	sq_courier_configure(st);
	sq_outbox_look_again(st);
}

/* ---- invalidate_keys ---- */

/* Does a glob, without the blanks around it, match the key? -1: no memory. */
static int glob_matches(const char *glob, size_t glob_len, const char *key, size_t len,
						sr_buf *scratch)
{
	while (glob_len > 0 && *glob == ' ')
	{
		glob++;
		glob_len--;
	}
	while (glob_len > 0 && glob[glob_len - 1] == ' ')
		glob_len--;
	scratch->len = 0;
	if (!sr_buf_add(scratch, key, len) || !sr_buf_add(scratch, "", 1) ||
		!sr_buf_add(scratch, glob, glob_len))
		return -1;
	return sqlite3_strglob(scratch->data + len + 1, scratch->data) == 0;
}

bool sq_key_allowed(const sq_settings *s, const char *key, size_t len, sr_buf *scratch, sr_err *err)
{
	const char *list = s->invalidate_keys;

	if (list == NULL)
		return true;
	/* A glob sees a key only up to its first NUL. */
	while (memchr(key, '\0', len) == NULL && *list != '\0')
	{
		size_t glob_len = strcspn(list, ",");
		int	   matches = glob_matches(list, glob_len, key, len, scratch);

		if (matches < 0)
			return sr_fail_memory(err);
		if (matches)
			return true;
		list += glob_len + (list[glob_len] == ',');
	}
	return sr_fail(err, SR_E_PERMISSION, "Allowed are: redis_config('invalidate_keys').",
				   "redis_invalidate may not name the key \"%.*s\"", (int) (len < 100 ? len : 100),
				   key);
}

/* ---- redis_config ---- */

static const setting *find(const char *name, size_t len)
{
	for (size_t i = 0; i < SETTINGS; i++)
		if (strlen(settings[i].name) == len && memcmp(settings[i].name, name, len) == 0)
			return &settings[i];
	return NULL;
}

/* Names all there are, which is more than an sr_err holds. A name given as a BLOB ends in no NUL. */
static void unknown(sqlite3_context *ctx, const char *name, size_t len)
{
	sqlite3_str *said = sqlite3_str_new(NULL);
	char		*text;

	sqlite3_str_appendf(said, "%s: there is no setting \"%.*s\" (There are",
						sr_class_word(SR_E_OPTION), (int) (len < 100 ? len : 100), name);
	for (size_t i = 0; i < SETTINGS; i++)
		sqlite3_str_appendf(said, "%s %s", i == 0 ? ":" : ",", settings[i].name);
	sqlite3_str_appendall(said, ")");
	text = sqlite3_str_finish(said);
	if (text != NULL)
		sqlite3_result_error(ctx, text, -1);
	else
		sqlite3_result_error_nomem(ctx);
	sqlite3_free(text);
}

/* An empty text unsets. */
static bool set_number(sq_settings *s, const setting *what, const char *text, sr_err *err)
{
	char   *end;
	int64_t n;

	if (*text == '\0')
	{
		*number_of(s, what) = what->dflt;
		return true;
	}
	errno = 0;
	n = strtoll(text, &end, 10);
	if (end == text || *end != '\0' || errno != 0 || n < what->min || n > what->max)
		return sr_fail(err, SR_E_OPTION, "", "%s must be an integer from %" PRId64 " to %" PRId64,
					   what->name, what->min, what->max);
	*number_of(s, what) = n;
	return true;
}

static bool valid_choice(const setting *what, const char *text, sr_err *err)
{
	size_t len = strlen(text);

	for (const char *word = what->choices; word != NULL; word = strchr(word, '|'))
	{
		word += *word == '|';
		if (strcspn(word, "|") == len && memcmp(word, text, len) == 0)
			return true;
	}
	return sr_fail(err, SR_E_OPTION, "", "%s must be one of %s", what->name, what->choices);
}

static bool valid_tiers(const setting *what, const char *text, sr_err *err)
{
	if (what->offset == AT(rate_limit_tiers))
		return sr_tiers_check(text, NULL, err);
	return what->offset != AT(rate_limit_buckets) || sr_tiers_check(NULL, text, err);
}

/* An empty text unsets, unless it means something. */
static bool set_text(sq_settings *s, const setting *what, const char *text, sr_err *err)
{
	char  *copy = NULL;
	sr_url url;

	if (*text != '\0' || what->kind == TEXT)
	{
		if ((what->kind == CHOICE && !valid_choice(what, text, err)) ||
			!valid_tiers(what, text, err))
			return false;
		if (what->kind == URL)
		{
			if (!sr_url_parse(text, &url, err))
				return false;
			sr_url_free(&url);
		}
		copy = strdup(text);
		if (copy == NULL)
			return sr_fail_memory(err);
	}
	free(*text_of(s, what));
	*text_of(s, what) = copy;
	return true;
}

static void give_choice(sqlite3_context *ctx, const setting *what, const char *text)
{
	if (text != NULL)
		sqlite3_result_text(ctx, text, -1, SQLITE_TRANSIENT);
	else
		sqlite3_result_text(ctx, what->choices, (int) strcspn(what->choices, "|"), SQLITE_STATIC);
}

static void give_url(sqlite3_context *ctx, const sq_settings *s)
{
	const char *text = url_text(s);
	char	   *redacted;

	if (text == NULL)
		return;
	redacted = sr_url_redact(text);
	if (redacted == NULL)
		sqlite3_result_error_nomem(ctx);
	else
		sqlite3_result_text(ctx, redacted, -1, SQLITE_TRANSIENT);
	free(redacted);
}

static void give(sqlite3_context *ctx, sq_settings *s, const setting *what)
{
	char		number[24];
	const char *text;

	switch (what->kind)
	{
		case NUMBER:
			snprintf(number, sizeof number, "%" PRId64, *number_of(s, what));
			sqlite3_result_text(ctx, number, -1, SQLITE_TRANSIENT);
			break;
		case STRING: sqlite3_result_text(ctx, *text_of(s, what), -1, SQLITE_TRANSIENT); break;
		case SECRET:
			if (*text_of(s, what) != NULL)
				sqlite3_result_text(ctx, "***", -1, SQLITE_STATIC);
			break;
		case TEXT:
			text = *text_of(s, what);
			sqlite3_result_text(ctx, text != NULL ? text : what->choices, -1, SQLITE_TRANSIENT);
			break;
		case URL: give_url(ctx, s); break;
		case CHOICE: give_choice(ctx, what, *text_of(s, what)); break;
	}
}

/* value NULL: only read it */
static bool apply(sq_db *st, const setting *what, const char *value, size_t len, sr_err *err)
{
	if (value == NULL)
		return true;
	if (strlen(value) != len)
		return sr_fail(err, SR_E_OPTION, "", "%s must not hold a NUL", what->name);
	if (!(what->kind == NUMBER ? set_number(&st->settings, what, value, err)
							   : set_text(&st->settings, what, value, err)))
		return false;
	st->configured = false;
	return true;
}

void sq_config(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
	sq_db		  *st = ((const sq_function *) sqlite3_user_data(ctx))->st;
	const setting *what;
	const char	  *name, *value = NULL;
	size_t		   len, value_len = 0;
	sr_err		   err = {0};
	bool		   have_value = argc > 1 && sqlite3_value_type(argv[1]) != SQLITE_NULL;

	if (sqlite3_value_type(argv[0]) == SQLITE_NULL)
		return;
	name = sq_bytes(argv[0], &len);
	if (have_value)
	{
		value = (const char *) sqlite3_value_text(argv[1]);
		value_len = (size_t) sqlite3_value_bytes(argv[1]);
	}
	if (name == NULL || (have_value && value == NULL))
	{
		sqlite3_result_error_nomem(ctx);
		return;
	}
	what = find(name, len);
	if (what == NULL)
		unknown(ctx, name, len);
	else if (apply(st, what, value, value_len, &err))
		give(ctx, &st->settings, what);
	else
		sq_result_error(ctx, &err);
}
