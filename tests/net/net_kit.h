/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What tests of real endpoints share: an endpoint with a record of what it
 * received, calls that know how they ended, and a server in a process of its
 * own that can be killed and started again on the same port.
 *
 * Failure  anything unexpected is a failed CUnit assertion, and fatal.
 */
#ifndef CAPSTAN_TESTS_NET_KIT_H
#define CAPSTAN_TESTS_NET_KIT_H

#include "net/net.h"

#include <sys/types.h>

#ifndef KIT_NO_SHORTCUT
#define KIT_NO_SHORTCUT false
#endif
#ifndef KIT_MESSAGE_MAX
#define KIT_MESSAGE_MAX 8192
#endif
#define KIT_DEADLINE_NS (20 * NS_PER_SEC)
#define KIT_ANSWER_NS (3 * NS_PER_SEC) /* then the message was lost */
#define KIT_MEMORY (1u << 20)          /* registered by every server */

struct kit_end {
    struct net *net;
    unsigned nreceived;
    uint32_t last; /* first four bytes of the last message */
    size_t last_len;
    uint32_t last_sum; /* CRC32C of its bytes */
    bool keeps; /* do not release at once */
    unsigned nheld;
    void *held[64];
};

struct kit_call {
    struct net_op op; /* first */
    unsigned nended;
    int rc;
};

/* A message to a server: who asks, and a number that comes back. */
struct kit_ask {
    uint32_t number;
    uint32_t name_len;
    char name[NET_NAME_MAX];
};

struct kit_server {
    pid_t pid;
    int in, out; /* pipes to and from it */
    uint32_t name_len;
    char name[NET_NAME_MAX];
    struct net_remote remote; /* of its memory, byte i is i % 251 */
};

/** Is this provider here? */
bool kit_has(const char *provider);

/** Open. @return net_open()'s code; end->net is set on success. */
int kit_open(struct kit_end *end, const char *provider, const char *service,
             unsigned receives);

/** A service for this provider that nobody else uses ("0" for tcp). */
const char *kit_service(const char *provider);

/** The service at which a server with this name listens. */
const char *kit_service_of(const char *provider, const char *name);

/** The peer by which `from` reaches `to`. */
uint64_t kit_peer(struct kit_end *from, struct kit_end *to);

/** Poll both until `*count` is `want`. @return false at the deadline. */
bool kit_until(struct kit_end *a, struct kit_end *b, const unsigned *count,
               unsigned want);

/** Send, and repeat while the queue is full. */
int kit_send(struct kit_end *from, struct kit_end *other, struct kit_call *call,
             uint64_t peer, const void *bytes, size_t len);

/** Start a server process. @return 0, or its exit code. */
int kit_server_start(struct kit_server *server, const char *provider,
                     const char *service);

/** End a server in peace, so that it leaves nothing behind. */
void kit_server_stop(struct kit_server *server);

/** kill -9 and reap. Start it again there, so that its remains are found. */
void kit_server_kill(struct kit_server *server);

/** Ask a server and wait for the answer. @return 0, the error, or -ETIMEDOUT.
 */
int kit_ask(struct kit_end *end, uint64_t peer, uint32_t number);

/** The server process itself: called by main() when argv says so. */
int kit_serve(const char *provider, const char *service);

/** Run one suite; the exit code of the program. */
struct CU_TestInfo;
int kit_run(const char *name, struct CU_TestInfo *tests);

#endif
