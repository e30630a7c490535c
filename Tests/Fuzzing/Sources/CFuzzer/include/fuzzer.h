// libFuzzer as a library. LLVM, "Using libFuzzer as a library".

#pragma once
#include <stddef.h>
#include <stdint.h>

/// Runs the fuzzer with the command line's options until it finds something or has run as long as it was told to.
/// The driver gives every input to `test`, which returns 0.
int LLVMFuzzerRunDriver(int *argc, char ***argv, int (*test)(const uint8_t *data, size_t size));
