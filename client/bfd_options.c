/* client/bfd_options.c: see bfd_options.h */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "client/bfd_options.h"
#include "client/duration.h"

static const char usage[] = "Usage: bfd [OPTIONS] LOCAL REMOTE\n";

static const char options_help[] =
    "One BFD session in the foreground, without a daemon. LOCAL is an address of this host, or - for the one "
    "the\n"
    "kernel would take; both may be names.\n"
    "  --interval TIME         both of the next two (default 100)\n"
    "  --rx-interval TIME      required min RX interval\n"
    "  --tx-interval TIME      desired min TX interval\n"
    "  --detect-mult N         detection time multiplier (default 3)\n"
    "  --passive               do not speak first\n"
    "  --multihop              the peer is not on the link\n"
    "  --min-ttl N             take no packets of multihop sessions below that\n"
    "  --interface NAME        where the peer is, if the local address does not tell\n"
    "  --ipv4, --ipv6          of names\n"
    "  --port N                of the peer, instead of 3784 or 4784; for tests, as the next one\n"
    "  --local-port N          that is listened on\n"
    "  --keys FILE             authentication: lines 'authentication TYPE' and 'key ID SECRET'\n"
    "  --on-up CMD             run by sh -c when the session comes up,\n"
    "  --on-down CMD           and when it is not up any more\n"
    "  --until-up              end as soon as it is up\n"
    "  --timeout TIME          end when it has not come up by then\n"
    "  --duration TIME         end then\n"
    "  --json                  print an object on each line\n"
    "  --quiet                 print only the summary\n"
    "  --verbose               print each packet\n"
    "  --version, --help\n"
    "TIME is in milliseconds, or has a unit: 300us, 50ms, 2s. SIGUSR1 begins a Poll Sequence, SIGUSR2 enters "
    "and\n"
    "leaves AdminDown, SIGINT says AdminDown and ends.\n"
    "Exit status: 1 the session was not up (at the end), 2 the command line, 3 the system does not let us.\n";

enum option_number
{
  OPT_INTERVAL = 256,
  OPT_RX,
  OPT_TX,
  OPT_MULT,
  OPT_PASSIVE,
  OPT_MULTIHOP,
  OPT_MIN_TTL,
  OPT_INTERFACE,
  OPT_IPV4,
  OPT_IPV6,
  OPT_PORT,
  OPT_LOCAL_PORT,
  OPT_KEYS,
  OPT_ON_UP,
  OPT_ON_DOWN,
  OPT_UNTIL_UP,
  OPT_TIMEOUT,
  OPT_DURATION,
  OPT_JSON,
  OPT_QUIET,
  OPT_VERBOSE,
  OPT_VERSION,
  OPT_HELP,
};

static const struct option long_options[] = {
  { "interval", required_argument, NULL, OPT_INTERVAL },
  { "rx-interval", required_argument, NULL, OPT_RX },
  { "tx-interval", required_argument, NULL, OPT_TX },
  { "detect-mult", required_argument, NULL, OPT_MULT },
  { "passive", no_argument, NULL, OPT_PASSIVE },
  { "multihop", no_argument, NULL, OPT_MULTIHOP },
  { "min-ttl", required_argument, NULL, OPT_MIN_TTL },
  { "interface", required_argument, NULL, OPT_INTERFACE },
  { "ipv4", no_argument, NULL, OPT_IPV4 },
  { "ipv6", no_argument, NULL, OPT_IPV6 },
  { "port", required_argument, NULL, OPT_PORT },
  { "local-port", required_argument, NULL, OPT_LOCAL_PORT },
  { "keys", required_argument, NULL, OPT_KEYS },
  { "on-up", required_argument, NULL, OPT_ON_UP },
  { "on-down", required_argument, NULL, OPT_ON_DOWN },
  { "until-up", no_argument, NULL, OPT_UNTIL_UP },
  { "timeout", required_argument, NULL, OPT_TIMEOUT },
  { "duration", required_argument, NULL, OPT_DURATION },
  { "json", no_argument, NULL, OPT_JSON },
  { "quiet", no_argument, NULL, OPT_QUIET },
  { "verbose", no_argument, NULL, OPT_VERBOSE },
  { "version", no_argument, NULL, OPT_VERSION },
  { "help", no_argument, NULL, OPT_HELP },
  { NULL, 0, NULL, 0 },
};

NORETURN static void
bad_value(int opt)
{
  const struct option *o = long_options;

  while (o->val != opt)
    o++;
  fprintf(stderr, "bfd: --%s does not take '%s'\n", o->name, optarg);
  exit(BFD_EXIT_USAGE);
}

NORETURN static void
usage_error(const char *text)
{
  fprintf(stderr, "bfd: %s\n%s", text, usage);
  exit(BFD_EXIT_USAGE);
}

static btime
time_value(int opt, btime min, btime max)
{
  btime t;

  if (!duration_parse(optarg, min, max, &t))
    bad_value(opt);
  return t;
}

static u32
number_value(int opt, u32 min, u32 max)
{
  char *end;
  unsigned long n = strtoul(optarg, &end, 10);

  if (optarg[0] < '0' || optarg[0] > '9' || *end || n < min || n > max)
    bad_value(opt);
  return n;
}

static void
session_option(struct bfd_program_options *o, int opt, pool *p)
{
  struct bfd_params *params = &o->params;

  if (opt == OPT_INTERVAL || opt == OPT_RX)
    params->min_rx = time_value(opt, opt == OPT_RX ? 0 : BT_MS(1), U32_MAX);
  if (opt == OPT_INTERVAL || opt == OPT_TX)
    params->min_tx = time_value(opt, BT_MS(1), U32_MAX);
  if (opt == OPT_MULT)
    params->detect_mult = number_value(opt, 1, 255);
  else if (opt == OPT_PASSIVE)
    params->passive = true;
  else if (opt == OPT_MULTIHOP)
    o->multihop = true;
  else if (opt == OPT_MIN_TTL)
    params->min_ttl = number_value(opt, 1, 255);
  else if (opt == OPT_INTERFACE)
    o->ifname = optarg;
  else if (opt == OPT_IPV4 || opt == OPT_IPV6)
    o->family = opt == OPT_IPV4 ? AF_INET : AF_INET6;
  else if (opt == OPT_PORT)
    o->port = number_value(opt, 1, 65535);
  else if (opt == OPT_LOCAL_PORT)
    o->local_port = number_value(opt, 1, 65535);
  else if (opt == OPT_KEYS)
    o->keys = bfd_keys_read(p, optarg);
}

static void
program_option(struct bfd_program_options *o, int opt)
{
  if (opt == OPT_ON_UP)
    o->on_up = optarg;
  else if (opt == OPT_ON_DOWN)
    o->on_down = optarg;
  else if (opt == OPT_UNTIL_UP)
    o->until_up = true;
  else if (opt == OPT_TIMEOUT)
    o->timeout = time_value(opt, BT_MS(1), BT_S(86400 * 365));
  else if (opt == OPT_DURATION)
    o->duration = time_value(opt, BT_MS(1), BT_S(86400 * 365));
  else if (opt == OPT_JSON)
    o->json = true;
  else if (opt == OPT_QUIET)
    o->quiet = true;
  else if (opt == OPT_VERBOSE)
    o->verbose = true;
  else if (opt == OPT_VERSION || opt == OPT_HELP)
  {
    if (opt == OPT_HELP)
      printf("%s%s", usage, options_help);
    else
      printf("bfd, Peregrine %s\n", PACKAGE_VERSION);
    exit(BFD_EXIT_OK);
  }
  else
  {
    fputs(usage, stderr);
    exit(BFD_EXIT_USAGE);
  }
}

void
bfd_options_parse(struct bfd_program_options *o, int argc, char **argv, pool *p)
{
  int opt;

  *o = (struct bfd_program_options){
    .params = { .min_rx = 100000, .min_tx = 100000, .idle_tx = 1000000, .detect_mult = 3 },
  };
  while ((opt = getopt_long(argc, argv, "", long_options, NULL)) >= 0)
    if (opt >= OPT_INTERVAL && opt <= OPT_KEYS)
      session_option(o, opt, p);
    else
      program_option(o, opt);
  if (argc - optind != 2)
    usage_error("Two addresses are needed, ours and that of the peer");
  if (o->multihop && o->ifname)
    usage_error("--multihop and --interface exclude each other");
  if (!o->multihop && o->params.min_ttl)
    usage_error("--min-ttl is for --multihop: elsewhere it has to be 255");
  o->local = argv[optind];
  o->remote = argv[optind + 1];
}
