/* sandbox - what a step's process may do: compute, use memory, read and write the descriptors it was given, and exit.
 *
 * Two layers. The seccomp filter lets neither open nor socket, fork, exec, kill nor ptrace through, nor executable or
 * shared anonymous memory; a refused call ends the process with a report that carries the call's number. The resource
 * limits bound memory, CPU time, file size and descriptors. Under sanitizers the memory limit is off (their shadow
 * memory counts); the filter stays on, so a sanitizer's own report is cut short by it: run with workflow.sandbox
 * `limits-only` to see all of one.
 *
 * What the filter cannot see: fstat() is newfstatat() with an empty path, so a step could learn whether a path exists.
 */
#ifndef SANDBOX_H
#define SANDBOX_H

#include "err.h"

#include <stdint.h>

struct sandbox_limits {
    uint64_t memory_bytes; /* RLIMIT_DATA: heap and private mappings */
    uint64_t file_bytes;   /* RLIMIT_FSIZE */
    uint32_t cpu_seconds;  /* RLIMIT_CPU: SIGXCPU, a second later SIGKILL */
    uint32_t open_files;   /* RLIMIT_NOFILE: the highest descriptor and one */
};

struct sandbox; /* the compiled filter */

/* Compiles the filter and tries it in a forked process. ERR_UNSUPPORTED when this system refuses seccomp, with a text
 * that names the configuration key; ERR_UNAVAILABLE when somebody kills that process again and again. Call while the
 * process has one thread. */
enum err sandbox_new(struct sandbox **out, struct fault *why) MUST_CHECK;
void sandbox_destroy(struct sandbox **self_p);

/* Puts the calling process into it, for good. self NULL: limits only. report_fd: where a refused call is reported. */
enum err sandbox_enter(const struct sandbox *self, const struct sandbox_limits *limits, int report_fd,
                       struct fault *why) MUST_CHECK;

#define SANDBOX_CALL_NAME_MAX 40
/* "openat"; "number 999" when the call is unknown. */
void sandbox_call_name(uint32_t call, char out[SANDBOX_CALL_NAME_MAX]);

#endif
