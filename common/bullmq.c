/*
 * bullmq.c - redis_bullmq_add: a job for a queue of BullMQ, which its Workers take. The job is written by
 * bullmq_script.c when the transaction commits; here it gets its id, and what BullMQ would refuse is refused.
 *
 * The id is counted where BullMQ counts: a job that is rolled back leaves a gap, as one that is removed
 * does. With Redis away it is a random one, as a caller's own may be.
 */
#include "bullmq.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const key_names[] = SR_BULLMQ_KEYS;

#define KEY_NAMES ((int) (sizeof key_names / sizeof key_names[0]))

/* "bull:mail:wait" of the settings' prefix, the queue and a name; the whole of it with the line. */
static bool add_key(sr_line *line, sr_client *c, const sr_value *queue, const char *name,
					sr_err *err)
{
	sr_buf key = {0};

	if (!sr_buf_str(&key, sr_client_recipes(c)->bullmq_prefix) || !sr_buf_str(&key, ":") ||
		!sr_buf_add(&key, queue->data, queue->len) || !sr_buf_str(&key, ":") ||
		!sr_buf_str(&key, name))
	{
		sr_buf_free(&key);
		return sr_fail_memory(err);
	}
	return sr_line_keep(line, key.data, err) && sr_line_key(line, key.data, key.len, err);
}

/* The next of the queue's ids as text in id; "": Redis is away. */
static bool count_id(sr_client *c, const sr_value *queue, char id[24], sr_err *err)
{
	sr_line	  line;
	sr_reply *reply = NULL;

	*id = '\0';
	sr_line_init(&line, c);
	if (sr_line_word(&line, "INCR", err) && add_key(&line, c, queue, "id", err))
		reply = sr_client_call(c, &line.argv, SR_SAFE_TO_RESEND, 0, err);
	sr_line_free(&line);
	if (reply == NULL)
		return sr_class_is_outage(err->cls);
	snprintf(id, 24, "%lld", (long long) reply->integer);
	sr_reply_free(reply);
	return true;
}

/*
 * The job's id, malloc'ed: the caller's own, or one that was counted, with a spare one. A random one is
 * never taken for a number.
 */
static char *job_id(sr_client *c, const sr_value *queue, const char *own, char spare[48],
					sr_err *err)
{
	char		token[SR_TOKEN_TEXT], counted[24];
	const char *id = own;
	char	   *copy;

	*spare = '\0';
	if (own == NULL)
	{
		if (!sr_token(token, err) || !count_id(c, queue, counted, err))
			return NULL;
		snprintf(spare, 48, "sqlredis-%s", token);
		id = *counted != '\0' ? counted : spare;
	}
	copy = strdup(id);
	if (copy == NULL)
		sr_fail_memory(err);
	if (id == spare)
		*spare = '\0';
	return copy;
}

static bool queue_job(sr_client *c, const sr_value *args, const sr_buf *data,
					  const sr_bullmq_options *o, const char *id, const char *spare, sr_err *err)
{
	sr_line keys, item;
	bool	ok;

	sr_line_init(&keys, c);
	sr_line_init(&item, c);
	/* the spare key is there in any case, so that the others have their places */
	ok = add_key(&keys, c, &args[0], id, err) &&
		 add_key(&keys, c, &args[0], *spare != '\0' ? spare : id, err);
	for (int i = 0; ok && i < KEY_NAMES; i++)
		ok = add_key(&keys, c, &args[0], key_names[i], err);
	ok = ok && sr_line_word(&item, id, err) && sr_line_word(&item, spare, err) &&
		 sr_line_add(&item, args[1].data, args[1].len, err) &&
		 sr_line_add(&item, data->data, data->len, err) &&
		 sr_line_add(&item, o->json.data, o->json.len, err) &&
		 (o->timestamp != 0 ? sr_line_integer(&item, o->timestamp, err)
							: sr_line_word(&item, "", err)) &&
		 sr_line_integer(&item, o->delay, err) && sr_line_integer(&item, o->priority, err) &&
		 sr_line_word(&item, o->lifo ? "1" : "0", err);
	ok = ok && sr_bound_queue(c, "bullmq", &keys.argv, &item.argv, err);
	sr_line_free(&item);
	sr_line_free(&keys);
	return ok;
}

/* As JSON.stringify writes it: without the space between things. */
static bool stringify(const sr_value *json, sr_buf *out, sr_err *err)
{
	bool quoted = false;

	if (!sr_buf_reserve(out, json->len + 1))
		return sr_fail_memory(err);
	for (size_t i = 0; i < json->len; i++)
	{
		char ch = json->data[i];

		if (ch == '"')
			quoted = !quoted;
		else if (!quoted && (ch == ' ' || ch == '\t' || ch == '\r' || ch == '\n'))
			continue;
		out->data[out->len++] = ch;
		if (quoted && ch == '\\')
			out->data[out->len++] = json->data[++i];
	}
	out->data[out->len] = '\0';
	return true;
}

static bool check_queue(const sr_value *queue, sr_err *err)
{
	if (queue->len > 0 && memchr(queue->data, ':', queue->len) == NULL)
		return true;
	return sr_fail(err, SR_E_OPTION, "",
				   "the name of a BullMQ queue must be a text without ':', and not empty");
}

static bool check_data(const sr_value *data, sr_err *err)
{
	json_error_t why = {.text = "it must be a text"};
	json_t		*root = NULL;

	if (data->type == SR_TYPE_TEXT || data->type == SR_TYPE_BYTES || data->type == SR_TYPE_JSON)
		root = json_loadb(data->len > 0 ? data->data : "", data->len,
						  JSON_DECODE_ANY | JSON_DECODE_INT_AS_REAL | JSON_ALLOW_NUL, &why);
	if (root == NULL)
		return sr_fail(err, SR_E_OPTION, "", "data must be JSON: %s", why.text);
	json_decref(root);
	return true;
}

bool sr_bullmq_add(sr_client *c, const sr_command *cmd, int n, const sr_value *args, sr_result *out,
				   sr_err *err)
{
	sr_bullmq_options o = {0};
	sr_buf			  data = {0};
	char			  spare[48] = "";
	bool			  ok;

	(void) cmd;
	ok = check_queue(&args[0], err) && check_data(&args[2], err) &&
		 sr_bullmq_options_read(&o, sr_given(n, args, 3) ? &args[3] : NULL, err) &&
		 stringify(&args[2], &data, err);
	if (ok && o.size_limit > 0 && data.len > (size_t) o.size_limit)
		ok = sr_fail(err, SR_E_SIZE, "", "the data of the job has %zu bytes, over its sizeLimit",
					 data.len);
	if (ok)
		out->text = job_id(c, &args[0], o.id, spare, err);
	ok = ok && out->text != NULL && queue_job(c, args, &data, &o, out->text, spare, err);
	if (ok)
		sr_cell_text(&out->value, out->text, strlen(out->text));
	sr_buf_free(&data);
	sr_bullmq_options_free(&o);
	return ok;
}
