/*
 * peer.c - see peer.h.
 */
#include "peer.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

struct peer
{
	peer_answer answer;
	void	   *ctx;
	int			fd;
	int			client; /* the connection served now, or served last */
	pthread_t	thread;
	char		url[128];
};

/* The number behind a line's first character; -1: the connection has ended. */
static long read_number(FILE *in)
{
	char line[64];

	return fgets(line, sizeof(line), in) != NULL ? strtol(line + 1, NULL, 10) : -1;
}

/* One command, its words joined, as much of it as fits. */
static bool read_command(FILE *in, char *out, size_t size)
{
	long   words = read_number(in);
	size_t used = 0;

	if (words < 0)
		return false;
	for (long i = 0; i < words; i++)
	{
		long len = read_number(in);

		for (long j = 0; j < len + 2; j++)
		{
			int c = getc(in);

			if (c == EOF)
				return false;
			if (j < len && used + 2 < size)
				out[used++] = (char) c;
		}
		if (i + 1 < words && used + 2 < size)
			out[used++] = ' ';
	}
	out[used] = '\0';
	return true;
}

static void serve(peer *p, int fd)
{
	static char command[65536];
	FILE	   *in = fdopen(fd, "r");

	while (in != NULL && read_command(in, command, sizeof(command)))
	{
		const char *text =
			strncmp(command, "CLIENT ", 7) == 0 ? "+OK\r\n" : p->answer(p->ctx, command);
		size_t left = text != NULL ? strlen(text) : 0;

		if (text == NULL)
			break;
		while (left > 0)
		{
			ssize_t n = send(fd, text, left, MSG_NOSIGNAL);

			if (n <= 0)
				break;
			text += n;
			left -= (size_t) n;
		}
	}
	if (in != NULL)
		fclose(in);
}

static void *run(void *arg)
{
	peer *p = arg;
	int	  fd;

	while ((fd = accept(p->fd, NULL, NULL)) >= 0)
	{
		__atomic_store_n(&p->client, fd, __ATOMIC_RELEASE);
		serve(p, fd);
	}
	return NULL;
}

static bool listen_tcp(peer *p)
{
	struct sockaddr_in address = {.sin_family = AF_INET};
	socklen_t		   len = sizeof(address);

	p->fd = socket(AF_INET, SOCK_STREAM, 0);
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (p->fd < 0 || bind(p->fd, (struct sockaddr *) &address, len) != 0 ||
		getsockname(p->fd, (struct sockaddr *) &address, &len) != 0)
		return false;
	snprintf(p->url, sizeof(p->url), "redis://127.0.0.1:%d", ntohs(address.sin_port));
	return true;
}

static bool listen_unix(peer *p, const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	snprintf(p->url, sizeof(p->url), "redis+unix://%s", path);
	p->fd = socket(AF_UNIX, SOCK_STREAM, 0);
	return p->fd >= 0 && bind(p->fd, (struct sockaddr *) &address, sizeof(address)) == 0;
}

peer *peer_start_at(const char *path, peer_answer answer, void *ctx)
{
	peer *p = calloc(1, sizeof(*p));

	if (p == NULL)
		return NULL;
	p->answer = answer;
	p->ctx = ctx;
	if (!(path != NULL ? listen_unix(p, path) : listen_tcp(p)) || listen(p->fd, 4) != 0 ||
		pthread_create(&p->thread, NULL, run, p) != 0)
	{
		close(p->fd);
		free(p);
		return NULL;
	}
	return p;
}

peer *peer_start(peer_answer answer, void *ctx)
{
	return peer_start_at(NULL, answer, ctx);
}

void peer_hang_up(peer *p, const char *last_words)
{
	int fd = __atomic_load_n(&p->client, __ATOMIC_ACQUIRE);

	(void) send(fd, last_words, strlen(last_words), MSG_NOSIGNAL);
	shutdown(fd, SHUT_RDWR);
}

const char *peer_url(const peer *p)
{
	return p->url;
}

void peer_stop(peer *p)
{
	shutdown(p->fd, SHUT_RDWR);
	pthread_join(p->thread, NULL);
	close(p->fd);
	free(p);
}
