/*
 * test_hold_random.c - sixteen clients, each a process of its own, sell ten thousand tickets, in random
 * transactions that commit, roll back, or die. Every ticket is sold once. Redis is the one that SR_TEST_URL
 * or REDIS_URL names; SEED repeats a run's choices.
 */
#include "test.h"
#include "transaction.h"

#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define CLIENTS 16
#define TICKETS 10000
#define KINDS	4
#define MOST	9 /* tickets at once */

static unsigned choose(unsigned *random, unsigned n)
{
	*random = *random * 1103515245u + 12345u;
	return (*random >> 16) % n;
}

static int reserve(transaction *t, unsigned *random)
{
	char kind[16];
	int	 n = 1 + (int) choose(random, MOST);

	snprintf(kind, sizeof(kind), "kind%u", choose(random, KINDS));
	while (n > 0 && strcmp(IN(t, "redis_reserve", TEXT("show"), TEXT(kind), INT(n)), "~") == 0)
		n /= 2;
	if (n > 0 && strspn(last_scalar(), "0123456789") != strlen(last_scalar()))
		printf("not ok a reservation: %s\n", last_scalar());
	return n;
}

/* Tickets that the transaction sold, -1: it died, and its client with it. */
static int one_transaction(sr_client *c, unsigned *random)
{
	transaction t = tx_begin(c);
	int			sold = reserve(&t, random), inner = 0;
	const char *refused;

	tx_savepoint(&t);
	if (choose(random, 3) == 0)
		inner = reserve(&t, random);
	if (choose(random, 2) == 0)
		tx_rollback_to(&t);
	else
	{
		tx_release(&t);
		sold += inner;
	}
	switch (choose(random, 16))
	{
		case 0: tx_rollback(&t); return 0;
		case 1: tx_die(&t); return -1;
		default: refused = tx_commit(&t); return *refused == '\0' ? sold : 0;
	}
}

static bool is_sold_out(sr_client *c)
{
	return strcmp(ask(c, "HVALS show"), "[\"0\",\"0\",\"0\",\"0\"]") == 0 &&
		   strcmp(ask(c, "EXISTS show:holds{show}"), "0") == 0;
}

/* Until nothing is left, and nothing is held that might come back. Its exit writes what it sold. */
static void sell(int to, unsigned random)
{
	sr_settings s = settings(server);
	sr_client  *c;
	int			sold = 0;
	int64_t		until = host_now(&state) + 300000;

	s.recipes.hold = 2000;
	c = client(&s);
	while (host_now(&state) < until)
	{
		int n = one_transaction(c, &random);

		if (n < 0)
			c = client(&s);
		else
			sold += n;
		if (n == 0 && is_sold_out(c))
			break;
	}
	sr_client_free(c);
	if (write(to, &sold, sizeof(sold)) != sizeof(sold))
		printf("not ok: write\n");
}

int main(void)
{
	const char *given = getenv("SEED");
	unsigned	seed = given != NULL ? (unsigned) strtoul(given, NULL, 10) : (unsigned) getpid();
	sr_settings s;
	sr_client  *c;
	int			pipes[2], sold, total = 0, done = 0;

	if (!find_server() || pipe(pipes) != 0)
		return 1;
	printf("# SEED=%u\n", seed);
	c = fresh(&s);
	ask(c, "HSET show kind0 2500 kind1 2500 kind2 2500 kind3 2500");
	for (int i = 0; i < CLIENTS; i++)
		if (fork() == 0)
		{
			sell(pipes[1], seed + (unsigned) i * 7919);
			_exit(0);
		}
	close(pipes[1]);
	for (; read(pipes[0], &sold, sizeof(sold)) == sizeof(sold); done++)
		total += sold;
	while (wait(NULL) > 0)
		;
	printf("# sold %d\n", total);
	CHECK(done == CLIENTS, "all clients end");
	CHECK(total == TICKETS, "every ticket is sold once");
	CHECK(is(ask(c, "HVALS show"), "[\"0\",\"0\",\"0\",\"0\"]") &&
			  is(ask(c, "EXISTS show:holds{show}"), "0"),
		  "none is left, none is held");
	sr_client_free(c);
	return test_result();
}
