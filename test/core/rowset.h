/*
 * rowset.h - what the tests of rows share: calling a function of the table, and its rows as text.
 */
#ifndef SQLREDIS_TEST_ROWSET_H
#define SQLREDIS_TEST_ROWSET_H

#include "client.h"

#include <string.h>

/* Arguments; NONE is a NULL. */
#define NONE	 ((sr_value){.type = SR_TYPE_NULL})
#define TEXT(s)	 ((sr_value){.type = SR_TYPE_TEXT, .data = (s), .len = strlen(s)})
#define INT(n)	 ((sr_value){.type = SR_TYPE_INTEGER, .i = (n)})
#define FLOAT(x) ((sr_value){.type = SR_TYPE_DOUBLE, .d = (x)})

/*
 * Open the function's rows over copies of the arguments that are gone when it returns: what a source
 * did not copy, ASan sees. NULL: err is filled.
 */
sr_rows *open_rows(sr_client *c, const char *name, int n, const sr_value *args, sr_err *err);
#define OPEN(c, name, err, ...)                                                                    \
	open_rows((c), (name), (int) (sizeof((sr_value[]){__VA_ARGS__}) / sizeof(sr_value)),           \
			  (sr_value[]){__VA_ARGS__}, (err))

/*
 * All rows: "a|b,c|d", NULL as "~", and at the end of them " CLASS: message" of an error. In a buffer
 * that the next call uses again.
 */
const char *row_text(sr_client *c, const char *name, int n, const sr_value *args);
#define ROWS(c, name, ...)                                                                         \
	row_text((c), (name), (int) (sizeof((sr_value[]){__VA_ARGS__}) / sizeof(sr_value)),            \
			 (sr_value[]){__VA_ARGS__})

/* Read on, at most limit rows (-1: all), and close at the end; how many, or -1 for an error. */
long read_rows(sr_rows **rows, long limit, sr_err *err);

/* Run a Lua script; its reply as JSON. */
const char *lua(sr_client *c, const char *script);

/* Commands sent so far. */
uint64_t sent(const sr_client *c);

/* Bytes that malloc has given out. */
size_t allocated(void);

#endif
