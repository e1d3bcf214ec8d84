/*
 * scalar.h - what the tests of scalar functions share: calling one, and its result as text.
 */
#ifndef SQLREDIS_TEST_SCALAR_H
#define SQLREDIS_TEST_SCALAR_H

#include "rowset.h"

/*
 * The function's result: "~" for NULL, or "CLASS: message | hint" of an error. In a buffer that the next
 * call uses again. The arguments are copies that are gone afterwards.
 */
const char *scalar_text(sr_client *c, const char *name, int n, const sr_value *args);
#define CALL(c, name, ...)                                                                         \
	scalar_text((c), (name), (int) (sizeof((sr_value[]){__VA_ARGS__}) / sizeof(sr_value)),         \
				(sr_value[]){__VA_ARGS__})

/* What it was, once more. */
const char *last_scalar(void);

#endif
