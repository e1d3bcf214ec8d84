/*
 * peer.h - a server in a thread that answers what no Redis does: for the tests of what the core makes
 * of it.
 */
#ifndef SQLREDIS_TEST_PEER_H
#define SQLREDIS_TEST_PEER_H

/* RESP2 for a command, its words joined by spaces: a string that lives until the next call;
 * NULL closes the connection. */
typedef const char *(*peer_answer)(void *ctx, const char *command);

typedef struct peer peer;

/* CLIENT is answered with +OK, every other command by answer, which runs in the server's thread. */
peer *peer_start(peer_answer answer, void *ctx); /* NULL: no socket to be had */
/* At a unix socket made at path, which the caller removes. */
peer	   *peer_start_at(const char *path, peer_answer answer, void *ctx);
const char *peer_url(const peer *p);
/* Say something that nobody asked for, and close the connection there is. */
void peer_hang_up(peer *p, const char *last_words);
/* To be called when no client is connected any more. */
void peer_stop(peer *p);

#endif
