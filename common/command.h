/*
 * command.h - what the .c files behind commands.def share: a command line under construction, the
 * reading of arguments, and the rows that a set-returning function gives out.
 */
#ifndef SQLREDIS_COMMAND_H
#define SQLREDIS_COMMAND_H

#include "core.h"

/* ---- args.c ---- */

#define SR_LINE_INLINE 16

/* A Redis command line. It points into the arguments it was made from. */
typedef struct sr_line
{
	sr_argv		argv;
	int			capacity;
	const char *pointers[SR_LINE_INLINE];
	size_t		lengths[SR_LINE_INLINE];
	char	  **owned;
	size_t		owned_count;
	const char *prefix;
	size_t		prefix_len;
} sr_line;

/* The line is used where it was made: it points into itself and must not be copied. */
void sr_line_init(sr_line *line, sr_client *c);
void sr_line_free(sr_line *line);
bool sr_line_add(sr_line *line, const char *data, size_t len, sr_err *err);
bool sr_line_word(sr_line *line, const char *word, sr_err *err);
/* Free text (malloc'ed, or NULL) together with the line; at once when this fails. */
bool sr_line_keep(sr_line *line, char *text, sr_err *err);
bool sr_line_key(sr_line *line, const char *key, size_t len, sr_err *err); /* prefixed */
/* The key prefix, a recipe's own (sr_client_recipes) and the name. */
bool sr_line_recipe_key(sr_line *line, const char *prefix, const sr_value *name, sr_err *err);
bool sr_line_pattern(sr_line *line, const char *pattern, size_t len, sr_err *err);
bool sr_line_integer(sr_line *line, int64_t i, sr_err *err);
bool sr_line_replace_number(sr_line *line, int at, double d, sr_err *err);
/* The one of a WORD argument's words that v is, as the row writes it. */
bool sr_line_choice(sr_line *line, const sr_arg *arg, const sr_value *v, sr_err *err);
/* Words separated by spaces; nothing for "". The text must outlive the line. */
bool sr_line_words(sr_line *line, const char *words, size_t len, sr_err *err);
/* The whole command of a row: its words, its arguments, the words that follow them. */
bool sr_line_command(sr_line *line, const sr_command *cmd, int n, const sr_value *args,
					 sr_err *err);
/* Only the arguments: SR_EARLY ones behind the first one, the others in their row's order. */
bool sr_line_args(sr_line *line, const sr_command *cmd, int n, const sr_value *args, sr_err *err);

/*
 * Numbers with a point: LC_NUMERIC is the application's (a desktop program's is its user's language's),
 * and neither Redis nor SQL knows the comma. As strtod and snprintf.
 */
double sr_number_parse(const char *text, char **end);
int	   sr_number_print(char *out, size_t size, const char *fmt, double d);

bool sr_value_integer(const sr_arg *arg, const sr_value *v, int64_t *out, sr_err *err);
bool sr_value_double(const sr_arg *arg, const sr_value *v, double *out, sr_err *err);
/* Seconds -> ms, rounded; a positive time is at least 1 ms. */
bool sr_value_ms(const sr_arg *arg, const sr_value *v, int64_t *out, sr_err *err);

/* ---- command.c ---- */

/* out->reply in out->value, in the shape that the row names. */
bool sr_result_shape(const sr_command *cmd, sr_result *out, sr_err *err);
/* out->reply as JSON in out->value; nil stays NULL. */
bool sr_result_json(sr_result *out, sr_err *err);

/* ---- rows.c: what the sources of rows share ---- */

struct sr_rows
{
	/* Fill cells; as sr_rows_next. */
	int (*next)(sr_rows *rows, sr_err *err);
	void (*close)(sr_rows *rows); /* frees rows */
	sr_client		 *client;
	const sr_command *cmd;
	sr_value		  cells[SR_MAX_COLUMNS];
};

void sr_cell_text(sr_value *cell, const char *data, size_t len); /* data NULL: SQL NULL */
/* An element of a reply as the column's type: bulk -> text, or a number; nil -> NULL. */
bool sr_cell_reply(sr_value *cell, const sr_column *column, const sr_reply *item, sr_err *err);
/* Is the argument there, and not NULL? */
bool sr_given(int n, const sr_value *args, int i);
/*
 * The arguments (no lists), which are the caller's only until open returns: one malloc'ed block, at
 * least SR_MAX_ARGS of them, the ones left out NULL; each text is followed by a NUL. NULL: err is filled.
 */
sr_value *sr_values_copy(int n, const sr_value *args, sr_err *err);
/* A reply that the command's documentation does not know; returns false. */
bool sr_fail_unexpected(const sr_command *cmd, sr_err *err);

/* ---- the functions that are more than one plain command ---- */

#define SR_SCALARS(X)                                                                              \
	X(sr_call)                                                                                     \
	X(sr_lock)                                                                                     \
	X(sr_unlock)                                                                                   \
	X(sr_lock_extend)                                                                              \
	X(sr_lock_fence)                                                                               \
	X(sr_xact_lock)                                                                                \
	X(sr_rate_limit_reset)	  /* rate.c */                                                         \
	X(sr_rate_limit_override) /* rate.c */                                                         \
	X(sr_allow)				  /* rate.c */                                                         \
	X(sr_idempotent)		  /* idempotent.c */                                                   \
	X(sr_idempotent_result)	  /* idempotent.c */                                                   \
	X(sr_reserve)			  /* reserve.c */                                                      \
	X(sr_enqueue)			  /* queue.c */                                                        \
	X(sr_queue_ack)			  /* queue.c */                                                        \
	X(sr_queue_nack)		  /* queue.c */                                                        \
	X(sr_queue_len)			  /* queue.c */                                                        \
	X(sr_bullmq_add)		  /* bullmq.c */                                                       \
	X(sr_session_set)		  /* session.c */                                                      \
	X(sr_session_get)		  /* session.c */                                                      \
	X(sr_session_destroy)	  /* session.c */                                                      \
	X(sr_url_function)                                                                             \
	X(sr_version_function)                                                                         \
	X(sr_set_json)	   /* json.c: HSET and XADD of an object's members */                          \
	X(sr_blocking_pop) /* call.c: BLPOP, BRPOP */                                                  \
	X(sr_run_pipeline) /* many.c */                                                                \
	X(sr_run_multi)	   /* multi.c */                                                               \
	X(sr_eval)		   /* eval.c */
#define X(f) bool f(sr_client *, const sr_command *, int, const sr_value *, sr_result *, sr_err *);
SR_SCALARS(X)
#undef X

#define SR_ROWS(X)                                                                                 \
	X(sr_collect_open)	   /* collect.c: a plain command's whole reply */                          \
	X(sr_hmget_open)	   /* collect.c */                                                         \
	X(sr_scan_open)		   /* scan.c: SCAN, HSCAN, SSCAN, page by page */                          \
	X(sr_range_open)	   /* range.c: LRANGE and ZRANGE, page by page */                          \
	X(sr_score_range_open) /* range.c: ZRANGEBYSCORE, page by page */                              \
	X(sr_stream_open)	   /* stream.c: XRANGE, page by page */                                    \
	X(sr_stream_read_open) /* stream.c: XREAD, page by page */                                     \
	X(sr_mget_open)		   /* mget.c */                                                            \
	X(sr_mget_json_open)   /* mget.c */                                                            \
	X(sr_info_open)                                                                                \
	X(sr_stats_open)                                                                               \
	X(sr_health_open)                                                                              \
	X(sr_rate_limit_open)	   /* rate.c */                                                        \
	X(sr_rate_limit_peek_open) /* rate.c */                                                        \
	X(sr_rate_limit_tier_open) /* tier.c */                                                        \
	X(sr_dequeue_open)		   /* queue.c */
#define X(f) sr_rows *f(sr_client *, const sr_command *, int, const sr_value *, sr_err *);
SR_ROWS(X)
#undef X

/* ---- info.c ---- */

/* The value of a line "name:value" of INFO's reply; "" and false: none, or more than size holds. */
bool sr_info_value(const sr_reply *reply, const char *name, char *out, size_t size);
/*
 * identity.c: run_id and master_replid of INFO server and INFO replication. refusal: what came instead, or
 * NULL. False: one of them is missing, and err says what that means.
 */
bool sr_info_identity(const sr_reply *server, const sr_reply *replication, const char *refusal,
					  char *run_id, char *replid, size_t size, sr_err *err);

/* ---- pack.c: command lines kept for later ---- */

typedef struct sr_pack
{
	sr_buf		 buf;
	const char **argv; /* of the command read last */
	size_t		 capacity;
} sr_pack;

bool sr_pack_add(sr_pack *p, const sr_argv *cmd, sr_err *err); /* copied */
/* The command at *pos (0 first), and *pos moves to the next; false: no more. out: until the next read. */
bool sr_pack_read(sr_pack *p, size_t *pos, sr_argv *out);
void sr_pack_free(sr_pack *p); /* zeroed is empty */

/* ---- call.c: what the generic doors let through ---- */

/*
 * Check that the command may be sent over a shared connection, and bound how long it may block: "for
 * ever" becomes command_timeout. *wait: ms to wait beyond command_timeout.
 */
bool sr_line_admit(sr_client *c, sr_line *line, int64_t *wait, sr_err *err);

/* ---- json.c: JSON arguments ---- */

/* The members of a JSON object or the elements of a JSON array, one after the other. */
typedef struct sr_json
{
	const char *at, *end;
	bool		object;
	const char *what; /* the argument's name, for errors */
} sr_json;

typedef enum sr_json_kind
{
	SR_JSON_NULL,
	SR_JSON_STRING, /* text: its characters, unescaped */
	SR_JSON_NUMBER, /* text: as it is written: 1.10, 12345678901234567890 */
	SR_JSON_WORD,	/* true, false */
	SR_JSON_NESTED	/* an array or object, as it is written */
} sr_json_kind;

typedef struct sr_json_item
{
	sr_json_kind kind;
	char		*name; /* of a member; malloc'ed, sr_json_item_free */
	size_t		 name_len;
	char		*owned; /* malloc'ed, or NULL: text points into the document */
	const char	*text;
	size_t		 len;
	const char	*raw; /* as it is written, strings in their quotes */
	size_t		 raw_len;
} sr_json_item;

/* Check the whole of value (TEXT, BYTES or JSON), which outlives j and must be an object or array. */
bool sr_json_open(sr_json *j, const char *what, const sr_value *value, bool object, sr_err *err);
/* The same for an element of the document that j walks. */
void sr_json_enter(sr_json *j, const sr_json_item *item);
int	 sr_json_next(sr_json *j, sr_json_item *item, sr_err *err); /* 1 item, 0 end, -1 err */
void sr_json_item_free(sr_json_item *item);
/* The same, when the line it was or will be added to is freed. */
bool sr_json_item_keep(sr_json_item *item, sr_line *line, sr_err *err);

#endif
