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
bool sr_line_key(sr_line *line, const char *key, size_t len, sr_err *err); /* prefixed */
bool sr_line_pattern(sr_line *line, const char *pattern, size_t len, sr_err *err);
bool sr_line_integer(sr_line *line, int64_t i, sr_err *err);
bool sr_line_replace_number(sr_line *line, int at, double d, sr_err *err);
/* Every argument of cmd, in its row's order; not the command itself. */
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

/* out->reply as JSON in out->value; nil stays NULL. */
bool sr_result_json(sr_result *out, sr_err *err);

/* ---- rows.c ---- */

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

/* ---- the functions that are more than one plain command ---- */

bool sr_call(sr_client *, const sr_command *, int, const sr_value *, sr_result *, sr_err *);
bool sr_lock(sr_client *, const sr_command *, int, const sr_value *, sr_result *, sr_err *);
bool sr_unlock(sr_client *, const sr_command *, int, const sr_value *, sr_result *, sr_err *);
bool sr_lock_extend(sr_client *, const sr_command *, int, const sr_value *, sr_result *, sr_err *);
bool sr_url_function(sr_client *, const sr_command *, int, const sr_value *, sr_result *, sr_err *);
bool sr_version_function(sr_client *, const sr_command *, int, const sr_value *, sr_result *,
						 sr_err *);

sr_rows *sr_scan_open(sr_client *, const sr_command *, int, const sr_value *, sr_err *);
sr_rows *sr_info_open(sr_client *, const sr_command *, int, const sr_value *, sr_err *);
sr_rows *sr_stats_open(sr_client *, const sr_command *, int, const sr_value *, sr_err *);
sr_rows *sr_health_open(sr_client *, const sr_command *, int, const sr_value *, sr_err *);

#endif
