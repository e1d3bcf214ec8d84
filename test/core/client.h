/*
 * client.h - what the tests of the client share: a host that is poll(), with a clock that can be set
 * forward and waits that can be interrupted, and commands written as words.
 */
#ifndef SQLREDIS_TEST_CLIENT_H
#define SQLREDIS_TEST_CLIENT_H

#include "core.h"

typedef struct host_state
{
	int64_t skew;	   /* ms the clock is ahead */
	int		interrupt; /* interrupt the wait after so many more; -1: never */
	int		waits;
	int		opened, closed;
	int		last_opened, last_closed;
	int		logged;
	void (*inside)(void); /* called within a wait */
} host_state;

extern host_state  state;
extern const char *server; /* the URL of a Redis that may be flushed */

/* Looks for the server in SR_TEST_URL or REDIS_URL; false (and a line that says so): neither is set. */
bool find_server(void);

/* The host's clock, ms. */
int64_t host_now(void *ctx);

/* The usual settings for url, and state as new. */
sr_settings settings(const char *url);
sr_client  *client(const sr_settings *s);

/* A command in words; its reply as JSON in a static buffer, or "CLASS: message". */
const char *ask_flags(sr_client *c, unsigned flags, const char *words);
const char *ask(sr_client *c, const char *words);

/* Comparisons that say what they got. */
bool is(const char *got, const char *expected);
bool has(const char *got, const char *part);

/* Let another connection close all others. */
void kill_others(void);

/* Effects: n keys by a format with %d, one of any kind, a command in words. */
sr_inval *queue(const char *format, int n);
void	  push_effect(sr_inval *q, sr_effect kind, const char *data);
void	  push_command(sr_inval *q, const char *words);

/* How a flush went; says so when it is not what was expected. */
bool flushed(const sr_flush_result *r, size_t sent, size_t kept, size_t lost);

#endif
