/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What processes of one machine know of each other: a file in /dev/shm for each
 * endpoint, "capstan-<uid>-<name>", which its owner holds locked for life.
 *
 * The happy path: an endpoint creates its file, locks it and fills in who it
 * is. A peer of the same user finds the file by the endpoint's name, sees from
 * the lock that the owner lives, maps it, and from then on moves bytes straight
 * between the two memories (net_ofi_cma.c). flock(2) ends with the process,
 * however it ends: the one report of a death that cannot fail.
 *
 * Provider "shm" needs the file for more. It cannot tell a dead owner from a
 * living one, mixes up endpoints that follow each other under one name, and
 * never reports the death of a peer. So every incarnation gets a provider name
 * of its own, and the file says which one is current: `epoch` counts them, and
 * is odd while the name changes.
 *
 * Possible failure modes are: the owner of a name lives (-EADDRINUSE), the
 * owner is dead (the file, and the provider's, are removed and made anew), two
 * that start at one instant (the loser finds its file replaced: -EADDRINUSE),
 * a file that is not a table or belongs to a process out of reach (ignored:
 * the provider moves the bytes).
 */
#include "net/net_ofi_priv.h"

#include "base/log.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define MAGIC 0x32304b4e50414343ull
#define DIRECTORY "/dev/shm/"
#define PATH_MAX_BYTES (2 * NET_NAME_MAX + 64)
#define SCHEME                                                                 \
    "fi_ns://capstan-" /* of provider names; no more is added to them */
#define TRIES 3

/* --- Names --- */

static bool is_plain(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (!((text[i] >= 'a' && text[i] <= 'z') ||
              (text[i] >= 'A' && text[i] <= 'Z') ||
              (text[i] >= '0' && text[i] <= '9') || text[i] == '-' ||
              text[i] == '_' || text[i] == '.'))
            return false;
    return len > 0;
}

bool ofi_shm_is_name(const void *name, size_t len)
{
    const char *text = name;

    return len > 5 && len < NET_NAME_MAX / 2 && memcmp(text, "shm-", 4) == 0 &&
           text[len - 1] == '\0' && is_plain(text, len - 1);
}

static uint64_t draw_lot(void)
{
    uint64_t lot = 0;

    if (getrandom(&lot, sizeof(lot), 0) != (ssize_t)sizeof(lot))
        lot = clock_wall(clock_real());
    return lot;
}

int ofi_shm_name(const char *service, char name[NET_NAME_MAX])
{
    int len;

    if (service != NULL && strcmp(service, NET_ANY_PORT) != 0)
        len = snprintf(name, NET_NAME_MAX, "shm-%s", service);
    else
        len = snprintf(name, NET_NAME_MAX, "shm-any.%d.%016llx", (int)getpid(),
                       (unsigned long long)draw_lot());
    if (len < 0 || !ofi_shm_is_name(name, (size_t)len + 1))
        return -EINVAL;
    return 0;
}

void ofi_shm_provider_name(const struct ofi_net *net, char name[NET_NAME_MAX])
{
    snprintf(name, NET_NAME_MAX, SCHEME "%u-%.63s+%08x", (unsigned)getuid(),
             net->name, (unsigned)draw_lot());
}

/* A name of ours as it is, any other in hexadecimal. */
static void path_of(const char *name, size_t len, char path[PATH_MAX_BYTES])
{
    int at = snprintf(path, PATH_MAX_BYTES, DIRECTORY "capstan-%u-",
                      (unsigned)getuid());

    if (ofi_shm_is_name(name, len)) {
        snprintf(path + at, (size_t)(PATH_MAX_BYTES - at), "%s", name);
        return;
    }
    for (size_t i = 0; i < len; i++)
        at += snprintf(path + at, (size_t)(PATH_MAX_BYTES - at), "%02x",
                       (unsigned char)name[i]);
}

/* --- The owner's side --- */

/* The provider's file of an owner that died goes with its own. */
static void remove_dead(int fd, const char *path)
{
    const size_t at = offsetof(struct ofi_table, provider_name);
    char provider_path[PATH_MAX_BYTES], name[NET_NAME_MAX];

    log_info("%s: left by a process that is gone; removed", path);
    unlink(path);
    if (pread(fd, name, sizeof(name), (off_t)at) != (ssize_t)sizeof(name))
        return;
    name[sizeof(name) - 1] = '\0';
    if (strncmp(name, SCHEME, strlen(SCHEME)) != 0 ||
        strchr(name + strlen(SCHEME), '/') != NULL)
        return;
    snprintf(provider_path, sizeof(provider_path), DIRECTORY "capstan-%s",
             name + strlen(SCHEME));
    unlink(provider_path);
}

static bool is_same_file(int fd, const char *path)
{
    struct stat opened, there;

    return fstat(fd, &opened) == 0 && stat(path, &there) == 0 &&
           opened.st_ino == there.st_ino;
}

/*
 * Remove what other owners left when they were killed. A table without its
 * magic is skipped: its owner may be about to lock it.
 */
static void sweep(void)
{
    DIR *directory = opendir(DIRECTORY);
    char stem[64], path[PATH_MAX_BYTES];
    struct dirent *entry;
    uint64_t magic;
    int fd;

    if (directory == NULL)
        return;
    snprintf(stem, sizeof(stem), "capstan-%u-", (unsigned)getuid());
    while ((entry = readdir(directory)) != NULL) {
        if (strncmp(entry->d_name, stem, strlen(stem)) != 0 ||
            strlen(entry->d_name) >= 2 * NET_NAME_MAX)
            continue;
        snprintf(path, sizeof(path), DIRECTORY "%.*s", 2 * NET_NAME_MAX,
                 entry->d_name);
        fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
        if (fd < 0)
            continue;
        if (pread(fd, &magic, sizeof(magic), 0) == (ssize_t)sizeof(magic) &&
            magic == MAGIC && flock(fd, LOCK_EX | LOCK_NB) == 0)
            remove_dead(fd, path);
        close(fd);
    }
    closedir(directory);
}

/* Create and lock, clearing away what a dead owner left. */
static int claim(const char *path, int *fd_out)
{
    int fd;

    for (unsigned i = 0; i < TRIES; i++) {
        fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        if (fd >= 0) {
            if (flock(fd, LOCK_EX | LOCK_NB) == 0 && is_same_file(fd, path)) {
                *fd_out = fd;
                return 0;
            }
            close(fd);
            return -EADDRINUSE;
        }
        if (errno != EEXIST)
            return -errno;
        fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
        if (fd < 0)
            continue;
        if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
            close(fd);
            return -EADDRINUSE;
        }
        remove_dead(fd, path);
        close(fd);
    }
    return -EADDRINUSE;
}

/* An address means the same to both ends only in one network. */
static uint64_t network_number(void)
{
    struct stat stat_buf;

    return stat("/proc/self/ns/net", &stat_buf) == 0 ? stat_buf.st_ino : 0;
}

/* A file beyond the process's limit would end it by a signal. */
static bool may_be_so_large(size_t size)
{
    struct rlimit limit;

    return getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur >= size;
}

int ofi_local_create(struct ofi_net *net)
{
    struct ofi_table *table = MAP_FAILED;
    char path[PATH_MAX_BYTES];
    int fd = -1, rc;

    if (!may_be_so_large(sizeof(*table)))
        return -EFBIG;
    sweep();
    path_of(net->name, net->name_len, path);
    rc = claim(path, &fd);
    if (rc != 0)
        return rc;
    /* The pages of the rings are made when they are taken into use. */
    if (ftruncate(fd, sizeof(*table)) == 0 &&
        posix_fallocate(fd, 0, offsetof(struct ofi_table, rings)) == 0)
        table = mmap(NULL, sizeof(*table), PROT_READ | PROT_WRITE, MAP_SHARED,
                     fd, 0);
    if (table == MAP_FAILED) {
        rc = -errno;
        unlink(path);
        close(fd);
        return rc;
    }
    table->cookie = draw_lot();
    table->self = (uint64_t)(uintptr_t)table;
    table->pid = getpid();
    table->network = network_number();
    table->bell_fd = -1;
    table->magic = MAGIC;
    net->table = table;
    net->lock_fd = fd;
    return 0;
}

void ofi_local_announce(struct ofi_net *net, const char *provider_name)
{
    atomic_fetch_add(&net->table->epoch, 1);
    snprintf(net->table->provider_name, NET_NAME_MAX, "%s", provider_name);
    atomic_fetch_add(&net->table->epoch, 1);
}

void ofi_local_destroy(struct ofi_net *net)
{
    char path[PATH_MAX_BYTES];

    if (net->table == NULL)
        return;
    path_of(net->name, net->name_len, path);
    unlink(path);
    atomic_store(&net->table->bell_fd, -1);
    atomic_store(&net->table->is_asleep, 0); /* nobody rings any more */
    munmap(net->table, sizeof(*net->table));
    close(net->lock_fd);
    net->table = NULL;
    net->lock_fd = -1;
}

/* --- The peer's side --- */

static bool is_dead(int fd)
{
    if (flock(fd, LOCK_SH | LOCK_NB) != 0)
        return false;
    flock(fd, LOCK_UN);
    return true;
}

/* May we touch its memory, and is it the process that wrote the table? */
static bool can_reach(const struct ofi_table *table)
{
    uint64_t cookie = 0;
    struct iovec here = {&cookie, sizeof(cookie)};
    struct iovec there = {
        (void *)(uintptr_t)(table->self + offsetof(struct ofi_table, cookie)),
        sizeof(cookie)};

    return process_vm_readv((pid_t)table->pid, &here, 1, &there, 1, 0) ==
               (ssize_t)sizeof(cookie) &&
           cookie == table->cookie;
}

static struct ofi_table *map_table(int fd)
{
    struct ofi_table *table;
    struct stat stat;

    if (fstat(fd, &stat) != 0 || stat.st_size != (off_t)sizeof(*table))
        return NULL;
    table =
        mmap(NULL, sizeof(*table), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (table == MAP_FAILED)
        return NULL;
    if (table->magic == MAGIC)
        return table;
    munmap(table, sizeof(*table));
    return NULL;
}

bool ofi_local_attach(struct ofi_net *net, struct ofi_peer *peer)
{
    char path[PATH_MAX_BYTES];
    int fd;

    path_of(peer->name, peer->name_len, path);
    fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return false;
    peer->table = is_dead(fd) ? NULL : map_table(fd);
    if (peer->table == NULL) {
        close(fd);
        return false;
    }
    peer->lock_fd = fd;
    peer->epoch = atomic_load(&peer->table->epoch);
    peer->can_copy = can_reach(peer->table);
    ofi_lane_take(net, peer);
    return true;
}

bool ofi_local_provider_name(const struct ofi_peer *peer,
                             char name[NET_NAME_MAX])
{
    memcpy(name, peer->table->provider_name, NET_NAME_MAX);
    name[NET_NAME_MAX - 1] = '\0';
    return peer->epoch != 0 && peer->epoch % 2 == 0 &&
           atomic_load(&peer->table->epoch) == peer->epoch &&
           strncmp(name, SCHEME, strlen(SCHEME)) == 0;
}

bool ofi_local_is_stale(const struct ofi_peer *peer)
{
    return atomic_load(&peer->table->epoch) != peer->epoch ||
           is_dead(peer->lock_fd);
}

void ofi_local_detach(struct ofi_peer *peer)
{
    if (peer->table == NULL)
        return;
    ofi_lane_drop(peer);
    munmap(peer->table, sizeof(*peer->table));
    close(peer->lock_fd);
    peer->table = NULL;
    peer->lock_fd = -1;
}
