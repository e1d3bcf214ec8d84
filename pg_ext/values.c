/*
 * values.c - Datums to the core's values and back. Text is UTF-8 on Redis's side whatever the
 * server's encoding; bytea passes untouched.
 */
#include "pg_sqlredis.h"

#include "catalog/pg_type.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

void pg_input_init(pg_input *input, Oid type, MemoryContext context)
{
	Oid	 base = getBaseType(type);
	Oid	 output;
	bool is_varlena;

	input->type = type;
	input->bytes = base == BYTEAOID;
	input->text = base == TEXTOID || base == VARCHAROID || base == JSONOID || base == XMLOID;
	if (input->bytes || input->text)
		return;
	getTypeOutputInfo(type, &output, &is_varlena);
	fmgr_info_cxt(output, &input->output, context);
}

void pg_value_from_text(sr_value *value, const char *data, size_t len)
{
	const char *converted = data;

	if (GetDatabaseEncoding() != PG_UTF8 && GetDatabaseEncoding() != PG_SQL_ASCII)
		converted = pg_server_to_any(data, (int) len, PG_UTF8);
	*value = (sr_value){.type = SR_TYPE_TEXT,
						.data = converted,
						.len = converted == data ? len : strlen(converted)};
}

void pg_value_from_datum(sr_value *value, pg_input *input, Datum datum)
{
	if (input->bytes || input->text)
	{
		struct varlena *bytes = PG_DETOAST_DATUM_PACKED(datum);

		if (input->text)
			pg_value_from_text(value, VARDATA_ANY(bytes), VARSIZE_ANY_EXHDR(bytes));
		else
			*value = (sr_value){
				.type = SR_TYPE_BYTES, .data = VARDATA_ANY(bytes), .len = VARSIZE_ANY_EXHDR(bytes)};
	}
	else
	{
		char *out = OutputFunctionCall(&input->output, datum);

		pg_value_from_text(value, out, strlen(out));
	}
}

/* A text datum, converted; text that is none is an error that names twin (may be NULL) as the way. */
static Datum text_datum(const char *data, size_t len, const char *twin)
{
	char *converted;

	if (memchr(data, '\0', len) != NULL)
		ereport(ERROR, (errcode(ERRCODE_UNTRANSLATABLE_CHARACTER),
						errmsg("the value in Redis holds a NUL byte, which text cannot"),
						twin != NULL ? errhint("Use %s_bytea to read it as bytes.", twin) : 0));
	if (GetDatabaseEncoding() != PG_SQL_ASCII && !pg_verify_mbstr(PG_UTF8, data, (int) len, true))
		ereport(ERROR, (errcode(ERRCODE_CHARACTER_NOT_IN_REPERTOIRE),
						errmsg("the value in Redis is not UTF-8 text"),
						twin != NULL ? errhint("Use %s_bytea to read it as bytes.", twin) : 0));
	if (GetDatabaseEncoding() == PG_SQL_ASCII || GetDatabaseEncoding() == PG_UTF8)
		return PointerGetDatum(cstring_to_text_with_len(data, (int) len));
	converted = pg_any_to_server(data, (int) len, PG_UTF8);
	if (converted == data)
		return PointerGetDatum(cstring_to_text_with_len(data, (int) len));
	return PointerGetDatum(cstring_to_text(converted));
}

Datum pg_datum_from_value(const sr_value *value, Oid type, const char *twin)
{
	switch (value->type)
	{
		case SR_TYPE_BOOLEAN: return BoolGetDatum(value->i != 0);
		case SR_TYPE_INTEGER: return Int64GetDatum(value->i);
		case SR_TYPE_DOUBLE: return Float8GetDatum(value->d);
		case SR_TYPE_TEXT:
		case SR_TYPE_JSON:
		case SR_TYPE_BYTES: break;
		case SR_TYPE_LIST: /* an argument only */
		case SR_TYPE_NULL: return (Datum) 0;
	}
	if (value->len > MaxAllocSize - VARHDRSZ)
		ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
						errmsg("the value in Redis is too large for a field")));
	if (type == BYTEAOID)
		return PointerGetDatum(cstring_to_text_with_len(value->data, (int) value->len));
	return text_datum(value->data, value->len, twin);
}

char *pg_take_buf(sr_buf *from, bool ok, size_t *len)
{
	char *copy = ok ? palloc_extended(from->len + 1, MCXT_ALLOC_HUGE | MCXT_ALLOC_NO_OOM) : NULL;

	*len = from->len;
	if (copy != NULL && from->len > 0)
		memcpy(copy, from->data, from->len);
	sr_buf_free(from);
	if (copy == NULL)
		ereport(ERROR, (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory")));
	return copy;
}
