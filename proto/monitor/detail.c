/* proto/monitor/detail.c: all that is known of a session, as JSON; see monitor.h */
#include "proto/monitor/monitor.h"
#include "sysdep/clock.h"

static void
set(json_t *object, const char *name, json_t *value)
{
  json_object_set_new(object, name, value);
}

static void
set_number(json_t *object, const char *name, u64 n)
{
  set(object, name, json_integer(n));
}

static void
set_text(json_t *object, const char *name, const char *text)
{
  set(object, name, mon_text(text));
}

static void
set_bool(json_t *object, const char *name, bool truth)
{
  set(object, name, json_boolean(truth));
}

static json_t *
parameters(u32 min_tx, u32 min_rx, uint mult, bool demand)
{
  return json_pack("{s:I, s:I, s:i, s:b}", "min_tx_interval", (json_int_t) min_tx, "min_rx_interval",
                   (json_int_t) min_rx, "multiplier", (int) mult, "demand", demand);
}

static json_t *
authentication(const struct bfd_info *i)
{
  json_t *object = json_object();

  set_text(object, "type", bfd_auth_name(i->auth));
  if (i->auth_rx_known)
    set_number(object, "rx_sequence", i->auth_rx_seq);
  if (i->auth > BFD_AUTH_SIMPLE)
    set_number(object, "tx_sequence", i->auth_tx_seq);
  if (i->auth_changing)
    set_text(object, "changing_to", bfd_auth_name(i->auth_wanted));
  return object;
}

json_t *
mon_histogram(const u64 bucket[BFD_GAP_BUCKETS])
{
  json_t *array = json_array();

  for (uint i = 0; i < BFD_GAP_BUCKETS; i++)
  {
    btime end = bfd_gap_end(i);

    if (bucket[i])
      json_array_append_new(
          array, json_pack("[I, I]", (json_int_t) (end == BT_NEVER ? 0 : end), (json_int_t) bucket[i]));
  }
  return array;
}

static json_t *
arrivals(const struct bfd_arrivals *a)
{
  u32 gaps[BFD_GAPS];
  u64 buckets[BFD_GAP_BUCKETS];
  uint count = bfd_arrivals_last(a, gaps);
  json_t *object = json_object(), *last = json_array();

  for (uint i = 0; i < count; i++)
    json_array_append_new(last, json_integer(gaps[i]));
  for (uint i = 0; i < BFD_GAP_BUCKETS; i++)
    buckets[i] = a->bucket[i];
  set_number(object, "count", a->count);
  set_number(object, "largest_us", a->largest);
  set(object, "last_us", last);
  set(object, "histogram_us", mon_histogram(buckets));
  return object;
}

static json_t *
counters(const struct bfd_counters *n, const u32 *verdicts)
{
  json_t *object = json_object();

  set_number(object, "rx", n->rx);
  set_number(object, "tx", n->tx);
  set_number(object, "tx_errors", n->troubles.tx_errors);
  set_number(object, "ups", n->ups);
  set_number(object, "stalls", n->troubles.stalls);
  set(object, "refused", MON_COUNTS(n->troubles.refused, BFD_RX__MAX, bfd_rx_name));
  set(object, "downs", MON_COUNTS(n->troubles.downs, BFD_DIAG__MAX, bfd_diag_name));
  if (verdicts)
    set(object, "verdicts", MON_COUNTS(verdicts, BFD_VERDICT__MAX, bfd_verdict_name));
  return object;
}

static json_t *
clients(const struct list *requests)
{
  json_t *array = json_array();
  struct bfd_request *r;

  LIST_WALK (r, requests, sn)
    json_array_append_new(array, json_string(r->client));
  return array;
}

static void
set_info(json_t *object, const struct bfd_params *params, const struct bfd_info *i)
{
  set_number(object, "tx_interval", i->tx_interval);
  set_number(object, "tx_left", i->tx_left);
  set_number(object, "detection_time", i->detection_time);
  set_number(object, "detect_left", i->detect_left);
  set_text(object, "remote_diagnostic", bfd_diag_name(i->remote_diag));
  set(object, "local_parameters", parameters(i->local_min_tx, i->local_min_rx, i->local_mult, false));
  set(object, "remote_parameters",
      parameters(i->remote_min_tx, i->remote_min_rx, i->remote_mult, i->remote_demand));
  set_bool(object, "poll", i->poll);
  if (i->last_rx)
    set_number(object, "last_rx_ago", clock_now() - i->last_rx);
  if (i->auth || i->auth_changing)
    set(object, "authentication", authentication(i));
  if (params->offload)
    set(object, "offload",
        json_pack("{s:s, s:s, s:I, s:b}", "wanted", bfd_offload_name(params->offload), "now",
                  bfd_offload_name(i->offload), "packets", (json_int_t) i->offloaded, "link_layer",
                  i->offload_tx));
  if (i->arrivals.count)
    set(object, "arrivals", arrivals(&i->arrivals));
}

json_t *
mon_detail(const char *word, const struct bfd_details *d)
{
  const struct bfd_news *state = &d->state;
  struct mon_ident id = mon_ident_of(d->key);
  json_t *object = json_object();
  btime now = clock_now();

  set_text(object, "show", MON_IDENT_STR(&id));
  set_text(object, "state", word);
  set_text(object, "remote", IP_STR(d->key->remote));
  if (!ip_is_none(d->local))
    set_text(object, "local", IP_STR(d->local));
  if (d->key->hop == BFD_DIRECT)
    set_text(object, "interface", d->key->ifname);
  else if (d->key->vrf[0])
    set_text(object, "vrf", d->key->vrf);
  set_bool(object, "multihop", d->key->hop == BFD_MULTIHOP);
  set_text(object, "protocol", d->provider);
  set(object, "requested_by", clients(d->clients));
  set_text(object, "bfd_state", bfd_state_name(state->status.state));
  set_text(object, "remote_state", bfd_state_name(state->status.remote_state));
  set_text(object, "diagnostic", bfd_diag_name(state->status.diag));
  if (state->verdict)
    set_text(object, "verdict", bfd_verdict_name(state->verdict));
  set_number(object, "local_discriminator", state->local_disc);
  set_number(object, "remote_discriminator", d->info ? d->info->remote_disc : state->remote_disc);
  if (state->at)
    set_number(object, "since_wall_us", clock_wall() - (now - state->at));
  if (d->waits_for)
    set_text(object, "waiting_for", d->waits_for);
  set_bool(object, "held", d->held);
  if (d->params->min_ttl)
    set_number(object, "min_ttl", d->params->min_ttl);
  set_bool(object, "passive", d->params->passive);
  if (d->info)
    set_info(object, d->params, d->info);
  if (d->info)
    set(object, "counters", counters(&d->info->counters, d->verdicts));
  return object;
}
