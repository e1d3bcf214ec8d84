/*
 * values.c - SQLite's values into the core's and back, and errors as SQLite shows them.
 */
#include "sqlredis.h"

#include <string.h>

#define JSON_SUBTYPE 'J' /* what SQLite's own JSON functions mark their results with */

const char *sq_bytes(sqlite3_value *v, size_t *len)
{
	const void *data =
		sqlite3_value_type(v) == SQLITE_BLOB ? sqlite3_value_blob(v) : sqlite3_value_text(v);

	*len = (size_t) sqlite3_value_bytes(v);
	/* An empty blob has no pointer. */
	if (data == NULL && *len == 0 && sqlite3_value_type(v) == SQLITE_BLOB)
		return "";
	return data;
}

/* Does the core want a number as a number? The end of a range of scores may also be text. */
static bool takes_number(const sr_arg *arg)
{
	return sr_arg_is_number(arg) || arg->kind == SR_ARG_BOUND;
}

bool sq_value_in(sqlite3_value *v, const sr_arg *arg, sr_value *out)
{
	int type = sqlite3_value_type(v);

	*out = (sr_value){.type = SR_TYPE_NULL};
	if (type == SQLITE_NULL)
		return true;
	if (type == SQLITE_INTEGER && takes_number(arg))
	{
		out->type = SR_TYPE_INTEGER;
		out->i = sqlite3_value_int64(v);
		return true;
	}
	if (type == SQLITE_FLOAT && takes_number(arg))
	{
		out->type = SR_TYPE_DOUBLE;
		out->d = sqlite3_value_double(v);
		return true;
	}
	out->type = type == SQLITE_BLOB ? SR_TYPE_BYTES : SR_TYPE_TEXT;
	out->data = sq_bytes(v, &out->len);
	return out->data != NULL;
}

/* Length of the UTF-8 sequence at p, 0 when it is not one (RFC 3629, table of section 4). */
static size_t utf8_sequence(const unsigned char *p, size_t left)
{
	unsigned char low = 0x80, high = 0xBF;
	size_t		  n;

	if (p[0] < 0x80)
		return 1;
	if (p[0] >= 0xC2 && p[0] <= 0xDF)
		n = 2;
	else if (p[0] >= 0xE0 && p[0] <= 0xEF)
		n = 3;
	else if (p[0] >= 0xF0 && p[0] <= 0xF4)
		n = 4;
	else
		return 0;
	if (p[0] == 0xE0)
		low = 0xA0;
	else if (p[0] == 0xED)
		high = 0x9F;
	else if (p[0] == 0xF0)
		low = 0x90;
	else if (p[0] == 0xF4)
		high = 0x8F;
	if (left < n || p[1] < low || p[1] > high)
		return 0;
	for (size_t i = 2; i < n; i++)
		if ((p[i] & 0xC0) != 0x80)
			return 0;
	return n;
}

/* Text for SQLite: valid UTF-8 without a NUL, which its text functions would stop at. */
static bool is_text(const char *data, size_t len)
{
	const unsigned char *p = (const unsigned char *) data;

	while (len > 0)
	{
		size_t n = *p == '\0' ? 0 : utf8_sequence(p, len);

		if (n == 0)
			return false;
		p += n;
		len -= n;
	}
	return true;
}

void sq_result_value(sqlite3_context *ctx, const sr_value *v)
{
	const char *data = v->len > 0 ? v->data : "";

	switch (v->type)
	{
		case SR_TYPE_NULL: sqlite3_result_null(ctx); break;
		case SR_TYPE_BOOLEAN: sqlite3_result_int(ctx, v->i != 0); break;
		case SR_TYPE_INTEGER: sqlite3_result_int64(ctx, v->i); break;
		case SR_TYPE_DOUBLE: sqlite3_result_double(ctx, v->d); break;
		case SR_TYPE_TEXT:
		case SR_TYPE_BYTES:
			if (v->type == SR_TYPE_TEXT && is_text(data, v->len))
				sqlite3_result_text64(ctx, data, v->len, SQLITE_TRANSIENT, SQLITE_UTF8);
			else
				sqlite3_result_blob64(ctx, data, v->len, SQLITE_TRANSIENT);
			break;
		case SR_TYPE_JSON:
			sqlite3_result_text64(ctx, data, v->len, SQLITE_TRANSIENT, SQLITE_UTF8);
			sqlite3_result_subtype(ctx, JSON_SUBTYPE);
			break;
		case SR_TYPE_LIST: break; /* an argument only */
	}
}

bool sq_is_literal(const char *sql)
{
	const char *p = *sql == '-' || *sql == '+' ? sql + 1 : sql;

	if (*p >= '0' && *p <= '9')
		return p[strspn(p, "0123456789abcdefxABCDEFX.")] == '\0';
	p = *sql == 'x' || *sql == 'X' ? sql + 1 : sql;
	if (*p != '\'')
		return false;
	for (p++; *p != '\0' && (*p != '\'' || p[1] == '\''); p++)
		p += *p == '\'';
	return p[0] == '\'' && p[1] == '\0';
}

char *sq_error_text(const sr_err *err)
{
	if (err->hint[0] == '\0')
		return sqlite3_mprintf("%s: %s", sr_class_word(err->cls), err->msg);
	return sqlite3_mprintf("%s: %s (%s)", sr_class_word(err->cls), err->msg, err->hint);
}

void sq_result_error(sqlite3_context *ctx, const sr_err *err)
{
	char *text;

	if (err->cls == SR_E_LOCAL_MEMORY)
	{
		sqlite3_result_error_nomem(ctx);
		return;
	}
	text = sq_error_text(err);
	if (text == NULL)
		sqlite3_result_error_nomem(ctx);
	else
		sqlite3_result_error(ctx, text, -1);
	sqlite3_free(text);
	/* The application knows an interrupt by its code. */
	if (err->cls == SR_E_INTERRUPTED)
		sqlite3_result_error_code(ctx, SQLITE_INTERRUPT);
}

bool sq_fail_sqlite(sr_err *err, sqlite3 *db, const char *doing)
{
	int code = sqlite3_errcode(db);

	if (code == SQLITE_NOMEM)
		return sr_fail_memory(err);
	return sr_fail(err, code == SQLITE_INTERRUPT ? SR_E_INTERRUPTED : SR_E_OPTION, "", "%s: %s",
				   doing, sqlite3_errmsg(db));
}
