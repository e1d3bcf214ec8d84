/*
 * identity.c - which server a connection leads to, and the stamp that entries of the coherent cache
 * carry: a digest of the database's epoch and of the server's identity.
 *
 * Owns when the server is asked who it is, and that the answer belongs to the connection over which it
 * came. run_id tells processes apart. It is not enough: a primary that is demoted, copies the data of
 * its successor and is promoted again is the same process with other data, keys among them that were
 * deleted before; master_replid is drawn anew by every promotion and never returns. Knows nothing of
 * what an entry holds.
 */
#include "command.h"
#include "conn.h"
#include "mutation.h"

#include <openssl/evp.h>
#include <string.h>

#define LOOK_EVERY	100	 /* ms: how long an answer vouches for the commands that follow */
#define TOO_LATE	200	 /* ms: a reply that came this long after the look is not vouched for */
#define REFUSED_FOR 1000 /* ms: a server that did not say is not asked again before */

void sr_identity_forget(sr_client *c)
{
	c->identity.state = SR_IDENTITY_UNKNOWN;
	c->identity.stamped = false;
	c->identity.no_getex = false;
}

bool sr_identity_is_fresh(const sr_client *c)
{
	return c->identity.state == SR_IDENTITY_KNOWN &&
		   sr_now(&c->host) - c->identity.looked < LOOK_EVERY;
}

bool sr_identity_is_refused(const sr_client *c)
{
	return c->identity.state == SR_IDENTITY_REFUSED &&
		   sr_now(&c->host) - c->identity.looked < REFUSED_FOR;
}

bool sr_info_identity(const sr_reply *server, const sr_reply *replication, const char *refusal,
					  char *run_id, char *replid, size_t size, sr_err *err)
{
	if (sr_info_value(server, "run_id", run_id, size) &&
		sr_info_value(replication, "master_replid", replid, size))
		return true;
	return sr_fail(
		err, SR_E_PERMISSION,
		"The Redis user needs INFO (ACL SETUSER ... +info), and the server must tell run_id "
		"and master_replid in it.",
		"the coherent cache is not used, INFO does not say which server this is%s%.200s",
		refusal != NULL ? ": " : "", refusal != NULL ? refusal : "");
}

/* ---- one command, and who answers it ---- */

#define MAX_ASKED 3

typedef struct asking
{
	const char	  *section[MAX_ASKED]; /* of INFO; NULL: the caller's command */
	sr_reply	  *reply[MAX_ASKED];
	int			   count, asked, answered;
	int			   server, replication; /* where they are; -1: not asked for */
	const sr_argv *cmd;
	const char	  *argv[2];
	size_t		   lengths[2];
} asking;

/*
 * The command goes first. An identity that still holds after it held while it was carried out; the
 * other way round the server could change in between.
 */
static void plan(asking *a, const sr_client *c, bool look)
{
	a->count = a->asked = a->answered = 0;
	memset(a->reply, 0, sizeof(a->reply));
	a->server = a->replication = -1;
	if (a->cmd != NULL)
		a->section[a->count++] = NULL;
	if (c->identity.state != SR_IDENTITY_KNOWN)
	{
		a->server = a->count;
		a->section[a->count++] = "server";
	}
	else if (!look)
		return;
	a->replication = a->count;
	a->section[a->count++] = "replication";
}

static int next_asked(void *ctx, sr_argv *out)
{
	asking	   *a = ctx;
	const char *section;

	if (a->asked == a->count)
		return 0;
	section = a->section[a->asked++];
	if (section == NULL)
	{
		*out = *a->cmd;
		return 1;
	}
	a->argv[0] = "INFO";
	a->argv[1] = section;
	a->lengths[0] = 4;
	a->lengths[1] = strlen(section);
	*out = (sr_argv){2, a->argv, a->lengths};
	return 1;
}

static void on_answer(void *ctx, sr_reply *reply)
{
	asking *a = ctx;

	a->reply[a->answered++] = reply;
}

static void free_replies(asking *a)
{
	for (int i = 0; i < a->answered; i++)
	{
		sr_reply_free(a->reply[i]);
		a->reply[i] = NULL;
	}
}

static const char *refusal_of(const sr_reply *server, const sr_reply *replication)
{
	if (server->kind == SR_ERROR)
		return server->str;
	return replication->kind == SR_ERROR ? replication->str : NULL;
}

/* A server that is busy refuses everything, and answers again when it likes. */
static bool is_passing(const char *refusal)
{
	sr_err err;

	if (refusal == NULL)
		return false;
	sr_fail_reply(&err, refusal, strlen(refusal));
	return sr_class_is_outage(err.cls);
}

/* What INFO answered; the request for it went out no earlier than at begun. */
static void learn(sr_client *c, const asking *a, int64_t begun)
{
	sr_identity	   *id = &c->identity;
	char			run_id[SR_IDENTITY_SIZE], replid[SR_IDENTITY_SIZE];
	const sr_reply *server, *replication;
	const char	   *refusal;

	if (a->replication < 0)
		return;
	replication = a->reply[a->replication];
	server = a->server < 0 ? replication : a->reply[a->server];
	id->looked = begun;
	if (a->server < 0 && sr_info_value(replication, "master_replid", replid, sizeof(replid)))
	{
		if (strcmp(replid, id->replid) != 0)
			id->stamped = false;
		memcpy(id->replid, replid, sizeof(replid));
		return;
	}
	refusal = refusal_of(server, replication);
	id->stamped = false;
	id->state = is_passing(refusal) ? SR_IDENTITY_UNKNOWN : SR_IDENTITY_REFUSED;
	if (!sr_info_identity(server, replication, refusal, run_id, replid, sizeof(run_id), &id->why))
		return;
	memcpy(id->run_id, run_id, sizeof(run_id));
	memcpy(id->replid, replid, sizeof(replid));
	id->state = SR_IDENTITY_KNOWN;
}

static bool run(sr_client *c, asking *a, sr_err *err)
{
	bool look = false;

	for (int attempt = 0;; attempt++)
	{
		sr_exchange x = {
			.ctx = a, .next = next_asked, .reply = on_answer, .idle = c->command_timeout};
		int64_t begun;
		bool	ok =
			   attempt == 0 ? sr_client_ready_and_flushed(c, 0, err) : sr_client_ready(c, 0, err);

		if (!ok)
			return false;
		begun = sr_now(&c->host);
		look = look || begun - c->identity.looked >= LOOK_EVERY;
		plan(a, c, look);
		if (a->count == 0)
			return true;
		ok = sr_exchange_run(c, &x, err);
		sr_breaker_report(c, ok ? NULL : err);
		if (ok)
			learn(c, a, begun);
		if (ok && (look || sr_now(&c->host) - c->identity.looked < TOO_LATE))
			return true;
		/* an error came while the command was on its way, and the server closed: it is the answer */
		if (!ok && err->cls == SR_E_LOST && a->cmd != NULL && a->answered > 0 &&
			a->reply[0]->kind == SR_ERROR)
			return true;
		look = look || ok; /* this process was stopped, or the server was slow */
		free_replies(a);
		if (!ok && (err->cls != SR_E_LOST || attempt > 0))
			return false;
	}
}

bool sr_identity_call(sr_client *c, const sr_argv *cmd, sr_reply **reply, sr_err *err)
{
	asking a = {.cmd = cmd};
	bool   ok = sr_client_enter(c, err);

	*reply = NULL;
	if (ok)
	{
		ok = run(c, &a, err);
		sr_client_leave(c);
	}
	if (!ok)
		sr_client_count_error(c, err);
	else if (cmd != NULL)
	{
		*reply = a.reply[0];
		a.reply[0] = NULL;
	}
	free_replies(&a);
	return ok;
}

/* ---- the stamp ---- */

const unsigned char *sr_identity_stamp(sr_client *c, const unsigned char epoch[SR_EPOCH_SIZE],
									   sr_err *err)
{
	sr_identity	 *id = &c->identity;
	unsigned char sum[EVP_MAX_MD_SIZE];
	unsigned int  size = 0;
	sr_buf		  text = {0};
	bool		  ok = true;

	if (id->stamped && memcmp(id->epoch, epoch, SR_EPOCH_SIZE) == 0)
		return id->stamp;
	if (!sr_without(DATABASE_EPOCH))
		ok = sr_buf_add(&text, epoch, SR_EPOCH_SIZE);
	if (!sr_without(SERVER_EPOCH))
		ok = ok && sr_buf_fmt(&text, "%s\n%s", id->run_id, id->replid);
	ok = ok && EVP_Digest(text.data, text.len, sum, &size, EVP_sha256(), NULL) == 1 &&
		 size >= SR_STAMP_SIZE;
	sr_buf_free(&text);
	if (!ok)
	{
		sr_fail_memory(err);
		return NULL;
	}
	memcpy(id->epoch, epoch, SR_EPOCH_SIZE);
	memcpy(id->stamp, sum, SR_STAMP_SIZE);
	id->stamped = true;
	return id->stamp;
}

bool sr_identity_holds(sr_client *c, const unsigned char epoch[SR_EPOCH_SIZE],
					   const unsigned char stamp[SR_STAMP_SIZE], bool look, sr_err *err)
{
	const unsigned char *now;
	sr_reply			*none;

	if (look && !sr_identity_is_fresh(c) && !sr_identity_call(c, NULL, &none, err))
		return false;
	if (c->identity.state != SR_IDENTITY_KNOWN)
		return false;
	now = sr_identity_stamp(c, epoch, err);
	return now != NULL && memcmp(now, stamp, SR_STAMP_SIZE) == 0;
}
