/* Questions to the name servers of resolv.conf. */
#ifndef MARTLET_DNS_H
#define MARTLET_DNS_H

#include <stddef.h>
#include <stdint.h>

/* Asks for the records of one type (of class IN) of a name, NUL-terminated and absolute. Writes the whole answer message to `answer`
   and returns its length, at most `size`; or the negative of a MARTLET_DNS_ value. Blocks for some seconds at most. Thread-safe. */
int martlet_dns_query(const char *name, int type, uint8_t *answer, size_t size);

/* The name, or a record of that type, does not exist. */
#define MARTLET_DNS_NONE 1
/* No name server said so or so. */
#define MARTLET_DNS_FAILED 2

#endif
