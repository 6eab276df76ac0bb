/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * capstan-fuse: the daemon of a mount, and its end. `capstan mount` and
 * `capstan umount` run it.
 *
 * The happy path: what is at the mount point is looked at, a dead mount cleared
 * away; the process goes into the background, asks the cluster for its root,
 * mounts and starts its crew; then the parent, which has waited, returns. The
 * mount ends when it is unmounted, by anybody, or by a signal.
 *
 * Possible failure modes are: a cluster that cannot be reached (nothing is
 * mounted); a mount point that is none; no /dev/fuse (libfuse says so); a
 * signal while programs have files open (the mount is detached, their calls
 * fail).
 */
#include "posix/fuse_channel.h"
#include "posix/fuse_open.h"
#include "posix/fuse_point.h"

#include "base/mountinfo.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#define USAGE 2
#define WAIT_SEC 60u /* for a daemon to end */

struct wish {
    const char *cluster;
    const char *log;
    uint32_t timeout_ms;
    double cache_sec;
    bool is_foreground;
    bool has_pages;
    bool is_lazy;
    bool has_no_locks;
    bool is_umount;
    char point[PATH_MAX];
};

static int fail(const char *object, const char *cause)
{
    fprintf(stderr, "capstan: %s: %s\n", object, cause);
    return EXIT_FAILURE;
}

static void on_init(void *ctx, struct fuse_conn_info *conn)
{
    channel_want(ctx, conn);
}

/* Do not mount what would then only hang. */
static int check_cluster(const struct capstan_options *options)
{
    struct capstan_session *session;
    struct capstan_stat stat;
    int rc = capstan_session_open(options, &session);

    if (rc != 0)
        return fail("mount", capstan_open_error());
    rc = capstan_stat(session, "/", &stat);
    if (rc != 0)
        fail("mount", capstan_session_error(session));
    capstan_session_close(&session);
    return rc;
}

/* A signal detaches the mount; the crew then ends by itself. The second one
 * ends the process whatever still goes on. */
static void *watch_signals(void *ctx)
{
    const char *point = ctx;
    sigset_t set;
    int number;

    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGHUP);
    if (sigwait(&set, &number) == 0)
        point_clear(point);
    if (sigwait(&set, &number) == 0)
        _exit(EXIT_FAILURE);
    return NULL;
}

static int start_watch(char *point)
{
    pthread_t thread;
    sigset_t set;
    int rc;

    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGHUP);
    signal(SIGPIPE, SIG_IGN);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    rc = pthread_create(&thread, NULL, watch_signals, point);
    if (rc == 0)
        pthread_detach(thread);
    return -rc;
}

/* Let go of the terminal, and tell the parent that the mount is there. */
static void settle(const struct wish *wish, int ready)
{
    int fd;

    if (ready < 0)
        return;
    fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (fd >= 0) {
        dup2(fd, STDIN_FILENO);
        dup2(fd, STDOUT_FILENO);
    }
    if (wish->log != NULL)
        fd = open(wish->log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    if (fd >= 0)
        dup2(fd, STDERR_FILENO);
    (void)!write(ready, "", 1);
    close(ready);
}

static struct fuse_session *new_session(const struct wish *wish,
                                        struct fuse_fs *fs)
{
    struct fuse_args args = FUSE_ARGS_INIT(0, NULL);
    struct fuse_session *fuse = NULL;
    struct fuse_lowlevel_ops ops;
    char *fsname = NULL, *options = NULL, *escaped = NULL;

    fs_ops(&ops);
    if (fs->has_no_locks)
        fs_no_lock_ops(&ops);
    ops.init = on_init;
    if (asprintf(&fsname, "fsname=" MOUNTINFO_SOURCE "%s", wish->cluster) < 0 ||
        fuse_opt_add_opt_escaped(&escaped, fsname) != 0 ||
        asprintf(&options, "%s,subtype=capstan,max_read=%u%s", escaped,
                 CREW_IO_MAX,
                 geteuid() == 0 ? ",allow_other,dev,suid" : "") < 0 ||
        fuse_opt_add_arg(&args, "capstan-fuse") != 0 ||
        fuse_opt_add_arg(&args, "-o") != 0 ||
        fuse_opt_add_arg(&args, options) != 0)
        fail(wish->point, strerror(ENOMEM));
    else
        fuse = fuse_session_new(&args, &ops, sizeof(ops), fs);
    free(fsname);
    free(escaped);
    free(options);
    fuse_opt_free_args(&args);
    return fuse;
}

/* @param ready  where the parent waits for word, or -1. */
static int serve(struct wish *wish, struct fuse_fs *fs, int ready)
{
    struct capstan_options options = {wish->cluster, wish->timeout_ms};
    struct fuse_session *fuse;
    struct crew *crew;
    int rc;

    if (check_cluster(&options) != 0)
        return EXIT_FAILURE;
    fuse = new_session(wish, fs);
    if (fuse == NULL)
        return EXIT_FAILURE;
    rc = EXIT_FAILURE;
    if (channel_mount(fuse, wish->point) != 0)
        goto end_session;
    if (start_watch(wish->point) != 0) {
        fail("mount", "no thread for signals");
        goto end_mount;
    }
    if (crew_start(fuse, &options, &crew) != 0) {
        fail("mount", capstan_open_error());
        goto end_mount;
    }
    settle(wish, ready);
    crew_wait(&crew);
    rc = EXIT_SUCCESS;
end_mount:
    fuse_session_unmount(fuse);
end_session:
    fuse_session_destroy(fuse);
    return rc;
}

/* Up to CREW_MAX sessions, each with a connection to every target, of which one
 * request at a time needs few buffers: 4 MB of them a connection instead of 16.
 * What the environment says goes first. */
static void be_frugal(void)
{
    setenv("FI_OFI_RXM_MSG_RX_SIZE", "16", 0);
    setenv("FI_OFI_RXM_MSG_TX_SIZE", "16", 0);
}

static int serve_all(struct wish *wish, int ready)
{
    static struct fuse_fs fs;
    int rc;

    fs.cache_sec = wish->cache_sec;
    fs.has_pages = wish->has_pages;
    fs.is_lazy = wish->is_lazy;
    fs.has_no_locks = wish->has_no_locks;
    be_frugal();
    if (opens_create(wish->cache_sec > 0, &fs.opens) != 0)
        return fail("mount", strerror(ENOMEM));
    recent_init(&fs.recent);
    keep_init(&fs.keep);
    known_init(&fs.known, wish->cache_sec);
    rc = serve(wish, &fs, ready);
    opens_destroy(&fs.opens);
    known_fini(&fs.known);
    return rc;
}

/* The parent returns when the child has mounted, or has failed and said why. */
static int serve_in_background(struct wish *wish)
{
    int ends[2];
    char word;
    pid_t pid;

    if (pipe2(ends, O_CLOEXEC) != 0)
        return fail("mount", strerror(errno));
    pid = fork();
    if (pid < 0)
        return fail("mount", strerror(errno));
    if (pid == 0) {
        close(ends[0]);
        setsid();
        if (chdir("/") != 0)
            return fail("/", strerror(errno));
        return serve_all(wish, ends[1]);
    }
    close(ends[1]);
    return read(ends[0], &word, 1) == 1 ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* The command line must end with the true name of the mount point, by which
 * umount finds the process. */
static int name_point(char **argv, int last, const char *path)
{
    if (strcmp(argv[last], path) == 0)
        return 0;
    argv[last] = strdup(path);
    if (argv[last] != NULL)
        execv("/proc/self/exe", argv);
    return fail(path, strerror(errno));
}

static int do_mount(struct wish *wish, char **argv, int last)
{
    enum point_state state;

    if (point_look(argv[last], wish->point, &state) != 0)
        return EXIT_FAILURE;
    if (state == POINT_MOUNTED)
        return fail(wish->point, "a Capstan mount is already there");
    if (state == POINT_DEAD && point_clear(wish->point) != 0)
        return EXIT_FAILURE;
    if (name_point(argv, last, wish->point) != 0)
        return EXIT_FAILURE;
    prctl(PR_SET_NAME, "capstan-fuse");
    return wish->is_foreground ? serve_all(wish, -1)
                               : serve_in_background(wish);
}

static int usage(void)
{
    fputs("Usage: capstan-fuse --cluster FILE [--timeout SECONDS] "
          "[--cache SECONDS]\n"
          "           [--pages] [--lazy] [--no-locks] [--log FILE] "
          "[--foreground] DIR\n"
          "       capstan-fuse --umount DIR\n"
          "'capstan mount --help' says more.\n",
          stderr);
    return USAGE;
}

static bool take_option(struct wish *wish, int option)
{
    switch (option) {
    case 'c':
        wish->cluster = optarg;
        return true;
    case 'l':
        wish->log = optarg;
        return true;
    case 't':
        wish->timeout_ms = (uint32_t)strtoul(optarg, NULL, 10) * 1000;
        return true;
    case 'k':
        wish->cache_sec = strtod(optarg, NULL);
        return true;
    case 'f':
        wish->is_foreground = true;
        return true;
    case 'p':
        wish->has_pages = true;
        return true;
    case 'z':
        wish->is_lazy = true;
        return true;
    case 'n':
        wish->has_no_locks = true;
        return true;
    case 'u':
        wish->is_umount = true;
        return true;
    default:
        return false;
    }
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"cluster", required_argument, NULL, 'c'},
        {"log", required_argument, NULL, 'l'},
        {"timeout", required_argument, NULL, 't'},
        {"cache", required_argument, NULL, 'k'},
        {"foreground", no_argument, NULL, 'f'},
        {"pages", no_argument, NULL, 'p'},
        {"lazy", no_argument, NULL, 'z'},
        {"no-locks", no_argument, NULL, 'n'},
        {"umount", no_argument, NULL, 'u'},
        {NULL, 0, NULL, 0}};
    static struct wish wish;
    int option;

    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1)
        if (!take_option(&wish, option))
            return usage();
    if (optind != argc - 1 || (wish.cluster == NULL && !wish.is_umount))
        return usage();
    if (wish.is_umount)
        return point_unmount(argv[optind], WAIT_SEC) == 0 ? EXIT_SUCCESS
                                                          : EXIT_FAILURE;
    return do_mount(&wish, argv, optind);
}
