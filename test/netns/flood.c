/*
 * test/netns/flood.c: one UDP payload again and again, as fast as it goes
 *
 *     flood SOURCE DESTINATION HEX [vary]
 *
 * To port 3784, TTL 255. With `vary` the discriminators are others each time.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define BATCH 64
#define SIZE 64

static struct mmsghdr messages[BATCH];
static struct iovec iov[BATCH];
static unsigned char packet[BATCH][SIZE];

int
main(int argc, char **argv)
{
  struct sockaddr_in from = { .sin_family = AF_INET },
                     to = { .sin_family = AF_INET, .sin_port = htons(3784) };
  int fd = socket(AF_INET, SOCK_DGRAM, 0), ttl = 255;
  size_t size = argc > 3 ? strlen(argv[3]) / 2 : 0;

  if (argc < 4 || size > SIZE || inet_pton(AF_INET, argv[1], &from.sin_addr) != 1 ||
      inet_pton(AF_INET, argv[2], &to.sin_addr) != 1)
    return 2;
  if (setsockopt(fd, IPPROTO_IP, IP_TTL, &ttl, sizeof(ttl)) < 0 ||
      bind(fd, (struct sockaddr *) &from, sizeof(from)) < 0 ||
      connect(fd, (struct sockaddr *) &to, sizeof(to)) < 0)
    return 1;
  for (int i = 0; i < BATCH; i++)
  {
    for (size_t k = 0; k < size; k++)
      sscanf(argv[3] + 2 * k, "%2hhx", &packet[i][k]);
    iov[i] = (struct iovec){ packet[i], size };
    messages[i].msg_hdr.msg_iov = &iov[i];
    messages[i].msg_hdr.msg_iovlen = 1;
  }
  while (1)
  {
    for (int i = 0; argc > 4 && i < BATCH; i++)
      for (int k = 4; k < 12; k++)
        packet[i][k] = random() >> 8;
    sendmmsg(fd, messages, BATCH, 0);
  }
}
