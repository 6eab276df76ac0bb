/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Registered memory on libfabric.
 *
 * Providers differ in who chooses the key (FI_MR_PROV_KEY: they, else we) and
 * in what a peer must say as address (FI_MR_VIRT_ADDR: the virtual address,
 * else an offset from the start); net_remote hides both. Our keys count up
 * from a random start, so that a key from before a restart names nothing.
 *
 * Possible failure modes are: the provider refuses (its code is passed on), a
 * provider whose keys are longer than 64 bits (-ENOTSUP).
 */
#include "net/net_ofi_priv.h"

#include "base/log.h"
#include "base/mem.h"

static uint64_t access_bits(unsigned access)
{
    uint64_t bits = FI_SEND | FI_RECV | FI_READ | FI_WRITE;

    if (access & NET_REMOTE_READ)
        bits |= FI_REMOTE_READ;
    if (access & NET_REMOTE_WRITE)
        bits |= FI_REMOTE_WRITE;
    return bits;
}

/* Some providers want a registration bound to the endpoint that serves it. */
static int bind_mr(struct ofi_net *net, struct fid_mr *fid)
{
    int rc;

    if ((net->info->domain_attr->mr_mode & FI_MR_ENDPOINT) == 0)
        return 0;
    rc = fi_mr_bind(fid, &net->ep->fid, 0);
    return rc != 0 ? rc : fi_mr_enable(fid);
}

static int register_with(struct ofi_net *net, const struct ofi_range *range,
                         uint64_t key, struct fid_mr **fid_out)
{
    struct fid_mr *fid;
    int rc;

    rc = fi_mr_reg(net->domain, range->memory, range->len,
                   access_bits(range->access), 0, key, 0, &fid, NULL);
    if (rc != 0)
        return rc;
    rc = bind_mr(net, fid);
    if (rc == 0 && fi_mr_key(fid) == FI_KEY_NOTAVAIL)
        rc = -ENOTSUP;
    if (rc != 0) {
        fi_close(&fid->fid);
        return rc;
    }
    *fid_out = fid;
    return 0;
}

/* Enter the memory in the table of keys, where there is one. */
static int publish(struct ofi_net *net, struct net_mr *mr,
                   const struct ofi_range *range, uint64_t *key_inout)
{
    int rc;

    if (net->table == NULL || range->access == NET_LOCAL)
        return 0;
    rc = ofi_cma_publish(net->table, *key_inout, range, &mr->table_key);
    if (rc == 0) {
        mr->table = net->table;
        mr->clock = net->clock;
        *key_inout = mr->table_key;
    }
    return rc;
}

static void link_mr(struct ofi_net *net, struct net_mr *mr)
{
    mr->next = net->mrs;
    mr->link = &net->mrs;
    if (mr->next != NULL)
        mr->next->link = &mr->next;
    net->mrs = mr;
}

int ofi_mr_reg(struct net *base, void *memory, size_t len,
               enum net_mem_kind kind, unsigned access, struct net_mr **mr_out)
{
    struct ofi_range range = {.memory = memory, .len = len, .access = access};
    struct ofi_net *net = ofi_of(base);
    uint64_t key = net->next_key++;
    struct net_mr *mr;
    int rc;

    if (memory == NULL || len == 0 || kind != NET_MEM_HOST)
        return -EINVAL;
    mr = mem_calloc(1, sizeof(*mr));
    if (mr == NULL)
        return -ENOMEM;
    if (net->info->domain_attr->mr_mode & FI_MR_VIRT_ADDR)
        mr->addr = (uint64_t)(uintptr_t)memory;
    range.addr = mr->addr;
    rc = publish(net, mr, &range, &key);
    if (rc == 0)
        rc = register_with(net, &range, key, &mr->fid);
    if (rc != 0) {
        log_error("register %zu bytes: %s", len, ofi_lib.strerror(-rc));
        if (mr->table != NULL)
            ofi_cma_revoke(mr->table, mr->table_key, mr->clock);
        free(mr);
        return rc;
    }
    link_mr(net, mr);
    *mr_out = mr;
    return 0;
}

void ofi_mr_dereg(struct net *base, struct net_mr *mr)
{
    if (mr == NULL)
        return;
    *mr->link = mr->next;
    if (mr->next != NULL)
        mr->next->link = mr->link;
    if (mr->table != NULL)
        ofi_cma_revoke(mr->table, mr->table_key, mr->clock);
    fi_close(&mr->fid->fid);
    free(mr);
}

void ofi_mr_remote(const struct net_mr *mr, struct net_remote *remote_out)
{
    remote_out->key = fi_mr_key(mr->fid);
    remote_out->addr = mr->addr;
}
