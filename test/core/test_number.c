/*
 * test_number.c - numbers have a point in every language: with a locale whose numbers have a comma, if
 * the machine has one, and without.
 */
#include "command.h"
#include "test.h"

#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static void check_numbers(const char *in)
{
	char   text[64];
	char   name[96];
	char  *end;
	double d = sr_number_parse("1.5", &end);

	snprintf(name, sizeof(name), "1.5 is read (%s)", in);
	CHECK(d == 1.5 && *end == '\0', name);
	(void) sr_number_parse("1,5", &end);
	snprintf(name, sizeof(name), "1,5 is none (%s)", in);
	CHECK(strcmp(end, ",5") == 0, name);
	snprintf(name, sizeof(name), "2.25 is written (%s)", in);
	CHECK(sr_number_print(text, sizeof(text), "%.17g", 2.25) == 4 && strcmp(text, "2.25") == 0,
		  name);
}

static bool number(const char *text, double expected)
{
	sr_arg	 arg = {.name = "n"};
	sr_value v = {.type = SR_TYPE_TEXT, .data = text, .len = strlen(text)};
	double	 d = 0;

	return sr_value_double(&arg, &v, &d, NULL) && d == expected;
}

static void check_edges(void)
{
	sr_arg	 arg = {.name = "n"};
	sr_value v = {.type = SR_TYPE_TEXT, .data = "9e999", .len = 5};
	double	 d;

	CHECK(number("inf", HUGE_VAL) && number("-Infinity", -HUGE_VAL), "infinity");
	CHECK(number("1e308", 1e308) && number("1e-400", 0) && number("99999999999999999999", 1e20),
		  "large, small, and more than an integer holds");
	CHECK(!sr_value_double(&arg, &v, &d, NULL) && !number("-1e400", -HUGE_VAL),
		  "what is too large is not infinity");
}

int main(void)
{
	static const char *const commas[] = {"de_DE.UTF-8", "fr_FR.UTF-8", "es_ES.UTF-8",
										 "it_IT.UTF-8", "pt_BR.UTF-8", "ru_RU.UTF-8"};

	check_numbers("C");
	check_edges();
	for (size_t i = 0; i < sizeof(commas) / sizeof(commas[0]); i++)
	{
		char text[16];

		if (setlocale(LC_NUMERIC, commas[i]) == NULL)
			continue;
		check_numbers(commas[i]);
		snprintf(text, sizeof(text), "%.2f", 2.25);
		CHECK(strcmp(text, "2,25") == 0, "and the application's locale is as it was");
	}
	return test_result();
}
