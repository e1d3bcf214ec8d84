/*
 * raw.c - the yardstick of `make bench`: GETs by hiredis and nothing else.
 *
 *   raw HOST-OR-SOCKET PORT-OR-0 KEY COUNT      prints the seconds it took
 */
#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double) t.tv_sec + (double) t.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
	redisContext *c;
	double		  begun;
	long		  count;

	if (argc != 5)
		return 2;
	c = atoi(argv[2]) != 0 ? redisConnect(argv[1], atoi(argv[2])) : redisConnectUnix(argv[1]);
	if (c == NULL || c->err != 0)
		return 1;
	count = strtol(argv[4], NULL, 10);
	begun = now();
	for (long i = 0; i < count; i++)
	{
		const char *words[] = {"GET", argv[3]};
		size_t		lengths[] = {3, strlen(argv[3])};
		redisReply *reply = redisCommandArgv(c, 2, words, lengths);

		if (reply == NULL || reply->type != REDIS_REPLY_STRING)
			return 1;
		freeReplyObject(reply);
	}
	printf("%.6f\n", now() - begun);
	redisFree(c);
	return 0;
}
