/*
 * tls_context.c - whom a client trusts and who it says it is: OpenSSL's context, made once.
 *
 * Owns the files that tls_ca, tls_cert and tls_key name. It moves no bytes. The process may use
 * OpenSSL for itself: the error queue is left empty and nothing global is set.
 */
#include "core.h"
#include "tls.h"

#include <openssl/err.h>
#include <openssl/x509.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

sr_tls_cache *sr_tls_cache_new(void)
{
	return calloc(1, sizeof(sr_tls_cache));
}

void sr_tls_cache_free(sr_tls_cache *cache)
{
	if (cache == NULL)
		return;
	SSL_CTX_free(cache->ctx);
	BIO_meth_free(cache->method);
	free(cache);
}

const char *sr_tls_reason(char *out, size_t size)
{
	unsigned long code = ERR_peek_last_error();
	const char	 *text = ERR_reason_error_string(code);

	if (text == NULL)
		ERR_error_string_n(code, out, size);
	else
		snprintf(out, size, "%s", text);
	ERR_clear_error();
	return out;
}

static bool fail_file(const char *option, const char *file, sr_err *err)
{
	char text[160];

	if (access(file, R_OK) != 0)
	{
		const char *why = strerror(errno);

		ERR_clear_error();
		return sr_fail(err, SR_E_OPTION, "The database's user must be able to read it.",
					   "%s=%s cannot be read: %s", option, file, why);
	}
	return sr_fail(err, SR_E_OPTION,
				   "It must be a PEM file; a private key must belong to the certificate and not be "
				   "encrypted.",
				   "%s=%s cannot be used: %s", option, file, sr_tls_reason(text, sizeof(text)));
}

/* Never ask a terminal for a passphrase. */
static int no_passphrase(char *buf, int size, int writing, void *ctx)
{
	(void) buf;
	(void) size;
	(void) writing;
	(void) ctx;
	return 0;
}

static bool load_trust(SSL_CTX *ctx, const sr_url *url, sr_err *err)
{
	struct stat st;
	bool		directory;

	if (url->tls_ca == NULL)
	{
		if (SSL_CTX_set_default_verify_paths(ctx) == 1)
			return true;
		return fail_file("tls_ca", X509_get_default_cert_file(), err);
	}
	directory = stat(url->tls_ca, &st) == 0 && S_ISDIR(st.st_mode);
	if (SSL_CTX_load_verify_locations(ctx, directory ? NULL : url->tls_ca,
									  directory ? url->tls_ca : NULL) != 1)
		return fail_file("tls_ca", url->tls_ca, err);
	return true;
}

static bool load_certificate(SSL_CTX *ctx, const sr_url *url, sr_err *err)
{
	const char *key = url->tls_key != NULL ? url->tls_key : url->tls_cert;

	if (url->tls_cert == NULL)
		return true;
	if (SSL_CTX_use_certificate_chain_file(ctx, url->tls_cert) != 1)
		return fail_file("tls_cert", url->tls_cert, err);
	if (SSL_CTX_use_PrivateKey_file(ctx, key, SSL_FILETYPE_PEM) != 1 ||
		SSL_CTX_check_private_key(ctx) != 1)
		return fail_file("tls_key", key, err);
	return true;
}

static void set_modes(SSL_CTX *ctx)
{
	SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
	SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_CTX_set_read_ahead(ctx, 1); /* one read a record instead of two */
	SSL_CTX_set_default_passwd_cb(ctx, no_passphrase);
#ifdef SSL_OP_IGNORE_UNEXPECTED_EOF
	/* RESP says where a reply ends: an end without goodbye is an end like any other */
	SSL_CTX_set_options(ctx, SSL_OP_IGNORE_UNEXPECTED_EOF);
#endif
}

bool sr_tls_context(const sr_host *host, const sr_url *url, sr_tls_cache *cache, sr_err *err)
{
	SSL_CTX *ctx;

	if (cache->ctx != NULL)
		return true;
	ctx = SSL_CTX_new(TLS_client_method());
	if (ctx == NULL)
	{
		ERR_clear_error();
		return sr_fail_memory(err);
	}
	set_modes(ctx);
	SSL_CTX_set_verify(ctx, url->verify == SR_VERIFY_NONE ? SSL_VERIFY_NONE : SSL_VERIFY_PEER,
					   NULL);
	if ((url->verify != SR_VERIFY_NONE && !load_trust(ctx, url, err)) ||
		!load_certificate(ctx, url, err))
	{
		SSL_CTX_free(ctx);
		return false;
	}
	if (url->verify == SR_VERIFY_NONE)
		host->log(host->ctx, SR_LOG_WARNING,
				  "tls_verify=none: the server's certificate is not checked, anybody between here "
				  "and Redis can read and change everything");
	cache->ctx = ctx;
	return true;
}
