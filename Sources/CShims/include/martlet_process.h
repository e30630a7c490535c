/* Starts a program with a pipe in each direction. */
#ifndef MARTLET_PROCESS_H
#define MARTLET_PROCESS_H

#include <sys/types.h>

/* Starts `path` with `arguments` (NULL-terminated, the program's name first). Its standard input is read from `*input`, its standard
   output goes to `*output`; it inherits no other file, no signal handling and no environment. Returns 0 and the process, or an errno.
   The caller closes both and waits for the process. */
int martlet_spawn(const char *path, char *const arguments[], pid_t *process, int *input, int *output);

#endif
