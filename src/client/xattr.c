/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Extended attributes.
 *
 * The happy path: one call to the inode's home, which judges and keeps them.
 *
 * Possible failure modes are: a room that is too small (-ERANGE; room 0 only
 * asks for the length); names and values over their limits.
 */
#include "client/lookup.h"

#include <assert.h>
#include <string.h>

static_assert(CAPSTAN_XATTR_MAX == PROTO_XATTR_MAX &&
                  CAPSTAN_XATTRS_MAX == PROTO_XATTRS_MAX,
              "the limits travel");

struct room {
    void *bytes;
    size_t size;
    size_t len;
};

static int take(void *ctx, const union proto_rep *rep)
{
    const struct proto_bytes *value = &rep->xattr_get.value;
    struct room *room = ctx;

    room->len = value->len;
    if (room->size == 0)
        return 0;
    if (value->len > room->size)
        return -ERANGE;
    if (value->len > 0)
        memcpy(room->bytes, value->data, value->len);
    return 0;
}

static int check_name(struct capstan_session *session, const char *name)
{
    size_t len = strlen(name);

    return len == 0 || len > NAME_LEN_MAX
               ? cli_fail(session, -ERANGE, "xattr: name")
               : 0;
}

static int call_home(struct capstan_session *session, struct cli_call *call,
                     uint64_t ino)
{
    call->target = cli_home(session, ino);
    if (cluster_target(session->cluster, call->target) == NULL)
        return cli_fail(session, -ESTALE, "xattr");
    if (cli_call(session, call, cli_deadline(session)) != 0)
        return cli_call_fail(session, call, "xattr");
    return 0;
}

static int get(struct capstan_session *session, uint64_t ino, const char *name,
               void *bytes, size_t size, size_t *len_out)
{
    struct room room = {bytes, size, 0};
    struct cli_call call = {
        .opcode = PROTO_OP_xattr_get,
        .req.xattr_get = {ino,
                          {(const uint8_t *)name, (uint32_t)strlen(name)},
                          cli_cred(session)},
        .take = take,
        .take_ctx = &room,
    };
    int rc = call_home(session, &call, ino);

    if (rc == 0)
        *len_out = room.len;
    return rc;
}

int capstan_xattr_get(struct capstan_session *session, uint64_t ino,
                      const char *name, void *value, size_t room,
                      size_t *len_out)
{
    int rc = cli_enter(session);

    if (rc == 0)
        rc = check_name(session, name);
    return rc == 0 ? get(session, ino, name, value, room, len_out) : rc;
}

int capstan_xattr_list(struct capstan_session *session, uint64_t ino,
                       char *names, size_t room, size_t *len_out)
{
    int rc = cli_enter(session);

    return rc == 0 ? get(session, ino, "", names, room, len_out) : rc;
}

static int set(struct capstan_session *session, const char *name,
               struct cli_call *call)
{
    struct proto_req_xattr_set *req = &call->req.xattr_set;
    int rc = cli_enter(session);

    if (rc == 0)
        rc = check_name(session, name);
    if (rc != 0)
        return rc;
    call->opcode = PROTO_OP_xattr_set;
    req->name.data = (const uint8_t *)name;
    req->name.len = (uint32_t)strlen(name);
    req->cred = cli_cred(session);
    return call_home(session, call, req->ino);
}

int capstan_xattr_set(struct capstan_session *session, uint64_t ino,
                      const char *name, const void *value, size_t len,
                      unsigned flags)
{
    struct cli_call call = {
        .req.xattr_set = {.ino = ino,
                          .value = {value, (uint32_t)len},
                          .flags = (uint8_t)flags},
    };

    if (flags > 3)
        return cli_fail(session, -EINVAL, "xattr: flags");
    if (len > CAPSTAN_XATTR_MAX)
        return cli_fail(session, -E2BIG, "xattr: value");
    return set(session, name, &call);
}

int capstan_xattr_remove(struct capstan_session *session, uint64_t ino,
                         const char *name)
{
    struct cli_call call = {
        .req.xattr_set = {.ino = ino, .is_removal = 1},
    };

    return set(session, name, &call);
}
