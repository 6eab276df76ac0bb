/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the files of changes share: op_change.c leads the conversation,
 * change_ask.c asks the parts, change_begin.c judges and does what concerns
 * this target alone, change_part.c does what others ask.
 *
 * Threads  change_begin(), change_commit() and change_part() on the names
 *          thread, the rest on the reactor.
 * Failure  codes as names.h; a function that fails has written nothing.
 */
#ifndef CAPSTAN_SERVER_CHANGE_H
#define CAPSTAN_SERVER_CHANGE_H

#include "server/server.h"

#define CHANGE_ASKS_MAX (FANOUT_MAX + 3)

enum change_state {
    CHANGE_BEGIN,
    CHANGE_KEEP, /* make the intent durable */
    CHANGE_LOCK,
    CHANGE_WALK,
    CHANGE_PREPARE,
    CHANGE_COMMIT,
    CHANGE_SYNC, /* make the commit durable */
    CHANGE_SETTLE,
    CHANGE_UNLOCK,
    CHANGE_ABORT,
    CHANGE_FORGET,
    CHANGE_WAIT,
    CHANGE_END,
};

/* One part that is asked, here or at another target. */
struct change_ask {
    struct names_op op; /* first */
    struct rpc_call call;
    struct change_task *task;
    uint16_t opcode;
    union {
        struct proto_req_freeze freeze;
        struct proto_req_thaw thaw;
        struct proto_req_getattr getattr;
        struct proto_req_entry_lock entry_lock;
        struct proto_req_entry_settle entry_settle;
        struct proto_req_inode_settle inode_settle;
    } req;
    struct inode inode; /* WALK: the answer */
};

struct change_task {
    struct names_op op; /* first */
    struct srv_target *target;
    struct rpc_request *request; /* NULL: answered, or found at the start */
    struct once_key key;
    union proto_rep rep;
    enum change_state state;
    struct names_intent intent; /* its texts lie below */
    char texts[2][NAME_LEN_MAX];
    unsigned rename_flags;
    uint64_t floor;
    uint64_t orphan; /* a file that lost its last name here */
    uint64_t walk;   /* the directory we look at on the way up */
    unsigned walked;
    bool is_second_walk; /* of an exchange */
    bool is_active;
    bool is_recovered;
    bool is_over; /* all was done in one transaction */
    int step_rc;  /* of the state we are in: the first failure */
    int rc;       /* of the whole */
    unsigned waiting;
    uint64_t again_ns;
    struct change_ask asks[CHANGE_ASKS_MAX];
    struct change_task *next;
};

/* The states that ask parts (change_ask.c). Each is left by change_leave(). */
void change_enter_lock(struct change_task *task);
void change_enter_walk(struct change_task *task);
void change_enter_prepare(struct change_task *task);
void change_enter_settle(struct change_task *task);
void change_enter_unlock(struct change_task *task);
void change_enter_abort(struct change_task *task);

/** The state that the change is in is over; task->step_rc tells how. */
void change_leave(struct change_task *task);

bool change_is_committed(const struct change_task *task);

/** Do it, if it concerns this target alone (is_over), or begin an intent. */
int change_begin(struct change_task *task, struct names *names);

/** All parts are prepared: the name comes or goes. */
int change_commit(struct change_task *task, struct names *names);

/** What a part does: FREEZE, THAW, ENTRY_LOCK, ENTRY_SETTLE, INODE_SETTLE. */
int change_part(struct names *names, uint16_t opcode,
                const union proto_req *req);

/** A part on the reactor, after its transaction: a file may have gone. */
void change_part_done(struct srv_target *target, uint16_t opcode,
                      const union proto_req *req);

/** Which target owns a name. */
uint16_t change_owner(const struct srv_target *target,
                      const struct name *name);

/** The targets that hold a directory's entries. @return how many. */
unsigned change_fanout(const struct srv_target *target, uint64_t dir,
                       uint16_t fanout_out[FANOUT_MAX]);

/** Does another directory get a moved directory as its parent? */
bool change_moves_directory(const struct change_task *task);

#endif
