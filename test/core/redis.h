/*
 * redis.h - a redis-server of a test's own: for what must not be done to the one that all share, and
 * where it takes two.
 */
#ifndef SQLREDIS_TEST_REDIS_H
#define SQLREDIS_TEST_REDIS_H

typedef struct redis redis;

/*
 * On a free loopback port and a unix socket, in a directory of its own. more: further words of its command
 * line, ended by NULL; NULL: none. It dies with this program. NULL, and a line that says so: it does not
 * start.
 */
redis	   *redis_start(const char *const *more);
const char *redis_url(const redis *r); /* of the unix socket */
int			redis_port(const redis *r);
void		redis_stop(redis *r);

#endif
