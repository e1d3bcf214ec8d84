/*
 * test_lookup.c - templates that are queries: which are, where their columns stand, what is refused.
 */
#include "core.h"
#include "test.h"

#include <stdlib.h>
#include <string.h>

static bool is_query(const char *text)
{
	return sr_is_query(text, strlen(text));
}

static bool write_parameter(void *ctx, int i, sr_buf *out)
{
	(void) ctx;
	return sr_buf_fmt(out, "$%d", i + 1);
}

/* The query with $1, $2 ... for its columns, which are names, separated by spaces. */
static bool becomes(const char *text, const char *expected, const char *names)
{
	sr_err	  err = {0};
	sr_query *q = sr_query_compile(text, strlen(text), &err);
	sr_buf	  out = {0}, columns = {0};
	bool	  good;

	if (q == NULL)
	{
		printf("# %s\n", err.msg);
		return false;
	}
	sr_buf_str(&columns, "");
	for (int i = 0; i < sr_query_columns(q); i++)
		sr_buf_fmt(&columns, "%s%s", i > 0 ? " " : "", sr_query_column(q, i));
	good = sr_query_text(q, write_parameter, NULL, &out) && strcmp(out.data, expected) == 0 &&
		   strcmp(columns.data, names) == 0;
	if (!good)
		printf("# got %s with %s\n", out.data, columns.data);
	sr_buf_free(&out);
	sr_buf_free(&columns);
	sr_query_free(q);
	return good;
}

/* Every part of it that is no column stays as it is. */
static bool stays(const char *text)
{
	return becomes(text, text, "");
}

static bool refused(const char *text, const char *why)
{
	sr_err	  err = {0};
	sr_query *q = sr_query_compile(text, strlen(text), &err);
	bool	  good = q == NULL && err.cls == SR_E_OPTION && strstr(err.msg, why) != NULL;

	if (!good)
		printf("# got %s\n", q != NULL ? "a query" : err.msg);
	sr_query_free(q);
	return good;
}

static void test_which(void)
{
	CHECK(is_query("SELECT 1") && is_query("\n\t with x as (select 1) select 1") &&
			  is_query("select'a'") && is_query("SELECT/* */1") && is_query("SELECT--\n1"),
		  "queries");
	CHECK(!is_query("select:{id}") && !is_query("selected {id}") && !is_query("SELECT") &&
			  !is_query("with-{id}") && !is_query("select/{id}") && !is_query("") &&
			  !is_query("user:{id}"),
		  "keys");
}

static void test_columns(void)
{
	CHECK(becomes("SELECT 'team:' || team FROM m WHERE u = {id}",
				  "SELECT 'team:' || team FROM m WHERE u = $1", "id"),
		  "a column");
	CHECK(becomes("SELECT {b}, {a}, {b}", "SELECT $1, $2, $1", "b a"), "columns, once each");
	CHECK(becomes("SELECT {a b\"c}", "SELECT $1", "a b\"c"), "a name of any characters");
	CHECK(becomes("SELECT {a}1, x{a}, {a}{b}, $1{a}", "SELECT $1 1, x $1, $1 $2, $1 $1", "a b"),
		  "nothing grows into its neighbour");
	CHECK(becomes("SELECT {{1}}", "SELECT {1}", ""), "braces");
	CHECK(becomes("SELECT {a} ; \n;", "SELECT $1 ", "a"), "a semicolon at the end is left out");
	CHECK(becomes("SELECT {a};", "SELECT $1", "a"), "right behind a column, too");
}

static void test_quoted(void)
{
	CHECK(stays("SELECT '{a}', 'it''s {a}', '{{', ';'"), "strings");
	CHECK(becomes("SELECT 'a\\', {a}, '}'", "SELECT 'a\\', $1, '}'", "a"), "with a backslash");
	CHECK(stays("SELECT E'a\\'{a}''\\'{b}', e'\\\\{a}'"), "PostgreSQL's own strings");
	CHECK(becomes("SELECT ae'\\' || {a}", "SELECT ae'\\' || $1", "a"), "which a name is none of");
	CHECK(stays("SELECT \"a{b}\", \"x\"\"{c}\", `d{e}`"), "names");
	CHECK(stays("SELECT $$ {a} ' $$, $x$ {a} $$ $y$ $x$"), "dollar quotes");
	CHECK(becomes("SELECT $1, a$b$, {a}, $b$ {b} $b$", "SELECT $1, a$b$, $1, $b$ {b} $b$", "a"),
		  "which parameters and names are none of");
	CHECK(becomes("SELECT 1 -- {a} '\n, {a} /* {b} ' -- */, {c} -- {d}",
				  "SELECT 1 -- {a} '\n, $1 /* {b} ' -- */, $2 -- {d}", "a c"),
		  "comments");
	CHECK(becomes("SELECT 1 - {a} / {b} -{c}", "SELECT 1 - $1 / $2 -$3", "a b c"), "operators");
}

static void test_refused(void)
{
	CHECK(refused("SELECT {a", "unclosed") && refused("SELECT {a{b}}", "unclosed"), "unclosed");
	CHECK(refused("SELECT {}", "empty"), "empty");
	CHECK(refused("SELECT a}", "unmatched"), "unmatched");
	CHECK(refused("SELECT 'a", "quote") && refused("SELECT \"a{b}", "quote") &&
			  refused("SELECT E'a\\'", "quote"),
		  "an open quote");
	CHECK(refused("SELECT /* a", "without an end") && refused("SELECT /*/", "without an end"),
		  "an open comment");
	CHECK(refused("SELECT /* a /* b */ */ 1", "inside a comment"),
		  "what each engine reads its way");
	CHECK(refused("SELECT 1; DROP TABLE x", "more than one") && refused("SELECT 1;;2", "more than"),
		  "two statements");
	CHECK(becomes("SELECT ';' || {a}", "SELECT ';' || $1", "a"), "but not for its character");
}

/* Whatever stands there: an error or a query, within the text's bounds (which ASan watches). */
static void test_random(void)
{
	static const char signs[] = "{}'\"`$-/*\\;eE1a \n";
	const char		 *given = getenv("SR_TEST_SEED");
	unsigned		  seed = given ? (unsigned) strtoul(given, NULL, 10) : 1;
	int				  queries = 0;

	printf("# seed %u\n", seed);
	srandom(seed);
	for (int n = 0; n < 100000; n++)
	{
		size_t	  len = (size_t) (random() % 24);
		char	 *text = malloc(len > 0 ? len : 1);
		sr_buf	  out = {0};
		sr_query *q;

		for (size_t i = 0; i < len; i++)
			text[i] = signs[(size_t) random() % (sizeof signs - 1)];
		q = sr_query_compile(text, len, NULL);
		sr_is_query(text, len);
		if (q != NULL && sr_query_text(q, write_parameter, NULL, &out))
			queries++;
		sr_query_free(q);
		sr_buf_free(&out);
		free(text);
	}
	CHECK(queries > 1000, "a hundred thousand random texts");
}

int main(void)
{
	test_which();
	test_columns();
	test_quoted();
	test_refused();
	test_random();
	return test_result();
}
