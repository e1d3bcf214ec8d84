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

/* A client of the server, the database empty. */
sr_client *fresh(sr_settings *options);

/* Copies of arguments, texts and all. */
sr_value *copy_values(int n, const sr_value *args);
void	  free_values(int n, sr_value *copy);

/* Its text, "~" for NULL. */
void add_value(sr_buf *out, const sr_value *v);

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

/* All rows counted, -1 for an error: it is printed, and its class left in *cls unless that is NULL. */
long count_rows(sr_client *c, const char *name, sr_class *cls, int n, const sr_value *args);
#define COUNT(c, name, cls, ...)                                                                   \
	count_rows((c), (name), (cls), (int) (sizeof((sr_value[]){__VA_ARGS__}) / sizeof(sr_value)),   \
			   (sr_value[]){__VA_ARGS__})

/* The same, a Lua script run after 500 rows. */
long disturbed(sr_client *c, const char *name, const char *script, int n, const sr_value *args);
#define DISTURBED(c, name, script, ...)                                                            \
	disturbed((c), (name), (script), (int) (sizeof((sr_value[]){__VA_ARGS__}) / sizeof(sr_value)), \
			  (sr_value[]){__VA_ARGS__})

/* How many rows there are when the script runs every ten of them; 20000: it does not end. */
long growing(sr_client *c, const char *name, const char *script, int n, const sr_value *args);
#define GROWING(c, name, script, ...)                                                              \
	growing((c), (name), (script), (int) (sizeof((sr_value[]){__VA_ARGS__}) / sizeof(sr_value)),   \
			(sr_value[]){__VA_ARGS__})

/* A comparison that says what it got. */
bool same_count(long got, long expected);

/* Run a Lua script; its reply as JSON. */
const char *lua(sr_client *c, const char *script);

/* Commands sent so far. */
uint64_t sent(const sr_client *c);

/* Bytes that malloc has given out; 0 where nobody counts them (valgrind). */
size_t allocated(void);

#endif
