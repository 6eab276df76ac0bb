/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The happy path: user 0 may do all but execute a file without an x bit; else
 * one of the three classes decides, the first that fits.
 */
#include "base/cred.h"

#include <errno.h>

#define SET_UID 04000u
#define SET_GID 02000u
#define GROUP_EXEC 00010u
#define ANY_EXEC 00111u

bool cred_is_in_group(const struct cred *cred, uint32_t gid)
{
    if (cred->gid == gid)
        return true;
    for (uint32_t i = 0; i < cred->ngroups; i++)
        if (cred->groups[i] == gid)
            return true;
    return false;
}

static unsigned class_bits(const struct cred *cred, const struct inode *inode)
{
    if (cred->uid == inode->uid)
        return inode->mode >> 6 & 7;
    if (cred_is_in_group(cred, inode->gid))
        return inode->mode >> 3 & 7;
    return inode->mode & 7;
}

int cred_may(const struct cred *cred, const struct inode *inode, unsigned mask)
{
    if (cred->is_checked)
        return 0;
    if (cred->uid == 0)
        return (mask & CRED_EXEC) == 0 || inode->type == INODE_DIR ||
                       (inode->mode & ANY_EXEC) != 0
                   ? 0
                   : -EACCES;
    return (class_bits(cred, inode) & mask) == mask ? 0 : -EACCES;
}

bool cred_owns(const struct cred *cred, const struct inode *inode)
{
    return cred->is_checked || cred->uid == 0 || cred->uid == inode->uid;
}

/* Only user 0 gives files away; the owner may choose among own groups. */
static bool may_chown(const struct cred *cred, const struct inode *inode,
                      const struct change *change)
{
    if (cred->is_checked || cred->uid == 0)
        return true;
    if (cred->uid != inode->uid)
        return false;
    if ((change->valid & CHANGE_UID) && change->uid != inode->uid)
        return false;
    return !(change->valid & CHANGE_GID) || change->gid == inode->gid ||
           cred_is_in_group(cred, change->gid);
}

int cred_may_change(const struct cred *cred, const struct inode *inode,
                    const struct change *change)
{
    bool is_owner = cred_owns(cred, inode);

    if ((change->valid & (CHANGE_UID | CHANGE_GID)) &&
        !may_chown(cred, inode, change))
        return -EPERM;
    if ((change->valid & (CHANGE_MODE | CHANGE_ATIME | CHANGE_MTIME)) &&
        !is_owner)
        return -EPERM;
    if ((change->valid & (CHANGE_ATIME_NOW | CHANGE_MTIME_NOW)) && !is_owner &&
        cred_may(cred, inode, CRED_WRITE) != 0)
        return -EACCES;
    if (change->valid & CHANGE_SIZE)
        return cred_may(cred, inode, CRED_WRITE);
    return 0;
}

/* A change of owner or contents takes the power of a program away. */
static void drop_set_id(struct inode *inode)
{
    if (inode->type == INODE_DIR)
        return;
    inode->mode &= ~SET_UID;
    if (inode->mode & GROUP_EXEC)
        inode->mode &= ~SET_GID;
}

static void apply_mode(const struct cred *cred, uint32_t mode,
                       struct inode *inode)
{
    if (!cred->is_checked && cred->uid != 0 &&
        !cred_is_in_group(cred, inode->gid))
        mode &= ~SET_GID;
    inode->mode = mode & 07777;
}

void cred_apply(const struct cred *cred, const struct change *change,
                uint64_t now_ns, struct inode *inode_inout)
{
    struct inode *inode = inode_inout;
    unsigned valid = change->valid;

    if (valid & CHANGE_UID)
        inode->uid = change->uid;
    if (valid & CHANGE_GID)
        inode->gid = change->gid;
    if (valid & (CHANGE_UID | CHANGE_GID))
        drop_set_id(inode);
    if ((valid & (CHANGE_SIZE | CHANGE_WRITTEN)) && cred->uid != 0)
        drop_set_id(inode);
    if (valid & CHANGE_MODE)
        apply_mode(cred, change->mode, inode);
    if (valid & CHANGE_ATIME)
        inode->atime_ns = change->atime_ns;
    if (valid & CHANGE_ATIME_NOW)
        inode->atime_ns = (int64_t)now_ns;
    if (valid & CHANGE_MTIME)
        inode->mtime_ns = change->mtime_ns;
    if (valid & (CHANGE_MTIME_NOW | CHANGE_SIZE | CHANGE_WRITTEN))
        inode->mtime_ns = (int64_t)now_ns;
    inode->ctime_ns = now_ns;
}

void cred_inherit(const struct inode *dir, struct inode *inode_inout)
{
    if (!(dir->mode & SET_GID))
        return;
    inode_inout->gid = dir->gid;
    if (inode_inout->type == INODE_DIR)
        inode_inout->mode |= SET_GID;
}
