/*
 * text.c - a value's text, what ::text gives, the same in every session: keys and cached answers are
 * read by others.
 */
#include "pg_sqlredis.h"

#include "access/transam.h"
#include "catalog/pg_type.h"
#include "parser/parse_coerce.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

/* Types whose text is the same whatever the session has set. */
bool pg_text_is_fixed(Oid type)
{
	switch (getBaseType(type))
	{
		case BOOLOID:
		case INT2OID:
		case INT4OID:
		case INT8OID:
		case OIDOID:
		case NUMERICOID:
		case TEXTOID:
		case VARCHAROID:
		case BPCHAROID:
		case CHAROID:
		case NAMEOID:
		case UUIDOID:
		case JSONOID:
		case JSONBOID:
		case INETOID:
		case CIDROID:
		case MACADDROID: return true;
		default: return type_is_enum(getBaseType(type));
	}
}

/*
 * A cast that PostgreSQL came with, else the output function: somebody's own CREATE CAST would run with
 * the rights of whoever writes a row.
 */
void pg_text_init(pg_text *t, Oid type, MemoryContext context)
{
	Oid	 function = InvalidOid;
	bool is_varlena;

	t->type = getBaseType(type);
	t->cast = find_coercion_pathway(TEXTOID, t->type, COERCION_EXPLICIT, &function) ==
				  COERCION_PATH_FUNC &&
			  function < FirstNormalObjectId;
	if (!t->cast)
		getTypeOutputInfo(type, &function, &is_varlena);
	fmgr_info_cxt(function, &t->function, context);
}

sr_text pg_text_of(pg_text *t, Datum datum, char *scratch)
{
	struct varlena *varlena;
	char		   *out;

	switch (t->type)
	{
		case INT2OID: return (sr_text){scratch, (size_t) pg_itoa(DatumGetInt16(datum), scratch)};
		case INT4OID: return (sr_text){scratch, (size_t) pg_ltoa(DatumGetInt32(datum), scratch)};
		case INT8OID: return (sr_text){scratch, (size_t) pg_lltoa(DatumGetInt64(datum), scratch)};
		case TEXTOID:
		case VARCHAROID:
			varlena = PG_DETOAST_DATUM_PACKED(datum);
			return (sr_text){VARDATA_ANY(varlena), VARSIZE_ANY_EXHDR(varlena)};
		case BPCHAROID:
			varlena = PG_DETOAST_DATUM_PACKED(datum);
			return (sr_text){
				VARDATA_ANY(varlena),
				(size_t) bpchartruelen(VARDATA_ANY(varlena), (int) VARSIZE_ANY_EXHDR(varlena))};
		case BOOLOID: return DatumGetBool(datum) ? (sr_text){"true", 4} : (sr_text){"false", 5};
		default: break;
	}
	if (t->cast)
		out = TextDatumGetCString(FunctionCall1(&t->function, datum));
	else
		out = OutputFunctionCall(&t->function, datum);
	return (sr_text){out, strlen(out)};
}

int pg_text_begin(const char *search_path)
{
	static const char *const modes[][2] = {{"datestyle", "ISO, YMD"}, {"intervalstyle", "postgres"},
										   {"timezone", "UTC"},		  {"extra_float_digits", "1"},
										   {"bytea_output", "hex"},	  {"lc_monetary", "C"}};
	int						 nest_level = NewGUCNestLevel();

	for (size_t i = 0; i < lengthof(modes); i++)
		set_config_option(modes[i][0], modes[i][1], PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE,
						  true, 0, false);
	set_config_option("search_path", search_path, PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true,
					  0, false);
	return nest_level;
}

void pg_text_end(int nest_level)
{
	/* Whatever was called in between may have set something for the session: that goes, too. */
	if (nest_level > 0)
		AtEOXact_GUC(false, nest_level);
}
