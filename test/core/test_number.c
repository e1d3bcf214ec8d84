/*
 * test_number.c - numbers have a point in every language: with a locale whose numbers have a comma, if
 * the machine has one, and without.
 */
#include "command.h"
#include "test.h"

#include <locale.h>
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

int main(void)
{
	static const char *const commas[] = {"de_DE.UTF-8", "fr_FR.UTF-8", "es_ES.UTF-8",
										 "it_IT.UTF-8", "pt_BR.UTF-8", "ru_RU.UTF-8"};

	check_numbers("C");
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
