/*
 * proto/bfd/auth.h: the authentication section of control packets, RFC 5880 sections 4.2 to 4.4 and 6.7
 *
 * Pure. The digests are the plain ones of the RFC, not HMAC: the secret stands where the digest will.
 *
 * Both sides of a session cannot be given other keys at the same moment. So while a session is Up a change of
 * its configuration is not in use at once (6.7.1): packets go on being signed as before, except that now and
 * then one tries the new keys, and both kinds are accepted. The first packet which shows that the peer knows
 * the key we shall sign with brings the new ones into use, for good; so does the end of our patience, and so
 * does leaving Up, but for AdminDown, which the peer is to believe.
 */
#ifndef PEREGRINE_BFD_AUTH_H
#define PEREGRINE_BFD_AUTH_H

#include "proto/bfd/packet.h"

struct bfd_auth
{
  const struct bfd_keys *keys;   /* as configured; NULL: no authentication */
  const struct bfd_keys *before; /* while changing: those in use */
  bool changing;
  bool followed; /* the peer has just followed, and waits to hear the same of us; the caller clears it */
  bool rx_known; /* bfd.AuthSeqKnown */
  u8 since_probe;
  u8 last_id;
  byte last[BFD_PACKET_SIZE]; /* contents of the last packet sent */
  u32 tx_seq, rx_seq;         /* bfd.XmitAuthSeq, bfd.RcvAuthSeq */
  btime rx_forget;            /* when the latter is forgotten */
  btime change_end;
};

/* No keys yet; @seq is to be random (6.8.1). */
void bfd_auth_init(struct bfd_auth *a, u32 seq);

/*
 * Other keys, from when the peer follows, but at the latest after @patience; 0: from now on. @a keeps @keys
 * and, while `changing`, the former ones; the caller keeps them alive for as long.
 */
void bfd_auth_change(struct bfd_auth *a, const struct bfd_keys *keys, btime patience, btime now);

/* The same keys at another time of day: some may have begun or ended to be valid. A change goes on. */
void bfd_auth_update(struct bfd_auth *a, const struct bfd_keys *keys);

/* The keys configured are in use from now on. */
void bfd_auth_settle(struct bfd_auth *a);

/*
 * Append an authentication section to the encoded packet in @data, which has BFD_PACKET_MAX bytes. Returns
 * the size of the packet, 0 when no key may sign now: then nothing may be sent. @probe: a loss of this packet
 * would do no harm.
 */
uint bfd_auth_sign(struct bfd_auth *a, byte *data, bool probe, btime now);

/* 6.8.6: does the A bit agree with what is in use? */
bool bfd_auth_agrees(const struct bfd_auth *a, const struct bfd_packet *pkt);

/*
 * Is the packet @pkt, decoded from @data, what it should be? Changes @a only if so. @memory is how long the
 * sequence number is remembered without another packet: twice the detection time.
 */
enum bfd_rx bfd_auth_verify(struct bfd_auth *a, const struct bfd_packet *pkt, const byte *data, btime arrival,
                            btime memory);

#endif
