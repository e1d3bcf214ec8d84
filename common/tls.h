/*
 * tls.h - what tls.c and tls_context.c share. Nobody else includes it.
 */
#ifndef SQLREDIS_TLS_H
#define SQLREDIS_TLS_H

#include "core.h"

#include <openssl/bio.h>
#include <openssl/ssl.h>

struct sr_tls_cache
{
	SSL_CTX	   *ctx; /* NULL until the first handshake, and after a failed one */
	BIO_METHOD *method;
};

/* Make cache->ctx when there is none: trust, certificates, modes. */
bool sr_tls_context(const sr_host *host, const sr_url *url, sr_tls_cache *cache, sr_err *err);
/* OpenSSL's last error in words; empties its queue. */
const char *sr_tls_reason(char *out, size_t size);

#endif
