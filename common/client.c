/*
 * client.c - a client's birth, settings and end, and what it tells about itself. No I/O but closing,
 * and sending what must not go to another server.
 *
 * Owns the copies of the settings. Which of them need a new connection is decided here.
 */
#include "core.h"
#include "conn.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CONNECT_TIMEOUT 3000
#define COMMAND_TIMEOUT 2000
#define COMMIT_TIMEOUT	250
#define CACHE_LEASE		10000
#define CACHE_WAIT		2000
/* The record of an invalidated tag lives no shorter: it must outlive the leases taken before. */
#define LONGEST_LEASE 60000
#define MAX_REPLY	  ((size_t) 512 * 1024 * 1024)

static void set_unconfigured(sr_client *c, const sr_err *why)
{
	c->configured = false;
	if (why != NULL)
	{
		c->refused = *why;
		return;
	}
	sr_fail(&c->refused, SR_E_OPTION,
			"Set it to something like redis://localhost:6379: the environment variable REDIS_URL, "
			"sqlredis.url in PostgreSQL, redis_config('url', ...) in SQLite.",
			"no Redis URL is set");
}

static void seed(sr_client *c)
{
	c->random = (uint64_t) (uintptr_t) c ^ (uint64_t) getpid() * 0x9E3779B97F4A7C15u ^
				(uint64_t) sr_now(&c->host) * 0xD1B54A32D192ED03u;
	if (c->random == 0)
		c->random = 1;
}

sr_client *sr_client_new(const sr_host *host)
{
	sr_client *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return NULL;
	c->host = *host;
	c->breaker = &c->own_breaker;
	c->stats = &c->own_stats;
	c->day = &c->own_day;
	c->backlog = sr_inval_new();
	c->connect_timeout = CONNECT_TIMEOUT;
	c->command_timeout = COMMAND_TIMEOUT;
	c->commit_timeout = COMMIT_TIMEOUT;
	c->cache_lease = CACHE_LEASE;
	c->cache_wait = CACHE_WAIT;
	if (c->backlog == NULL)
	{
		free(c);
		return NULL;
	}
	seed(c);
	set_unconfigured(c, NULL);
	return c;
}

/* The settings' strings are ours; sr_settings has them const for its other users. */
static void free_settings(sr_settings *s)
{
	free((char *) s->url);
	free((char *) s->password);
	free((char *) s->client_name);
	free((char *) s->key_prefix);
	sr_recipes_free(&s->recipes);
	memset(s, 0, sizeof(*s));
}

void sr_client_free(sr_client *c)
{
	if (c == NULL)
		return;
	sr_client_drop(c, true);
	sr_owner_free(&c->owner);
	sr_tls_cache_free(c->tls);
	sr_inval_free(c->backlog);
	sr_queue_free(c->queue);
	sr_buf_free(&c->out);
	sr_buf_free(&c->scratch);
	sr_cache_free(&c->cache);
	sr_url_free(&c->url);
	free_settings(&c->settings);
	free(c);
}

static bool copy_string(const char *from, const char **to)
{
	*to = from == NULL ? NULL : strdup(from);
	return from == NULL || *to != NULL;
}

static bool copy_settings(const sr_settings *from, sr_settings *to)
{
	const char *url = from->url != NULL && from->url[0] != '\0' ? from->url : NULL;

	*to = *from;
	to->url = to->password = to->client_name = to->key_prefix = NULL;
	to->refused = NULL;
	if (!sr_recipes_copy(&from->recipes, &to->recipes))
		return false;
	if (to->max_reply == 0)
		to->max_reply = MAX_REPLY;
	if (copy_string(url, &to->url) && copy_string(from->password, &to->password) &&
		copy_string(from->client_name, &to->client_name) &&
		copy_string(from->key_prefix, &to->key_prefix))
		return true;
	free_settings(to);
	return false;
}

static bool same(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static int64_t timeout(int64_t of_url, int64_t of_settings, int64_t otherwise)
{
	if (of_url > 0)
		return of_url;
	return of_settings > 0 ? of_settings : otherwise;
}

/* Read the URL anew and forget all that belonged to the old one, but for the keys still owed. */
static void change_server(sr_client *c)
{
	sr_client_drop(c, true);
	sr_tls_cache_free(c->tls);
	c->tls = NULL;
	c->backlog_not_before = 0;
	sr_url_free(&c->url);
	c->where[0] = '\0';
	c->configured = false;
	if (c->settings.url == NULL)
		return;
	c->configured = sr_url_parse(c->settings.url, &c->url, &c->refused);
	if (c->configured)
		sr_url_where(&c->url, c->where, sizeof(c->where));
}

/* Where it counts from now on; what it has counted comes along. */
static void choose_counters(sr_client *c, sr_stats *stats, sr_day *day)
{
	stats = stats != NULL ? stats : &c->own_stats;
	if (stats != c->stats)
		*stats = *c->stats;
	c->stats = stats;
	c->day = day != NULL ? day : &c->own_day;
}

bool sr_client_configure(sr_client *c, const sr_settings *s, sr_err *err)
{
	sr_settings copy;
	sr_settings old = c->settings;
	bool		moved;

	if (c->active)
		return sr_fail(err, SR_E_BUSY, NULL, "settings cannot change while Redis is being asked");
	if (!copy_settings(s, &copy))
		return sr_fail_memory(err);
	moved = !same(old.url, copy.url) || !same(old.password, copy.password) ||
			!same(old.client_name, copy.client_name) || old.max_reply != copy.max_reply;
	/* rows of aggregates that wait were meant for the server that was */
	if (moved)
		sr_queue_send(c);
	c->settings = copy;
	choose_counters(c, copy.stats, copy.day);
	if (moved)
		change_server(c);
	if (copy.url == NULL)
		set_unconfigured(c, s->refused);
	c->connect_timeout = timeout(c->url.connect_timeout, copy.connect_timeout, CONNECT_TIMEOUT);
	c->command_timeout = timeout(c->url.command_timeout, copy.command_timeout, COMMAND_TIMEOUT);
	c->commit_timeout = timeout(0, copy.commit_timeout, COMMIT_TIMEOUT);
	c->cache_lease = timeout(0, copy.cache_lease, CACHE_LEASE);
	if (c->cache_lease > LONGEST_LEASE)
		c->cache_lease = LONGEST_LEASE;
	c->cache_wait = copy.cache_wait < 0 ? CACHE_WAIT : copy.cache_wait;
	if (moved || old.breakers != copy.breakers || old.breaker_slots != copy.breaker_slots)
		sr_breaker_choose(c, copy.breakers, copy.breaker_slots);
	free_settings(&old);
	if (c->settings.url == NULL || c->configured)
		return true;
	if (err != NULL)
		*err = c->refused;
	return false;
}

const sr_stats *sr_client_stats(const sr_client *c)
{
	return c->stats;
}

const sr_noted *sr_client_noted(const sr_client *c)
{
	return &c->noted;
}

const sr_day *sr_client_day(const sr_client *c)
{
	return c->day;
}

const sr_url *sr_client_url(const sr_client *c)
{
	return c->configured ? &c->url : NULL;
}

const char *sr_client_url_text(const sr_client *c)
{
	return c->settings.url;
}

const char *sr_client_prefix(const sr_client *c, size_t *len)
{
	const char *prefix = c->settings.key_prefix != NULL ? c->settings.key_prefix : "";

	*len = strlen(prefix);
	return prefix;
}

const sr_recipes *sr_client_recipes(const sr_client *c)
{
	return &c->settings.recipes;
}

void sr_client_bind(sr_client *c, const sr_bound *bound)
{
	c->bound = bound;
}

const sr_bound *sr_client_bound(const sr_client *c)
{
	return c->bound;
}

const sr_host *sr_client_host(const sr_client *c)
{
	return &c->host;
}

int64_t sr_client_command_timeout(const sr_client *c)
{
	return c->command_timeout;
}

bool sr_client_connected(const sr_client *c)
{
	return c->stream != NULL && !c->busy && sr_owner_is_this_process(&c->owner);
}

bool sr_client_busy(const sr_client *c)
{
	return c->active;
}

/* xorshift64*, https://doi.org/10.18637/jss.v008.i14 and https://arxiv.org/abs/1402.6246 */
uint64_t sr_client_random(sr_client *c)
{
	c->random ^= c->random >> 12;
	c->random ^= c->random << 25;
	c->random ^= c->random >> 27;
	return c->random * 0x2545F4914F6CDD1Du;
}

void sr_client_count_read(sr_client *c, bool hit)
{
	if (hit)
		c->stats->reads_hit++;
	else
		c->stats->reads_missed++;
}

void sr_client_count_queued(sr_client *c)
{
	c->stats->invalidations_queued++;
}

void sr_client_count_command(sr_client *c)
{
	c->stats->commands_queued++;
}

/* FNV-1a; the NUL at the end keeps "a" "bc" apart from "ab" "c". */
static uint64_t hash_text(uint64_t h, const char *text)
{
	if (text == NULL)
		return h * 1099511628211u;
	for (;; text++)
	{
		h = (h ^ (unsigned char) *text) * 1099511628211u;
		if (*text == '\0')
			return h;
	}
}

uint64_t sr_client_address(const sr_client *c)
{
	const char *password = c->settings.password != NULL ? c->settings.password : c->url.password;
	uint64_t	h = 14695981039346656037u;
	char		numbers[48];

	if (!c->configured)
		return 0;
	snprintf(numbers, sizeof(numbers), "%d %d %d", c->url.port, c->url.db, c->url.tls);
	h = hash_text(h, numbers);
	h = hash_text(h, c->url.host);
	h = hash_text(h, c->url.path);
	h = hash_text(h, c->url.user);
	h = hash_text(h, password);
	return h == 0 ? 1 : h;
}

void sr_client_count_unfilled(sr_client *c, sr_unfilled reason)
{
	if ((unsigned) reason < SR_UNFILLED_REASONS)
		c->stats->cache_unfilled[reason]++;
}

void sr_client_note_other(sr_client *c, uint64_t kept, uint64_t sent)
{
	c->noted.kept_elsewhere = kept;
	c->noted.sent_elsewhere = sent;
}

void sr_client_note_outbox(sr_client *c, uint64_t rows, double age)
{
	c->noted.outbox_rows = rows;
	c->noted.outbox_age = age;
}
