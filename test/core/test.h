/*
 * test.h - what the core's test programs share: a line "ok NAME" or "not ok NAME: WHERE" a check,
 * and an exit code. Each program includes it once.
 */
#ifndef SQLREDIS_TEST_H
#define SQLREDIS_TEST_H

#include <stdbool.h>
#include <stdio.h>

static int test_failures;

static bool test_check(bool good, const char *name, const char *file, int line, const char *what)
{
	if (good)
		printf("ok %s\n", name);
	else
	{
		printf("not ok %s: %s:%d: %s\n", name, file, line, what);
		test_failures++;
	}
	fflush(stdout);
	return good;
}

/* The exit code of main. */
static int test_result(void)
{
	return test_failures == 0 ? 0 : 1;
}

#define CHECK(condition, name) test_check((condition), (name), __FILE__, __LINE__, #condition)

#endif
