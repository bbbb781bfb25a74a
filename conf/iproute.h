/* conf/iproute.h: constants named after the numbers of iproute2 */
#ifndef PEREGRINE_CONF_IPROUTE_H
#define PEREGRINE_CONF_IPROUTE_H

#include "conf/conf.h"

/*
 * Define ipp_NAME, ipt_NAME, ips_NAME and ipr_NAME for the protocols, tables, scopes and realms listed in
 * rt_protos, rt_tables, rt_scopes and rt_realms, and in FILE.d/NAME.conf below them. @local holds the
 * administrator's files and @shared those of the distribution, which count where there is no local one. A
 * file that is not there or not readable is nothing to complain about; a line that makes no sense is passed
 * over.
 */
void iproute_constants(struct config *cfg, const char *local, const char *shared);

#endif
