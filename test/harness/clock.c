/*
 * clock.c - a clock that a test sets, for a server that reads gettimeofday(): preloaded into it. The time is
 * a number of microseconds since 1970 in the file that SR_TEST_CLOCK names; it stands still between changes.
 * The monotonic clock, by which the server sleeps, goes on.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <unistd.h>

static const volatile int64_t *now;

__attribute__((constructor)) static void open_clock(void)
{
	const char *path = getenv("SR_TEST_CLOCK");
	int			fd = path != NULL ? open(path, O_RDONLY | O_CLOEXEC) : -1;

	if (fd < 0)
		abort();
	now = mmap(NULL, sizeof *now, PROT_READ, MAP_SHARED, fd, 0);
	close(fd);
	if (now == MAP_FAILED)
		abort();
}

/* A library's constructor may ask before this one has run. */
int gettimeofday(struct timeval *restrict tv, void *restrict zone)
{
	int64_t t = now != NULL ? *now : 0;

	(void) zone;
	tv->tv_sec = t / 1000000;
	tv->tv_usec = t % 1000000;
	return 0;
}
