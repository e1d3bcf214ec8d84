/*
 * kill_at.c - preloaded into a process: once armed, it is killed before its n-th call that writes to a file or to a
 * socket. So a test can kill it at every step there is, one after the other.
 */
#include <dlfcn.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

static long left = -1;

void kill_at(long n)
{
	left = n;
}

/* How many steps there have been since it was armed with a number too large to be met. */
long kill_at_left(void)
{
	return left;
}

static void step(void)
{
	if (left >= 0 && left-- == 0)
		raise(SIGKILL);
}

#define WRAP(type, name, parameters, arguments)                                                    \
	type name parameters                                                                           \
	{                                                                                              \
		type(*real) parameters = (type(*) parameters) dlsym(RTLD_NEXT, #name);                     \
		step();                                                                                    \
		return real arguments;                                                                     \
	}

WRAP(ssize_t, write, (int fd, const void *data, size_t size), (fd, data, size))
WRAP(ssize_t, pwrite, (int fd, const void *data, size_t size, off_t at), (fd, data, size, at))
WRAP(ssize_t, pwrite64, (int fd, const void *data, size_t size, off64_t at), (fd, data, size, at))
WRAP(int, ftruncate, (int fd, off_t size), (fd, size))
WRAP(int, ftruncate64, (int fd, off64_t size), (fd, size))
WRAP(int, fsync, (int fd), (fd))
WRAP(int, fdatasync, (int fd), (fd))
WRAP(int, unlink, (const char *path), (path))
WRAP(ssize_t, send, (int fd, const void *data, size_t size, int flags), (fd, data, size, flags))
WRAP(ssize_t, sendmsg, (int fd, const struct msghdr *message, int flags), (fd, message, flags))
