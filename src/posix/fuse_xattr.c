/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Extended attributes on a mount.
 */
#include "posix/fuse_fs.h"

#include "base/mem.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/xattr.h>

static void op_setxattr(fuse_req_t req, fuse_ino_t ino, const char *name,
                        const char *value, size_t len, int flags)
{
    unsigned ours = 0;

    if (flags & XATTR_CREATE)
        ours |= CAPSTAN_XATTR_CREATE;
    if (flags & XATTR_REPLACE)
        ours |= CAPSTAN_XATTR_REPLACE;
    fs_reply(req, capstan_xattr_set(fs_enter_change(req), ino, name, value, len,
                                    ours));
}

/* name NULL: the list of names. Room 0: its length alone is wanted. */
static void answer(fuse_req_t req, fuse_ino_t ino, const char *name,
                   size_t room)
{
    struct capstan_session *session = fs_enter(req);
    char *value = room > 0 ? mem_calloc(1, room) : NULL;
    size_t len = 0;
    int rc;

    if (room > 0 && value == NULL)
        rc = -ENOMEM;
    else if (name != NULL)
        rc = capstan_xattr_get(session, ino, name, value, room, &len);
    else
        rc = capstan_xattr_list(session, ino, value, room, &len);
    if (rc != 0)
        fs_reply(req, rc);
    else if (room == 0)
        fuse_reply_xattr(req, len);
    else
        fuse_reply_buf(req, value, len);
    free(value);
}

static void op_getxattr(fuse_req_t req, fuse_ino_t ino, const char *name,
                        size_t room)
{
    answer(req, ino, name, room);
}

static void op_listxattr(fuse_req_t req, fuse_ino_t ino, size_t room)
{
    answer(req, ino, NULL, room);
}

static void op_removexattr(fuse_req_t req, fuse_ino_t ino, const char *name)
{
    fs_reply(req, capstan_xattr_remove(fs_enter_change(req), ino, name));
}

void fs_xattr_ops(struct fuse_lowlevel_ops *ops)
{
    ops->setxattr = op_setxattr;
    ops->getxattr = op_getxattr;
    ops->listxattr = op_listxattr;
    ops->removexattr = op_removexattr;
}
