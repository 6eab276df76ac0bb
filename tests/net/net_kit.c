/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/net/net_kit.h"

#include "base/crc32c.h"
#include "base/err.h"

#include <CUnit/Basic.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

/* The tcp provider (1.17) forgets a message that nobody received. */
const char *__lsan_default_suppressions(void);
__attribute__((visibility("default"))) const char *
__lsan_default_suppressions(void)
{
    return "leak:libfabric.so";
}

static void on_recv(void *ctx, struct net *net, void *buffer, size_t len)
{
    struct kit_end *end = ctx;

    end->nreceived++;
    end->last_len = len;
    memcpy(&end->last, buffer, len < 4 ? len : 4);
    end->last_sum = crc32c(0, buffer, len);
    if (end->keeps)
        end->held[end->nheld++] = buffer;
    else
        net_release(net, buffer);
}

static struct net_config config_for(const char *provider, const char *service,
                                    unsigned receives)
{
    return (struct net_config){.provider = provider,
                               .node = "127.0.0.1",
                               .service = service,
                               .message_max = KIT_MESSAGE_MAX,
                               .receives = receives,
                               .clock = clock_real(),
                               .no_shortcut = KIT_NO_SHORTCUT};
}

int kit_open(struct kit_end *end, const char *provider, const char *service,
             unsigned receives)
{
    struct net_config config = config_for(provider, service, receives);

    memset(end, 0, sizeof(*end));
    config.recv = on_recv;
    config.recv_ctx = end;
    return net_open(&net_ofi, &config, &end->net);
}

bool kit_has(const char *provider)
{
    struct kit_end end;

    if (kit_open(&end, provider, NULL, 1) != 0)
        return false;
    net_close(end.net);
    return true;
}

const char *kit_service(const char *provider)
{
    static char service[64];
    static unsigned count;

    if (strcmp(provider, "shm") != 0)
        return NET_ANY_PORT;
    snprintf(service, sizeof(service), "test-%d-%u", (int)getpid(), count++);
    return service;
}

const char *kit_service_of(const char *provider, const char *name)
{
    static char service[NET_NAME_MAX];
    struct sockaddr_in in;

    if (strcmp(provider, "shm") == 0)
        return name + strlen("shm-");
    memcpy(&in, name, sizeof(in));
    snprintf(service, sizeof(service), "%u", ntohs(in.sin_port));
    return service;
}

uint64_t kit_peer(struct kit_end *from, struct kit_end *to)
{
    char name[NET_NAME_MAX];
    size_t len = sizeof(name);
    uint64_t peer = NET_PEER_NONE;

    CU_ASSERT_EQUAL_FATAL(net_name(to->net, name, &len), 0);
    CU_ASSERT_EQUAL_FATAL(net_peer_insert(from->net, name, len, &peer), 0);
    return peer;
}

bool kit_until(struct kit_end *a, struct kit_end *b, const unsigned *count,
               unsigned want)
{
    uint64_t until_ns = clock_now(clock_real()) + KIT_DEADLINE_NS;

    while (*count < want) {
        net_poll(a->net);
        if (b != NULL)
            net_poll(b->net);
        else
            net_wait(a->net, clock_now(clock_real()) + NS_PER_MS);
        if (clock_now(clock_real()) > until_ns)
            return false;
    }
    return true;
}

static void on_done(struct net_op *op, int rc)
{
    struct kit_call *call = (struct kit_call *)op;

    call->nended++;
    call->rc = rc;
}

int kit_send(struct kit_end *from, struct kit_end *other, struct kit_call *call,
             uint64_t peer, const void *bytes, size_t len)
{
    uint64_t until_ns = clock_now(clock_real()) + KIT_DEADLINE_NS;
    int rc;

    *call = (struct kit_call){.op.done = on_done};
    for (;;) {
        rc = net_send(from->net, &call->op, peer, bytes, len, NULL);
        if (rc != -EAGAIN || clock_now(clock_real()) > until_ns)
            return rc;
        net_poll(from->net);
        if (other != NULL)
            net_poll(other->net);
    }
}

/* --- The server process --- */

static char kit_memory[KIT_MEMORY];

/* Answer a kit_ask: the number goes back to the name within. */
struct served {
    struct kit_call call;
    uint32_t number;
};

static void on_ask(void *ctx, struct net *net, void *buffer, size_t len)
{
    static struct served served[256];
    struct served *slot = &served[(*(unsigned *)ctx)++ % 256];
    struct kit_ask ask;
    uint64_t peer;

    if (len == sizeof(ask)) {
        memcpy(&ask, buffer, sizeof(ask));
        slot->number = ask.number;
        slot->call.op.done = on_done;
        if (net_peer_insert(net, ask.name, ask.name_len, &peer) == 0)
            net_send(net, &slot->call.op, peer, &slot->number, 4, NULL);
    }
    net_release(net, buffer);
}

static int announce(struct net *net, const struct net_remote *remote)
{
    char name[NET_NAME_MAX] = {0};
    size_t len = sizeof(name);
    uint32_t name_len;

    if (net_name(net, name, &len) != 0)
        return -EIO;
    name_len = (uint32_t)len;
    if (write(1, &name_len, sizeof(name_len)) != sizeof(name_len) ||
        write(1, name, sizeof(name)) != sizeof(name) ||
        write(1, remote, sizeof(*remote)) != sizeof(*remote))
        return -EIO;
    return 0;
}

int kit_serve(const char *provider, const char *service)
{
    struct net_config config = config_for(provider, service, 64);
    struct pollfd input = {.fd = 0, .events = POLLIN};
    struct net_remote remote;
    unsigned count = 0;
    struct net_mr *mr;
    struct net *net;

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    config.recv = on_ask;
    config.recv_ctx = &count;
    for (size_t i = 0; i < KIT_MEMORY; i++)
        kit_memory[i] = (char)(i % 251);
    if (net_open(&net_ofi, &config, &net) != 0 ||
        net_mr_reg(net, kit_memory, KIT_MEMORY, NET_MEM_HOST,
                   NET_REMOTE_READ | NET_REMOTE_WRITE, &mr) != 0)
        return 3;
    net_mr_remote(net, mr, &remote);
    if (announce(net, &remote) != 0)
        return 4;
    while (poll(&input, 1, 0) == 0)
        net_wait(net, clock_now(clock_real()) + 20 * NS_PER_MS);
    net_close(net);
    return 0;
}

static void become_server(const char *provider, const char *service, int in,
                          int out)
{
    char program[256];
    ssize_t len = readlink("/proc/self/exe", program, sizeof(program) - 1);

    if (len <= 0 || dup2(in, 0) < 0 || dup2(out, 1) < 0)
        _exit(5);
    program[len] = '\0';
    execl(program, program, "--serve", provider, service, (char *)NULL);
    _exit(6);
}

static bool read_all(int fd, void *bytes, size_t len)
{
    size_t done = 0;
    ssize_t n;

    while (done < len) {
        n = read(fd, (char *)bytes + done, len - done);
        if (n <= 0)
            return false;
        done += (size_t)n;
    }
    return true;
}

int kit_server_start(struct kit_server *server, const char *provider,
                     const char *service)
{
    int in[2], out[2], status = 0;

    CU_ASSERT_FATAL(pipe2(in, 02000000) == 0 && pipe2(out, 02000000) == 0);
    server->pid = fork();
    CU_ASSERT_FATAL(server->pid >= 0);
    if (server->pid == 0)
        become_server(provider, service, in[0], out[1]);
    close(in[0]);
    close(out[1]);
    server->in = in[1];
    server->out = out[0];
    if (read_all(server->out, &server->name_len, 4) &&
        read_all(server->out, server->name, NET_NAME_MAX) &&
        read_all(server->out, &server->remote, sizeof(server->remote)))
        return 0;
    waitpid(server->pid, &status, 0);
    close(server->in);
    close(server->out);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

void kit_server_stop(struct kit_server *server)
{
    int status = 1;

    close(server->in);
    waitpid(server->pid, &status, 0);
    CU_ASSERT_EQUAL(status, 0);
    close(server->out);
}

void kit_server_kill(struct kit_server *server)
{
    kill(server->pid, SIGKILL);
    waitpid(server->pid, NULL, 0);
    close(server->in);
    close(server->out);
}

int kit_ask(struct kit_end *end, uint64_t peer, uint32_t number)
{
    struct kit_ask ask = {.number = number};
    size_t len = sizeof(ask.name);
    uint64_t until_ns = clock_now(clock_real()) + KIT_ANSWER_NS;
    static struct kit_call call;
    int rc;

    end->last = ~number;
    net_name(end->net, ask.name, &len);
    ask.name_len = (uint32_t)len;
    rc = kit_send(end, NULL, &call, peer, &ask, sizeof(ask));
    if (rc != 0)
        return rc;
    if (!kit_until(end, NULL, &call.nended, 1))
        return -ETIMEDOUT;
    if (call.rc != 0)
        return call.rc;
    while (end->last != number && clock_now(clock_real()) < until_ns)
        net_wait(end->net, until_ns);
    return end->last == number ? 0 : -ETIMEDOUT;
}

int kit_run(const char *name, CU_TestInfo *tests)
{
    CU_SuiteInfo suites[] = {{.pName = name, .pTests = tests},
                             CU_SUITE_INFO_NULL};
    unsigned nfailed;

    CU_initialize_registry();
    CU_register_suites(suites);
    CU_basic_set_mode(CU_BRM_VERBOSE);
    CU_basic_run_tests();
    nfailed = CU_get_number_of_failures();
    CU_cleanup_registry();
    return nfailed != 0;
}
