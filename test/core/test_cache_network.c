/*
 * test_cache_network.c - replies of the coherent cache's scripts that are lost, and scripts that arrive
 * late. The test sits in the client's connection: it reads what the client writes, and decides.
 */
#include "cached.h"
#include "redis.h"
#include "test.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int		   real = -1;  /* the connection to Redis */
static int		   inner = -1; /* our end of what the client has instead */
static char		   caught[8192];
static size_t	   caught_len;
static const char *catch_word;	/* the command that is caught; those before go through */
static bool		   deliver;		/* it is carried out, only its reply is lost */
static void (*meanwhile)(void); /* before it is, and then nothing is lost */

/* What is there to read, once there is anything. */
static size_t take(int fd, char *out, size_t size)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	ssize_t		  n;

	if (poll(&p, 1, 10000) != 1)
		return 0;
	n = read(fd, out, size);
	return n > 0 ? (size_t) n : 0;
}

static bool put(int fd, const char *data, size_t len)
{
	return send(fd, data, len, MSG_NOSIGNAL) == (ssize_t) len;
}

/* The client waits for a reply: its command is in our hands. */
static void intercept(void)
{
	char   reply[8192];
	size_t n;

	if (inner < 0)
		return;
	caught_len = take(inner, caught, sizeof(caught));
	if (caught_len == 0)
		return;
	if (memmem(caught, caught_len, catch_word, strlen(catch_word)) == NULL || meanwhile != NULL)
	{
		void (*then)(void) = meanwhile;

		if (memmem(caught, caught_len, catch_word, strlen(catch_word)) != NULL)
		{
			state.inside = meanwhile = NULL;
			then();
			state.inside = intercept;
		}
		if (put(real, caught, caught_len) && (n = take(real, reply, sizeof(reply))) > 0)
			(void) put(inner, reply, n);
		return;
	}
	if (deliver && put(real, caught, caught_len))
		(void) take(real, reply, sizeof(reply));
	close(inner);
	inner = -1;
}

/* From now on the client's connection goes through us, until it sends word. */
static void sit_between(const char *word, bool carried_out)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair) != 0)
		abort();
	real = dup(state.last_opened);
	dup2(pair[1], state.last_opened);
	close(pair[1]);
	inner = pair[0];
	catch_word = word;
	deliver = carried_out;
	state.inside = intercept;
}

static void stop_sitting(void)
{
	state.inside = NULL;
	close(real);
	real = -1;
}

/* The command that was caught reaches Redis after all. */
static const char *let_through(void)
{
	static char reply[1024];
	size_t		n = 0;

	if (put(real, caught, caught_len))
		n = take(real, reply, sizeof(reply) - 1);
	reply[n] = '\0';
	return reply;
}

static sr_client *admin, *one;

static void begin(const char *url)
{
	sr_settings s = settings(url);

	s.cache_lease = 60000;
	admin = client(&s);
	ask(admin, "FLUSHALL");
	one = client(&s);
	look(one, "warm up"); /* Redis has the scripts, the client knows who it is */
	fill(one, "warm up", "v", NULL);
}

static void end(void)
{
	sr_client_free(admin);
	sr_client_free(one);
}

static void test_lost_lease(const char *url)
{
	char words[128];

	begin(url);
	sit_between("EVALSHA", true);
	CHECK(is(look(one, "k"), "leased") && inner < 0, "the reply to a lease is lost");
	stop_sitting();
	CHECK(is(fill(one, "k", "v", NULL), "filled") && is(look(one, "k"), "hit v"),
		  "it is found out that it was taken");
	sit_between("EVALSHA", true);
	state.inside = intercept;
	CHECK(is(look(one, "other"), "leased"), "again");
	stop_sitting();
	snprintf(words, sizeof(words), "UNLINK %s", entry_of("other"));
	ask(admin, words);
	CHECK(is(fill(one, "other", "stale", NULL), "unfilled"),
		  "an invalidation takes it like any other");
	end();
}

/*
 * The first script is on its way for so long that the lease of the second is taken and invalidated before
 * it arrives: the lease it takes then must not be the one that the fill asks for.
 */
static void test_late_lease(const char *url)
{
	char words[128];

	begin(url);
	sit_between("EVALSHA", false);
	CHECK(is(look(one, "k"), "leased") && inner < 0, "a lease is asked for again");
	snprintf(words, sizeof(words), "UNLINK %s", entry_of("k"));
	ask(admin, words);
	CHECK(is(let_through(), ":1\r\n"), "the first time arrives late, and takes one");
	CHECK(is(fill(one, "k", "stale", NULL), "unfilled"), "which is not ours to fill under");
	stop_sitting();
	end();
}

static void test_lost_fill(const char *url)
{
	const sr_stats *stats;

	begin(url);
	look(one, "k");
	stats = sr_client_stats(one);
	sit_between("EVALSHA", true);
	CHECK(is(fill(one, "k", "v", NULL), "unfilled") && stats->cache_fills == 1 &&
			  unfilled(one, SR_UNFILLED_LOST) == 1,
		  "a fill whose reply is lost is sent again, and finds no lease");
	stop_sitting();
	CHECK(is(look(one, "k"), "hit v"), "for it was one");
	look(one, "late");
	sit_between("EVALSHA", false);
	CHECK(is(fill(one, "late", "stale", NULL), "filled"), "one that is under way for long");
	ask(admin, "FLUSHALL");
	look(one, "late");
	CHECK(is(let_through(), ":0\r\n"), "arrives when the lease is another one");
	CHECK(is(fill(one, "late", "new", NULL), "filled"), "and does it no harm");
	stop_sitting();
	end();
}

/* Between lease and fill the connection comes to lead elsewhere: what was replaced counts for nothing. */
static void test_lost_look(const char *url)
{
	begin(url);
	sit_between("GETEX", true);
	CHECK(is(look(one, "warm up"), "hit v") && inner < 0, "a look whose reply is lost is repeated");
	stop_sitting();
	end();
}

static void test_stopped(const char *url)
{
	begin(url);
	state.inside = time_passes; /* in every wait, and more than once */
	CHECK(is(look(one, "warm up"), "hit v"), "a clock that runs away");
	state.inside = NULL;
	end();
}

static void slow(void)
{
	time_passes();
	time_passes();
}

static void promoted(void)
{
	slow();
	ask(admin, "DEBUG CHANGE-REPL-ID");
}

/* Between a look and the script that reads an entry with tags: what happened, and what is found. */
static void test_late_script(const char *url, void (*what)(void), const char *found)
{
	begin(url);
	look(one, "tagged");
	CHECK(is(fill(one, "tagged", "v", "red"), "filled") && is(look(one, "tagged"), "hit v"),
		  "an entry with tags");
	time_passes();
	sit_between("EVALSHA", true);
	meanwhile = what;
	CHECK(is(look_flags(one, "tagged", 0), found) && meanwhile == NULL && inner >= 0,
		  "is void after a promotion, however late the script comes, and only then");
	stop_sitting();
	end();
}

int main(void)
{
	redis *r = redis_start((const char *const[]){"--enable-debug-command", "yes", NULL});

	if (r == NULL)
		return 1;
	setvbuf(stdout, NULL, _IOLBF, 0);
	test_lost_lease(redis_url(r));
	test_late_lease(redis_url(r));
	test_lost_fill(redis_url(r));
	test_lost_look(redis_url(r));
	test_stopped(redis_url(r));
	test_late_script(redis_url(r), slow, "hit v");
	test_late_script(redis_url(r), promoted, "missed");
	redis_stop(r);
	return test_result();
}
