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
#include <unistd.h>

struct peer
{
	peer_answer answer;
	void	   *ctx;
	int			fd;
	pthread_t	thread;
	char		url[64];
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
		serve(p, fd);
	return NULL;
}

peer *peer_start(peer_answer answer, void *ctx)
{
	peer			  *p = calloc(1, sizeof(*p));
	struct sockaddr_in address = {.sin_family = AF_INET};
	socklen_t		   len = sizeof(address);

	if (p == NULL)
		return NULL;
	p->answer = answer;
	p->ctx = ctx;
	p->fd = socket(AF_INET, SOCK_STREAM, 0);
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (p->fd < 0 || bind(p->fd, (struct sockaddr *) &address, len) != 0 || listen(p->fd, 4) != 0 ||
		getsockname(p->fd, (struct sockaddr *) &address, &len) != 0 ||
		pthread_create(&p->thread, NULL, run, p) != 0)
	{
		close(p->fd);
		free(p);
		return NULL;
	}
	snprintf(p->url, sizeof(p->url), "redis://127.0.0.1:%d", ntohs(address.sin_port));
	return p;
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
