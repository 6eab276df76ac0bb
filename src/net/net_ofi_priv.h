/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Inside of the libfabric driver: what net_ofi*.c share.
 *
 *   net_ofi.c       open, close, the ops table
 *   net_ofi_lib.c   libfabric itself, loaded when first needed
 *   net_ofi_info.c  which provider, which address, what was granted
 *   net_ofi_peer.c  peers, and operations that wait for a connection
 *   net_ofi_xfer.c  starting operations
 *   net_ofi_segment.c  long messages where the provider makes them dear
 *   net_ofi_poll.c  completions, receiving, waiting
 *   net_ofi_mr.c    registered memory
 *   net_ofi_local.c who lives on this machine; names for provider "shm"
 *   net_ofi_cma.c   RMA between processes of one machine
 *   net_ofi_lane.c  messages between processes of one machine
 *
 * Units    bytes, nanoseconds.
 * Threads  one owner thread an endpoint.
 * Failure  as net.h says.
 */
#ifndef CAPSTAN_NET_OFI_PRIV_H
#define CAPSTAN_NET_OFI_PRIV_H

#include "base/err.h"
#include "base/pool.h"
#include "base/spin.h"
#include "net/net.h"
#include "net/net_ofi_lib.h"

#include <signal.h>
#include <stdatomic.h>

#include <rdma/fabric.h>
#include <rdma/fi_cm.h>
#include <rdma/fi_domain.h>
#include <rdma/fi_endpoint.h>
#include <rdma/fi_errno.h>
#include <rdma/fi_rma.h>

#define OFI_VERSION FI_VERSION(1, 17)
#define OFI_OPS_MAX 1024  /* operations under way at one endpoint */
#define OFI_KEYS_MAX 4096 /* registrations of one endpoint for peers */
#define OFI_LANES_MAX 256 /* senders on its machine to one endpoint */
#define OFI_LANE_BYTES (128u << 10)
#define OFI_SHM_SLOTS 240 /* peers in one life of a shm endpoint: 256 */
#define OFI_PEERS_MAX (1u << 20)
#define OFI_SIGNALS 8 /* that a library of libfabric's takes */
#define OFI_LINK_NS (2 * NS_PER_SEC) /* a link that takes nothing is dead */
#define OFI_LANE_NS (60 * NS_PER_SEC) /* a lane, while its owner lives */

struct ofi_net;
struct ofi_peer;
struct ofi_table;
struct ofi_lane;

/* A receive buffer or an operation that the provider has. */
struct ofi_slot {
    struct fi_context2 context; /* first: the provider's, while it has it */
    struct ofi_slot *next;      /* free list, or the peer's list */
    struct ofi_slot **link;
    struct net_op *op; /* NULL: a receive, not the last segment, or abandoned */
    struct ofi_peer *peer; /* NULL: removed meanwhile */
    void *buffer;          /* receives only */
    bool is_held;          /* receives only: its message was handed over */
    uint64_t sender;       /* receives only: of a message that is not whole */
    size_t have, left;     /* its bytes that came, and that are to come */
    struct fid_mr *own_mr; /* registered for this operation only */
};

/* What to start, and the wait in line for it: lives in net_op.driver. */
enum ofi_verb { OFI_SEND, OFI_WRITE, OFI_READ };

struct ofi_start {
    struct net_op *next;
    enum ofi_verb verb;
    void *memory;
    size_t len;
    struct net_mr *mr;
    uint64_t remote_addr;
    uint64_t key;
    size_t given;  /* of a long message: bytes that the provider has */
    uint64_t data; /* of a segment: see net_ofi_segment.c; else 0 */
    int rc; /* with which it ends, once it is in the line of the ended */
};

_Static_assert(sizeof(struct ofi_start) <= sizeof(((struct net_op *)0)->driver),
               "an operation's room is too small");

struct ofi_line { /* first in, first out */
    struct net_op *first;
    struct net_op **end;
};

struct ofi_peer {
    uint64_t id;
    unsigned nrefs;
    fi_addr_t addr; /* FI_ADDR_UNSPEC: not attached */
    size_t name_len;
    char name[NET_NAME_MAX];
    struct ofi_slot *posted; /* operations that the provider has */
    struct ofi_line line;    /* operations that wait for the link */
    struct ofi_peer *next_waiting;
    bool is_waiting;
    uint64_t give_up_ns;
    uint64_t next_try_ns;
    uint64_t nap_ns;
    struct ofi_table *table; /* of the peer, if it is on this machine */
    int lock_fd;             /* tells whether the peer lives; else -1 */
    uint64_t epoch;          /* of the table when it was attached */
    uint64_t next_check_ns;
    bool can_copy; /* may we touch its memory? */
    bool is_wired; /* the provider has moved bytes for it */
    struct ofi_lane *lane; /* ours in its table, or NULL */
    uint8_t *lane_bytes;
    int bell_fd; /* of its bell, with a lane */
};

struct net_mr {
    struct net_mr *next, **link;
    struct fid_mr *fid;
    uint64_t addr;           /* as peers must say it */
    struct ofi_table *table; /* that it is in, or NULL */
    uint64_t table_key;
    const struct clock *clock;
};

struct ofi_net {
    struct net net; /* first */
    struct net_caps caps;
    const struct clock *clock;
    net_recv_fn *recv;
    void *recv_ctx;

    struct fi_info *info;
    struct fid_fabric *fabric;
    struct fid_domain *domain;
    struct fid_av *av;
    struct fid_cq *cq;
    struct fid_ep *ep;
    int wait_fd;
    bool is_shm;
    struct ofi_table *table; /* shows us to peers on this machine, or NULL */
    int lock_fd;             /* held while this endpoint lives */
    int bell_fd;             /* rung when messages come; -1: no lanes */
    int timer_fd;            /* ends a sleep while a lane of ours is full */
    int both_fd;             /* wait_fd, then: of provider, bell and timer */
    bool is_resting;         /* the table says that we sleep */
    struct spin spin;        /* of net_wait() */
    struct pool lane_pool;   /* receive buffers of lanes */
    uint16_t lanes[OFI_LANES_MAX]; /* those open, as of nlanes_seen */
    unsigned nlanes;
    uint32_t nlanes_seen;
    uint64_t next_sweep_ns;
    unsigned npolls;
    unsigned nskipped; /* polls that left the provider alone */
    unsigned nempty_looks;   /* at its queue, in a row, that found nothing */
    unsigned nslots;         /* shm: peers attached in this life */
    uint64_t next_key;
    uint64_t next_check_ns; /* shm: when to look whether peers live */
    bool is_wedged;         /* shm: a dead peer blocks the endpoint */
    char name[NET_NAME_MAX];
    size_t name_len;

    struct pool pool; /* receive buffers */
    struct net_mr *pool_mr;
    struct ofi_slot *receives; /* one a buffer */
    struct ofi_slot *unposted; /* receives that the provider refused */
    size_t nposted;            /* receives that it has */
    struct ofi_slot *idle;     /* those it need not have now */
    size_t nidle;
    size_t segment_bytes;      /* of a longer message, at once; 0: all */
    uint64_t segment_sender;   /* who we are to those who put it together */
    struct ofi_slot *partial;  /* messages that are not whole, oldest first */

    struct ofi_slot *slots;
    struct ofi_slot *free_slots;
    unsigned nops;         /* posted, waiting or ended but not told */
    struct ofi_line ended; /* to be called back at the next poll */

    struct net_mr *mrs;
    struct ofi_peer **peers; /* by id; NULL where free */
    size_t npeers;
    struct ofi_peer *waiting; /* peers whose line is not empty */
};

static inline struct ofi_net *ofi_of(struct net *net)
{
    return (struct ofi_net *)net;
}

static inline struct ofi_start *ofi_start_of(struct net_op *op)
{
    return (struct ofi_start *)op->driver;
}

static inline void ofi_line_init(struct ofi_line *line)
{
    line->first = NULL;
    line->end = &line->first;
}

void ofi_line_add(struct ofi_line *line, struct net_op *op);

/** Move everything of `from` behind `to`. */
void ofi_line_move(struct ofi_line *to, struct ofi_line *from);

/** Call an operation back with rc at the next poll. */
void ofi_end_later(struct ofi_net *net, struct net_op *op, int rc);

/** Translate a provider's positive error number. @return a negative code. */
int ofi_error(int fi_errno_code);

/** Open a blocked shm endpoint anew under its name; all operations end. */
void ofi_renew(struct ofi_net *net);

/* --- net_ofi_signals.c --- */

/** What a library of libfabric's takes from the process that loads it. */
struct ofi_signals {
    sigset_t mask;
    struct sigaction actions[OFI_SIGNALS];
};

/** Around the loading: between them no signal reaches this thread. */
void ofi_signals_keep(struct ofi_signals *kept);
void ofi_signals_restore(const struct ofi_signals *kept);

/** Loaded by others, who kept nothing: back to the default. */
void ofi_signals_free(void);

/* --- net_ofi_info.c --- */

/** Choose provider and address. @return 0, -EINVAL, -ENODATA or -ENOMEM. */
int ofi_info_get(const struct net_config *config, struct fi_info **info_out);

/** A host and service's address, for the provider in use. */
int ofi_info_resolve(const struct ofi_net *net, const char *node,
                     const char *service, struct fi_info **info_out);

/* --- net_ofi_peer.c --- */
int ofi_peer_resolve(struct net *net, const char *node, const char *service,
                     uint64_t *peer_out);
int ofi_peer_insert(struct net *net, const void *name, size_t len,
                    uint64_t *peer_out);
void ofi_peer_remove(struct net *net, uint64_t id);
void ofi_peers_free(struct ofi_net *net);

/** Let an operation wait for its peer's link. */
void ofi_peer_wait(struct ofi_net *net, struct ofi_peer *peer,
                   struct net_op *op);

/** Offer waiting operations to the provider again. @return how many went. */
int ofi_peers_retry(struct ofi_net *net);

/** Make the address known to the provider. @return 0, -EAGAIN or -ENOMEM. */
int ofi_peer_attach(struct ofi_net *net, struct ofi_peer *peer);

/** The link is dead: end all that waits. */
void ofi_peer_fail(struct ofi_net *net, struct ofi_peer *peer);

/** Detach peers of this machine that died. */
void ofi_peers_let_go(struct ofi_net *net);

/** Shm: fail peers that died, forget those removed and now idle. */
void ofi_peers_check(struct ofi_net *net);

/** Shm: end everything under way and detach every peer. */
void ofi_peers_fail_all(struct ofi_net *net);

/* --- net_ofi_xfer.c --- */
int ofi_send(struct net *net, struct net_op *op, uint64_t peer,
             const void *message, size_t len, struct net_mr *mr);
int ofi_write(struct net *net, struct net_op *op, uint64_t peer,
              const void *memory, size_t len, struct net_mr *mr,
              uint64_t remote_addr, uint64_t key);
int ofi_read(struct net *net, struct net_op *op, uint64_t peer, void *memory,
             size_t len, struct net_mr *mr, uint64_t remote_addr, uint64_t key);

size_t ofi_eager_max(const struct net *net, uint64_t peer);

bool ofi_can_copy(struct net *net, uint64_t peer);
int ofi_copy(struct net *net, uint64_t peer, const void *memory, size_t len,
             uint64_t remote_addr, uint64_t key);

/** Give an operation to the provider. @return 0, -EAGAIN (call again with the
 *  same start) or an error. */
int ofi_post(struct ofi_net *net, struct ofi_peer *peer, struct net_op *op,
             struct ofi_start *start);

/** Take an operation back from its slot. @return it, or NULL if abandoned. */
struct net_op *ofi_slot_end(struct ofi_net *net, struct ofi_slot *slot);

/** Give one operation, or a segment, to the provider under a slot of its own.
 */
int ofi_post_one(struct ofi_net *net, struct ofi_peer *peer, struct net_op *op,
                 const struct ofi_start *start);

/* --- net_ofi_segment.c --- */

/** Choose whether long messages are cut, when the provider is known. */
void ofi_segments_init(struct ofi_net *net);

/** Is this too long to be given to the provider at once? */
static inline bool ofi_is_cut(const struct ofi_net *net,
                              const struct ofi_start *start)
{
    return start->verb == OFI_SEND && net->segment_bytes > 0 &&
           start->len > net->segment_bytes;
}

/** Give what is left of a message to the provider. @return as ofi_post(); what
 *  went is noted in start. */
int ofi_segments_post(struct ofi_net *net, struct ofi_peer *peer,
                      struct net_op *op, struct ofi_start *start);

/** Few receives are left: drop the oldest message that is not whole, if any. Its
 *  sender may have died in the middle of it. */
void ofi_segments_make_room(struct ofi_net *net);

/** A segment has come into a receive's buffer. */
void ofi_segment_take(struct ofi_net *net, struct ofi_slot *slot, size_t len,
                      uint64_t data);

/* --- net_ofi_poll.c --- */

/** Hand a whole message over. */
void ofi_deliver(struct ofi_net *net, struct ofi_slot *slot, size_t len);

/** A receive's buffer is free: the provider's now, or when its turn comes. */
void ofi_receive_post(struct ofi_net *net, struct ofi_slot *slot);

/** Post every receive buffer that the owner does not hold. */
int ofi_receives_post(struct ofi_net *net);
void ofi_release(struct net *net, void *buffer);
int ofi_poll(struct net *net);
int ofi_wait_fd(struct net *net);
int ofi_may_sleep(struct net *net);

/** The next poll looks at the provider's queue. */
void ofi_queue_is_due(struct ofi_net *net);
int ofi_wait(struct net *net, uint64_t until_ns);

/* --- net_ofi_mr.c --- */
int ofi_mr_reg(struct net *net, void *memory, size_t len,
               enum net_mem_kind kind, unsigned access, struct net_mr **mr_out);
void ofi_mr_dereg(struct net *net, struct net_mr *mr);
void ofi_mr_remote(const struct net_mr *mr, struct net_remote *remote_out);

/** Must local memory be registered too? */
static inline bool ofi_needs_local(const struct ofi_net *net)
{
    return (net->info->domain_attr->mr_mode & FI_MR_LOCAL) != 0;
}

/* --- net_ofi_local.c --- */

/* Memory that peers may reach. The key comes last and goes first. */
struct ofi_entry {
    _Atomic uint64_t key; /* 0: free */
    _Atomic uint32_t users;
    uint32_t access;
    uint64_t addr; /* of the first byte, as peers say it */
    uint64_t base; /* of the first byte, in the owner's memory */
    uint64_t len;
};

enum { OFI_LANE_FREE, OFI_LANE_OPEN, OFI_LANE_SHUT };

/* Counts of bytes that ever went in and out, each on a cache line. */
struct ofi_lane {
    _Alignas(64) _Atomic uint32_t state;
    _Alignas(64) _Atomic uint64_t tail; /* the sender's */
    _Alignas(64) _Atomic uint64_t head; /* the owner's */
};

/* The file by which an endpoint shows itself to peers on its machine. */
struct ofi_table {
    uint64_t magic;
    uint64_t cookie; /* tells the owner from another of the same number */
    uint64_t self;   /* where the owner sees this table */
    int64_t pid;
    _Atomic uint64_t epoch; /* of provider_name; odd while it changes */
    char provider_name[NET_NAME_MAX]; /* shm: the current endpoint */
    uint64_t network; /* the owner's network: namespace number */
    _Atomic int32_t bell_fd; /* the owner's number for it; -1: no lanes */
    _Alignas(64) _Atomic uint32_t is_asleep; /* ring, and set to 0 */
    _Alignas(64) _Atomic uint32_t nopened;   /* lanes ever opened */
    struct ofi_entry entries[OFI_KEYS_MAX];
    struct ofi_lane lanes[OFI_LANES_MAX];
    _Alignas(4096) uint8_t rings[OFI_LANES_MAX][OFI_LANE_BYTES]; /* a hole,
                                                   but for what is in use */
};

/** Compose the name for a shm service, or a new one. @return 0 or -EINVAL. */
int ofi_shm_name(const char *service, char name[NET_NAME_MAX]);

/** Are these bytes the name of a shm endpoint of ours? */
bool ofi_shm_is_name(const void *name, size_t len);

/** A name for the provider that was never used before. */
void ofi_shm_provider_name(const struct ofi_net *net, char name[NET_NAME_MAX]);

/** Make net->table for net->name and lock it. @return 0 or -EADDRINUSE, ... */
int ofi_local_create(struct ofi_net *net);

/** Tell peers the provider's name of our endpoint. */
void ofi_local_announce(struct ofi_net *net, const char *provider_name);

/** Remove the table, if there is one. */
void ofi_local_destroy(struct ofi_net *net);

/** Map the peer's table. @return false: it is not here, or not alive. */
bool ofi_local_attach(struct ofi_net *net, struct ofi_peer *peer);

/** Has the peer died, or changed its provider name? It must be attached. */
bool ofi_local_is_stale(const struct ofi_peer *peer);

/** The provider's name of an attached peer. @return false: not yet told. */
bool ofi_local_provider_name(const struct ofi_peer *peer,
                             char name[NET_NAME_MAX]);

/** Unmap the peer's table, if there is one. */
void ofi_local_detach(struct ofi_peer *peer);

/* --- net_ofi_lane.c --- */

/** Make the bell, if there is a table; what fails is done without. */
void ofi_lanes_open(struct ofi_net *net);
void ofi_lanes_close(struct ofi_net *net);

/** Take a lane of an attached peer, if there is one to be had. */
void ofi_lane_take(struct ofi_net *net, struct ofi_peer *peer);
void ofi_lane_drop(struct ofi_peer *peer);

/** Send by the peer's lane. @return 0, -EAGAIN (full) or -ERR_LINK (shut). */
int ofi_lane_send(struct ofi_peer *peer, const void *message, size_t len);

/** Hand over what has come. @return how many messages. */
int ofi_lanes_poll(struct ofi_net *net);

/** Take a buffer back. @return false: it is none of the lanes'. */
bool ofi_lanes_release(struct ofi_net *net, void *buffer);

/** Say in the table that we sleep. @return false: something has come. */
bool ofi_lanes_may_sleep(struct ofi_net *net);

/* --- net_ofi_cma.c --- */

/* Memory for peers, and how they say its address. */
struct ofi_range {
    void *memory;
    size_t len;
    uint64_t addr;
    unsigned access;
};

/** Enter a registration. @param number never used before. @return 0, -ENOMEM */
int ofi_cma_publish(struct ofi_table *table, uint64_t number,
                    const struct ofi_range *range, uint64_t *key_out);

/** Take a key away; when this returns nobody uses the memory. */
void ofi_cma_revoke(struct ofi_table *table, uint64_t key,
                    const struct clock *clock);

/** Do an RMA now. @return 0, -EACCES or -ERR_LINK. */
int ofi_cma_move(struct ofi_table *table, const struct ofi_start *start);

#endif
