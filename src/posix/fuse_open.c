/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Open files, by inode number. One lock guards the table, the lists and the
 * counts of users; no call of the library is made under it.
 *
 * When the last user leaves, the calling thread closes the file of its own
 * session and leaves the others to their threads. None of these closes brings
 * anything to the device: that was done when the program closed (fuse_file.c).
 */
#include "posix/fuse_open.h"

#include "base/mem.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>

#define HASH_NONFATAL_OOM 1
#include <uthash.h>
#include <utlist.h>

#define NAME_MAX_LEN 255
#define SEEN_SLOTS 256u

/* The name under which an inode was last seen. */
struct seen {
    uint64_t ino;
    uint64_t dir; /* 0: not known */
    char name[NAME_MAX_LEN + 1];
};

struct open_node {
    uint64_t ino; /* key */
    struct seen seen;
    struct open_file *files;
    UT_hash_handle hh;
};

struct opens {
    pthread_mutex_t lock;
    struct open_node *nodes;
    bool are_names_kept; /* by the kernel, which then does not ask for them */
    /* What was looked up is often opened next: by its number modulo this. */
    struct seen seen[SEEN_SLOTS];
};

int opens_create(bool are_names_kept, struct opens **opens_out)
{
    struct opens *opens = mem_calloc(1, sizeof(*opens));

    if (opens == NULL)
        return -ENOMEM;
    pthread_mutex_init(&opens->lock, NULL);
    opens->are_names_kept = are_names_kept;
    *opens_out = opens;
    return 0;
}

static void file_free(struct open_file *file)
{
    capstan_opened_free(&file->opened);
    free(file);
}

static void drop_node(struct opens *opens, struct open_node *node)
{
    HASH_DEL(opens->nodes, node);
    free(node);
}

void opens_destroy(struct opens **opens_p)
{
    struct opens *opens = *opens_p;
    struct open_node *node, *next;
    struct open_file *file, *next_file;

    if (opens == NULL)
        return;
    *opens_p = NULL;
    /* sessions are gone by now, and the files of theirs with them */
    HASH_ITER(hh, opens->nodes, node, next)
    {
        DL_FOREACH_SAFE(node->files, file, next_file)
        file_free(file);
        drop_node(opens, node);
    }
    pthread_mutex_destroy(&opens->lock);
    free(opens);
}

static struct seen *seen_slot(struct opens *opens, uint64_t ino)
{
    return &opens->seen[(ino ^ (ino >> 48)) % SEEN_SLOTS];
}

static struct open_node *find(struct opens *opens, uint64_t ino)
{
    struct open_node *node;

    HASH_FIND(hh, opens->nodes, &ino, sizeof(ino), node);
    return node;
}

static struct open_node *need_node(struct opens *opens, uint64_t ino)
{
    struct open_node *node = find(opens, ino);

    if (node != NULL)
        return node;
    node = mem_calloc(1, sizeof(*node));
    if (node == NULL)
        return NULL;
    node->ino = ino;
    if (seen_slot(opens, ino)->ino == ino)
        node->seen = *seen_slot(opens, ino);
    HASH_ADD(hh, opens->nodes, ino, sizeof(node->ino), node);
    if (node->hh.tbl != NULL)
        return node;
    free(node);
    return NULL;
}

int opens_add(struct opens *opens, struct capstan_file *file, uint64_t ino,
              unsigned flags, struct open_file **file_out)
{
    struct open_file *opened = mem_calloc(1, sizeof(*opened));
    struct open_node *node = NULL;

    if (opened != NULL && capstan_file_opened(file, &opened->opened) == 0) {
        opened->ino = ino;
        opened->flags = flags;
        opened->users = 1;
        opened->files[crew_self()->index] = file;
        pthread_mutex_lock(&opens->lock);
        node = need_node(opens, ino);
        if (node != NULL)
            DL_APPEND(node->files, opened);
        pthread_mutex_unlock(&opens->lock);
    }
    if (node == NULL) {
        if (opened != NULL)
            file_free(opened);
        capstan_file_close(&file);
        return -ENOMEM;
    }
    *file_out = opened;
    return 0;
}

static void close_all(struct open_file *file)
{
    struct crew_member *self = crew_self();

    for (unsigned i = 0; i < CREW_MAX; i++)
        if (i == self->index)
            capstan_file_close(&file->files[i]);
        else if (file->files[i] != NULL)
            crew_close_later(self->crew, i, file->files[i]);
}

void opens_end(struct opens *opens, struct open_file *file)
{
    bool is_last;

    pthread_mutex_lock(&opens->lock);
    is_last = --file->users == 0;
    if (is_last) {
        struct open_node *node = find(opens, file->ino);

        DL_DELETE(node->files, file);
        if (node->files == NULL)
            drop_node(opens, node);
    }
    pthread_mutex_unlock(&opens->lock);
    if (!is_last)
        return;
    close_all(file);
    file_free(file);
}

int opens_file(struct open_file *file, struct capstan_file **file_out)
{
    struct capstan_file **slot = &file->files[crew_self()->index];
    int rc = 0;

    if (*slot == NULL)
        rc = capstan_opened_open(crew_self()->session, file->opened,
                                 file->flags | CAPSTAN_OPEN_NOSYNC, slot);
    *file_out = *slot;
    return rc;
}

static void see(struct seen *seen, uint64_t ino, uint64_t dir, const char *name)
{
    seen->ino = ino;
    seen->dir = dir;
    memcpy(seen->name, name, strlen(name) + 1);
}

void opens_named(struct opens *opens, uint64_t ino, uint64_t dir,
                 const char *name)
{
    struct open_node *node;

    if (strlen(name) > NAME_MAX_LEN)
        return;
    pthread_mutex_lock(&opens->lock);
    node = find(opens, ino);
    see(node != NULL ? &node->seen : seen_slot(opens, ino), ino, dir, name);
    pthread_mutex_unlock(&opens->lock);
}

/* Might the name be that of an open file? Several may have been seen under it,
 * of which all but one have lost it since. */
static bool is_named(struct opens *opens, uint64_t dir, const char *name)
{
    struct open_node *node, *next;
    bool is_one = false;

    pthread_mutex_lock(&opens->lock);
    HASH_ITER(hh, opens->nodes, node, next)
    {
        is_one = opens->are_names_kept || node->seen.dir == 0 ||
                 (node->seen.dir == dir && strcmp(node->seen.name, name) == 0);
        if (is_one)
            break;
    }
    pthread_mutex_unlock(&opens->lock);
    return is_one;
}

/* An opening of an inode, with us among its users; NULL: it is not open. */
static struct open_file *get(struct opens *opens, uint64_t ino)
{
    struct open_file *file = NULL;
    struct open_node *node;

    pthread_mutex_lock(&opens->lock);
    node = find(opens, ino);
    if (node != NULL) {
        file = node->files;
        file->users++;
    }
    pthread_mutex_unlock(&opens->lock);
    return file;
}

/* The next one of the same inode, with us among its users. */
static struct open_file *get_next(struct opens *opens, struct open_file *file)
{
    struct open_file *next;

    pthread_mutex_lock(&opens->lock);
    next = file->next;
    if (next != NULL)
        next->users++;
    pthread_mutex_unlock(&opens->lock);
    return next;
}

/* All that are open, for any of them may be the last to be closed; the session
 * holds the inode as long as it has one of them. Which inode the name stands
 * for is asked, and the session then believes that too. */
void opens_hold(struct opens *opens, struct capstan_session *session,
                uint64_t dir, const char *name)
{
    struct open_file *file, *next;
    struct capstan_file *ours;
    struct capstan_stat stat;

    if (!is_named(opens, dir, name) ||
        capstan_lookup_at(session, dir, name, CAPSTAN_LOOKUP_QUICK, &stat) != 0)
        return;
    for (file = get(opens, stat.ino); file != NULL; file = next) {
        /* one that cannot be held is as if it had been opened too late */
        (void)opens_file(file, &ours);
        next = get_next(opens, file);
        opens_end(opens, file);
    }
}
