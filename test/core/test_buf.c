/*
 * test_buf.c - growth, the ceiling, and that a refused append changes nothing.
 */
#include "core.h"
#include "test.h"

#include <stdlib.h>
#include <string.h>

static void test_growth(void)
{
	sr_buf b = {0};
	bool   good = true;

	for (int i = 0; i < 10000 && good; i++)
		good = sr_buf_fmt(&b, "%d,", i) && b.data[b.len] == '\0' && b.len < b.cap;
	CHECK(good && b.len == 48890, "ten thousand small appends");
	CHECK(strncmp(b.data, "0,1,2,3,", 8) == 0 && strcmp(b.data + b.len - 5, "9999,") == 0,
		  "and all of them are there");
	sr_buf_free(&b);
	CHECK(b.data == NULL && b.len == 0 && b.cap == 0, "free leaves an empty buffer");
	CHECK(sr_buf_add(&b, "", 0) && b.len == 0 && b.data != NULL && b.data[0] == '\0',
		  "nothing appended is an empty string");
	CHECK(sr_buf_add(&b, "a\0b", 3) && b.len == 3 && memcmp(b.data, "a\0b", 4) == 0,
		  "bytes, NUL included");
	sr_buf_free(&b);
}

static void test_ceiling(void)
{
	sr_buf b = {.max = 10};

	CHECK(sr_buf_str(&b, "0123456789") && b.len == 10, "exactly to the ceiling");
	CHECK(!sr_buf_str(&b, "x"), "and not beyond");
	CHECK(b.len == 10 && strcmp(b.data, "0123456789") == 0, "a refused append changes nothing");
	CHECK(!sr_buf_fmt(&b, "%d", 1) && b.len == 10, "nor does a refused format");
	CHECK(!sr_buf_reserve(&b, SIZE_MAX), "no overflow");
	CHECK(sr_buf_reserve(&b, 0), "no room asked, none refused");
	sr_buf_free(&b);
	b = (sr_buf){0};
	CHECK(!sr_buf_reserve(&b, SR_BUF_MAX + 1) && b.data == NULL, "the default ceiling");
}

int main(void)
{
	test_growth();
	test_ceiling();
	return test_result();
}
