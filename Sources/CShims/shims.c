/* The C library through functions that Swift can call; see include/CShims.h. */
#define _GNU_SOURCE
#include "CShims.h"

#include <crypt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool martlet_crypt(const char *phrase, const char *setting, char *output, size_t output_size) {
    struct crypt_data *scratch = calloc(1, sizeof *scratch); /* 32 KiB: too much for a small stack */
    if (scratch == NULL) return false;
    const char *hash = crypt_r(phrase, setting, scratch);
    /* libxcrypt answers a failure with a string that starts with '*'. */
    bool done = hash != NULL && hash[0] != '*' && strlen(hash) < output_size;
    if (done) strcpy(output, hash);
    explicit_bzero(scratch, sizeof *scratch);
    free(scratch);
    return done;
}

void martlet_flush_output(void) {
    fflush(stdout);
    fflush(stderr);
}

void martlet_line_buffer_output(void) {
    setvbuf(stdout, NULL, _IOLBF, 0);
}

bool martlet_equal_constant_time(const uint8_t *left, const uint8_t *right, size_t count) {
    volatile uint8_t difference = 0;
    for (size_t i = 0; i < count; i++) difference |= left[i] ^ right[i];
    return difference == 0;
}
