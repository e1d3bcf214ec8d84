/*
 * hiredis_compat.h - the differences between hiredis 0.14 and 1.x, and nothing else.
 *
 * Every #if on hiredis's version is here. Included by reply.c and exchange.c only.
 */
#ifndef SQLREDIS_HIREDIS_COMPAT_H
#define SQLREDIS_HIREDIS_COMPAT_H

#include <hiredis/hiredis.h>

#if HIREDIS_MAJOR >= 1
typedef size_t sr_hiredis_count; /* elements as createArray is told them */
#define SR_HIREDIS_RESP3 1		 /* the object functions include createDouble and createBool */
#else
typedef int sr_hiredis_count;
#define SR_HIREDIS_RESP3 0
#endif

/* The most redisFormatCommandArgv can build: 0.14 counts in int. */
#define SR_HIREDIS_MAX_COMMAND ((size_t) 1 << 30)

#endif
