/* client/birdcl.c: the client without line editing */
#include "client/client.h"
#include "client/plain.h"

int
main(int argc, char **argv)
{
  return client_main(argc, argv, plain_run);
}
