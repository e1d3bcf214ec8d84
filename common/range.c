/*
 * range.c - ranges of lists and sorted sets, page by page: LRANGE, ZRANGE (ZREVRANGE) and
 * ZRANGEBYSCORE. One command when the range fits one page.
 *
 * Pages go by position. What that needs to know (how long the list is, where the first score stands)
 * is asked for only when it is needed: for positions counted from the end, and when the first page is
 * full. A range to the end is that of the moment its second page is asked for: another client that
 * adds faster than the rows are read must not make it endless.
 */
#include "command.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAGE 1000 /* elements: about a millisecond of Redis's time, with scores */

/* One end of a range of scores. */
typedef struct bound
{
	char		number[40]; /* the text, when it came as a number */
	const char *text;		/* NUL-terminated */
	size_t		len;
	double		at;
	bool		excluded; /* "(1.5" */
} bound;

typedef struct range
{
	sr_rows		base;
	sr_value   *args;
	const char *fetch;	/* the command that gives the elements from one position to another */
	const char *length; /* the command that counts them */
	bool		scored; /* elements are followed by their scores */
	bool		begun;	/* a page has been fetched */
	bool		done;	/* there is no further page */
	int64_t		from;	/* first position of the next page; negative: from the end */
	int64_t		stop;	/* last position of the range; negative: from the end */
	sr_reply   *page;
	size_t		at;
	int64_t		first; /* the page's first position */
	/* ZRANGEBYSCORE */
	bool	by_score;
	bound	min, max;
	int64_t left; /* rows wanted beyond the pages fetched */
} range;

static void range_close(sr_rows *rows)
{
	range *s = (range *) rows;

	sr_reply_free(s->page);
	free(s->args);
	free(s);
}

/* ---- what is asked ---- */

/* "command key": the start of every line. */
static bool begin_line(range *s, sr_line *line, const char *command, sr_err *err)
{
	sr_line_init(line, s->base.client);
	return sr_line_word(line, command, err) &&
		   sr_line_key(line, s->args[0].data, s->args[0].len, err);
}

/* Send the line, if ok, and free it. NULL: err is filled. */
static sr_reply *send_line(range *s, sr_line *line, bool ok, sr_err *err)
{
	sr_reply *reply = NULL;

	if (ok)
		reply = sr_client_call(s->base.client, &line->argv, SR_SAFE_TO_RESEND, 0, err);
	sr_line_free(line);
	return reply;
}

/* The reply as a number that is not negative; frees it. */
static bool take_count(range *s, sr_reply *reply, int64_t *out, sr_err *err)
{
	bool good;

	if (reply == NULL)
		return false;
	good = reply->kind == SR_INTEGER && reply->integer >= 0;
	*out = reply->integer;
	sr_reply_free(reply);
	return good ? true : sr_fail_unexpected(s->base.cmd, err);
}

/* Take over a page of at most asked elements. */
static bool take_page(range *s, sr_reply *page, int64_t asked, int64_t *got, sr_err *err)
{
	size_t each = s->scored ? 2 : 1;

	if (page == NULL)
		return false;
	if (page->kind != SR_ARRAY || page->count % each != 0 || page->count / each > (size_t) asked)
	{
		sr_reply_free(page);
		return sr_fail_unexpected(s->base.cmd, err);
	}
	s->page = page;
	s->at = 0;
	s->begun = true;
	*got = (int64_t) (page->count / each);
	return true;
}

/* ---- pages by position ---- */

/* Turn positions counted from the end into positions. */
static bool locate(range *s, sr_err *err)
{
	sr_line line;
	bool	ok = begin_line(s, &line, s->length, err);
	int64_t length = 0;

	if (!take_count(s, send_line(s, &line, ok, err), &length, err))
		return false;
	if (s->from < 0)
		s->from = s->from + length > 0 ? s->from + length : 0;
	if (s->stop < 0)
		s->stop += length;
	s->done = s->from > s->stop || s->from >= length;
	return true;
}

static bool position_page(range *s, sr_err *err)
{
	sr_line line;
	int64_t last, asked, got = 0;
	bool	ok;

	if ((s->from < 0 || s->stop < -1 || (s->stop == -1 && s->begun)) && !locate(s, err))
		return false;
	if (s->done)
		return true;
	/* A range that ends before it begins is asked for as it is: the key may be of another type. */
	last = s->stop == -1 ? INT64_MAX : s->stop;
	if (last > s->from && last - s->from >= PAGE)
		last = s->from + PAGE - 1;
	asked = last >= s->from ? last - s->from + 1 : 0;
	ok = begin_line(s, &line, s->fetch, err) && sr_line_integer(&line, s->from, err) &&
		 sr_line_integer(&line, last, err) &&
		 (!s->scored || sr_line_word(&line, "WITHSCORES", err));
	if (!take_page(s, send_line(s, &line, ok, err), asked, &got, err))
		return false;
	s->first = s->from;
	s->done = got < asked || last == s->stop || last == INT64_MAX || asked == 0;
	if (!s->done)
		s->from = last + 1;
	return true;
}

/* ---- the first page by score ---- */

static bool score_page(range *s, sr_err *err)
{
	int64_t asked = s->left < PAGE ? s->left : PAGE;
	int64_t got = 0;
	sr_line line;
	bool	ok = begin_line(s, &line, s->base.cmd->redis, err) &&
			  sr_line_add(&line, s->min.text, s->min.len, err) &&
			  sr_line_add(&line, s->max.text, s->max.len, err) &&
			  sr_line_words(&line, "WITHSCORES LIMIT 0", 18, err) &&
			  sr_line_integer(&line, asked, err);

	if (!take_page(s, send_line(s, &line, ok, err), asked, &got, err))
		return false;
	s->left -= got;
	s->done = got < PAGE || s->left == 0;
	return true;
}

/* How many members have a score that is at least (more than, when excluded) from, and in max. */
static bool count_scores(range *s, const char *min, size_t min_len, const char *max, size_t max_len,
						 int64_t *out, sr_err *err)
{
	sr_line line;
	bool	ok = begin_line(s, &line, "ZCOUNT", err) && sr_line_add(&line, min, min_len, err) &&
			  sr_line_add(&line, max, max_len, err);

	return take_count(s, send_line(s, &line, ok, err), out, err);
}

/*
 * The first page was full: where do the others stand? Behind the members whose scores are below min,
 * which is counted, as a member of the first page may be gone by now.
 */
static bool continue_by_position(range *s, sr_err *err)
{
	sr_buf	before = {0};
	int64_t below = 0, total = 0;
	bool	ok = (s->min.excluded || sr_buf_add(&before, "(", 1)) &&
			  sr_buf_add(&before, s->min.text + s->min.excluded, s->min.len - s->min.excluded);

	if (!ok)
		sr_fail_memory(err);
	ok = ok && count_scores(s, "-inf", 4, before.data, before.len, &below, err) &&
		 count_scores(s, s->min.text, s->min.len, s->max.text, s->max.len, &total, err);
	sr_buf_free(&before);
	if (!ok)
		return false;
	if (total > INT64_MAX - PAGE || below > INT64_MAX - PAGE - total)
		return sr_fail_unexpected(s->base.cmd, err);
	total -= total < PAGE ? total : PAGE;
	s->from = below + PAGE;
	s->stop = s->from + (total < s->left ? total : s->left) - 1;
	s->done = s->stop < s->from;
	s->left = 0;
	return true;
}

static bool next_page(range *s, sr_err *err)
{
	sr_reply_free(s->page);
	s->page = NULL;
	if (s->by_score && !s->begun)
		return score_page(s, err);
	if (s->left > 0 && !continue_by_position(s, err))
		return false;
	return s->done || position_page(s, err);
}

/* ---- rows ---- */

/* Members may have come and gone between two pages: by position, others can be in their place. */
static bool in_scores(const range *s, double score)
{
	return (s->min.excluded ? score > s->min.at : score >= s->min.at) &&
		   (s->max.excluded ? score < s->max.at : score <= s->max.at);
}

static int range_next(sr_rows *rows, sr_err *err)
{
	range			*s = (range *) rows;
	sr_value		*cells = rows->cells;
	const sr_column *columns = rows->cmd->columns;
	int				 cell = s->by_score ? 0 : 1;

	do
	{
		while (s->page == NULL || s->at == s->page->count)
		{
			if (s->done)
				return 0;
			if (!next_page(s, err))
				return -1;
		}
		if (!s->by_score)
			cells[0] = (sr_value){.type = SR_TYPE_INTEGER,
								  .i = s->first + (int64_t) (s->scored ? s->at / 2 : s->at)};
		for (int i = cell; i < cell + (s->scored ? 2 : 1); i++)
			if (!sr_cell_reply(&cells[i], &columns[i], s->page->items[s->at++], err))
				return -1;
	} while (s->by_score && !in_scores(s, cells[1].d));
	return 1;
}

static range *range_new(int n, const sr_value *args, sr_err *err)
{
	range *s = calloc(1, sizeof *s);

	if (s == NULL)
	{
		sr_fail_memory(err);
		return NULL;
	}
	s->base.next = range_next;
	s->base.close = range_close;
	s->args = sr_values_copy(n, args, err);
	if (s->args == NULL)
	{
		range_close(&s->base);
		return NULL;
	}
	return s;
}

/* ---- redis_lrange, redis_zrange ---- */

static bool read_positions(range *s, const sr_command *cmd, sr_err *err)
{
	const sr_value *args = s->args;
	int64_t			rev = 0;

	s->stop = -1;
	s->scored = strcmp(cmd->redis, "ZRANGE") == 0;
	if (args[1].type != SR_TYPE_NULL && !sr_value_integer(&cmd->args[1], &args[1], &s->from, err))
		return false;
	if (args[2].type != SR_TYPE_NULL && !sr_value_integer(&cmd->args[2], &args[2], &s->stop, err))
		return false;
	if (s->scored && args[3].type != SR_TYPE_NULL &&
		!sr_value_integer(&cmd->args[3], &args[3], &rev, err))
		return false;
	s->length = s->scored ? "ZCARD" : "LLEN";
	/* not ZRANGE REV, which is of Redis 6.2 */
	s->fetch = rev != 0 ? "ZREVRANGE" : cmd->redis;
	return true;
}

sr_rows *sr_range_open(sr_client *c, const sr_command *cmd, int n, const sr_value *args,
					   sr_err *err)
{
	range *s = range_new(n, args, err);

	(void) c;
	if (s == NULL || read_positions(s, cmd, err))
		return s != NULL ? &s->base : NULL;
	range_close(&s->base);
	return NULL;
}

/* ---- redis_zrangebyscore ---- */

/* What is no bound is Redis's to refuse; it reads them as strtod does, in the C locale. */
static bool read_bound(bound *b, const sr_arg *arg, const sr_value *v, sr_err *err)
{
	if (v->type == SR_TYPE_INTEGER || v->type == SR_TYPE_DOUBLE)
	{
		if (!sr_value_double(arg, v, &b->at, err))
			return false;
		b->text = b->number;
		b->len = (size_t) sr_number_print(b->number, sizeof b->number, "%.17g", b->at);
		return true;
	}
	b->text = v->data != NULL ? v->data : "";
	b->len = v->len;
	b->excluded = b->len > 0 && b->text[0] == '(';
	b->at = sr_number_parse(b->text + b->excluded, NULL);
	return true;
}

sr_rows *sr_score_range_open(sr_client *c, const sr_command *cmd, int n, const sr_value *args,
							 sr_err *err)
{
	range *s = range_new(n, args, err);

	(void) c;
	if (s == NULL)
		return NULL;
	s->by_score = s->scored = true;
	s->fetch = "ZRANGE";
	s->length = "ZCARD";
	s->left = INT64_MAX;
	if (read_bound(&s->min, &cmd->args[1], &s->args[1], err) &&
		read_bound(&s->max, &cmd->args[2], &s->args[2], err) &&
		(s->args[3].type == SR_TYPE_NULL ||
		 sr_value_integer(&cmd->args[3], &s->args[3], &s->left, err)))
	{
		s->done = s->left <= 0;
		return &s->base;
	}
	range_close(&s->base);
	return NULL;
}
