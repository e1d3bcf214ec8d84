/*
 * script.c - Lua scripts by their digest, and the names of the keys that belong to one key. What a script
 * does is the business of the file that has it.
 */
#include "command.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

bool sr_script_digest(const char *script, size_t len, char out[41], sr_err *err)
{
	unsigned char sum[EVP_MAX_MD_SIZE];
	unsigned int  size = 0;

	if (EVP_Digest(script, len, sum, &size, EVP_sha1(), NULL) != 1 || size != 20)
		return sr_fail(err, SR_E_OPTION, "redis_call('EVAL', ...) needs none.",
					   "OpenSSL computes no SHA-1 here");
	for (int i = 0; i < 20; i++)
		snprintf(out + 2 * (size_t) i, 3, "%02x", sum[i]);
	return true;
}

sr_reply *sr_script_call(sr_client *c, const char *script, int nkeys, const sr_argv *keys_and_args,
						 unsigned flags, sr_err *err)
{
	char sha1[41];

	if (!sr_script_digest(script, strlen(script), sha1, err))
		return NULL;
	return sr_client_eval(c, script, sha1, nkeys, keys_and_args, flags, err);
}

const char *sr_hash_tag(const char *key, size_t *len)
{
	const char *open = *len > 0 ? memchr(key, '{', *len) : NULL;
	size_t		rest = open != NULL ? *len - (size_t) (open - key) - 1 : 0;
	const char *close = rest > 0 ? memchr(open + 1, '}', rest) : NULL;

	if (close == NULL || close == open + 1)
		return key;
	*len = (size_t) (close - open) - 1;
	return open + 1;
}

bool sr_side_key(const char *key, size_t len, const char *word, sr_buf *out)
{
	size_t tag_len = len;

	if (!sr_buf_add(out, key, len) || !sr_buf_str(out, ":") || !sr_buf_str(out, word))
		return false;
	return sr_hash_tag(key, &tag_len) != key ||
		   (sr_buf_str(out, "{") && sr_buf_add(out, key, len) && sr_buf_str(out, "}"));
}

bool sr_token(char out[SR_TOKEN_TEXT], sr_err *err)
{
	unsigned char bytes[(SR_TOKEN_TEXT - 1) / 2];

	if (getentropy(bytes, sizeof bytes) != 0)
		return sr_fail(err, SR_E_LOCAL_MEMORY, "", "the operating system gave no random bytes");
	for (size_t i = 0; i < sizeof bytes; i++)
		snprintf(out + 2 * i, 3, "%02x", bytes[i]);
	return true;
}
