/*
 * test_template.c - key templates: what they mean, and what is refused.
 */
#include "core.h"
#include "test.h"

#include <string.h>

static sr_template *compile(const char *text, sr_err *err)
{
	memset(err, 0, sizeof *err);
	return sr_template_compile(text, strlen(text), err);
}

static bool expands(const char *text, const char *const *values, const char *expected)
{
	sr_err		 err;
	sr_template *t = compile(text, &err);
	sr_text		 columns[8];
	sr_buf		 out = {0};
	bool		 good;

	if (t == NULL)
		return false;
	for (int i = 0; i < sr_template_columns(t); i++)
		columns[i] = (sr_text){values[i], values[i] ? strlen(values[i]) : 0};
	if (expected == NULL)
		good = sr_template_expand(t, columns, &out) == SR_NULL_COLUMN && out.len == 0;
	else
		good = sr_template_expand(t, columns, &out) == SR_EXPANDED && out.len == strlen(expected) &&
			   memcmp(out.data, expected, out.len) == 0;
	sr_buf_free(&out);
	sr_template_free(t);
	return good;
}

static bool refused(const char *text, const char *why)
{
	sr_err		 err;
	sr_template *t = compile(text, &err);
	bool		 good = t == NULL && err.cls == SR_E_OPTION && strstr(err.msg, why) && err.hint[0];

	sr_template_free(t);
	return good;
}

int main(void)
{
	static const char *const one[] = {"42"}, *const two[] = {"a", "b"}, *const null[] = {"a", NULL},
							 *const braces[] = {"{x}"};
	sr_err							err;
	sr_template					   *t;

	CHECK(expands("user:{id}", one, "user:42"), "a column");
	CHECK(expands("{id}", one, "42"), "nothing but a column");
	CHECK(expands("constant", one, "constant"), "no column");
	CHECK(expands("{x}{y}", two, "ab"), "neighbours");
	CHECK(expands("{x}:{y}:{x}", two, "a:b:a"), "a column twice");
	CHECK(expands("{{id}}", one, "{id}"), "literal braces");
	CHECK(expands("{{{id}}}", one, "{42}"), "a column within literal braces");
	CHECK(expands("a}}b{{", one, "a}b{"), "braces alone");
	CHECK(expands("k:{id}", braces, "k:{x}"), "braces of a value are left alone");
	CHECK(expands("{x}{y}", null, NULL), "a NULL column: no key");
	CHECK(expands("caf\xc3\xa9:{id}", one, "caf\xc3\xa9:42"), "UTF-8");
	CHECK(refused("", "empty"), "empty");
	CHECK(refused("user:{id", "unclosed"), "unclosed");
	CHECK(refused("user:{", "unclosed"), "unclosed at the end");
	CHECK(refused("user:{i{d}", "unclosed"), "a brace in a name");
	CHECK(refused("user:id}", "unmatched"), "unmatched");
	CHECK(refused("user:{}", "empty"), "no name");
	t = compile("{a b}:{\"Q\"}:{a b}", &err);
	CHECK(t != NULL && sr_template_columns(t) == 2 &&
			  strcmp(sr_template_column(t, 0), "a b") == 0 &&
			  strcmp(sr_template_column(t, 1), "\"Q\"") == 0,
		  "names are taken as they are");
	sr_template_free(t);
	return test_result();
}
