/*
 * client/client.c: options, connection, output and one-shot mode of birdc and birdcl
 *
 * Reads and writes block: there is nothing else to do, and signals keep their default action, so that Ctrl-C
 * ends a client whose server does not answer.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "client/client.h"
#include "client/commands.h"
#include "client/reply.h"
#include "lib/pool.h"

#ifndef PACKAGE_VERSION
#define PACKAGE_VERSION "unreleased"
#endif

#define CLIENT_LINE_MAX (16 << 20) /* no daemon sends this; it only bounds what a broken one costs us */
#define CLIENT_HELP_WIDTH 45
#define CLIENT_ERROR_CODE 8000 /* final codes from here on are failures */

static const char usage[] = "Usage: %s [-s SOCKET] [-v] [-r] [-l] [COMMAND ...]\n";

static const char options_help[] =
    "  -s SOCKET   control socket of the daemon (default " PATH_CONTROL_SOCKET ")\n"
    "  -l          the socket is bird.ctl in the current directory\n"
    "  -v          show reply codes\n"
    "  -r          restrict the session to commands that change nothing\n"
    "  --version   print the version and exit\n"
    "  --help      print this and exit\n"
    "Without COMMAND, commands are read from the terminal.\n";

static char *
join_words(pool *p, char **words)
{
  size_t size = 1;

  for (char **w = words; *w; w++)
    size += strlen(*w) + 1;

  char *joined = mb_alloc(p, size), *end = joined;
  for (char **w = words; *w; w++)
  {
    if (w != words)
      *end++ = ' ';
    end = stpcpy(end, *w);
  }
  return joined;
}

/* Returns the exit status, or -1 to go on. Options may also follow command words, as users expect. */
static int
parse_options(struct client_options *o, pool *p, int argc, char **argv)
{
  static const struct option long_options[] = { { "help", no_argument, NULL, 'H' },
                                                { "version", no_argument, NULL, 'V' },
                                                { NULL, 0, NULL, 0 } };
  bool local = false;
  int opt;

  *o = (struct client_options){ .program = argc ? argv[0] : "birdc" };
  while ((opt = getopt_long(argc, argv, "s:vrl", long_options, NULL)) >= 0)
    switch (opt)
    {
    case 's':
      o->socket = optarg;
      break;
    case 'v':
      o->verbose = true;
      break;
    case 'r':
      o->restricted = true;
      break;
    case 'l':
      local = true;
      break;
    case 'H':
      printf(usage, o->program);
      fputs(options_help, stdout);
      return 0;
    case 'V':
      printf("%s, Peregrine %s\n", o->program, PACKAGE_VERSION);
      return 0;
    default:
      fprintf(stderr, usage, o->program);
      return 1;
    }

  if (!o->socket)
    o->socket = local ? "bird.ctl" : PATH_CONTROL_SOCKET;
  if (optind < argc)
    o->command = join_words(p, argv + optind);
  return -1;
}

/* Never one of the standard streams, even if the caller closed them: our output must not become commands. */
static int
open_socket(void)
{
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

  if (fd < 0 || fd > STDERR_FILENO)
    return fd;

  int high = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
  close(fd);
  return high;
}

static int
connect_socket(const char *path)
{
  struct sockaddr_un sa = { .sun_family = AF_UNIX };
  int fd = -1;

  if (strlen(path) >= sizeof(sa.sun_path))
    errno = ENAMETOOLONG;
  else
  {
    strcpy(sa.sun_path, path);
    fd = open_socket();
    if (fd >= 0 && !connect(fd, (struct sockaddr *) &sa, sizeof(sa)))
      return fd;
  }

  fprintf(stderr, "Unable to connect to server control socket (%s): %s\n", path, strerror(errno));
  if (fd >= 0)
    close(fd);
  return -1;
}

static void
make_room(struct client *c)
{
  if (c->prompt_shown)
    c->prompt_hide(c);
  c->prompt_shown = false;
}

/* Something is wrong with the connection: tell after all that was received from it. */
static bool connection_failed(struct client *c, const char *fmt, ...) PRINTF_LIKE(2, 3);

static bool
connection_failed(struct client *c, const char *fmt, ...)
{
  va_list args;

  make_room(c);
  fflush(stdout);
  va_start(args, fmt);
  vfprintf(stderr, fmt, args);
  va_end(args);
  return false;
}

static void
print_text(const struct reply_event *e, const char *suffix)
{
  fwrite(e->text, 1, e->len, stdout);
  fputs(suffix, stdout);
}

static void
print_line(const struct client *c, const struct reply_event *e)
{
  /* 0000 ends a reply that has said all it had to say; users never see it */
  if (e->final && !e->code)
    return;

  if (c->opt.verbose && e->coded)
    printf("%04u%c", e->code, e->final ? ' ' : '-');
  else if (c->opt.verbose)
    fputs("     ", stdout);
  print_text(e, "\n");
}

static void
on_reply(const struct reply_event *e, void *data)
{
  struct client *c = data;

  make_room(c);
  switch (e->kind)
  {
  case REPLY_LINE:
    print_line(c, e);
    break;
  case REPLY_ASYNC:
    fputs(">>> ", stdout);
    print_text(e, "\n");
    break;
  case REPLY_BAD:
    fputs("??? <", stdout);
    print_text(e, ">\n");
    break;
  }

  if (e->cut)
    fprintf(stderr, "Line too long, cut after %d bytes\n", CLIENT_LINE_MAX);
  if (e->final)
  {
    c->busy = false;
    c->code = e->code;
  }
}

bool
client_receive(struct client *c)
{
  char bytes[16384];
  ssize_t n;

  do
    n = read(c->fd, bytes, sizeof(bytes));
  while (n < 0 && errno == EINTR);

  if (n < 0)
    return connection_failed(c, "Server read error: %s\n", strerror(errno));
  if (!n)
    return connection_failed(c, "Connection closed by server\n");

  reply_feed(c->reader, bytes, n, on_reply, c);
  fflush(stdout);
  return true;
}

bool
client_wait(struct client *c)
{
  while (c->busy)
    if (!client_receive(c))
      return false;
  return true;
}

/*
 * Send the words of @m as one line. A server that went away is not reported here: client_wait() still shows
 * what it said before it left.
 */
static void
send_command(struct client *c, const struct command_match *m)
{
  size_t len = m->known.len + m->rest.len + 1;
  char *line = mb_alloc(c->pool, len), *newline;

  memcpy(line, m->known.text, m->known.len);
  memcpy(line + m->known.len, m->rest.text, m->rest.len);
  /* one command, one reply: a newline inside an argument must not become a second command */
  while ((newline = memchr(line, '\n', len - 1)))
    *newline = ' ';
  line[len - 1] = '\n';

  for (size_t done = 0; done < len;)
  {
    ssize_t n = send(c->fd, line + done, len - done, MSG_NOSIGNAL);
    if (n < 0 && errno != EINTR)
      break;
    if (n > 0)
      done += n;
  }
  mb_free(line);
  c->busy = true;
}

static void
print_command(const struct command *cmd, void *data UNUSED)
{
  const char *sep = *cmd->args ? " " : "";
  int used = strlen(cmd->name) + strlen(sep) + strlen(cmd->args);

  printf("%s%s%s%*s  %s\n", cmd->name, sep, cmd->args, MAX(CLIENT_HELP_WIDTH - used, 0), "", cmd->help);
}

void
client_help(const char *line, size_t len)
{
  command_help(&client_commands, line, len, print_command, NULL);
}

/* Does @line end with an unquoted question mark? @len is then what precedes it. */
static bool
asks_for_help(const char *line, size_t *len)
{
  size_t end = strlen(line);

  while (end && (line[end - 1] == ' ' || line[end - 1] == '\t'))
    end--;
  if (!end || line[end - 1] != '?' || command_in_quotes(line, end))
    return false;
  *len = end - 1;
  return true;
}

enum client_step
client_enter(struct client *c, const char *line)
{
  size_t len;

  if (asks_for_help(line, &len))
  {
    client_help(line, len);
    return CLIENT_DONE;
  }

  struct command_match m = command_match(&client_commands, line, strlen(line));
  if (command_is(&m, "quit") || command_is(&m, "exit"))
    return CLIENT_QUIT;
  if (command_is(&m, "help"))
  {
    puts("Press `?' for context sensitive help.");
    return CLIENT_DONE;
  }
  if (m.verdict == COMMAND_OK)
  {
    send_command(c, &m);
    return CLIENT_SENT;
  }
  if (m.verdict == COMMAND_EMPTY && !c->opt.command)
    return CLIENT_DONE;

  if (m.verdict == COMMAND_AMBIGUOUS)
  {
    puts("Ambiguous command, possible expansions are:");
    command_list(&client_commands, &m, print_command, NULL);
  }
  else
    puts("No such command. Press `?' for help.");
  return CLIENT_REFUSED;
}

/* A session that should be restricted and is not must not go on. */
static bool
restrict_session(struct client *c)
{
  struct command_match m = { .known = { "restrict", 8 }, .rest = { "", 0 } };

  send_command(c, &m);
  if (!client_wait(c))
    return false;
  return c->code < CLIENT_ERROR_CODE || connection_failed(c, "The server did not restrict the session\n");
}

static int
run_command(struct client *c)
{
  switch (client_enter(c, c->opt.command))
  {
  case CLIENT_SENT:
    return client_wait(c) && c->code < CLIENT_ERROR_CODE ? 0 : 1;
  case CLIENT_REFUSED:
    return 1;
  default:
    return 0;
  }
}

static int
run_session(struct client *c, client_frontend *run)
{
  c->fd = connect_socket(c->opt.socket);
  if (c->fd < 0)
    return 1;

  c->reader = reply_new(c->pool, CLIENT_LINE_MAX);
  c->busy = true;
  int status = 1;
  if (client_wait(c) && (!c->opt.restricted || restrict_session(c)))
    status = c->opt.command ? run_command(c) : run(c);
  close(c->fd);
  return status;
}

int
client_main(int argc, char **argv, client_frontend *run)
{
  pool *p = pool_new(NULL, "client");
  struct client c = { .pool = p };
  int status = parse_options(&c.opt, p, argc, argv);

  if (status < 0)
    status = run_session(&c, run);
  rfree(p);

  if (fflush(stdout) || ferror(stdout))
  {
    perror("Cannot write output");
    return 1;
  }
  return status;
}
