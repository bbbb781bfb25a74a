/* sysdep/linux/privileges.c: see privileges.h. The kernel's own interface; two calls need no library. */
#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sysdep/log.h"
#include "sysdep/privileges.h"

#define NICE (-10)

static const struct
{
  uint number;
  const char *name, *loss;
} needed[] = {
  { CAP_NET_ADMIN, "CAP_NET_ADMIN", "large receive buffers and packet priority are not available" },
  { CAP_NET_RAW, "CAP_NET_RAW", "BFD cannot send, and sockets may not be bound to interfaces" },
  { CAP_NET_BIND_SERVICE, "CAP_NET_BIND_SERVICE", "ports below 1024 may not be used" },
};

static uid_t
find_user(const char *name)
{
  struct passwd *pw = getpwnam(name);

  if (!pw)
    die("Unknown user '%s'", name);
  return pw->pw_uid;
}

static gid_t
find_group(const char *name)
{
  struct group *gr = getgrnam(name);

  if (!gr)
    die("Unknown group '%s'", name);
  return gr->gr_gid;
}

static bool
caps_get(struct __user_cap_data_struct data[2])
{
  struct __user_cap_header_struct header = { _LINUX_CAPABILITY_VERSION_3, 0 };

  return syscall(SYS_capget, &header, data) == 0;
}

static bool
memlock_unlimited(void)
{
  struct rlimit limit;

  return getrlimit(RLIMIT_MEMLOCK, &limit) == 0 && limit.rlim_cur == RLIM_INFINITY;
}

/* Keep what is needed and permitted, nothing else. */
static void
caps_limit(void)
{
  struct __user_cap_header_struct header = { _LINUX_CAPABILITY_VERSION_3, 0 };
  struct __user_cap_data_struct data[2] = { 0 };
  u32 keep = 1u << CAP_SYS_NICE; /* real-time threads come and go with the configuration */

  if (!memlock_unlimited())
    keep |= 1u << CAP_IPC_LOCK; /* locked memory grows with it */

  if (!caps_get(data))
    return;
  for (uint i = 0; i < ARRAY_SIZE(needed); i++)
    keep |= 1u << needed[i].number;
  data[0].effective = data[0].permitted &= keep;
  data[1].effective = data[1].permitted &= CAP_TO_MASK(CAP_BPF); /* offload comes and goes with it as well */
  data[0].inheritable = data[1].inheritable = 0;
  if (syscall(SYS_capset, &header, data) < 0)
    die("Cannot give up capabilities: %s", strerror(errno));
}

void
privileges_raise(void)
{
  struct rlimit unlimited = { RLIM_INFINITY, RLIM_INFINITY };

  setrlimit(RLIMIT_MEMLOCK, &unlimited);
  if (getpriority(PRIO_PROCESS, 0) == 0)
    setpriority(PRIO_PROCESS, 0, NICE);
}

void
privileges_drop(const char *user, const char *group)
{
  uid_t uid = user ? find_user(user) : 0;
  gid_t gid = group ? find_group(group) : 0;

  if (group && (setgroups(1, &gid) < 0 || setgid(gid) < 0))
    die("Cannot change to group '%s': %s", group, strerror(errno));
  if (!user)
    return;
  if (!group && setgroups(0, NULL) < 0)
    die("Cannot give up supplementary groups: %s", strerror(errno));
  if (prctl(PR_SET_KEEPCAPS, 1) < 0 || setuid(uid) < 0)
    die("Cannot change to user '%s': %s", user, strerror(errno));
  caps_limit();
}

bool
privileges_own_file(const char *path, const char *user, const char *group)
{
  if (!user && !group)
    return true;
  return chown(path, user ? find_user(user) : (uid_t) -1, group ? find_group(group) : (gid_t) -1) == 0;
}

bool
privileges_lock_memory(void)
{
  struct __user_cap_data_struct data[2] = { 0 };
  bool may = caps_get(data) && (data[0].effective & (1u << CAP_IPC_LOCK));

  return (may || memlock_unlimited()) && mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) == 0;
}

void
privileges_report(bool locked)
{
  struct __user_cap_data_struct data[2] = { 0 };

  if (!caps_get(data))
    return;
  for (uint i = 0; i < ARRAY_SIZE(needed); i++)
    if (!(data[0].effective & (1u << needed[i].number)))
      log_write(L_WARN, "Without %s: %s", needed[i].name, needed[i].loss);
  if (getpriority(PRIO_PROCESS, 0) == 0)
    log_write(L_WARN, "Without CAP_SYS_NICE or LimitNICE: busy programs may delay the main loop");
  if (!locked)
    log_write(L_WARN, "Without CAP_IPC_LOCK or LimitMEMLOCK: memory is not locked, and swapping delays all");
}
