/* The resolver of the C library; see include/martlet_dns.h. */
#define _GNU_SOURCE
#include "martlet_dns.h"

#include <arpa/nameser.h>
#include <netdb.h>
#include <netinet/in.h>
#include <resolv.h>
#include <string.h>

int martlet_dns_query(const char *name, int type, uint8_t *answer, size_t size) {
    struct __res_state state;
    memset(&state, 0, sizeof state);
    if (res_ninit(&state) != 0) return -MARTLET_DNS_FAILED;
    state.retrans = 3; /* seconds */
    state.retry = 2;
    int length = res_nquery(&state, name, ns_c_in, type, answer, (int)size);
    int why = state.res_h_errno;
    res_nclose(&state);
    if (length < 0) return why == HOST_NOT_FOUND || why == NO_DATA ? -MARTLET_DNS_NONE : -MARTLET_DNS_FAILED;
    return (size_t)length > size ? (int)size : length; /* a longer answer was cut off */
}
