/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * libfabric and nothing else: one reliable-datagram endpoint that spins on its
 * completion queue. No order is asked for, no descriptor, no lock.
 */
#include "benchmarks/fabric.h"

#include <rdma/fabric.h>
#include <rdma/fi_cm.h>
#include <rdma/fi_domain.h>
#include <rdma/fi_endpoint.h>
#include <rdma/fi_errno.h>
#include <rdma/fi_rma.h>

#include <stdlib.h>
#include <string.h>

#define RECEIVES 256
#define MR_KEY 77

enum kind { SEND, MOVE, RECEIVE };

struct context {
    struct fi_context2 provider; /* first */
    enum kind kind;
    char *buffer;
};

static struct fi_info *info;
static struct fid_fabric *fabric;
static struct fid_domain *domain;
static struct fid_cq *cq;
static struct fid_av *av;
static struct fid_ep *ep;
static struct fid_mr *mr, *messages_mr;
static fi_addr_t peer;
static struct fabric_name remote;
static char *memory;
static struct context send_context = {.kind = SEND};
static struct context move_context = {.kind = MOVE};
static struct context receives[RECEIVES];
static char messages[RECEIVES + 1][FABRIC_MESSAGE];

static int get_info(const char *provider)
{
    struct fi_info *hints = fi_allocinfo();
    int rc;

    hints->caps = FI_MSG | FI_RMA;
    hints->mode = FI_CONTEXT | FI_CONTEXT2;
    hints->ep_attr->type = FI_EP_RDM;
    hints->domain_attr->mr_mode =
        FI_MR_LOCAL | FI_MR_VIRT_ADDR | FI_MR_ALLOCATED | FI_MR_PROV_KEY;
    hints->domain_attr->threading = FI_THREAD_DOMAIN;
    hints->fabric_attr->prov_name = strdup(provider);
    if (strcmp(provider, "shm") == 0)
        rc = fi_getinfo(FI_VERSION(1, 17), NULL, NULL, 0, hints, &info);
    else
        rc = fi_getinfo(FI_VERSION(1, 17), "127.0.0.1", "0", FI_SOURCE, hints,
                        &info);
    fi_freeinfo(hints);
    return rc;
}

static void post(struct context *context)
{
    fabric_must("post a receive",
                (int)fi_recv(ep, context->buffer, FABRIC_MESSAGE,
                             fi_mr_desc(messages_mr), FI_ADDR_UNSPEC, context));
}

static int raw_open(const char *provider, char *shared)
{
    struct fi_cq_attr cq_attr = {.format = FI_CQ_FORMAT_MSG, .size = 4096};
    struct fi_av_attr av_attr = {.type = FI_AV_UNSPEC};

    memory = shared;
    if (get_info(provider) != 0)
        return -FI_ENODATA;
    fabric_must("fabric", fi_fabric(info->fabric_attr, &fabric, NULL));
    fabric_must("domain", fi_domain(fabric, info, &domain, NULL));
    fabric_must("queue", fi_cq_open(domain, &cq_attr, &cq, NULL));
    fabric_must("vector", fi_av_open(domain, &av_attr, &av, NULL));
    fabric_must("endpoint", fi_endpoint(domain, info, &ep, NULL));
    fabric_must("bind", fi_ep_bind(ep, &cq->fid, FI_TRANSMIT | FI_RECV));
    fabric_must("bind", fi_ep_bind(ep, &av->fid, 0));
    fabric_must("enable", fi_enable(ep));
    fabric_must("register",
                fi_mr_reg(domain, memory, FABRIC_MEMORY,
                          FI_READ | FI_WRITE | FI_REMOTE_READ | FI_REMOTE_WRITE,
                          0, MR_KEY, 0, &mr, NULL));
    fabric_must("register",
                fi_mr_reg(domain, messages, sizeof(messages), FI_SEND | FI_RECV,
                          0, MR_KEY + 1, 0, &messages_mr, NULL));
    for (unsigned i = 0; i < RECEIVES; i++) {
        receives[i].kind = RECEIVE;
        receives[i].buffer = messages[i];
        post(&receives[i]);
    }
    return 0;
}

static void raw_name(struct fabric_name *name)
{
    size_t len = sizeof(name->bytes);

    fabric_must("name", fi_getname(&ep->fid, name->bytes, &len));
    name->len = (uint32_t)len;
    name->key = fi_mr_key(mr);
    name->addr = info->domain_attr->mr_mode & FI_MR_VIRT_ADDR
                     ? (uint64_t)(uintptr_t)memory
                     : 0;
}

static void raw_connect(const struct fabric_name *name)
{
    remote = *name;
    fabric_must("peer", fi_av_insert(av, name->bytes, 1, &peer, 0, NULL) - 1);
}

/* @return false: again, after progress. */
static bool started(const char *what, ssize_t rc)
{
    if (rc == -FI_EAGAIN)
        return false;
    fabric_must(what, (int)rc);
    return true;
}

static bool raw_send(char first)
{
    messages[RECEIVES][0] = first;
    return started("send",
                   fi_send(ep, messages[RECEIVES], FABRIC_MESSAGE,
                           fi_mr_desc(messages_mr), peer, &send_context));
}

static bool raw_move(bool is_write, size_t offset, size_t len)
{
    void *desc = fi_mr_desc(mr);

    return started(
        "rma", is_write
                   ? fi_write(ep, memory + offset, len, desc, peer,
                              remote.addr + offset, remote.key, &move_context)
                   : fi_read(ep, memory + offset, len, desc, peer,
                             remote.addr + offset, remote.key, &move_context));
}

static void raw_progress(struct fabric_counts *counts)
{
    struct fi_cq_msg_entry entries[16];
    ssize_t n = fi_cq_read(cq, entries, 16);

    if (n == -FI_EAVAIL)
        fabric_must("completion", -FI_EIO);
    for (ssize_t i = 0; i < n; i++) {
        struct context *context = entries[i].op_context;

        counts->sent += context->kind == SEND;
        counts->moved += context->kind == MOVE;
        if (context->kind != RECEIVE)
            continue;
        counts->received++;
        counts->last = context->buffer[0];
        post(context);
    }
}

static void raw_close(void)
{
    fi_close(&ep->fid);
    fi_close(&mr->fid);
    fi_close(&messages_mr->fid);
    fi_close(&cq->fid);
    fi_close(&av->fid);
    fi_close(&domain->fid);
    fi_close(&fabric->fid);
    fi_freeinfo(info);
}

const struct fabric_way fabric_raw = {"libfabric",  raw_open, raw_name,
                                      raw_connect,  raw_send, raw_move,
                                      raw_progress, raw_close};
