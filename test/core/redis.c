/*
 * redis.c - see redis.h.
 */
#include "redis.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MAX_WORDS 32
#define TRIES	  3000 /* of 10 ms each */

struct redis
{
	pid_t pid;
	int	  port;
	char  directory[64];
	char  socket[96];
	char  url[128];
};

static int free_port(void)
{
	struct sockaddr_in address = {.sin_family = AF_INET};
	socklen_t		   len = sizeof(address);
	int				   fd = socket(AF_INET, SOCK_STREAM, 0);

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (bind(fd, (struct sockaddr *) &address, len) != 0 ||
		getsockname(fd, (struct sockaddr *) &address, &len) != 0)
		address.sin_port = 0;
	close(fd);
	return ntohs(address.sin_port);
}

static void become_redis(const redis *r, const char *const *more)
{
	char		port[16];
	const char *words[MAX_WORDS] = {"redis-server",
									"--port",
									port,
									"--bind",
									"127.0.0.1",
									"--unixsocket",
									r->socket,
									"--dir",
									r->directory,
									"--save",
									"",
									"--appendonly",
									"no",
									"--logfile",
									"redis.log",
									"--repl-diskless-sync-delay",
									"0"};
	int			n = 17;

	snprintf(port, sizeof(port), "%d", r->port);
	for (; more != NULL && *more != NULL && n < MAX_WORDS - 1; more++)
		words[n++] = *more;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	execvp(words[0], (char *const *) words);
	_exit(127);
}

static bool answers(const redis *r)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	char			   text[7];
	int				   fd = socket(AF_UNIX, SOCK_STREAM, 0);
	bool			   good;

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", r->socket);
	good = connect(fd, (struct sockaddr *) &address, sizeof(address)) == 0 &&
		   write(fd, "PING\r\n", 6) == 6 && read(fd, text, 1) == 1;
	close(fd);
	return good;
}

static bool start_once(redis *r, const char *const *more)
{
	r->port = free_port();
	r->pid = fork();
	if (r->pid == 0)
		become_redis(r, more);
	for (int i = 0; r->pid > 0 && i < TRIES; i++)
	{
		if (answers(r))
			return true;
		if (waitpid(r->pid, NULL, WNOHANG) == r->pid)
			r->pid = -1;
		nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
	}
	return false;
}

redis *redis_start(const char *const *more)
{
	redis *r = calloc(1, sizeof(*r));

	if (r == NULL)
		return NULL;
	snprintf(r->directory, sizeof(r->directory), "/tmp/sqlredis-test-XXXXXX");
	if (mkdtemp(r->directory) != NULL)
	{
		snprintf(r->socket, sizeof(r->socket), "%s/redis.sock", r->directory);
		snprintf(r->url, sizeof(r->url), "redis+unix://%s", r->socket);
		for (int i = 0; i < 5; i++) /* somebody may take the port in between */
			if (start_once(r, more))
				return r;
	}
	printf("not ok: redis-server does not start\n");
	free(r);
	return NULL;
}

const char *redis_url(const redis *r)
{
	return r->url;
}

int redis_port(const redis *r)
{
	return r->port;
}

static void remove_file(const redis *r, const char *name)
{
	char path[96];

	snprintf(path, sizeof(path), "%s/%s", r->directory, name);
	unlink(path);
}

void redis_stop(redis *r)
{
	kill(r->pid, SIGKILL);
	waitpid(r->pid, NULL, 0);
	remove_file(r, "redis.sock");
	remove_file(r, "redis.log");
	remove_file(r, "dump.rdb");	  /* a replica's */
	remove_file(r, "nodes.conf"); /* of a cluster */
	rmdir(r->directory);
	free(r);
}
