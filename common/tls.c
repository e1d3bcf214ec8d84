/*
 * tls.c - TLS over a plain stream.
 *
 * Owns OpenSSL. It reads and writes through the plain stream it is given, never through the
 * descriptor (OpenSSL's socket BIO raises SIGPIPE), and knows nothing of what the bytes mean. The
 * process may use OpenSSL for itself: the error queue is left empty and nothing global is set.
 *
 * Unless the URL says otherwise the certificate's chain and its host name are verified (RFC 9525).
 */
#include "core.h"
#include "conn.h"
#include "tls.h"

#include <openssl/err.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HINT_NOT_TLS                                                                               \
	"The port may not expect TLS: write redis:// instead of rediss://, or use the server's TLS "   \
	"port."

#define HINT_CERTIFICATE                                                                           \
	"The server may want a client certificate: tls_cert= and tls_key= in the URL."

typedef struct tls
{
	sr_stream  stream; /* first */
	sr_stream *plain;
	SSL		  *ssl;
	sr_err	   below;	   /* the plain stream's error, which OpenSSL cannot carry */
	bool	   eof;		   /* the plain stream ended */
	bool	   broken;	   /* OpenSSL forbids SSL_shutdown after a fatal error */
	bool	   seen;	   /* a byte arrived */
	bool	   speaks_tls; /* and it began a TLS record */
} tls;

/* ---- the BIO ---- */

static int bio_read(BIO *bio, char *buf, size_t size, size_t *n)
{
	tls *t = BIO_get_data(bio);

	BIO_clear_retry_flags(bio);
	*n = 0;
	switch (t->plain->read(t->plain, buf, size, n, &t->below))
	{
		case SR_IO_OK:
			if (!t->seen)
			{
				t->seen = true;
				t->speaks_tls = buf[0] == 0x15 || buf[0] == 0x16; /* alert, handshake */
			}
			return 1;
		case SR_IO_WANT_READ:
		case SR_IO_WANT_WRITE: BIO_set_retry_read(bio); return 0;
		case SR_IO_EOF: t->eof = true; return 0;
		case SR_IO_ERROR: return 0;
	}
	return 0;
}

static int bio_write(BIO *bio, const char *buf, size_t size, size_t *n)
{
	tls *t = BIO_get_data(bio);

	BIO_clear_retry_flags(bio);
	*n = 0;
	switch (t->plain->write(t->plain, buf, size, n, &t->below))
	{
		case SR_IO_OK: return 1;
		case SR_IO_WANT_READ:
		case SR_IO_WANT_WRITE: BIO_set_retry_write(bio); return 0;
		case SR_IO_EOF: t->eof = true; return 0;
		case SR_IO_ERROR: return 0;
	}
	return 0;
}

static long bio_ctrl(BIO *bio, int command, long number, void *pointer)
{
	const tls *t = BIO_get_data(bio);

	(void) number;
	(void) pointer;
	if (command == BIO_CTRL_EOF)
		return t->eof;
	return command == BIO_CTRL_FLUSH;
}

static BIO_METHOD *new_method(void)
{
	/* a plain type without BIO_get_new_index: a process has little over a hundred of those */
	BIO_METHOD *m = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "sqlredis");

	if (m != NULL)
	{
		BIO_meth_set_read_ex(m, bio_read);
		BIO_meth_set_write_ex(m, bio_write);
		BIO_meth_set_ctrl(m, bio_ctrl);
	}
	return m;
}

/* ---- reading and writing ---- */

/* The stream just ended; what the server said before it did would be another code. */
static bool is_end(unsigned long code)
{
#ifdef SSL_R_UNEXPECTED_EOF_WHILE_READING
	return ERR_GET_LIB(code) == ERR_LIB_SSL &&
		   ERR_GET_REASON(code) == SSL_R_UNEXPECTED_EOF_WHILE_READING;
#else
	(void) code;
	return false;
#endif
}

/* What SSL_get_error means for a stream; err is filled for SR_IO_ERROR. */
static sr_io outcome(tls *t, int result, sr_err *err)
{
	char		  text[160];
	unsigned long code;

	switch (SSL_get_error(t->ssl, result))
	{
		case SSL_ERROR_WANT_READ: return SR_IO_WANT_READ;
		case SSL_ERROR_WANT_WRITE: return SR_IO_WANT_WRITE;
		case SSL_ERROR_ZERO_RETURN: return SR_IO_EOF;
		default: break;
	}
	t->broken = true;
	code = ERR_peek_last_error();
	if (code == 0 || is_end(code))
	{
		ERR_clear_error();
		if (t->below.cls == SR_OK)
			return SR_IO_EOF;
		if (err != NULL)
			*err = t->below;
		return SR_IO_ERROR;
	}
	sr_tls_reason(text, sizeof(text));
	sr_fail(err, SR_E_TLS,
			strstr(text, "certificate") != NULL || strstr(text, "handshake failure") != NULL
				? HINT_CERTIFICATE
				: NULL,
			"TLS failed: %s", text);
	return SR_IO_ERROR;
}

static sr_io tls_read(sr_stream *s, void *buf, size_t size, size_t *n, sr_err *err)
{
	tls	  *t = (tls *) s;
	size_t total = 0;

	/*
	 * Until the buffer is full or OpenSSL holds no more: what it holds no poll would announce. The
	 * error of a later round is met again by the next read.
	 */
	do
	{
		size_t got = 0;
		int	   result;

		ERR_clear_error();
		result = SSL_read_ex(t->ssl, (char *) buf + total, size - total, &got);
		if (result != 1)
		{
			if (total > 0)
			{
				ERR_clear_error();
				break;
			}
			return outcome(t, result, err);
		}
		total += got;
	} while (total < size && SSL_has_pending(t->ssl));
	*n = total;
	return SR_IO_OK;
}

static sr_io tls_write(sr_stream *s, const void *buf, size_t size, size_t *n, sr_err *err)
{
	tls *t = (tls *) s;
	int	 result;

	ERR_clear_error();
	result = SSL_write_ex(t->ssl, buf, size, n);
	return result == 1 ? SR_IO_OK : outcome(t, result, err);
}

static void tls_close(sr_stream *s, bool orderly)
{
	tls *t = (tls *) s;

	if (orderly && !t->broken && SSL_is_init_finished(t->ssl))
	{
		ERR_clear_error();
		(void) SSL_shutdown(t->ssl); /* our goodbye; the server's is not waited for */
	}
	SSL_free(t->ssl);
	ERR_clear_error();
	t->plain->close(t->plain, orderly);
	free(t);
}

/* ---- the handshake ---- */

static bool is_address(const char *host)
{
	unsigned char bytes[16];

	return inet_pton(AF_INET, host, bytes) == 1 || inet_pton(AF_INET6, host, bytes) == 1;
}

/* SNI, and the name or address that the certificate must be for. */
static bool expect_host(SSL *ssl, const sr_url *url)
{
	char   name[256];
	size_t len = strlen(url->host);

	if (is_address(url->host))
		return url->verify != SR_VERIFY_FULL ||
			   X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), url->host) == 1;
	snprintf(name, sizeof(name), "%s", url->host);
	if (len > 1 && len < sizeof(name) && name[len - 1] == '.')
		name[len - 1] = '\0'; /* a rooted name; certificates have it without the dot */
	if (SSL_set_tlsext_host_name(ssl, name) != 1)
		return false;
	if (url->verify != SR_VERIFY_FULL)
		return true;
	SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	return SSL_set1_host(ssl, name) == 1;
}

static const char *certificate_hint(long code)
{
	switch (code)
	{
		case X509_V_ERR_HOSTNAME_MISMATCH:
		case X509_V_ERR_IP_ADDRESS_MISMATCH:
			return "The certificate is for another host: use in the URL the host name that it was "
				   "made for, or tls_verify=ca to accept any certificate of your tls_ca.";
		case X509_V_ERR_CERT_HAS_EXPIRED:
		case X509_V_ERR_CERT_NOT_YET_VALID:
			return "Renew the server's certificate; check both machines' clocks.";
		default:
			return "If the server's certificate comes from an authority of your own, name it: "
				   "tls_ca=/path/to/ca.crt in the URL.";
	}
}

/* result is what outcome() said of a failed SSL_connect, why its text. */
static bool fail_handshake(const tls *t, const char *where, sr_io result, const sr_err *why,
						   sr_err *err)
{
	long code = SSL_get_verify_result(t->ssl);

	if (t->seen && !t->speaks_tls)
		return sr_fail(err, SR_E_TLS, HINT_NOT_TLS,
					   "the server at %s does not speak TLS (it answered in plain text)", where);
	if (code != X509_V_OK)
		return sr_fail(err, SR_E_TLS, certificate_hint(code),
					   "the certificate of %s was not accepted: %s", where,
					   X509_verify_cert_error_string(code));
	if (result == SR_IO_EOF)
		return sr_fail(err, SR_E_CONNECT, HINT_NOT_TLS,
					   "the server at %s closed the connection during the TLS handshake", where);
	return sr_fail(err, why->cls, why->hint[0] != '\0' ? why->hint : HINT_NOT_TLS,
				   "TLS handshake with %s: %s", where, why->msg);
}

static bool handshake(const sr_host *host, tls *t, const char *where, int64_t deadline, sr_err *err)
{
	for (;;)
	{
		sr_err why = {0};
		sr_io  io;
		int	   result;

		ERR_clear_error();
		result = SSL_connect(t->ssl);
		if (result == 1)
			return true;
		io = outcome(t, result, &why);
		if (io != SR_IO_WANT_READ && io != SR_IO_WANT_WRITE)
			return fail_handshake(t, where, io, &why, err);
		switch (sr_net_wait(host, t->stream.fd, io == SR_IO_WANT_READ ? POLLIN : POLLOUT, deadline))
		{
			case SR_WAIT_INTERRUPTED: return sr_fail_interrupted(err);
			case SR_WAIT_TIMEOUT:
				return sr_fail(err, SR_E_TIMEOUT, HINT_NOT_TLS,
							   "no answer to the TLS handshake from %s in time", where);
			case SR_WAIT_READY: break;
		}
	}
}

static tls *new_tls(sr_tls_cache *cache, sr_stream *plain)
{
	tls *t = calloc(1, sizeof(*t));
	BIO *bio = BIO_new(cache->method);

	if (t != NULL)
		t->ssl = SSL_new(cache->ctx);
	if (t == NULL || bio == NULL || t->ssl == NULL)
	{
		if (t != NULL)
			SSL_free(t->ssl);
		BIO_free(bio);
		free(t);
		return NULL;
	}
	BIO_set_data(bio, t);
	BIO_set_init(bio, 1);
	SSL_set_bio(t->ssl, bio, bio); /* owned by the SSL from here */
	t->plain = plain;
	t->stream.fd = plain->fd;
	t->stream.read = tls_read;
	t->stream.write = tls_write;
	t->stream.close = tls_close;
	t->stream.peer_hint = HINT_CERTIFICATE;
	return t;
}

sr_stream *sr_tls_wrap(const sr_host *host, const sr_url *url, sr_tls_cache *cache,
					   sr_stream *plain, int64_t deadline, sr_err *err)
{
	char where[320];
	tls *t;

	if (cache->method == NULL && (cache->method = new_method()) == NULL)
	{
		plain->close(plain, false);
		sr_fail_memory(err);
		return NULL;
	}
	if (!sr_tls_context(host, url, cache, err))
	{
		plain->close(plain, false);
		return NULL;
	}
	t = new_tls(cache, plain);
	if (t == NULL || !expect_host(t->ssl, url))
	{
		ERR_clear_error();
		if (t != NULL)
			tls_close(&t->stream, false);
		else
			plain->close(plain, false);
		sr_fail_memory(err);
		return NULL;
	}
	sr_url_where(url, where, sizeof(where));
	if (handshake(host, t, where, deadline, err))
		return &t->stream;
	tls_close(&t->stream, false);
	/* the files may be corrected before the next attempt */
	SSL_CTX_free(cache->ctx);
	cache->ctx = NULL;
	return NULL;
}
