#include "process/sandbox.h"

#include "process/report.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define EXIT_FORBIDDEN 77
#define PROBES_MAX     3 /* of those that somebody kills */

struct sandbox {
    struct sock_fprog program; /* instructions as the kernel takes them */
};

static const int allowed[] = {
    SCMP_SYS(read),           SCMP_SYS(write),
    SCMP_SYS(readv),          SCMP_SYS(writev),
    SCMP_SYS(pread64),        SCMP_SYS(pwrite64),
    SCMP_SYS(preadv),         SCMP_SYS(pwritev),
    SCMP_SYS(lseek),          SCMP_SYS(fstat),
    SCMP_SYS(ftruncate),      SCMP_SYS(fallocate),
    SCMP_SYS(fsync),          SCMP_SYS(fdatasync),
    SCMP_SYS(fadvise64),      SCMP_SYS(close),
    SCMP_SYS(munmap),         SCMP_SYS(mremap),
    SCMP_SYS(madvise),        SCMP_SYS(brk),
    SCMP_SYS(exit),           SCMP_SYS(exit_group),
    SCMP_SYS(clock_gettime),  SCMP_SYS(clock_getres),
    SCMP_SYS(gettimeofday),   SCMP_SYS(time),
    SCMP_SYS(nanosleep),      SCMP_SYS(clock_nanosleep),
    SCMP_SYS(getrandom),      SCMP_SYS(rt_sigaction),
    SCMP_SYS(rt_sigprocmask), SCMP_SYS(rt_sigreturn),
    SCMP_SYS(sigaltstack),    SCMP_SYS(restart_syscall),
    SCMP_SYS(futex),          SCMP_SYS(getpid),
    SCMP_SYS(gettid),         SCMP_SYS(sched_yield),
    SCMP_SYS(sysinfo),        SCMP_SYS(getrusage),
};

/* Calls that are harmless to ask and needed by nobody: they fail instead of ending the process. tgkill is abort()'s way
 * to SIGABRT; refused, abort() ends in a fault of its own, and no other process can be signalled. */
static const struct {
    int call;
    int error;
} refused[] = {
    {SCMP_SYS(tgkill), EPERM},
    {SCMP_SYS(ioctl), ENOTTY},
    {SCMP_SYS(sched_getaffinity), EPERM},
};

static int allow_memory(scmp_filter_ctx filter)
{
    const struct scmp_arg_cmp not_executable = SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0);
    int bad = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1, not_executable);
    /* Shared anonymous memory would not count against RLIMIT_DATA: a mapping is private, or it is of a file. */
    bad |= seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 2, not_executable,
                            SCMP_A3(SCMP_CMP_MASKED_EQ, MAP_ANONYMOUS, 0));
    bad |= seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 2, not_executable,
                            SCMP_A3(SCMP_CMP_MASKED_EQ, MAP_TYPE, MAP_PRIVATE));
    return bad;
}

static int allow_questions(scmp_filter_ctx filter)
{
    int bad = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(newfstatat), 1, SCMP_A3(SCMP_CMP_EQ, AT_EMPTY_PATH, 0));
    bad |= seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(fcntl), 1, SCMP_A1(SCMP_CMP_EQ, F_GETFL, 0));
    bad |= seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(fcntl), 1, SCMP_A1(SCMP_CMP_EQ, F_GETFD, 0));
    bad |=
        seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(prlimit64), 1, SCMP_A2(SCMP_CMP_EQ, 0, 0)); /* reads only */
    return bad;
}

/* A rule for a call this architecture does not have (time, newfstatat) is skipped by the library. */
static int add_rules(scmp_filter_ctx filter)
{
    int bad = seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);
    for (size_t i = 0; i < sizeof allowed / sizeof *allowed; i++)
        bad |= seccomp_rule_add(filter, SCMP_ACT_ALLOW, allowed[i], 0);
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        bad |= seccomp_rule_add(filter, SCMP_ACT_ERRNO((uint16_t)refused[i].error), refused[i].call, 0);
    return bad | allow_memory(filter) | allow_questions(filter);
}

static enum err read_program(struct sandbox *self, int fd)
{
    struct stat about;
    if (fstat(fd, &about) != 0 || about.st_size <= 0)
        return ERR_IO;
    size_t bytes = (size_t)about.st_size;
    self->program.filter = malloc(bytes);
    if (!self->program.filter)
        return ERR_MEMORY;
    self->program.len = (unsigned short)(bytes / sizeof *self->program.filter);
    return pread(fd, self->program.filter, bytes, 0) == about.st_size ? ERR_OK : ERR_IO;
}

static enum err compile(struct sandbox *self, struct fault *why)
{
    enum err err = ERR_INTERNAL;
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_TRAP);
    int fd = memfd_create("filter", MFD_CLOEXEC);
    if (filter && fd >= 0 && add_rules(filter) == 0 && seccomp_export_bpf(filter, fd) == 0)
        err = read_program(self, fd);
    if (fd >= 0)
        close(fd);
    if (filter)
        seccomp_release(filter);
    return err == ERR_OK ? ERR_OK : fault_set(why, err, "cannot compile the steps' system call filter");
}

/* In the process to be limited. A limit that was lower already stays. */
static int set_limit(int resource, uint64_t soft, uint64_t hard)
{
    struct rlimit old;
    if (getrlimit((__rlimit_resource_t)resource, &old) != 0)
        return -1;
    struct rlimit limit = {.rlim_cur = soft < old.rlim_max ? soft : old.rlim_max,
                           .rlim_max = hard < old.rlim_max ? hard : old.rlim_max};
    return setrlimit((__rlimit_resource_t)resource, &limit);
}

static int set_limits(const struct sandbox_limits *limits)
{
    int bad = set_limit(RLIMIT_CORE, 0, 0);
    bad |= set_limit(RLIMIT_CPU, limits->cpu_seconds, (uint64_t)limits->cpu_seconds + 1);
    bad |= set_limit(RLIMIT_FSIZE, limits->file_bytes, limits->file_bytes);
    bad |= set_limit(RLIMIT_NOFILE, limits->open_files, limits->open_files);
#ifndef SHEETWIRE_SANITIZED
    bad |= set_limit(RLIMIT_DATA, limits->memory_bytes, limits->memory_bytes);
#endif
    return bad;
}

static volatile sig_atomic_t forbidden_report_fd; /* set before the filter; read by the handler alone */

/* Runs on SIGSYS, which the kernel raises at the refused call itself: the report pipe is between two messages. Raw
 * system calls, because a sanitizer's wrappers may hold the lock that the refused call is waiting for. */
static void report_forbidden(int number, siginfo_t *about, void *context)
{
    (void)number;
    (void)context;
    unsigned char message[REPORT_FORBIDDEN_BYTES];
    report_write_forbidden((uint32_t)about->si_syscall, message);
    syscall(SYS_write, forbidden_report_fd, message, sizeof message);
    syscall(SYS_exit_group, EXIT_FORBIDDEN);
}

enum err sandbox_enter(const struct sandbox *self, const struct sandbox_limits *limits, int report_fd,
                       struct fault *why)
{
    if (set_limits(limits) != 0)
        return fault_errno(why, "cannot set the step's limits");
    if (!self)
        return ERR_OK;
    forbidden_report_fd = report_fd;
    struct sigaction action = {.sa_sigaction = report_forbidden, .sa_flags = SA_SIGINFO};
    if (sigaction(SIGSYS, &action, NULL) != 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &self->program) != 0)
        return fault_errno(why, "cannot take system calls away from the step");
    return ERR_OK;
}

/* In a forked process: enters the sandbox and tries to open a file. */
static void probe_child(const struct sandbox *self)
{
    struct sandbox_limits limits = {
        .memory_bytes = UINT64_MAX, .file_bytes = UINT64_MAX, .cpu_seconds = 60, .open_files = 1024};
    if (sandbox_enter(self, &limits, -1, NULL) != ERR_OK)
        _exit(1);
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    _exit(fd >= 0 ? 2 : 3);
}

static enum err probe_once(const struct sandbox *self, int *status, struct fault *why)
{
    pid_t pid = fork();
    if (pid < 0)
        return fault_errno(why, "cannot fork");
    if (pid == 0)
        probe_child(self);
    while (waitpid(pid, status, 0) < 0)
        if (errno != EINTR)
            return fault_errno(why, "cannot wait for a process");
    return ERR_OK;
}

static bool was_killed(int status)
{
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
}

/* A process that somebody kills says nothing about the filter. */
static enum err probe(const struct sandbox *self, struct fault *why)
{
    int status = 0;
    enum err err = probe_once(self, &status, why);
    for (int again = 1; err == ERR_OK && was_killed(status) && again < PROBES_MAX; again++)
        err = probe_once(self, &status, why);
    if (err != ERR_OK || (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_FORBIDDEN))
        return err;
    if (was_killed(status))
        return fault_set(why, ERR_UNAVAILABLE, "the process that tries the seccomp filter was killed %d times",
                         PROBES_MAX);
    return fault_set(why, ERR_UNSUPPORTED,
                     "this system refuses the seccomp filter that steps run under; to run them with resource limits "
                     "alone, set workflow.sandbox: limits-only");
}

enum err sandbox_new(struct sandbox **out, struct fault *why)
{
    struct sandbox *self = calloc(1, sizeof *self);
    *out = self;
    if (!self)
        return fault_set(why, ERR_MEMORY, "no memory for the steps' system call filter");
    enum err err = compile(self, why);
    if (err == ERR_OK)
        err = probe(self, why);
    if (err != ERR_OK)
        sandbox_destroy(out);
    return err;
}

void sandbox_destroy(struct sandbox **self_p)
{
    if (*self_p)
        free((*self_p)->program.filter);
    free(*self_p);
    *self_p = NULL;
}

void sandbox_call_name(uint32_t call, char out[SANDBOX_CALL_NAME_MAX])
{
    char *name = call <= INT32_MAX ? seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, (int)call) : NULL;
    if (name)
        snprintf(out, SANDBOX_CALL_NAME_MAX, "%s", name);
    else
        snprintf(out, SANDBOX_CALL_NAME_MAX, "number %u", call);
    free(name);
}
