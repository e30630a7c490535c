/* What Swift cannot call by itself: functions of the C library that need macros, globals or scratch
   memory, wrapped so that each is one plain, thread-safe function. */
#ifndef MARTLET_CSHIMS_H
#define MARTLET_CSHIMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "martlet_dns.h"
#include "martlet_mail.h"
#include "martlet_process.h"

/* Longest result of martlet_crypt, with its terminating NUL. */
#define MARTLET_CRYPT_OUTPUT_SIZE 384

/* crypt_r(3): hashes `phrase` (NUL-terminated) by `setting`, a bcrypt prefix such as "$2b$12$…" or a
   whole stored hash. Writes the NUL-terminated hash to `output` and returns true; returns false when the
   setting is not understood. Its scratch memory is wiped before it is freed. Thread-safe. */
bool martlet_crypt(const char *phrase, const char *setting, char *output, size_t output_size);

/* Writes everything buffered on standard output and standard error. */
void martlet_flush_output(void);

/* Makes standard output line-buffered, also when it is a pipe or a file. */
void martlet_line_buffer_output(void);

/* Whether the two byte ranges are equal, in a time that depends on their length only. */
bool martlet_equal_constant_time(const uint8_t *left, const uint8_t *right, size_t count);

#endif
