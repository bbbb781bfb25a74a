/* Print what becomes of a BFD session: cc watch.c $(pkg-config --cflags --libs bfdmon) && ./a.out 192.0.2.1
 */
#include <stdio.h>

#include <bfdmon.h>

int
main(int argc, char **argv)
{
  struct bfdmon_options fast = { .min_rx = 50000, .min_tx = 50000, .multiplier = 3 };
  struct bfdmon *m = bfdmon_open(argc > 2 ? argv[2] : NULL);
  struct bfdmon_event ev;

  if (argc < 2 || !m || bfdmon_subscribe(m, argv[1], &fast) < 0)
    return 1;
  while (bfdmon_next(m, &ev, -1) > 0)
  {
    if (ev.kind == BFDMON_SESSION)
      printf("%s is %s%s%s\n", ev.session, bfdmon_state_name(ev.state), ev.verdict ? ": " : "",
             ev.verdict ? ev.verdict : "");
    else if (ev.kind == BFDMON_DISCONNECTED || ev.kind == BFDMON_REFUSED)
      printf("%s\n", ev.text);
    fflush(stdout);
  }
  bfdmon_close(m);
  return 0;
}
