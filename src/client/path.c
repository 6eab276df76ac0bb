/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Path resolution.
 *
 * The happy path: component by component, each directory found in the cache or
 * by one LOOKUP; the text of a symbolic link takes the place of its name; the
 * last name is left to the act, which says CLI_LINK if it is a link to follow.
 *
 * Possible failure modes are: a directory of the cache was removed or made anew
 * meanwhile (the answer is "no such entry" through a cached parent: the cache
 * is dropped and the path walked again, once); a name that is being changed by
 * somebody else (ask again a little later); links that go in circles (-ELOOP
 * after CAPSTAN_LINKS_MAX); a link that leads out of the cluster (-EXDEV).
 */
#include "client/path.h"

#include "base/mem.h"
#include "base/placement.h"
#include "client/lookup.h"

#include <stdio.h>
#include <string.h>

struct walk {
    struct capstan_session *session;
    uint64_t deadline_ns;
    const char *what;  /* the path as the caller gave it */
    const char *at;    /* what is left, in text */
    uint64_t dir;      /* where it begins */
    unsigned links;    /* followed so far */
    bool is_cached;
    char text[PATH_LEN_MAX + 1];
};

uint16_t cli_name_owner(const struct capstan_session *session,
                        const struct cli_name *name)
{
    return placement_owner(name->parent, name->text, name->len,
                           session->cluster->target_ids,
                           session->cluster->ntargets);
}

static int fail(const struct walk *walk, int rc)
{
    return cli_fail(walk->session, rc, "%.256s", walk->what);
}

/*
 * Steps.
 */

/* An absolute link goes on from the root: below the prefix, if there is one. */
static const char *skip_prefix(const struct capstan_session *session,
                               const char *link)
{
    size_t len = session->prefix_len;

    if (len == 0)
        return link;
    if (strncmp(link, session->prefix, len) != 0 ||
        (link[len] != '/' && link[len] != '\0'))
        return NULL;
    return link + len;
}

/* The link's text and what was left behind it become what is left. */
static int follow(struct walk *walk, const char *text, size_t len)
{
    char link[SYMLINK_MAX + 1];
    char rest[PATH_LEN_MAX + 1];
    const char *from = link;

    if (++walk->links > CAPSTAN_LINKS_MAX)
        return fail(walk, -ELOOP);
    memcpy(link, text, len);
    link[len] = '\0';
    if (link[0] == '/') {
        from = skip_prefix(walk->session, link);
        if (from == NULL)
            return fail(walk, -EXDEV);
        walk->dir = INO_ROOT;
    }
    snprintf(rest, sizeof(rest), "%s", walk->at);
    if (snprintf(walk->text, sizeof(walk->text), "%s%s%s", from,
                 rest[0] != '\0' ? "/" : "", rest) >= (int)sizeof(walk->text))
        return fail(walk, -ENAMETOOLONG);
    walk->at = walk->text;
    return 0;
}

static int go_up(struct walk *walk)
{
    struct inode inode;
    int rc;

    if (walk->dir == INO_ROOT)
        return 0;
    rc = cli_dir_attrs(walk->session, walk->dir, walk->deadline_ns, walk->what,
                       &inode);
    if (rc == 0)
        walk->dir = inode.parent;
    return rc;
}

/* Step into a name that is not the last. */
static int go_down(struct walk *walk, const char *text, size_t len)
{
    struct capstan_session *session = walk->session;
    struct cli_name name = {.parent = walk->dir, .text = text, .len = len};
    struct cli_found found = {.want = 0};
    struct cli_dir dir;
    int rc = cli_may_search(session, walk->dir, walk->deadline_ns, walk->what);

    if (rc != 0)
        return rc;
    if (cli_dirs_find(session->dirs, walk->dir, text, len,
                      clock_now(session->clock), &dir)) {
        walk->is_cached = true;
        if (dir.type == INODE_SYMLINK)
            return follow(walk, dir.link, dir.link_len);
        walk->dir = dir.ino;
        return 0;
    }
    rc = cli_lookup(session, &name, walk->deadline_ns, walk->what, &found);
    if (rc != 0)
        return rc;
    if (found.inode.type == INODE_SYMLINK)
        return follow(walk, session->link, session->link_len);
    if (found.inode.type != INODE_DIR)
        return fail(walk, -ENOTDIR);
    walk->dir = found.inode.ino;
    return 0;
}

/* The last name, when all before it is behind us. */
static int set_last(const struct walk *walk, const char *text, size_t len,
                    struct cli_name *name)
{
    name->parent = walk->dir;
    name->text = text;
    name->len = len;
    name->is_slashed = text[len] == '/';
    name->is_cached = walk->is_cached;
    return len > 0 ? cli_may_search(walk->session, walk->dir,
                                    walk->deadline_ns, walk->what)
                   : 0;
}

static bool is_dots(const char *text, size_t len)
{
    return text[0] == '.' && (len == 1 || (len == 2 && text[1] == '.'));
}

/* Walk to the last name. A path that ends in dots ends in a directory. */
static int go(struct walk *walk, struct cli_name *name)
{
    char dots = 0;
    int rc = 0;

    while (rc == 0) {
        const char *text = walk->at + strspn(walk->at, "/");
        size_t len = strcspn(text, "/");
        const char *rest = text + len + strspn(text + len, "/");

        if (len > NAME_LEN_MAX)
            return fail(walk, -ENAMETOOLONG);
        if (len == 0) {
            name->dots = dots;
            return set_last(walk, text, 0, name);
        }
        if (*rest == '\0' && !is_dots(text, len))
            return set_last(walk, text, len, name);
        walk->at = rest;
        if (!is_dots(text, len))
            rc = go_down(walk, text, len);
        else if (len == 2)
            rc = go_up(walk);
        dots = is_dots(text, len) ? (char)len : 0;
    }
    return rc;
}

static int start(struct walk *walk, const char *text)
{
    size_t len = strlen(text);

    walk->dir = INO_ROOT;
    walk->links = 0;
    walk->is_cached = false;
    walk->at = walk->text;
    if (len > PATH_LEN_MAX)
        return fail(walk, -ENAMETOOLONG);
    memcpy(walk->text, text, len + 1);
    return len == 0 ? fail(walk, -ENOENT) : 0;
}

/*
 * Acts.
 */

/* Walk and act, and follow a last link as long as the act wants. */
static int act_once(struct walk *walk, const char *text, cli_name_fn *act,
                    void *ctx)
{
    struct capstan_session *session = walk->session;
    struct cli_name name = {.len = 0};
    int rc = start(walk, text);

    while (rc == 0) {
        rc = go(walk, &name);
        if (rc != 0)
            break;
        rc = act(session, &name, walk->deadline_ns, ctx);
        if (rc != CLI_LINK)
            break;
        walk->at = name.is_slashed ? "/" : "";
        rc = follow(walk, session->link, session->link_len);
    }
    return rc;
}

static bool may_be_stale(int rc)
{
    return rc == -ENOENT || rc == -ENOTDIR || rc == -ESTALE || rc == -EACCES;
}

void cli_pause(struct capstan_session *session)
{
    uint64_t until = clock_now(session->clock) + CLI_PAUSE_NS;

    while (clock_now(session->clock) < until)
        cli_turn(session, until);
}

void cli_say_verb(struct capstan_session *session, const char *verb)
{
    char text[CAPSTAN_ERROR_TEXT_MAX];

    snprintf(text, sizeof(text), "%s %.400s", verb, session->error);
    memcpy(session->error, text, sizeof(text));
}

int cli_path_act(struct capstan_session *session, const char *verb,
                 const char *text, cli_name_fn *act, void *ctx)
{
    struct walk walk = {.session = session,
                        .deadline_ns = cli_deadline(session),
                        .what = text};
    bool is_second = false;
    int rc;

    for (;;) {
        rc = act_once(&walk, text, act, ctx);
        if (may_be_stale(rc) && walk.is_cached && !is_second)
            is_second = true;
        else if (rc == -ERR_FROZEN &&
                 clock_now(session->clock) < walk.deadline_ns)
            cli_pause(session);
        else
            break;
        cli_dirs_drop(session->dirs);
    }
    if (rc == -ESTALE)
        cli_dirs_drop(session->dirs);
    if (rc != 0)
        cli_say_verb(session, verb);
    return rc;
}

int cli_path_parent(struct capstan_session *session, const char *text,
                    uint64_t deadline_ns, char room[NAME_LEN_MAX + 1],
                    struct cli_name *name_out)
{
    struct walk walk = {
        .session = session, .deadline_ns = deadline_ns, .what = text};
    int rc = start(&walk, text);

    if (rc == 0)
        rc = go(&walk, name_out);
    if (rc != 0)
        return rc;
    memcpy(room, name_out->text, name_out->len);
    room[name_out->len] = '\0';
    name_out->text = room;
    return 0;
}

/* A directory that was removed keeps its number: is that why? */
static bool is_gone(struct capstan_session *session, uint64_t dir,
                    uint64_t deadline_ns)
{
    struct cli_found found = {.want = 0};

    return cli_getattr(session, dir, deadline_ns, "directory", &found) ==
           -ESTALE;
}

int cli_name_act(struct capstan_session *session, const char *verb,
                 uint64_t dir, const char *text, cli_name_fn *act, void *ctx)
{
    struct cli_name name = {.parent = dir, .text = text, .len = strlen(text)};
    uint64_t deadline = cli_deadline(session);
    int rc;

    if (name.len > NAME_LEN_MAX)
        return cli_fail(session, -ENAMETOOLONG, "%s %.64s", verb, text);
    if (name.len == 0 || is_dots(text, name.len) ||
        strchr(text, '/') != NULL)
        return cli_fail(session, -EINVAL, "%s \"%s\"", verb, text);
    rc = cli_may_search(session, dir, deadline, text);
    if (rc != 0)
        return rc;
    while ((rc = act(session, &name, deadline, ctx)) == -ERR_FROZEN) {
        if (is_gone(session, dir, deadline))
            return cli_fail(session, -ENOENT, "%s %s: directory", verb, text);
        if (clock_now(session->clock) >= deadline)
            break;
        cli_pause(session);
    }
    if (rc < 0)
        cli_say_verb(session, verb);
    return rc;
}
