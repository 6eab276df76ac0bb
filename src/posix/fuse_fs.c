/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the operations share: identity, answers, attributes.
 *
 * A caller's supplementary groups cost a look at /proc, which is done for all
 * but user 0, whose groups give him nothing that he has not.
 */
#include "posix/fuse_fs.h"

#include "posix/attr.h"

static void set_cred(fuse_req_t req, struct capstan_session *session,
                     bool is_checked)
{
    const struct fuse_ctx *ctx = fuse_req_ctx(req);
    gid_t groups[CAPSTAN_GROUPS_MAX];
    struct capstan_cred cred = {
        .uid = ctx->uid, .gid = ctx->gid, .is_checked = is_checked};
    int count = 0;

    if (ctx->uid != 0 && !is_checked)
        count = fuse_req_getgroups(req, CAPSTAN_GROUPS_MAX, groups);
    if (count > (int)CAPSTAN_GROUPS_MAX)
        count = CAPSTAN_GROUPS_MAX;
    if (count > 0) {
        cred.groups = groups;
        cred.ngroups = (size_t)count;
    }
    capstan_session_set_cred(session, &cred);
}

/* The thread's session, without what it should no longer remember. */
static struct capstan_session *fresh_session(fuse_req_t req)
{
    uint64_t epoch = atomic_load(&fs_of(req)->epoch);
    struct crew_member *self = crew_self();

    if (self->epoch != epoch)
        capstan_session_forget(self->session);
    self->epoch = epoch;
    return self->session;
}

struct capstan_session *fs_enter(fuse_req_t req)
{
    struct capstan_session *session = fresh_session(req);

    set_cred(req, session, false);
    return session;
}

struct capstan_session *fs_enter_checked(fuse_req_t req)
{
    struct capstan_session *session = fresh_session(req);

    set_cred(req, session, true);
    return session;
}

void fs_directory_changed(fuse_req_t req)
{
    atomic_fetch_add(&fs_of(req)->epoch, 1);
}

struct capstan_session *fs_enter_change(fuse_req_t req)
{
    atomic_fetch_add(&fs_of(req)->changes, 1);
    return fs_enter(req);
}

void fs_reply(fuse_req_t req, int rc)
{
    fuse_reply_err(req, rc == 0 ? 0 : capstan_errno(rc));
}

void fs_entry_set(const struct fuse_fs *fs, struct fuse_entry_param *entry_out,
                  const struct capstan_stat *stat)
{
    *entry_out = (struct fuse_entry_param){
        .ino = stat->ino,
        .attr_timeout = stat->is_partial ? 0 : fs->cache_sec,
        .entry_timeout = fs->cache_sec,
    };
    attr_set(&entry_out->attr, stat);
}

void fs_reply_entry(fuse_req_t req, int rc, uint64_t dir,
                    const struct capstan_stat *stat)
{
    struct fuse_fs *fs = fs_of(req);
    struct fuse_entry_param entry;
    double kept_sec;

    if (rc != 0) {
        fs_reply(req, rc);
        return;
    }
    fs_entry_set(fs, &entry, stat);
    keep_see(&fs->keep, stat);
    kept_sec = keep_time(&fs->keep, dir, stat);
    if (kept_sec > entry.entry_timeout)
        entry.entry_timeout = kept_sec;
    fuse_reply_entry(req, &entry);
}

void fs_reply_attr(fuse_req_t req, int rc, const struct capstan_stat *stat)
{
    struct stat attr;

    if (rc != 0) {
        fs_reply(req, rc);
        return;
    }
    attr_set(&attr, stat);
    fuse_reply_attr(req, &attr, fs_of(req)->cache_sec);
}

void fs_ops(struct fuse_lowlevel_ops *ops_out)
{
    *ops_out = (struct fuse_lowlevel_ops){.init = NULL};
    fs_names_ops(ops_out);
    fs_attr_ops(ops_out);
    fs_xattr_ops(ops_out);
    fs_file_ops(ops_out);
    fs_dir_ops(ops_out);
}
