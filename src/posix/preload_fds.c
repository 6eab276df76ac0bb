/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Descriptors that are ours: a table from number to open file.
 *
 * The memory file behind a descriptor is named
 * "capstan.<inode>.<flags>.<what>", all in hexadecimal, by which a program
 * finds after exec what it was given.
 *
 * A look into the table is one load, since every read(2) of the program makes
 * one; everything else happens under the table's lock.
 *
 * Possible failure modes are: more descriptors than the table holds (EMFILE); a
 * descriptor closed by a system call of the program's own, which we do not see:
 * its number then stays ours until it is used again by open, dup or close.
 */
#include "posix/preload.h"

#include "base/mem.h"
#include "posix/preload_real.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define NAME_FORMAT "capstan.%llx.%x.%x"
#define SEALS (F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL)

static struct {
    pthread_mutex_t lock;
    pid_t pid;
    int top; /* highest number that was ever ours */
    _Atomic(struct px_open *) fds[PX_FDS_MAX];
} table = {.lock = PTHREAD_MUTEX_INITIALIZER};

static bool is_number(int fd)
{
    return fd >= 0 && fd < PX_FDS_MAX;
}

bool px_has(int fd)
{
    return is_number(fd) &&
           atomic_load_explicit(&table.fds[fd], memory_order_relaxed) != NULL &&
           !px_is_inside();
}

struct px_open *px_get(int fd)
{
    struct px_open *open;

    if (!px_has(fd))
        return NULL;
    pthread_mutex_lock(&table.lock);
    open = atomic_load(&table.fds[fd]);
    if (open != NULL)
        open->users++;
    pthread_mutex_unlock(&table.lock);
    return open;
}

/* The last user is gone: so is the file. */
static int end(struct px_open *open)
{
    struct capstan_session *session;
    int rc = 0;

    if (open->file != NULL && px_enter(&session) == 0) {
        rc = capstan_file_close(&open->file);
        px_leave();
    }
    free(open);
    return rc;
}

static int drop(struct px_open *open)
{
    bool is_last;

    pthread_mutex_lock(&table.lock);
    is_last = --open->users == 0;
    pthread_mutex_unlock(&table.lock);
    return is_last ? end(open) : 0;
}

void px_put(struct px_open *open)
{
    drop(open);
}

bool px_is_borrowed(void)
{
    return table.pid != getpid();
}

/* Put a file, whose user the number becomes, into the table. */
static int set(int fd, struct px_open *open)
{
    struct px_open *before;

    pthread_mutex_lock(&table.lock);
    before = atomic_exchange(&table.fds[fd], open);
    if (open != NULL && fd > table.top)
        table.top = fd;
    pthread_mutex_unlock(&table.lock);
    return before != NULL ? drop(before) : 0;
}

static int make_fd(const struct px_open *open, int flags)
{
    char name[64];
    int fd;

    snprintf(name, sizeof(name), NAME_FORMAT, (unsigned long long)open->ino,
             (unsigned)open->flags, (unsigned)open->is_directory);
    fd = memfd_create(name, MFD_ALLOW_SEALING |
                                (flags & O_CLOEXEC ? MFD_CLOEXEC : 0));
    if (fd < 0)
        return -errno;
    if (is_number(fd) && px_real()->fcntl(fd, F_ADD_SEALS, SEALS) == 0)
        return fd;
    px_real()->close(fd);
    return -EMFILE;
}

int px_fd_new(struct px_open *open, int flags)
{
    int fd = make_fd(open, flags);

    if (fd < 0)
        end(open);
    else
        set(fd, open);
    return fd;
}

void px_fd_copied(int fd, int new_fd)
{
    struct px_open *open = px_get(fd);

    if (open == NULL && !px_has(new_fd))
        return;
    if (open != NULL && !is_number(new_fd)) {
        px_put(open);
        return;
    }
    set(new_fd, open);
    if (open != NULL)
        px_stdio_follow(new_fd);
}

void px_fd_closed(int fd)
{
    if (px_has(fd))
        set(fd, NULL);
}

void px_fds_closed(unsigned first, unsigned last)
{
    for (unsigned fd = first; fd <= last && (int)fd <= table.top; fd++)
        px_fd_closed((int)fd);
}

/* A close that tells whether all was made durable. */
long px_close(int fd, struct px_open *open)
{
    struct capstan_session *session;
    bool is_last;
    int rc = 0;

    pthread_mutex_lock(&table.lock);
    is_last = open->users == 2; /* the number, and this call */
    pthread_mutex_unlock(&table.lock);
    if (is_last && open->file != NULL) {
        rc = px_enter(&session);
        if (rc == 0) {
            rc = capstan_file_close(&open->file);
            px_leave();
        }
    }
    set(fd, NULL);
    px_real()->close(fd);
    return rc;
}

void px_forget_files(void)
{
    pthread_mutex_init(&table.lock, NULL);
    table.pid = getpid();
    for (int fd = 0; fd <= table.top; fd++) {
        struct px_open *open = atomic_load(&table.fds[fd]);

        if (open != NULL)
            open->file = NULL;
    }
}

void px_close_files(void)
{
    if (px_is_borrowed())
        return;
    for (int fd = 0; fd <= table.top; fd++) {
        struct px_open *open = px_get(fd);
        struct capstan_session *session;

        if (open == NULL)
            continue;
        if (open->file != NULL && px_enter(&session) == 0) {
            capstan_file_close(&open->file);
            px_leave();
        }
        px_put(open);
    }
}

/* What a descriptor is that we were executed with. */
static void adopt(int fd)
{
    char link[64], name[128];
    unsigned long long ino;
    unsigned flags, is_directory;
    struct px_open *open;
    ssize_t len;

    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    len = px_real()->readlink(link, name, sizeof(name) - 1);
    if (len <= 0)
        return;
    name[len] = '\0';
    if (sscanf(name, "/memfd:" NAME_FORMAT, &ino, &flags, &is_directory) != 3)
        return;
    open = mem_calloc(1, sizeof(*open) + 1);
    if (open == NULL)
        return;
    open->users = 1;
    open->ino = ino;
    open->flags = (int)flags & ~(O_CREAT | O_EXCL | O_TRUNC);
    open->is_directory = is_directory != 0;
    set(fd, open);
}

/* Descriptors that are copies of one another share an offset, in the kernel,
 * but not a px_open; nothing is lost by that. */
void px_fds_init(void)
{
    DIR *dir = px_real()->opendir("/proc/self/fd");
    struct dirent *entry;

    table.pid = getpid();
    while (dir != NULL && (entry = px_real()->readdir(dir)) != NULL) {
        int fd = atoi(entry->d_name);

        if (entry->d_name[0] != '.' && is_number(fd))
            adopt(fd);
    }
    if (dir != NULL)
        px_real()->closedir(dir);
}
