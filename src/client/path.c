/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Path resolution and the cache of directories.
 *
 * The happy path: the text is tidied up; the longest prefix that the cache
 * knows gives the inode to start from; one LOOKUP for each further directory,
 * each remembered; the last name is left to the caller.
 *
 * Possible failure modes are: a directory of the cache was removed or made anew
 * meanwhile (the answer is "no such entry" through a cached parent: the cache
 * is dropped and the path walked again, once); a parent that is being removed
 * (its entries are frozen: ask again a little later).
 */
#include "client/path.h"

#include "base/mem.h"
#include "base/placement.h"

#include <stdio.h>
#include <string.h>

#define HASH_NONFATAL_OOM 1
#include <uthash.h>

struct dir {
    uint64_t ino;
    uint64_t until_ns;
    UT_hash_handle hh;
    char path[]; /* the key: as struct cli_path */
};

struct cli_dirs {
    struct dir *first; /* in order of insertion, so the oldest */
};

int cli_dirs_create(struct cli_dirs **dirs_out)
{
    struct cli_dirs *dirs = mem_calloc(1, sizeof(*dirs));

    if (dirs == NULL)
        return -ENOMEM;
    *dirs_out = dirs;
    return 0;
}

static void forget(struct cli_dirs *dirs, struct dir *dir)
{
    HASH_DEL(dirs->first, dir);
    free(dir);
}

void cli_dirs_drop(struct cli_dirs *dirs)
{
    while (dirs->first != NULL)
        forget(dirs, dirs->first);
}

void cli_dirs_destroy(struct cli_dirs **dirs_p)
{
    if (*dirs_p == NULL)
        return;
    cli_dirs_drop(*dirs_p);
    free(*dirs_p);
    *dirs_p = NULL;
}

unsigned cli_dirs_count(const struct cli_dirs *dirs)
{
    return HASH_COUNT(dirs->first);
}

/* A cache may forget: what cannot be remembered is walked again. */
static void remember(struct cli_dirs *dirs, const char *path, size_t len,
                     uint64_t ino, uint64_t until_ns)
{
    struct dir *dir;

    if (HASH_COUNT(dirs->first) >= CLI_DIRS_MAX)
        forget(dirs, dirs->first);
    dir = mem_calloc(1, sizeof(*dir) + len);
    if (dir == NULL)
        return;
    memcpy(dir->path, path, len);
    dir->ino = ino;
    dir->until_ns = until_ns;
    HASH_ADD_KEYPTR(hh, dirs->first, dir->path, len, dir);
    if (dir->hh.tbl == NULL)
        free(dir);
}

static bool recall(struct cli_dirs *dirs, const char *path, size_t len,
                   uint64_t now_ns, uint64_t *ino_out)
{
    struct dir *dir;

    HASH_FIND(hh, dirs->first, path, len, dir);
    if (dir == NULL)
        return false;
    if (now_ns >= dir->until_ns) {
        forget(dirs, dir);
        return false;
    }
    *ino_out = dir->ino;
    return true;
}

static int append(struct cli_path *path, const char *name, size_t len)
{
    if (len > NAME_LEN_MAX || path->len + 1 + len > PATH_LEN_MAX)
        return -ENAMETOOLONG;
    path->text[path->len] = '/';
    memcpy(path->text + path->len + 1, name, len);
    path->len += 1 + len;
    return 0;
}

static void drop_last(struct cli_path *path)
{
    while (path->len > 0 && path->text[--path->len] != '/')
        ;
}

int cli_path_set(struct cli_path *path, const char *text)
{
    size_t len;
    int rc = 0;

    path->len = 0;
    if (*text == '\0')
        return -ENOENT;
    for (; rc == 0 && *text != '\0'; text += len) {
        text += strspn(text, "/");
        len = strcspn(text, "/");
        if (len == 2 && text[0] == '.' && text[1] == '.')
            drop_last(path);
        else if (len > 0 && !(len == 1 && text[0] == '.'))
            rc = append(path, text, len);
    }
    path->text[path->len] = '\0';
    return rc;
}

uint16_t cli_name_owner(const struct capstan_session *session,
                        const struct cli_name *name)
{
    return placement_owner(name->parent, name->text, name->len,
                           session->cluster->target_ids,
                           session->cluster->ntargets);
}

void cli_lookup_init(const struct capstan_session *session,
                     const struct cli_name *name, struct cli_call *call)
{
    memset(call, 0, sizeof(*call));
    call->target = cli_name_owner(session, name);
    call->opcode = PROTO_OP_lookup;
    call->req.lookup.parent = name->parent;
    call->req.lookup.text.data = (const uint8_t *)name->text;
    call->req.lookup.text.len = (uint32_t)name->len;
}

/* Where the directory part of path[0 .. len) ends: 0 for one in the root. */
static size_t parent_len(const char *path, size_t len)
{
    while (len > 0 && path[len - 1] != '/')
        len--;
    return len > 0 ? len - 1 : 0;
}

/* Step into the directory whose path is path[0 .. end), a child of *ino. */
static int enter(struct capstan_session *session, const struct cli_path *path,
                 size_t start, size_t end, uint64_t deadline_ns, uint64_t *ino)
{
    struct cli_name name = {*ino, path->text + start + 1, end - start - 1,
                            false};
    struct cli_call call;
    int rc;

    cli_lookup_init(session, &name, &call);
    rc = cli_call(session, &call, deadline_ns);
    if (rc != 0)
        return cli_call_fail(session, &call, path->text);
    if (call.rep.lookup.inode.type != INODE_DIR)
        return cli_fail(session, -ENOTDIR, "%.*s", (int)end, path->text);
    *ino = call.rep.lookup.inode.ino;
    remember(session->dirs, path->text, end, *ino,
             clock_now(session->clock) + CLI_DIRS_TTL_NS);
    return 0;
}

static int walk(struct capstan_session *session, const struct cli_path *path,
                uint64_t deadline_ns, struct cli_name *name_out)
{
    size_t parent = parent_len(path->text, path->len);
    uint64_t now = clock_now(session->clock);
    uint64_t ino = INO_ROOT;
    size_t at = parent;
    size_t end;
    int rc;

    while (at > 0 && !recall(session->dirs, path->text, at, now, &ino))
        at = parent_len(path->text, at);
    name_out->is_cached = at > 0;
    for (; at < parent; at = end) {
        end = at + 1 + strcspn(path->text + at + 1, "/");
        rc = enter(session, path, at, end, deadline_ns, &ino);
        if (rc != 0)
            return rc;
    }
    name_out->parent = ino;
    name_out->text = path->text + (path->len > 0 ? parent + 1 : 0);
    name_out->len = path->len > 0 ? path->len - parent - 1 : 0;
    return 0;
}

static bool may_be_stale(int rc)
{
    return rc == -ENOENT || rc == -ENOTDIR || rc == -ESTALE;
}

static void pause_a_little(struct capstan_session *session)
{
    uint64_t until = clock_now(session->clock) + CLI_PAUSE_NS;

    while (clock_now(session->clock) < until)
        cli_turn(session, until);
}

static int act_once(struct capstan_session *session,
                    const struct cli_path *path, cli_name_fn *act, void *ctx,
                    uint64_t deadline_ns, bool *is_cached_out)
{
    struct cli_name name = {.is_cached = false};
    int rc = walk(session, path, deadline_ns, &name);

    if (rc == 0)
        rc = act(session, &name, deadline_ns, ctx);
    *is_cached_out = name.is_cached;
    return rc;
}

/* What failed inside names the path; put before it what was to be done. */
static void say_verb(struct capstan_session *session, const char *verb)
{
    char text[CAPSTAN_ERROR_TEXT_MAX];

    snprintf(text, sizeof(text), "%s %.400s", verb, session->error);
    memcpy(session->error, text, sizeof(text));
}

int cli_path_act(struct capstan_session *session, const char *verb,
                 const char *text, cli_name_fn *act, void *ctx)
{
    uint64_t deadline = cli_deadline(session);
    struct cli_path path;
    bool is_cached, is_second = false;
    int rc = cli_path_set(&path, text);

    if (rc != 0)
        return cli_fail(session, rc, "%s %.64s", verb, text);
    for (;;) {
        rc = act_once(session, &path, act, ctx, deadline, &is_cached);
        if (may_be_stale(rc) && is_cached && !is_second)
            is_second = true;
        else if (rc == -ERR_FROZEN && clock_now(session->clock) < deadline)
            pause_a_little(session);
        else
            break;
        cli_dirs_drop(session->dirs);
    }
    if (rc == -ESTALE)
        cli_dirs_drop(session->dirs);
    if (rc != 0)
        say_verb(session, verb);
    return rc;
}
