/*
 * ops.c - what an operator asks about the client itself: where Redis is, which sqlredis this is.
 */
#include "command.h"

#include <string.h>

bool sr_url_function(sr_client *c, const sr_command *cmd, int n, const sr_value *args,
					 sr_result *out, sr_err *err)
{
	const char *text = sr_client_url_text(c);

	(void) cmd;
	(void) n;
	(void) args;
	if (text == NULL)
		return true;
	out->text = sr_url_redact(text);
	if (out->text == NULL)
		return sr_fail_memory(err);
	sr_cell_text(&out->value, out->text, strlen(out->text));
	return true;
}

bool sr_version_function(sr_client *c, const sr_command *cmd, int n, const sr_value *args,
						 sr_result *out, sr_err *err)
{
	(void) c;
	(void) cmd;
	(void) n;
	(void) args;
	(void) err;
	sr_cell_text(&out->value, SR_VERSION, strlen(SR_VERSION));
	return true;
}
