/* For the emulator, which has a thread that the program knows nothing of: the
 * program asks by unshare(2) whether it is alone before it forks, and is. */
#define _GNU_SOURCE
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

int unshare(int flags) {
  return flags == CLONE_THREAD ? 0 : (int)syscall(SYS_unshare, flags);
}
